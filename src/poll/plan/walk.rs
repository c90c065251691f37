//! Which pages of a list a poll reads.
//!
//! No document states the order of any list, so a new entry may be on any page. All pages are read at first, then each
//! `history_interval`, and whenever `TotalCount` is not what it was; else only as far as something is looked for.

use jiff::Timestamp;

use super::Limits;
use crate::aliyun::op::PAGE_SIZE;
use crate::poll::after;

/// The reading of one list, page by page.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// TotalCount at the last whole reading.
    total: Option<u64>,
    /// When all pages are to be read again.
    whole_due: Option<Timestamp>,
}

/// Where the reading of a list stands within a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The page to ask for.
    pub(super) page: u32,
    /// Whether all pages are wanted.
    whole: bool,
}

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for this page.
    Next(Cursor),
    /// Every page was read.
    Complete,
    /// What was looked for was found, or cannot be found; there may be more pages.
    Enough,
    /// There may be more pages than may be read.
    Truncated,
}

impl Walk {
    /// Starts reading from the first page.
    pub(super) fn start(&self, now: Timestamp) -> Cursor {
        Cursor { page: 1, whole: self.whole_due.is_none_or(|due| due <= now) }
    }

    /// Notes a page with `entries` entries, `news` of which were not yet seen in this walk, and says how to go on.
    /// `searching`: something is still looked for.
    pub(super) fn read(
        &mut self,
        cursor: Cursor,
        (entries, news): (usize, usize),
        total: Option<u64>,
        searching: bool,
        limits: &Limits,
        now: Timestamp,
    ) -> Step {
        let changed = total.is_none() || total != self.total;
        let whole = cursor.whole || changed;
        let last = entries < PAGE_SIZE as usize;
        // A full page without anything new is one that was read before: what else there is cannot be read.
        let repeats = !last && news == 0;
        let step = match (last, whole || searching) {
            (true, _) => Step::Complete,
            (false, false) => Step::Enough,
            (false, true) if repeats => Step::Enough,
            (false, true) if cursor.page >= limits.max_pages => Step::Truncated,
            (false, true) => Step::Next(Cursor { page: cursor.page + 1, whole }),
        };
        if repeats || matches!(step, Step::Complete | Step::Truncated) {
            self.total = total;
            self.whole_due = Some(after(now, limits.history_interval));
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Cursor, Limits, Step, Walk};

    const LIMITS: Limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 4 };

    /// Reads a list of `total` entries from the start; the number of pages asked for, and how it ended.
    fn walk(walk: &mut Walk, total: usize, searching: bool, now: Timestamp) -> (u32, Step) {
        let mut cursor = walk.start(now);
        loop {
            let entries = total.saturating_sub((cursor.page as usize - 1) * 50).min(50);
            match walk.read(cursor, (entries, entries), Some(total as u64), searching, &LIMITS, now) {
                Step::Next(next) => cursor = next,
                end => return (cursor.page, end),
            }
        }
    }

    #[test]
    fn all_pages_at_first_then_one_until_the_total_changes_or_the_interval_is_over() {
        let (mut list, start) = (Walk::default(), Timestamp::from_second(1_700_000_000).unwrap());
        assert_eq!(walk(&mut list, 120, false, start), (3, Step::Complete));
        assert_eq!(walk(&mut list, 120, false, start), (1, Step::Enough));
        assert_eq!(walk(&mut list, 121, false, start), (3, Step::Complete));
        assert_eq!(walk(&mut list, 121, true, start), (3, Step::Complete));
        let later = crate::poll::after(start, LIMITS.history_interval);
        assert_eq!(walk(&mut list, 121, false, later), (3, Step::Complete));
    }

    #[test]
    fn pages_are_bounded_and_a_page_that_repeats_ends_the_walk_but_is_not_the_end_of_the_list() {
        let (mut list, now) = (Walk::default(), Timestamp::from_second(1_700_000_000).unwrap());
        assert_eq!(walk(&mut list, 1000, false, now), (4, Step::Truncated));
        let second = Cursor { page: 2, whole: true };
        assert_eq!(list.read(second, (50, 0), None, true, &LIMITS, now), Step::Enough);
    }
}
