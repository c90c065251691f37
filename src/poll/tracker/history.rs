//! A history, such as a server's invocations: which ids it has shown, and which of its pages to
//! read next.
//!
//! Until its order is learned all pages are read, at most `history_max_pages`. Then one page is
//! enough while nothing new is on it; all pages are still read once per `history_interval`, in case
//! the order was a coincidence.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::order::{Evidence, Order, OrderDetector};
use super::pager::{Change, Ended, MAX_PAGES, Pager, Shape, Trust, Turn};
use super::seen_ids::{Noted, SeenIds};
use super::{Limits, Notice};
use crate::aliyun::op::PAGE_SIZE;
use crate::poll::time::{after, since};

/// Maximum number of entries of a list that can be read: the maximum number of pages of the maximum
/// size.
const MAX_ENTRIES: u64 = MAX_PAGES as u64 * 100;

/// What is known about a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct History {
    known: SeenIds,
    /// Whether its first reading was whole; `None` before that.
    whole: Option<bool>,
    /// Time of the newest entry when a reading that begins with the newest was first cut off: later
    /// entries are new.
    #[serde(default)]
    since: Option<Timestamp>,
    #[serde(default)]
    order: OrderDetector,
    #[serde(default)]
    trust: Trust,
    /// Number of pages of the last whole reading.
    #[serde(default)]
    pages_read: u32,
    /// TotalCount of the last reading. After a restart anything may have happened, so everything is
    /// read again.
    #[serde(skip)]
    total: Option<u64>,
    /// Entries up to the last page read; a total beyond that is not believed.
    #[serde(skip)]
    read_to: u64,
    /// The last whole reading did not reach the end of the list.
    #[serde(skip)]
    is_too_long: bool,
    /// Entries of a full page, according to the last readings.
    #[serde(skip)]
    page_size: Option<u64>,
    #[serde(skip)]
    pub(super) whole_due: Option<Timestamp>,
    #[serde(skip)]
    reading: Option<Reading>,
    /// Whether the last reading, from the first page to the last, showed everything; `None` if it
    /// did not cover all pages.
    #[serde(skip)]
    ended_whole: Option<bool>,
}

/// A reading in progress.
#[derive(Clone, Debug)]
struct Reading {
    pager: Pager,
    evidence: Evidence,
    /// All pages are wanted.
    whole: bool,
}

/// The part of a list that is shown, and so must be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Maximum number of entries.
    pub(super) entries: usize,
    /// Maximum age of an entry, if entries have times.
    pub(super) max_age: Duration,
}

/// What to do after a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Progress {
    /// Request the next page.
    Next,
    /// As much was read as is needed or allowed; with the resulting notices.
    Read(Vec<Notice>),
}

impl History {
    /// Whether the ends of new items can be distinguished from those of old ones.
    pub(super) fn is_watched(&self) -> bool {
        self.whole == Some(true)
    }

    /// Like `is_watched`, for an item created at `time`.
    pub(super) fn is_watched_since(&self, time: Option<Timestamp>) -> bool {
        self.is_watched() || self.since.zip(time).is_some_and(|(since, time)| time > since)
    }

    /// Notes a change to another list, which may show old entries that were never seen.
    pub(super) fn forget_whole(&mut self) {
        self.whole = None;
        self.since = None;
        self.whole_due = None;
    }

    /// Starts a reading of a larger list that contains this one.
    pub(super) fn begin_part(&mut self) {
        self.known.begin();
    }

    /// Records an entry of this part, or one that another list has shown. Returns whether it was
    /// never seen before.
    pub(super) fn note_part(&mut self, id: &SmolStr) -> bool {
        self.known.note(id) == Noted::Unseen
    }

    /// Notes that the reading of the larger list has ended; this part was read just as far.
    pub(super) fn end_part(&mut self, list: &Self, keep: impl Fn(&str) -> bool) {
        if let Some(whole) = list.ended_whole {
            self.known.end(whole, &keep);
        }
        if self.whole.is_none() || list.since.is_some() {
            self.whole = list.whole;
            self.since = list.since;
        }
        self.known.bound(list.entries(), keep);
    }

    /// Limits what is known by the length of the list, if other lists show its entries, too: see
    /// [`SeenIds::bound`].
    pub(super) fn bound(&mut self, keep: impl Fn(&str) -> bool) {
        self.known.bound(self.entries(), keep);
    }

