//! What of the polling is to be saved, and when; pure.
//!
//! What has changed is written before it is published, all that has changed at once. What has not
//! is written again now and then, so that after a restart its age is told nearly right, and never
//! as less than it is.
//!
//! What is known of a target that is gone is kept for `state.keep_gone` of running time: the time
//! that exporters have run on this state altogether. No clock that is set, and no stop, brings its
//! end nearer.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::budget::Hint;
use super::scheduler::{Event, Scheduler};
use super::tracker::{Memory, MemoryRef};
use crate::clock::Moment;
use crate::config;
use crate::state::encode;
use crate::target::TargetId;

/// What has not changed is written again after this time.
const REWRITE_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The running time is written after this much of it.
const RUNNING_EVERY: Duration = Duration::from_secs(60);
/// What has been gone for too long is looked for this often, and where `state.keep_gone` is short
/// ten times in it.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// What is known of a target, encoded.
pub type Entry = (TargetId, Vec<u8>);

/// Labels of a budget, and what was learned of it.
pub type SavedHint = ([String; 4], Hint);

/// What is saved of a target.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    /// When it was last read.
    pub read_at: Option<Timestamp>,
    /// When a poll of it last succeeded: one that fails in part has read something all the same.
    pub succeeded_at: Option<Timestamp>,
    /// What its tracker knew.
    pub memory: Memory,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    read_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    memory: MemoryRef<'a>,
}

/// What an earlier exporter has saved beside its targets.
#[derive(Clone, Debug, Default)]
pub struct Recalled {
    /// Whether anything written survives a restart; nothing is encoded else.
    pub is_durable: bool,
    /// What was learned of the cloud's limits.
    pub hints: Vec<SavedHint>,
    /// How long exporters have run on this state.
    pub running: Duration,
}

/// What is to be done to the state now and then, whatever is polled.
#[derive(Debug)]
pub struct Chores {
    /// What was learned of the cloud's limits, if that is to be written.
    pub hints: Option<Vec<SavedHint>>,
    /// How long exporters have run on this state.
    pub running: Duration,
    /// The running time is to be written.
    pub saves_running: bool,
    /// What is gone since before the start is to be found: all but the targets that are present.
    pub sweeps: bool,
    /// What has been gone for longer than this is to be forgotten.
    pub purges: Option<Duration>,
    /// The targets, where they are needed.
    pub present: HashSet<TargetId>,
}

/// Which of the [`Chores`] have come to the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// The hints were written.
    pub hints: bool,
    /// The running time was written.
    pub running: bool,
    /// What is gone was found.
    pub swept: bool,
    /// What has been gone for too long was looked for.
    pub purged: bool,
}

/// What of the targets is saved already, and what is due.
#[derive(Debug)]
pub(super) struct Journal {
    is_durable: bool,
    known: HashMap<TargetId, Recorded>,
    hints: Vec<SavedHint>,
    hints_saved: bool,
    keep_gone: Duration,
    /// How long exporters had run on this state before this one, and how long until now.
    ran_before: Duration,
    running: Duration,
    running_saved: Duration,
    purged: Duration,
    present: HashSet<TargetId>,
    /// What is gone since before the start, by the configuration, is counted.
    swept: bool,
}

/// What is known of a target that is polled.
#[derive(Debug, Default)]
struct Recorded {
    read_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    /// As what it stands in the file, and when since boot it was written.
    written: Option<(u64, SignedDuration)>,
}

impl Journal {
    pub(super) fn new(recalled: Recalled, settings: &config::State) -> Self {
        let Recalled { is_durable, hints, running } = recalled;
        Self {
            is_durable,
            known: HashMap::new(),
            hints,
            hints_saved: true,
            keep_gone: settings.keep_gone,
            ran_before: running,
            running,
            running_saved: running,
            purged: running,
            present: HashSet::new(),
            swept: false,
        }
    }

    /// How long exporters have run on this state.
    pub(super) fn running(&self) -> Duration {
        self.running
    }

    /// What was learned of the cloud's limits.
    pub(super) fn hints(&self) -> &[SavedHint] {
        &self.hints
    }

    /// A target starts with what was saved of it.
    pub(super) fn restored(&mut self, id: &TargetId, saved: &Saved) {
        let Saved { read_at, succeeded_at, .. } = *saved;
        self.known.insert(id.clone(), Recorded { read_at, succeeded_at, written: None });
    }

