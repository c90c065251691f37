//! What processes with another shard count have left in the folder. When the count changes, targets
//! move: each continues from the file in which it was written last.
//!
//! Processes with different counts never poll at once. Each takes its own file first, and then
//! looks whether a file of another count is held: of two that start together, at least one sees the
//! other and gives its own file back. Files of other counts are never written or removed.

use std::fs::{self, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redb::Database;
use tracing::{info, warn};

use super::content::{self, Content, examine};
use super::error::Error;
use super::file::{self, File, at, regular};
use super::place::Place;
use super::tables::{self, Batch, ENTRIES};

/// Prefix of a key, before the name of a file: the entry is the file's header at the time when all
/// that this process polls had been taken over from it.
const TAKEN: &str = "taken/";

/// A copy, in memory, of what another process left.
#[derive(Debug)]
pub(super) struct Predecessor {
    name: String,
    header: Vec<u8>,
    database: Database,
}

impl Predecessor {
    /// The value of `key`.
    pub(super) fn read(&self, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        tables::read(&self.database, ENTRIES, key)
    }
}

/// Fails if a process with another shard count is polling.
pub(super) fn have_ended(place: &Place) -> Result<(), Error> {
    for path in place.predecessors()? {
        free(&path)?;
    }
    Ok(())
}

/// What there is to take over. `own` is held, so that none of them starts meanwhile.
pub(super) fn read(place: &Place, own: &mut File) -> Result<Vec<Predecessor>, Error> {
    let mut found = Vec::new();
    for path in place.predecessors()? {
        let Some(file) = free(&path)? else { continue };
        let failed = |error| Error::io(&path, "reading it", error);
        let header = content::header(&file).map_err(failed)?.to_vec();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if own.read(&format!("{TAKEN}{name}"))?.as_ref() == Some(&header) {
            continue;
        }
        let database = match examine(&file).map_err(failed)? {
            Content::Nothing(_) => continue,
            Content::Ours | Content::Repairable | Content::Older => content::open_copy(&file)
                .map_err(|error| Error::Unusable { path, error: error.to_string() })?,
            Content::Damaged(error) => {
                warn!(
                    error,
                    path = %path.display(),
                    "a state file that another process left is damaged; what it polled starts empty"
                );
                continue;
            }
            Content::Newer(what) => return Err(Error::Newer { path, what }),
            Content::NotOurs(what) => return Err(Error::NotOurs { path, what }),
        };
        info!(file = name, "taking over what processes with another shard count left");
        found.push(Predecessor { name, header, database });
    }
    Ok(found)
}

/// Notes that there is nothing more to take over.
pub(super) fn note(predecessors: &[Predecessor], batch: &mut Batch) {
    let notes = predecessors.iter().map(|one| (format!("{TAKEN}{}", one.name), one.header.clone()));
    batch.entries.extend(notes);
}

/// A file, locked against processes that would write to it; `None` if it no longer exists.
fn free(path: &Path) -> Result<Option<fs::File>, Error> {
    let Some(metadata) = at(path)? else { return Ok(None) };
    regular(path, &metadata)?;
    let file = match file::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| Error::io(path, "opening it", error))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Polling { path: PathBuf::from(path) }),
        Err(TryLockError::Error(error)) => Err(Error::io(path, "locking it", error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;
    use std::time::Duration;

    use crate::config::{self, Shard};
    use crate::state::{Candidate, Error, Place, State, encode};
    use crate::target::{Kind, TargetId};

    /// What is known of a target, and when that was.
    type Known = (u64, String);

    fn place(folder: &Path, index: u32, count: u32) -> Place {
        let folder = Some(folder.to_owned());
        let settings = config::State { folder, ..config::State::default() };
        Place::of(&settings, Shard { index, count }).unwrap()
    }

    fn open(folder: &Path, index: u32, count: u32) -> Result<State<Known>, Error> {
        State::open(place(folder, index, count))
    }

    fn id(name: &str) -> TargetId {
        TargetId { kind: Kind::EhpcTasks, id: name.into() }
    }

    fn write(state: &mut State<Known>, name: &str, at: u64, what: &str) {
        assert!(state.commit(vec![(id(name), encode(&(at, what)).unwrap())]));
    }

    fn known(state: &mut State<Known>, name: &str) -> Option<Known> {
        state.take_over(&id(name), |known| known.0)
    }

    fn some(at: u64, what: &str) -> Option<Known> {
        Some((at, what.to_owned()))
    }

    /// Notes that all targets are known.
    fn sweep(state: &mut State<Known>, names: &[&str]) {
        let present: Vec<TargetId> = names.iter().map(|name| id(name)).collect();
        state.returned(&present);
        assert!(state.sweep(&HashSet::from_iter(present), Duration::ZERO));
    }

    #[test]
    fn a_target_goes_on_from_the_file_that_was_written_last_whatever_number_polled_before() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut alone = open(folder, 0, 1).unwrap();
        write(&mut alone, "a", 1, "one process");
        write(&mut alone, "b", 1, "one process");
        assert!(alone.save("budgets", &1));
        drop(alone);
        let mut first = open(folder, 0, 2).unwrap();
        let mut second = open(folder, 1, 2).unwrap();
        assert_eq!(second.left::<u64>("budgets"), [1]);
        assert_eq!(known(&mut first, "a"), some(1, "one process"));
        assert_eq!(known(&mut second, "b"), some(1, "one process"));
        assert_eq!(known(&mut second, "c"), None);
        sweep(&mut first, &["a"]);
        sweep(&mut second, &["b"]);
        write(&mut second, "b", 2, "two processes");
        drop((first, second));
        // It was written before it was first polled, and nothing more is read from the old file.
        let mut first = open(folder, 0, 2).unwrap();
        assert!(first.left::<u64>("budgets").is_empty());
        assert_eq!(first.restore(&id("a")), some(1, "one process"));
        drop(first);
        let mut alone = open(folder, 0, 1).unwrap();
        assert_eq!(known(&mut alone, "a"), some(1, "one process"));
        assert_eq!(known(&mut alone, "b"), some(2, "two processes"));
    }

    #[test]
    fn nothing_is_noted_as_taken_over_before_all_targets_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(&mut open(folder, 0, 2).unwrap(), "a", 1, "two");
        let mut state = open(folder, 0, 3).unwrap();
        assert_eq!(known(&mut state, "a"), some(1, "two"));
        drop(state);
        let mut state = open(folder, 0, 3).unwrap();
        assert_eq!(known(&mut state, "a"), some(1, "two"), "it was not written");
    }

    #[test]
    fn processes_of_two_numbers_do_not_poll_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let old = open(folder, 1, 3).unwrap();
        let refused = open(folder, 0, 4).unwrap_err();
        assert!(matches!(&refused, Error::Polling { path } if path.ends_with("shard-1-of-3.redb")));
        let mut candidate = Candidate::new(place(folder, 0, 4));
        assert!(candidate.take::<Known>().unwrap_err().is_in_use());
        // A waiting process holds no file of its own, so the old ones may restart.
        let other = open(folder, 2, 3).unwrap();
        drop(old);
        assert!(candidate.take::<Known>().unwrap_err().is_in_use());
        drop(other);
        let new = candidate.take::<Known>().unwrap();
        assert!(open(folder, 1, 3).unwrap_err().is_in_use());
        assert!(open(folder, 1, 4).is_ok(), "it has the same number");
        drop(new);
        assert!(open(folder, 1, 3).is_ok());
    }

    #[test]
    fn what_was_left_is_not_changed_and_a_damaged_file_harms_only_what_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(&mut open(folder, 0, 2).unwrap(), "a", 1, "two");
        write(&mut open(folder, 1, 2).unwrap(), "b", 1, "two");
        let path = folder.join("shard-1-of-2.redb");
        let mut damaged = std::fs::read(&path).unwrap();
        damaged[4096..].fill(0xff);
        std::fs::write(&path, &damaged).unwrap();
        let whole = std::fs::read(folder.join("shard-0-of-2.redb")).unwrap();
        let mut state = open(folder, 0, 3).unwrap();
        assert_eq!(known(&mut state, "a"), some(1, "two"));
        assert_eq!(known(&mut state, "b"), None);
        sweep(&mut state, &["a", "b"]);
        assert!(std::fs::read(&path).unwrap() == damaged);
        assert!(std::fs::read(folder.join("shard-0-of-2.redb")).unwrap() == whole);
        drop(state);
        std::fs::write(&path, "accounts: []").unwrap();
        assert!(open(folder, 0, 3).unwrap_err().is_of_configuration());
    }
}