    /// Maximum number of entries it can have: the larger of its total and the entries shown.
    fn entries(&self) -> usize {
        let told = self.total.unwrap_or_default().max(self.read_to).min(MAX_ENTRIES);
        usize::try_from(told).unwrap_or(usize::MAX).max(self.known.fresh_count())
    }

    /// Whether its order is known, so that not all of it has to be read.
    pub(super) fn is_ordered(&self) -> bool {
        self.order.order != Order::Unknown
    }

    /// Whether its newest entries are on the first page, as far as known.
    pub(super) fn is_newest_first(&self) -> bool {
        self.order.order == Order::NewestFirst
    }

    /// How far its total can be trusted, and what the last readings have not shown.
    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Pages of a whole reading, as far as known.
    pub(super) fn pages(&self, limits: &Limits) -> u32 {
        self.last_page().unwrap_or(1).clamp(1, limits.max_pages)
    }

    /// Pages of the last whole reading.
    pub(super) fn pages_read(&self) -> u32 {
        self.pages_read.max(1)
    }

    /// Last page with entries, as far as known: a total that is too large must not lead beyond it.
    fn last_page(&self) -> Option<u32> {
        let total = self.total?;
        let entries = if self.is_too_long { total } else { total.min(self.read_to) };
        let pages = entries.div_ceil(self.page_size.unwrap_or(PAGE_SIZE.into())).max(1);
        Some(u32::try_from(pages).unwrap_or(MAX_PAGES).min(MAX_PAGES))
    }

    /// Number of entries that this reading has shown.
    pub(super) fn shown(&self) -> usize {
        self.known.fresh_count()
    }

    /// Number of this reading.
    pub(super) fn reading(&self) -> u64 {
        self.known.reading()
    }

