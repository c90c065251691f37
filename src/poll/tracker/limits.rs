//! How much trackers read.

use std::time::Duration;

/// The parts of `poll` that trackers need.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) history_interval: Duration,
    pub(super) max_pages: u32,
}
