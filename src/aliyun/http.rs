//! The HTTP client of an account: the authorities it trusts, its timeouts, its connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::proxy::Proxies;
use crate::causes::chain;
use crate::config::{Account, Poll};
use crate::trust;

/// Maximum timeout for connecting, even if the request may take longer.
const MAX_CONNECT: Duration = Duration::from_secs(5);

/// Looks up an environment variable of the process.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An account's settings cannot be used. The text contains no secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("account {account:?}: {problem}")]
pub struct SetupError {
    /// Name of the account.
    pub account: String,
    /// Which setting, and what is wrong with it.
    pub problem: String,
}

/// How the requests of an account are sent: a client, and the proxies it uses.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    pub(super) client: reqwest::Client,
    pub(super) proxies: Proxies,
}

/// The transport for requests of `account`; `env` looks up environment variables. With `patience`,
/// what the other end has not acknowledged within it is not sent later (on Linux).
pub(super) fn transport(
    account: &Account,
    poll: &Poll,
    patience: Option<Duration>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Transport, SetupError> {
    make(account, poll, patience, env)
        .map_err(|problem| SetupError { account: account.name.clone(), problem })
}

fn make(
    account: &Account,
    poll: &Poll,
    patience: Option<Duration>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Transport, String> {
    let tls = trust::public_and(account.ca_file.as_deref())
        .map_err(|problem| format!("ca_file {problem}"))?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("aliyun-task-exporter/", env!("CARGO_PKG_VERSION")))
        .timeout(poll.timeout)
        .connect_timeout(connect_limit(poll.timeout))
        .pool_idle_timeout(Duration::from_secs(60))
        // No more requests are ever in flight at once, so each finds an idle connection.
        .pool_max_idle_per_host(poll.concurrency)
        .dns_resolver(Arc::new(Resolver { limit: lookup_limit(poll.timeout) }))
        // A redirect would carry the signature elsewhere.
        .redirect(reqwest::redirect::Policy::none());
    // Otherwise the kernel sends it for minutes, even when the process has ended.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(patience);
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    let proxies = Proxies::of(account, env)?;
    let client = proxies.lead(builder).build().map_err(|error| chain(&error))?;
    Ok(Transport { client, proxies })
}

/// Timeout for connecting, for a request with this `timeout`.
pub(super) fn connect_limit(timeout: Duration) -> Duration {
    MAX_CONNECT.min(timeout)
}

/// Timeout for resolving a name: shorter than for the connection, so that a silent DNS server can
/// be distinguished from a silent endpoint.
fn lookup_limit(timeout: Duration) -> Duration {
    connect_limit(timeout) * 4 / 5
}

/// The system's resolver, with errors that can be distinguished from others.
struct Resolver {
    limit: Duration,
}

/// A name could not be resolved.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("the name cannot be resolved")]
    Failed(#[source] io::Error),
    #[error("no answer from the DNS server within {}", humantime::format_duration(*.0))]
    Late(Duration),
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let limit = self.limit;
        Box::pin(async move {
            let lookup = tokio::net::lookup_host((name.as_str(), 0));
            let found = within(limit, lookup).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

async fn within<T>(
    limit: Duration,
    lookup: impl Future<Output = io::Result<T>>,
) -> Result<T, Unresolved> {
    let found = tokio::time::timeout(limit, lookup).await;
    found.map_err(|_| Unresolved::Late(limit))?.map_err(Unresolved::Failed)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use reqwest::dns::{Addrs, Name, Resolve, Resolving};

    use super::{connect_limit, lookup_limit, transport, within};
    use crate::aliyun::Error;
    use crate::aliyun::trouble::{Route, trouble};
    use crate::config::{Account, NoProxy, Poll, Proxy, SecretSource};
    use crate::secret::Secret;
    use crate::trust;

    /// A DNS server that never answers.
    struct Silent;

    impl Resolve for Silent {
        fn resolve(&self, _: Name) -> Resolving {
            let lookup = std::future::pending::<io::Result<Addrs>>();
            Box::pin(async { Ok(within(Duration::ZERO, lookup).await?) })
        }
    }

    #[tokio::test]
    async fn a_dns_server_that_does_not_answer_is_told_from_an_endpoint_that_does_not() {
        let client = reqwest::Client::builder().tls_backend_preconfigured(trust::none());
        let client = client.dns_resolver(Arc::new(Silent)).build().unwrap();
        let error = client
            .get("http://cloud.invalid")
            .timeout(Duration::from_secs(60))
            .send()
            .await
            .unwrap_err();
        let route = Route {
            endpoint: "http://cloud.invalid",
            proxy: None,
            timeout: Duration::from_secs(60),
        };
        let Error::Dns(text) = trouble(&route, error) else { panic!("it is told as another") };
        assert!(text.contains("no answer from the DNS server within 0s"), "{text}");
        for seconds in [1, 5, 300] {
            let timeout = Duration::from_secs(seconds);
            assert!(lookup_limit(timeout) < connect_limit(timeout), "{timeout:?}");
        }
    }

    fn temporary(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir()
            .join(format!("aliyun-task-exporter-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn problem(account: Account) -> String {
        transport(&account, &Poll::default(), None, &|_| None).unwrap_err().to_string()
    }

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named_with_its_account() {
        let with = |path: &PathBuf| Account {
            name: "prod".into(),
            ca_file: Some(path.clone()),
            ..Account::default()
        };
        let missing = problem(with(&"/nonexistent/ca.pem".into()));
        assert!(
            missing.starts_with("account \"prod\": ca_file /nonexistent/ca.pem: No such file"),
            "{missing}"
        );
        for (text, wanted) in [
            ("", "holds no certificate"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "holds no certificate",
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "not PEM"),
        ] {
            let path = temporary("bad-ca", text);
            let told = problem(with(&path));
            assert!(told.contains(&path.display().to_string()) && told.contains(wanted), "{told}");
            std::fs::remove_file(&path).unwrap();
        }
        let endless = problem(with(&"/dev/zero".into()));
        assert!(
            endless.contains("ca_file /dev/zero: it is a device, not a regular file"),
            "{endless}"
        );
    }

    #[test]
    fn a_proxys_password_is_not_printed_and_its_missing_file_is_named() {
        let with = |password| Account {
            proxy: Some(Proxy {
                url: "http://proxy:3128".into(),
                username: Some("user".into()),
                password: Some(password),
                no_proxy: NoProxy::default(),
            }),
            ..Account::default()
        };
        let account = with(SecretSource::Value(Secret::new("hunter2")));
        let made = transport(&account, &Poll::default(), None, &|_| None).unwrap();
        // "user:hunter2" in Base64.
        let printed = format!("{made:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("dXNlcjpodW50ZXIy"), "{printed}");
        let told = problem(with(SecretSource::File("/nonexistent/password".into())));
        assert!(
            told.contains("proxy.password: reading /nonexistent/password: No such file"),
            "{told}"
        );
    }
}
