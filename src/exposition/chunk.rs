//! A family's lines, cut into chunks, each kept, deflated and replaced as one.
//!
//! Targets keep their order, so a change of one affects one chunk of each family that it changes.
//! Lines are held in chunks and nowhere else.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::deflate::{Deflated, Deflater};

/// Usual bytes of a chunk; at most twice that, unless one target alone needs more. Smaller chunks
/// deflate badly; larger ones make a small change cost more.
const SIZE: usize = 8 * 1024;

/// Bytes of the previous chunk that may be referred to: enough for names and labels to be known at
/// the start of a chunk, few enough to change rarely.
const PRIMER: usize = 256;

/// Lines of one family, of consecutive targets.
#[derive(Debug)]
pub(super) struct Chunk {
    text: Bytes,
    /// Place of the last target in it.
    last: u32,
    /// Place of each target, and where its lines end.
    targets: Arc<[(u32, u32)]>,
    /// End of the previous chunk in the family, a slice of that chunk's text.
    before: Bytes,
    deflated: OnceLock<Deflated>,
}

/// A target's place, and its lines in one family; empty if it has none.
pub(super) type Row<'a> = (u32, &'a [u8]);

impl Chunk {
    /// A chunk without targets.
    pub(super) fn of(text: String) -> Self {
        Self::new(text.into_bytes().into(), Arc::default(), Bytes::new())
    }

    fn new(text: Bytes, targets: Arc<[(u32, u32)]>, before: Bytes) -> Self {
        let last = targets.last().map_or(0, |(target, _)| *target);
        Self { text, last, targets, before, deflated: OnceLock::new() }
    }

    fn of_rows(rows: &[Row<'_>], before: Bytes) -> Self {
        let mut text = Vec::with_capacity(bytes(rows));
        let mut targets = Vec::with_capacity(rows.len());
        for (target, lines) in rows {
            text.extend_from_slice(lines);
            targets.push((*target, text.len() as u32));
        }
        Self::new(text.into(), targets.into(), before)
    }

    pub(super) fn text(&self) -> &Bytes {
        &self.text
    }

    /// Its part of a gzip member, deflated on first use.
    pub(super) fn deflated(&self, deflater: &mut Deflater) -> &Deflated {
        self.deflated.get_or_init(|| deflater.chunk(&self.before, &self.text))
    }

    /// Whether it is already deflated.
    pub(super) fn is_deflated(&self) -> bool {
        self.deflated.get().is_some()
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.targets.len()).map(|index| self.row(index))
    }

    fn row(&self, index: usize) -> Row<'_> {
        let (target, end) = self.targets[index];
        let start = index.checked_sub(1).map_or(0, |before| self.targets[before].1);
        (target, &self.text[start as usize..end as usize])
    }

    /// The lines of a target, if it has any.
    fn lines_of(&self, target: u32) -> &[u8] {
        let index = self.targets.binary_search_by_key(&target, |(target, _)| *target);
        index.map_or(&[], |index| self.row(index).1)
    }

    fn has(&self, (target, lines): &Row<'_>) -> bool {
        self.lines_of(*target) == *lines
    }
}

