//! How busy the cloud is assumed to be.

use std::time::Duration;

use crate::config::Poll;
use crate::poll::Cadence;
use crate::target::{Scope, Target};

/// How much is going on in the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing is open anywhere, and has not been for `poll.idle_after`.
    Idle,
    /// Nothing is open, but something was recently.
    Base,
    /// Every target has open work.
    Busy,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 3] = [Self::Idle, Self::Base, Self::Busy];

    /// Time between two polls of a target. Discovery has its own interval in every scenario.
    pub(super) fn period(self, target: &Target, poll: &Poll) -> Duration {
        match &target.scope {
            Scope::Discovery(search) => search.interval,
            _ => self.cadence().period(poll),
        }
    }

    fn cadence(self) -> Cadence {
        match self {
            Self::Idle => Cadence::Idle,
            Self::Base => Cadence::Base,
            Self::Busy => Cadence::Active,
        }
    }
}
