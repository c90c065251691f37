//! All numbers of an estimate.

use std::time::Duration;

use super::{Assumptions, Budget, FirstPass, LongLists, Scenario, Series};

/// The cost of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Number of polled targets, without discovery.
    pub targets: usize,
    /// Number of places where discovery looks for more.
    pub searches: usize,
    /// What discovery will find is unknown, so it is not counted.
    pub unknown: bool,
    /// Discovery was incomplete: what is missing would cost more.
    pub incomplete: bool,
    /// Assumptions about the cloud.
    pub assumptions: Assumptions,
    /// Every budget with the calls it must cover.
    pub budgets: Vec<Budget>,
    /// The first reading of all targets, after a start without a state file.
    pub first_pass: FirstPass,
    /// Series on the page.
    pub series: Series,
    /// Lists that must be read whole and may have too many pages.
    pub long_lists: Vec<LongLists>,
    /// The configured intervals.
    pub poll: Planned,
    /// A `poll.interval` at which every budget suffices, if that is what is missing.
    pub enough_interval: Option<Duration>,
}

/// The parts of `poll` that an estimate is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// `interval`.
    pub interval: Duration,
    /// `active_interval`.
    pub active: Duration,
    /// `idle_interval`.
    pub idle: Duration,
    /// `stale_after`.
    pub stale_after: Duration,
}

impl Estimate {
    /// Budgets that are too small at `poll.interval`.
    pub fn overdrawn(&self) -> impl Iterator<Item = &Budget> {
        self.budgets.iter().filter(|budget| budget.is_over(Scenario::Base))
    }

    /// The longest time between two refreshes of a target without running work.
    pub fn longest_refresh(&self) -> Duration {
        let refreshing =
            self.budgets.iter().filter(|budget| budget.refreshes && budget.discovery.is_none());
        let idle = refreshing.map(|budget| budget.stretched(Scenario::Idle, self.poll.idle));
        let base = self.overdrawn().filter(|budget| budget.refreshes && budget.discovery.is_none());
        let base = base.map(|budget| budget.stretched(Scenario::Base, self.poll.interval));
        idle.chain(base).max().unwrap_or(self.poll.interval)
    }
}
