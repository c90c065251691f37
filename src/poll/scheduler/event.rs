//! What the scheduler reports.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::aliyun::Error;
use crate::aliyun::op::{Answer, Decoded, Operation};
use crate::model::{BudgetState, Failure, ListState, Reading};
use crate::poll::rate_limiter::BudgetKey;
use crate::poll::tracker::Notice;
use crate::target::TargetId;

/// One HTTP request to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Target it is for.
    pub target: TargetId,
    /// Account that makes it.
    pub account: Arc<str>,
    /// Region.
    pub region: Arc<str>,
    /// Operation to call.
    pub operation: Operation,
    /// Budget that it is taken from.
    pub key: BudgetKey,
    pub(super) ticket: u64,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Make this attempt, then report it to [`super::Scheduler::done`].
    Call(Box<Attempt>),
    /// Nothing to do before this time.
    WakeAt(Timestamp),
    /// Nothing to do before an attempt in flight is done.
    Wait,
}

/// Outcome of an attempt.
pub type Outcome = Result<Decoded<Answer>, Error>;

/// Something for the store, the log or the metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A tracker's notice: an item ended or was lost, a list was cut off, and so on.
    Notice(TargetId, Notice),
    /// The current reading of a target.
    Reading(TargetId, Reading, Timestamp),
    /// A poll has ended.
    PollEnded {
        /// Target.
        target: TargetId,
        /// Why it failed, if it did.
        failure: Option<Failure>,
        /// Whether its lists have shown all that they must.
        lists: ListState,
        /// When it ended.
        ended: Timestamp,
        /// How long it took, waiting for budgets included.
        took: Duration,
        /// When the next one is planned.
        next: Timestamp,
        /// Age at which values are withdrawn.
        stale_after: Duration,
    },
    /// A poll is overdue because the cloud throttles an operation that it needs; holds until a poll
    /// ends.
    Overdue {
        /// Target.
        target: TargetId,
        /// Names the operation, and when the poll was due.
        failure: Failure,
        /// When this was detected.
        at: Timestamp,
    },
    /// A call has waited for its budget.
    Waited(BudgetKey, Duration),
    /// A change in how the cloud throttles an operation, with the current state of its budget.
    Throttling(BudgetKey, Throttling, BudgetState),
}

impl Event {
    /// Whether a directory has changed, so that the targets may have to change.
    pub fn is_discovery(&self) -> bool {
        matches!(self, Self::Notice(_, Notice::Discovered))
    }
}

/// A change in how the cloud throttles an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttling {
    /// It has begun.
    Began,
    /// The budget was lowered.
    Lowered,
    /// The lowering was taken back: the refusals did not come from a limit on our calls.
    TakenBack,
    /// The operation has not been throttled for a while.
    Over {
        /// When it began.
        since: Timestamp,
    },
}
