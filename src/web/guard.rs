//! Who is let in: TLS, client certificates, passwords and a rate limit, as the file of
//! `--web.config.file` says.

mod rate;
mod tls;
mod users;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rustls::ServerConfig;

use self::rate::Bucket;
use self::users::{Login, Users};
use crate::config::{Pem, Problem, Problems, Tls, Web, WebConfig, parse_web_config};
use crate::files::{self, WatchedFile};

/// What the web configuration file says, ready for use.
#[derive(Debug)]
pub struct Guard {
    /// How connections are encrypted, if they are.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Whether requests need a client certificate although the handshake succeeds without one.
    requires_certificate: bool,
    web: Web,
    users: Arc<Users>,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
    bucket: Option<Bucket>,
    /// The files that it was read from, as they were before they were read.
    files: Vec<WatchedFile>,
}

/// Why a web configuration cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// Everything that is wrong with it.
    pub problems: Problems,
    /// The file and, as far as it can be read, those that it names, as they were before they were
    /// read: the fault may be in any of them.
    pub(crate) files: Vec<WatchedFile>,
}

impl From<Unusable> for Problems {
    fn from(unusable: Unusable) -> Self {
        unusable.problems
    }
}

/// What is known of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor {
    /// Its address.
    pub(super) peer: IpAddr,
    /// Whether it has shown a client certificate, which then fits the policy.
    pub(super) has_certificate: bool,
}

/// Kinds of requests for which different clients are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Health checks: open to everyone if the configuration says so.
    Health,
    /// The state, which requires its own secret.
    State,
    /// Anything else.
    Other,
}

/// How a request is refused: with this status, and a line that says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) line: &'static str,
}

impl Guard {
    /// Lets everyone in, by plain HTTP.
    pub fn open(web: Web) -> Self {
        let Ok(open) = Self::new(WebConfig::open(), web) else {
            unreachable!("without TLS no file can fail to be read")
        };
        open
    }

    /// Reads the web configuration file and the files that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it, or that it or a file that it names cannot be used.
    pub fn read(path: &Path, web: Web) -> Result<Self, Unusable> {
        let mut files = vec![WatchedFile::new(path.to_owned())];
        let read = parse(path).and_then(|config| {
            let named = config.tls.as_ref().map_or_else(Vec::new, named);
            files.extend(named.into_iter().map(WatchedFile::new));
            Self::new(config, web).map_err(|message| problem(path, message))
        });
        match read {
            Ok(guard) => Ok(Self { files, ..guard }),
            Err(problems) => Err(Unusable { problems, files }),
        }
    }

    fn new(config: WebConfig, web: Web) -> Result<Self, String> {
        let WebConfig { tls, http2, headers, users, rate_limit } = config;
        let requires_certificate = tls.as_ref().is_some_and(tls::requires_certificate);
        let server = tls.map(|tls| tls::server_config(&tls, http2, web.open_health)).transpose()?;
        Ok(Self {
            tls: server.map(Arc::new),
            requires_certificate,
            web,
            users: Arc::new(Users::new(users)),
            headers,
            bucket: rate_limit.map(|limit| Bucket::new(limit, Instant::now())),
            files: Vec::new(),
        })
    }

    /// The files that it was read from, as they were before that; none without a web configuration
    /// file.
    pub(crate) fn files(&self) -> &[WatchedFile] {
        &self.files
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether a user name and a password are required.
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether more than metrics and health is served.
    pub(super) fn has_pages(&self) -> bool {
        self.web.pages
    }

    /// Whether every client must show a certificate or a password: then any host name is accepted.
    pub(super) fn knows_visitors(&self) -> bool {
        self.requires_certificate || !self.users.is_empty()
    }

    /// Why a request is refused, if it is.
    pub(super) async fn refusal(
        &self,
        visitor: Visitor,
        headers: &HeaderMap,
        door: Door,
    ) -> Option<Refusal> {
        if door == Door::Health && (self.web.open_health || !self.guards()) {
            return None;
        }
        if self.bucket.as_ref().is_some_and(|bucket| !bucket.take(Instant::now())) {
            let line = "too many requests: see rate_limit in the web configuration\n";
            return Some(Refusal { status: StatusCode::TOO_MANY_REQUESTS, line });
        }
        if door == Door::State {
            return None;
        }
        if self.requires_certificate && !visitor.has_certificate {
            let line = "a client certificate is required\n";
            return Some(Refusal { status: StatusCode::FORBIDDEN, line });
        }
        if self.users.is_empty() {
            return None;
        }
        let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        match self.users.login(authorization.unwrap_or_default(), visitor.peer).await {
            Login::Right => None,
            Login::Wrong => {
                let line = "a user name and its password are required\n";
                Some(Refusal { status: StatusCode::UNAUTHORIZED, line })
            }
            Login::Busy => {
                let line = "too many logins wait to be checked\n";
                Some(Refusal { status: StatusCode::TOO_MANY_REQUESTS, line })
            }
        }
    }

    /// Whether it guards anything.
    fn guards(&self) -> bool {
        self.tls.is_some() || self.knows_visitors() || self.bucket.is_some()
    }

    /// Puts the headers of the web configuration into a response, in place of this program's own.
    pub(super) fn put_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}

fn parse(path: &Path) -> Result<WebConfig, Problems> {
    let text = files::text(path, files::MAX_SMALL).map_err(|error| {
        problem(path, format!("the web configuration file cannot be read: {error}"))
    })?;
    parse_web_config(&path.display().to_string(), &text)
}

fn problem(path: &Path, message: String) -> Problems {
    Problems(vec![Problem::of_file(&path.display().to_string(), message)])
}

/// The files that a `tls_server_config` names.
fn named(tls: &Tls) -> Vec<PathBuf> {
    let pems = [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()];
    let file = |pem: &Pem| match pem {
        Pem::File(path) => Some(path.clone()),
        Pem::Inline(..) => None,
    };
    pems.into_iter().flatten().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Guard;
    use crate::config::Web;
    use crate::files::WatchedFile;

    #[test]
    fn its_files_are_known_as_they_were_before_whether_they_can_be_used_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let [web, certificate, key] =
            ["web.yml", "a.crt", "a.key"].map(|name| folder.path().join(name));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&web, "tls_server_config: {cert_file: a.crt, key_file: a.key}").unwrap();
        fs::write(&certificate, made.cert.pem()).unwrap();
        let read = || Guard::read(&web, Web::default());
        let all = [&web, &certificate, &key];
        let before = all.map(|file| WatchedFile::new(file.clone()));
        let unusable = read().unwrap_err();
        assert!(unusable.problems.to_string().contains("a.key"), "{}", unusable.problems);
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        assert_eq!(unusable.files, before);
        let changed =
            |files: &[WatchedFile]| files.iter().map(WatchedFile::has_changed).collect::<Vec<_>>();
        assert_eq!(changed(&unusable.files), [false, false, true], "it was missing");
        let guard = read().unwrap();
        assert_eq!(changed(guard.files()), [false; 3]);
        fs::write(&certificate, "another").unwrap();
        assert_eq!(changed(guard.files()), [false, true, false]);
        fs::write(&web, "{").unwrap();
        let unusable = read().unwrap_err();
        assert_eq!(unusable.files, [WatchedFile::new(web.clone())], "it names none");
    }
}
