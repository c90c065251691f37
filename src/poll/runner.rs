//! The async part: makes the attempts that the scheduler wants, and tells others what came of them. Nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{info, warn};

use super::plan::{Notice, operations};
use super::saved::Saving;
use super::scheduler::{Attempt, Event, Next, Scheduler};
use super::since;
use crate::aliyun::{Attempted, Client, Error};
use crate::config::{Account, Config};
use crate::model::{Failure, Reason};
use crate::self_metrics::{Request, SelfMetrics};
use crate::snapshot::{PollEnd, Store};
use crate::state;
use crate::target::{TargetId, targets};

/// It looks around at least this often, should the clock have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// How often the figures of the budgets are brought up to date.
const BUDGETS_EVERY: Duration = Duration::from_secs(5);
/// So many unknown words are told once each; after that none.
const MAX_TOLD_WORDS: usize = 1000;

/// Runs the scheduler.
#[derive(Debug)]
pub struct Runner {
    scheduler: Scheduler,
    saving: Saving,
    clients: HashMap<Arc<str>, Client>,
    store: Arc<Store>,
    metrics: Arc<SelfMetrics>,
    failing: HashMap<TargetId, Reason>,
    told_words: HashSet<(&'static str, &'static str, String)>,
    budgets_at: Option<Instant>,
}

impl Runner {
    /// A runner without targets.
    ///
    /// # Errors
    /// If the state file is in use or cannot be made.
    pub fn new(config: &Config, store: Arc<Store>, metrics: Arc<SelfMetrics>) -> Result<Self, state::Error> {
        Ok(Self {
            scheduler: Scheduler::new(config.poll.clone(), rand::random(), Timestamp::now()),
            saving: Saving::open(config.state_path.as_deref())?,
            clients: HashMap::new(),
            store,
            metrics,
            failing: HashMap::new(),
            told_words: HashSet::new(),
            budgets_at: None,
        })
    }

    /// The only way targets start, change or stop: makes them those of `config`.
    ///
    /// # Errors
    /// If an account's client cannot be made; nothing has changed then.
    pub fn apply(&mut self, config: &Config) -> Result<(), Error> {
        let client = |account: &Account| Ok((Arc::from(account.name.as_str()), Client::new(account, &config.poll)?));
        self.clients = config.accounts.iter().map(client).collect::<Result<_, Error>>()?;
        let (wanted, saving) = (targets(config), &mut self.saving);
        self.metrics.retarget(&wanted);
        for target in &wanted {
            for (product, operation) in operations(target.id.kind) {
                self.metrics.expect_requests(target, product.label(), operation);
            }
        }
        info!(targets = wanted.len(), accounts = config.accounts.len(), "polling");
        self.store.retarget(wanted, config.metrics.clone());
        let mut restored = Vec::new();
        let restore = |id: &TargetId| {
            let saved = saving.restore(id)?;
            restored.extend(saved.read_at.map(|at| (id.clone(), at, saved.succeeded_at)));
            Some(saved.memory)
        };
        let removed = self.scheduler.apply(config, restore, Timestamp::now());
        saving.restore_ceilings(&mut self.scheduler);
        for (id, memory) in removed {
            self.failing.remove(&id);
            self.saving.park(id, memory);
        }
        for (id, at, succeeded_at) in restored {
            if let Some(reading) = self.scheduler.reading(&id) {
                self.store.restore(&id, reading, (at, succeeded_at), config.poll.stale_after);
            }
        }
        self.budgets_at = None;
        Ok(())
    }

    /// Polls until `stop`, under each configuration that `configs` brings.
    pub async fn run(mut self, mut configs: mpsc::Receiver<Config>, mut stop: watch::Receiver<bool>) {
        let mut attempts: JoinSet<Attempted> = JoinSet::new();
        let mut under_way: HashMap<Id, Attempt> = HashMap::new();
        while !*stop.borrow() {
            let pause = self.start_attempts(&mut attempts, &mut under_way);
            self.tell();
            tokio::select! {
                Some(done) = attempts.join_next_with_id() => {
                    self.done(done, &mut under_way);
                    while let Some(done) = attempts.try_join_next_with_id() {
                        self.done(done, &mut under_way);
                    }
                }
                () = tokio::time::sleep(pause) => {}
                Some(config) = configs.recv() => {
                    if let Err(error) = self.apply(&config) {
                        warn!(%error, "the new configuration could not be applied");
                    }
                }
                _ = stop.changed() => {}
            }
        }
    }

    /// Starts what may start now, and tells how long nothing more will.
    fn start_attempts(&mut self, attempts: &mut JoinSet<Attempted>, under_way: &mut HashMap<Id, Attempt>) -> Duration {
        loop {
            let now = Timestamp::now();
            match self.scheduler.next(now) {
                Next::Call(attempt) => {
                    let client = self.clients.get(&attempt.account).cloned();
                    let handle = attempts.spawn(make(client, (*attempt).clone()));
                    under_way.insert(handle.id(), *attempt);
                }
                Next::WakeAt(time) => return since(now, time).min(LONGEST_SLEEP),
                Next::Wait => return LONGEST_SLEEP,
            }
        }
    }

