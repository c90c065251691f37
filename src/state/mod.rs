//! What must survive: what trackers know of their targets, and what was learned about the cloud's
//! limits. In memory it survives a reload, in a file also a restart.

mod access;
mod check;
mod content;
mod copy;
mod disk;
mod error;
mod file;
mod image;
mod place;
mod predecessors;
mod tables;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::target::{Kind, TargetId};
pub use check::{Remark, check};
use copy::Changes;
pub use copy::{Contents, Copied, CopyRequest};
pub use error::Error;
use file::File;
pub use place::Place;
use predecessors::Predecessor;
use tables::Batch;

/// Maximum number of gone targets that are remembered without a file, in case they come back.
const MAX_PARKED: usize = 10_000;

/// What is known of targets. `M` is what a tracker knows of its target.
#[derive(Debug)]
pub struct State<M> {
    /// Without a file: what is known of targets that are gone, and when they went.
    parked: HashMap<TargetId, (M, Duration)>,
    file: Option<File>,
    /// What processes with another shard count left, until it is certain which targets there are.
    predecessors: Vec<Predecessor>,
    /// Taken over from them, and not written yet: keys and bytes.
    handed: Vec<(String, Vec<u8>)>,
    /// Why the last write failed.
    trouble: Option<Error>,
    /// What has changed since this state was first copied.
    changes: Option<Changes>,
    /// Tag of the state of another process that this one is a copy of.
    copy_of: Option<String>,
}

/// Waits for a state that another process holds.
#[derive(Debug)]
pub struct Candidate {
    place: Place,
    own: file::Candidate,
}

impl Candidate {
    /// Waits for the state in `place`; its file need not exist.
    pub fn new(place: impl Into<Place>) -> Self {
        let place = place.into();
        let own = file::Candidate::new(&place.path);
        Self { place, own }
    }

    /// The state, if no other process holds it. Trying neither changes nor damages a file.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn take<M>(&mut self) -> Result<State<M>, Error> {
        predecessors::have_ended(&self.place)?;
        let mut file = self.own.take()?;
        let predecessors = predecessors::read(&self.place, &mut file)?;
        Ok(State { file: Some(file), predecessors, ..State::empty() })
    }
}

impl<M> State<M> {
    fn empty() -> Self {
        Self {
            parked: HashMap::new(),
            file: None,
            predecessors: Vec::new(),
            handed: Vec::new(),
            trouble: None,
            changes: None,
            copy_of: None,
        }
    }
}

impl<M: Serialize + DeserializeOwned> State<M> {
    /// An empty state that is lost when the process ends.
    pub fn in_memory() -> Self {
        Self::empty()
    }

    /// The state in a file, which is created if it does not exist. A damaged one of ours is set
    /// aside.
    ///
    /// # Errors
    /// If another process holds the file, if it is not ours or of a newer version, or if the
    /// operating system reports an error; the file is then left unchanged. In a folder, also if so
    /// for a file of processes with another shard count.
    pub fn open(place: impl Into<Place>) -> Result<Self, Error> {
        let mut candidate = Candidate::new(place);
        file::patiently(|| candidate.take())
    }

    /// Whether commits survive a restart.
    pub fn is_durable(&self) -> bool {
        self.file.is_some()
    }

    /// Why nothing is saved, if that is so.
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    /// Whether the file had to be recreated, so that earlier commits may be missing from it.
    pub fn is_partial(&self) -> bool {
        self.file.as_ref().is_some_and(File::is_partial)
    }

    /// Notes that everything known has been committed again.
    pub fn made_whole(&mut self) {
        self.file.iter_mut().for_each(File::made_whole);
    }

    /// Saves what is known of `targets`, encoded, before it is published. Without a file there is
    /// nothing to do: the trackers have it.
    ///
    /// Returns whether that succeeded; if not, it is logged, and the caller retries.
    pub fn commit(&mut self, targets: Vec<(TargetId, Vec<u8>)>) -> bool {
        let entries: Vec<_> = targets.into_iter().map(|(id, bytes)| (key(&id), bytes)).collect();
        entries.is_empty() || self.write(&Batch { entries, ..Batch::default() })
    }

    /// Checks that the file is still there, and recreates it if not.
    pub fn look(&mut self) {
        let Some(file) = &mut self.file else { return };
        let looked = file.write(&Batch::default());
        // An existing file need not be writable.
        if looked.is_err() || matches!(self.trouble, Some(Error::Replaced { .. })) {
            self.told(looked);
        }
    }

    /// Logs once that nothing can be written, and once that it can be again.
    fn write(&mut self, batch: &Batch) -> bool {
        let Some(file) = &mut self.file else { return true };
        if let Some(changes) = &mut self.changes {
            changes.note(batch);
        }
        let written = file.write(batch);
        self.told(written)
    }