    /// Whether a whole reading is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.whole_due.is_none_or(|due| due <= now)
    }

    /// Starts a reading.
    pub(super) fn begin(&mut self, limits: &Limits, now: Timestamp) {
        self.ended_whole = None;
        let last = self.last_page();
        // Leaves room for the empty page that may end it.
        let newest = last
            .filter(|last| *last > limits.max_pages)
            .map_or(1, |last| last - limits.max_pages + 2);
        let (first, whole) = match (self.order.order, last) {
            // If a list is too long, its newest entries are wanted.
            (Order::OldestFirst, _) if self.is_due(now) => (newest, true),
            _ if self.is_due(now) => (1, true),
            (Order::NewestFirst, _) => (1, false),
            (Order::OldestFirst, Some(last)) => (last, false),
            _ => (1, true),
        };
        self.begin_at(first, whole);
    }

    fn begin_at(&mut self, first: u32, whole: bool) {
        self.known.begin();
        let size = self.page_size.unwrap_or(PAGE_SIZE.into());
        let pager = Pager::new(PAGE_SIZE, first, u64::from(first - 1) * size).believing_total();
        self.reading = Some(Reading { pager, evidence: Evidence::default(), whole });
    }

    /// The page to request, while a reading is in progress.
    pub(super) fn page(&self) -> Option<u32> {
        self.reading.as_ref().map(|reading| reading.pager.page())
    }

    /// Number of pages of this reading, the current one included.
    pub(super) fn pages_so_far(&self) -> usize {
        self.reading.as_ref().map_or(0, |reading| reading.pager.pages() as usize)
    }

    /// Records an entry, with its time if it has one. Returns whether it was never seen before.
    pub(super) fn note(&mut self, id: &SmolStr, time: Option<Timestamp>) -> bool {
        let noted = self.known.note(id);
        let is_unseen = noted == Noted::Unseen;
        if let Some(reading) = &mut self.reading {
            reading.evidence.note(noted != Noted::Again, is_unseen, time);
        }
        is_unseen
    }

    /// Handles a page whose entries were recorded. `looking`: an item that should be in the list
    /// has not been seen yet. Ids that a whole reading has not shown are forgotten, unless `keep`
    /// wants them.
    pub(super) fn read(
        &mut self,
        shape: &Shape,
        looking: bool,
        window: Window,
        limits: &Limits,
        now: Timestamp,
        keep: impl Fn(&str) -> bool,
    ) -> Progress {
        let Some(mut reading) = self.reading.take() else {
            debug_assert!(false, "no page was asked for");
            return Progress::Read(Vec::new());
        };
        self.total = shape.total;
        let page = reading.evidence.end_page();
        let first = reading.pager.first();
        let is_first_page = reading.pager.pages() == 1;
        // As old entries leave the list, new ones move to earlier pages, so go back until a known
        // entry comes first.
        if is_first_page && first > 1 && page.begins_unseen && !reading.whole {
            self.begin_at(first - 1, false);
            return Progress::Next;
        }
        // The list is shorter than before, or than its total says.
        if is_first_page && first > 1 && shape.entries == 0 {
            self.begin_at(1, true);
            return Progress::Next;
        }
        let wanted =
            reading.whole || self.order.order == Order::OldestFirst || page.unseen > 0 || looking;
        let max_pages = if wanted { limits.max_pages } else { u32::MAX };
        let turn = reading.pager.read(shape, page.new, &self.trust, max_pages);
        self.learn_page_size(shape, turn, is_first_page && first == 1);
        let mut notices = Vec::new();
        match turn {
            Turn::Next if wanted => {
                self.reading = Some(reading);
                return Progress::Next;
            }
            Turn::Next => {}
            Turn::End(ended) => {
                self.read_to = reading.pager.seen();
                self.is_too_long = ended == Ended::Limit;
                notices.extend(self.is_too_long.then_some(Notice::Truncated));
                if reading.whole || first == 1 {
                    let changes = self.end_whole(&reading, ended, window, limits, now, &keep);
                    notices.extend(changes.into_iter().map(Notice::List));
                }
            }
        }
        self.bound(keep);
        Progress::Read(notices)
    }

    /// A page that others follow is full, however few entries it has; the largest of several
    /// counts.
    fn learn_page_size(&mut self, shape: &Shape, turn: Turn, is_page_one: bool) {
        let size = if turn == Turn::Next { shape.entries.max(1) } else { shape.full(PAGE_SIZE) };
        if is_page_one {
            self.page_size = Some(size);
        } else if turn == Turn::Next {
            self.page_size = self.page_size.max(Some(size));
        }
    }

    /// The list was read from its first page to its last, or as far as allowed.
    fn end_whole(
        &mut self,
        reading: &Reading,
        ended: Ended,
        window: Window,
        limits: &Limits,
        now: Timestamp,
        keep: &impl Fn(&str) -> bool,
    ) -> Vec<Change> {
        let Reading { pager, evidence, .. } = reading;
        self.whole_due = Some(after(now, limits.history_interval));
        self.pages_read = pager.pages();
        let is_read_out = pager.is_read_out(ended);
        let settles = is_read_out && self.known.complete(pager.shows_all(ended, &self.trust), keep);
        let complete = settles && ended != Ended::Capped;
        self.ended_whole = (is_read_out && ended != Ended::Capped).then_some(complete);
        // What comes before the first page, or after the last one that may be read or is ever
        // shown, is unknown.
        let is_cut_off = ended == Ended::Limit || pager.first() > 1 || (settles && !complete);
        if complete || is_cut_off {
            self.order.learn(evidence, self.whole.is_some());
            self.end_known(pager, evidence, complete, keep);
        }
        let missing = self.missing(reading, ended, window, now);
        self.trust.weigh(pager, ended, missing)
    }

    fn end_known(
        &mut self,
        pager: &Pager,
        evidence: &Evidence,
        complete: bool,
        keep: &impl Fn(&str) -> bool,
    ) {
        let is_oldest_cut_off = self.order.order == Order::NewestFirst || pager.first() > 1;
        match evidence.latest.filter(|_| !complete && is_oldest_cut_off) {
            Some(latest) => self.cut_off(latest, keep),
            // Entries that a cut-off first reading has not shown may be old: they never count as
            // new.
            None => self.whole = self.whole.or(Some(complete)),
        }
    }

    /// Entries beyond the permitted pages are older than all that were shown: they are forgotten,
    /// and from now on only entries newer than all that were seen are new.
    fn cut_off(&mut self, latest: Timestamp, keep: &impl Fn(&str) -> bool) {
        self.known.end(true, keep);
        self.ended_whole = Some(true);
        self.whole = Some(false);
        self.since.get_or_insert(latest);
    }

    /// Entries that the window has room for but the reading has not shown.
    fn missing(&self, reading: &Reading, ended: Ended, window: Window, now: Timestamp) -> u64 {
        let Reading { pager, evidence, .. } = reading;
        let lacking = pager.missing(ended);
        let is_old = |time: Timestamp| since(time, now) > window.max_age;
        match self.order.order {
            // The missing entries are the newest.
            Order::OldestFirst => lacking,
            Order::NewestFirst if evidence.earliest.is_some_and(is_old) => 0,
            _ => lacking.min((window.entries as u64).saturating_sub(pager.shown())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use smol_str::SmolStr;

    use super::{History, Limits, Notice, Order, Progress, Shape, Window};
    use crate::model::Page;

    const LIMITS: Limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 4 };

    const WINDOW: Window = Window { entries: 100, max_age: Duration::from_secs(1 << 30) };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds as i64).unwrap()
    }

    /// Reads a list. Returns the pages that were requested, and how it ended. Each entry is its own
    /// time: larger is newer.
    fn read(
        history: &mut History,
        list: &[u64],
        timed: bool,
        now: Timestamp,
    ) -> (Vec<u32>, Progress) {
        history.begin(&LIMITS, now);
        let mut pages = Vec::new();
        loop {
            let number = history.page().unwrap();
            pages.push(number);
            let page: Vec<u64> =
                list.iter().skip((number as usize - 1) * 50).take(50).copied().collect();
            for entry in &page {
                history.note(&SmolStr::from(entry.to_string()), timed.then(|| at(*entry)));
            }
            let shape = Shape::of(&Page::new(page, Some(list.len() as u64)), |entry| *entry);
            match history.read(&shape, false, WINDOW, &LIMITS, now, |_| false) {
                Progress::Next => {}
                end => return (pages, end),
            }
        }
    }

    fn whole() -> Progress {
        Progress::Read(Vec::new())
    }

    fn truncated(progress: &Progress) -> bool {
        matches!(progress, Progress::Read(notices) if notices.contains(&Notice::Truncated))
    }

    fn newest_first(entries: u64) -> Vec<u64> {
        (0..entries).rev().collect()
    }

    fn oldest_first(entries: u64) -> Vec<u64> {
        (0..entries).collect()
    }

    #[test]
    fn times_tell_the_order_at_once_and_then_one_page_is_enough() {
        let mut newest = History::default();
        assert_eq!(read(&mut newest, &newest_first(120), true, at(0)).0, [1, 2, 3]);
        assert_eq!(read(&mut newest, &newest_first(120), true, at(1)).0, [1]);
        assert_eq!(
            read(&mut newest, &newest_first(121), true, at(2)).0,
            [1, 2],
            "as long as there is something new"
        );
        let mut oldest = History::default();
        assert_eq!(read(&mut oldest, &oldest_first(120), true, at(0)).0, [1, 2, 3]);
        assert_eq!(read(&mut oldest, &oldest_first(121), true, at(1)).0, [3]);
        assert_eq!(read(&mut oldest, &oldest_first(150), true, at(2)).0, [3]);
        assert_eq!(read(&mut oldest, &oldest_first(151), true, at(2)).0, [3, 4]);
        assert_eq!(
            read(&mut oldest, &oldest_first(40), true, at(3)).0,
            [4, 1],
            "it has become shorter"
        );
        let mut sliding = History::default();
        read(&mut sliding, &oldest_first(101), true, at(0));
        let slid: Vec<u64> = (2..103).collect();
        assert_eq!(
            read(&mut sliding, &slid, true, at(1)).0,
            [3, 2, 3],
            "one of two new ones has moved to page 2"
        );
    }

    #[test]
    fn without_times_the_places_of_newcomers_tell_it_and_until_then_all_pages_are_read() {
        for (list, order, after) in [
            (newest_first as fn(u64) -> Vec<u64>, Order::NewestFirst, vec![1, 2]),
            (oldest_first, Order::OldestFirst, vec![3]),
        ] {
            let mut history = History::default();
            for (entries, now) in [(120, 0), (121, 1), (121, 2), (122, 3)] {
                assert_eq!(read(&mut history, &list(entries), false, at(now)).0, [1, 2, 3]);
            }
            assert_eq!(history.order.order, order);
            assert_eq!(read(&mut history, &list(123), false, at(4)).0, after);
        }
    }

    #[test]
    fn a_list_in_no_order_is_always_read_whole_and_never_beyond_the_bound() {
        let mut history = History::default();
        for round in 0..5 {
            let mut list = newest_first(120 + round);
            list.rotate_left(60 + round as usize);
            assert_eq!(read(&mut history, &list, false, at(round)).0, [1, 2, 3]);
        }
        assert_eq!(history.order.order, Order::Unknown);
        let (pages, end) = read(&mut History::default(), &newest_first(1000), false, at(0));
        assert!(pages.len() == 4 && truncated(&end));
    }

    #[test]
    fn all_is_read_again_once_in_the_history_interval_and_after_a_restart() {
        let mut history = History::default();
        read(&mut history, &newest_first(120), true, at(0));
        assert_eq!(read(&mut history, &newest_first(120), true, at(1799)).0, [1]);
        assert_eq!(read(&mut history, &newest_first(120), true, at(1800)).0, [1, 2, 3]);
        let saved = rmp_serde::to_vec_named(&history).unwrap();
        let mut restored: History = rmp_serde::from_slice(&saved).unwrap();
        assert_eq!((restored.order.order, restored.is_watched()), (Order::NewestFirst, true));
        assert_eq!(read(&mut restored, &newest_first(121), true, at(1801)).0, [1, 2, 3]);
    }

    #[test]
    fn of_a_list_cut_off_at_its_old_end_what_is_newer_than_all_is_new_and_what_is_beyond_is_forgotten()
     {
        let mut history = History::default();
        for round in 0..40 {
            read(&mut history, &newest_first(1000 + 50 * round), true, at(1800 * round));
        }
        assert!(!history.is_watched() && history.is_watched_since(Some(at(1000))));
        assert!(!history.is_watched_since(Some(at(999))) && !history.is_watched_since(None));
        let saved = rmp_serde::to_vec_named(&history).unwrap();
        assert!(
            saved.len() < 400 * 6,
            "the ids of four pages, not of all that ever was: {} bytes",
            saved.len()
        );
        let mut unordered = History::default();
        read(&mut unordered, &newest_first(1000), false, at(0));
        assert!(
            !unordered.is_watched_since(Some(at(5000))),
            "without times it is not known what is beyond"
        );
    }

    #[test]
    fn a_total_that_was_right_about_several_pages_spares_the_empty_one_after_a_full_one() {
        let mut history = History::default();
        assert_eq!(
            read(&mut history, &newest_first(50), true, at(0)).0,
            [1, 2],
            "nothing says that it is the last"
        );
        assert_eq!(read(&mut history, &newest_first(50), true, at(1800)).0, [1]);
        assert_eq!(read(&mut history, &newest_first(100), true, at(3600)).0, [1, 2]);
        assert_eq!(read(&mut history, &newest_first(101), true, at(5400)).0, [1, 2, 3]);
        let mut short = History::default();
        read(&mut short, &newest_first(30), true, at(0));
        assert_eq!(
            read(&mut short, &newest_first(50), true, at(1800)).0,
            [1, 2],
            "one page proves nothing"
        );
    }

    #[test]
    fn a_total_that_counts_a_page_and_not_the_list_is_never_believed() {
        let mut history = History::default();
        for round in 0..3 {
            history.begin(&LIMITS, at(round * 1800));
            let mut pages = 0;
            loop {
                pages += 1;
                let page = history.page().unwrap();
                let entries: Vec<usize> = (0..[50, 50, 20][page as usize - 1]).collect();
                for n in &entries {
                    history.note(&SmolStr::from(format!("{page}-{n}")), None);
                }
                let total = entries.len() as u64;
                let shape = Shape::of(&Page::new(entries, Some(total)), |entry| *entry);
                match history.read(&shape, false, WINDOW, &LIMITS, at(round * 1800), |_| true) {
                    Progress::Next => {}
                    end => break assert_eq!((pages, end), (3, whole())),
                }
            }
        }
    }

    #[test]
    fn of_a_list_that_shrinks_between_two_pages_of_its_first_reading_nothing_is_taken_for_new_later()
     {
        let mut history = History::default();
        history.begin(&LIMITS, at(0));
        let list: Vec<u64> = (0..120).collect();
        let pages: [(&[u64], u64); 3] =
            [(&list[..50], 120), (&list[60..110], 110), (&list[110..], 110)];
        for (page, total) in pages {
            for entry in page {
                history.note(&SmolStr::from(entry.to_string()), None);
            }
            let shape = Shape::of(&Page::new(page.to_vec(), Some(total)), |entry| *entry);
            history.read(&shape, false, WINDOW, &LIMITS, at(0), |_| false);
        }
        assert!(!history.is_watched(), "ten entries have slipped past");
        assert_eq!(history.trust().state().missing_once, 0, "and none is missing now");
        read(&mut history, &list[10..], false, at(1800));
        assert!(history.is_watched());
    }

    #[test]
    fn of_a_list_that_is_too_long_and_comes_oldest_first_the_last_pages_are_read() {
        let mut history = History::default();
        assert_eq!(read(&mut history, &oldest_first(500), true, at(0)).0, [1, 2, 3, 4]);
        assert_eq!(history.trust().state().missing_once, 300, "the newest were not shown");
        assert_eq!(read(&mut history, &oldest_first(500), true, at(1800)).0, [8, 9, 10, 11]);
        assert_eq!(history.trust().state().missing_once, 0);
        assert!(
            history.is_watched_since(Some(at(500))) && !history.is_watched_since(Some(at(499)))
        );
    }

    #[test]
    fn a_total_that_is_far_too_large_leads_to_no_page_beyond_the_list() {
        let mut history = History::default();
        for (round, total) in [120, 100_000, u64::MAX, 0, 120].into_iter().enumerate() {
            let list = oldest_first(120 + round as u64);
            history.begin(&LIMITS, at(round as u64));
            let mut pages = Vec::new();
            while let Some(number) = history.page() {
                pages.push(number);
                let skipped = (number as usize - 1) * 50;
                let page: Vec<u64> = list.iter().skip(skipped).take(50).copied().collect();
                for entry in &page {
                    history.note(&SmolStr::from(entry.to_string()), Some(at(*entry)));
                }
                let shape = Shape::of(&Page::new(page, Some(total)), |entry| *entry);
                history.read(&shape, false, WINDOW, &LIMITS, at(round as u64), |_| true);
            }
            assert!(pages.len() <= 4 && pages.iter().all(|page| *page <= 4), "{total}: {pages:?}");
        }
    }

    #[test]
    fn a_history_longer_than_its_window_is_fine_and_one_that_does_not_fill_it_is_not() {
        for (listed, window, missing) in [(1000, 100, 0), (1000, 250, 50), (150, 100, 0)] {
            let mut history = History::default();
            for round in 0..2 {
                history.begin(&LIMITS, at(round * 1800));
                let list = newest_first(listed);
                loop {
                    let skipped = (history.page().unwrap() as usize - 1) * 50;
                    let page: Vec<u64> = list.iter().skip(skipped).take(50).copied().collect();
                    for entry in &page {
                        history.note(&SmolStr::from(entry.to_string()), Some(at(*entry)));
                    }
                    let shape = Shape::of(&Page::new(page, Some(listed)), |entry| *entry);
                    let window = Window { entries: window, ..WINDOW };
                    if history.read(&shape, false, window, &LIMITS, at(round * 1800), |_| true)
                        != Progress::Next
                    {
                        break;
                    }
                }
                let told = if round == 0 { 0 } else { missing };
                assert_eq!(history.trust().state().missing, told, "{listed} {window}");
            }
        }
    }

    #[test]
    fn a_page_that_repeats_ends_the_list() {
        let mut history = History::default();
        history.begin(&LIMITS, at(0));
        for page in 1..=2 {
            assert_eq!(history.page(), Some(page));
            for n in 0..50 {
                history.note(&SmolStr::from(n.to_string()), None);
            }
            let shape = Shape::of(&Page::new((0..50).collect(), None), |n: &u64| *n);
            let end = history.read(&shape, true, WINDOW, &LIMITS, at(0), |_| false);
            assert_eq!(end == Progress::Next, page == 1);
        }
        assert_eq!(history.page(), None);
    }

    #[test]
    fn a_list_that_moves_while_it_is_read_is_watched_from_the_first_and_its_order_is_learned() {
        let mut history = History::default();
        let mut newest = 1000;
        for round in 0..3 {
            history.begin(&LIMITS, at(round * 1800));
            loop {
                let skipped = (history.page().unwrap() - 1) * 50;
                let page: Vec<u64> =
                    (0..120).map(|place| newest - place).skip(skipped as usize).take(50).collect();
                for entry in &page {
                    history.note(&SmolStr::from(entry.to_string()), Some(at(*entry)));
                }
                let shape = Shape::of(&Page::new(page, Some(120)), |entry| *entry);
                newest += 2;
                match history.read(&shape, false, WINDOW, &LIMITS, at(round * 1800), |_| false) {
                    Progress::Next => {}
                    end => break assert_eq!(end, whole()),
                }
            }
            assert_eq!((history.is_watched(), history.order.order), (true, Order::NewestFirst));
            assert!(history.known.has(&(newest - 20).to_string()));
        }
    }
}
