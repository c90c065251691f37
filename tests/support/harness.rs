//! The exporter without sockets, threads and clocks: its engine on a simulated cloud and a
//! simulated disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::aliyun::credentials::Credential;
use aliyun_task_exporter::aliyun::op::{DescribeInvocations, Operation};
use aliyun_task_exporter::aliyun::request::{self, Signer};
use aliyun_task_exporter::aliyun::{Error, RawAnswer, decode, error_of};
use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{Config, Discovery, Filter, Poll, Regions, SwasStrategy};
use aliyun_task_exporter::demo;
use aliyun_task_exporter::exposition::{Encoding, Exposition, Format};
use aliyun_task_exporter::model::{
    BudgetState, EhpcInvocationsReading, EhpcTasksReading, Failure, Reading, Reason,
    SwasInvocationsReading,
};
use aliyun_task_exporter::poll::{
    Attempt, BudgetKey, Chores, Done, Engine, Entry, Event, Next, Notice, Outcome, Recalled, Saved,
    SavedHint, Scheduler, Throttling,
};
use aliyun_task_exporter::secret::Secret;
use aliyun_task_exporter::sim::{Reply, Settings, Simulator, Transfer, World};
use aliyun_task_exporter::state;
use aliyun_task_exporter::store::{Store, View};
use aliyun_task_exporter::target::{Kind, TargetId};
use jiff::{SignedDuration, Timestamp};

use super::start;
use super::truth::finished;

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub struct Made {
    pub sent: Timestamp,
    pub target: TargetId,
    pub operation: Operation,
    pub key: BudgetKey,
    /// `None` if it was answered.
    pub failure: Option<Reason>,
}

/// A poll that has ended.
#[derive(Clone, Debug)]
pub struct Polled {
    pub target: TargetId,
    pub failure: Option<Failure>,
    pub ended: Timestamp,
    pub stale_after: Duration,
}

/// When a kill strikes, relative to saving and publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Nothing was written.
    BeforeCommit,
    /// It is saved but not published.
    AfterCommit,
    /// It is saved and published.
    AfterPublish,
}

/// How often the engine's chores are done.
const CHORES_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// A simulated state file, with what can be asserted about it.
#[derive(Default)]
struct Disk {
    /// What was last written of each target, when it was read by this machine's clock, and when it
    /// was written in true time.
    entries: BTreeMap<TargetId, (Vec<u8>, Timestamp, Timestamp)>,
    hints: Vec<SavedHint>,
    running: Duration,
    /// When each target was first committed.
    first: BTreeMap<TargetId, Timestamp>,
    /// What was last published of each target.
    published: BTreeMap<TargetId, (Reading, Timestamp)>,
    /// When that was, in true time.
    told: BTreeMap<TargetId, Timestamp>,
    writes: usize,
    /// Targets whose last commit failed.
    unsaved: BTreeSet<TargetId>,
    /// Number of commits that will still fail, with nothing reaching the disk.
    failing: u32,
    /// Where to die, and after how many more commits.
    kill: Option<(Kill, u32)>,
}

impl Disk {
    /// Writes the engine's entries of the targets that were read; returns whether that was
    /// possible.
    fn commit(
        &mut self,
        entries: Vec<Entry>,
        read: &[(TargetId, Timestamp)],
        now: Timestamp,
    ) -> bool {
        if entries.is_empty() {
            return true;
        }
        if self.failing > 0 {
            self.failing -= 1;
            self.unsaved.extend(entries.into_iter().map(|(id, _)| id));
            return false;
        }
        for (id, entry) in entries {
            let at = read
                .iter()
                .rev()
                .find(|(read, _)| *read == id)
                .expect("an entry of what was read")
                .1;
            self.unsaved.remove(&id);
            self.first.entry(id.clone()).or_insert(at);
            self.entries.insert(id, (entry, at, now));
            self.writes += 1;
        }
        true
    }

