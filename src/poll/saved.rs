//! What of the polling survives a restart, and when it is written.
//!
//! What has changed is written before it is published, all that has changed at once. What has not is written again now and
//! then, so that after a restart its age is told nearly right, and never as less than it is.
//!
//! What is known of a target that is gone is kept for `state.keep_gone` of running time: the time that exporters have run on
//! this state altogether. No clock that is set, and no stop, brings its end nearer.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::warn;

use super::budget::Hint;
use super::scheduler::{Event, Scheduler};
use super::tracker::{Memory, MemoryRef};
use crate::clock::Moment;
use crate::config;
use crate::state::{Candidate, Error, State, encode};
use crate::target::TargetId;

/// What has not changed is written again after this time.
const REWRITE_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The running time is written after this much of it.
const RUNNING_EVERY: Duration = Duration::from_secs(60);
/// What has been gone for too long is looked for this often, and where `state.keep_gone` is short ten times in it.
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// One who stands by tries this often whether the state is free.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// The name under which is saved what was learned of the budgets.
const HINTS: &str = "budgets";
/// The name under which the running time is saved, in seconds.
const RUNNING: &str = "running";

/// What is saved of a target.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// When it was last read.
    pub(super) read_at: Option<Timestamp>,
    /// When a poll of it last succeeded: one that fails in part has read something all the same.
    pub(super) succeeded_at: Option<Timestamp>,
    /// What its tracker knew.
    pub(super) memory: Memory,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    read_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    memory: MemoryRef<'a>,
}

/// The state, and what of it is in the file already.
#[derive(Debug)]
pub(super) struct Saving {
    state: State<Saved>,
    known: HashMap<TargetId, Known>,
    hints: Vec<SavedHint>,
    hints_saved: bool,
    gone: Gone,
}

/// What is known of a target that is polled.
#[derive(Debug, Default)]
struct Known {
    read_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    /// As what it stands in the file, and when since boot it was written.
    written: Option<(u64, SignedDuration)>,
}

/// When targets that are gone are forgotten.
#[derive(Debug)]
struct Gone {
    keep: Duration,
    /// How long exporters had run on this state before this one, and how long until now.
    ran_before: Duration,
    running: Duration,
    running_saved: Duration,
    purged: Duration,
    /// The targets.
    present: HashSet<TargetId>,
    /// What is gone since before the start, by the configuration, is counted.
    swept: bool,
}

/// Labels of a budget, and what was learned of it.
type SavedHint = ([String; 4], Hint);

impl Saving {
    /// Opens the state's file, if there is to be one.
    pub(super) fn open(settings: &config::State) -> Result<Self, Error> {
        let state = settings.path.as_deref().map_or_else(|| Ok(State::in_memory()), State::open)?;
        Ok(Self::of(state, settings.keep_gone))
    }

