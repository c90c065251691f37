//! A list of the cloud's, read page by page: which ids it has shown, in which order, and which page is read next.
//!
//! No document states the order of any list, so a new entry may be on any page, and until the order is learned all pages
//! are read, at most `history_max_pages`. It is learned from the entries' own times, or from where new entries turn up. Then
//! one page is enough while nothing new is on it; all pages are still read once in `history_interval`, should the order
//! have been a coincidence.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Limits;
use super::known::Known;
use crate::aliyun::op::PAGE_SIZE;
use crate::poll::after;

/// New entries must have turned up at the same end so many times before that is believed.
const VOTES: i8 = 2;

/// What is known of a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Listing {
    known: Known,
    /// Once it was read for the first time: whether all of it was.
    whole: Option<bool>,
    /// The newest entry's time when a reading that begins with the newest was first cut off: what is newer is new.
    #[serde(default)]
    since: Option<Timestamp>,
    order: Order,
    /// How often new entries turned up first (positive) or last (negative) in a row.
    votes: i8,
    /// A list of several pages had as many entries as its TotalCount said, so a full page may be known for the last one.
    #[serde(default)]
    total_holds: bool,
    /// TotalCount at the last reading. After a restart anything may have happened, so all is read again.
    #[serde(skip)]
    total: Option<u64>,
    #[serde(skip)]
    pub(super) whole_due: Option<Timestamp>,
    #[serde(skip)]
    evidence: Evidence,
    /// Whether the present reading, from the first page to the last, has shown all there is; `None` if it is not such a one.
    #[serde(skip)]
    ended_whole: Option<bool>,
}

/// The order in which a list comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    #[default]
    Unknown,
    NewestFirst,
    OldestFirst,
}

/// What the present reading has shown of the order, entry by entry.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    /// The time of the entry before.
    before: Option<Timestamp>,
    /// The newest time of all.
    latest: Option<Timestamp>,
    rises: bool,
    falls: bool,
    seen_new: bool,
    seen_old: bool,
    new_after_old: bool,
    old_after_new: bool,
    /// Of the present page: its entries, those not yet seen in this reading, and those never seen before.
    page_entries: usize,
    page_news: usize,
    page_unseen: usize,
    /// Whether the first entry of the page was never seen before.
    page_begins_unseen: bool,
}

/// Where the reading of a list stands within a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The page to ask for.
    pub(super) page: u32,
    /// Pages that were read before it.
    pub(super) read: u32,
    whole: bool,
}

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Ask for this page.
    Next(Cursor),
    /// As much was read as is needed.
    Read,
    /// There may be more, but no more pages may be read.
    Truncated,
}

impl Listing {
    /// Whether ends of things that appear from now on can be told from those of old ones.
    pub(super) fn is_watched(&self) -> bool {
        self.whole == Some(true)
    }

    /// The same of a thing of that time.
    pub(super) fn is_watched_since(&self, time: Option<Timestamp>) -> bool {
        self.is_watched() || self.since.zip(time).is_some_and(|(since, time)| time > since)
    }

    /// What it shows from now on may be old, though it was never seen: it is read from another list than before.
    pub(super) fn forget_whole(&mut self) {
        (self.whole, self.since, self.whole_due) = (None, None, None);
    }

    /// A reading begins of a larger list, of which this one holds a part.
    pub(super) fn begin_part(&mut self) {
        self.known.begin();
    }

    /// Notes an entry of the part. Whether it was never seen before.
    pub(super) fn note_part(&mut self, id: &Arc<str>) -> bool {
        self.known.note(id)
    }

    /// The reading of the larger list has ended: as far as that has come, the part was read, too.
    pub(super) fn end_part(&mut self, list: &Self, keep: impl Fn(&str) -> bool) {
        if let Some(whole) = list.ended_whole {
            self.known.end(whole, keep);
        }
        if self.whole.is_none() || list.since.is_some() {
            (self.whole, self.since) = (list.whole, list.since);
        }
    }

    /// Whether its order is known, so that not all of it need be read.
    pub(super) fn is_ordered(&self) -> bool {
        self.order != Order::Unknown
    }

    /// Whether the newest are on its first page, as far as is known.
    pub(super) fn is_newest_first(&self) -> bool {
        self.order == Order::NewestFirst
    }

    /// Pages that a whole reading takes, as far as is known.
    pub(super) fn pages(&self, limits: &Limits) -> u32 {
        let pages = self.total.unwrap_or_default().div_ceil(u64::from(PAGE_SIZE));
        u32::try_from(pages).unwrap_or(u32::MAX).clamp(1, limits.max_pages)
    }

    /// How many entries this reading has shown.
    pub(super) fn shown(&self) -> usize {
        self.known.fresh_count()
    }

    /// Whether this reading has shown `id`.
    pub(super) fn has_shown(&self, id: &str) -> bool {
        self.known.is_fresh(id)
    }

