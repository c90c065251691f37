//! A family's lines, cut into pieces: what is kept, deflated and replaced as one.
//!
//! Targets keep their order, so a change of one of them concerns one piece of each family that it changes. A piece is where
//! lines live: nothing else holds them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::deflate::{Deflated, Deflater};

/// Pieces hold about so many bytes, and at most twice as many unless one target alone fills more. Smaller ones deflate
/// badly; larger ones make a small change cost more.
const SIZE: usize = 8 * 1024;

/// So much of the piece before may be referred to: enough for names and labels to be known when a piece begins, little enough
/// that it rarely changes.
const PRIMER: usize = 256;

/// Lines of one family, of targets in a row.
#[derive(Debug)]
pub(super) struct Piece {
    text: Bytes,
    /// The place of the last target in it.
    last: u32,
    /// Each target's place, and where its lines end.
    targets: Arc<[(u32, u32)]>,
    /// The end of the piece before it in the family, as that one holds it.
    before: Bytes,
    deflated: OnceLock<Deflated>,
}

/// A target's place, and its lines in one family; empty if it has none.
pub(super) type Row<'a> = (u32, &'a [u8]);

impl Piece {
    /// A piece that no target has lines in.
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

    /// Its part of a gzip member; deflated when it is first asked for.
    pub(super) fn deflated(&self, deflater: &mut Deflater) -> &Deflated {
        self.deflated.get_or_init(|| deflater.piece(&self.before, &self.text))
    }

    /// Whether it was asked for before.
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

/// A family's pieces, with `changed` in place of what they had of the same targets. Both are in the order of the targets.
/// What is replaced is let go piece by piece, so that not all is held twice.
pub(super) fn replace(pieces: Vec<Arc<Piece>>, changed: &[Row<'_>]) -> Vec<Arc<Piece>> {
    let end = pieces.len();
    let mut replaced: Vec<Arc<Piece>> = Vec::with_capacity(end + 1);
    let (mut rest, mut is_new) = (changed, false);
    for (index, piece) in pieces.into_iter().enumerate() {
        let is_last = index == end - 1;
        let count = if is_last { rest.len() } else { rest.partition_point(|(target, _)| *target <= piece.last) };
        let (mine, others) = rest.split_at(count);
        rest = others;
        if mine.iter().all(|row| piece.has(row)) {
            replaced.push(if is_new { behind(replaced.last(), &piece) } else { piece });
            is_new = false;
        } else {
            let rows = merge(&piece, mine);
            // A piece that has become small joins the one before, if both fit into one.
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

/// The same lines behind a new piece, of which it holds the end instead of the old one's; if that is another one, they are to
/// be deflated anew.
fn behind(before: Option<&Arc<Piece>>, piece: &Piece) -> Arc<Piece> {
    let mut moved = Piece::new(piece.text.clone(), Arc::clone(&piece.targets), end(before));
    if moved.before == piece.before {
        moved.deflated = piece.deflated.clone();
    }
    Arc::new(moved)
}

/// What the piece behind `before` may refer to.
fn end(before: Option<&Arc<Piece>>) -> Bytes {
    before.map_or_else(Bytes::new, |before| before.text.slice(before.text.len().saturating_sub(PRIMER)..))
}

/// The lines of a piece and those that replace some of them.
fn merge<'a>(piece: &'a Piece, changed: &[Row<'a>]) -> Vec<Row<'a>> {
    let mut merged = Vec::with_capacity(piece.targets.len() + changed.len());
    let mut changed = changed.iter().copied().peekable();
    for old in piece.rows() {
        while let Some(new) = changed.next_if(|new| new.0 < old.0) {
            merged.push(new);
        }
        merged.push(changed.next_if(|new| new.0 == old.0).unwrap_or(old));
    }
    merged.extend(changed);
    merged
}

/// Cuts rows into pieces of about the same size; targets without lines are left out.
fn cut(rows: &[Row<'_>], pieces: &mut Vec<Arc<Piece>>) {
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
        let piece = Piece::of_rows(rows, end(pieces.last()));
        pieces.push(Arc::new(piece));
    }
}

fn bytes(rows: &[Row<'_>]) -> usize {
    rows.iter().map(|(_, lines)| lines.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{PRIMER, Piece, Row, SIZE, replace};
    use crate::exposition::deflate::Deflater;

    fn text(pieces: &[Arc<Piece>]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.text().to_vec()).collect()
    }

    fn of(lines: &BTreeMap<u32, Vec<u8>>) -> Vec<Row<'_>> {
        lines.iter().map(|(target, lines)| (*target, &**lines)).collect()
    }

    #[test]
    fn a_change_touches_the_piece_that_it_is_in_and_no_other() {
        let lines: BTreeMap<u32, Vec<u8>> = (0..200).map(|target| (target * 2, vec![b'a'; 1000])).collect();
        let pieces = replace(Vec::new(), &of(&lines));
        assert!(pieces.len() > 5 && pieces.iter().all(|piece| (1..2 * SIZE).contains(&piece.text().len())));
        let mut deflater = Deflater::new();
        pieces.iter().for_each(|piece| drop(piece.deflated(&mut deflater).clone()));
        let kept = |rows: &[Row<'_>]| {
            let after = replace(pieces.clone(), rows);
            for (before, piece) in after.iter().zip(&after[1..]) {
                assert!(before.text().slice_ref(&piece.before).len() == PRIMER, "it holds no text but the page's");
            }
            after.iter().filter(|piece| piece.deflated.get().is_some()).count()
        };
        assert_eq!(kept(&[(200, &lines[&200]), (201, b"")]), pieces.len(), "nothing is new");
        assert_eq!(kept(&[(200, b"new")]), pieces.len() - 1);
        let last = pieces[3].last;
        assert_eq!(kept(&[(last, b"new")]), pieces.len() - 2, "the next one referred to it");
        assert_eq!(kept(&[(201, b"new")]), pieces.len() - 1, "between two others");
        assert_eq!(kept(&[(999, b"new")]), pieces.len() - 1, "behind all others");
    }

    #[test]
    fn what_grows_is_split_and_what_shrinks_is_joined() {
        let mut lines: BTreeMap<u32, Vec<u8>> = (0..100).map(|target| (target, vec![b'a'; 1000])).collect();
        let mut pieces = replace(Vec::new(), &of(&lines));
        for size in [5000, 10, 0, 3000] {
            for target in 0..100 {
                lines.insert(target, vec![b'b'; size]);
                pieces = replace(pieces, &[(target, &lines[&target])]);
                assert!(text(&pieces) == of(&lines).iter().flat_map(|(_, lines)| lines.to_vec()).collect::<Vec<_>>());
            }
            let sizes: Vec<usize> = pieces.iter().map(|piece| piece.text().len()).collect();
            let whole = size * 100;
            assert!(sizes.iter().all(|size| (1..3 * SIZE).contains(size)), "{sizes:?}");
            assert!(pieces.len() <= whole / (SIZE / 2) + usize::from(whole > 0), "{sizes:?}");
        }
    }
}
