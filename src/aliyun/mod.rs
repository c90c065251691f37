//! The cloud client: signs, sends and decodes one attempt of one operation. Knows nothing of
//! exporters.

mod advice;
mod codes;
mod content;
pub mod credentials;
pub mod endpoint;
mod error;
mod error_body;
mod hints;
mod http;
mod json;
mod judge;
pub mod op;
mod proxy;
pub mod request;
mod sign;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::HeaderMap;
use ::http::header::InvalidHeaderValue;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

pub use advice::THROTTLED_ADVICE;
pub use codes::Retry;
pub use content::Content;
pub use error::{Came, Error};
pub use http::SetupError;

use crate::action::Product;
use crate::config::{Account, Poll};
use crate::model::{Login, Reason};
use crate::term::Term;
use credentials::{Credential, Provider};
use http::Transport;
use judge::Heard;
use op::{Answer, Decoded, Operation};
use request::Signer;
use trouble::{Route, trouble};

/// Usual maximum size of an answer, in bytes.
const USUAL_BYTES: u64 = 1 << 20;

/// Calls the cloud for one account.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    account: Arc<Account>,
    provider: Provider,
    timeout: Duration,
    max_response_bytes: u64,
    keeps_error_texts: bool,
}

/// Outcome of one attempt.
#[derive(Debug)]
pub struct Attempted {
    /// The decoded answer, or why there is none.
    pub outcome: Result<Decoded<Answer>, Error>,
    /// How far the cloud's clock is ahead of ours, by the Date of its answer.
    pub clock_skew: Option<SignedDuration>,
    /// How long the request took, without getting the credential; `None` if none was sent.
    pub took: Option<Duration>,
    /// The answer received, whether readable or not.
    pub answer: Option<Receipt>,
}

/// Identifies an answer in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// HTTP status.
    pub status: u16,
    /// Length of the body.
    pub bytes: usize,
    /// Request id, by which the vendor's support finds it. Read only at log level debug.
    pub request_id: Option<String>,
}

impl Client {
    /// A client for `account`. With `patience`, what the cloud has not acknowledged within it is
    /// not sent later (on Linux).
    ///
    /// # Errors
    /// If a file that the account names, or the proxy through which it would log in, cannot be
    /// used.
    pub fn new(
        account: &Account,
        poll: &Poll,
        patience: Option<Duration>,
    ) -> Result<Self, SetupError> {
        let failed = |problem: String| SetupError { account: account.name.clone(), problem };
        let transport = http::transport(account, poll, patience, &http::environment)?;
        let provider = Provider::new(account, transport.clone(), poll.timeout);
        let client = Self {
            provider: provider.map_err(|error| failed(error.to_string()))?,
            transport,
            account: Arc::new(account.clone()),
            timeout: poll.timeout,
            max_response_bytes: poll.max_response_bytes,
            keeps_error_texts: false,
        };
        client.provider.sts().map_or(Ok(()), |url| client.check_route_to(&url))?;
        Ok(client)
    }

    /// The same client; if `keeps` is set, it keeps the cloud's texts about failures even if they
    /// are not documented.
    pub fn keeping_error_texts(self, keeps: bool) -> Self {
        Self { keeps_error_texts: keeps, ..self }
    }

    /// Checks that the environment's proxy for `product` in `region`, if any, can be used.
    ///
    /// # Errors
    /// If the environment names an unusable proxy for it.
    pub fn check_route(&self, product: Product, region: &str) -> Result<(), SetupError> {
        self.check_route_to(&endpoint::endpoint(&self.account, product, region))
    }

    fn check_route_to(&self, url: &str) -> Result<(), SetupError> {
        let Ok(uri) = url.parse() else { return Ok(()) };
        let failed = |problem: &str| SetupError {
            account: self.account.name.clone(),
            problem: problem.to_owned(),
        };
        self.transport.proxies.through(&uri).map(drop).map_err(failed)
    }

    /// The proxy used for `product` in `region`, if there is one: its address, and which setting
    /// names it.
    pub fn proxy(&self, product: Product, region: &str) -> Option<String> {
        let uri = endpoint::endpoint(&self.account, product, region).parse().ok()?;
        self.transport.proxies.through(&uri).ok()?.map(ToString::to_string)
    }

