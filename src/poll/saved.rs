//! What of the polling survives a restart, and when it is written.
//!
//! What has changed is written before it is published, all that has changed at once. What has not is written again now and
//! then, so that after a restart its age is told nearly right, and never as less than it is.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::budget::Hint;
use super::plan::{Memory, MemoryRef};
use super::scheduler::{Event, Scheduler};
use crate::clock::Moment;
use crate::state::{Error, State, encode};
use crate::target::TargetId;

/// What has not changed is written again after this time.
const REWRITE_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The name under which is saved what was learned of the budgets.
const HINTS: &str = "budgets";

/// What is saved of a target.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// When it was last read.
    pub(super) read_at: Option<Timestamp>,
    /// When a poll of it last succeeded: one that fails in part has read something all the same.
    pub(super) succeeded_at: Option<Timestamp>,
    /// What its plan knew.
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
    /// As what, and when since boot.
    written: HashMap<TargetId, (u64, SignedDuration)>,
    succeeded: HashMap<TargetId, Timestamp>,
    hints: Vec<SavedHint>,
    hints_saved: bool,
}

/// Labels of a budget, and what was learned of it.
type SavedHint = ([String; 4], Hint);

impl Saving {
    /// Opens the file at `path`, if there is one.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let mut state = path.map_or_else(|| Ok(State::in_memory()), State::open)?;
        let hints = state.load(HINTS).unwrap_or_default();
        Ok(Self { state, written: HashMap::new(), succeeded: HashMap::new(), hints, hints_saved: true })
    }

    /// What was known of a target.
    pub(super) fn restore(&mut self, id: &TargetId) -> Option<Saved> {
        let saved = self.state.restore(id)?;
        self.succeeded.extend(saved.succeeded_at.map(|at| (id.clone(), at)));
        Some(saved)
    }

    /// A poll of a target has succeeded.
    pub(super) fn succeeded(&mut self, id: &TargetId, at: Timestamp) {
        self.succeeded.insert(id.clone(), at);
    }

    /// Keeps what is known of targets that are no longer polled.
    pub(super) fn park(&mut self, gone: Vec<(TargetId, Memory)>) {
        for (id, _) in &gone {
            self.written.remove(id);
            self.succeeded.remove(id);
        }
        let saved = |(id, memory)| (id, Saved { read_at: None, succeeded_at: None, memory });
        self.state.park(gone.into_iter().map(saved).collect());
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
        }
    }

    /// What is to be written of a target that was read, if it is not in the file already.
    fn entry(&mut self, scheduler: &Scheduler, id: &TargetId, at: Moment) -> Option<(TargetId, Vec<u8>)> {
        let memory = scheduler.memory(id)?;
        let hash = hash(&encode(&memory)?);
        let is_written =
            |(written, when): &(u64, SignedDuration)| *written == hash && at.boot.saturating_sub(*when) < REWRITE_AFTER;
        if self.written.get(id).is_some_and(is_written) {
            return None;
        }
        let bytes =
            encode(&SavedRef { read_at: Some(at.wall), succeeded_at: self.succeeded.get(id).copied(), memory })?;
        self.written.insert(id.clone(), (hash, at.boot));
        Some((id.clone(), bytes))
    }

    /// Waits for the disk, while answers go on coming in.
    async fn write(&mut self, entries: Vec<(TargetId, Vec<u8>)>) {
        let ids: Vec<TargetId> = entries.iter().map(|(id, _)| id.clone()).collect();
        let mut state = std::mem::replace(&mut self.state, State::in_memory());
        let writing = tokio::task::spawn_blocking(move || {
            let written = state.commit(entries);
            (state, written)
        });
        let written;
        (self.state, written) = writing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if !written {
            self.written.retain(|id, _| !ids.contains(id));
        }
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

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
