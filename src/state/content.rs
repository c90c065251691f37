//! Examines what a file contains without changing a byte of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::backends::InMemoryBackend;
use redb::{
    Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableError,
    TableHandle,
};

use super::tables::{ENTRIES, VERSION, VERSION_KEY, builder, read};

/// The first bytes of every redb database (redb's `docs/design.md`).
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// The header of a database: magic, layout, and two slots for commits.
pub(super) const HEADER_BYTES: usize = 320;
/// Where the slots begin; the first byte of each is the version of the file format.
const SLOTS: [usize; 2] = [64, 192];
/// The newest file format that this version of the database knows.
const FORMAT: u8 = 3;
/// Newer formats: both slots have the same number, not far beyond ours. Anything else there is
/// damage.
const NEWER_FORMATS: std::ops::RangeInclusive<u8> = FORMAT + 1..=15;
/// Where a database has its page size, and that size.
const PAGE_SIZE: (std::ops::Range<usize>, [u8; 4]) = (12..16, 4096u32.to_le_bytes());
/// Number of bytes to read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Maximum number of zeros that a power cut leaves.
const MAX_ZEROS: u64 = 1 << 30;

/// What a file contains.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing that could be lost: a state may be created in it.
    Nothing(&'static str),
    /// A readable state.
    Ours,
    /// A readable state with a wrong list of free pages, which the database can rebuild.
    Repairable,
    /// A readable state of an older version of this program.
    Older,
    /// An unreadable state.
    Damaged(String),
    /// A state of a newer version.
    Newer(String),
    /// Something else.
    NotOurs(String),
}

/// What `file` contains. Reads all of it.
///
/// # Errors
/// If it cannot be read.
pub(super) fn examine(file: &File) -> io::Result<Content> {
    let length = file.metadata()?.len();
    let header = header(file)?;
    if length == 0 {
        return Ok(Content::Nothing("it was empty"));
    }
    if !header.starts_with(MAGIC) {
        return without_magic(file, length, &header);
    }
    if let Some(format) = newer_format(&header) {
        return Ok(Content::Newer(format!(
            "database format {format}; this version knows formats up to {FORMAT}"
        )));
    }
    let image = image(file, length)?;
    // A damaged file may break the database's own assumptions and make it panic.
    let examined = catch_unwind(AssertUnwindSafe(|| examine_image(image)));
    match examined.unwrap_or_else(|_| Ok(Content::Damaged("its structure is broken".into()))) {
        Ok(content) => Ok(content),
        Err(redb::Error::UpgradeRequired(format)) => old_format(file, length, format),
        Err(error) => Ok(Content::Damaged(error.to_string())),
    }
}

