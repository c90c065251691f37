//! The engine's state file: what it holds, and writing it without holding up answers.

use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;
use tokio::sync::watch;
use tracing::warn;

use super::engine::{Batch, Engine, Retargeted};
use super::journal::{Chores, Done, Entry, Recalled, Saved, SavedHint};
use crate::config::Config;
use crate::state::{Candidate, Copied, Error, Place, State};
use crate::target::TargetId;

/// Interval at which a standby retries to take the state file.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// Key of the saved budget hints.
const HINTS: &str = "budgets";
/// Key of the saved running time, in seconds.
const RUNNING: &str = "running";

/// The state: a file, or memory that is lost when the process ends.
#[derive(Debug)]
pub(super) struct Disk {
    state: State<Saved<'static>>,
}

impl Disk {
    /// Opens the state file, if one is configured.
    pub(super) fn open(config: &Config) -> Result<Self, Error> {
        let place = Place::of(&config.state, config.shard);
        let state = place.map_or_else(|| Ok(State::in_memory()), State::open)?;
        Ok(Self { state })
    }

    /// Waits until the state file is free; `None` if stopped before that.
    pub(super) async fn when_free(
        config: &Config,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<Self>, Error> {
        let Some(place) = Place::of(&config.state, config.shard) else {
            return Self::open(config).map(Some);
        };
        let mut candidate = Candidate::new(place);
        let mut is_told = false;
        while !*stop.borrow() {
            let trying = tokio::task::spawn_blocking(move || (candidate.take(), candidate));
            let taken;
            (taken, candidate) =
                trying.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            match taken {
                Ok(state) => return Ok(Some(Self { state })),
                Err(error) if error.is_in_use() => {}
                Err(error) if error.is_of_configuration() => return Err(error),
                Err(error) if !is_told => {
                    warn!(%error, "standing by: cannot open the state file; retrying every second");
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

    /// What is saved, or what has changed in it since the state whose tag is `known`.
    pub(super) async fn copy(&mut self, known: Option<String>) -> Copied {
        self.with_state(move |state| state.copy(known.as_deref())).await
    }

    /// Becomes a copy of the state with this tag, which `bytes` hold: whole, or as a change.
    pub(super) async fn adopt(&mut self, bytes: Bytes, tag: String) -> Result<(), String> {
        self.with_state(move |state| state.adopt(&bytes, &tag)).await
    }

    /// Tag of the state that this one is a copy of.
    pub(super) fn copy_of(&self) -> Option<String> {
        self.state.copy_of().map(str::to_owned)
    }

    /// Whether anything is known of any target.
    pub(super) fn knows_targets(&mut self) -> Result<bool, Error> {
        self.state.knows_targets()
    }

    /// What an earlier exporter saved besides its targets.
    pub(super) fn recall(&mut self) -> Recalled {
        let mut hints: Vec<SavedHint> = self.state.load(HINTS).unwrap_or_default();
        hints.extend(self.state.left::<Vec<SavedHint>>(HINTS).into_iter().flatten());
        let running: Option<u64> = self.state.load(RUNNING);
        Recalled {
            is_durable: self.state.is_durable(),
            hints,
            running: Duration::from_secs(running.unwrap_or_default()),
        }
    }

    /// `Ok` while saving works, `Err` with the reason while it does not; `None` without a file.
    pub(super) fn trouble(&self) -> Option<Result<(), String>> {
        self.state
            .is_durable()
            .then(|| self.state.trouble().map_or(Ok(()), |error| Err(error.to_string())))
    }

    /// Saved state of a target.
    pub(super) fn restore(&mut self, id: &TargetId) -> Option<Saved<'static>> {
        self.state.take_over(id, |saved| saved.read_at)
    }

    /// Parks the state of removed targets, and clears the removal mark of returned ones.
    pub(super) fn retarget(&mut self, engine: &Engine, retargeted: &mut Retargeted) {
        self.state.park(std::mem::take(&mut retargeted.gone), engine.running());
        self.state.returned(&retargeted.added);
    }

    /// Writes the entries of a batch. On return they are on disk, or the engine knows that they are
    /// not.
    pub(super) async fn commit(
        &mut self,
        engine: &mut Engine,
        batch: &mut Batch,
        boot: SignedDuration,
    ) {
        let entries = std::mem::take(&mut batch.entries);
        if !entries.is_empty() {
            self.write(engine, entries).await;
            self.make_whole(engine, boot).await;
        }
    }

    /// Writes on a blocking thread, so that answers keep arriving.
    async fn write(&mut self, engine: &mut Engine, entries: Vec<Entry>) -> bool {
        let ids: Vec<TargetId> = entries.iter().map(|(id, _)| id.clone()).collect();
        let is_written = self.with_state(move |state| state.commit(entries)).await;
        if !is_written {
            engine.not_written(ids.iter());
        }
        is_written
    }

    async fn with_state<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut State<Saved<'static>>) -> T + Send + 'static,
    ) -> T {
        let mut state = std::mem::replace(&mut self.state, State::in_memory());
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut state);
            (state, done)
        });
        let done;
        (self.state, done) =
            working.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        done
    }

    /// Writes all known state if the file had to be recreated: entries may be missing from it.
    async fn make_whole(&mut self, engine: &mut Engine, boot: SignedDuration) {
        if self.state.is_partial() {
            let entries = engine.whole(boot);
            if self.write(engine, entries).await {
                self.state.made_whole();
            }
        }
    }

    /// Periodic work, independent of polls: checks the file, and purges what has been gone for too
    /// long. This exporter has run for `ran`.
    pub(super) async fn tend(&mut self, engine: &mut Engine, ran: Duration, boot: SignedDuration) {
        let chores = engine.chores(ran);
        let done = self.with_state(move |state| do_chores(state, &chores)).await;
        engine.chores_done(done);
        self.make_whole(engine, boot).await;
    }

