//! Copies the state of the process that polls.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use zeroize::Zeroizing;

use super::exchange::{DIGEST, STATE_PATH, digest};
use super::http::Http;
use super::secret::SharedSecret;
use crate::config::Lease;
use crate::trust;

/// Timeout for a whole state.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum size of a state, in bytes.
const LARGEST: usize = 1 << 30;

/// Asks for the state of the process that polls.
#[derive(Debug)]
pub struct Copier {
    http: Http,
    secret: SharedSecret,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The state, or what has changed in it, and the tag of the state.
    New(Bytes, String),
    /// Nothing: the known state is the current one.
    Same,
}

impl Copier {
    pub(super) fn new(settings: &Lease) -> Result<Self, String> {
        let tls = trust::public_and(settings.ca_file.as_deref())
            .map_err(|problem| format!("ca_file {problem}"))?;
        let secret = SharedSecret::new(settings.secret.clone());
        Ok(Self { http: Http::new(tls)?, secret })
    }

    /// The state of the process at `url`, or what has changed in it since the state whose tag is
    /// `known`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fetch(&self, url: &str, known: Option<&str>) -> Result<Fetched, String> {
        let secret = self.secret.read().await?;
        let bearer = Zeroizing::new(format!("Bearer {}", secret.expose()));
        let since = known.map(|tag| format!("?since={tag}")).unwrap_or_default();
        let failed = |error: String| format!("asking {url}: {error}");
        let request = Request::get(format!("{url}{STATE_PATH}{since}"))
            .header(header::AUTHORIZATION, bearer.as_str())
            .body(Vec::new())
            .map_err(|error| failed(error.to_string()))?;
        let answer = self.http.send(request, TIMEOUT, LARGEST).await.map_err(failed)?;
        match answer.status {
            204 => return Ok(Fetched::Same),
            200 => {}
            _ => return Err(failed(answer.told())),
        }
        let told = answer.headers.get(DIGEST).map(HeaderValue::as_bytes);
        if told != Some(digest(&answer.body).as_bytes()) {
            return Err(failed("the state is damaged or incomplete".into()));
        }
        let tag = answer.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        match tag.map(|tag| tag.trim_matches('"')).filter(|tag| is_tag(tag)) {
            Some(tag) => Ok(Fetched::New(answer.body.into(), tag.to_owned())),
            None => Err(failed("the state has no tag".into())),
        }
    }
}

/// Whether a tag can stand in a URL as it is.
fn is_tag(tag: &str) -> bool {
    tag.len() <= 64 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
