//! The async part: makes the attempts that the scheduler requests, and passes on their outcomes.
//! Nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::info;

use super::clients::{Clients, clients, route_warnings};
use super::disk::Disk;
use super::engine::Engine;
use super::rate_limiter::BudgetKey;
use super::report::Report;
use super::scheduler::{Attempt, Event, Next};
use super::time::since;
use super::tracker::operations;
use crate::aliyun::{Attempted, Client, Error, SetupError, error_of};
use crate::clock::Moment;
use crate::config::Config;
use crate::model::{ApiLabels, BudgetState, Login, PermissionChange, PlannedBudget, Reason};
use crate::self_metrics::{Request, SelfMetrics};
use crate::state::{self, CopyRequest};
use crate::store::{Store, UnknownWord};
use crate::target::{Target, polled};
use crate::term::Term;

/// Maximum sleep, in case the clock is set.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// Pause between two updates of the targets by a directory, as a multiple of the time that the last
/// one took: each page of a long list changes the directory.
const REST: u32 = 4;
/// Interval at which the figures of the budgets are updated.
const BUDGETS_EVERY: Duration = Duration::from_secs(5);

/// A configuration that is to be polled from now on.
#[derive(Debug)]
pub struct NewConfig {
    /// The configuration.
    pub config: Arc<Config>,
    /// Receives whether it is polled; if not, the one before still is.
    pub applied: oneshot::Sender<Result<(), SetupError>>,
}

/// Runs the engine.
#[derive(Debug)]
pub struct Runner {
    /// Number of targets.
    targets: usize,
    engine: Engine,
    /// Whether a directory has changed since the targets were set, and when they may follow it.
    is_behind: bool,
    follows_at: Instant,
    disk: Disk,
    /// When polling began, by a clock that cannot be set and stands still while the machine sleeps.
    began: Instant,
    clients: Clients,
    store: Arc<Store>,
    metrics: Arc<SelfMetrics>,
    report: Report,
    budgets_at: Option<Instant>,
    longest_attempt: Duration,
    term: Term,
    copies: mpsc::Receiver<CopyRequest>,
}

/// Keeps a copy of the state of another process, until this one polls.
#[derive(Debug)]
pub struct Standby {
    disk: Disk,
}

impl Standby {
    /// A standby with its own state file.
    ///
    /// # Errors
    /// If the file is in use or cannot be used.
    pub fn new(config: &Config) -> Result<Self, state::Error> {
        Ok(Self { disk: Disk::open(config)? })
    }

    /// Whether anything is known of any target.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn knows_targets(&mut self) -> Result<bool, state::Error> {
        self.disk.knows_targets()
    }

    /// Tag of the state that this one is a copy of.
    pub fn copy_of(&self) -> Option<String> {
        self.disk.copy_of()
    }

    /// Makes this a copy of the state with this `tag`, which `bytes` hold: whole, or as a change.
    ///
    /// # Errors
    /// Why nothing has changed, or that the state must be copied whole.
    pub async fn adopt(&mut self, bytes: Bytes, tag: String) -> Result<(), String> {
        self.disk.adopt(bytes, tag).await
    }

    /// Polls from the copy on, for as long as `term` lasts, and gives the state to those that ask
    /// for `copies`.
    pub fn lead(
        self,
        config: &Arc<Config>,
        store: Arc<Store>,
        metrics: Arc<SelfMetrics>,
        term: Term,
        copies: mpsc::Receiver<CopyRequest>,
    ) -> Runner {
        Runner { term, copies, ..Runner::with(self.disk, config, store, metrics) }
    }
}

impl Runner {
    /// A runner without targets.
    ///
    /// # Errors
    /// If the state file is in use or cannot be used.
    pub fn new(
        config: &Arc<Config>,
        store: Arc<Store>,
        metrics: Arc<SelfMetrics>,
    ) -> Result<Self, state::Error> {
        Ok(Self::with(Disk::open(config)?, config, store, metrics))
    }

