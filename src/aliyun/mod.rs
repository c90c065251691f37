//! The cloud client: signs, sends and decodes one attempt of one operation. Knows nothing of exporters.

pub mod credentials;
pub mod endpoint;
mod error;
pub mod op;
pub mod request;
mod sign;

use std::sync::Arc;
use std::time::Duration;

use http::header;
use jiff::{SignedDuration, Timestamp};

pub use error::{Error, Retry};

use crate::config::{Account, Poll};
use credentials::{Credential, Provider};
use op::{Answer, Decoded, Operation};

/// Few answers are larger.
const USUAL_BYTES: u64 = 1 << 20;

/// Asks the cloud on behalf of one account.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    account: Arc<Account>,
    provider: Provider,
    timeout: Duration,
    max_response_bytes: u64,
}

/// What came of one attempt.
#[derive(Debug)]
pub struct Attempted {
    /// The answer, or why there is none.
    pub outcome: Result<Decoded<Answer>, Error>,
    /// How far the cloud's clock is ahead of ours, by the Date of its answer.
    pub clock_skew: Option<SignedDuration>,
}

impl Client {
    /// A client for `account`.
    ///
    /// # Errors
    /// If the TLS settings cannot be used.
    pub fn new(account: &Account, poll: &Poll) -> Result<Self, Error> {
        Ok(Self {
            http: http_client(account, poll).map_err(|error| Error::Transport(chain(&error)))?,
            provider: Provider::new(account.credentials.clone()),
            account: Arc::new(account.clone()),
            timeout: poll.timeout,
            max_response_bytes: poll.max_response_bytes,
        })
    }

    /// One attempt: credential, request, send, decode.
    pub async fn attempt(&self, region: &str, operation: &Operation) -> Attempted {
        let credential = match self.provider.credential().await {
            Ok(credential) => credential,
            Err(error) => return Attempted { outcome: Err(error), clock_skew: None },
        };
        match self.send(region, operation, &credential).await {
            Ok(answer) => Attempted {
                clock_skew: answer.clock_skew(Timestamp::now()),
                outcome: answer.decode(operation).map_err(|error| scrubbed(error, &credential)),
            },
            Err(error) => Attempted { outcome: Err(scrubbed(error, &credential)), clock_skew: None },
        }
    }

    async fn send(&self, region: &str, operation: &Operation, credential: &Credential) -> Result<RawAnswer, Error> {
        let endpoint = endpoint::endpoint(&self.account, operation.product(), region);
        let nonce = format!("{:032x}", rand::random::<u128>());
        let request = request::build(operation, region, &endpoint, credential, &nonce, Timestamp::now())
            .map_err(|error| Error::Transport(format!("{endpoint}: {error}")))?;
        let request = reqwest::Request::try_from(request).map_err(|error| self.transport(&endpoint, error))?;
        let response = self.http.execute(request).await.map_err(|error| self.transport(&endpoint, error))?;
        self.read(response).await.map_err(|error| match error {
            Unread::TooLarge => Error::TooLarge(self.max_response_bytes),
            Unread::Broken(error) => self.transport(&endpoint, error),
        })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<RawAnswer, Unread> {
        if response.content_length().is_some_and(|length| length > self.max_response_bytes) {
            return Err(Unread::TooLarge);
        }
        // Of a length that is only claimed, no more than usual is set aside.
        let claimed = response.content_length().map_or(0, |length| length.min(USUAL_BYTES) as usize);
        let mut body = Vec::with_capacity(claimed);
        while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
            if body.len() as u64 + chunk.len() as u64 > self.max_response_bytes {
                return Err(Unread::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(RawAnswer { status: response.status().as_u16(), headers: std::mem::take(response.headers_mut()), body })
    }

    /// The error of a request that brought no whole answer. The URL holds the signature and stays out.
    fn transport(&self, endpoint: &str, error: reqwest::Error) -> Error {
        let host = endpoint.split("://").last().unwrap_or(endpoint);
        match error.is_timeout() {
            true => Error::Timeout(self.timeout),
            false => Error::Transport(format!("{host}: {}", chain(&error.without_url()))),
        }
    }
}

enum Unread {
    TooLarge,
    Broken(reqwest::Error),
}

/// An answer as it came.
struct RawAnswer {
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl RawAnswer {
    fn decode(&self, operation: &Operation) -> Result<Decoded<Answer>, Error> {
        decode(operation, self.status, &self.headers, &self.body)
    }

    fn clock_skew(&self, now: Timestamp) -> Option<SignedDuration> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
        Some(date.duration_since(now))
    }
}

/// Reads an answer, pure.
///
/// # Errors
/// The cloud's own error, or [`Error::Decode`] if the body is not the documented JSON.
pub fn decode(
    operation: &Operation,
    status: u16,
    headers: &http::HeaderMap,
    body: &[u8],
) -> Result<Decoded<Answer>, Error> {
    if !(200..300).contains(&status) {
        return Err(Error::from_answer(status, headers, body));
    }
    operation.decode(body).map_err(|error| Error::Decode {
        status,
        request_id: error::request_id(headers),
        detail: format!("not the documented JSON at line {} column {}", error.line(), error.column()),
    })
}

fn scrubbed(error: Error, credential: &Credential) -> Error {
    match error {
        Error::Service { status, code, message, request_id, pause } => {
            Error::Service { status, code, message: credential.scrub(&message), request_id, pause }
        }
        Error::Transport(message) => Error::Transport(credential.scrub(&message)),
        other => other,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

fn http_client(account: &Account, poll: &Poll) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls())
        .user_agent(concat!("aliyun-task-exporter/", env!("CARGO_PKG_VERSION")))
        .timeout(poll.timeout)
        .connect_timeout(poll.timeout.min(Duration::from_secs(5)))
        .pool_idle_timeout(Duration::from_secs(60))
        // A redirect would carry the signature elsewhere.
        .redirect(reqwest::redirect::Policy::none());
    match is_local(account) {
        true => builder.no_proxy().build(),
        false => builder.build(),
    }
}

/// Whether every product is asked on this machine, where a proxy has no business.
fn is_local(account: &Account) -> bool {
    let local = |endpoint: &Option<String>| {
        let host = endpoint.as_deref().and_then(|url| url.parse::<http::Uri>().ok()?.host().map(str::to_owned));
        matches!(host.as_deref(), Some("127.0.0.1" | "localhost" | "[::1]"))
    };
    local(&account.endpoints.ehpc) && local(&account.endpoints.swas)
}

/// TLS with built-in roots: an image without system certificates still verifies.
fn tls() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let Ok(builder) = builder else { unreachable!("ring supports the default protocol versions") };
    builder.with_root_certificates(roots).with_no_client_auth()
}
