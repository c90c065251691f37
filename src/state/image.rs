//! A file as storage for the database, which may repair and write to it without changing a byte of
//! the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use super::disk::Trouble;

/// Size of a block, in bytes: that of the database's smallest page.
const BLOCK_BYTES: usize = 4096;

type Block = [u8; BLOCK_BYTES];

/// The file, and what was written since. Only the latter is in memory, so a large file takes no
/// more of it than a small one.
#[derive(Debug)]
pub(super) struct Image {
    file: File,
    trouble: Trouble,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    length: u64,
    /// Number of bytes at the start of the file that still count.
    kept: u64,
    written: BTreeMap<u64, Block>,
}

impl Image {
    /// The file as it is.
    pub(super) fn new(file: &File, trouble: Trouble) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let changes = Changes { length, kept: length, written: BTreeMap::new() };
        Ok(Self { file: file.try_clone()?, trouble, changes: Mutex::new(changes) })
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    fn block(&self, file: &File, number: u64) -> io::Result<Block> {
        if let Some(block) = self.written.get(&number) {
            return Ok(*block);
        }
        let mut block = [0; BLOCK_BYTES];
        let start = number * BLOCK_BYTES as u64;
        let kept = self.kept.saturating_sub(start).min(BLOCK_BYTES as u64) as usize;
        file.read_exact_at(&mut block[..kept], start)?;
        Ok(block)
    }

    /// The parts of `size` bytes from `offset` on: each a block's number, where the part begins in
    /// it, and its length.
    fn parts(&self, offset: u64, size: usize) -> io::Result<Vec<(u64, usize, usize)>> {
        let end = offset.checked_add(size as u64).filter(|end| *end <= self.length);
        let end = end.ok_or(ErrorKind::UnexpectedEof)?;
        let mut parts = Vec::new();
        let mut at = offset;
        while at < end {
            let begin = (at % BLOCK_BYTES as u64) as usize;
            let length = (end - at).min((BLOCK_BYTES - begin) as u64) as usize;
            parts.push((at / BLOCK_BYTES as u64, begin, length));
            at += length as u64;
        }
        Ok(parts)
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        let mut rest = out;
        for (number, begin, length) in changes.parts(offset, rest.len())? {
            let block = self.trouble.noted(changes.block(&self.file, number))?;
            let (part, after) = rest.split_at_mut(length);
            part.copy_from_slice(&block[begin..begin + length]);
            rest = after;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut changes = self.changes();
        changes.length = length;
        changes.kept = changes.kept.min(length);
        drop(changes.written.split_off(&length.div_ceil(BLOCK_BYTES as u64)));
        let end = (length % BLOCK_BYTES as u64) as usize;
        if end > 0
            && let Some(block) = changes.written.get_mut(&(length / BLOCK_BYTES as u64))
        {
            block[end..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes();
        let mut rest = data;
        for (number, begin, length) in changes.parts(offset, rest.len())? {
            let mut block = self.trouble.noted(changes.block(&self.file, number))?;
            let (part, after) = rest.split_at(length);
            block[begin..begin + length].copy_from_slice(part);
            changes.written.insert(number, block);
            rest = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use redb::StorageBackend;
    use redb::backends::InMemoryBackend;

    use super::Image;

    const LENGTH: u64 = 10_000;

    fn read(storage: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![1; storage.len().unwrap() as usize];
        storage.read(0, &mut bytes).unwrap();
        bytes
    }

    /// Makes the same change to both, and compares them.
    fn alike(ours: &Image, other: &impl StorageBackend, change: impl Fn(&dyn StorageBackend)) {
        change(ours);
        change(other);
        assert!(read(ours) == read(other));
    }

    #[test]
    fn is_written_to_like_a_copy_and_the_file_stays_as_it_is() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..LENGTH).map(|at| at as u8 | 1).collect();
        std::fs::write(&path, &bytes).unwrap();
        let image = Image::new(path.as_file(), Default::default()).unwrap();
        let copy = InMemoryBackend::new();
        copy.set_len(LENGTH).unwrap();
        copy.write(0, &bytes).unwrap();
        for (offset, size) in [(0, 0), (7, 10), (4000, 200), (100, 9000), (9999, 1)] {
            alike(&image, &copy, |storage| storage.write(offset, &vec![0xaa; size]).unwrap());
        }
        for length in [12_000, 9_000, 9_500, 4_096, 8_192, 100, LENGTH] {
            alike(&image, &copy, |storage| storage.set_len(length).unwrap());
        }
        for offset in [LENGTH, u64::MAX] {
            let mut byte = [0];
            let error = image.read(offset, &mut byte).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset}");
            assert!(image.write(offset, &byte).is_err(), "{offset}");
        }
        assert!(std::fs::read(&path).unwrap() == bytes);
    }
}
