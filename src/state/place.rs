//! Where the state is: in a file, or in a folder with a file for each process that shares the
//! targets. The name of a file says how many they were.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::Error;
use crate::config::{self, Shard};

/// Where the state of a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) path: PathBuf,
    /// Number of processes that share the folder, if it is one.
    count: Option<u32>,
}

impl<P: Into<PathBuf>> From<P> for Place {
    /// A file.
    fn from(path: P) -> Self {
        Self { path: path.into(), count: None }
    }
}

impl Place {
    /// The place that the settings name for a process; `None` for memory.
    pub fn of(settings: &config::State, shard: Shard) -> Option<Self> {
        let file = || settings.path.clone().map(Self::from);
        settings.folder.as_ref().map_or_else(file, |folder| {
            Some(Self { path: folder.join(name(shard)), count: Some(shard.count) })
        })
    }

    /// The file of this process.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that processes with another shard count have left in the folder, by name.
    pub(super) fn predecessors(&self) -> Result<Vec<PathBuf>, Error> {
        let Some(ours) = self.count else { return Ok(Vec::new()) };
        let folder = super::access::folder(&self.path);
        let failed = |error| Error::io(&folder, "looking for what other processes left", error);
        let entries = match fs::read_dir(&folder) {
            // The first use of the file itself reports it.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.and_then(count).is_some_and(|count| count != ours) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

fn name(shard: Shard) -> String {
    match shard.count {
        ..=1 => "state.redb".into(),
        count => format!("shard-{}-of-{count}.redb", shard.index),
    }
}

/// The number of processes in a file's name.
fn count(name: &str) -> Option<u32> {
    let told = || {
        let (index, count) =
            name.strip_prefix("shard-")?.strip_suffix(".redb")?.split_once("-of-")?;
        let shard = Shard { index: index.parse().ok()?, count: count.parse().ok()? };
        Some(shard)
    };
    let shard = if name == "state.redb" { Some(Shard::default()) } else { told() };
    shard.filter(|shard| self::name(*shard) == name).map(|shard| shard.count)
}

#[cfg(test)]
mod tests {
    use super::{count, name};
    use crate::config::Shard;

    #[test]
    fn a_name_tells_the_number_of_processes() {
        for (shard, expected) in [
            (Shard { index: 0, count: 1 }, "state.redb"),
            (Shard { index: 0, count: 3 }, "shard-0-of-3.redb"),
            (Shard { index: 11, count: 12 }, "shard-11-of-12.redb"),
        ] {
            assert_eq!((&*name(shard), count(expected)), (expected, Some(shard.count)));
        }
        let others =
            ["shard-0-of-3.redb.new", "shard-x-of-3.redb", "shard-01-of-3.redb", "other.redb"];
        assert_eq!(others.map(count), [None; 4]);
    }
}