/// A family's chunks, with `changed` in place of the lines of the same targets. Both are in the
/// order of the targets. Old chunks are freed one by one, so that not everything is held twice.
pub(super) fn replace(chunks: Vec<Arc<Chunk>>, changed: &[Row<'_>]) -> Vec<Arc<Chunk>> {
    let end = chunks.len();
    let mut replaced: Vec<Arc<Chunk>> = Vec::with_capacity(end + 1);
    let mut rest = changed;
    let mut is_new = false;
    for (index, chunk) in chunks.into_iter().enumerate() {
        let is_last = index == end - 1;
        let count = if is_last {
            rest.len()
        } else {
            rest.partition_point(|(target, _)| *target <= chunk.last)
        };
        let (mine, others) = rest.split_at(count);
        rest = others;
        if mine.iter().all(|row| chunk.has(row)) {
            replaced.push(if is_new { behind(replaced.last(), &chunk) } else { chunk });
            is_new = false;
        } else {
            let rows = merge(&chunk, mine);
            // A chunk that has become small joins the previous one, if both fit into one.
            let before = replaced.pop_if(|before| before.text.len() + bytes(&rows) < SIZE);
            let before = before.iter().flat_map(|before| before.rows());
            let rows: Vec<Row<'_>> = before.chain(rows.iter().copied()).collect();
            cut(&rows, &mut replaced);
            is_new = true;
        }
    }
    cut(rest, &mut replaced);
    replaced
}

/// The same lines after a new chunk, with its end in place of the old one's; if the ends differ,
/// they must be deflated again.
fn behind(before: Option<&Arc<Chunk>>, chunk: &Chunk) -> Arc<Chunk> {
    let mut moved = Chunk::new(chunk.text.clone(), Arc::clone(&chunk.targets), end(before));
    if moved.before == chunk.before {
        moved.deflated = chunk.deflated.clone();
    }
    Arc::new(moved)
}

/// The part of `before` that the next chunk may refer to.
fn end(before: Option<&Arc<Chunk>>) -> Bytes {
    before.map_or_else(Bytes::new, |before| {
        before.text.slice(before.text.len().saturating_sub(PRIMER)..)
    })
}

/// The lines of a chunk, some of them replaced by `changed`.
fn merge<'a>(chunk: &'a Chunk, changed: &[Row<'a>]) -> Vec<Row<'a>> {
    let mut merged = Vec::with_capacity(chunk.targets.len() + changed.len());
    let mut changed = changed.iter().copied().peekable();
    for old in chunk.rows() {
        while let Some(new) = changed.next_if(|new| new.0 < old.0) {
            merged.push(new);
        }
        merged.push(changed.next_if(|new| new.0 == old.0).unwrap_or(old));
    }
    merged.extend(changed);
    merged
}

/// Cuts rows into chunks of about the same size; targets without lines are left out.
fn cut(rows: &[Row<'_>], chunks: &mut Vec<Arc<Chunk>>) {
    let rows: Vec<Row<'_>> = rows.iter().filter(|(_, lines)| !lines.is_empty()).copied().collect();
    let total = bytes(&rows);
    let enough = total.div_ceil((total / SIZE).max(1));
    let mut size = 0;
    let full = rows.split_inclusive(|(_, lines)| {
        size += lines.len();
        let is_full = size >= enough;
        size = if is_full { 0 } else { size };
        is_full
    });
    for rows in full {
        let chunk = Chunk::of_rows(rows, end(chunks.last()));
        chunks.push(Arc::new(chunk));
    }
}

fn bytes(rows: &[Row<'_>]) -> usize {
    rows.iter().map(|(_, lines)| lines.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{Chunk, PRIMER, Row, SIZE, replace};
    use crate::exposition::deflate::Deflater;

    fn text(chunks: &[Arc<Chunk>]) -> Vec<u8> {
        chunks.iter().flat_map(|chunk| chunk.text().to_vec()).collect()
    }

    fn of(lines: &BTreeMap<u32, Vec<u8>>) -> Vec<Row<'_>> {
        lines.iter().map(|(target, lines)| (*target, &**lines)).collect()
    }

    #[test]
    fn a_change_touches_the_chunk_that_it_is_in_and_no_other() {
        let lines: BTreeMap<u32, Vec<u8>> =
            (0..200).map(|target| (target * 2, vec![b'a'; 1000])).collect();
        let chunks = replace(Vec::new(), &of(&lines));
        assert!(
            chunks.len() > 5
                && chunks.iter().all(|chunk| (1..2 * SIZE).contains(&chunk.text().len()))
        );
        let mut deflater = Deflater::new();
        for chunk in &chunks {
            drop(chunk.deflated(&mut deflater).clone());
        }
        let kept = |rows: &[Row<'_>]| {
            let after = replace(chunks.clone(), rows);
            for (before, chunk) in after.iter().zip(&after[1..]) {
                assert!(
                    before.text().slice_ref(&chunk.before).len() == PRIMER,
                    "it holds no text but the page's"
                );
            }
            after.iter().filter(|chunk| chunk.deflated.get().is_some()).count()
        };
        assert_eq!(kept(&[(200, &lines[&200]), (201, b"")]), chunks.len(), "nothing is new");
        assert_eq!(kept(&[(200, b"new")]), chunks.len() - 1);
        let last = chunks[3].last;
        assert_eq!(kept(&[(last, b"new")]), chunks.len() - 2, "the next one referred to it");
        assert_eq!(kept(&[(201, b"new")]), chunks.len() - 1, "between two others");
        assert_eq!(kept(&[(999, b"new")]), chunks.len() - 1, "behind all others");
    }

    #[test]
    fn what_grows_is_split_and_what_shrinks_is_joined() {
        let mut lines: BTreeMap<u32, Vec<u8>> =
            (0..100).map(|target| (target, vec![b'a'; 1000])).collect();
        let mut chunks = replace(Vec::new(), &of(&lines));
        for size in [5000, 10, 0, 3000] {
            for target in 0..100 {
                lines.insert(target, vec![b'b'; size]);
                chunks = replace(chunks, &[(target, &lines[&target])]);
                assert!(
                    text(&chunks)
                        == of(&lines)
                            .iter()
                            .flat_map(|(_, lines)| lines.to_vec())
                            .collect::<Vec<_>>()
                );
            }
            let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.text().len()).collect();
            let whole = size * 100;
            assert!(sizes.iter().all(|size| (1..3 * SIZE).contains(size)), "{sizes:?}");
            assert!(chunks.len() <= whole / (SIZE / 2) + usize::from(whole > 0), "{sizes:?}");
        }
    }
}
