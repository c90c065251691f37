//! The HTTP client of an account: whom it trusts, through which proxy it goes, how many connections it keeps.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{LONGEST_CONNECT, chain, endpoint};
use crate::config::{Account, Poll, Proxy, SecretSource};
use crate::secret::Secret;

/// An account's settings cannot be used. Its text holds no secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("account {account:?}: {problem}")]
pub struct SetupError {
    /// Name of the account.
    pub account: String,
    /// Which setting, and what is wrong with it.
    pub problem: String,
}

/// The client with which `account` asks the cloud.
pub(super) fn client(account: &Account, poll: &Poll) -> Result<reqwest::Client, SetupError> {
    make(account, poll).map_err(|problem| SetupError { account: account.name.clone(), problem })
}

fn make(account: &Account, poll: &Poll) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(account.ca_file.as_deref())?)
        .user_agent(concat!("aliyun-task-exporter/", env!("CARGO_PKG_VERSION")))
        .timeout(poll.timeout)
        .connect_timeout(poll.timeout.min(LONGEST_CONNECT))
        .pool_idle_timeout(Duration::from_secs(60))
        // No more are ever under way at once, so each finds its connection again.
        .pool_max_idle_per_host(poll.concurrency)
        .dns_resolver(Arc::new(Resolver))
        // A redirect would carry the signature elsewhere.
        .redirect(reqwest::redirect::Policy::none());
    let builder = match &account.proxy {
        Some(own) => builder.proxy(proxy(own)?),
        None if is_local(account) => builder.no_proxy(),
        None => builder,
    };
    builder.build().map_err(|error| chain(&error))
}

/// Which requests of an account go through a proxy: the same rule as the client's own.
#[derive(Clone, Debug)]
pub(super) struct Route(Option<Arc<Matcher>>);

impl Route {
    pub(super) fn of(account: &Account) -> Self {
        Self(match &account.proxy {
            Some(own) => Some(Arc::new(Matcher::builder().all(own.url.clone()).no(own.no_proxy.clone()).build())),
            None if is_local(account) => None,
            None => Some(Arc::new(Matcher::from_env())),
        })
    }

    pub(super) fn is_proxied(&self, uri: &Uri) -> bool {
        self.0.as_ref().is_some_and(|matcher| matcher.intercept(uri).is_some())
    }
}

/// The system's way to resolve names, whose failure can be told from others.
struct Resolver;

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved")]
pub(super) struct Unresolved(#[source] io::Error);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

fn proxy(proxy: &Proxy) -> Result<reqwest::Proxy, String> {
    let made =
        reqwest::Proxy::all(&proxy.url).map_err(|error| format!("proxy.url: {}", chain(&error.without_url())))?;
    let made = made.no_proxy(reqwest::NoProxy::from_string(&proxy.no_proxy));
    let Some(username) = &proxy.username else { return Ok(made) };
    let password = proxy.password.as_ref().map(password).transpose()?;
    // Proxy::basic_auth takes a percent sign in a password for the start of an encoded character.
    let told = STANDARD.encode(format!("{username}:{}", password.as_ref().map_or("", Secret::expose)));
    let mut header = HeaderValue::from_str(&format!("Basic {told}")).map_err(|error| error.to_string())?;
    header.set_sensitive(true);
    Ok(made.custom_http_auth(header))
}

fn password(source: &SecretSource) -> Result<Secret, String> {
    match source {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::File(path) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| format!("proxy.password: reading {}: {error}", path.display()))?;
            Ok(Secret::new(text.trim_end()))
        }
    }
}

/// Whether every product is asked on this machine, where the environment's proxy has no business.
fn is_local(account: &Account) -> bool {
    let local = |endpoint: &Option<String>| endpoint.as_deref().is_some_and(endpoint::is_local);
    local(&account.endpoints.ehpc) && local(&account.endpoints.swas)
}

/// TLS with built-in roots, so an image without system certificates still verifies, and those of `ca_file` beside them.
fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let Ok(builder) = builder else { unreachable!("ring supports the default protocol versions") };
    Ok(builder.with_root_certificates(roots(ca_file)?).with_no_client_auth())
}

fn roots(ca_file: Option<&Path>) -> Result<rustls::RootCertStore, String> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(path) = ca_file else { return Ok(roots) };
    let problem = |what: String| format!("ca_file {}: {what}", path.display());
    let text = fs::read(path).map_err(|error| problem(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| problem(format!("it is not PEM: {error}")))?;
    if found.is_empty() {
        return Err(problem("it holds no certificate; one begins with -----BEGIN CERTIFICATE-----".into()));
    }
    for certificate in found {
        roots.add(certificate).map_err(|error| problem(format!("a certificate in it cannot be used: {error}")))?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{client, roots};
    use crate::config::{Account, Poll, Proxy, SecretSource};
    use crate::secret::Secret;

    #[test]
    fn the_built_in_roots_hold_the_authorities_of_the_web() {
        let built_in = roots(None).unwrap();
        assert!(built_in.len() > 100, "{}", built_in.len());
        // It signs for aliyuncs.com.
        assert!(built_in.subjects().iter().any(|name| String::from_utf8_lossy(name.as_ref()).contains("GlobalSign")));
    }

    fn temporary(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("aliyun-task-exporter-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn problem(account: Account) -> String {
        client(&account, &Poll::default()).unwrap_err().to_string()
    }

    #[test]
    fn authorities_of_ones_own_come_beside_the_built_in_ones() {
        let own = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        let path = temporary("ca", &own.cert.pem());
        assert_eq!(roots(Some(&path)).unwrap().len(), roots(None).unwrap().len() + 1);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named_with_its_account() {
        let with = |path: &PathBuf| Account { name: "prod".into(), ca_file: Some(path.clone()), ..Account::default() };
        let missing = problem(with(&"/nonexistent/ca.pem".into()));
        assert!(missing.starts_with("account \"prod\": ca_file /nonexistent/ca.pem: No such file"), "{missing}");
        for (text, wanted) in [
            ("", "holds no certificate"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "not PEM"),
        ] {
            let path = temporary("bad-ca", text);
            let told = problem(with(&path));
            assert!(told.contains(&path.display().to_string()) && told.contains(wanted), "{told}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_proxys_password_is_not_printed_and_its_missing_file_is_named() {
        let with = |password| Account {
            proxy: Some(Proxy {
                url: "http://proxy:3128".into(),
                username: Some("user".into()),
                password: Some(password),
                no_proxy: String::new(),
            }),
            ..Account::default()
        };
        let made = client(&with(SecretSource::Value(Secret::new("hunter2"))), &Poll::default()).unwrap();
        // "user:hunter2" in Base64.
        let printed = format!("{made:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("dXNlcjpodW50ZXIy"), "{printed}");
        let told = problem(with(SecretSource::File("/nonexistent/password".into())));
        assert!(told.contains("proxy.password: reading /nonexistent/password: No such file"), "{told}");
    }
}
