//! One pass of discovery, for commands that need its result before anything is polled. Async, like
//! [`super::runner`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{Id, JoinError, JoinSet};

use super::clients::Clients;
use super::report::log_request;
use super::runner::{panicked, start_attempts};
use super::scheduler::{Attempt, Event, Scheduler};
use super::tracker::Notice;
use crate::action::Action;
use crate::aliyun::{Attempted, Error, error_of};
use crate::config::Config;
use crate::model::Failure;
use crate::target::{Findings, TargetId};
use crate::term::Term;

/// What discovery has found, and where it has failed.
#[derive(Clone, Debug, Default)]
pub struct DiscoveryPass {
    /// What was found in each place; nothing where it failed.
    pub findings: Findings,
    /// Why it failed, by place.
    pub failures: BTreeMap<TargetId, Failure>,
    /// Number of entries that a place counts but did not show, if any.
    pub missing: BTreeMap<TargetId, u64>,
    /// Each operation that was called, once per account and region.
    pub calls: Vec<CallResult>,
}

/// Result of calling an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct CallResult {
    /// Account.
    pub account: Arc<str>,
    /// Region.
    pub region: Arc<str>,
    /// The operation.
    pub action: Action,
    /// Id of the target that it was called for.
    pub target: Arc<str>,
    /// Why it failed, if it did.
    pub error: Option<Error>,
    /// How far the cloud's clock is ahead of this machine's, if the answer says.
    pub clock_skew: Option<SignedDuration>,
    /// How long the answer took.
    pub took: Duration,
}

impl CallResult {
    /// Whether both are about the same operation, region and account.
    pub fn is_like(&self, other: &Self) -> bool {
        let key = |result: &Self| {
            (Arc::clone(&result.account), Arc::clone(&result.region), result.action)
        };
        key(self) == key(other)
    }
}

/// Runs every discovery query of `config` once, within its budgets; a call that fails for a
/// transient reason is attempted up to `max_attempts` times. Nothing that is found is polled, and
/// no state is read or written: an exporter with the same configuration may be running.
pub async fn discovery_pass(
    config: &Config,
    clients: &Clients,
    max_attempts: u32,
) -> DiscoveryPass {
    let mut surveying = Surveying::begin(config, max_attempts);
    let mut attempts: JoinSet<Attempted> = JoinSet::new();
    let mut under_way: HashMap<Id, Attempt> = HashMap::new();
    while !surveying.open.is_empty() {
        let limit = config.poll.timeout * 3;
        let pause = start_attempts(
            |now| surveying.scheduler.next(now),
            clients,
            &Term::unlimited(),
            limit,
            &mut attempts,
            &mut under_way,
        );
        tokio::select! {
            Some(done) = attempts.join_next_with_id() => surveying.done(done, &mut under_way),
            () = tokio::time::sleep(pause) => {}
        }
        surveying.note();
    }
    let findings = surveying.scheduler.findings();
    DiscoveryPass { findings, ..surveying.discovery_pass }
}

struct Surveying<'a> {
    config: &'a Config,
    scheduler: Scheduler,
    /// Targets whose first poll has not ended.
    open: BTreeSet<TargetId>,
    discovery_pass: DiscoveryPass,
}

impl<'a> Surveying<'a> {
    fn begin(config: &'a Config, max_attempts: u32) -> Self {
        let now = Timestamp::now();
        let mut scheduler =
            Scheduler::new(config.poll.clone(), rand::random(), now).attempting(max_attempts);
        let open = scheduler.apply_searches(config, now).added.into_iter().collect();
        Self { config, scheduler, open, discovery_pass: DiscoveryPass::default() }
    }

    fn done(
        &mut self,
        done: Result<(Id, Attempted), JoinError>,
        under_way: &mut HashMap<Id, Attempt>,
    ) {
        let (id, attempted) = done.unwrap_or_else(|error| (error.id(), panicked()));
        let Some(attempt) = under_way.remove(&id) else { return };
        log_request((&attempt).into(), &attempt.operation, &attempted);
        self.keep(&attempt, &attempted);
        self.scheduler.done(&attempt, attempted.outcome, Timestamp::now());
    }

    /// The last attempt and the last page count: one that fails is the last.
    fn keep(&mut self, attempt: &Attempt, attempted: &Attempted) {
        let result = CallResult {
            account: Arc::clone(&attempt.account),
            region: Arc::clone(&attempt.region),
            action: attempt.operation.action(),
            target: Arc::clone(&attempt.target.id),
            error: error_of(&attempted.outcome).cloned(),
            clock_skew: attempted.clock_skew,
            took: attempted.took.unwrap_or_default(),
        };
        match self.discovery_pass.calls.iter_mut().find(|known| known.is_like(&result)) {
            Some(known) => *known = result,
            None => self.discovery_pass.calls.push(result),
        }
    }

    /// Records which polls have ended and how, and where to look next.
    fn note(&mut self) {
        for event in self.scheduler.events() {
            match event {
                Event::PollEnded { target, failure, lists, .. } if self.open.remove(&target) => {
                    if lists.missing_once > 0 {
                        self.discovery_pass.missing.insert(target.clone(), lists.missing_once);
                    }
                    self.discovery_pass.failures.extend(failure.map(|failure| (target, failure)));
                }
                Event::Notice(_, Notice::Discovered) => {
                    let change = self.scheduler.apply_searches(self.config, Timestamp::now());
                    self.open.extend(change.added);
                    self.open.retain(|id| change.removed.iter().all(|(gone, _)| gone != id));
                }
                _ => {}
            }
        }
    }
}
