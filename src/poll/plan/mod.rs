//! What to ask about a target, and what an answer does to what is known of it. Pure, one file per kind of target.
//!
//! A plan is driven by the scheduler: `begin` at a tick, then `ask` and `answer` (or `fail`) in turn until `ask` has
//! nothing more. What outlives a poll is in its memory; the rest is where the present poll stands.

mod commands;
mod cost;
mod discovery;
mod follow;
mod inventory;
mod jobs;
mod known;
mod ledger;
mod listing;
mod order;
mod pager;
mod region;
mod roll;
mod runs;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aliyun::Error;
use crate::aliyun::op::{Answer, Operation, Product};
use crate::config::Poll;
use crate::model::{Failure, Found, GivenUp, ListState, Reading};
use crate::target::{Kind, Scope, Search, Sought, Target, TargetId};

use commands::CommandsPlan;
pub use cost::{Calls, Load, first_pass, per_poll, refreshes};
use discovery::DiscoveryPlan;
pub use jobs::MAX_NAMES;
use ledger::Ledger;
use listing::Window;
pub use pager::Change as ListChange;
use region::RegionPlan;
use runs::RunsPlan;
use tasks::TasksPlan;

/// The plan of one target.
#[derive(Debug)]
pub(super) enum Plan {
    Tasks(TasksPlan),
    Commands(CommandsPlan),
    Runs(RunsPlan),
    Region(Box<RegionPlan>),
    Discovery(DiscoveryPlan),
}

/// What a plan knows of a target from one poll to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Memory {
    /// Of a cluster's tasks.
    Tasks(tasks::Memory),
    /// Of a cluster's commands.
    Commands(commands::Memory),
    /// Of a server's runs.
    Runs(ledger::Memory),
    /// Of what there is.
    Discovery(discovery::Memory),
}

impl Memory {
    fn tasks(self) -> Option<tasks::Memory> {
        if let Self::Tasks(memory) = self { Some(memory) } else { None }
    }

    fn commands(self) -> Option<commands::Memory> {
        if let Self::Commands(memory) = self { Some(memory) } else { None }
    }

    fn runs(self) -> Option<ledger::Memory> {
        if let Self::Runs(memory) = self { Some(memory) } else { None }
    }

    fn discovery(self) -> Option<discovery::Memory> {
        if let Self::Discovery(memory) = self { Some(memory) } else { None }
    }

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
    Runs(&'a ledger::Memory),
    /// Of what there is.
    Discovery(&'a discovery::Memory),
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
    /// It was seen to end, and its result is no longer asked for.
    GivenUp {
        /// CommandId or InvokeId.
        id: Arc<str>,
        /// Why.
        cause: GivenUp,
    },
    /// A list was longer than `poll.history_max_pages`.
    Truncated,
    /// Whether a list has shown all that it must has changed.
    List(ListChange),
    /// What there is has changed: the targets are to be made anew.
    Discovered,
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
            Plan::Region($inner) => $body,
            Plan::Discovery($inner) => $body,
        }
    };
}

