//! What the scheduler says to others.

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
    /// The target it is for.
    pub target: TargetId,
    /// Which account asks.
    pub account: Arc<str>,
    /// In which region.
    pub region: Arc<str>,
    /// What.
    pub operation: Operation,
    /// From which budget.
    pub key: BudgetKey,
    pub(super) ticket: u64,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Make this attempt, then report it by [`super::Scheduler::done`].
    Call(Box<Attempt>),
    /// Nothing before this time.
    WakeAt(Timestamp),
    /// Nothing before an attempt under way is done.
    Wait,
}

/// What came of an attempt.
pub type Outcome = Result<Decoded<Answer>, Error>;

/// Something that others should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A followed thing ended or was lost, or a list was cut off.
    Notice(TargetId, Notice),
    /// What is now known of a target.
    Reading(TargetId, Reading, Timestamp),
    /// A poll has ended.
    PollEnded {
        /// Of which target.
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
    /// A poll is overdue because the cloud throttles an operation that it needs; the next poll that
    /// ends says otherwise.
    Overdue {
        /// Of which target.
        target: TargetId,
        /// Which operation, and since when.
        failure: Failure,
        /// When that was found.
        at: Timestamp,
    },
    /// A call has waited for its budget.
    Waited(BudgetKey, Duration),
    /// How the cloud throttles an operation has changed, and how its budget stands now.
    Throttling(BudgetKey, Throttling, BudgetState),
}

impl Event {
    /// Whether a list of what there is has changed, so that the targets may have to.
    pub fn is_discovery(&self) -> bool {
        matches!(self, Self::Notice(_, Notice::Discovered))
    }
}

/// How the cloud throttles an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttling {
    /// It has begun to.
    Began,
    /// Less is asked for from now on.
    Lowered,
    /// As much is asked for as before: the refusals were none of a limit on what is asked for.
    TakenBack,
    /// It has not done so for a while.
    Over {
        /// When it had begun.
        since: Timestamp,
    },
}
