//! The state file: keys and bytes in a redb database that only its owner can read, held by one
//! process at a time.

use std::fs::{self, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use redb::Database;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use tracing::{info, warn};

use super::access;
use super::content::{self, Content, HEADER_BYTES, examine};
use super::disk::{Disk, Trouble};
use super::error::Error;
use super::tables::{self, Batch, ENTRIES, VERSION, VERSION_KEY, builder};

/// Maximum number of attempts to lock the file at a start: enough to outlast `check`, which holds
/// the lock for an instant.
const LOCK_TRIES: u32 = 5;
/// Pause between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Waits for a file while another process holds it.
#[derive(Debug)]
pub(super) struct Candidate {
    path: PathBuf,
    /// The file that was at the path when last checked. Its lock is the one to wait for, not that
    /// of another file there now: the process that holds it may be about to recreate the file.
    file: Option<fs::File>,
}

/// An open state file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// The path at the start, with links resolved.
    real: PathBuf,
    /// `None` after a failure: the database then refuses all further work, so it is reopened for
    /// the next.
    database: Option<Database>,
    /// A copy in memory to read from if the database cannot be reopened, as on a full disk:
    /// reopening writes.
    copy: Option<Database>,
    /// Stops all writes by the database, even when it is closed.
    abandoned: Arc<AtomicBool>,
    trouble: Trouble,
    /// The file as this process left it.
    left: Left,
    /// Whether earlier writes may be missing from the file, because it was recreated or emptied.
    is_partial: bool,
    /// Kept open, and locked, until all of the above is closed.
    file: Arc<fs::File>,
}

/// How a file was left, to detect writes by another program.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    length: u64,
    header: [u8; HEADER_BYTES],
}

/// What happened to the file at the path while the exporter runs.
enum Standing {
    /// It is ours.
    Ours,
    /// There is none.
    Gone,
    /// It is ours, but empty now, as after `truncate`.
    Emptied,
    /// It is another file, and empty.
    EmptyOther,
    /// It must not be touched.
    Replaced(&'static str),
}

impl Candidate {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None }
    }

    /// The file, if no other process holds it. Created if it does not exist.
    pub(super) fn take(&mut self) -> Result<File, Error> {
        loop {
            let (file, made) = match self.file.take() {
                Some(file) => (file, false),
                None => find_or_make(&self.path)?,
            };
            if !lock(&self.path, &file)? {
                self.file = Some(file);
                return Err(Error::InUse { path: self.path.clone() });
            }
            match at(&self.path)? {
                Some(there) if !is_same(&self.path, &file, &there)? => {}
                // If nothing is at the path any more, the first commit recreates the file there.
                _ => return File::start(&self.path, file, made),
            }
        }
    }
}