    /// Stands by until the state's file is free; `None` if it is to stop before that.
    pub(super) async fn when_free(
        settings: &config::State,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<Self>, Error> {
        let Some(path) = &settings.path else { return Self::open(settings).map(Some) };
        let mut candidate = Candidate::new(path);
        let mut is_told = false;
        while !*stop.borrow() {
            let trying = tokio::task::spawn_blocking(move || (candidate.take(), candidate));
            let taken;
            (taken, candidate) = trying.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            match taken {
                Ok(Some(state)) => return Ok(Some(Self::of(state, settings.keep_gone))),
                Ok(None) => {}
                Err(error) if error.is_of_configuration() => return Err(error),
                Err(error) if !is_told => {
                    warn!(%error, "standing by: the state cannot be had; it is tried again each second");
                    is_told = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(TRY_EVERY) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(None)
    }

    fn of(mut state: State<Saved>, keep: Duration) -> Self {
        let hints = state.load(HINTS).unwrap_or_default();
        let running = Duration::from_secs(state.load(RUNNING).unwrap_or_default());
        let gone = Gone {
            keep,
            ran_before: running,
            running,
            running_saved: running,
            purged: running,
            present: HashSet::new(),
            swept: false,
        };
        Self { state, known: HashMap::new(), hints, hints_saved: true, gone }
    }

    /// Why nothing is saved, if that is so; nothing either without a file.
    pub(super) fn trouble(&self) -> Option<Result<(), String>> {
        self.state.is_durable().then(|| self.state.trouble().map_or(Ok(()), |error| Err(error.to_string())))
    }

    /// What was known of a target.
    pub(super) fn restore(&mut self, id: &TargetId) -> Option<Saved> {
        let saved = self.state.restore(id)?;
        let Saved { read_at, succeeded_at, .. } = saved;
        self.known.insert(id.clone(), Known { read_at, succeeded_at, written: None });
        Some(saved)
    }

    /// A poll of a target has succeeded.
    pub(super) fn succeeded(&mut self, id: &TargetId, at: Timestamp) {
        self.known.entry(id.clone()).or_default().succeeded_at = Some(at);
    }

    /// The targets are these now. Of those that are no longer polled it is kept what was known, for a while.
    pub(super) fn retarget(&mut self, present: HashSet<TargetId>, added: &[TargetId], gone: Vec<(TargetId, Memory)>) {
        for (id, _) in &gone {
            self.known.remove(id);
        }
        self.gone.present = present;
        let saved = |(id, memory)| (id, Saved { read_at: None, succeeded_at: None, memory });
        self.state.park(gone.into_iter().map(saved).collect(), self.gone.running);
        self.state.returned(added);
    }

    /// Gives the scheduler back what was learned of the cloud's limits.
    pub(super) fn restore_hints(&self, scheduler: &mut Scheduler) {
        for (labels, hint) in &self.hints {
            scheduler.restore_hint(labels.each_ref().map(String::as_str), hint);
        }
    }

    /// Writes what is known of the targets that `events` tell were read just now, at `boot`. When it returns, it is on the disk.
    pub(super) async fn commit(&mut self, scheduler: &Scheduler, events: &[Event], boot: SignedDuration) {
        if !self.state.is_durable() {
            return;
        }
        let mut entries = Vec::new();
        for event in events {
            if let Event::Reading(id, _, at) = event {
                entries.extend(self.entry(scheduler, id, Moment { wall: *at, boot }));
            }
        }
        if !entries.is_empty() {
            self.write(entries).await;
            self.make_whole(scheduler, boot).await;
        }
    }

    /// What is to be written of a target that was read, if it is not in the file already.
    fn entry(&mut self, scheduler: &Scheduler, id: &TargetId, at: Moment) -> Option<(TargetId, Vec<u8>)> {
        let memory = scheduler.memory(id)?;
        let hash = hash(&encode(&memory)?);
        let known = self.known.entry(id.clone()).or_default();
        known.read_at = Some(at.wall);
        let is_written =
            |(written, when): (u64, SignedDuration)| written == hash && at.boot.saturating_sub(when) < REWRITE_AFTER;
        if known.written.is_some_and(is_written) {
            return None;
        }
        known.written = Some((hash, at.boot));
        Some((id.clone(), encoded(known, memory)?))
    }

    /// Waits for the disk, while answers go on coming in.
    async fn write(&mut self, entries: Vec<(TargetId, Vec<u8>)>) -> bool {
        let ids: Vec<TargetId> = entries.iter().map(|(id, _)| id.clone()).collect();
        let is_written = self.with_state(move |state| state.commit(entries)).await;
        if !is_written {
            for id in &ids {
                self.known.entry(id.clone()).or_default().written = None;
            }
        }
        is_written
    }

    async fn with_state<T: Send + 'static>(&mut self, work: impl FnOnce(&mut State<Saved>) -> T + Send + 'static) -> T {
        let mut state = std::mem::replace(&mut self.state, State::in_memory());
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut state);
            (state, done)
        });
        let done;
        (self.state, done) = working.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        done
    }

    /// Where the file had to be written again, what is known may be missing from it: all of it is written.
    async fn make_whole(&mut self, scheduler: &Scheduler, boot: SignedDuration) {
        if !self.state.is_partial() {
            return;
        }
        let mut entries = Vec::new();
        for (id, known) in &mut self.known {
            let Some(memory) = scheduler.memory(id) else { continue };
            known.written = encode(&memory).map(|bytes| (hash(&bytes), boot));
            entries.extend(encoded(known, memory).map(|bytes| (id.clone(), bytes)));
        }
        (self.hints_saved, self.gone.running_saved) = (false, Duration::ZERO);
        if self.write(entries).await {
            self.state.made_whole();
        }
    }

