//! Why the exporter could not start, or ended.

use std::io;

use crate::config::Problems;
use crate::lease::{self, Lost};
use crate::{aliyun, state};

/// Why the exporter could not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An account's settings cannot be used.
    #[error("{0}")]
    Client(#[from] aliyun::SetupError),
    /// The web configuration file cannot be used.
    #[error("{0}")]
    WebConfig(#[from] Problems),
    /// The state file cannot be used.
    #[error("{0}")]
    State(#[from] state::Error),
    /// The Lease cannot be used.
    #[error("{0}")]
    Lease(#[from] lease::SetupError),
    /// The Lease was lost.
    #[error("{0}")]
    Lost(#[from] Lost),
    /// The exporter's own metrics conflict with each other.
    #[error("making the exporter's own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The thread that polls could not be set up.
    #[error("setting up the thread that polls: {0}")]
    Thread(#[source] io::Error),
    /// The address of a listener cannot be read.
    #[error("looking at a listener: {0}")]
    Listener(#[source] io::Error),
    /// Polling or serving ended by itself.
    #[error(
        "a part of the exporter stopped unexpectedly, which is a bug: restart it and report this: {0}"
    )]
    Ended(String),
}

impl Error {
    /// Whether it has kept the exporter from starting.
    pub fn is_of_start(&self) -> bool {
        !matches!(self, Self::Lost(_) | Self::Ended(_))
    }
}