impl File {
    /// Opens the file at `path`, or creates it. If it is ours and cannot be read, it is set aside
    /// under another name.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut candidate = Candidate::new(path);
        patiently(|| candidate.take())
    }

    /// Starts with a locked file, whatever it contains.
    fn start(path: &Path, file: fs::File, made: bool) -> Result<Self, Error> {
        match examine(&file).map_err(|error| Error::io(path, "reading it", error))? {
            Content::Nothing(what) => {
                if !made {
                    warn!(
                        path = %path.display(),
                        what,
                        "the state file held no state; one is begun, and what had ended before is not counted"
                    );
                }
                Self::begin(path, file, made)
            }
            content @ (Content::Ours | Content::Repairable | Content::Older) => {
                tighten(path, &file);
                let mut file = Self::with(path, file)?;
                if content == Content::Repairable {
                    file.change("repairing it", |database| {
                        Ok(database.check_integrity().map(drop)?)
                    })?;
                }
                if content == Content::Older {
                    file.commit(&version())?;
                }
                Ok(file)
            }
            Content::Damaged(why) => Self::set_aside(path, file, &why),
            Content::Newer(what) => Err(Error::Newer { path: path.to_owned(), what }),
            Content::NotOurs(what) => Err(Error::NotOurs { path: path.to_owned(), what }),
        }
    }

    /// Creates a state in a locked file that has none. On failure, it leaves no more than there
    /// was.
    fn begin(path: &Path, file: fs::File, made: bool) -> Result<Self, Error> {
        let kept = file.try_clone().map_err(|error| Error::io(path, "opening it", error))?;
        let begun =
            file.set_len(0).map_err(|error| Error::io(path, "emptying it", error)).and_then(|()| {
                tighten(path, &file);
                let mut file = Self::with(path, file)?;
                file.commit(&version())?;
                sync_folder(path)?;
                Ok(file)
            });
        if begun.is_err() {
            // The first error is the helpful one.
            let _ =
                if made { path.canonicalize().and_then(fs::remove_file) } else { kept.set_len(0) };
        }
        begun
    }

    /// Renames a damaged file and creates a new one. The old one stays locked until there is a new
    /// one to wait for.
    fn set_aside(path: &Path, damaged: fs::File, why: &str) -> Result<Self, Error> {
        let failed = |error| Error::io(path, "setting it aside, since it is damaged", error);
        // The file itself, not a link to it.
        let real = path.canonicalize().map_err(failed)?;
        let (aside, before) = aside(&real).map_err(failed)?;
        fs::rename(&real, &aside).map_err(failed)?;
        match Self::open(path) {
            Ok(file) => {
                warn!(
                    error = why,
                    path = %path.display(),
                    set_aside = %aside.display(),
                    set_aside_before = before,
                    "the state file is damaged; a new one is begun, and what had ended before is not counted"
                );
                drop(damaged);
                Ok(file)
            }
            Err(error) => {
                // Otherwise each start would leave another file.
                let _ = fs::rename(&aside, &real);
                Err(error)
            }
        }
    }

    fn with(path: &Path, file: fs::File) -> Result<Self, Error> {
        let file = Arc::new(file);
        let mut file = Self {
            path: path.to_owned(),
            // If it was deleted since, it is recreated at the path itself.
            real: path.canonicalize().unwrap_or_else(|_| path.to_owned()),
            database: None,
            copy: None,
            abandoned: Arc::default(),
            trouble: Trouble::default(),
            left: left(path, &file)?,
            is_partial: false,
            file,
        };
        file.change("opening it", |_| Ok(()))?;
        Ok(file)
    }

    /// The value of `key`.
    pub(super) fn read(&mut self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.look(|database| tables::read(database, ENTRIES, key))
    }

    /// All keys.
    pub(super) fn keys(&mut self) -> Result<Vec<String>, Error> {
        self.look(tables::keys)
    }

    /// Which targets are gone, and since when.
    pub(super) fn gone(&mut self) -> Result<Vec<(String, u64)>, Error> {
        self.look(tables::gone)
    }

    /// What the file holds under these keys.
    pub(super) fn some(&mut self, keys: &[&str]) -> Result<Batch, Error> {
        self.look(|database| tables::some(database, keys))
    }

    /// Number of entries, and of marks of targets that are gone.
    pub(super) fn size(&mut self) -> Result<(u64, u64), Error> {
        self.look(tables::size)
    }

    /// All that the file holds.
    pub(super) fn everything(&mut self) -> Result<Batch, Error> {
        self.look(tables::everything)
    }

    /// Writes a batch; on return it is on disk, all or nothing. First checks that the file is still
    /// there; if it was deleted, it is recreated with everything that it contained.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        self.stand()?;
        if batch.is_empty() { Ok(()) } else { self.commit(batch) }
    }

    /// Whether earlier writes may be missing from the file.
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Notes that everything known has been written again.
    pub(super) fn made_whole(&mut self) {
        self.is_partial = false;
    }

    /// Frees the space of dropped entries. May be killed at any moment, like a commit.
    pub(super) fn compact(&mut self) -> Result<(), Error> {
        self.stand()?;
        self.change("compacting it", |database| Ok(database.compact().map(drop)?))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), Error> {
        self.change("writing it", |database| tables::write(database, batch))
    }

    /// Makes sure that the file at the path is ours.
    fn stand(&mut self) -> Result<(), Error> {
        match self.standing()? {
            Standing::Ours => Ok(()),
            Standing::Replaced(what) => Err(Error::Replaced { path: self.path.clone(), what }),
            Standing::Gone => self.write_again("was deleted"),
            Standing::EmptyOther => self.write_again("was replaced by an empty file"),
            Standing::Emptied => self.fill_again(),
        }
    }

    fn standing(&self) -> Result<Standing, Error> {
        let Some(there) = at(&self.path)? else { return Ok(Standing::Gone) };
        if is_same(&self.path, &self.file, &there)? {
            return Ok(match left(&self.path, &self.file)? {
                left if left == self.left => Standing::Ours,
                left if left.length == 0 => Standing::Emptied,
                _ => Standing::Replaced("was written to by another program"),
            });
        }
        let is_empty = there.is_file() && there.len() == 0;
        Ok(if is_empty {
            Standing::EmptyOther
        } else {
            Standing::Replaced("was replaced by another file")
        })
    }

    /// Writes everything from our file, which is still open, to a new one, and moves that to the
    /// path once it is complete: a process that takes over must never find a partial file.
    fn write_again(&mut self, what: &'static str) -> Result<(), Error> {
        let held = self.everything();
        let is_gone = at(&self.path)?.is_none();
        let place = self.place();
        let beside = beside(&place);
        let mut new = Self::make_beside(&beside)?;
        if let Ok(held) = &held {
            new.commit(held)?;
        }
        let put = if is_gone { put(&beside, &place) } else { fs::rename(&beside, &place) };
        match put {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::Replaced {
                    path: self.path.clone(),
                    what: "was replaced by another file",
                });
            }
            put => put.map_err(|error| Error::io(&self.path, "putting it back", error))?,
        }
        sync_folder(&self.path)?;
        new.path.clone_from(&self.path);
        new.real.clone_from(&self.real);
        // Writes that have failed meanwhile are missing in any case.
        new.is_partial = true;
        let entries = held.map_or(0, |held| held.entries.len());
        warn!(path = %self.path.display(), entries, "the state file {what}; it is written again, with all that is known");
        // The new file is locked before the old one is released, so a standby keeps waiting.
        *self = new;
        Ok(())
    }

    /// Where the file belongs: the target of a link, not the link.
    fn place(&self) -> PathBuf {
        if self.path.is_symlink() { self.real.clone() } else { self.path.clone() }
    }

    /// A new file of our own. A leftover of an earlier one, which never became the state, is
    /// overwritten.
    fn make_beside(beside: &Path) -> Result<Self, Error> {
        let (file, made) = find_or_make(beside)?;
        if !lock(beside, &file)? {
            return Err(Error::InUse { path: beside.to_owned() });
        }
        Self::begin(beside, file, made)
    }

    /// Starts over in the same file, whose content is lost.
    fn fill_again(&mut self) -> Result<(), Error> {
        self.abandoned.store(true, Ordering::Relaxed);
        self.database = None;
        self.copy = None;
        self.left = left(&self.path, &self.file)?;
        self.is_partial = true;
        warn!(path = %self.path.display(), "the state file was emptied; what is known is written to it again");
        self.commit(&version())
    }

    /// Reads, from a copy in memory if necessary.
    fn look<T>(&mut self, work: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, Error> {
        if let Some(done) = self.database.as_ref().or(self.copy.as_ref()).map(&work) {
            return done.map_err(|error| self.told("reading it", error));
        }
        match self.change("opening it", |database| work(database)) {
            Err(Error::Io { .. }) => {
                let copy = content::open_copy(&self.file)
                    .map_err(|error| self.told("reading it", error))?;
                let done = work(&copy).map_err(|error| self.told("reading it", error));
                self.copy = Some(copy);
                done
            }
            done => done,
        }
    }

    /// Changes the database.
    fn change<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&mut Database) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        let opened = self.database.take().map_or_else(|| self.reopen(), Ok);
        let done = opened.and_then(|mut database| {
            let done = work(&mut database);
            // Closing it writes as well.
            self.database = done.is_ok().then_some(database);
            done
        });
        let done = done.map_err(|error| self.told(doing, error));
        self.left = left(&self.path, &self.file)?;
        if done.is_ok() {
            self.copy = None;
        }
        done
    }

    /// The database's error, or the operating system's error behind it.
    fn told(&self, doing: &'static str, error: redb::Error) -> Error {
        match (self.trouble.take(), error) {
            (Some(refused), _) | (None, redb::Error::Io(refused)) => {
                Error::io(&self.path, doing, refused)
            }
            (None, error) => Error::Unusable { path: self.path.clone(), error: error.to_string() },
        }
    }

    fn reopen(&mut self) -> Result<Database, redb::Error> {
        let (disk, abandoned) = Disk::new(Arc::clone(&self.file), self.trouble.clone());
        self.abandoned = abandoned;
        let opened = catch_unwind(AssertUnwindSafe(|| builder().create_with_backend(disk)));
        match opened {
            Ok(opened) => Ok(opened?),
            Err(_) => Err(redb::Error::Corrupted("the database could not be opened".into())),
        }
    }
}

