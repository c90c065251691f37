//! One pass of discovery, for those who want to know before anything is polled. Async, like [`super::runner`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::{Id, JoinSet};

use super::plan::Notice;
use super::runner::{clients, panicked, start_attempts};
use super::scheduler::{Attempt, Event, Scheduler};
use crate::aliyun::{Attempted, Client, SetupError};
use crate::config::Config;
use crate::model::Failure;
use crate::target::{Findings, TargetId};

/// What discovery has found, and where it has failed.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// What each place has answered; nothing where it has failed.
    pub findings: Findings,
    /// Why, where it has failed.
    pub failures: BTreeMap<TargetId, Failure>,
    /// Places with longer lists than may be read: there is more than was found.
    pub truncated: BTreeSet<TargetId>,
}

/// Looks once wherever `config` wants to be looked, within its budgets. Nothing that is found is polled, and no state is read
/// or written: an exporter with the same configuration may be running.
///
/// # Errors
/// If an account's client cannot be made.
pub async fn survey(config: &Config) -> Result<Survey, SetupError> {
    let mut surveying = Surveying::begin(config)?;
    let mut attempts: JoinSet<Attempted> = JoinSet::new();
    let mut under_way: HashMap<Id, Attempt> = HashMap::new();
    while !surveying.open.is_empty() {
        let Surveying { scheduler, clients, .. } = &mut surveying;
        let pause = start_attempts(scheduler, clients, config.poll.timeout * 3, &mut attempts, &mut under_way);
        tokio::select! {
            Some(done) = attempts.join_next_with_id() => {
                let (id, attempted) = done.unwrap_or_else(|error| (error.id(), panicked()));
                let Some(attempt) = under_way.remove(&id) else { continue };
                surveying.scheduler.done(&attempt, attempted.outcome, Timestamp::now());
            }
            () = tokio::time::sleep(pause) => {}
        }
        surveying.note();
    }
    let findings = surveying.scheduler.findings();
    Ok(Survey { findings, ..surveying.survey })
}

struct Surveying<'a> {
    config: &'a Config,
    scheduler: Scheduler,
    clients: HashMap<Arc<str>, Client>,
    /// Where no poll has ended yet.
    open: BTreeSet<TargetId>,
    survey: Survey,
}

impl<'a> Surveying<'a> {
    fn begin(config: &'a Config) -> Result<Self, SetupError> {
        let now = Timestamp::now();
        let mut scheduler = Scheduler::new(config.poll.clone(), rand::random(), now);
        let open = scheduler.apply_searches(config, now).added.into_iter().collect();
        Ok(Self { config, scheduler, clients: clients(config)?, open, survey: Survey::default() })
    }

    /// Notes which polls have ended and how, and where there is to be looked now.
    fn note(&mut self) {
        for event in self.scheduler.events() {
            match event {
                Event::PollEnded { target, failure, .. } if self.open.remove(&target) => {
                    self.survey.failures.extend(failure.map(|failure| (target, failure)));
                }
                Event::Notice(_, Notice::Discovered) => {
                    let change = self.scheduler.apply_searches(self.config, Timestamp::now());
                    self.open.extend(change.added);
                    self.open.retain(|id| change.removed.iter().all(|(gone, _)| gone != id));
                }
                Event::Notice(target, Notice::Truncated) => {
                    self.survey.truncated.insert(target);
                }
                _ => {}
            }
        }
    }
}