    /// Starts a reading.
    pub(super) fn begin(&mut self, now: Timestamp) -> Cursor {
        self.known.begin();
        self.evidence = Evidence::default();
        self.ended_whole = None;
        let pages = self.total.map(|total| total.div_ceil(u64::from(PAGE_SIZE)).max(1));
        let due = self.whole_due.is_none_or(|due| due <= now);
        let page = match (self.order, pages) {
            _ if due => None,
            (_, Some(1)) | (Order::NewestFirst, _) => Some(1),
            (Order::OldestFirst, Some(last)) => u32::try_from(last).ok(),
            _ => None,
        };
        Cursor { page: page.unwrap_or(1), read: 0, whole: page.is_none() }
    }

    /// Notes an entry, with its time if it has one. Whether it was never seen before.
    pub(super) fn note(&mut self, id: &Arc<str>, time: Option<Timestamp>) -> bool {
        self.evidence.page_news += usize::from(!self.known.is_fresh(id));
        let unseen = self.known.note(id);
        self.evidence.note(unseen, time);
        unseen
    }

    /// A page with so many entries was noted. `looking`: something that should be in the list has not been seen yet.
    /// What a whole reading has not shown is forgotten, but for what `keep` wants.
    pub(super) fn read(
        &mut self,
        cursor: Cursor,
        (entries, total): (usize, Option<u64>),
        looking: bool,
        limits: &Limits,
        now: Timestamp,
        keep: impl Fn(&str) -> bool,
    ) -> Progress {
        let Evidence { page_news: news, page_unseen: unseen, page_begins_unseen, .. } = self.evidence.end_page();
        self.total = total;
        // As old entries leave the list, new ones move to earlier pages: something known must stand before them.
        if !cursor.whole && cursor.read == 0 && cursor.page > 1 && (entries == 0 || page_begins_unseen) {
            self.known.begin();
            return Progress::Next(Cursor { page: cursor.page - 1, ..cursor });
        }
        let full = entries >= PAGE_SIZE as usize;
        // A full page without anything new is one that was read before: what else there is cannot be read.
        let repeats = full && news == 0;
        let upto = u64::from(cursor.page) * u64::from(PAGE_SIZE);
        let reaches_total = self.total_holds && total.is_some_and(|total| total <= upto);
        let last = !full || (reaches_total && !repeats);
        let wanted = cursor.whole || self.order == Order::OldestFirst || unseen > 0 || looking;
        let read = cursor.read + 1;
        match (last, wanted && !repeats) {
            (false, true) if read < limits.max_pages => {
                return Progress::Next(Cursor { page: cursor.page + 1, read, whole: cursor.whole });
            }
            // From the first page to the last, or as far as may be.
            _ if cursor.page == read && (last || wanted) => {
                if !full {
                    self.weigh_total(read);
                }
                self.end_whole(last, repeats, limits, now, keep);
            }
            _ => {}
        }
        if last || repeats || !wanted { Progress::Read } else { Progress::Truncated }
    }

    /// A list of so many pages was read to a short one. TotalCount is believed once it was right about several pages, and no
    /// longer when there was more than it said.
    fn weigh_total(&mut self, pages: u32) {
        let Some(total) = self.total else { return };
        let shown = self.known.fresh_count() as u64;
        self.total_holds = (self.total_holds || (pages > 1 && shown == total)) && shown <= total;
    }

    /// The list was read from its first page to its last, or as far as it may be.
    fn end_whole(&mut self, last: bool, repeats: bool, limits: &Limits, now: Timestamp, keep: impl Fn(&str) -> bool) {
        self.whole_due = Some(after(now, limits.history_interval));
        let complete = last && self.known.complete(self.total, &keep);
        self.ended_whole = last.then_some(complete);
        if !complete && (last || repeats) {
            return;
        }
        if let Some(order) = self.evidence.by_times() {
            self.order = order;
        } else if let Some(order) = self.evidence.by_newcomers().filter(|_| self.whole.is_some()) {
            self.vote(order);
        }
        match self.evidence.latest.filter(|_| !complete && self.order == Order::NewestFirst) {
            Some(latest) => self.cut_off(latest, keep),
            // What a cut-off first reading has not shown may be old: it is never counted as new.
            None => self.whole = self.whole.or(Some(complete)),
        }
    }

    /// What lies beyond the last page that may be read is older than all that was shown: it is forgotten, and from now on
    /// only what is newer than all that was seen is new.
    fn cut_off(&mut self, latest: Timestamp, keep: impl Fn(&str) -> bool) {
        self.known.end(true, keep);
        (self.ended_whole, self.whole) = (Some(true), Some(false));
        self.since.get_or_insert(latest);
    }