/// Tries again for a moment while another process holds a file.
pub(super) fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..LOCK_TRIES {
        match attempt() {
            Err(error) if error.is_in_use() => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
    attempt()
}

/// The batch that marks a file as being of this version.
fn version() -> Batch {
    Batch {
        entries: vec![(VERSION_KEY.to_owned(), VERSION.to_string().into_bytes())],
        ..Batch::default()
    }
}

/// Where a file is written before it is moved to `path`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Renames a file to `path`, unless that exists.
fn put(file: &Path, path: &Path) -> io::Result<()> {
    match renameat_with(CWD, file, CWD, path, RenameFlags::NOREPLACE) {
        // Some file systems cannot do that in one step.
        Err(Errno::INVAL | Errno::NOSYS) if path.symlink_metadata().is_err() => {
            fs::rename(file, path)
        }
        put => Ok(put?),
    }
}

/// What is at `path`, following links.
pub(super) fn at(path: &Path) -> Result<Option<fs::Metadata>, Error> {
    match path.metadata() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, "looking at it", error)),
    }
}

/// Refuses anything but a regular file before it is opened: opening alone may rewind a tape or wait
/// for a writer.
pub(super) fn regular(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    let kind = metadata.file_type();
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "no regular file",
    };
    Err(Error::NotOurs { path: path.to_owned(), what: what.to_owned() })
}

