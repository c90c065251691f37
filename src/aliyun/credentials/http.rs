//! HTTP for credentials: short requests, small answers, no redirects. Plain HTTP to this machine or
//! a server next to it bypasses the proxy.

use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Uri};
use tracing::debug;

use crate::aliyun::Error;
use crate::aliyun::http::Transport;
use crate::aliyun::request::host;
use crate::aliyun::trouble::{Route, trouble};
use crate::causes::chain;
use crate::config::is_loopback;
use crate::trust;

/// Maximum size of an answer, in bytes.
const LARGEST: usize = 64 << 10;

/// Timeout for connecting without a proxy. Such a server is near: if it does not connect at once,
/// nothing is listening.
const CONNECT: Duration = Duration::from_secs(1);

/// Sends requests for credentials.
#[derive(Clone, Debug)]
pub(super) struct Http {
    /// The account's transport, with its proxies and root certificates.
    account: Transport,
    /// For servers nearby, over plain HTTP.
    plain: reqwest::Client,
    /// Timeout for a request that has none of its own.
    pub(super) timeout: Duration,
}

/// An answer, with any status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) struct Unanswered {
    pub(super) message: String,
    /// Nothing is listening there.
    pub(super) unreachable: bool,
}

impl Http {
    /// # Errors
    /// [`Error::Transport`] if no client can be made.
    pub(super) fn new(account: Transport, timeout: Duration) -> Result<Self, Error> {
        Ok(Self { account, plain: Self::new_plain()?, timeout })
    }

    /// A client for plain HTTP only.
    pub(super) fn new_plain() -> Result<reqwest::Client, Error> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(trust::none())
            .user_agent(concat!("aliyun-task-exporter/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            // Requests are rare; an idle connection would only go stale.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| Error::Transport(chain(&error)))
    }

    /// Sends a request like the account's other ones, and reads the whole answer within the usual
    /// timeout.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Unanswered> {
        self.told(request, self.timeout, false).await
    }

    /// Sends a request to a server on this machine or next to it, and reads the whole answer within
    /// `timeout`.
    pub(super) async fn send_near(
        &self,
        request: Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Answer, Unanswered> {
        self.told(request, timeout, true).await
    }

    /// Sends a request and logs it at level debug, with only the host of its URL: path and query
    /// may contain secrets.
    async fn told(
        &self,
        request: Request<Vec<u8>>,
        timeout: Duration,
        near: bool,
    ) -> Result<Answer, Unanswered> {
        let host = host(request.uri());
        let started = Instant::now();
        let answer = self.exchange(request, timeout, near).await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &answer {
            Ok(Answer { status, body, .. }) => {
                debug!(host, status, ms, bytes = body.len(), "request for credentials")
            }
            Err(Unanswered { message, .. }) => {
                debug!(host, ms, error = message, "request for credentials")
            }
        }
        answer
    }

    fn is_plain(uri: &Uri, near: bool) -> bool {
        uri.scheme_str() == Some("http") && (near || uri.host().is_some_and(is_loopback))
    }

    async fn exchange(
        &self,
        request: Request<Vec<u8>>,
        timeout: Duration,
        near: bool,
    ) -> Result<Answer, Unanswered> {
        let uri = request.uri().clone();
        let (client, proxy) = match Self::is_plain(&uri, near) {
            true => (&self.plain, None),
            false => (&self.account.client, self.account.proxies.through(&uri).map_err(unusable)?),
        };
        let endpoint = format!("{}://{}", uri.scheme_str().unwrap_or("http"), host(&uri));
        let route = Route { endpoint: &endpoint, proxy, timeout };
        let failed = |error: reqwest::Error| unanswered(&route, error);
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        *request.timeout_mut() = Some(timeout);
        let mut response = client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST {
                let message = format!("{}: the answer is larger than {LARGEST} bytes", host(&uri));
                return Err(Unanswered { message, unreachable: false });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

fn unusable(problem: &str) -> Unanswered {
    Unanswered { message: problem.to_owned(), unreachable: false }
}

/// Leaves out the URL, which may contain a secret. A proxy or certificate error brings its own
/// advice, since that for credentials would not help.
fn unanswered(route: &Route, error: reqwest::Error) -> Unanswered {
    let unreachable = error.is_connect();
    let host = route.endpoint.split("://").last().unwrap_or(route.endpoint);
    if unreachable && error.is_timeout() && route.proxy.is_none() {
        return Unanswered {
            message: format!("{host}: {}", chain(&error.without_url())),
            unreachable,
        };
    }
    let message = match trouble(route, error) {
        error @ Error::Timeout(_) => format!("{host}: {error}"),
        error @ (Error::Proxy(_)
        | Error::ProxyLogin(_)
        | Error::Untrusted(_)
        | Error::AuthorityAsServer(_)) => {
            format!("{error}; {}", error.advice())
        }
        error => error.to_string(),
    };
    Unanswered { message, unreachable }
}
