//! Effects of faults on one call.

use std::time::Duration;

use super::{Late, Paging};
use crate::sim::coat::Coat;
use crate::sim::distort::Distortion;
use crate::sim::failure::Failure;
use crate::sim::gateway::Gateway;
use crate::sim::quota::Strain;

/// All effects on one call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) delay: Duration,
    /// The service is down and does not check the request.
    pub(crate) outage: bool,
    pub(crate) instead: Option<Instead>,
    pub(crate) strain: Strain,
    pub(crate) only_first_page: bool,
    pub(crate) paging: Option<Paging>,
    pub(crate) late: Option<Late>,
    pub(crate) distortions: Vec<Distortion>,
    pub(crate) coat: Option<Coat>,
    pub(crate) harm: Option<Harm>,
}

/// What replaces the answer.
#[derive(Clone, Debug)]
pub(crate) enum Instead {
    Failure(Failure),
    Html(u16),
    Gateway(Gateway),
}

/// What goes wrong while the answer is delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    Reset,
    Truncated(Option<usize>),
    Drip(usize, Duration),
}

impl Effects {
    /// Sets the harm unless there is one: the first one wins.
    pub(super) fn set_harm(&mut self, harm: Harm) {
        self.harm.get_or_insert(harm);
    }
}
