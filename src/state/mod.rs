//! What must survive: what plans know of their targets, and what was learned of the cloud's limits. In memory it survives
//! a reload, in a file also a restart.

mod file;

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::target::TargetId;
pub use file::Error;
use file::File;

/// So many targets that are gone are remembered without a file, in case they come back.
const MAX_PARKED: usize = 10_000;

/// What is known of targets. `M` is what a plan knows of its target.
#[derive(Debug)]
pub struct State<M> {
    parked: HashMap<TargetId, M>,
    file: Option<File>,
    /// The last write has failed.
    failing: bool,
}

impl<M: Serialize + DeserializeOwned> State<M> {
    /// A state that knows nothing yet and is gone with the process.
    pub fn in_memory() -> Self {
        Self { parked: HashMap::new(), file: None, failing: false }
    }

    /// The state in the file at `path`, which is made if it is not there. A damaged or foreign file is set aside.
    ///
    /// # Errors
    /// If another process holds the file, or it cannot be made.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { parked: HashMap::new(), file: Some(File::open(path)?), failing: false })
    }

    /// Whether anything committed survives a restart.
    pub fn is_durable(&self) -> bool {
        self.file.is_some()
    }

    /// Makes what is known of `targets`, encoded, survive before it is published. Without a file there is nothing to do: the
    /// plans hold it.
    ///
    /// Whether that was possible; if not, it is told, and the caller tries again.
    pub fn commit(&mut self, targets: Vec<(TargetId, Vec<u8>)>) -> bool {
        let entries: Vec<_> = targets.into_iter().map(|(id, bytes)| (key(&id), bytes)).collect();
        entries.is_empty() || self.write(&entries)
    }

    /// Tells once that nothing can be written, and once that it can be again.
    fn write(&mut self, entries: &[(String, Vec<u8>)]) -> bool {
        let Some(file) = &mut self.file else { return true };
        let written = file.write(entries);
        match &written {
            Err(error) if !self.failing => {
                warn!(%error, "the state cannot be saved; until it can, a restart would go back to what was saved before");
            }
            Ok(()) if self.failing => info!("the state is saved again"),
            _ => {}
        }
        self.failing = written.is_err();
        !self.failing
    }

    /// Keeps what is known of targets that are no longer polled.
    pub fn park(&mut self, gone: Vec<(TargetId, M)>) {
        if self.file.is_some() {
            self.commit(gone.into_iter().filter_map(|(target, memory)| Some((target, encode(&memory)?))).collect());
        } else {
            let room = MAX_PARKED.saturating_sub(self.parked.len());
            self.parked.extend(gone.into_iter().take(room));
        }
    }

    /// Gives back what was known of a target that is polled again.
    pub fn restore(&mut self, target: &TargetId) -> Option<M> {
        let Some(file) = &mut self.file else { return self.parked.remove(target) };
        let saved = file.read(&key(target));
        let bytes = saved.unwrap_or_else(|error| {
            warn!(%error, target = &*target.id, "the state of a target could not be read; it begins anew");
            None
        })?;
        decode(&bytes, &target.id)
    }

    /// Makes `value` survive under `name`. Whether that was possible.
    pub fn save<T: Serialize>(&mut self, name: &str, value: &T) -> bool {
        encode(value).is_none_or(|bytes| self.write(&[(name.to_owned(), bytes)]))
    }

    /// What was saved under `name`.
    pub fn load<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let bytes = self.file.as_mut()?.read(name).ok()??;
        decode(&bytes, name)
    }
}

fn key(target: &TargetId) -> String {
    format!("{}/{}", target.kind.label(), target.id)
}

/// `value` as it stands in the file.
pub fn encode(value: &impl Serialize) -> Option<Vec<u8>> {
    rmp_serde::to_vec_named(value).inspect_err(|error| warn!(%error, "the state could not be encoded")).ok()
}

/// The value that stands in the file as `bytes`; `name` is for the log.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Option<T> {
    let told =
        |error: &rmp_serde::decode::Error| warn!(%error, name, "an entry of the state is unreadable; it begins anew");
    rmp_serde::from_slice(bytes).inspect_err(told).ok()
}

#[cfg(test)]
mod tests {
    use super::{Error, State, encode};
    use crate::target::{Kind, TargetId};

    fn id(name: &str) -> TargetId {
        TargetId { kind: Kind::EhpcTasks, id: name.into() }
    }

    #[test]
    fn in_memory_a_parked_target_is_given_back_once() {
        let mut state = State::in_memory();
        state.park(vec![(id("a"), 7)]);
        assert_eq!((state.restore(&id("a")), state.restore(&id("a"))), (Some(7), None));
    }

    #[test]
    fn what_was_committed_outlives_the_process_and_an_unreadable_entry_harms_only_itself() {
        let folder = super::file::tests::Folder::new("outlives");
        let path = folder.path("state.redb");
        let mut state = State::<String>::open(&path).unwrap();
        state.commit(vec![(id("a"), encode(&"alpha").unwrap()), (id("b"), encode(&"beta").unwrap())]);
        state.save("ceilings", &vec![1, 2]);
        drop(state);
        let mut numbers = State::<Vec<u64>>::open(&path).unwrap();
        assert_eq!(numbers.restore(&id("a")), None);
        assert_eq!(numbers.load::<Vec<u64>>("ceilings"), Some(vec![1, 2]));
        drop(numbers);
        let mut state = State::<String>::open(&path).unwrap();
        assert_eq!(state.restore(&id("b")).as_deref(), Some("beta"));
        assert!(matches!(State::<String>::open(&path), Err(Error::InUse { .. })));
    }
}
