//! A state, or what has changed in one, as bytes: to be copied from one process to another.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::content::{Content, version_of};
use super::tables::{Batch, VERSION_KEY};

/// A state, or what has changed in it since an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Identifies the state: states that differ have different tags.
    pub tag: String,
    /// To be given to [`super::State::adopt`].
    pub bytes: Bytes,
}

/// What there is to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The state, or what has changed in it since the known one.
    New(Contents),
    /// Nothing: the known state is the current one.
    Same,
    /// It cannot be read, or is incomplete; the log says why.
    Unreadable,
}

/// A request for the state of the process that polls.
#[derive(Debug)]
pub struct CopyRequest {
    /// Tag of the state that is known.
    pub known: Option<String>,
    /// Where to send the answer.
    pub answer: oneshot::Sender<Copied>,
}

/// Which keys were written since a state was first copied, and when.
#[derive(Debug)]
pub(super) struct Changes {
    /// Distinguishes the writes of this process from those of another.
    mark: u64,
    /// Number of the last write.
    writes: u64,
    /// Number of the last write of each key.
    keys: HashMap<String, u64>,
}

/// Maximum number of keys whose writes are remembered.
const MAX_KEYS: usize = 1_000_000;

impl Changes {
    /// No write is known yet.
    pub(super) fn new() -> Self {
        Self { mark: rand::random(), writes: 0, keys: HashMap::new() }
    }

    /// A batch is about to be written.
    pub(super) fn note(&mut self, batch: &Batch) {
        if self.keys.len() > MAX_KEYS {
            *self = Self::new();
        }
        self.writes += 1;
        let marked = batch.gone.iter().map(|(key, _)| key).chain(&batch.present);
        let written = batch.entries.iter().map(|(key, _)| key).chain(&batch.dropped);
        self.keys.extend(written.chain(marked).map(|key| (key.clone(), self.writes)));
    }

    /// The tag of the state as it is now.
    pub(super) fn tag(&self) -> String {
        format!("{:x}-{}", self.mark, self.writes)
    }

    /// The keys that were written after the state with this tag; `None` if that is not known.
    pub(super) fn since(&self, tag: &str) -> Option<Vec<&str>> {
        let (mark, write) = tag.split_once('-')?;
        let write: u64 = write.parse().ok().filter(|write| *write <= self.writes)?;
        if mark != format!("{:x}", self.mark) {
            return None;
        }
        let later = self.keys.iter().filter(|(_, last)| **last > write);
        Some(later.map(|(key, _)| key.as_str()).collect())
    }
}

/// A state or a change of one, as it is sent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Tag of the state that is changed; `None` for a whole one.
    pub(super) since: Option<String>,
    entries: Vec<(String, Bytes)>,
    gone: Vec<(String, u64)>,
    present: Vec<String>,
    dropped: Vec<String>,
    /// How much the resulting state holds.
    pub(super) size: Size,
}

/// Number of entries, and of marks of targets that are gone.
pub(super) type Size = (u64, u64);

/// The message with a whole state, or with the `change` to the state with the tag `since`.
pub(super) fn write(since: Option<&str>, change: Batch, size: Size) -> Result<Vec<u8>, String> {
    let Batch { entries, gone, present, dropped } = change;
    let since = since.map(str::to_owned);
    let entries = entries.into_iter().map(|(key, bytes)| (key, bytes.into())).collect();
    let message = Message { since, entries, gone, present, dropped, size };
    rmp_serde::to_vec(&message).map_err(|error| error.to_string())
}

/// The message in `bytes`.
///
/// # Errors
/// Why it cannot be used here.
pub(super) fn read(bytes: &[u8]) -> Result<Message, String> {
    let message: Message =
        rmp_serde::from_slice(bytes).map_err(|error| format!("it is unreadable: {error}"))?;
    if message.since.is_some() {
        return Ok(message);
    }
    let version = message.entries.iter().find(|(key, _)| key == VERSION_KEY);
    match version.map(|(_, version)| version_of(version)) {
        Some(Content::Ours | Content::Older) => Ok(message),
        Some(Content::Newer(what)) => {
            Err(format!("it is of a newer version of this program ({what})"))
        }
        _ => Err("it does not say of which version it is".into()),
    }
}