    /// A warning about entries of `NO_PROXY` that have no effect, if any.
    pub fn warning(&self) -> Option<&str> {
        self.transport.proxies.warning()
    }

    /// One attempt: credential, request, send, decode. Nothing is sent if `term` is over by then.
    pub async fn attempt(&self, region: &str, operation: &Operation, term: &Term) -> Attempted {
        let not_made =
            |error| Attempted { outcome: Err(error), clock_skew: None, took: None, answer: None };
        let credential = match self.provider.credential(Timestamp::now()).await {
            Ok(credential) => credential,
            Err(error) => return not_made(error),
        };
        // The credential may have taken its time, or the process may have been stopped meanwhile.
        if term.is_over() {
            return not_made(Error::Transport("not sent: another process may poll now".into()));
        }
        let started = Instant::now();
        let sent = self.send(region, operation, &credential).await;
        let receipt = sent.as_ref().ok().map(|answer| answer.receipt(&credential));
        let (outcome, clock_skew) = match sent {
            Ok(answer) => decode(operation, &answer),
            Err(error) => (Err(error), None),
        };
        let took = Some(started.elapsed());
        let outcome = match outcome {
            Ok(decoded) => Ok(self.heard(decoded, &credential).await),
            Err(error) => {
                Err(self.judged(error.cleaned(|text| credential.scrub(text)), &credential).await)
            }
        };
        Attempted { outcome, clock_skew, took, answer: receipt }
    }

    /// Starts to renew the account's credential if that is due, without waiting. Returns how the
    /// account is logged in.
    pub fn keep_credentials(&self) -> Login {
        self.provider.keep(Timestamp::now())
    }

    /// An answer, cleaned of secrets.
    async fn heard(
        &self,
        decoded: Decoded<Answer>,
        credential: &Arc<Credential>,
    ) -> Decoded<Answer> {
        let mut decoded = decoded.cleaned(|text| credential.scrub(text), self.keeps_error_texts);
        match decoded.error.take() {
            Some(error) => decoded.error = Some(self.judged(error, credential).await),
            None => self.provider.accepted(credential),
        }
        decoded
    }

    /// A refused credential may have been replaced since.
    async fn judged(&self, error: Error, credential: &Arc<Credential>) -> Error {
        let is_refused = error.reason() == Reason::Credentials;
        if is_refused && self.provider.rejected(credential, Timestamp::now()).await {
            return Error::Replaced(Box::new(error));
        }
        error
    }

