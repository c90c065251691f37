//! Responses that are made once for all clients that ask within a second.
//!
//! However many clients ask, and however slowly they read, there is one copy of a response, and
//! room for a few different ones.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::headers::NEVER_KEPT;
use super::page::{self, Asked};
use super::site::Site;
use super::status::{Facts, Query, facts, status};
use super::visible::visible;
use crate::clock::Moment;
use crate::exposition::Encoding;

/// How long a response is also sent to other clients.
const FRESH: Duration = Duration::from_secs(1);
/// Maximum number of different responses that are kept.
const MAX_KEPT: usize = 16;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// A page.
    Page(Asked),
    /// `/api/v1/status`.
    Status(Query),
}

/// Makes responses, and keeps those of the last second.
#[derive(Clone, Debug)]
pub(super) struct Responses {
    site: Arc<Site>,
    /// Held by the request that makes a response.
    made: Arc<Mutex<Made>>,
}

/// A body, and its status.
#[derive(Clone, Debug)]
struct Body {
    status: StatusCode,
    bytes: Bytes,
}

/// What was made in the last second.
#[derive(Debug, Default)]
struct Made {
    facts: Option<(Instant, Arc<Facts>)>,
    bodies: HashMap<(View, Encoding), (Instant, Body)>,
}

impl Responses {
    /// No response is made yet.
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self { site, made: Arc::default() }
    }

    /// The response to a request for `view`.
    pub(super) async fn respond(&self, view: View, headers: &HeaderMap) -> Response {
        let encoding = Encoding::wanted(headers);
        let (content_type, vary) = match view {
            View::Page(_) => ("text/html; charset=utf-8", "Accept-Language, Accept-Encoding"),
            View::Status(_) => ("application/json", "Accept-Encoding"),
        };
        let Some(body) = self.body(view, encoding).await else {
            let failed = "the status could not be rendered; see the log\n";
            return (StatusCode::INTERNAL_SERVER_ERROR, failed).into_response();
        };
        let types = [(header::CONTENT_TYPE, content_type), (header::VARY, vary)];
        let mut response = (body.status, NEVER_KEPT, types, body.bytes).into_response();
        if encoding == Encoding::Gzip {
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
        }
        response
    }

    /// The body, made unless there is a fresh one. One is made at a time, on a thread where that
    /// delays nothing else; requests that waited for it share it.
    async fn body(&self, view: View, encoding: Encoding) -> Option<Body> {
        let mut made = Arc::clone(&self.made).lock_owned().await;
        let is_fresh = |at: &Instant| at.elapsed() < FRESH;
        let key = (view, encoding);
        if let Some((_, body)) = made.bodies.get(&key).filter(|(at, _)| is_fresh(at)) {
            return Some(body.clone());
        }
        made.bodies.retain(|_, (at, _)| is_fresh(at));
        let site = Arc::clone(&self.site);
        let make = move || {
            let now = Moment::now();
            let known = made.facts.take().filter(|(at, _)| is_fresh(at));
            let (at, facts) =
                known.unwrap_or_else(|| (Instant::now(), Arc::new(facts(&site, now))));
            let (status, bytes) = render(&key.0, &facts, now, encoding);
            made.facts = Some((at, facts));
            (made, key, at, status, bytes)
        };
        let (mut made, key, at, status, bytes) = spawn_blocking(make).await.ok()?;
        let room = &self.site.room;
        if !room.has(bytes.len()) {
            // The kept bodies take room, too.
            made.bodies.clear();
        }
        let body = Body { status, bytes: room.hold(bytes).await? };
        if made.bodies.len() < MAX_KEPT {
            made.bodies.insert(key, (at, body.clone()));
        }
        Some(body)
    }
}

fn render(view: &View, facts: &Facts, now: Moment, encoding: Encoding) -> (StatusCode, Vec<u8>) {
    let (status, text) = match view {
        View::Page(asked) => {
            let page = page::page(facts, asked, now.wall);
            let status = if page.is_found { StatusCode::OK } else { StatusCode::NOT_FOUND };
            (status, page.html)
        }
        View::Status(query) => (StatusCode::OK, self::status(facts, query)),
    };
    let text = visible(&text).into_owned().into_bytes();
    let bytes = match encoding {
        Encoding::Identity => text,
        Encoding::Gzip => gzip(&text),
    };
    (status, bytes)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    let written = encoder.write_all(text).and_then(|()| encoder.finish());
    let Ok(bytes) = written else { unreachable!("memory takes any number of bytes") };
    bytes
}