impl Message {
    /// What to write: into the state that it changes or, if it is whole, into an empty one.
    pub(super) fn batch(self) -> Batch {
        let Self { entries, gone, present, dropped, .. } = self;
        let entries = entries.into_iter().map(|(key, bytes)| (key, bytes.to_vec())).collect();
        Batch { entries, gone, present, dropped }
    }
}

/// What turns the state `from` into the state `to`.
pub(super) fn difference(from: Batch, to: Batch) -> Batch {
    let mut entries: BTreeMap<String, Vec<u8>> = from.entries.into_iter().collect();
    let mut gone: BTreeMap<String, u64> = from.gone.into_iter().collect();
    let changed =
        to.entries.into_iter().filter(|(key, bytes)| entries.remove(key).as_ref() != Some(bytes));
    let changed = changed.collect();
    let went = to.gone.into_iter().filter(|(key, since)| gone.remove(key) != Some(*since));
    let went = went.collect();
    Batch {
        entries: changed,
        gone: went,
        present: gone.into_keys().collect(),
        dropped: entries.into_keys().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{Batch, VERSION_KEY};
    use super::{Changes, difference, read, write};

    fn state(entries: &[(&str, &str)], gone: &[(&str, u64)]) -> Batch {
        let entry = |(key, text): &(&str, &str)| ((*key).to_owned(), text.as_bytes().to_vec());
        let mark = |(key, since): &(&str, u64)| ((*key).to_owned(), *since);
        Batch {
            entries: entries.iter().map(entry).collect(),
            gone: gone.iter().map(mark).collect(),
            ..Batch::default()
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_cut_or_of_another_version_is() {
        let held = || state(&[(VERSION_KEY, "1"), ("a/b", "\0\u{ff}")], &[("a/c", 7)]);
        let bytes = write(None, held(), (2, 1)).unwrap();
        let message = read(&bytes).unwrap();
        assert_eq!((message.size, message.batch()), ((2, 1), held()));
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end} bytes of it");
        }
        let told = |version| read(&write(None, state(version, &[]), (1, 0)).unwrap()).unwrap_err();
        assert!(told(&[(VERSION_KEY, "2")]).contains("newer version"));
        assert!(told(&[(VERSION_KEY, "x")]).contains("which version"));
        assert!(told(&[]).contains("which version"));
    }

    #[test]
    fn what_was_written_since_is_known_of_this_process_only() {
        let mut changes = Changes::new();
        let first = changes.tag();
        changes.note(&state(&[("a", "1"), ("b", "1")], &[]));
        let second = changes.tag();
        let dropped = Batch { dropped: vec!["b".into()], ..state(&[], &[("c", 1)]) };
        changes.note(&Batch { present: vec!["d".into()], ..dropped });
        let since = |tag: &str| {
            let mut keys = changes.since(tag)?;
            keys.sort_unstable();
            Some(keys)
        };
        assert_eq!(since(&first).unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(since(&second).unwrap(), ["b", "c", "d"]);
        assert_eq!(since(&changes.tag()), Some(Vec::new()));
        let ahead = format!("{}9", changes.tag());
        for unknown in ["", "-", "1", "1-1", &ahead, &Changes::new().tag()] {
            assert_eq!(since(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_what_differs_is_changed() {
        let from = state(&[("a", "1"), ("b", "1"), ("c", "1")], &[("a", 1), ("b", 1)]);
        let to = state(&[("a", "1"), ("b", "2"), ("d", "1")], &[("b", 2), ("c", 3)]);
        let wanted = Batch {
            present: vec!["a".into()],
            dropped: vec!["c".into()],
            ..state(&[("b", "2"), ("d", "1")], &[("b", 2), ("c", 3)])
        };
        assert_eq!(difference(from, to), wanted);
        let same = || state(&[("a", "1")], &[("b", 1)]);
        assert!(difference(same(), same()).is_empty());
    }
}