    fn vote(&mut self, order: Order) {
        let vote = match order {
            Order::NewestFirst => 1,
            Order::OldestFirst => -1,
            Order::Unknown => 0,
        };
        self.votes = if vote * self.votes > 0 { (self.votes + vote).clamp(-VOTES, VOTES) } else { vote };
        self.order = match self.votes {
            VOTES => Order::NewestFirst,
            votes if votes == -VOTES => Order::OldestFirst,
            _ => Order::Unknown,
        };
    }
}

impl Evidence {
    fn note(&mut self, unseen: bool, time: Option<Timestamp>) {
        self.page_begins_unseen |= unseen && self.page_entries == 0;
        self.page_entries += 1;
        self.page_unseen += usize::from(unseen);
        self.new_after_old |= unseen && self.seen_old;
        self.old_after_new |= !unseen && self.seen_new;
        self.seen_new |= unseen;
        self.seen_old |= !unseen;
        if let (Some(before), Some(time)) = (self.before, time) {
            self.rises |= time > before;
            self.falls |= time < before;
        }
        self.before = time.or(self.before);
        self.latest = self.latest.max(time);
    }

    /// What was noted until the end of a page; the next begins anew.
    fn end_page(&mut self) -> Self {
        let page = *self;
        (self.page_entries, self.page_news, self.page_unseen, self.page_begins_unseen) = (0, 0, 0, false);
        page
    }

    /// What the entries' own times say; `None` if they say nothing.
    fn by_times(&self) -> Option<Order> {
        match (self.rises, self.falls) {
            (false, false) => None,
            (true, false) => Some(Order::OldestFirst),
            (false, true) => Some(Order::NewestFirst),
            (true, true) => Some(Order::Unknown),
        }
    }

