//! A response body that is delivered whole, truncated or in small pieces.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Transfer;

/// A response body on the wire.
pub(crate) struct Delivered {
    chunks: VecDeque<Bytes>,
    /// Size announced in the headers; more than the chunks hold if the body is truncated.
    promised: u64,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    cut: bool,
}

impl Delivered {
    /// A body, delivered as `transfer` says.
    pub(crate) fn new(body: Vec<u8>, transfer: &Transfer) -> Self {
        let promised = body.len() as u64;
        let body = Bytes::from(body);
        let (chunks, pause) = match transfer {
            Transfer::Whole | Transfer::Reset => (VecDeque::from([body]), Duration::ZERO),
            // The pause lets the kept bytes go out before the connection is closed.
            Transfer::Truncated(keep) => {
                (VecDeque::from([body.slice(..(*keep).min(body.len()))]), CUT_PAUSE)
            }
            Transfer::Drip(bytes, pause) => (pieces(body, (*bytes).max(1)), *pause),
        };
        Self {
            chunks,
            promised,
            pause,
            waiting: None,
            cut: matches!(transfer, Transfer::Truncated(_)),
        }
    }
}

/// Pause before a connection is cut: long enough to flush what was written.
const CUT_PAUSE: Duration = Duration::from_millis(20);

fn pieces(mut body: Bytes, size: usize) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    while !body.is_empty() {
        pieces.push_back(body.split_to(size.min(body.len())));
    }
    pieces
}

impl Body for Delivered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(waiting) = &mut self.waiting {
            std::task::ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        match self.chunks.pop_front() {
            Some(chunk) => {
                let pause = self.pause;
                self.waiting = (!pause.is_zero()).then(|| Box::pin(sleep(pause)));
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            None if self.cut => {
                self.cut = false;
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
