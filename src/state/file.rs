//! The state's file: keys and bytes in a redb database that only we can read.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::{Builder, Database, Durability, ReadableDatabase, TableDefinition};
use tracing::warn;

/// Everything: `kind/id` of a target, or the name of something else.
const ENTRIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("aliyun-task-exporter");
/// Where the version of the entries stands.
const VERSION_KEY: &str = "version";
/// The version that this program writes.
const VERSION: &[u8] = b"1";
/// The database keeps so many bytes in memory: what is written is read once, at the next start.
const CACHE_BYTES: usize = 1 << 20;

/// Why there is no state file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds it.
    #[error("the state file {} is in use by another process: give each exporter its own state.path", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be made or opened.
    #[error("the state file {}: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It is there, and cannot be used.
    #[error("the state file {}: {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: String,
    },
}

/// An open state file.
#[derive(Debug)]
pub(super) struct File {
    database: Database,
}

/// What may go wrong while it is read or written.
pub(super) type Broken = redb::Error;

impl File {
    /// Opens the file at `path`, or makes it. What cannot be used is set aside under another name.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        match Self::try_open(path) {
            Err(Error::Unusable { error, .. }) => {
                let aside = aside(path);
                std::fs::rename(path, &aside).map_err(|error| Error::Open { path: path.to_owned(), error })?;
                warn!(
                    error,
                    path = %path.display(),
                    set_aside = %aside.display(),
                    "the state file is damaged or not ours; a new one is begun, and what had ended before is not counted"
                );
                Self::try_open(path)
            }
            opened => opened,
        }
    }

    fn try_open(path: &Path) -> Result<Self, Error> {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = options.map_err(|error| Error::Open { path: path.to_owned(), error })?;
        let unusable = |error: String| Error::Unusable { path: path.to_owned(), error };
        // A damaged file may break the database's own assumptions.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database = Builder::new().set_cache_size(CACHE_BYTES).create_file(file)?;
            let file = Self { database };
            file.check().map(|sound| (file, sound))
        }));
        match opened.map_err(|_| unusable("it is damaged".into()))? {
            Ok((file, true)) => Ok(file),
            Ok((_, false)) => Err(unusable("it has another version".into())),
            Err(redb::Error::DatabaseAlreadyOpen) => Err(Error::InUse { path: path.to_owned() }),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    /// Whether the file is one of this version; an empty one becomes that. Reads all of it once.
    fn check(&self) -> Result<bool, Broken> {
        if let Some(version) = self.read(VERSION_KEY)? {
            return Ok(version == VERSION);
        }
        self.write(vec![(VERSION_KEY.to_owned(), VERSION.to_vec())])?;
        Ok(true)
    }

    pub(super) fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Broken> {
        let transaction = self.database.begin_read()?;
        match transaction.open_table(ENTRIES) {
            Ok(table) => Ok(table.get(key)?.map(|bytes| bytes.value().to_vec())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes entries; when it returns, they are on the disk, all or none.
    pub(super) fn write(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), Broken> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(ENTRIES)?;
            for (key, bytes) in &entries {
                table.insert(key.as_str(), bytes.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// A name beside `path` that says what happened and when.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
    path.with_file_name(name)
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::{Error, File};

    /// A folder that goes with the test.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("aliyun-task-exporter-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        fn set_aside(&self) -> usize {
            let names = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().contains(".damaged-")).count()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_keeps_what_was_written() {
        let folder = Folder::new("mode");
        let path = folder.path("state.redb");
        let file = File::open(&path).unwrap();
        file.write(vec![("a".into(), b"1".to_vec()), ("b".into(), b"2".to_vec())]).unwrap();
        drop(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let file = File::open(&path).unwrap();
        assert_eq!((file.read("b").unwrap(), file.read("c").unwrap()), (Some(b"2".to_vec()), None));
    }

    #[test]
    fn a_damaged_or_foreign_file_is_set_aside_and_never_stops_the_exporter() {
        let folder = Folder::new("damaged");
        let path = folder.path("state.redb");
        std::fs::write(&path, "not a database at all").unwrap();
        drop(File::open(&path).unwrap());
        assert_eq!(folder.set_aside(), 1);
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes.len() / 2;
        bytes.truncate(half);
        bytes[..64].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        assert!(File::open(&path).is_ok());
    }

    #[test]
    fn a_file_of_another_version_is_set_aside() {
        let folder = Folder::new("version");
        let path = folder.path("state.redb");
        let file = File::open(&path).unwrap();
        file.write(vec![(super::VERSION_KEY.into(), b"99".to_vec()), ("a".into(), b"1".to_vec())]).unwrap();
        drop(file);
        assert_eq!(File::open(&path).unwrap().read("a").unwrap(), None);
        assert_eq!(folder.set_aside(), 1);
    }

    #[test]
    fn a_file_in_use_and_a_folder_that_is_not_there_are_refused() {
        let folder = Folder::new("refused");
        let path = folder.path("state.redb");
        let _held = File::open(&path).unwrap();
        assert!(matches!(File::open(&path), Err(Error::InUse { .. })));
        assert!(matches!(File::open(&folder.path("no/such/folder")), Err(Error::Open { .. })));
    }
}
