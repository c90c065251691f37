//! `/metrics`: assembled once, sent to many.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::site::Site;
use crate::exposition::{Encoding, Format, PageBody};

/// Sends what is ready; never calls the cloud, never waits for it.
pub(super) async fn metrics(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let arrived = Instant::now();
    let format = Format::wanted(&headers);
    let encoding = Encoding::wanted(&headers);
    let Site { exposition, metrics, scrapes, .. } = &*site;
    let assembled = scrapes.assembled(exposition, metrics, format, encoding, arrived).await;
    let Ok((page, end)) = assembled else {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page could not be rendered; see the log\n",
        )
            .into_response();
    };
    site.room.sends(&page);
    let body = Body::new(Scrape::new(page, end));
    let common =
        [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "Accept, Accept-Encoding")];
    match encoding {
        Encoding::Identity => (common, body).into_response(),
        Encoding::Gzip => (common, [(header::CONTENT_ENCODING, "gzip")], body).into_response(),
    }
}

/// A body being sent: the page's frames, which all scrapes share, and its own end.
#[derive(Debug)]
struct Scrape {
    page: Arc<PageBody>,
    /// The page's next frame.
    next: usize,
    end: Option<Bytes>,
    /// Bytes still to be sent.
    left: u64,
}

impl Scrape {
    fn new(page: Arc<PageBody>, end: Bytes) -> Self {
        let left = page.bytes() + end.len() as u64;
        Self { page, next: 0, end: Some(end), left }
    }
}

impl http_body::Body for Scrape {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.page.frames().get(self.next).cloned().or_else(|| self.end.take());
        self.next += 1;
        self.left -= frame.as_ref().map_or(0, |frame| frame.len() as u64);
        Poll::Ready(frame.map(|frame| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    /// The size is known in advance, so the response has a Content-Length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
