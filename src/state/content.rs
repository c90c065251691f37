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

use super::disk::Trouble;
use super::image::Image;
use super::tables::{ENTRIES, VERSION, VERSION_KEY, builder, read};

/// The first bytes of every redb database (redb's `docs/design.md`).
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// The header of a database: magic, layout, and two slots for commits.
pub(super) const HEADER_BYTES: usize = 320;
/// Where the slots begin; the first byte of each is the version of the file format.
const SLOTS: [usize; 2] = [64, 192];
const SLOT_BYTES: usize = 128;
/// Where a slot has the numbers of its two root pages.
const ROOTS: [usize; 2] = [8, 40];
/// Where a database says which slot is valid, and how that was written.
const MODE: usize = 9;
/// If set, the second slot is the valid one.
const SECOND_SLOT: u8 = 1;
/// If set, the database trusts the valid slot, and all that it leads to, without a check.
const BELIEVED: u8 = 4;
/// The newest file format that this version of the database knows.
const FORMAT: u8 = 3;
/// Numbers of newer formats, if both slots have the same one. Any other number is damage.
const NEWER_FORMATS: std::ops::RangeInclusive<u8> = FORMAT + 1..=15;
/// Size of the smallest page, in bytes.
const PAGE_BYTES: u64 = 4096;
/// Where a database has its page size, and that size.
const PAGE_SIZE: (std::ops::Range<usize>, [u8; 4]) = (12..16, (PAGE_BYTES as u32).to_le_bytes());
/// Number of bytes to read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Maximum size of a file of zeros that a power cut leaves, in bytes.
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
    let trouble = Trouble::default();
    // A damaged file may break the database's own assumptions and make it panic.
    let examined =
        catch_unwind(AssertUnwindSafe(|| examine_images(file, length, &header, &trouble)));
    if let Some(error) = trouble.take() {
        return Err(error);
    }
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
fn copy(file: &File, length: u64) -> io::Result<InMemoryBackend> {
    let copy = InMemoryBackend::new();
    copy.set_len(length)?;
    let mut offset = 0;
    let mut copied = Ok(());
    each_chunk(file, 0, length, 0, |chunk| {
        copied = std::mem::replace(&mut copied, Ok(())).and_then(|()| copy.write(offset, chunk));
        offset += chunk.len() as u64;
    })?;
    copied.map(|()| copy)
}

/// A copy in memory of the state in `file`, which was examined, to read it where nothing can be
/// written.
pub(super) fn open_copy(file: &File) -> Result<Database, redb::Error> {
    let copy = copy(file, file.metadata()?.len())?;
    let opened = catch_unwind(AssertUnwindSafe(|| builder().create_with_backend(copy)));
    Ok(opened.unwrap_or_else(|_| {
        Err(StorageError::Corrupted("its structure is broken".into()).into())
    })?)
}

/// The database allocates the size that a page's number states: gibibytes if the number is damaged.
/// So it may only follow numbers from a page with the right checksum, or possible ones from the
/// header.
fn examine_images(
    file: &File,
    length: u64,
    header: &[u8; HEADER_BYTES],
    trouble: &Trouble,
) -> Result<Content, redb::Error> {
    let header = with_possible_roots(header, length);
    let image = |header: &[u8; HEADER_BYTES]| -> io::Result<Image> {
        let image = Image::new(file, trouble.clone())?;
        image.write(0, header)?;
        Ok(image)
    };
    if header[MODE] & BELIEVED != 0 {
        builder().create_with_backend(image(&disbelieved(header))?)?;
    }
    examine_image(image(&header)?)
}

/// The header, in which a root page that would be larger than the file is replaced by one beyond
/// its end. The slot's checksum is wrong before and after.
fn with_possible_roots(header: &[u8; HEADER_BYTES], length: u64) -> [u8; HEADER_BYTES] {
    const NOWHERE: u64 = (1 << 40) - 1;
    let mut possible = *header;
    for root in SLOTS.iter().flat_map(|slot| ROOTS.map(|root| slot + root)) {
        let mut number = [0; 8];
        number.copy_from_slice(&header[root..root + 8]);
        // A page has 2^n pages of the smallest size.
        let order = u64::from_le_bytes(number) >> 59;
        if PAGE_BYTES << order > length {
            possible[root..root + 8].copy_from_slice(&NOWHERE.to_le_bytes());
        }
    }
    possible
}

