//! Polling without sockets, threads or clocks: the scheduler, what is saved of it, and updates of
//! the store.
//!
//! Its driver provides a cloud and a disk:
//!
//! 1. [`Engine::next`] returns the attempt to make; [`Engine::done`] takes its outcome.
//! 2. [`Engine::take`] returns what has happened, with the entries that must be on disk before
//!    [`Engine::publish`] shows it.
//! 3. [`Engine::chores`], called now and then, returns further work on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::journal::{Chores, Done, Entry, Journal, Recalled, Saved};
use super::rate_limiter::BudgetKey;
use super::scheduler::{Attempt, Change, Event, Next, Outcome, Scheduler};
use crate::clock::Moment;
use crate::config::Config;
use crate::model::{BudgetState, Listed, Reading};
use crate::store::{PollEnd, Store};
use crate::target::{Kind, Target, TargetId};

/// Polling without sockets, threads or clocks.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    scheduler: Scheduler,
    journal: Journal,
    store: Arc<Store>,
}

/// What has happened since the last batch.
#[derive(Debug)]
pub struct Batch {
    /// To be written before the events are published.
    pub entries: Vec<Entry>,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

/// Result of a change of targets.
#[derive(Debug)]
pub struct Retargeted {
    /// All current targets.
    pub targets: Vec<Arc<Target>>,
    /// The new ones.
    pub added: Vec<TargetId>,
    /// State of the removed ones, to be kept on disk for a while.
    pub gone: Vec<(TargetId, Saved<'static>)>,
}

impl Engine {
    /// An engine without targets; `seed` randomises retry delays, `recalled` is what the disk
    /// holds.
    pub fn new(
        config: &Arc<Config>,
        store: Arc<Store>,
        recalled: Recalled,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let journal = Journal::new(recalled, &config.state);
        let scheduler = Scheduler::new(config.poll.clone(), seed, now);
        Self { config: Arc::clone(config), scheduler, journal, store }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The scheduler, read-only.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Total time that exporters have run on this state, as of the last chores.
    pub fn running(&self) -> Duration {
        self.journal.running()
    }

    /// Puts `config` in force. [`Engine::retarget`] must follow.
    pub fn reconfigure(&mut self, config: Arc<Config>) {
        self.journal.reconfigured(&config.state);
        self.config = config;
    }

    /// Sets the targets to those of the configuration and of what discovery has found so far;
    /// `restore` reads the state of one from disk.
    pub fn retarget(
        &mut self,
        mut restore: impl FnMut(&TargetId) -> Option<Saved<'static>>,
        now: Moment,
    ) -> Retargeted {
        let mut restored = Vec::new();
        let journal = &mut self.journal;
        let recall = |id: &TargetId| {
            let saved = restore(id)?;
            journal.restored(id, &saved);
            restored.extend(saved.read_at.map(|at| (id.clone(), at, saved.succeeded_at)));
            Some(saved.memory)
        };
        let Change { targets, added, removed } =
            self.scheduler.apply(&self.config, recall, now.wall);
        self.store.retarget(targets.clone());
        for (labels, hint) in self.journal.hints() {
            self.scheduler.restore_hint(labels.each_ref().map(String::as_str), hint);
        }
        let present = targets.iter().map(|target| target.id.clone()).collect();
        let gone = self.journal.retarget(present, removed);
        for (id, at, succeeded_at) in restored {
            if let Some(reading) = self.scheduler.reading(&id) {
                self.store.restore(
                    &id,
                    reading,
                    (at, succeeded_at),
                    self.config.poll.stale_after,
                    now,
                );
            }
        }
        for target in targets.iter().filter(|target| target.id.kind == Kind::Discovery) {
            self.list(&target.id, now);
        }
        self.store.planned(self.scheduler.planned_polls());
        Retargeted { targets, added, gone }
    }

    /// What to do next.
    pub fn next(&mut self, now: Timestamp) -> Next {
        self.scheduler.next(now)
    }

    /// Handles the outcome of an attempt.
    pub fn done(&mut self, attempt: &Attempt, outcome: Outcome, now: Timestamp) {
        self.scheduler.done(attempt, outcome, now);
    }

    /// Returns what has happened since the last call, just before `boot`.
    pub fn take(&mut self, boot: SignedDuration) -> Batch {
        let events = self.scheduler.events();
        let entries = self.entries(&events, boot);
        Batch { entries, events }
    }

    pub(super) fn entries(&mut self, events: &[Event], boot: SignedDuration) -> Vec<Entry> {
        self.journal.entries(&self.scheduler, events, boot)
    }

    /// Notes that the entries of these targets could not be written; they will be returned again.
    pub fn not_written<'a>(&mut self, ids: impl Iterator<Item = &'a TargetId>) {
        self.journal.not_written(ids);
    }

    /// All known state, for a disk that has lost earlier writes.
    pub fn whole(&mut self, boot: SignedDuration) -> Vec<Entry> {
        self.journal.whole(&self.scheduler, boot)
    }

    /// Publishes what has happened. Returns all events but the readings, for the log and the
    /// counters; if a directory has changed ([`Event::is_discovery`]), [`Engine::retarget`] must
    /// follow, before the next [`Engine::chores`].
    pub fn publish(&self, events: Vec<Event>, boot: SignedDuration) -> Vec<Event> {
        events.into_iter().filter_map(|event| self.show(event, boot)).collect()
    }

    fn show(&self, event: Event, boot: SignedDuration) -> Option<Event> {
        match &event {
            Event::Reading(..) => {}
            Event::Overdue { target, failure, at } => {
                self.store.overdue(target, failure.clone(), Moment { wall: *at, boot });
            }
            Event::PollEnded { target, failure, lists, ended, took, next, stale_after } => {
                let end = PollEnd {
                    failure: failure.clone(),
                    lists: *lists,
                    ended: Moment { wall: *ended, boot },
                    took: *took,
                    next: *next,
                    stale_after: *stale_after,
                };
                let now = end.ended;
                self.store.poll_ended(target, end);
                if target.kind == Kind::Discovery {
                    self.list(target, now);
                }
            }
            Event::Notice(..) | Event::Waited(..) | Event::Throttling(..) => {}
        }
        let Event::Reading(id, reading, wall) = event else { return Some(event) };
        self.store.record(&id, reading, Moment { wall, boot });
        None
    }

    /// Shows what a discovery target says about the clusters or servers that are polled.
    fn list(&self, id: &TargetId, now: Moment) {
        let Some(Reading::Discovery(reading)) = self.scheduler.reading(id) else { return };
        let listed = |(id, Listed { listing, at }): (Arc<str>, Listed)| {
            (TargetId::listed(&listing, id), (listing, now.remembered(at)))
        };
        let listings = reading.listings.into_iter().map(listed).collect();
        self.store.list(id, &listings, self.config.poll.stale_after);
    }

    /// Periodic work on the disk. This exporter has run for `ran`.
    pub fn chores(&mut self, ran: Duration) -> Chores {
        self.journal.chores(&self.scheduler, ran)
    }

    /// Handles the outcome of the last chores.
    pub fn chores_done(&mut self, done: Done) {
        self.journal.chores_done(done);
    }

    /// Planned calls per minute of each budget.
    pub fn planned(&self) -> BTreeMap<BudgetKey, f64> {
        self.scheduler.planned()
    }

    /// State of each budget.
    pub fn budgets(&mut self, now: Timestamp) -> Vec<(BudgetKey, BudgetState)> {
        self.scheduler.budgets(now)
    }
}
