//! What to request for a target, and how an answer changes what is known about it. Pure, one file
//! per kind of target.
//!
//! The scheduler drives a tracker: `begin` at a tick, then `ask` and `answer` (or `fail`) in turn
//! until `ask` returns `None`. What outlives a poll is in the memory; the rest is the state of the
//! current poll.

mod after_failure;
pub(super) mod cost;
mod directory;
mod discovery;
mod ehpc_invocations;
mod ehpc_tasks;
mod follow;
mod history;
mod limits;
mod notice;
mod order;
mod pager;
mod samples;
mod seen_ids;
mod server_directory;
mod swas_by_region;
mod swas_by_server;
mod swas_invocations;
mod swas_jobs;
mod unknown_status;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::aliyun::Error;
use crate::aliyun::op::{Answer, Operation};
use crate::config::Poll;
use crate::model::{DiscoveredResource, Failure, ListState, Reading};
use crate::target::{DiscoveryKind, DiscoveryQuery, Kind, Scope, Target, TargetId};

pub(super) use after_failure::AfterFailure;
use after_failure::FailureScope;
pub use cost::Load;
use discovery::DiscoveryTracker;
use ehpc_invocations::EhpcInvocationsTracker;
use ehpc_tasks::EhpcTasksTracker;
use limits::Limits;
pub use notice::Notice;
pub use pager::Change as ListChange;
use swas_by_region::SwasRegionTracker;
use swas_by_server::SwasServerTracker;
use swas_invocations::SwasInvocations;
pub use swas_jobs::MAX_NAMES;