/// The header with only its valid slot, marked so that the database checks all that this leads to.
fn disbelieved(mut header: [u8; HEADER_BYTES]) -> [u8; HEADER_BYTES] {
    let [first, second] = SLOTS;
    let (valid, other) =
        if header[MODE] & SECOND_SLOT == 0 { (first, second) } else { (second, first) };
    header.copy_within(valid..valid + SLOT_BYTES, other);
    header[MODE] &= !BELIEVED;
    header
}

fn examine_image(image: Image) -> Result<Content, redb::Error> {
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

/// What a state with this text as its version is.
pub(super) fn version_of(version: &[u8]) -> Content {
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::process::Command;

    use super::{BELIEVED, Content, HEADER_BYTES, MODE, PAGE_BYTES, SECOND_SLOT, SLOTS, examine};
    use crate::state::tests::Folder;
    use crate::state::{State, encode};
    use crate::target::{Kind, TargetId};

    /// Maximum peak of resident memory, in MiB.
    const PEAK: u64 = 64;

    /// A state with small and large pages: as it was closed, and as a kill leaves it.
    fn made(folder: &Folder) -> [Vec<u8>; 2] {
        let path = folder.file();
        let mut state = State::<String>::open(&path).unwrap();
        for _ in 0..3 {
            let entries = (0..40).map(|number: usize| {
                let id = TargetId { kind: Kind::EhpcTasks, id: format!("id-{number}").into() };
                (id, encode(&"x".repeat(number % 7 * 1500)).unwrap())
            });
            assert!(state.commit(entries.collect()));
        }
        let killed = std::fs::read(&path).unwrap();
        drop(state);
        let closed = std::fs::read(&path).unwrap();
        assert_eq!((closed[MODE] & BELIEVED, killed[MODE] & BELIEVED), (BELIEVED, 0));
        [closed, killed]
    }

    /// Every offset that may hold the number of a page of the file.
    fn numbers(whole: &[u8]) -> impl Iterator<Item = usize> {
        (SLOTS[0]..whole.len() - 8).filter(|place| {
            let number = u64::from_le_bytes(whole[*place..place + 8].try_into().unwrap());
            let index = number & 0x07ff_ffff_ffff_ffff;
            number != 0 && (index << (number >> 59)) < whole.len() as u64 / PAGE_BYTES
        })
    }

    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    }

    /// Examines a whole file with some bytes changed.
    fn examined(file: &File, whole: &[u8], changes: &[(usize, u8)]) -> Content {
        for (at, value) in changes {
            file.write_all_at(&[*value], *at as u64).unwrap();
        }
        let content = examine(file).unwrap();
        assert!(peak() < PEAK, "{changes:?}: {} MiB", peak());
        for (at, _) in changes {
            file.write_all_at(&whole[*at..=*at], *at as u64).unwrap();
        }
        content
    }

    /// Runs in its own process, to measure only its own memory.
    fn look_at_damaged_files() {
        let folder = Folder::new();
        let mut told = 0;
        for whole in made(&folder) {
            std::fs::write(folder.file(), &whole).unwrap();
            let file = File::options().read(true).write(true).open(folder.file()).unwrap();
            let read = [Content::Ours, Content::Repairable];
            assert!(read.contains(&examined(&file, &whole, &[])));
            for at in 0..HEADER_BYTES {
                examined(&file, &whole, &[(at, !whole[at])]);
            }
            for place in numbers(&whole) {
                // A page with the changed number would take a gibibyte. The other slot may lead to
                // pages that were overwritten.
                let large = (place + 7, whole[place + 7] | 0x90);
                for mode in [whole[MODE], whole[MODE] ^ SECOND_SLOT] {
                    let content = examined(&file, &whole, &[(MODE, mode), large]);
                    told += usize::from(matches!(content, Content::Damaged(_)));
                }
            }
            file.set_len(PAGE_BYTES << 24).unwrap();
            assert!(examine(&file).is_ok());
            assert!(peak() < PEAK, "a large file with holes: {} MiB", peak());
        }
        assert!(told > 20, "{told}");
    }

    #[test]
    fn a_damaged_file_takes_no_more_memory_than_a_whole_one() {
        if std::env::var_os("LOOK_AT_DAMAGED_FILES").is_some() {
            return look_at_damaged_files();
        }
        let test = "state::content::tests::a_damaged_file_takes_no_more_memory_than_a_whole_one";
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", test]).env("LOOK_AT_DAMAGED_FILES", "1");
        let ended = program.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    }
}
