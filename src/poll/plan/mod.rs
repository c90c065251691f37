//! What to ask about a target, and what an answer does to what is known of it. Pure, one file per kind of target.
//!
//! A plan is driven by the scheduler: `begin` at a tick, then `ask` and `answer` (or `fail`) in turn until `ask` has
//! nothing more. What outlives a poll is in its memory; the rest is where the present poll stands.

mod commands;
mod cost;
mod known;
mod listing;
mod runs;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aliyun::Error;
use crate::aliyun::op::{Answer, Operation, Product};
use crate::config::Poll;
use crate::model::Reading;
use crate::poll::later;
use crate::target::{Kind, Scope, Target};

use commands::CommandsPlan;
pub use cost::{Calls, Load, first_pass, per_poll, refreshes};
pub use runs::MAX_NAMES;
use runs::RunsPlan;
use tasks::TasksPlan;

/// The plan of one target.
#[derive(Debug)]
pub(super) enum Plan {
    Tasks(TasksPlan),
    Commands(CommandsPlan),
    Runs(RunsPlan),
}

/// What a plan knows from one poll to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Memory {
    /// Of a cluster's tasks.
    Tasks(tasks::Memory),
    /// Of a cluster's commands.
    Commands(commands::Memory),
    /// Of a server's runs.
    Runs(runs::Memory),
}

impl Memory {
    /// The same after nobody has watched for a while. (What is due of a [`listing::Listing`] is not kept at all then.)
    pub(super) fn after_a_gap(self) -> Self {
        match self {
            Self::Tasks(memory) => Self::Tasks(memory.after_a_gap()),
            other => other,
        }
    }
}

/// A [`Memory`] that is still in use; it is written alike.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum MemoryRef<'a> {
    /// Of a cluster's tasks.
    Tasks(&'a tasks::Memory),
    /// Of a cluster's commands.
    Commands(&'a commands::Memory),
    /// Of a server's runs.
    Runs(&'a runs::Memory),
}

/// Something that happened to a followed thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// It was seen to end.
    Ended {
        /// TaskId, CommandId or InvokeId.
        id: Arc<str>,
        /// Its last status, as it was sent.
        status: String,
        /// Its exit code, if it has one.
        exit_code: Option<i64>,
    },
    /// It was open, and its end could not be learned.
    Lost {
        /// TaskId, CommandId or InvokeId.
        id: Arc<str>,
    },
    /// A list was longer than `poll.history_max_pages`.
    Truncated,
}

/// What a failed call means for the rest of the poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It concerns one thing only, and the plan has taken note.
    GoOn,
    /// The same, but the user should hear of it: the poll goes on, and counts as failed.
    GoOnFailed,
    /// The poll has failed.
    Stop,
}

/// How much a failed call harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// The one thing that was asked about is not there.
    Gone,
    /// The one thing that was asked about cannot be told, but others may be.
    One,
    /// Whatever else would be asked now.
    All,
}

/// So many times something may not be found before it is given up.
const MAX_MISSES: u8 = 3;

/// The parts of `poll` that plans need.
#[derive(Clone, Debug)]
struct Limits {
    history_interval: Duration,
    max_pages: u32,
}

/// Calls `$body` with the plan inside, whichever it is.
macro_rules! each {
    ($plan:expr, $inner:ident => $body:expr) => {
        match $plan {
            Plan::Tasks($inner) => $body,
            Plan::Commands($inner) => $body,
            Plan::Runs($inner) => $body,
        }
    };
}

impl Plan {
    /// The plan of `target`; `memory` is what an earlier plan of it knew.
    pub(super) fn new(target: &Target, poll: &Poll, memory: Option<Memory>) -> Self {
        let limits = Limits { history_interval: poll.history_interval, max_pages: poll.history_max_pages };
        let id = Arc::clone(&target.id.id);
        match &target.scope {
            Scope::Tasks(window) => {
                let memory = memory.and_then(|memory| if let Memory::Tasks(m) = memory { Some(m) } else { None });
                Self::Tasks(TasksPlan::new(id, window.clone(), limits, memory.unwrap_or_default()))
            }
            Scope::Commands(scope) => {
                let memory = memory.and_then(|memory| if let Memory::Commands(m) = memory { Some(m) } else { None });
                Self::Commands(CommandsPlan::new(id, scope.clone(), limits, memory.unwrap_or_default()))
            }
            Scope::Runs(window) => {
                let memory = memory.and_then(|memory| if let Memory::Runs(m) = memory { Some(m) } else { None });
                Self::Runs(RunsPlan::new(id, window.clone(), limits, memory.unwrap_or_default()))
            }
        }
    }

