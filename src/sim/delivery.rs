//! A body that travels as its delivery says: whole, cut off, or drop by drop.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Transfer;

/// An answer's body on the wire.
pub(crate) struct Delivered {
    chunks: VecDeque<Bytes>,
    /// What the headers promise; more than the chunks hold, if the body is cut off.
    promised: u64,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    cut: bool,
}

impl Delivered {
    /// A body and how it travels.
    pub(crate) fn new(body: Vec<u8>, transfer: &Transfer) -> Self {
        let promised = body.len() as u64;
        let body = Bytes::from(body);
        let (chunks, pause) = match transfer {
            Transfer::Whole | Transfer::Reset => (VecDeque::from([body]), Duration::ZERO),
            // The pause lets the bytes that are kept go out before the connection is dropped.
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

/// Long enough for what was written to be flushed.
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