/// The regular file at `path`, and whether it was just created.
fn find_or_make(path: &Path) -> Result<(fs::File, bool), Error> {
    let found = at(path)?;
    found.iter().try_for_each(|metadata| regular(path, metadata))?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    let doing = if found.is_some() { "opening it" } else { "making it" };
    let file = options.open(path).map_err(|error| Error::io(path, doing, error))?;
    let metadata = file.metadata().map_err(|error| Error::io(path, "looking at it", error))?;
    regular(path, &metadata)?;
    Ok((file, found.is_none()))
}

/// Opens what is at `path`, to read it.
pub(super) fn open(path: &Path) -> io::Result<fs::File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Takes the lock, which is held until the file is closed; false if another process has it.
fn lock(path: &Path, file: &fs::File) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::io(path, "locking it", error)),
    }
}

/// Whether `file` is the one at `path`, whose metadata is `there`.
fn is_same(path: &Path, file: &fs::File, there: &fs::Metadata) -> Result<bool, Error> {
    let ours = file.metadata().map_err(|error| Error::io(path, "looking at it", error))?;
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

fn left(path: &Path, file: &fs::File) -> Result<Left, Error> {
    let look = || -> io::Result<Left> {
        Ok(Left { length: file.metadata()?.len(), header: content::header(file)? })
    };
    look().map_err(|error| Error::io(path, "looking at it", error))
}

/// Removes the permissions of other users.
fn tighten(path: &Path, file: &fs::File) {
    let Ok(mode) = file.metadata().map(|metadata| metadata.mode() & 0o7777) else { return };
    if mode & 0o077 == 0 {
        return;
    }
    let before = format!("{mode:04o}");
    match file.set_permissions(Permissions::from_mode(0o600)) {
        Ok(()) => info!(path = %path.display(), before, "the state file is now for its owner only"),
        Err(error) => {
            warn!(path = %path.display(), %error, before, "others may read the state file")
        }
    }
}

/// A new or renamed file survives a power cut only if its folder is written as well.
fn sync_folder(path: &Path) -> Result<(), Error> {
    let synced =
        path.canonicalize().and_then(|real| fs::File::open(access::folder(&real))?.sync_all());
    match synced {
        // Some file systems cannot.
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Err(Error::io(path, "writing its folder", error))
        }
        _ => Ok(()),
    }
}

