//! An answer, and how it is delivered.

use std::time::Duration;

use http::Response;

/// What the cloud answers, and how the network delivers it.
#[derive(Debug)]
pub struct Reply {
    /// The complete answer.
    pub response: Response<Vec<u8>>,
    /// How it reaches the caller.
    pub delivery: Delivery,
}

/// How an answer reaches the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The time until the first byte.
    pub delay: Duration,
    /// What happens to the bytes.
    pub transfer: Transfer,
}

/// What happens to the bytes of an answer in transit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// They arrive.
    #[default]
    Whole,
    /// The connection is closed before any of them.
    Reset,
    /// The headers announce the whole body, but the connection is closed after this many bytes of
    /// it.
    Truncated(usize),
    /// The body comes in pieces of this many bytes, with a pause before each.
    Drip(usize, Duration),
}

impl Reply {
    /// A reply that is delivered whole and without delay.
    pub(crate) fn whole(response: Response<Vec<u8>>) -> Self {
        Self { response, delivery: Delivery::default() }
    }
}