    async fn send(
        &self,
        region: &str,
        operation: &Operation,
        credential: &Credential,
    ) -> Result<RawAnswer, Error> {
        let endpoint = endpoint::endpoint(&self.account, operation.product(), region);
        let nonce = format!("{:032x}", rand::random::<u128>());
        let sent = Timestamp::now();
        let signer =
            Signer { signature: self.account.signature, credential, nonce: &nonce, now: sent };
        let request = request::build(operation, region, &endpoint, signer)
            .map_err(|error| unbuilt(&endpoint, &error))?;
        let proxy = self.transport.proxies.through(request.uri());
        let proxy = proxy.map_err(|problem| Error::Proxy(problem.to_owned()))?;
        let route = Route { endpoint: &endpoint, proxy, timeout: self.timeout };
        let request =
            reqwest::Request::try_from(request).map_err(|error| trouble(&route, error))?;
        let mut response =
            self.transport.client.execute(request).await.map_err(|error| trouble(&route, error))?;
        let received = Timestamp::now();
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let body = self.read(response).await.map_err(|error| match error {
            Unread::TooLarge => Error::TooLarge(self.max_response_bytes),
            Unread::Broken(error) => trouble(&route, error),
        })?;
        Ok(RawAnswer { status, headers, body, sent, received, is_proxied: proxy.is_some() })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, Unread> {
        let length = response.content_length();
        if length.is_some_and(|length| length > self.max_response_bytes) {
            return Err(Unread::TooLarge);
        }
        // Reserves at most the usual size, since the claimed length may be wrong.
        let claimed = length.unwrap_or_default().min(USUAL_BYTES) as usize;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
            // Most bodies arrive as one chunk, which is not copied.
            if length == Some(chunk.len() as u64) {
                return Ok(chunk);
            }
            if body.len() as u64 + chunk.len() as u64 > self.max_response_bytes {
                return Err(Unread::TooLarge);
            }
            body.reserve(claimed.saturating_sub(body.len()).max(chunk.len()));
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

enum Unread {
    TooLarge,
    Broken(reqwest::Error),
}

/// An answer as it arrived.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
    /// When the request was signed, by this machine's clock.
    pub sent: Timestamp,
    /// When its head arrived.
    pub received: Timestamp,
    /// Whether it came through a proxy that the user has configured.
    pub is_proxied: bool,
}

impl RawAnswer {
    fn receipt(&self, credential: &Credential) -> Receipt {
        // Finding and cleaning it costs as much as decoding a short answer.
        let request_id = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| judge::request_id(&self.headers, &self.body))
            .flatten()
            .map(|id| credential.scrub(&id));
        Receipt { status: self.status, bytes: self.body.len(), request_id }
    }

    /// How far the cloud's clock is ahead of ours, as far as its Date proves: that was written
    /// between sending and receiving, and is truncated to the second.
    fn clock_skew(&self) -> Option<SignedDuration> {
        let date = hints::date(&self.headers)?;
        let least = date.duration_since(self.received);
        let most = date.duration_since(self.sent) + SignedDuration::from_secs(1);
        Some(SignedDuration::ZERO.clamp(least.min(most), most.max(least)))
    }
}

/// Decodes an answer, pure. Returns the data or the error, and how far the cloud's clock is ahead
/// of ours.
pub fn decode(
    operation: &Operation,
    answer: &RawAnswer,
) -> (Result<Decoded<Answer>, Error>, Option<SignedDuration>) {
    let clock_skew = answer.clock_skew();
    let RawAnswer { status, headers, body, received, is_proxied, .. } = answer;
    let heard = Heard {
        status: *status,
        headers,
        body,
        received: Some(*received),
        is_proxied: *is_proxied,
    };
    (
        judge::judged(operation, &heard).map_err(|error| error.with_clock_skew(clock_skew)),
        clock_skew,
    )
}

/// The error, if any: why there is no answer, or what was reported with it.
pub fn error_of(outcome: &Result<Decoded<Answer>, Error>) -> Option<&Error> {
    outcome.as_ref().map_or_else(Some, |decoded| decoded.error.as_ref())
}

/// Why no request could be built. With signature V3 the key is in headers.
fn unbuilt(endpoint: &str, error: &::http::Error) -> Error {
    match error.is::<InvalidHeaderValue>() {
        true => Error::Credentials(
            "the access key or its token holds characters that no key has, such as a line end"
                .into(),
        ),
        false => Error::Transport(format!("{endpoint}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::RawAnswer;

    fn skew(date: &str, sent: &str, received: &str) -> f64 {
        let time = |time: &str| format!("2024-05-06T{time}Z").parse::<Timestamp>().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("date", format!("Mon, 06 May 2024 {date} GMT").parse().unwrap());
        let answer = RawAnswer {
            status: 200,
            headers,
            body: Bytes::new(),
            sent: time(sent),
            received: time(received),
            is_proxied: false,
        };
        answer.clock_skew().unwrap().as_secs_f64()
    }

    #[test]
    fn the_clock_skew_is_what_the_date_proves_and_positive_when_the_cloud_is_ahead() {
        assert_eq!(skew("07:00:00", "07:00:00.2", "07:00:00.4"), 0.0);
        assert_eq!(skew("07:00:00", "06:59:59.9", "07:00:08"), 0.0, "a slow answer proves nothing");
        assert_eq!(skew("08:00:00", "07:00:00", "07:00:00.5"), 3599.5);
        assert_eq!(skew("06:00:00", "07:00:00", "07:00:00.5"), -3599.0);
    }

    #[test]
    fn without_a_date_nothing_is_said() {
        let now = Timestamp::UNIX_EPOCH;
        let mut answer = RawAnswer {
            status: 200,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            sent: now,
            received: now,
            is_proxied: false,
        };
        assert_eq!(answer.clock_skew(), None);
        answer.headers.insert("date", "today".parse().unwrap());
        assert_eq!(answer.clock_skew(), None);
    }
}