impl Plan {
    /// The plan of `target`; `recall` tells what earlier plans knew of it, or of each server of a region.
    pub(super) fn new(target: &Target, poll: &Poll, mut recall: impl FnMut(&TargetId) -> Option<Memory>) -> Self {
        let limits = Limits { history_interval: poll.history_interval, max_pages: poll.history_max_pages };
        let id = Arc::clone(&target.id.id);
        match &target.scope {
            Scope::Tasks(window) => {
                let memory = recall(&target.id).and_then(Memory::tasks).unwrap_or_default();
                Self::Tasks(TasksPlan::new(id, window.clone(), limits, memory))
            }
            Scope::Commands(scope) => {
                let memory = recall(&target.id).and_then(Memory::commands).unwrap_or_default();
                Self::Commands(CommandsPlan::new(id, scope.clone(), limits, memory))
            }
            Scope::Runs(window) | Scope::RegionRuns(window) => {
                let memory = recall(&target.id).and_then(Memory::runs).unwrap_or_default();
                Self::Runs(RunsPlan::new(id, window.clone(), limits, memory))
            }
            Scope::Region(servers) => {
                let ledgers = servers.iter().filter_map(|server| {
                    let Scope::RegionRuns(window) = &server.scope else { return None };
                    let memory = recall(&server.id).and_then(Memory::runs).unwrap_or_default();
                    Some((Arc::clone(&server.id.id), Ledger::new(window.clone(), memory, true)))
                });
                Self::Region(Box::new(RegionPlan::new(ledgers, limits)))
            }
            Scope::Discovery(Search { sought, .. }) => {
                let memory = recall(&target.id).and_then(Memory::discovery).unwrap_or_default();
                Self::Discovery(DiscoveryPlan::new(*sought, Arc::clone(&target.region), memory))
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

    /// What was answered to what was asked last.
    pub(super) fn answer(&mut self, answer: Answer, now: Timestamp) {
        match (self, answer) {
            (Self::Tasks(plan), Answer::ListTasks(page)) => plan.answer(page, now),
            (Self::Commands(plan), Answer::ListCommands(page)) => plan.listed(page, now),
            (Self::Commands(plan), Answer::ListInvocationStatus(run)) => plan.status(run),
            (Self::Commands(plan), Answer::ListInvocationResults(page)) => plan.results(page),
            (Self::Runs(plan), Answer::DescribeInvocations(page)) => plan.listed(page, now),
            (Self::Runs(plan), Answer::DescribeInvocationResult(result)) => plan.result(result, now),
            (Self::Region(plan), Answer::DescribeCommandInvocations(page)) => plan.answer(page, now),
            (Self::Region(plan), Answer::ListInstances(page)) => plan.counted(page),
            (Self::Discovery(plan), Answer::ListClusters(page)) => plan.listed(page, now),
            (Self::Discovery(plan), Answer::ListInstances(page)) => plan.listed(page, now),
            (Self::Discovery(plan), Answer::EhpcListRegions(regions)) => plan.regions(regions, now),
            (Self::Discovery(plan), Answer::SwasListRegions(regions)) => plan.regions(regions, now),
            (plan, answer) => unreachable!("{plan:?} never asks for {answer:?}"),
        }
    }

    /// What was asked last could not be had, and is not asked again in this poll; `failure` is the error in words.
    pub(super) fn fail(&mut self, error: &Error, failure: &Failure) -> Verdict {
        let harm = match error {
            error if error.is_one_thing_gone() => Harm::Gone,
            error if error.is_of_one_question() => Harm::One,
            _ => Harm::All,
        };
        match self {
            Self::Tasks(plan) => plan.fail(harm),
            Self::Commands(plan) => plan.fail(harm),
            Self::Runs(plan) => plan.fail(harm),
            Self::Region(plan) => plan.fail(harm, failure),
            Self::Discovery(plan) => plan.fail(harm),
        }
    }

    /// Whether the poll has read enough that [`Plan::reading`] is true as of now; what follows are details.
    pub(super) fn is_readable(&self) -> bool {
        each!(self, plan => plan.is_readable())
    }

    /// The next answer has to wait for its budget: what was found so far is told.
    pub(super) fn about_to_wait(&mut self, now: Timestamp) {
        if let Self::Discovery(plan) = self
            && plan.is_readable()
        {
            plan.tell(now);
        }
    }

    /// Whether there is more to publish than was published in this poll.
    pub(super) fn has_news(&self) -> bool {
        matches!(self, Self::Discovery(plan) if plan.has_news())
    }

    /// Whether the lists have shown all that they must.
    pub(super) fn list_state(&self) -> ListState {
        each!(self, plan => plan.list_state())
    }

    /// Whether anything may still change soon.
    pub(super) fn has_open(&self) -> bool {
        each!(self, plan => plan.has_open())
    }

    /// All that is to be shown of a target: of `id`, which is the plan's own or one of its servers.
    pub(super) fn reading(&self, id: &TargetId) -> Option<Reading> {
        Some(match self {
            Self::Tasks(plan) => Reading::Tasks(plan.reading()),
            Self::Commands(plan) => Reading::Commands(plan.reading()),
            Self::Runs(plan) => Reading::Runs(plan.reading()),
            Self::Region(plan) => Reading::Runs(plan.ledger(&id.id)?.reading()),
            Self::Discovery(plan) => Reading::Discovery(plan.reading()),
        })
    }

    /// What it has found, if it looks for anything.
    pub(super) fn found(&self) -> Vec<Found> {
        match self {
            Self::Discovery(plan) => plan.found(),
            Self::Tasks(_) | Self::Commands(_) | Self::Runs(_) | Self::Region(_) => Vec::new(),
        }
    }

    /// Whether what it looks for was all shown at least once, if it looks for anything.
    pub(super) fn has_found_all(&self) -> bool {
        match self {
            Self::Discovery(plan) => plan.has_found_all(),
            Self::Tasks(_) | Self::Commands(_) | Self::Runs(_) | Self::Region(_) => true,
        }
    }

    /// What is wrong with one target of several that share a poll.
    pub(super) fn failure(&self, id: &TargetId) -> Option<Failure> {
        match self {
            Self::Region(plan) => plan.failure(&id.id),
            _ => None,
        }
    }

    /// What happened since the last call; `id` is the plan's own target.
    pub(super) fn notices(&mut self, id: &TargetId) -> Vec<(TargetId, Notice)> {
        let own = match self {
            Self::Tasks(plan) => std::mem::take(&mut plan.notices),
            Self::Commands(plan) => std::mem::take(&mut plan.notices),
            Self::Runs(plan) => plan.notices(),
            Self::Region(plan) => std::mem::take(&mut plan.notices),
            Self::Discovery(plan) => std::mem::take(&mut plan.notices),
        };
        let mut all: Vec<_> = own.into_iter().map(|notice| (id.clone(), notice)).collect();
        if let Self::Region(plan) = self {
            for (server, notices) in plan.server_notices() {
                all.extend(notices.into_iter().map(|notice| (TargetId::server(server), notice)));
            }
        }
        all
    }

    /// This machine's clock was set back by `step`: what is due moves with it.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        match self {
            Self::Tasks(plan) => plan.memory.shift(step),
            Self::Commands(plan) => plan.memory.shift(step),
            Self::Runs(plan) => plan.ledger.memory.shift(step),
            Self::Region(plan) => plan.shift(step),
            Self::Discovery(_) => {}
        }
    }

    /// What the plan knows of a target, to be saved.
    pub(super) fn memory(&self, id: &TargetId) -> Option<MemoryRef<'_>> {
        Some(match self {
            Self::Tasks(plan) => MemoryRef::Tasks(&plan.memory),
            Self::Commands(plan) => MemoryRef::Commands(&plan.memory),
            Self::Runs(plan) => MemoryRef::Runs(&plan.ledger.memory),
            Self::Region(plan) => MemoryRef::Runs(&plan.ledger(&id.id)?.memory),
            Self::Discovery(plan) => MemoryRef::Discovery(&plan.memory),
        })
    }