    fn restore(&self, id: &TargetId) -> Option<Saved<'static>> {
        let (bytes, ..) = self.entries.get(id)?;
        Some(state::decode(bytes, &id.id).expect("a readable entry"))
    }

    fn do_chores(&mut self, chores: Chores) -> Done {
        let mut done = Done::default();
        if let Some(hints) = chores.hints {
            self.hints = hints;
            done.hints = true;
        }
        if chores.saves_running {
            self.running = chores.running;
            done.running = true;
        }
        done
    }

    fn recall(&self) -> Recalled {
        Recalled { is_durable: true, hints: self.hints.clone(), running: self.running }
    }
}

/// The chain, with its own time.
pub struct Harness {
    pub config: Config,
    engine: Engine,
    pub sim: Simulator,
    pub store: Arc<Store>,
    pub exposition: Exposition,
    /// The true time, which is the cloud's.
    pub now: Timestamp,
    /// How far this machine's clock is ahead of it.
    pub clock_off: SignedDuration,
    /// How far the cloud's clock was last reported to be ahead of this machine's.
    pub clock_skew: Option<SignedDuration>,
    pub made: Vec<Made>,
    pub polled: Vec<Polled>,
    pub notices: Vec<(TargetId, Notice)>,
    /// Operation, field and word.
    pub unknown: Vec<(&'static str, &'static str, String)>,
    /// Entries that could not be read, by operation.
    pub unreadable: BTreeMap<&'static str, u64>,
    /// Polls that were reported as overdue because the cloud throttles, and when.
    pub overdue: Vec<(TargetId, Failure, Timestamp)>,
    /// Reported changes in throttling, and when.
    pub throttlings: Vec<(BudgetKey, Throttling, BudgetState, Timestamp)>,
    pub most_in_flight: usize,
    in_flight: BTreeMap<(Timestamp, u64), (Attempt, Outcome, Timestamp)>,
    /// When each target was last read, in true time: its values are to be shown for `stale_after`
    /// from then on.
    reads: BTreeMap<TargetId, Timestamp>,
    nonces: u64,
    /// Number of attempts that get this nonce instead of a fresh one.
    pub stuck_nonces: u64,
    disk: Option<Disk>,
    /// Without a disk: what is known of targets that are gone.
    parked: BTreeMap<TargetId, Saved<'static>>,
    /// When the current exporter started, and when its next chores are due.
    started: Timestamp,
    chores_at: Timestamp,
    /// Targets that have not been polled since the restart.
    is_restored: BTreeSet<TargetId>,
    /// It was killed and not restarted yet.
    pub is_dead: bool,
}

impl Harness {
    /// A living world and an exporter that polls all of it at the default cadence.
    pub fn living(settings: Settings) -> Self {
        let sim = Simulator::new(settings, start());
        let config = config_for(&sim);
        Self::new(sim, config)
    }

    /// A scripted world and an exporter that polls all of it at the default cadence.
    pub fn scripted(world: World) -> Self {
        Self::scripted_by(world, SwasStrategy::PerServer)
    }

    /// The same, reading the invocations of servers in this way.
    pub fn scripted_by(world: World, swas_strategy: SwasStrategy) -> Self {
        let sim = Simulator::with_world(Settings::default(), world, start());
        let config = Config { swas_strategy, ..config_for(&sim) };
        Self::new(sim, config)
    }

    pub fn new(sim: Simulator, config: Config) -> Self {
        let store = Arc::new(Store::default());
        let in_force = Arc::new(config.clone());
        let mut harness = Self {
            engine: Engine::new(&in_force, Arc::clone(&store), Recalled::default(), 7, start()),
            exposition: Exposition::new(Arc::clone(&store), config.metrics.clone()),
            store,
            config,
            sim,
            now: start(),
            clock_off: SignedDuration::ZERO,
            clock_skew: None,
            made: Vec::new(),
            polled: Vec::new(),
            notices: Vec::new(),
            unknown: Vec::new(),
            unreadable: BTreeMap::new(),
            overdue: Vec::new(),
            throttlings: Vec::new(),
            most_in_flight: 0,
            in_flight: BTreeMap::new(),
            reads: BTreeMap::new(),
            nonces: 0,
            stuck_nonces: 0,
            disk: None,
            parked: BTreeMap::new(),
            started: start(),
            chores_at: start(),
            is_restored: BTreeSet::new(),
            is_dead: false,
        };
        harness.retarget();
        harness
    }