/// What a tracker keeps from one poll to the next: borrowed to be saved, owned when restored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Memory<'a> {
    /// A cluster's tasks.
    EhpcTasks(Cow<'a, ehpc_tasks::Memory>),
    /// A cluster's commands.
    EhpcInvocations(Cow<'a, ehpc_invocations::Memory>),
    /// A server's invocations.
    SwasInvocations(Cow<'a, swas_invocations::Memory>),
    /// What discovery has found.
    Discovery(Cow<'a, discovery::Memory>),
}

impl Memory<'_> {
    /// The memory after a gap in watching. (When a [`history::History`] is due is not saved at
    /// all.)
    pub(super) fn after_a_gap(self) -> Self {
        match self {
            Self::EhpcTasks(memory) => {
                Self::EhpcTasks(Cow::Owned(memory.into_owned().after_a_gap()))
            }
            other => other,
        }
    }
}

/// The tracker of one target.
#[derive(Debug)]
pub(super) enum Tracker {
    EhpcTasks(EhpcTasksTracker),
    EhpcInvocations(EhpcInvocationsTracker),
    SwasInvocations(SwasServerTracker),
    SwasRegion(Box<SwasRegionTracker>),
    Discovery(DiscoveryTracker),
}

/// Evaluates `$body` with the inner tracker of any kind.
macro_rules! each {
    ($tracker:expr, $inner:ident => $body:expr) => {
        match $tracker {
            Tracker::EhpcTasks($inner) => $body,
            Tracker::EhpcInvocations($inner) => $body,
            Tracker::SwasInvocations($inner) => $body,
            Tracker::SwasRegion($inner) => $body,
            Tracker::Discovery($inner) => $body,
        }
    };
}

impl Tracker {
    /// The tracker of `target`; `recall` returns the memory of earlier trackers of it, or of each
    /// server of a region.
    pub(super) fn new(
        target: &Target,
        poll: &Poll,
        mut recall: impl FnMut(&TargetId) -> Option<Memory<'static>>,
    ) -> Self {
        let limits =
            Limits { history_interval: poll.history_interval, max_pages: poll.history_max_pages };
        let id = Arc::clone(&target.id.id);
        match &target.scope {
            Scope::EhpcTasks(window) => {
                let memory = match recall(&target.id) {
                    Some(Memory::EhpcTasks(memory)) => memory.into_owned(),
                    _ => ehpc_tasks::Memory::default(),
                };
                Self::EhpcTasks(EhpcTasksTracker::new(id, window.clone(), limits, memory))
            }
            Scope::EhpcInvocations(scope) => {
                let memory = match recall(&target.id) {
                    Some(Memory::EhpcInvocations(memory)) => memory.into_owned(),
                    _ => ehpc_invocations::Memory::default(),
                };
                Self::EhpcInvocations(EhpcInvocationsTracker::new(
                    id,
                    scope.clone(),
                    limits,
                    memory,
                ))
            }
            Scope::SwasInvocations(window) | Scope::SwasRegionServer(window) => {
                let memory = of_server(recall(&target.id));
                Self::SwasInvocations(SwasServerTracker::new(id, window.clone(), limits, memory))
            }
            Scope::SwasRegion(servers) => {
                let servers = servers.iter().filter_map(|server| {
                    let Scope::SwasRegionServer(window) = &server.scope else { return None };
                    let memory = of_server(recall(&server.id));
                    Some((
                        Arc::clone(&server.id.id),
                        SwasInvocations::new(window.clone(), memory, true),
                    ))
                });
                Self::SwasRegion(Box::new(SwasRegionTracker::new(servers, limits)))
            }
            Scope::Discovery(DiscoveryQuery { kind, .. }) => {
                let memory = match recall(&target.id) {
                    Some(Memory::Discovery(memory)) => memory.into_owned(),
                    _ => discovery::Memory::default(),
                };
                Self::Discovery(DiscoveryTracker::new(*kind, Arc::clone(&target.region), memory))
            }
        }
    }

    /// Starts the next poll, at a tick.
    pub(super) fn begin(&mut self, now: Timestamp) {
        each!(self, tracker => tracker.begin(now));
    }

    /// The next call; `None` ends the poll.
    pub(super) fn ask(&mut self) -> Option<Operation> {
        each!(self, tracker => tracker.ask())
    }

    /// Handles the answer to the last call.
    pub(super) fn answer(&mut self, answer: Answer, now: Timestamp) {
        match (self, answer) {
            (Self::EhpcTasks(tracker), Answer::ListTasks(page)) => tracker.answer(page, now),
            (Self::EhpcInvocations(tracker), Answer::ListCommands(page)) => {
                tracker.listed(page, now)
            }
            (Self::EhpcInvocations(tracker), Answer::ListInvocationStatus(invocation)) => {
                tracker.status(invocation)
            }
            (Self::EhpcInvocations(tracker), Answer::ListInvocationResults(page)) => {
                tracker.results(page)
            }
            (Self::SwasInvocations(tracker), Answer::DescribeInvocations(page)) => {
                tracker.listed(page, now)
            }
            (Self::SwasInvocations(tracker), Answer::DescribeInvocationResult(result)) => {
                tracker.result(result, now)
            }
            (Self::SwasRegion(tracker), Answer::DescribeCommandInvocations(page)) => {
                tracker.answer(page, now)
            }
            (Self::SwasRegion(tracker), Answer::ListInstances(page)) => tracker.counted(page, now),
            (Self::Discovery(tracker), Answer::ListClusters(page)) => tracker.listed(page, now),
            (Self::Discovery(tracker), Answer::ListInstances(page)) => tracker.listed(page, now),
            (Self::Discovery(tracker), Answer::EhpcListRegions(regions)) => {
                tracker.regions(regions, now)
            }
            (Self::Discovery(tracker), Answer::SwasListRegions(regions)) => {
                tracker.regions(regions, now)
            }
            (tracker, answer) => unreachable!("{tracker:?} never asks for {answer:?}"),
        }
    }

    /// The last call has failed, and is not made again in this poll; `failure` is the error in
    /// words.
    pub(super) fn fail(&mut self, error: &Error, failure: &Failure) -> AfterFailure {
        let scope = match error {
            error if error.is_one_thing_gone() => FailureScope::Gone,
            error if error.is_of_one_question() => FailureScope::One,
            _ => FailureScope::All,
        };
        match self {
            Self::EhpcTasks(tracker) => tracker.fail(scope),
            Self::EhpcInvocations(tracker) => tracker.fail(scope),
            Self::SwasInvocations(tracker) => tracker.fail(scope),
            Self::SwasRegion(tracker) => tracker.fail(scope, failure),
            Self::Discovery(tracker) => tracker.fail(scope),
        }
    }

    /// Whether enough was read for [`Tracker::reading`] to be true now; the rest are details.
    pub(super) fn is_readable(&self) -> bool {
        each!(self, tracker => tracker.is_readable())
    }

    /// The next call has to wait for its budget: discovery publishes what it has found so far.
    pub(super) fn about_to_wait(&mut self, now: Timestamp) {
        if let Self::Discovery(tracker) = self
            && tracker.is_readable()
        {
            tracker.tell(now);
        }
    }

    /// Whether there is more to publish than this poll has published.
    pub(super) fn has_news(&self) -> bool {
        matches!(self, Self::Discovery(tracker) if tracker.has_news())
    }

    /// Whether the lists have shown all that they must.
    pub(super) fn list_state(&self) -> ListState {
        each!(self, tracker => tracker.list_state())
    }

    /// Whether anything may still change soon.
    pub(super) fn has_open(&self) -> bool {
        each!(self, tracker => tracker.has_open())
    }

    /// The full reading of a target: `id` is the tracker's own or one of its servers.
    pub(super) fn reading(&self, id: &TargetId) -> Option<Reading> {
        Some(match self {
            Self::EhpcTasks(tracker) => Reading::EhpcTasks(tracker.reading()),
            Self::EhpcInvocations(tracker) => Reading::EhpcInvocations(tracker.reading()),
            Self::SwasInvocations(tracker) => Reading::SwasInvocations(tracker.reading()),
            Self::SwasRegion(tracker) => {
                Reading::SwasInvocations(tracker.invocations(&id.id)?.reading())
            }
            Self::Discovery(tracker) => Reading::Discovery(tracker.reading()),
        })
    }

    /// What discovery has found; nothing for other kinds.
    pub(super) fn found(&self) -> Vec<DiscoveredResource> {
        match self {
            Self::Discovery(tracker) => tracker.found(),
            Self::EhpcTasks(_)
            | Self::EhpcInvocations(_)
            | Self::SwasInvocations(_)
            | Self::SwasRegion(_) => Vec::new(),
        }
    }

    /// Whether discovery has seen everything at least once; true for other kinds.
    pub(super) fn has_found_all(&self) -> bool {
        match self {
            Self::Discovery(tracker) => tracker.has_found_all(),
            Self::EhpcTasks(_)
            | Self::EhpcInvocations(_)
            | Self::SwasInvocations(_)
            | Self::SwasRegion(_) => true,
        }
    }

    /// Failure of one of several targets that share a poll.
    pub(super) fn failure(&self, id: &TargetId) -> Option<Failure> {
        match self {
            Self::SwasRegion(tracker) => tracker.failure(&id.id),
            _ => None,
        }
    }

    /// Returns what has happened since the last call; `id` is the tracker's own target.
    pub(super) fn notices(&mut self, id: &TargetId) -> Vec<(TargetId, Notice)> {
        let own = match self {
            Self::EhpcTasks(tracker) => std::mem::take(&mut tracker.notices),
            Self::EhpcInvocations(tracker) => std::mem::take(&mut tracker.notices),
            Self::SwasInvocations(tracker) => tracker.notices(),
            Self::SwasRegion(tracker) => std::mem::take(&mut tracker.notices),
            Self::Discovery(tracker) => std::mem::take(&mut tracker.notices),
        };
        let mut all: Vec<_> = own.into_iter().map(|notice| (id.clone(), notice)).collect();
        if let Self::SwasRegion(tracker) = self {
            for (server, notices) in tracker.server_notices() {
                all.extend(notices.into_iter().map(|notice| (TargetId::server(server), notice)));
            }
        }
        all
    }

    /// Moves due times by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        match self {
            Self::EhpcTasks(tracker) => tracker.memory.shift(step),
            Self::EhpcInvocations(tracker) => tracker.memory.shift(step),
            Self::SwasInvocations(tracker) => tracker.invocations.memory.shift(step),
            Self::SwasRegion(tracker) => tracker.shift(step),
            Self::Discovery(_) => {}
        }
    }

    /// Memory of a target, to be saved.
    pub(super) fn memory(&self, id: &TargetId) -> Option<Memory<'_>> {
        Some(match self {
            Self::EhpcTasks(tracker) => Memory::EhpcTasks(Cow::Borrowed(&tracker.memory)),
            Self::EhpcInvocations(tracker) => {
                Memory::EhpcInvocations(Cow::Borrowed(&tracker.memory))
            }
            Self::SwasInvocations(tracker) => {
                Memory::SwasInvocations(Cow::Borrowed(&tracker.invocations.memory))
            }
            Self::SwasRegion(tracker) => {
                Memory::SwasInvocations(Cow::Borrowed(&tracker.invocations(&id.id)?.memory))
            }
            Self::Discovery(tracker) => Memory::Discovery(Cow::Borrowed(&tracker.memory)),
        })
    }

    /// Memory of each target, for the next tracker of the same; `id` is the tracker's own.
    pub(super) fn into_memories(self, id: TargetId) -> Vec<(TargetId, Memory<'static>)> {
        let memory = match self {
            Self::EhpcTasks(tracker) => Memory::EhpcTasks(Cow::Owned(tracker.memory)),
            Self::EhpcInvocations(tracker) => Memory::EhpcInvocations(Cow::Owned(tracker.memory)),
            Self::SwasInvocations(tracker) => {
                Memory::SwasInvocations(Cow::Owned(tracker.invocations.memory))
            }
            Self::Discovery(tracker) => Memory::Discovery(Cow::Owned(tracker.memory)),
            Self::SwasRegion(tracker) => {
                let of_each = |(id, invocations): (Arc<str>, SwasInvocations)| {
                    let memory = Memory::SwasInvocations(Cow::Owned(invocations.memory));
                    (TargetId::server(&id), memory)
                };
                return tracker.into_servers().map(of_each).collect();
            }
        };
        vec![(id, memory)]
    }

    /// Current inputs of the cost model.
    pub(super) fn load(&self) -> Load {
        each!(self, tracker => tracker.load())
    }
}