    /// What the file holds, or what has changed in it since the state whose tag is `known`.
    pub fn copy(&mut self, known: Option<&str>) -> Copied {
        let Some(file) = &mut self.file else { return Copied::Unreadable };
        // Entries that are not written again yet would look as if they were dropped.
        if file.is_partial() {
            self.changes = None;
            return Copied::Unreadable;
        }
        let changes = self.changes.get_or_insert_with(Changes::new);
        let tag = changes.tag();
        if known == Some(&tag) {
            return Copied::Same;
        }
        let since = known.and_then(|known| Some((known, changes.since(known)?)));
        let told = |error: Error| error.to_string();
        let copied = match &since {
            Some((_, keys)) => file.some(keys).map_err(told),
            None => file.everything().map_err(told),
        };
        let size = file.size().map_err(told);
        let since = since.map(|(known, _)| known);
        let copied = copied.and_then(|change| copy::write(since, change, size?));
        match copied {
            Ok(bytes) => Copied::New(Contents { tag, bytes: bytes.into() }),
            Err(error) => {
                warn!(error, "the state could not be read for a standby");
                Copied::Unreadable
            }
        }
    }

    /// Tag of the state of another process that this one is a copy of.
    pub fn copy_of(&self) -> Option<&str> {
        self.copy_of.as_deref()
    }

    /// Turns this state into a copy of the one with this `tag`, all or nothing. The `bytes` hold
    /// that state: whole, or as a change.
    ///
    /// # Errors
    /// Why nothing has changed, or that the state must be copied whole.
    pub fn adopt(&mut self, bytes: &[u8], tag: &str) -> Result<(), String> {
        let before = self.copy_of.take();
        let message = copy::read(bytes)?;
        let Some(file) = &mut self.file else { return Err("there is no state file".into()) };
        let told = |error: Error| error.to_string();
        // Notices if the file was emptied or deleted meanwhile: a change is then not enough.
        file.write(&Batch::default()).map_err(told)?;
        let is_change = message.since.is_some();
        if is_change && (message.since != before || file.is_partial()) {
            return Err("it is a change of another state".into());
        }
        let size = message.size;
        let batch = match is_change {
            true => message.batch(),
            false => copy::difference(file.everything().map_err(told)?, message.batch()),
        };
        file.write(&batch).map_err(told)?;
        if file.size().map_err(told)? != size {
            return Err("it holds another number of entries than it should".into());
        }
        file.made_whole();
        self.copy_of = Some(tag.to_owned());
        Ok(())
    }