    /// The targets are these now, and what was known of the others is to be kept for a while.
    pub(super) fn retarget(
        &mut self,
        present: HashSet<TargetId>,
        gone: Vec<(TargetId, Memory)>,
    ) -> Vec<(TargetId, Saved)> {
        self.present = present;
        let park = |(id, memory)| {
            self.known.remove(&id);
            (id, Saved { read_at: None, succeeded_at: None, memory })
        };
        gone.into_iter().map(park).collect()
    }

    /// Another configuration may have taken targets away that are known from before it.
    pub(super) fn reconfigured(&mut self, settings: &config::State) {
        self.keep_gone = settings.keep_gone;
        self.swept = false;
    }

    /// What is to be written of the targets that `events` tell were read just now, at `boot`.
    pub(super) fn entries(
        &mut self,
        scheduler: &Scheduler,
        events: &[Event],
        boot: SignedDuration,
    ) -> Vec<Entry> {
        for event in events {
            if let Event::PollEnded { target, failure: None, ended, .. } = event {
                self.known.entry(target.clone()).or_default().succeeded_at = Some(*ended);
            }
        }
        if !self.is_durable {
            return Vec::new();
        }
        let mut entries = Vec::new();
        for event in events {
            if let Event::Reading(id, _, at) = event {
                entries.extend(self.entry(scheduler, id, Moment { wall: *at, boot }));
            }
        }
        entries
    }

    /// What is to be written of a target that was read, if it is not in the file already.
    fn entry(&mut self, scheduler: &Scheduler, id: &TargetId, at: Moment) -> Option<Entry> {
        let memory = scheduler.memory(id)?;
        let hash = hash(&encode(&memory)?);
        let known = self.known.entry(id.clone()).or_default();
        known.read_at = Some(at.wall);
        let is_written = |(written, when): (u64, SignedDuration)| {
            written == hash && at.boot.saturating_sub(when) < REWRITE_AFTER
        };
        if known.written.is_some_and(is_written) {
            return None;
        }
        known.written = Some((hash, at.boot));
        Some((id.clone(), encoded(known, memory)?))
    }

    /// These entries could not be written.
    pub(super) fn not_written<'a>(&mut self, ids: impl Iterator<Item = &'a TargetId>) {
        for id in ids {
            self.known.entry(id.clone()).or_default().written = None;
        }
    }

    /// All that is known, for a file that had to be written again.
    pub(super) fn whole(&mut self, scheduler: &Scheduler, boot: SignedDuration) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (id, known) in &mut self.known {
            let Some(memory) = scheduler.memory(id) else { continue };
            known.written = encode(&memory).map(|bytes| (hash(&bytes), boot));
            entries.extend(encoded(known, memory).map(|bytes| (id.clone(), bytes)));
        }
        self.hints_saved = false;
        self.running_saved = Duration::ZERO;
        entries
    }

    /// What is to be done now and then. This exporter has run for `ran`.
    pub(super) fn chores(&mut self, scheduler: &Scheduler, ran: Duration) -> Chores {
        let hints: Vec<SavedHint> =
            scheduler.hints().map(|(key, hint)| (key.labels().map(str::to_owned), hint)).collect();
        if hints != self.hints {
            self.hints = hints;
            self.hints_saved = false;
        }
        self.running = self.ran_before + ran;
        let purge_every = PURGE_EVERY.min(self.keep_gone / 10);
        // A list that was never read whole does not say what there is not.
        let sweeps = !self.swept && scheduler.has_found_all();
        let purges = (self.running - self.purged >= purge_every).then_some(self.keep_gone);
        let present =
            if sweeps || purges.is_some() { self.present.clone() } else { HashSet::new() };
        Chores {
            hints: (!self.hints_saved).then(|| self.hints.clone()),
            running: self.running,
            saves_running: self.is_durable && self.running - self.running_saved >= RUNNING_EVERY,
            sweeps,
            purges,
            present,
        }
    }

    /// What came of the [`Chores`] that were told last.
    pub(super) fn chores_done(&mut self, done: Done) {
        self.hints_saved |= done.hints;
        self.swept |= done.swept;
        if done.running {
            self.running_saved = self.running;
        }
        if done.purged {
            self.purged = self.running;
        }
    }
}

fn encoded(known: &Recorded, memory: MemoryRef<'_>) -> Option<Vec<u8>> {
    encode(&SavedRef { read_at: known.read_at, succeeded_at: known.succeeded_at, memory })
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