    /// Like [`Runner::new`], as soon as no other process holds the state file; `None` if stopped
    /// first.
    ///
    /// # Errors
    /// If the file found then is not ours, or is of a newer version.
    pub async fn when_free(
        config: &Arc<Config>,
        store: Arc<Store>,
        metrics: Arc<SelfMetrics>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<Self>, state::Error> {
        let disk = Disk::when_free(config, stop).await?;
        Ok(disk.map(|disk| Self::with(disk, config, store, metrics)))
    }

    fn with(
        mut disk: Disk,
        config: &Arc<Config>,
        store: Arc<Store>,
        metrics: Arc<SelfMetrics>,
    ) -> Self {
        let recalled = disk.recall();
        let engine =
            Engine::new(config, Arc::clone(&store), recalled, rand::random(), Timestamp::now());
        Self {
            targets: 0,
            engine,
            is_behind: false,
            follows_at: Instant::now(),
            disk,
            began: Instant::now(),
            clients: Clients::new(),
            store,
            report: Report::new(Arc::clone(&metrics)),
            metrics,
            budgets_at: None,
            longest_attempt: Duration::ZERO,
            term: Term::unlimited(),
            // Closed: nothing asks.
            copies: mpsc::channel(1).1,
        }
    }

    /// The only way targets start, change or stop: sets them to those of `config`, and of what
    /// discovery finds for it.
    ///
    /// # Errors
    /// If an account's client cannot be created; then nothing has changed.
    pub fn apply(&mut self, config: &Arc<Config>) -> Result<(), SetupError> {
        self.clients = clients(config)?;
        self.report.forget_endpoints();
        self.longest_attempt = config.poll.timeout * 3;
        self.store.accounts.forget_logins();
        self.metrics.forget_logins();
        self.engine.reconfigure(Arc::clone(config));
        self.retarget();
        info!(targets = self.targets, accounts = config.accounts.len(), "polling");
        Ok(())
    }

    /// Sets the targets to those of the configuration and of what discovery has found so far.
    /// Returns how many are new, and how many are gone.
    fn retarget(&mut self) -> (usize, usize) {
        self.is_behind = false;
        let disk = &mut self.disk;
        let mut retargeted = self.engine.retarget(|id| disk.restore(id), Moment::now());
        let changed = (retargeted.added.len(), retargeted.gone.len());
        self.disk.retarget(&self.engine, &mut retargeted);
        let targets = retargeted.targets;
        let asked = polled(targets.clone());
        self.metrics.permissions(&self.store.accounts.retarget(&asked));
        for target in &asked {
            self.expect(target);
        }
        self.report.retarget(targets.iter().chain(&asked));
        self.warn_of_endpoints(&asked);
        self.targets = targets.len();
        self.budgets_at = None;
        changed
    }

    fn expect(&self, target: &Target) {
        for action in operations(target) {
            self.metrics.expect_requests(target, *action);
            self.store.accounts.expect(&target.account, *action);
            self.store.budgets.expect(ApiLabels::of(&target.account, &target.region, *action));
        }
    }

    /// Warns once about each doubtful route to `asked`, also in regions that only discovery has
    /// named.
    fn warn_of_endpoints(&mut self, asked: &[Arc<Target>]) {
        let warnings = route_warnings(self.engine.config(), &self.clients, asked);
        for warning in warnings {
            self.report.endpoint(warning);
        }
    }

    /// Applies a change in what discovery has found.
    fn discovered(&mut self) {
        let (appeared, vanished) = self.retarget();
        if appeared > 0 || vanished > 0 {
            info!(
                appeared,
                vanished,
                targets = self.targets,
                "discovery changed the polled targets"
            );
        }
    }

    /// Polls until `stop`, under each configuration that `changes` delivers.
    pub async fn run(
        mut self,
        mut changes: mpsc::Receiver<NewConfig>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut attempts: JoinSet<Attempted> = JoinSet::new();
        let mut under_way: HashMap<Id, Attempt> = HashMap::new();
        while !*stop.borrow() {
            let limit = self.longest_attempt;
            let engine = &mut self.engine;
            let term = &self.term;
            let pause = start_attempts(
                |now| if term.is_over() { Next::Wait } else { engine.next(now) },
                &self.clients,
                term,
                limit,
                &mut attempts,
                &mut under_way,
            );
            if self.tell().await {
                // New targets must not wait until others are due.
                continue;
            }
            tokio::select! {
                Some(done) = attempts.join_next_with_id() => {
                    self.done(done, &mut under_way);
                    while let Some(done) = attempts.try_join_next_with_id() {
                        self.done(done, &mut under_way);
                    }
                }
                () = tokio::time::sleep(pause.min(self.longest_sleep())) => {}
                Some(NewConfig { config, applied }) = changes.recv() => {
                    // Whether the sender still waits does not matter.
                    let _ = applied.send(self.apply(&config));
                }
                Some(CopyRequest { known, answer }) = self.copies.recv() => {
                    let _ = answer.send(self.disk.copy(known).await);
                }
                _ = stop.changed() => {}
            }
        }
        self.disk.close(&mut self.engine, self.began.elapsed());
        self.metrics.stops();
        // From here on another process may take the state file.
    }

    fn longest_sleep(&self) -> Duration {
        let rest = self.follows_at.saturating_duration_since(Instant::now());
        if self.is_behind { rest.min(LONGEST_SLEEP) } else { LONGEST_SLEEP }
    }

    fn done(
        &mut self,
        done: Result<(Id, Attempted), JoinError>,
        under_way: &mut HashMap<Id, Attempt>,
    ) {
        let (id, attempted) = match done {
            Ok(done) => done,
            Err(error) => (error.id(), panicked()),
        };
        let Some(attempt) = under_way.remove(&id) else {
            return debug_assert!(false, "an attempt has ended that was never made");
        };
        let failure = error_of(&attempted.outcome).map(Error::reason);
        self.report.request(&attempt, &attempted);
        let Attempt { account, region, operation, .. } = &attempt;
        if let Some(took) = attempted.took {
            self.metrics.attempted(&Request { account, region, operation }, failure, took);
            self.permitted(&attempt, failure);
            let labels = ApiLabels::of(account, region, operation.action());
            self.store.budgets.requested(labels, failure);
        }
        if let Some(client) = self.clients.get(account) {
            self.logged_in(account, client.keep_credentials());
        }
        if let Some(skew) = attempted.clock_skew {
            self.store.accounts.clock_skew(account, skew);
            self.metrics.clock_skew(account, skew);
        }
        if attempted.outcome.as_ref().err().is_none_or(Error::is_answer) {
            self.store.answered(account);
        }
        self.report.odd(&attempt, &attempted);
        for (field, word) in attempted.outcome.iter().flat_map(|decoded| &decoded.unknown) {
            let product = operation.action().product().label();
            let operation = operation.action().name();
            self.store.exporter.unknown_word(UnknownWord {
                product,
                operation,
                field,
                word: word.clone(),
            });
        }
        self.engine.done(&attempt, attempted.outcome, Timestamp::now());
    }

    /// Records whether an account may call an operation, as far as an answer shows.
    fn permitted(&self, attempt: &Attempt, failure: Option<Reason>) {
        let is_allowed = match failure {
            None => true,
            Some(Reason::Permission) => false,
            Some(_) => return,
        };
        let Attempt { account, target, operation, .. } = attempt;
        let action = operation.action();
        let is_granted = self.store.accounts.permitted(account, action, target, is_allowed);
        if is_granted.is_some() {
            let account = Arc::clone(account);
            self.metrics.permissions(&[PermissionChange { account, action, is_granted }]);
        }
    }

    fn logged_in(&self, account: &Arc<str>, login: Login) {
        self.metrics.logged_in(account, &login);
        self.store.accounts.logged_in(account, login);
    }

    /// Saves and publishes what has happened, logs it and counts it. Returns whether that has
    /// changed the targets.
    async fn tell(&mut self) -> bool {
        // Everything in the batch has happened just now.
        let boot = Moment::now().boot;
        let mut batch = self.engine.take(boot);
        self.disk.commit(&mut self.engine, &mut batch, boot).await;
        let events = self.engine.publish(batch.events, boot);
        self.is_behind |= events.iter().any(Event::is_discovery);
        let throttling = events.iter().any(|event| matches!(event, Event::Throttling(..)));
        let planned = if throttling { Some(self.engine.planned()) } else { None };
        for event in events {
            match event {
                Event::Notice(id, notice) => self.report.notice(&id, notice),
                Event::Overdue { target, failure, .. } => {
                    self.report.poll_overdue(&target, &failure)
                }
                Event::Waited(key, wait) => {
                    self.metrics.waited(&key.api_labels(), wait);
                    self.store.budgets.waited(key.api_labels(), wait);
                }
                Event::Throttling(key, change, state) => {
                    let planned = planned.as_ref().and_then(|planned| planned.get(&key));
                    self.report.throttling(
                        &key,
                        change,
                        &state,
                        planned.copied().unwrap_or_default(),
                    );
                }
                Event::PollEnded { target, failure, .. } => {
                    self.report.poll_ended(&target, failure.as_ref())
                }
                Event::Reading(..) => debug_assert!(false, "the engine shows readings itself"),
            }
        }
        let is_due =
            throttling || self.budgets_at.is_none_or(|last| last.elapsed() >= BUDGETS_EVERY);
        // Before chores: what is not among the targets by then would be marked as gone.
        let began = Instant::now();
        let follows = self.is_behind && (is_due || began >= self.follows_at);
        if follows {
            self.discovered();
        }
        let saved = self.disk.trouble();
        self.metrics.saved(saved.as_ref().map(Result::is_ok));
        self.store.exporter.unsaved(saved.and_then(Result::err));
        if is_due || follows {
            self.look_around(boot).await;
        }
        if follows {
            self.follows_at = Instant::now() + began.elapsed() * REST;
        }
        follows
    }

    /// Work done every [`BUDGETS_EVERY`], independent of polls.
    async fn look_around(&mut self, boot: SignedDuration) {
        self.budgets_at = Some(Instant::now());
        // Also for accounts that are polled less often than credentials last.
        for (account, client) in &self.clients {
            self.logged_in(account, client.keep_credentials());
        }
        self.disk.tend(&mut self.engine, self.began.elapsed(), boot).await;
        let planned = self.engine.planned();
        let planned_budget = |(key, state): (BudgetKey, BudgetState)| PlannedBudget {
            labels: key.api_labels(),
            state,
            per_minute: planned.get(&key).copied().unwrap_or_default(),
        };
        let budgets = self.engine.budgets(Timestamp::now()).into_iter();
        let budgets: Vec<PlannedBudget> = budgets.map(planned_budget).collect();
        let gone = self.store.budgets.replace(&budgets);
        self.metrics.budgets(&budgets, &gone);
    }
}

/// Starts every attempt that may start now, each with its `limit` and during `term`. Returns the
/// time until the next one.
pub(super) fn start_attempts(
    mut next: impl FnMut(Timestamp) -> Next,
    clients: &Clients,
    term: &Term,
    limit: Duration,
    attempts: &mut JoinSet<Attempted>,
    under_way: &mut HashMap<Id, Attempt>,
) -> Duration {
    loop {
        let now = Timestamp::now();
        match next(now) {
            Next::Call(attempt) => {
                let client = clients.get(&attempt.account).cloned();
                let handle = attempts.spawn(make(client, (*attempt).clone(), term.clone(), limit));
                under_way.insert(handle.id(), *attempt);
            }
            Next::WakeAt(time) => return since(now, time),
            Next::Wait => return Duration::MAX,
        }
    }
}

/// Makes one attempt, cut off after `limit` even while it waits for credentials: a hung attempt
/// would block its target.
async fn make(client: Option<Client>, attempt: Attempt, term: Term, limit: Duration) -> Attempted {
    match client {
        Some(client) => {
            let attempt = client.attempt(&attempt.region, &attempt.operation, &term);
            tokio::time::timeout(limit, attempt)
                .await
                .unwrap_or_else(|_| not_made(Error::Timeout(limit)))
        }
        None => not_made(Error::Credentials(format!(
            "there is no account {:?} any more",
            attempt.account
        ))),
    }
}

/// Result of an attempt that panicked: the target goes on at its next tick.
pub(super) fn panicked() -> Attempted {
    not_made(Error::Transport("a bug in this program: the attempt panicked".into()))
}

fn not_made(error: Error) -> Attempted {
    Attempted { outcome: Err(error), clock_skew: None, took: None, answer: None }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::{Attempt, Runner, make};
    use crate::aliyun::op::{Answer, Decoded, Operation};
    use crate::aliyun::{Attempted, Client, Error};
    use crate::catalog;
    use crate::clock::Moment;
    use crate::config::{Config, Discovery, Endpoints, Filter, Regions};
    use crate::model::{Page, Reason, SeriesUse};
    use crate::poll::Next;
    use crate::self_metrics::SelfMetrics;
    use crate::store::Store;
    use crate::term::Term;

    fn config(servers: &[&str], port: u16) -> Config {
        let servers: Vec<_> =
            servers.iter().map(|id| json!({"id": id, "region": "r", "name": "n"})).collect();
        crate::demo::config(&json!({ "servers": servers }), ([127, 0, 0, 1], port).into())
    }

    fn runner(config: Config) -> (Runner, Arc<Store>) {
        let config = Arc::new(config);
        let store = Arc::new(Store::default());
        let mut runner =
            Runner::new(&config, Arc::clone(&store), Arc::new(SelfMetrics::new().unwrap()))
                .unwrap();
        runner.apply(&config).unwrap();
        (runner, store)
    }

    fn nothing_ran() -> Attempted {
        attempted(Answer::DescribeInvocations(Page::new(Vec::new(), Some(0))))
    }

    fn attempted(value: Answer) -> Attempted {
        let decoded =
            Decoded { value, unknown: Vec::new(), unreadable: 0, has_code: false, error: None };
        Attempted {
            outcome: Ok(decoded),
            clock_skew: None,
            took: Some(Duration::ZERO),
            answer: None,
        }
    }

    #[tokio::test]
    async fn an_attempt_that_panics_harms_its_target_only_and_is_made_again() {
        let (mut runner, store) = runner(config(&["bad", "good"], 1));
        let (mut attempts, mut under_way, mut asked) =
            (JoinSet::new(), HashMap::<_, Attempt>::new(), 0);
        let start = Timestamp::now();
        for second in 0..60 {
            while let Next::Call(attempt) =
                runner.engine.next(start + SignedDuration::from_secs(second))
            {
                let panics = *attempt.target.id == *"bad";
                asked += usize::from(panics);
                let handle = attempts.spawn(async move {
                    assert!(!panics, "a bug that a test has made");
                    nothing_ran()
                });
                under_way.insert(handle.id(), *attempt);
                runner.done(attempts.join_next_with_id().await.unwrap(), &mut under_way);
            }
            runner.tell().await;
        }
        assert!(under_way.is_empty() && asked > 8, "{asked}");
        let views = store.views(Moment::now());
        assert_eq!(
            views.iter().map(|view| view.state.up).collect::<Vec<_>>(),
            [Some(false), Some(true)]
        );
        assert_eq!(views[0].state.failing, Some(Reason::Transport));
    }

    #[tokio::test]
    async fn entries_that_cannot_be_read_are_counted_each_time_and_told_once() {
        let (mut runner, _) = runner(config(&["s"], 1));
        let (mut attempts, mut under_way, start) =
            (JoinSet::new(), HashMap::<_, Attempt>::new(), Timestamp::now());
        let mut asked = 0;
        let counted = |runner: &Runner| {
            let families = runner.metrics.gather(SeriesUse::default());
            let family =
                families.iter().find(|family| family.name() == catalog::UNREADABLE.name).unwrap();
            let metrics = family.get_metric().iter();
            metrics.map(|metric| metric.get_counter().get_value()).sum::<f64>()
        };
        assert_eq!(counted(&runner), 0.0, "it is there from the start");
        for second in 0..300 {
            while let Next::Call(attempt) =
                runner.engine.next(start + SignedDuration::from_secs(second))
            {
                asked += 1;
                let mut attempted = nothing_ran();
                attempted.outcome.as_mut().unwrap().unreadable = 3;
                let handle = attempts.spawn(async { attempted });
                under_way.insert(handle.id(), *attempt);
                runner.done(attempts.join_next_with_id().await.unwrap(), &mut under_way);
            }
            runner.tell().await;
        }
        assert!(asked > 5, "{asked}");
        assert_eq!(counted(&runner), 3.0 * f64::from(asked));
        assert_eq!(runner.report.unreadable, [("SWAS", "DescribeInvocations")].into());
    }

    #[tokio::test]
    async fn a_region_that_only_discovery_names_is_warned_about_once() {
        let mut config = config(&[], 1);
        config.accounts[0].endpoints = Endpoints::default();
        let filter = Filter::default();
        let interval = Duration::from_secs(600);
        let entry = Discovery { account: "demo".into(), regions: Regions::All, filter, interval };
        config.server_discovery.entries = vec![entry];
        let (mut runner, _) = runner(config.clone());
        assert_eq!(runner.report.endpoints, BTreeSet::new());
        let regions = ["cn-hangzhou", "xx-1"].map(Arc::<str>::from);
        let (mut attempts, mut under_way, mut places) =
            (JoinSet::new(), HashMap::<_, Attempt>::new(), BTreeSet::new());
        for second in 0..1300 {
            let now = Timestamp::now() + SignedDuration::from_secs(second);
            while let Next::Call(attempt) = runner.engine.next(now) {
                places.insert(attempt.region.to_string());
                let answered = attempted(match &attempt.operation {
                    Operation::SwasListRegions(_) => {
                        Answer::SwasListRegions(Page::new(regions.to_vec(), None))
                    }
                    _ => Answer::ListInstances(Page::new(Vec::new(), Some(0))),
                });
                let handle = attempts.spawn(async { answered });
                under_way.insert(handle.id(), *attempt);
                runner.done(attempts.join_next_with_id().await.unwrap(), &mut under_way);
            }
            runner.tell().await;
        }
        assert_eq!(places, ["cn-hangzhou", "xx-1"].map(str::to_owned).into());
        let told: Vec<&str> = runner.report.endpoints.iter().map(String::as_str).collect();
        assert!(
            told.len() == 1 && told[0].starts_with("SWAS has no public endpoint in region xx-1"),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn an_attempt_that_waits_for_ever_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = config(&["s"], silent.local_addr().unwrap().port());
        config.poll.timeout = Duration::from_secs(3600);
        let (mut runner, _) = runner(config.clone());
        let Next::Call(attempt) = runner.engine.next(Timestamp::now()) else {
            panic!("nothing is due")
        };
        let client = Client::new(&config.accounts[0], &config.poll, None).unwrap();
        let attempted =
            make(Some(client), *attempt, Term::unlimited(), Duration::from_millis(20)).await;
        assert!(matches!(attempted.outcome, Err(Error::Timeout(_))), "{:?}", attempted.outcome);
    }
}