    /// Whether anything is known of any target.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn knows_targets(&mut self) -> Result<bool, Error> {
        let Some(file) = &mut self.file else { return Ok(false) };
        Ok(file.keys()?.iter().any(|key| is_of_target(key)))
    }

    fn told(&mut self, done: Result<(), Error>) -> bool {
        let is_replaced = |error: &Error| matches!(error, Error::Replaced { .. });
        let trouble = done.err();
        match (&trouble, &self.trouble) {
            (Some(error), before)
                if before.as_ref().map(is_replaced) != Some(is_replaced(error)) =>
            {
                warn!(
                    %error,
                    "the state cannot be saved; until it can, a restart would go back to what was saved before"
                );
            }
            (None, Some(_)) => info!("the state is saved again"),
            _ => {}
        }
        self.trouble = trouble;
        self.trouble.is_none()
    }

    /// Keeps what is known of targets that are no longer polled, because a configuration or a whole
    /// reading of a directory removed them. `running` is how long exporters have run on this state
    /// in total.
    pub fn park(&mut self, gone: Vec<(TargetId, M)>, running: Duration) {
        if gone.is_empty() {
            return;
        }
        if self.file.is_none() {
            let room = MAX_PARKED.saturating_sub(self.parked.len());
            self.parked
                .extend(gone.into_iter().take(room).map(|(id, memory)| (id, (memory, running))));
            return;
        }
        let marks = gone.iter().map(|(id, _)| (key(id), running.as_secs())).collect();
        let entries =
            gone.into_iter().filter_map(|(target, memory)| Some((key(&target), encode(&memory)?)));
        self.write(&Batch { entries: entries.collect(), gone: marks, ..Batch::default() });
    }

    /// Marks as gone, from now on, every saved target that is neither in `present` nor marked yet.
    /// To be called once it is certain which targets there are. Returns whether that succeeded.
    pub fn sweep(&mut self, present: &HashSet<TargetId>, running: Duration) -> bool {
        let Some(file) = &mut self.file else { return true };
        let known = file.keys().and_then(|keys| Ok((keys, file.gone()?)));
        let (keys, counted) = match known {
            Ok(known) => known,
            Err(error) => return self.told(Err(error)),
        };
        let present: HashSet<String> = present.iter().map(key).collect();
        let counted: HashSet<String> = counted.into_iter().map(|(key, _)| key).collect();
        let is_gone =
            |key: &String| is_of_target(key) && !present.contains(key) && !counted.contains(key);
        let gone: Vec<_> =
            keys.into_iter().filter(is_gone).map(|key| (key, running.as_secs())).collect();
        let mut batch = Batch { entries: self.handed.clone(), gone, ..Batch::default() };
        predecessors::note(&self.predecessors, &mut batch);
        let is_written = self.write(&batch);
        if is_written {
            self.handed.clear();
            self.predecessors.clear();
        }
        is_written
    }

    /// Notes that these targets exist: removes their marks as gone, and writes what was taken over
    /// for them.
    pub fn returned(&mut self, present: &[TargetId]) {
        let Some(file) = &mut self.file else { return };
        let counted = file.gone().unwrap_or_default();
        let counted: HashSet<String> = counted.into_iter().map(|(key, _)| key).collect();
        let present: Vec<String> =
            present.iter().map(key).filter(|key| counted.contains(key)).collect();
        let entries = std::mem::take(&mut self.handed);
        if present.is_empty() && entries.is_empty() {
            return;
        }
        let batch = Batch { entries, present, ..Batch::default() };
        if !self.write(&batch) {
            self.handed = batch.entries;
        }
    }

    /// Drops what is known of targets that have been gone for `keep` of running time, and frees the
    /// space.
    pub fn purge(&mut self, present: &HashSet<TargetId>, running: Duration, keep: Duration) {
        self.parked.retain(|_, (_, since)| running.saturating_sub(*since) < keep);
        let Some(file) = &mut self.file else { return };
        let Ok(counted) = file.gone() else { return };
        let present: HashSet<String> = present.iter().map(key).collect();
        let is_due = |(key, since): &(String, u64)| {
            !present.contains(key) && running.saturating_sub(Duration::from_secs(*since)) >= keep
        };
        let dropped: Vec<String> = counted.into_iter().filter(is_due).map(|(key, _)| key).collect();
        let targets = dropped.len();
        if targets == 0 || !self.write(&Batch { dropped, ..Batch::default() }) {
            return;
        }
        info!(targets, "forgotten: targets that have been gone for longer than state.keep_gone");
        if let Some(file) = &mut self.file {
            let compacted = file.compact();
            self.told(compacted);
        }
    }

    /// Returns what is known of a target that is polled again.
    pub fn restore(&mut self, target: &TargetId) -> Option<M> {
        let Some(file) = &mut self.file else {
            return self.parked.remove(target).map(|(memory, _)| memory);
        };
        let saved = file.read(&key(target));
        let bytes = saved.unwrap_or_else(|error| {
            warn!(%error, target = &*target.id, "the state of a target could not be read; it starts empty");
            None
        })?;
        decode(&bytes, &target.id)
    }

    /// Like [`State::restore`], but also from what processes with another shard count left:
    /// whichever was written last, by `age`.
    pub fn take_over<A: Ord>(&mut self, target: &TargetId, age: impl Fn(&M) -> A) -> Option<M> {
        let mut newest = self.restore(target);
        let mut handed = None;
        for predecessor in &self.predecessors {
            let read = predecessor.read(&key(target)).unwrap_or_else(|error| {
                warn!(%error, target = &*target.id, "what was left of a target could not be read");
                None
            });
            let Some(bytes) = read else { continue };
            let Some(left) = decode::<M>(&bytes, &target.id) else { continue };
            if newest.as_ref().is_none_or(|newest| age(newest) < age(&left)) {
                newest = Some(left);
                handed = Some((key(target), bytes));
            }
        }
        self.handed.extend(handed);
        newest
    }

    /// Saves `value` under `name`. Returns whether that succeeded.
    pub fn save<T: Serialize>(&mut self, name: &str, value: &T) -> bool {
        encode(value).is_none_or(|bytes| {
            self.write(&Batch { entries: vec![(name.to_owned(), bytes)], ..Batch::default() })
        })
    }

    /// What was saved under `name`.
    pub fn load<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let bytes = self.file.as_mut()?.read(name).ok()??;
        decode(&bytes, name)
    }

    /// What processes with another shard count saved under `name`.
    pub fn left<T: DeserializeOwned>(&self, name: &str) -> Vec<T> {
        let read = self.predecessors.iter().filter_map(|one| one.read(name).ok()?);
        read.filter_map(|bytes| decode(&bytes, name)).collect()
    }
}

fn key(target: &TargetId) -> String {
    format!("{}/{}", target.kind.label(), target.id)
}

/// Whether an entry belongs to a target.
fn is_of_target(key: &str) -> bool {
    key.split_once('/').is_some_and(|(kind, _)| Kind::ALL.iter().any(|known| known.label() == kind))
}

/// Encodes `value` for the file.
pub fn encode(value: &impl Serialize) -> Option<Vec<u8>> {
    rmp_serde::to_vec_named(value)
        .inspect_err(|error| warn!(%error, "the state could not be encoded"))
        .ok()
}

/// Decodes a value from the file; `name` is for the log.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Option<T> {
    let told = |error: &rmp_serde::decode::Error| warn!(%error, name, "an entry of the state is unreadable; it starts empty");
    rmp_serde::from_slice(bytes).inspect_err(told).ok()
}

#[cfg(test)]
mod tests;
