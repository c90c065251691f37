//! A roll of clusters or servers, read page by page to its end: what there is, and what is there no longer.
//!
//! All pages are read each time, in whatever order they come. Only a reading that came to the end takes anything off the
//! roll: what a page that failed, or one that may not be read any more, would have shown is not gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::known::Known;
use crate::model::{Found, Page};

/// What there is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Roll {
    /// Every id of the answers, wanted or not.
    known: Known,
    found: BTreeMap<Arc<str>, Found>,
    /// All that there is was read at least once, so who is not on the roll is not there.
    #[serde(default)]
    whole: bool,
    /// What the present reading has shown.
    #[serde(skip)]
    seen: BTreeMap<Arc<str>, Found>,
}

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Ask for this page.
    Next(u32),
    /// The roll is up to date.
    Read,
    /// There may be more, but no more pages may be read: what is new is on the roll, and nothing is off it.
    Truncated,
}

impl Roll {
    /// What there is, by id.
    pub(super) fn found(&self) -> impl Iterator<Item = &Found> {
        self.found.values()
    }

    /// Whether there certainly is nothing of this id.
    pub(super) fn lacks(&self, id: &str) -> bool {
        self.whole && !self.found.contains_key(id)
    }

    /// Whether all that there is was read at least once.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Starts a reading at its first page.
    pub(super) fn begin(&mut self) {
        self.known.begin();
        self.seen.clear();
    }

    /// Reads the page with number `page` of a list whose pages hold `size` entries; those that `is_ours` are noted.
    pub(super) fn read(
        &mut self,
        (page, max_pages): (u32, u32),
        answer: Page<Found>,
        size: usize,
        is_ours: impl Fn(&Found) -> bool,
    ) -> Progress {
        let (entries, before) = (answer.items.len(), self.known.fresh_count());
        for thing in answer.items {
            self.known.note(&thing.id);
            if is_ours(&thing) {
                self.seen.entry(Arc::clone(&thing.id)).or_insert(thing);
            }
        }
        let shown = self.known.fresh_count();
        // A page without anything new is the end, or one that was read before. A short one may have lost entries that could
        // not be read; then the total knows of more.
        let more = answer.total.is_some_and(|total| total > shown as u64);
        let is_last = shown == before || (entries < size && !more);
        if !is_last && page < max_pages {
            return Progress::Next(page + 1);
        }
        self.found.append(&mut self.seen);
        if !is_last {
            return Progress::Truncated;
        }
        if self.known.complete_at_once(answer.total) {
            self.found.retain(|id, _| self.known.has(id));
            self.whole = true;
        }
        Progress::Read
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, Roll};
    use crate::model::{Found, Page};

    fn page(ids: &[&str], total: Option<u64>) -> Page<Found> {
        let found = |id: &&str| Found { id: (*id).into(), name: "".into(), region: None };
        Page::new(ids.iter().map(found).collect(), total)
    }

    /// Reads pages of two entries, at most three of them; what it says at the end, how many it took, and what there is then.
    fn read(roll: &mut Roll, pages: &[&[&str]], total: Option<u64>) -> (Progress, usize, String) {
        roll.begin();
        let mut number = 1;
        loop {
            let ids = pages.get(number as usize - 1).copied().unwrap_or_default();
            match roll.read((number, 3), page(ids, total), 2, |found| !found.id.starts_with('x')) {
                Progress::Next(next) => number = next,
                end => {
                    let ids: Vec<&str> = roll.found().map(|found| &*found.id).collect();
                    return (end, number as usize, ids.concat());
                }
            }
        }
    }

    #[test]
    fn every_page_is_read_and_what_is_gone_is_gone() {
        let mut roll = Roll::default();
        assert_eq!(read(&mut roll, &[&["b", "a"], &["c"]], Some(3)), (Progress::Read, 2, "abc".into()));
        assert_eq!(
            read(&mut roll, &[&["c", "b"]], Some(2)),
            (Progress::Read, 2, "bc".into()),
            "a full page may be the last"
        );
        assert_eq!(read(&mut roll, &[&["b"]], None), (Progress::Read, 1, "b".into()));
        assert_eq!(read(&mut roll, &[&[]], Some(0)), (Progress::Read, 1, String::new()));
    }

    #[test]
    fn a_page_that_repeats_or_ids_that_stand_twice_end_the_reading() {
        let mut roll = Roll::default();
        assert_eq!(read(&mut roll, &[&["a", "b"], &["a", "b"]], None), (Progress::Read, 2, "ab".into()));
        assert_eq!(read(&mut roll, &[&["a", "a"], &["a"]], None), (Progress::Read, 2, "a".into()));
    }

    #[test]
    fn what_was_not_read_is_not_gone() {
        let mut roll = Roll::default();
        read(&mut roll, &[&["a", "b"], &["c"]], None);
        let long = read(&mut roll, &[&["d", "e"], &["f", "g"], &["h", "i"], &["a"]], Some(7));
        assert_eq!(long, (Progress::Truncated, 3, "abcdefghi".into()));
        assert_eq!(read(&mut roll, &[&["a", "b"], &[]], Some(3)).2, "abcdefghi", "one more should have been shown");
    }

    #[test]
    fn a_total_that_is_always_wrong_is_found_out() {
        let mut roll = Roll::default();
        read(&mut roll, &[&["a", "b"], &["c"]], Some(10));
        let readings = (0..20).take_while(|_| read(&mut roll, &[&["a"]], Some(10)).2 != "a").count();
        assert!(readings < 16, "{readings}");
    }

    #[test]
    fn what_is_not_ours_counts_for_the_total_only() {
        let mut roll = Roll::default();
        assert_eq!(read(&mut roll, &[&["x1", "a"], &["x2"]], Some(3)), (Progress::Read, 2, "a".into()));
    }
}