    /// What is done now and then, whatever is polled: looks after the file, and forgets what has been gone for too long. This
    /// exporter has run for `ran`.
    pub(super) async fn tend(&mut self, scheduler: &Scheduler, ran: Duration, boot: SignedDuration) {
        self.commit_hints(scheduler);
        let gone = &mut self.gone;
        gone.running = gone.ran_before + ran;
        let running = gone.running;
        let purge_every = PURGE_EVERY.min(gone.keep / 10);
        // A list that was never read whole does not say what there is not.
        let sweeps = !gone.swept && scheduler.has_found_all();
        let purges = running - gone.purged >= purge_every;
        let saves = self.state.is_durable() && running - gone.running_saved >= RUNNING_EVERY;
        let keep = gone.keep;
        let present = if sweeps || purges { gone.present.clone() } else { HashSet::new() };
        let (swept, saved) = self
            .with_state(move |state| {
                state.look();
                let swept = sweeps && state.sweep(&present, running);
                if purges {
                    state.purge(&present, running, keep);
                }
                (swept, saves && state.save(RUNNING, &running.as_secs()))
            })
            .await;
        self.gone.swept |= swept;
        if purges {
            self.gone.purged = running;
        }
        if saved {
            self.gone.running_saved = running;
        }
        self.make_whole(scheduler, boot).await;
    }

    /// What is written last, before another exporter may have the file.
    pub(super) fn close(&mut self, scheduler: &Scheduler, ran: Duration) {
        self.commit_hints(scheduler);
        if self.state.is_durable() {
            self.state.save(RUNNING, &(self.gone.ran_before + ran).as_secs());
        }
    }

    /// Another configuration may have taken targets away that are known from before it.
    pub(super) fn reconfigured(&mut self, settings: &config::State) {
        self.gone.keep = settings.keep_gone;
        self.gone.swept = false;
    }

    /// Writes what was learned of the cloud's limits, if that has changed.
    pub(super) fn commit_hints(&mut self, scheduler: &Scheduler) {
        let hints = scheduler.hints().map(|(key, hint)| (key.labels().map(str::to_owned), hint));
        let hints: Vec<SavedHint> = hints.collect();
        if hints != self.hints {
            self.hints = hints;
            self.hints_saved = false;
        }
        if !self.hints_saved {
            self.hints_saved = self.state.save(HINTS, &self.hints);
        }
    }
}

