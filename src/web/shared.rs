//! Responses that are made once for everybody who asks within a second.
//!
//! However many clients ask, and however slowly they read, there is one copy of what they get.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::spawn_blocking;

use super::status::{Facts, Query, facts, status};
use super::visible::visible;
use super::{NEVER_KEPT, Site, page};
use crate::clock::Moment;
use crate::exposition::Encoding;

/// How long a response is given to others too.
const FRESH: Duration = Duration::from_secs(1);
/// Maximum number of different responses that are kept.
const MAX_KEPT: usize = 16;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// The status page.
    Page,
    /// `/api/v1/status`.
    Status(Query),
}

/// What was made in the last second. Held by the request that makes more.
#[derive(Debug, Default)]
pub(super) struct Shared {
    facts: Option<(Instant, Arc<Facts>)>,
    bodies: HashMap<(View, Encoding), (Instant, Bytes)>,
}

/// The response to a request for `view`.
pub(super) async fn respond(site: Arc<Site>, view: View, headers: &HeaderMap) -> Response {
    let encoding = Encoding::wanted(headers);
    let content_type = match view {
        View::Page => "text/html; charset=utf-8",
        View::Status(_) => "application/json",
    };
    let Some(body) = body(site, view, encoding).await else {
        let failed = "the status could not be rendered; see the log\n";
        return (StatusCode::INTERNAL_SERVER_ERROR, failed).into_response();
    };
    let types = [(header::CONTENT_TYPE, content_type), (header::VARY, "Accept-Encoding")];
    let mut response = (NEVER_KEPT, types, body).into_response();
    if encoding == Encoding::Gzip {
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

/// The body, made unless it is there. One is made at a time, on a thread where that holds nothing
/// up, and whoever waited for it finds it made.
async fn body(site: Arc<Site>, view: View, encoding: Encoding) -> Option<Bytes> {
    let mut shared = Arc::clone(&site.shared).lock_owned().await;
    let is_fresh = |made: &Instant| made.elapsed() < FRESH;
    let key = (view, encoding);
    if let Some((_, body)) = shared.bodies.get(&key).filter(|(made, _)| is_fresh(made)) {
        return Some(body.clone());
    }
    let make = move || {
        let now = Moment::now();
        let known = shared.facts.take().filter(|(made, _)| is_fresh(made));
        let (made, facts) = known.unwrap_or_else(|| (Instant::now(), Arc::new(facts(&site, now))));
        let body = Bytes::from(render(&key.0, &facts, now, encoding));
        shared.facts = Some((made, facts));
        shared.bodies.retain(|_, (made, _)| is_fresh(made));
        if shared.bodies.len() < MAX_KEPT {
            shared.bodies.insert(key, (made, body.clone()));
        }
        body
    };
    spawn_blocking(make).await.ok()
}

fn render(view: &View, facts: &Facts, now: Moment, encoding: Encoding) -> Vec<u8> {
    let text = match view {
        View::Page => page::page(facts, now.wall),
        View::Status(query) => status(facts, query),
    };
    let text = visible(&text).into_owned().into_bytes();
    match encoding {
        Encoding::Identity => text,
        Encoding::Gzip => gzip(&text),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    let written = encoder.write_all(text).and_then(|()| encoder.finish());
    let Ok(bytes) = written else { unreachable!("memory takes any number of bytes") };
    bytes
}