    /// A tick: the next poll begins.
    pub(super) fn begin(&mut self, now: Timestamp) {
        each!(self, plan => plan.begin(now));
    }

    /// What to ask next; `None` ends the poll.
    pub(super) fn ask(&mut self) -> Option<Operation> {
        each!(self, plan => plan.ask())
    }

    /// The answer to what was asked last.
    pub(super) fn answer(&mut self, answer: Answer, now: Timestamp) {
        match (self, answer) {
            (Self::Tasks(plan), Answer::ListTasks(page)) => plan.answer(page, now),
            (Self::Commands(plan), Answer::ListCommands(page)) => plan.listed(page, now),
            (Self::Commands(plan), Answer::ListInvocationStatus(run)) => plan.status(run),
            (Self::Commands(plan), Answer::ListInvocationResults(page)) => plan.results(page),
            (Self::Runs(plan), Answer::DescribeInvocations(page)) => plan.listed(page, now),
            (Self::Runs(plan), Answer::DescribeInvocationResult(result)) => plan.result(result, now),
            (plan, answer) => unreachable!("{plan:?} never asks for {answer:?}"),
        }
    }

    /// What was asked last could not be had, and is not asked again in this poll.
    pub(super) fn fail(&mut self, error: &Error) -> Verdict {
        let harm = match error {
            error if error.is_one_thing_gone() => Harm::Gone,
            error if error.is_of_one_question() => Harm::One,
            _ => Harm::All,
        };
        each!(self, plan => plan.fail(harm))
    }

    /// Whether the poll has read enough that [`Plan::reading`] is true as of now; what follows are details.
    pub(super) fn is_readable(&self) -> bool {
        each!(self, plan => plan.is_readable())
    }

    /// Whether anything may still change soon.
    pub(super) fn has_open(&self) -> bool {
        each!(self, plan => plan.has_open())
    }

    /// All that is to be shown.
    pub(super) fn reading(&self) -> Reading {
        match self {
            Self::Tasks(plan) => Reading::Tasks(plan.reading()),
            Self::Commands(plan) => Reading::Commands(plan.reading()),
            Self::Runs(plan) => Reading::Runs(plan.reading()),
        }
    }

    /// What happened since the last call.
    pub(super) fn notices(&mut self) -> Vec<Notice> {
        each!(self, plan => std::mem::take(&mut plan.notices))
    }

    /// This machine's clock was set back by `step`: what is due moves with it.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        let due = match self {
            Self::Tasks(plan) => &mut plan.memory.history_due,
            Self::Commands(plan) => &mut plan.memory.listing.whole_due,
            Self::Runs(plan) => &mut plan.memory.listing.whole_due,
        };
        *due = due.map(|due| later(due, step));
    }

    /// What the plan knows, to be saved.
    pub(super) fn memory(&self) -> MemoryRef<'_> {
        match self {
            Self::Tasks(plan) => MemoryRef::Tasks(&plan.memory),
            Self::Commands(plan) => MemoryRef::Commands(&plan.memory),
            Self::Runs(plan) => MemoryRef::Runs(&plan.memory),
        }
    }

    /// What the plan knows, for the next plan of the same target.
    pub(super) fn into_memory(self) -> Memory {
        match self {
            Self::Tasks(plan) => Memory::Tasks(plan.memory),
            Self::Commands(plan) => Memory::Commands(plan.memory),
            Self::Runs(plan) => Memory::Runs(plan.memory),
        }
    }

    /// What its calls hang on, as things stand.
    pub(super) fn load(&self) -> Load {
        each!(self, plan => plan.load())
    }
}

/// The operations that a target needs as it is configured.
pub fn needed(target: &Target) -> impl Iterator<Item = (Product, &'static str)> {
    let named = matches!(&target.scope, Scope::Commands(commands) if !commands.ids.is_empty());
    let all = operations(target.id.kind).iter().copied();
    all.filter(move |(_, operation)| !(named && *operation == "ListCommands"))
}

/// The operations that targets of a kind need.
pub(super) fn operations(kind: Kind) -> &'static [(Product, &'static str)] {
    match kind {
        Kind::EhpcTasks => &[(Product::Ehpc, "ListTasks")],
        Kind::EhpcInvocations => &[
            (Product::Ehpc, "ListCommands"),
            (Product::Ehpc, "ListInvocationStatus"),
            (Product::Ehpc, "ListInvocationResults"),
        ],
        Kind::SwasInvocations => &[(Product::Swas, "DescribeInvocations"), (Product::Swas, "DescribeInvocationResult")],
    }
}