fn encoded(known: &Known, memory: MemoryRef<'_>) -> Option<Vec<u8>> {
    encode(&SavedRef { read_at: known.read_at, succeeded_at: known.succeeded_at, memory })
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use tempfile::TempDir;

    use super::Saving;
    use crate::aliyun::op::{Answer, Decoded};
    use crate::clock::Moment;
    use crate::config::{Config, Discovery, Filter, Regions};
    use crate::model::Page;
    use crate::poll::{Next, Scheduler};
    use crate::target::TargetId;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// A folder that goes with the test.
    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// An exporter that polls these servers, and what is in this region if it looks there.
        fn start(&self, servers: &[&str], looks_in: Option<&str>) -> Session {
            let servers: Vec<_> = servers.iter().map(|id| json!({"id": id, "region": "r", "name": "n"})).collect();
            let mut config = crate::demo::config(&json!({ "servers": servers }), ([127, 0, 0, 1], 1).into());
            config.state.path = Some(self.0.path().join("state.redb"));
            config.server_discovery.entries = looks_in.iter().map(|region| looking(region)).collect();
            let mut scheduler = Scheduler::new(config.poll.clone(), 1, Timestamp::now());
            let mut saving = Saving::open(&config.state).unwrap();
            let restore = |id: &TargetId| Some(saving.restore(id)?.memory);
            let change = scheduler.apply(&config, restore, Timestamp::now());
            let present = change.targets.iter().map(|target| target.id.clone()).collect();
            saving.retarget(present, &change.added, change.removed);
            Session { config, scheduler, saving }
        }
    }

    fn looking(region: &str) -> Discovery {
        let regions = Regions::Named(vec![region.to_owned()]);
        let interval = Duration::from_secs(600);
        Discovery { account: "demo".into(), regions, filter: Filter::default(), interval }
    }

    struct Session {
        config: Config,
        scheduler: Scheduler,
        saving: Saving,
    }

    impl Session {
        /// Saves what is known of every server, and has run for so long in all.
        async fn live(&mut self, ran: Duration) {
            let at = Moment { wall: Timestamp::now(), boot: SignedDuration::ZERO };
            let ids: Vec<TargetId> = self.saving.gone.present.iter().cloned().collect();
            let entries: Vec<_> = ids.iter().filter_map(|id| self.saving.entry(&self.scheduler, id, at)).collect();
            assert!(self.saving.write(entries).await);
            self.tend(ran).await;
        }

        async fn tend(&mut self, ran: Duration) {
            self.saving.tend(&self.scheduler, ran, SignedDuration::ZERO).await;
        }

        /// Reads the whole list of what there is: nothing.
        fn find_nothing(&mut self) {
            for second in 0..60 {
                let now = Timestamp::now() + SignedDuration::from_secs(second);
                while let Next::Call(attempt) = self.scheduler.next(now) {
                    let value = match attempt.operation.name() {
                        "ListInstances" => Answer::ListInstances(Page::new(Vec::new(), Some(0))),
                        _ => Answer::DescribeInvocations(Page::new(Vec::new(), Some(0))),
                    };
                    let decoded = Decoded { value, unknown: Vec::new(), unreadable: 0, error: None };
                    self.scheduler.done(&attempt, Ok(decoded), now);
                }
            }
        }

        fn knows(&mut self, server: &str) -> bool {
            self.saving.restore(&TargetId::server(&Arc::from(server))).is_some()
        }

        /// It ends, after it has run for so long.
        fn end(mut self, ran: Duration) {
            self.saving.close(&self.scheduler, ran);
        }
    }

    #[tokio::test]
    async fn what_a_configuration_takes_away_is_kept_for_its_time_of_running() {
        let folder = Folder::new();
        let mut first = folder.start(&["a", "b"], None);
        assert_eq!(first.config.state.keep_gone, 30 * DAY);
        first.live(40 * DAY).await;
        first.end(40 * DAY);
        // Starts that do nothing bring no end nearer.
        for _ in 0..5 {
            folder.start(&["a"], None).end(Duration::ZERO);
        }
        let mut second = folder.start(&["a"], None);
        second.tend(Duration::ZERO).await;
        second.tend(29 * DAY).await;
        assert!(second.knows("b"));
        second.end(29 * DAY);
        let mut third = folder.start(&["a"], None);
        third.tend(Duration::ZERO).await;
        assert!(third.knows("b"), "29 days");
        third.tend(DAY + Duration::from_secs(3600)).await;
        assert!(!third.knows("b") && third.knows("a"));
    }

    #[tokio::test]
    async fn what_comes_back_is_not_gone_any_more() {
        let folder = Folder::new();
        let mut first = folder.start(&["a", "b"], None);
        first.live(DAY).await;
        first.end(DAY);
        let mut without = folder.start(&["a"], None);
        without.tend(29 * DAY).await;
        without.end(29 * DAY);
        folder.start(&["a", "b"], None).end(DAY);
        let mut again = folder.start(&["a"], None);
        again.tend(Duration::ZERO).await;
        again.tend(29 * DAY).await;
        assert!(again.knows("b"), "its days count from when it went again");
        again.tend(30 * DAY + Duration::from_secs(3600)).await;
        assert!(!again.knows("b"));
    }

    #[tokio::test]
    async fn nothing_is_gone_because_a_list_of_what_there_is_was_not_read() {
        let folder = Folder::new();
        let mut first = folder.start(&["a", "b"], None);
        first.live(DAY).await;
        first.end(DAY);
        // They are to be found now, but the operation that would tell does not answer.
        let mut blind = folder.start(&[], Some("r"));
        for days in [0, 40, 400] {
            blind.tend(days * DAY).await;
        }
        assert!(blind.knows("a") && blind.knows("b"));
        blind.end(400 * DAY);
        let mut seeing = folder.start(&["a"], Some("r"));
        seeing.tend(Duration::ZERO).await;
        seeing.find_nothing();
        assert!(seeing.scheduler.has_found_all());
        seeing.tend(DAY).await;
        seeing.tend(30 * DAY).await;
        assert!(seeing.knows("b"), "29 days since it is certain");
        seeing.tend(31 * DAY).await;
        assert!(!seeing.knows("b") && seeing.knows("a"));
    }
}