    /// The last write, before another exporter may take the file.
    pub(super) fn close(&mut self, engine: &mut Engine, ran: Duration) {
        let chores = engine.chores(ran);
        if let Some(hints) = &chores.hints {
            self.state.save(HINTS, hints);
        }
        if self.state.is_durable() {
            self.state.save(RUNNING, &chores.running.as_secs());
        }
    }
}

fn do_chores(state: &mut State<Saved<'static>>, chores: &Chores) -> Done {
    let hints = chores.hints.as_ref().is_some_and(|hints| state.save(HINTS, hints));
    state.look();
    let swept = chores.sweeps && state.sweep(&chores.present, chores.running);
    if let Some(keep) = chores.purges {
        state.purge(&chores.present, chores.running, keep);
    }
    let running = chores.saves_running && state.save(RUNNING, &chores.running.as_secs());
    Done { hints, running, swept, purged: chores.purges.is_some() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use tempfile::TempDir;

    use super::Disk;
    use crate::aliyun::op::{Answer, Decoded};
    use crate::clock::Moment;
    use crate::config::{Config, Discovery, Filter, Regions};
    use crate::model::Page;
    use crate::poll::{Engine, Event, Next};
    use crate::store::Store;
    use crate::target::TargetId;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// A directory that is deleted after the test.
    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// Starts an exporter that polls these servers and, if a region is given, discovers its
        /// servers.
        fn start(&self, servers: &[&str], looks_in: Option<&str>) -> Session {
            let servers: Vec<_> =
                servers.iter().map(|id| json!({"id": id, "region": "r", "name": "n"})).collect();
            let mut config =
                crate::demo::config(&json!({ "servers": servers }), ([127, 0, 0, 1], 1).into());
            config.state.path = Some(self.0.path().join("state.redb"));
            config.server_discovery.entries =
                looks_in.iter().map(|region| looking(region)).collect();
            let config = Arc::new(config);
            let mut disk = Disk::open(&config).unwrap();
            let store = Arc::new(Store::default());
            let mut engine = Engine::new(&config, store, disk.recall(), 1, Timestamp::now());
            let mut retargeted = engine.retarget(|id| disk.restore(id), Moment::now());
            disk.retarget(&engine, &mut retargeted);
            let present = retargeted.targets.iter().map(|target| target.id.clone()).collect();
            Session { config, engine, disk, present }
        }
    }

    fn looking(region: &str) -> Discovery {
        let regions = Regions::Named(vec![region.to_owned()]);
        let interval = Duration::from_secs(600);
        Discovery { account: "demo".into(), regions, filter: Filter::default(), interval }
    }

    struct Session {
        config: Arc<Config>,
        engine: Engine,
        disk: Disk,
        present: Vec<TargetId>,
    }

    impl Session {
        /// Saves the state of every server, at a total running time of `ran`.
        async fn live(&mut self, ran: Duration) {
            let reading = |id: &TargetId| {
                let reading = self.engine.scheduler().reading(id).unwrap();
                Event::Reading(id.clone(), reading, Timestamp::now())
            };
            let events: Vec<Event> = self.present.iter().map(reading).collect();
            let entries = self.engine.entries(&events, SignedDuration::ZERO);
            assert!(self.disk.write(&mut self.engine, entries).await);
            self.tend(ran).await;
        }

        async fn tend(&mut self, ran: Duration) {
            self.disk.tend(&mut self.engine, ran, SignedDuration::ZERO).await;
        }

        /// Reads the whole server list, which is empty.
        fn find_nothing(&mut self) {
            for second in 0..60 {
                let now = Timestamp::now() + SignedDuration::from_secs(second);
                while let Next::Call(attempt) = self.engine.next(now) {
                    let value = match attempt.operation.name() {
                        "ListInstances" => Answer::ListInstances(Page::new(Vec::new(), Some(0))),
                        _ => Answer::DescribeInvocations(Page::new(Vec::new(), Some(0))),
                    };
                    let decoded = Decoded {
                        value,
                        unknown: Vec::new(),
                        unreadable: 0,
                        has_code: false,
                        error: None,
                    };
                    self.engine.done(&attempt, Ok(decoded), now);
                }
            }
        }

        fn knows(&mut self, server: &str) -> bool {
            self.disk.restore(&TargetId::server(&Arc::from(server))).is_some()
        }

        /// Ends the session at a total running time of `ran`.
        fn end(mut self, ran: Duration) {
            self.disk.close(&mut self.engine, ran);
        }
    }

    #[tokio::test]
    async fn what_a_configuration_takes_away_is_kept_for_its_time_of_running() {
        let folder = Folder::new();
        let mut first = folder.start(&["a", "b"], None);
        assert_eq!(first.config.state.keep_gone, 30 * DAY);
        first.live(40 * DAY).await;
        first.end(40 * DAY);
        // Starts without running time bring no purge nearer.
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
        // Now only discovery could find them, but its operation does not answer.
        let mut blind = folder.start(&[], Some("r"));
        for days in [0, 40, 400] {
            blind.tend(days * DAY).await;
        }
        assert!(blind.knows("a") && blind.knows("b"));
        blind.end(400 * DAY);
        let mut seeing = folder.start(&["a"], Some("r"));
        seeing.tend(Duration::ZERO).await;
        seeing.find_nothing();
        assert!(seeing.engine.scheduler().has_found_all());
        seeing.tend(DAY).await;
        seeing.tend(30 * DAY).await;
        assert!(seeing.knows("b"), "29 days since it is certain");
        seeing.tend(31 * DAY).await;
        assert!(!seeing.knows("b") && seeing.knows("a"));
    }
}