    /// Sets the targets to those of `config`.
    pub fn apply(&mut self, config: Config) {
        self.engine.reconfigure(Arc::new(config.clone()));
        self.config = config;
        self.retarget();
    }

    /// Sets the targets to those of the configuration and of what discovery has found.
    fn retarget(&mut self) {
        let now = self.moment();
        let disk = &self.disk;
        let parked = &mut self.parked;
        let mut read = Vec::new();
        let restore = |id: &TargetId| {
            let saved = match disk {
                Some(disk) => disk.restore(id)?,
                None => parked.remove(id)?,
            };
            read.extend(saved.read_at.map(|at| (id.clone(), at)));
            Some(saved)
        };
        let retargeted = self.engine.retarget(restore, now);
        self.exposition.configure(self.config.metrics.clone());
        for (id, saved) in retargeted.gone {
            self.reads.remove(&id);
            if let Some(disk) = &mut self.disk {
                let entry = state::encode(&saved).expect("an entry");
                disk.entries.insert(id.clone(), (entry, now.wall, self.now));
                disk.published.remove(&id);
            } else {
                self.parked.insert(id, saved);
            }
        }
        for (id, at) in read {
            self.reads.insert(id, self.now - now.wall.duration_since(at).max(SignedDuration::ZERO));
        }
    }

    /// From now on what is known survives a restart. Call it before the first poll.
    pub fn with_state(mut self) -> Self {
        self.disk = Some(Disk::default());
        self.start(7);
        self
    }

    /// Starts an exporter on what is on the disk.
    fn start(&mut self, seed: u64) {
        let recalled = self.disk.as_ref().map(Disk::recall).unwrap_or_default();
        self.store = Arc::new(Store::default());
        self.exposition = Exposition::new(Arc::clone(&self.store), self.config.metrics.clone());
        let config = Arc::new(self.config.clone());
        self.engine = Engine::new(&config, Arc::clone(&self.store), recalled, seed, self.local());
        self.started = self.now;
        self.chores_at = self.now;
        self.retarget();
    }

    pub fn scheduler(&self) -> &Scheduler {
        self.engine.scheduler()
    }

    /// What is known no longer survives: the state file is gone.
    pub fn lose_state(&mut self) {
        self.disk = Some(Disk::default());
    }

    /// Kills it at the `commits`-th commit from now; [`Harness::is_dead`] shows when.
    pub fn kill_at(&mut self, kill: Kill, commits: u32) {
        self.disk.as_mut().expect("a state").kill = Some((kill, commits));
    }

    /// The next commits fail, as on a full disk. What is then published can be lost by a kill, and
    /// the log says so.
    pub fn lose_writes(&mut self, commits: u32) {
        self.disk.as_mut().expect("a state").failing = commits;
    }

    /// Number of entries written.
    pub fn writes(&self) -> usize {
        self.disk.as_ref().map_or(0, |disk| disk.writes)
    }

    /// What is committed of each target.
    pub fn entries(&self) -> Vec<(TargetId, Vec<u8>)> {
        let entries = self.disk.iter().flat_map(|disk| &disk.entries);
        entries.map(|(id, (entry, ..))| (id.clone(), entry.clone())).collect()
    }

    /// When what is known of a target was first committed.
    pub fn first_commit(&self, id: &TargetId) -> Option<Timestamp> {
        self.disk.as_ref()?.first.get(id).copied()
    }

