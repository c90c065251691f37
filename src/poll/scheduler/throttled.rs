//! Operations that the cloud throttles, and targets whose polls are overdue because of that. Pure.
//!
//! While an operation is refused, polls that wait for it do not end, so the result of the last one
//! would stand for that long. Each waiting target gets a timer, so that they need not all be
//! scanned.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::poll::rate_limiter::BudgetKey;
use crate::poll::time::later;
use crate::target::TargetId;

/// How often to check whether a throttled operation has recovered.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum time between two calls of the scheduler, which come at least each [`CHECK_INTERVAL`]
/// while anything is throttled. After a longer silence the clock was set forward or the machine
/// stood still: that time is not the cloud's doing.
const MAX_SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// Throttled operations, and the targets that wait for them.
#[derive(Debug)]
pub(super) struct Throttled {
    pub(super) operations: BTreeMap<BudgetKey, Spell>,
    /// When each target that waits for one of them will be overdue.
    pub(super) overdue: BTreeSet<(Timestamp, TargetId)>,
    pub(super) check_at: Option<Timestamp>,
    /// Time before this does not count.
    pub(super) counts_from: Timestamp,
    pub(super) needs: Option<(Timestamp, BTreeMap<BudgetKey, f64>)>,
}

/// A span of time in which an operation is throttled.
#[derive(Debug)]
pub(super) struct Spell {
    pub(super) since: Timestamp,
    /// When it was last refused, resting or lowered.
    pub(super) last: Timestamp,
    pub(super) is_lowered: bool,
}

impl Throttled {
    pub(super) fn new(now: Timestamp) -> Self {
        let operations = BTreeMap::new();
        let overdue = BTreeSet::new();
        Self { operations, overdue, check_at: None, counts_from: now, needs: None }
    }

    /// When it must be checked next.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let overdue = self.overdue.first().map(|(time, _)| *time);
        overdue.into_iter().chain(self.check_at).min()
    }

    /// Stops watching a target that no longer waits.
    pub(super) fn forget(&mut self, id: &TargetId, overdue_at: Option<Timestamp>) {
        if let Some(time) = overdue_at {
            self.overdue.remove(&(time, id.clone()));
        }
    }

    /// Drops operations that `keep` rejects.
    pub(super) fn retain(&mut self, keep: impl Fn(&BudgetKey) -> bool) {
        self.operations.retain(|key, _| keep(key));
    }

    /// Notes that the scheduler was not called since `last`.
    pub(super) fn notice_silence(&mut self, last: Timestamp, now: Timestamp) {
        if now.duration_since(last) > MAX_SILENCE {
            self.counts_from = now;
        }
    }

    /// Moves every time by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.overdue = std::mem::take(&mut self.overdue)
            .into_iter()
            .map(|(time, id)| (later(time, step), id))
            .collect();
        let spells =
            self.operations.values_mut().flat_map(|spell| [&mut spell.since, &mut spell.last]);
        let times = spells.chain(&mut self.check_at).chain([&mut self.counts_from]);
        for time in times {
            *time = later(*time, step);
        }
        self.needs = None;
    }
}