    fn done(&mut self, done: Result<(Id, Attempted), JoinError>, under_way: &mut HashMap<Id, Attempt>) {
        let (id, attempted) = match done {
            Ok(done) => done,
            Err(error) => (error.id(), panicked()),
        };
        let Some(attempt) = under_way.remove(&id) else { return };
        let failure = attempted.outcome.as_ref().err().map(Error::reason);
        let Attempt { account, region, target, operation, .. } = &attempt;
        if let Some(took) = attempted.took {
            self.metrics.attempted(&Request { account, region, target, operation }, failure, took);
        }
        if let Some(client) = self.clients.get(account) {
            self.metrics.credentials_expire(account, client.keep_credentials());
        }
        if let Some(skew) = attempted.clock_skew {
            self.metrics.clock_skew(account, skew);
        }
        if attempted.outcome.as_ref().err().is_none_or(Error::is_answer) {
            self.store.answered(account);
        }
        let outcome = attempted.outcome.map(|decoded| {
            decoded.unknown.into_iter().for_each(|(field, word)| self.unknown(&attempt, field, word));
            decoded.value
        });
        self.scheduler.done(&attempt, outcome, Timestamp::now());
    }

    fn unknown(&mut self, attempt: &Attempt, field: &'static str, word: String) {
        self.metrics.unknown_value(&attempt.operation, field);
        let operation = attempt.operation.name();
        if self.told_words.len() < MAX_TOLD_WORDS && self.told_words.insert((operation, field, word.clone())) {
            warn!(operation, field, word, "a word that this version does not know; it is shown as unknown");
        }
    }

    /// Passes on what the scheduler has to say.
    fn tell(&mut self) {
        let events = self.scheduler.events();
        for event in &events {
            if let Event::PollEnded { target, failure: None, ended, .. } = event {
                self.saving.succeeded(target, *ended);
            }
        }
        let read = events.iter().filter_map(|event| match event {
            Event::Reading(id, _, at) => Some((id.clone(), *at)),
            _ => None,
        });
        self.saving.commit(&self.scheduler, &read.collect::<Vec<_>>());
        for event in events {
            match event {
                Event::Notice(id, notice) => self.notice(&id, notice),
                Event::Reading(id, reading, at) => self.store.record(&id, reading, at),
                Event::Waited(key, wait) => self.metrics.waited(key.labels(), wait),
                Event::PollEnded { target, failure, ended, took, next, stale_after } => {
                    self.metrics.poll_ended(target.kind, failure.as_ref().map(|failure| failure.reason));
                    self.tell_failure(&target, failure.as_ref());
                    self.store.poll_ended(&target, PollEnd { failure, ended, took, next, stale_after });
                }
            }
        }
        if self.budgets_at.is_none_or(|last| last.elapsed() >= BUDGETS_EVERY) {
            self.budgets_at = Some(Instant::now());
            // Also of accounts whose targets are asked more seldom than credentials last.
            for (account, client) in &self.clients {
                self.metrics.credentials_expire(account, client.keep_credentials());
            }
            self.saving.commit_ceilings(&self.scheduler);
            let planned = self.scheduler.planned();
            let quotas = self.scheduler.quotas();
            let of = |key| planned.get(key).copied().unwrap_or_default();
            self.metrics.budgets(quotas.map(|(key, quota)| (key.labels(), quota, of(key))));
        }
    }

    fn notice(&self, id: &TargetId, notice: Notice) {
        let (kind, target) = (id.kind.label(), &*id.id);
        match notice {
            Notice::Ended { id, status, exit_code } => info!(kind, target, id = &*id, status, exit_code, "ended"),
            Notice::Lost { id: thing } => {
                self.metrics.lost(id.kind);
                warn!(kind, target, id = &*thing, "lost: it was open, and its end could not be learned");
            }
            Notice::Truncated => {
                self.metrics.truncated(id.kind);
                warn!(kind, target, "the list is longer than poll.history_max_pages: the rest of it was not read");
            }
        }
    }

    /// Says once that a target fails, and once that it has recovered.
    fn tell_failure(&mut self, id: &TargetId, failure: Option<&Failure>) {
        let (kind, target) = (id.kind.label(), &*id.id);
        match failure {
            Some(Failure { reason, message, advice }) => {
                if self.failing.insert(id.clone(), *reason) != Some(*reason) {
                    warn!(kind, target, reason = reason.label(), error = message, advice, "poll failed");
                }
            }
            None => {
                if self.failing.remove(id).is_some() {
                    info!(kind, target, "poll succeeded again");
                }
            }
        }
    }
}

async fn make(client: Option<Client>, attempt: Attempt) -> Attempted {
    match client {
        Some(client) => client.attempt(&attempt.region, &attempt.operation).await,
        None => not_made(Error::Credentials(format!("there is no account {:?} any more", attempt.account))),
    }
}

/// What an attempt comes to whose code has panicked: the target goes on at its next tick.
fn panicked() -> Attempted {
    not_made(Error::Transport("a bug in this program: the attempt panicked".into()))
}

fn not_made(error: Error) -> Attempted {
    Attempted { outcome: Err(error), clock_skew: None, took: None }
}