    /// What was last published of a target, and when it was read; `None` if that could not be
    /// saved.
    pub fn published(&self, id: &TargetId) -> Option<&(Reading, Timestamp)> {
        self.disk.as_ref()?.published.get(id)
    }

    /// Stops the exporter as it is, in-flight attempts included, and starts another one `down`
    /// seconds later on what was committed. Asserts that nothing published is lost.
    pub fn restart(&mut self, down: i64) {
        self.in_flight.clear();
        self.reads.clear();
        self.now += SignedDuration::from_secs(down);
        let now = self.local();
        self.is_restored = self.polled.iter().map(|poll| poll.target.clone()).collect();
        self.is_dead = false;
        self.start(self.nonces);
        let views = self.store.views(self.moment());
        let Some(disk) = &mut self.disk else { return };
        disk.kill = None;
        disk.failing = 0;
        disk.unsaved.clear();
        for (id, (reading, _)) in &disk.published {
            let view = views.iter().find(|view| view.target.id == *id);
            let read_at =
                view.and_then(|view| view.read_at).unwrap_or_else(|| panic!("{id:?} is lost"));
            let restored = self
                .engine
                .scheduler()
                .reading(id)
                .map(|reading| finished(&reading))
                .unwrap_or_default();
            let fewer = finished(reading)
                .into_iter()
                .find(|(word, count)| restored.get(word) < Some(count));
            assert_eq!(fewer, None, "{id:?} has lost what was published: {restored:?}");
            let (_, committed, truly) = &disk.entries[id];
            let older = disk.told[id].duration_since(*truly);
            assert!(
                older < SignedDuration::from_secs(60),
                "{id:?} was told at {}, written at {truly}",
                disk.told[id]
            );
            // If it was read by a clock that was ahead, its age counts as 0.
            assert_eq!(read_at, (*committed).min(now), "{id:?}");
        }
    }

    /// Whether it dies at this commit, and where.
    fn dies(&mut self, events: &[Event]) -> Option<Kill> {
        let (kill, left) = self.disk.as_mut()?.kill.as_mut()?;
        if !events.iter().any(|event| matches!(event, Event::Reading(..))) {
            return None;
        }
        *left = left.saturating_sub(1);
        (*left == 0).then_some(*kill)
    }

