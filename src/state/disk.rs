//! The locked file, as storage for the database. The lock is independent of the database: it is
//! held as long as the file is open, even while the database is reopened after a failure, so no
//! other exporter can take the file in between.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

/// The storage of one database.
#[derive(Debug)]
pub(super) struct Disk {
    file: Arc<File>,
    trouble: Trouble,
    abandoned: Arc<AtomicBool>,
}

/// The operating system's error behind a failure, which the database may turn into another one.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<io::Error>>>);

impl Trouble {
    /// The first error since the last call.
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Reading beyond the end is not an error of the operating system: the file is incomplete.
    pub(super) fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done
            && error.kind() != ErrorKind::UnexpectedEof
        {
            let known = error
                .raw_os_error()
                .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(known);
        }
        done
    }
}

impl Disk {
    /// The storage in `file`, which the caller has locked, and the flag that stops all further
    /// writes.
    pub(super) fn new(file: Arc<File>, trouble: Trouble) -> (Self, Arc<AtomicBool>) {
        let abandoned = Arc::new(AtomicBool::new(false));
        (Self { file, trouble, abandoned: Arc::clone(&abandoned) }, abandoned)
    }

    fn changing(&self, change: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(ErrorKind::Other.into());
        }
        self.trouble.noted(change(&self.file))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.trouble.noted(self.file.metadata()).map(|metadata| metadata.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.trouble.noted(self.file.read_exact_at(out, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.changing(|file| file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.changing(File::sync_data)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.changing(|file| file.write_all_at(data, offset))
    }
}