    /// What the plan knows of each target, for the next plan of the same; `id` is the plan's own.
    pub(super) fn into_memories(self, id: TargetId) -> Vec<(TargetId, Memory)> {
        match self {
            Self::Tasks(plan) => vec![(id, Memory::Tasks(plan.memory))],
            Self::Commands(plan) => vec![(id, Memory::Commands(plan.memory))],
            Self::Runs(plan) => vec![(id, Memory::Runs(plan.ledger.memory))],
            Self::Discovery(plan) => vec![(id, Memory::Discovery(plan.memory))],
            Self::Region(plan) => {
                let ledgers = plan.into_ledgers();
                ledgers.map(|(id, ledger)| (TargetId::server(&id), Memory::Runs(ledger.memory))).collect()
            }
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
    let all = operations(target).iter().copied();
    all.filter(move |(_, operation)| !(named && *operation == "ListCommands"))
}

/// The operations that a target needs.
pub(super) fn operations(target: &Target) -> &'static [(Product, &'static str)] {
    match &target.scope {
        Scope::Tasks(_) => &[(Product::Ehpc, "ListTasks")],
        Scope::Commands(_) => &[
            (Product::Ehpc, "ListCommands"),
            (Product::Ehpc, "ListInvocationStatus"),
            (Product::Ehpc, "ListInvocationResults"),
        ],
        Scope::Runs(_) => &[(Product::Swas, "DescribeInvocations"), (Product::Swas, "DescribeInvocationResult")],
        Scope::RegionRuns(_) | Scope::Region(_) => {
            &[(Product::Swas, "DescribeCommandInvocations"), (Product::Swas, "ListInstances")]
        }
        Scope::Discovery(search) => match search.sought {
            Sought::Clusters => &[(Product::Ehpc, "ListClusters")],
            Sought::Servers => &[(Product::Swas, "ListInstances")],
            Sought::ClusterRegions => &[(Product::Ehpc, "ListRegions")],
            Sought::ServerRegions => &[(Product::Swas, "ListRegions")],
        },
    }
}

/// Whether what makes a reading true and its details are asked of one operation, and so share a budget.
pub(super) fn details_share_the_budget(kind: Kind) -> bool {
    matches!(kind, Kind::EhpcTasks | Kind::SwasRegion)
}
