//! HTTP for what is near: no proxy, no redirects, answers of limited size.

use std::time::Duration;

use http::{HeaderMap, Request};
use rustls::ClientConfig;

use crate::causes::chain;

/// Timeout for connecting. Such a server is near: if it does not connect soon, nothing is
/// listening.
const CONNECT: Duration = Duration::from_secs(2);

/// Sends requests.
#[derive(Clone, Debug)]
pub(super) struct Http(reqwest::Client);

/// An answer, with any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Http {
    pub(super) fn new(tls: ClientConfig) -> Result<Self, String> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("aliyun-task-exporter/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the secret elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .build()
            .map(Self)
            .map_err(|error| chain(&error))
    }

    /// The whole answer to a request, of at most `largest` bytes.
    pub(super) async fn send(
        &self,
        request: Request<Vec<u8>>,
        timeout: Duration,
        largest: usize,
    ) -> Result<Answer, String> {
        let failed = |error: reqwest::Error| chain(&error);
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        *request.timeout_mut() = Some(timeout);
        let mut response = self.0.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > largest {
                return Err(format!("the answer is larger than {largest} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok(Answer { status, headers: std::mem::take(response.headers_mut()), body })
    }
}

impl Answer {
    /// Its status and the first line of its text.
    pub(super) fn told(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
        format!("{}: {line}", self.status)
    }
}