/// The memory of a server's invocations, if it is one.
fn of_server(memory: Option<Memory<'_>>) -> swas_invocations::Memory {
    match memory {
        Some(Memory::SwasInvocations(memory)) => memory.into_owned(),
        _ => swas_invocations::Memory::default(),
    }
}

/// The operations that a target needs as configured.
pub fn needed(target: &Target) -> impl Iterator<Item = Action> {
    let named =
        matches!(&target.scope, Scope::EhpcInvocations(commands) if !commands.ids.is_empty());
    let all = operations(target).iter().copied();
    all.filter(move |action| !(named && *action == Action::ListCommands))
}

/// The operations that a target may need.
pub(super) fn operations(target: &Target) -> &'static [Action] {
    match &target.scope {
        Scope::EhpcTasks(_) => &[Action::ListTasks],
        Scope::EhpcInvocations(_) => {
            &[Action::ListCommands, Action::ListInvocationStatus, Action::ListInvocationResults]
        }
        Scope::SwasInvocations(_) => {
            &[Action::DescribeInvocations, Action::DescribeInvocationResult]
        }
        Scope::SwasRegion(_) | Scope::SwasRegionServer(_) => {
            &[Action::DescribeCommandInvocations, Action::ListInstances]
        }
        Scope::Discovery(search) => match search.kind {
            DiscoveryKind::Clusters => &[Action::ListClusters],
            DiscoveryKind::Servers => &[Action::ListInstances],
            DiscoveryKind::ClusterRegions => &[Action::EhpcListRegions],
            DiscoveryKind::ServerRegions => &[Action::SwasListRegions],
        },
    }
}

/// Whether a reading and its details come from the same operation, and so share a budget.
pub(super) fn details_share_the_budget(kind: Kind) -> bool {
    matches!(kind, Kind::EhpcTasks | Kind::SwasRegion)
}
