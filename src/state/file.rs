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
    path: PathBuf,
    /// Closed after a failure: the database refuses all further work then, so it is opened anew for the next.
    database: Option<Database>,
}

impl File {
    /// Opens the file at `path`, or makes it. What cannot be used is set aside under another name.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let database = match open(path) {
            Err(Error::Unusable { error, .. }) => {
                let aside = aside(path);
                std::fs::rename(path, &aside).map_err(|error| Error::Open { path: path.to_owned(), error })?;
                warn!(
                    error,
                    path = %path.display(),
                    set_aside = %aside.display(),
                    "the state file is damaged or not ours; a new one is begun, and what had ended before is not counted"
                );
                open(path)
            }
            opened => opened,
        };
        Ok(Self { path: path.to_owned(), database: Some(database?) })
    }

    /// What stands under `key`.
    pub(super) fn read(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.use_database(|database| read(database, key))
    }

    /// Writes entries; when it returns, they are on the disk, all or none.
    pub(super) fn write(&mut self, entries: &[(String, Vec<u8>)]) -> Result<(), Error> {
        self.use_database(|database| write(database, entries))
    }

    fn use_database<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, Error> {
        let database = self.database.take().map_or_else(|| open(&self.path), Ok)?;
        let done =
            work(&database).map_err(|error| Error::Unusable { path: self.path.clone(), error: error.to_string() });
        self.database = Some(database).filter(|_| done.is_ok());
        done
    }
}

fn open(path: &Path) -> Result<Database, Error> {
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = options.map_err(|error| Error::Open { path: path.to_owned(), error })?;
    let unusable = |error: String| Error::Unusable { path: path.to_owned(), error };
    // A damaged file may break the database's own assumptions.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new().set_cache_size(CACHE_BYTES).create_file(file)?;
        check(&database).map(|sound| (database, sound))
    }));
    match opened.map_err(|_| unusable("it is damaged".into()))? {
        Ok((database, true)) => Ok(database),
        Ok((_, false)) => Err(unusable("it has another version".into())),
        Err(redb::Error::DatabaseAlreadyOpen) => Err(Error::InUse { path: path.to_owned() }),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// Whether the database is one of this version; an empty one becomes that. Reads all of it once.
fn check(database: &Database) -> Result<bool, redb::Error> {
    if let Some(version) = read(database, VERSION_KEY)? {
        return Ok(version == VERSION);
    }
    write(database, &[(VERSION_KEY.to_owned(), VERSION.to_vec())])?;
    Ok(true)
}

fn read(database: &Database, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(ENTRIES) {
        Ok(table) => Ok(table.get(key)?.map(|bytes| bytes.value().to_vec())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn write(database: &Database, entries: &[(String, Vec<u8>)]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut table = transaction.open_table(ENTRIES)?;
        for (key, bytes) in entries {
            table.insert(key.as_str(), bytes.as_slice())?;
        }
    }
    Ok(transaction.commit()?)
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use redb::backends::InMemoryBackend;
    use redb::{Builder, StorageBackend};

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
        let mut file = File::open(&path).unwrap();
        file.write(&[("a".into(), b"1".to_vec()), ("b".into(), b"2".to_vec())]).unwrap();
        drop(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut file = File::open(&path).unwrap();
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
        let mut file = File::open(&path).unwrap();
        file.write(&[(super::VERSION_KEY.into(), b"99".to_vec()), ("a".into(), b"1".to_vec())]).unwrap();
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

    /// A disk that is full from some moment on.
    #[derive(Debug)]
    struct Disk {
        memory: InMemoryBackend,
        full: Arc<AtomicBool>,
    }

    impl StorageBackend for Disk {
        fn len(&self) -> std::io::Result<u64> {
            self.memory.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
            self.memory.read(offset, out)
        }

        fn set_len(&self, len: u64) -> std::io::Result<()> {
            self.memory.set_len(len)
        }

        fn sync_data(&self) -> std::io::Result<()> {
            self.memory.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
            match self.full.load(Ordering::Relaxed) {
                true => Err(std::io::ErrorKind::StorageFull.into()),
                false => self.memory.write(offset, data),
            }
        }
    }

    #[test]
    fn a_disk_that_was_full_for_a_moment_does_not_end_saving() {
        let folder = Folder::new("full");
        let path = folder.path("state.redb");
        let mut file = File::open(&path).unwrap();
        let entry = |key: &str| [(key.to_owned(), key.as_bytes().to_vec())];
        file.write(&entry("before")).unwrap();
        let full = Arc::new(AtomicBool::new(false));
        let disk = Disk { memory: InMemoryBackend::new(), full: Arc::clone(&full) };
        file.database = Some(Builder::new().create_with_backend(disk).unwrap());
        full.store(true, Ordering::Relaxed);
        let error = file.write(&entry("lost")).unwrap_err();
        assert!(error.to_string().contains("state.redb"), "{error}");
        file.write(&entry("after")).unwrap();
        assert_eq!(file.read("before").unwrap().as_deref(), Some(&b"before"[..]));
        assert_eq!(file.read("after").unwrap().as_deref(), Some(&b"after"[..]));
        assert_eq!(folder.set_aside(), 0, "what was saved is not thrown away");
    }
}