/// The first bytes of `file`, padded with zeros.
pub(super) fn header(file: &File) -> io::Result<[u8; HEADER_BYTES]> {
    let mut header = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < header.len() {
        match file.read_at(&mut header[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(header)
}

/// A power cut leaves only zeros. A database gets its magic last, so if its creation was
/// interrupted, all but its header is zeros.
fn without_magic(file: &File, length: u64, header: &[u8; HEADER_BYTES]) -> io::Result<Content> {
    let (place, size) = PAGE_SIZE;
    let is_unfinished =
        header[..MAGIC.len()].iter().all(|byte| *byte == 0) && header[place] == size;
    let zeros_from = if is_unfinished { HEADER_BYTES as u64 } else { 0 };
    if length > MAX_ZEROS || !all_zero(file, zeros_from, length)? {
        return Ok(Content::NotOurs("no state file of this program, but something else".into()));
    }
    Ok(Content::Nothing(if is_unfinished { "it was never finished" } else { "it held zeros only" }))
}

fn newer_format(header: &[u8; HEADER_BYTES]) -> Option<u8> {
    let [first, second] = SLOTS.map(|slot| header[slot]);
    (first == second && NEWER_FORMATS.contains(&first)).then_some(first)
}

/// A database of an old format cannot be opened to see whose it is. Ours contains the name of its
/// table.
fn old_format(file: &File, length: u64, format: u8) -> io::Result<Content> {
    let name = ENTRIES.name().as_bytes();
    let mut is_ours = false;
    each_chunk(file, 0, length, name.len(), |chunk| {
        is_ours |= memchr::memmem::find(chunk, name).is_some()
    })?;
    Ok(match is_ours {
        true => Content::Damaged(format!("database format {format} is too old to be read")),
        false => Content::NotOurs("a database of another program".into()),
    })
}

/// A copy in memory, which the database may repair and write to.
fn image(file: &File, length: u64) -> io::Result<InMemoryBackend> {
    let image = InMemoryBackend::new();
    image.set_len(length)?;
    let mut offset = 0;
    let mut copied = Ok(());
    each_chunk(file, 0, length, 0, |chunk| {
        copied = std::mem::replace(&mut copied, Ok(())).and_then(|()| image.write(offset, chunk));
        offset += chunk.len() as u64;
    })?;
    copied.map(|()| image)
}

/// A copy in memory of the state in `file`, to read it where nothing can be written.
pub(super) fn open_image(file: &File) -> Result<Database, redb::Error> {
    let image = image(file, file.metadata()?.len())?;
    let opened = catch_unwind(AssertUnwindSafe(|| builder().create_with_backend(image)));
    Ok(opened.unwrap_or_else(|_| {
        Err(StorageError::Corrupted("its structure is broken".into()).into())
    })?)
}

fn examine_image(image: InMemoryBackend) -> Result<Content, redb::Error> {
    let mut database = builder().create_with_backend(image)?;
    let content = whose(&database)?;
    if !matches!(content, Content::Ours | Content::Older) {
        return Ok(content);
    }
    // Finds what the database would not notice until it reads or frees the page.
    match database.check_integrity() {
        Ok(true) => Ok(content),
        Ok(false) => Ok(Content::Repairable),
        Err(DatabaseError::Storage(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

/// Which program the database belongs to, and which version.
fn whose(database: &Database) -> Result<Content, redb::Error> {
    let transaction = database.begin_read()?;
    let names: Vec<String> =
        transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    if !names.iter().any(|name| name == ENTRIES.name()) {
        let is_bare = names.is_empty() && transaction.list_multimap_tables()?.next().is_none();
        return Ok(match is_bare {
            true => Content::Nothing("it held no tables"),
            false => Content::NotOurs("a database of another program".into()),
        });
    }
    if let Err(error @ TableError::TableTypeMismatch { .. }) = transaction.open_table(ENTRIES) {
        return Ok(Content::Newer(error.to_string()));
    }
    drop(transaction);
    Ok(match read(database, ENTRIES, VERSION_KEY)? {
        None => Content::Older,
        Some(version) => version_of(&version),
    })
}

fn version_of(version: &[u8]) -> Content {
    let number = std::str::from_utf8(version).ok().and_then(|version| version.parse::<u32>().ok());
    match number {
        Some(VERSION) => Content::Ours,
        Some(older) if older < VERSION => Content::Older,
        Some(newer) => {
            Content::Newer(format!("version {newer} of its entries; this one knows {VERSION}"))
        }
        None => Content::Damaged("its version is no number".into()),
    }
}

fn all_zero(file: &File, from: u64, length: u64) -> io::Result<bool> {
    let mut all_zero = true;
    each_chunk(file, from, length, 0, |chunk| all_zero &= chunk.iter().all(|byte| *byte == 0))?;
    Ok(all_zero)
}

/// Calls `look` with all of `file` from `from` on, in pieces; each begins with the last `overlap`
/// bytes of the one before.
fn each_chunk(
    file: &File,
    from: u64,
    length: u64,
    overlap: usize,
    mut look: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut offset = from;
    while offset < length {
        let size = usize::try_from(length - offset).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        file.read_exact_at(&mut chunk[..size], offset)?;
        look(&chunk[..size]);
        offset += size as u64;
        if offset < length {
            offset -= overlap as u64;
        }
    }
    Ok(())
}