/// A free name beside `path` that says what happened and when, and how many such files there are.
fn aside(path: &Path) -> io::Result<(PathBuf, usize)> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".damaged-");
    let prefix = prefix.to_string_lossy().into_owned();
    let mut names = Vec::new();
    for entry in fs::read_dir(access::folder(path))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name.starts_with(&prefix));
    let first = format!("{prefix}{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let mut name = first.clone();
    let mut number = 1;
    while names.contains(&name) {
        number += 1;
        name = format!("{first}-{number}");
    }
    Ok((path.with_file_name(name), names.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Batch, Error, File, fs, left};
    use crate::state::tests::Folder;

    fn batch(key: &str) -> Batch {
        Batch { entries: vec![(key.to_owned(), key.as_bytes().to_vec())], ..Batch::default() }
    }

    /// A file opened without write access: every write is refused, as on a full disk.
    fn refusing(folder: &Folder) -> fs::File {
        fs::File::open(folder.file()).unwrap()
    }

    #[test]
    fn a_refusal_at_the_start_is_no_damage() {
        let folder = Folder::new();
        File::open(&folder.file()).unwrap().write(&batch("a")).unwrap();
        let before = folder.all();
        for _ in 0..5 {
            let error = File::start(&folder.file(), refusing(&folder), false).unwrap_err();
            assert!(matches!(&error, Error::Io { .. }), "{error}");
            assert!(
                error.to_string().contains("state.redb: opening it: Bad file descriptor"),
                "{error}"
            );
        }
        assert!(folder.all() == before, "it is left as it was");
    }

    #[test]
    fn a_disk_that_was_full_for_a_while_ends_neither_reading_nor_saving() {
        let folder = Folder::new();
        let mut file = File::open(&folder.file()).unwrap();
        file.write(&batch("before")).unwrap();
        file.database = None;
        file.left = left(&file.path, &file.file).unwrap();
        let writable = std::mem::replace(&mut file.file, Arc::new(refusing(&folder)));
        for _ in 0..3 {
            let error = file.write(&batch("lost")).unwrap_err();
            assert!(
                matches!(&error, Error::Io { .. }) && error.to_string().contains("state.redb"),
                "{error}"
            );
            assert_eq!(
                file.read("before").unwrap().as_deref(),
                Some(&b"before"[..]),
                "nothing is forgotten by it"
            );
        }
        file.file = writable;
        file.write(&batch("after")).unwrap();
        assert!(file.copy.is_none());
        for key in ["before", "after"] {
            assert_eq!(file.read(key).unwrap().as_deref(), Some(key.as_bytes()));
        }
        assert_eq!(file.read("lost").unwrap(), None);
        assert_eq!(folder.all().len(), 1, "nothing is set aside");
    }
}
