//! Decides which polling state to save, and when. Pure.
//!
//! Changed state is written before it is published, all changes together. Unchanged state is
//! rewritten now and then, so that after a restart its age is nearly right, and never understated.
//!
//! The state of a target that is gone is kept for `state.keep_gone` of running time: the total time
//! that exporters have run on this state. Neither a clock change nor downtime brings its end
//! nearer.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::budget::Hint;
use super::scheduler::{Event, Scheduler};
use super::tracker::Memory;
use crate::clock::Moment;
use crate::config;
use crate::state::encode;
use crate::target::TargetId;

/// Time after which unchanged state is rewritten.
const REWRITE_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Interval, in running time, at which the running time is written.
const RUNNING_EVERY: Duration = Duration::from_secs(60);
/// Maximum interval between purges of what has been gone for too long; a tenth of `state.keep_gone`
/// if that is shorter.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// Encoded state of a target.
pub type Entry = (TargetId, Vec<u8>);

/// Labels of a budget, and what was learned about it.
pub type SavedHint = ([String; 4], Hint);

/// State of a target, as it is saved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved<'a> {
    /// When it was last read.
    pub read_at: Option<Timestamp>,
    /// When a poll of it last succeeded; one that fails in part still reads something.
    pub succeeded_at: Option<Timestamp>,
    /// Memory of its tracker.
    pub memory: Memory<'a>,
}

/// What an earlier exporter saved besides its targets.
#[derive(Clone, Debug, Default)]
pub struct Recalled {
    /// Whether writes survive a restart; if not, nothing is encoded.
    pub is_durable: bool,
    /// What was learned about the cloud's limits.
    pub hints: Vec<SavedHint>,
    /// Total time that exporters have run on this state.
    pub running: Duration,
}

/// Periodic work on the state, independent of polls.
#[derive(Debug)]
pub struct Chores {
    /// What was learned about the cloud's limits, if it is to be written.
    pub hints: Option<Vec<SavedHint>>,
    /// Total time that exporters have run on this state.
    pub running: Duration,
    /// Whether to write the running time.
    pub saves_running: bool,
    /// Whether to mark every entry without a target in `present` as gone.
    pub sweeps: bool,
    /// Purge what has been gone for longer than this.
    pub purges: Option<Duration>,
    /// All targets, if `sweeps` or `purges` needs them.
    pub present: HashSet<TargetId>,
}

/// Which of the [`Chores`] reached the disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// The hints were written.
    pub hints: bool,
    /// The running time was written.
    pub running: bool,
    /// Entries without a target were marked.
    pub swept: bool,
    /// The purge was made.
    pub purged: bool,
}

/// What is already saved, and what is due.
#[derive(Debug)]
pub(super) struct Journal {
    is_durable: bool,
    known: HashMap<TargetId, Recorded>,
    hints: Vec<SavedHint>,
    hints_saved: bool,
    keep_gone: Duration,
    /// Time that exporters ran on this state before this one; below it, the total until now.
    ran_before: Duration,
    running: Duration,
    running_saved: Duration,
    purged: Duration,
    present: HashSet<TargetId>,
    /// Entries whose target the configuration removed before the start have been marked.
    swept: bool,
}

/// What was saved of a polled target.
#[derive(Debug, Default)]
struct Recorded {
    read_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    /// Hash of what the file holds, and when it was written, as time since boot.
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

    /// Total time that exporters have run on this state.
    pub(super) fn running(&self) -> Duration {
        self.running
    }

    /// What was learned about the cloud's limits.
    pub(super) fn hints(&self) -> &[SavedHint] {
        &self.hints
    }

    /// Notes that a target starts from its saved state.
    pub(super) fn restored(&mut self, id: &TargetId, saved: &Saved<'_>) {
        let Saved { read_at, succeeded_at, .. } = *saved;
        self.known.insert(id.clone(), Recorded { read_at, succeeded_at, written: None });
    }

    /// Replaces the targets. Returns what to keep of the removed ones.
    pub(super) fn retarget(
        &mut self,
        present: HashSet<TargetId>,
        gone: Vec<(TargetId, Memory<'static>)>,
    ) -> Vec<(TargetId, Saved<'static>)> {
        self.present = present;
        let park = |(id, memory)| {
            let Recorded { read_at, succeeded_at, .. } = self.known.remove(&id).unwrap_or_default();
            (id, Saved { read_at, succeeded_at, memory })
        };
        gone.into_iter().map(park).collect()
    }

    /// Handles a new configuration, which may have removed targets known from before.
    pub(super) fn reconfigured(&mut self, settings: &config::State) {
        self.keep_gone = settings.keep_gone;
        self.swept = false;
    }

    /// Entries to write for the targets that `events` report as just read, at `boot`.
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

    /// Entry to write for a target that was read, unless the file already has it.
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

    /// Notes that these entries could not be written.
    pub(super) fn not_written<'a>(&mut self, ids: impl Iterator<Item = &'a TargetId>) {
        for id in ids {
            self.known.entry(id.clone()).or_default().written = None;
        }
    }

    /// All known state, for a file that had to be recreated.
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

    /// Chores that are due. This exporter has run for `ran`.
    pub(super) fn chores(&mut self, scheduler: &Scheduler, ran: Duration) -> Chores {
        let hints: Vec<SavedHint> =
            scheduler.hints().map(|(key, hint)| (key.labels().map(str::to_owned), hint)).collect();
        if hints != self.hints {
            self.hints = hints;
            self.hints_saved = false;
        }
        self.running = self.ran_before + ran;
        let purge_every = PURGE_EVERY.min(self.keep_gone / 10);
        // Until every directory was read whole, it is unknown what does not exist.
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

    /// Handles the outcome of the last [`Chores`].
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

fn encoded(known: &Recorded, memory: Memory<'_>) -> Option<Vec<u8>> {
    encode(&Saved { read_at: known.read_at, succeeded_at: known.succeeded_at, memory })
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