    /// What the places of the newcomers say; `None` if there are none, or nothing else.
    fn by_newcomers(&self) -> Option<Order> {
        (self.seen_new && self.seen_old).then_some(match (self.new_after_old, self.old_after_new) {
            (false, _) => Order::NewestFirst,
            (_, false) => Order::OldestFirst,
            (true, true) => Order::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Limits, Listing, Order, Progress};

    const LIMITS: Limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 4 };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds as i64).unwrap()
    }

    /// Reads a list; the pages that were asked for, and how it ended. An entry is its own age: larger is newer.
    fn read(listing: &mut Listing, list: &[u64], timed: bool, now: Timestamp) -> (Vec<u32>, Progress) {
        let (mut cursor, mut pages) = (listing.begin(now), Vec::new());
        loop {
            pages.push(cursor.page);
            let page: Vec<u64> = list.iter().skip((cursor.page as usize - 1) * 50).take(50).copied().collect();
            for entry in &page {
                listing.note(&Arc::from(entry.to_string()), timed.then(|| at(*entry)));
            }
            let size = (page.len(), Some(list.len() as u64));
            match listing.read(cursor, size, false, &LIMITS, now, |_| false) {
                Progress::Next(next) => cursor = next,
                end => return (pages, end),
            }
        }
    }

    fn newest_first(entries: u64) -> Vec<u64> {
        (0..entries).rev().collect()
    }

    fn oldest_first(entries: u64) -> Vec<u64> {
        (0..entries).collect()
    }

    #[test]
    fn times_tell_the_order_at_once_and_then_one_page_is_enough() {
        let mut newest = Listing::default();
        assert_eq!(read(&mut newest, &newest_first(120), true, at(0)).0, [1, 2, 3]);
        assert_eq!(read(&mut newest, &newest_first(120), true, at(1)).0, [1]);
        assert_eq!(read(&mut newest, &newest_first(121), true, at(2)).0, [1, 2], "as long as there is something new");
        let mut oldest = Listing::default();
        assert_eq!(read(&mut oldest, &oldest_first(120), true, at(0)).0, [1, 2, 3]);
        assert_eq!(read(&mut oldest, &oldest_first(121), true, at(1)).0, [3]);
        assert_eq!(read(&mut oldest, &oldest_first(150), true, at(2)).0, [3]);
        assert_eq!(read(&mut oldest, &oldest_first(151), true, at(2)).0, [3, 4]);
        assert_eq!(read(&mut oldest, &oldest_first(40), true, at(3)).0, [4, 3, 2, 1], "it has become shorter");
        let mut sliding = Listing::default();
        read(&mut sliding, &oldest_first(101), true, at(0));
        let slid: Vec<u64> = (2..103).collect();
        assert_eq!(read(&mut sliding, &slid, true, at(1)).0, [3, 2, 3], "one of two new ones has moved to page 2");
    }

    #[test]
    fn without_times_the_places_of_newcomers_tell_it_and_until_then_all_pages_are_read() {
        for (list, order, after) in [
            (newest_first as fn(u64) -> Vec<u64>, Order::NewestFirst, vec![1, 2]),
            (oldest_first, Order::OldestFirst, vec![3]),
        ] {
            let mut listing = Listing::default();
            for (entries, now) in [(120, 0), (121, 1), (121, 2), (122, 3)] {
                assert_eq!(read(&mut listing, &list(entries), false, at(now)).0, [1, 2, 3]);
            }
            assert_eq!(listing.order, order);
            assert_eq!(read(&mut listing, &list(123), false, at(4)).0, after);
        }
    }

    #[test]
    fn a_list_in_no_order_is_always_read_whole_and_never_beyond_the_bound() {
        let mut listing = Listing::default();
        for round in 0..5 {
            let mut list = newest_first(120 + round);
            list.rotate_left(60 + round as usize);
            assert_eq!(read(&mut listing, &list, false, at(round)).0, [1, 2, 3]);
        }
        assert_eq!(listing.order, Order::Unknown);
        let (pages, end) = read(&mut Listing::default(), &newest_first(1000), false, at(0));
        assert_eq!((pages.len(), end), (4, Progress::Truncated));
    }

    #[test]
    fn all_is_read_again_once_in_the_history_interval_and_after_a_restart() {
        let mut listing = Listing::default();
        read(&mut listing, &newest_first(120), true, at(0));
        assert_eq!(read(&mut listing, &newest_first(120), true, at(1799)).0, [1]);
        assert_eq!(read(&mut listing, &newest_first(120), true, at(1800)).0, [1, 2, 3]);
        let saved = rmp_serde::to_vec_named(&listing).unwrap();
        let mut restored: Listing = rmp_serde::from_slice(&saved).unwrap();
        assert_eq!((restored.order, restored.is_watched()), (Order::NewestFirst, true));
        assert_eq!(read(&mut restored, &newest_first(121), true, at(1801)).0, [1, 2, 3]);
    }

    #[test]
    fn of_a_list_cut_off_at_its_old_end_what_is_newer_than_all_is_new_and_what_is_beyond_is_forgotten() {
        let mut listing = Listing::default();
        for round in 0..40 {
            read(&mut listing, &newest_first(1000 + 50 * round), true, at(1800 * round));
        }
        assert!(!listing.is_watched() && listing.is_watched_since(Some(at(1000))));
        assert!(!listing.is_watched_since(Some(at(999))) && !listing.is_watched_since(None));
        let saved = rmp_serde::to_vec_named(&listing).unwrap();
        assert!(saved.len() < 400 * 6, "the ids of four pages, not of all that ever was: {} bytes", saved.len());
        let mut unordered = Listing::default();
        read(&mut unordered, &newest_first(1000), false, at(0));
        assert!(!unordered.is_watched_since(Some(at(5000))), "without times nobody knows what is beyond");
    }

    #[test]
    fn a_total_that_was_right_about_several_pages_spares_the_empty_one_after_a_full_one() {
        let mut listing = Listing::default();
        assert_eq!(read(&mut listing, &newest_first(50), true, at(0)).0, [1, 2], "nothing says that it is the last");
        assert_eq!(read(&mut listing, &newest_first(50), true, at(1800)).0, [1]);
        assert_eq!(read(&mut listing, &newest_first(100), true, at(3600)).0, [1, 2]);
        assert_eq!(read(&mut listing, &newest_first(101), true, at(5400)).0, [1, 2, 3]);
        let mut short = Listing::default();
        read(&mut short, &newest_first(30), true, at(0));
        assert_eq!(read(&mut short, &newest_first(50), true, at(1800)).0, [1, 2], "one page proves nothing");
    }

    #[test]
    fn a_total_that_counts_a_page_and_not_the_list_is_never_believed() {
        let mut listing = Listing::default();
        for round in 0..3 {
            let (mut cursor, mut pages) = (listing.begin(at(round * 1800)), 0);
            loop {
                pages += 1;
                let entries = [50, 50, 20][cursor.page as usize - 1];
                (0..entries).for_each(|n| {
                    listing.note(&Arc::from(format!("{}-{n}", cursor.page)), None);
                });
                let size = (entries, Some(entries as u64));
                match listing.read(cursor, size, false, &LIMITS, at(round * 1800), |_| true) {
                    Progress::Next(next) => cursor = next,
                    end => break assert_eq!((pages, end), (3, Progress::Read)),
                }
            }
        }
    }

    #[test]
    fn a_page_that_repeats_ends_the_list() {
        let mut listing = Listing::default();
        let mut cursor = listing.begin(at(0));
        for _ in 0..2 {
            for n in 0..50 {
                listing.note(&Arc::from(n.to_string()), None);
            }
            match listing.read(cursor, (50, None), true, &LIMITS, at(0), |_| false) {
                Progress::Next(next) => cursor = next,
                end => assert_eq!((cursor.page, end), (2, Progress::Read)),
            }
        }
        assert_eq!(cursor.page, 2);
    }
}