    /// The current moment by both clocks of this machine: however the wall clock is set, the other
    /// one advances.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.local(), boot: self.now.duration_since(start()) }
    }

    /// Whether the values of a target must be shown now: for `stale_after` since they were read,
    /// whatever the clocks say.
    pub fn is_fresh(&self, id: &TargetId) -> bool {
        let last = self
            .polled
            .iter()
            .rev()
            .find(|poll| poll.target == *id && !self.is_restored.contains(id));
        let stale_after = last.map_or(self.config.poll.stale_after, |poll| poll.stale_after);
        self.reads.get(id).is_some_and(|read| self.now < *read + stale_after)
    }

    /// This machine's time.
    pub fn local(&self) -> Timestamp {
        self.now + self.clock_off
    }

    /// Runs until this many seconds after the start.
    pub fn run_until(&mut self, seconds: i64) {
        self.run_to(start() + SignedDuration::from_secs(seconds));
    }

    /// Runs for some seconds.
    pub fn run_for(&mut self, seconds: i64) {
        self.run_to(self.now + SignedDuration::from_secs(seconds));
    }

    fn run_to(&mut self, end: Timestamp) {
        loop {
            let wake = self.start_attempts();
            let discovered = self.tell();
            if self.is_dead {
                return;
            }
            if discovered {
                continue;
            }
            let arrival = self.in_flight.keys().next().map(|(time, _)| *time);
            let Some(time) = wake.into_iter().chain(arrival).min().filter(|time| *time <= end)
            else {
                break;
            };
            self.now = self.now.max(time);
            self.finish_attempts();
        }
        self.now = end;
    }

    fn start_attempts(&mut self) -> Option<Timestamp> {
        loop {
            match self.engine.next(self.local()) {
                Next::Call(attempt) => self.make(*attempt),
                Next::WakeAt(time) => {
                    let wake = time - self.clock_off;
                    assert!(wake > self.now, "nothing to do before now");
                    return Some(wake);
                }
                Next::Wait => return None,
            }
        }
    }

    fn make(&mut self, attempt: Attempt) {
        let of_target =
            self.in_flight.values().filter(|(other, ..)| other.target == attempt.target).count();
        assert_eq!(of_target, 0, "{} has two calls at once", attempt.target.id);
        self.nonces += 1;
        let nonce = match self.stuck_nonces.checked_sub(1) {
            Some(left) => {
                self.stuck_nonces = left;
                "stuck".to_owned()
            }
            None => format!("nonce-{}", self.nonces),
        };
        let operation = &attempt.operation;
        let region = &attempt.region;
        let signature = self.config.accounts[0].signature;
        let signer =
            Signer { signature, credential: &credential(), nonce: &nonce, now: self.local() };
        let request = request::build(operation, region, "http://sim", signer).expect("a request");
        let reply = self.sim.handle(&request, self.now);
        let (took, outcome) = self.deliver(operation, reply);
        let arrives = self.now + SignedDuration::try_from(took).expect("a delay");
        self.in_flight.insert((arrives, self.nonces), (attempt, outcome, self.now));
        self.most_in_flight = self.most_in_flight.max(self.in_flight.len());
    }

    /// Another program on the account lists the invocations of a server; returns whether the
    /// cloud's quota allows it.
    pub fn another_program_asks(&mut self, server: &str) -> bool {
        self.nonces += 1;
        let operation = DescribeInvocations { instance_id: server.into(), page: 1 }.into();
        let region = self.config.servers[0].region.clone();
        let nonce = format!("other-{}", self.nonces);
        let signature = self.config.accounts[0].signature;
        let signer = Signer { signature, credential: &credential(), nonce: &nonce, now: self.now };
        let request = request::build(&operation, &region, "http://sim", signer);
        self.sim.handle(&request.expect("a request"), self.now).response.status().is_success()
    }

    /// What the HTTP client makes of a reply, and after how long.
    fn deliver(&mut self, operation: &Operation, reply: Reply) -> (Duration, Outcome) {
        let limit = self.config.poll.timeout;
        let Reply { response, delivery } = reply;
        let body = response.body();
        let transfer = match &delivery.transfer {
            Transfer::Drip(bytes, pause) => {
                *pause * u32::try_from(body.len() / bytes).unwrap_or(u32::MAX)
            }
            _ => Duration::ZERO,
        };
        let took = delivery.delay.saturating_add(transfer);
        if took > limit {
            return (limit, Err(Error::Timeout(limit)));
        }
        let broken = |how: &str| Err(Error::Transport(format!("sim: {how}")));
        let outcome = match delivery.transfer {
            Transfer::Reset => broken("connection reset"),
            Transfer::Truncated(_) => broken("connection closed before the message was complete"),
            _ if body.len() as u64 > self.config.poll.max_response_bytes => {
                Err(Error::TooLarge(self.config.poll.max_response_bytes))
            }
            _ => {
                let sent = self.local();
                let received = sent + SignedDuration::try_from(delivery.delay).expect("a delay");
                let status = response.status().as_u16();
                let headers = response.headers().clone();
                let body = body.clone().into();
                let is_proxied = false;
                let answer = RawAnswer { status, headers, body, sent, received, is_proxied };
                let (outcome, clock_skew) = decode(operation, &answer);
                self.clock_skew = clock_skew.or(self.clock_skew);
                if let Ok(decoded) = &outcome {
                    *self.unreadable.entry(operation.name()).or_default() += decoded.unreadable;
                    let words = decoded.unknown.iter().cloned();
                    self.unknown.extend(words.map(|(field, word)| (operation.name(), field, word)));
                }
                outcome
            }
        };
        (took, outcome)
    }

    fn finish_attempts(&mut self) {
        while let Some(entry) =
            self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now)
        {
            let (attempt, outcome, sent) = entry.remove();
            let failure = error_of(&outcome).map(Error::reason);
            let target = attempt.target.clone();
            let operation = attempt.operation.clone();
            let key = attempt.key.clone();
            self.made.push(Made { sent, target, operation, key, failure });
            let now = self.local();
            self.engine.done(&attempt, outcome, now);
        }
    }

    /// Saves and publishes what has happened; returns whether that changed the targets.
    fn tell(&mut self) -> bool {
        let boot = self.moment().boot;
        let batch = self.engine.take(boot);
        let dies = self.dies(&batch.events);
        self.is_dead = dies.is_some();
        if dies == Some(Kill::BeforeCommit) {
            return false;
        }
        self.commit(batch.entries, &batch.events);
        if dies == Some(Kill::AfterCommit) {
            // Only the process that dies would have counted these notices; tests need them
            // nonetheless.
            let notices = batch.events.into_iter().filter_map(|event| match event {
                Event::Notice(id, notice) => Some((id, notice)),
                _ => None,
            });
            self.notices.extend(notices);
            return false;
        }
        for event in &batch.events {
            if let Event::Reading(id, reading, at) = event {
                self.published_now(id, || reading.clone(), *at);
                self.reads.insert(id.clone(), self.now);
            }
        }
        let events = self.engine.publish(batch.events, boot);
        let has_discovered = events.iter().any(Event::is_discovery);
        for event in events {
            match event {
                Event::Notice(id, notice) => self.notices.push((id, notice)),
                Event::Overdue { target, failure, .. } => {
                    self.overdue.push((target, failure, self.now))
                }
                Event::Throttling(key, change, state) => {
                    self.throttlings.push((key, change, state, self.now))
                }
                Event::PollEnded { target, failure, ended, stale_after, .. } => {
                    self.is_restored.remove(&target);
                    self.polled.push(Polled { target, failure, ended, stale_after });
                }
                Event::Waited(..) => {}
                Event::Reading(..) => panic!("the engine shows readings itself"),
            }
        }
        if has_discovered {
            self.retarget();
        }
        self.do_chores();
        has_discovered
    }

    fn commit(&mut self, entries: Vec<Entry>, events: &[Event]) {
        let Some(disk) = &mut self.disk else {
            assert!(entries.is_empty(), "there is nowhere to write them");
            return;
        };
        let read = events.iter().filter_map(|event| match event {
            Event::Reading(id, _, at) => Some((id.clone(), *at)),
            _ => None,
        });
        let read: Vec<(TargetId, Timestamp)> = read.collect();
        let ids: Vec<TargetId> = entries.iter().map(|(id, _)| id.clone()).collect();
        if !disk.commit(entries, &read, self.now) {
            self.engine.not_written(ids.iter());
        }
    }

    fn do_chores(&mut self) {
        if self.now < self.chores_at {
            return;
        }
        self.chores_at = self.now + CHORES_EVERY;
        let ran = self.now.duration_since(self.started).try_into().expect("time goes on");
        let chores = self.engine.chores(ran);
        if let Some(disk) = &mut self.disk {
            let done = disk.do_chores(chores);
            self.engine.chores_done(done);
        }
    }

    /// Notes what is published to the store, unless it could not be saved.
    fn published_now(&mut self, id: &TargetId, reading: impl FnOnce() -> Reading, at: Timestamp) {
        let Some(disk) = &mut self.disk else { return };
        match disk.unsaved.contains(id) {
            true => _ = disk.published.remove(id),
            false => {
                disk.published.insert(id.clone(), (reading(), at));
                disk.told.insert(id.clone(), self.now);
            }
        }
    }

    /// The targets' part of `/metrics`.
    pub fn page(&self, format: Format) -> String {
        let (body, _) = self.exposition.body(format, Encoding::Identity, self.moment());
        body.frames().iter().map(|frame| std::str::from_utf8(frame).expect("text")).collect()
    }

    pub fn view(&self, id: &TargetId) -> View {
        let views = self.store.views(self.moment());
        views
            .into_iter()
            .find(|view| view.target.id == *id)
            .unwrap_or_else(|| panic!("there is no {id:?}"))
    }

    /// What is shown of a target.
    pub fn reading(&self, id: &TargetId) -> Reading {
        self.view(id)
            .reading
            .map(|reading| (*reading).clone())
            .unwrap_or_else(|| panic!("{id:?} shows nothing"))
    }

    /// The ends that were reported.
    pub fn ends(&self, id: &TargetId) -> impl Iterator<Item = String> {
        let of_target = self.notices.iter().filter(move |(target, _)| target == id);
        of_target.filter_map(|(_, notice)| match notice {
            Notice::Ended { id, .. } => Some(id.to_string()),
            _ => None,
        })
    }

    /// What was reported as lost, each thing once however often it was reported.
    pub fn lost(&self, id: &TargetId) -> BTreeSet<String> {
        let of_target = self.notices.iter().filter(|(target, _)| target == id);
        let lost = of_target.filter_map(|(_, notice)| match notice {
            Notice::Lost { id } => Some(id.to_string()),
            _ => None,
        });
        lost.collect()
    }

    pub fn tasks(&self, cluster: &str) -> EhpcTasksReading {
        match self.view(&id(Kind::EhpcTasks, cluster)).reading.as_deref() {
            Some(Reading::EhpcTasks(reading)) => reading.clone(),
            other => panic!("{cluster}: {other:?}"),
        }
    }

    pub fn commands(&self, cluster: &str) -> EhpcInvocationsReading {
        match self.view(&id(Kind::EhpcInvocations, cluster)).reading.as_deref() {
            Some(Reading::EhpcInvocations(reading)) => reading.clone(),
            other => panic!("{cluster}: {other:?}"),
        }
    }

    pub fn invocations(&self, server: &str) -> SwasInvocationsReading {
        match self.view(&id(Kind::SwasInvocations, server)).reading.as_deref() {
            Some(Reading::SwasInvocations(reading)) => reading.clone(),
            other => panic!("{server}: {other:?}"),
        }
    }

    /// Why the last poll of a target failed.
    pub fn failure(&self, id: &TargetId) -> Option<Failure> {
        self.view(id).failure
    }

    /// The attempts of an operation, in the order in which they ended.
    pub fn of(&self, operation: &str) -> Vec<&Made> {
        self.made.iter().filter(|made| made.operation.name() == operation).collect()
    }

    /// Posts one fault.
    pub fn fault(&mut self, json: &str) {
        self.sim.add_faults(&format!("[{json}]")).unwrap();
    }
}

pub fn id(kind: Kind, id: &str) -> TargetId {
    TargetId { kind, id: id.into() }
}

/// Polls everything in the simulator's world, at the default cadence and quotas.
pub fn config_for(sim: &Simulator) -> Config {
    let address = "127.0.0.1:1".parse().unwrap();
    let mut config = demo::config(&sim.truth(start()), address);
    config.poll = Poll::default();
    config.accounts[0].quotas.clear();
    config
}

/// A configuration that polls only what discovery finds in `regions` of both products, looking
/// every minute.
pub fn discovering(sim: &Simulator, regions: Regions) -> Config {
    let filter = Filter::default();
    let entry =
        Discovery { account: "demo".into(), regions, filter, interval: Duration::from_secs(60) };
    let mut config = config_for(sim);
    config.clusters = Vec::new();
    config.servers = Vec::new();
    config.cluster_discovery.entries = vec![entry.clone()];
    config.server_discovery.entries = vec![entry];
    config
}

fn credential() -> Credential {
    Credential {
        access_key_id: "testid".into(),
        access_key_secret: Secret::new("testsecret"),
        security_token: None,
    }
}
