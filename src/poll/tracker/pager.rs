//! Reads one list page by page to its end, and judges whether all of it was shown. Used for every
//! list of the cloud.
//!
//! Nothing that the documentation leaves open is assumed: a back end may return smaller pages than
//! requested, repeat a page, stop early, omit the list, or send a `TotalCount` that counts only the
//! page. See "Paging" in `docs/alibaba-cloud-api.md`.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::model::{ListState, Page};

/// Maximum page number of any list, and the largest PageNumber that a configuration may set.
pub(super) const MAX_PAGES: u32 = 999;

/// Number of consecutive whole readings with the same shortfall after which the total counts as
/// wrong.
const MAX_SHORTFALLS: u8 = 8;

/// Number of consecutive incomplete readings after which a list that must be whole is reported.
const MAX_INCOMPLETE: u8 = 2;

/// A page without its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Number of entries, unreadable ones included.
    pub(super) entries: u64,
    unreadable: u64,
    /// Repeated entries on the same page: the total counts them, too.
    doubles: u64,
    /// TotalCount.
    pub(super) total: Option<u64>,
    page_size: Option<u64>,
    is_partial: bool,
    /// Hashes of the entries' keys, in order.
    keys: Vec<u64>,
}

impl Shape {
    /// Shape of a page whose entries are identified by `key`.
    pub(super) fn of<'a, T, K: Hash>(page: &'a Page<T>, key: impl Fn(&'a T) -> K) -> Self {
        let keys: Vec<u64> = page.items.iter().map(|item| hash(&key(item))).collect();
        let distinct: HashSet<&u64> = keys.iter().collect();
        Self {
            entries: page.entries as u64,
            unreadable: page.entries.saturating_sub(page.items.len()) as u64,
            doubles: (keys.len() - distinct.len()) as u64,
            keys,
            total: page.total,
            page_size: page.page_size,
            is_partial: page.is_partial,
        }
    }

    /// Number of entries of a full page: as many as requested, or fewer if the answer says so.
    pub(super) fn full(&self, asked: u32) -> u64 {
        let asked = u64::from(asked);
        self.page_size.filter(|size| (1..asked).contains(size)).unwrap_or(asked)
    }

    /// Whether its first `entries` entries were on the page `before`, in the same order; others of
    /// that page may have left the list.
    fn begins_with(&self, entries: usize, before: &[u64]) -> bool {
        let mut before = before.iter();
        self.keys.iter().take(entries).all(|key| before.any(|other| other == key))
    }
}

fn hash(key: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// One reading of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pager {
    /// Requested PageSize.
    asked: u32,
    /// First page of the reading.
    first: u32,
    /// Page to request next.
    page: u32,
    /// Entries shown, each counted once; those of the pages before `first` are assumed.
    shown: u64,
    unreadable: u64,
    /// Entries that new ones have pushed from the end of one page to the start of the next, before
    /// that was read.
    moved: u64,
    /// Keys of the previous page, if its entries may have moved to this one.
    before: Vec<u64>,
    /// Largest TotalCount of the reading: if the list shrank between two pages, an entry may have
    /// moved from an unread page to one already read.
    largest_total: Option<u64>,
    total: Option<u64>,
    /// The total fell between two pages.
    has_shrunk: bool,
    /// The previous page was full.
    was_full: bool,
    /// The previous page showed nothing new, but had unreadable entries.
    was_unreadable: bool,
    /// A page may have omitted entries.
    is_partial: bool,
    /// The total may end the reading at a full page.
    believes_total: bool,
    /// The total has ended the reading, and may have counted only the page.
    is_ended_by_total: bool,
}

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Request the next page.
    Next,
    /// The list has ended.
    End(Ended),
}

/// How a reading of a list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With its last page.
    Whole,
    /// With a short page, although the total counts more.
    Short,
    /// With an empty page after a full one, although the total counts more.
    Capped,
    /// With a page that was shown before, and the total counts more or is missing.
    Repeated,
    /// With the last permitted page.
    Limit,
    /// With an answer without a list.
    Unlisted,
}

impl Pager {
    /// A reading that starts at page `first`; the full pages before it hold `skipped` entries.
    pub(super) fn new(asked: u32, first: u32, skipped: u64) -> Self {
        Self {
            asked,
            first,
            page: first,
            shown: skipped,
            unreadable: 0,
            moved: 0,
            before: Vec::new(),
            largest_total: None,
            total: None,
            has_shrunk: false,
            was_full: false,
            was_unreadable: false,
            is_partial: false,
            believes_total: false,
            is_ended_by_total: false,
        }
    }

    /// Accepts a total that was right before, to save reading the empty page after a full one. If
    /// that total is no more than the page has, the reading removes nothing: the back end may have
    /// counted only the page this time.
    pub(super) fn believing_total(self) -> Self {
        Self { believes_total: true, ..self }
    }

    /// The page to request.
    pub(super) fn page(&self) -> u32 {
        self.page
    }

    /// The first page of the reading.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// Number of pages read, the current one included.
    pub(super) fn pages(&self) -> u32 {
        self.page - self.first + 1
    }

    /// Handles the requested page; `new` of its entries had not been shown in this reading. At most
    /// `max_pages` are read.
    pub(super) fn read(
        &mut self,
        shape: &Shape,
        new: usize,
        trust: &Trust,
        max_pages: u32,
    ) -> Turn {
        let ended = self.judge(shape, new as u64, trust);
        match ended {
            Some(ended) => Turn::End(ended),
            None if self.pages() >= max_pages => Turn::End(Ended::Limit),
            None => {
                self.page += 1;
                Turn::Next
            }
        }
    }

    fn judge(&mut self, shape: &Shape, new: u64, trust: &Trust) -> Option<Ended> {
        self.shown += if new > 0 { new + shape.doubles } else { 0 };
        self.unreadable += shape.unreadable;
        self.note_moved(shape, new);
        self.has_shrunk |= shape.total.zip(self.total).is_some_and(|(now, before)| now < before);
        self.total = shape.total.or(self.total);
        self.largest_total = self.largest_total.max(shape.total);
        self.is_partial |= shape.is_partial;
        let was_full =
            std::mem::replace(&mut self.was_full, shape.entries >= shape.full(self.asked));
        let was_unreadable = std::mem::replace(&mut self.was_unreadable, new == 0);
        let more = self.lacking() > 0;
        let unexplained = more && !trust.is_wrong_by(self.lacking());
        if shape.entries == 0 {
            return Some(match (shape.is_partial, unexplained) {
                (true, _) => Ended::Unlisted,
                (false, false) => Ended::Whole,
                (false, true) if was_full => Ended::Capped,
                (false, true) => Ended::Short,
            });
        }
        if new == 0 && (shape.unreadable == 0 || was_unreadable) {
            let is_all = !more && (self.total.is_some() || !self.was_full);
            return Some(if is_all { Ended::Whole } else { Ended::Repeated });
        }
        let is_short = !self.was_full;
        let is_last = match more {
            true => is_short && !unexplained,
            false => is_short || (self.believes_total && trust.knows(self.total)),
        };
        let is_of_page = shape.total.is_some_and(|total| total <= shape.entries);
        self.is_ended_by_total = is_last && !is_short && is_of_page;
        is_last.then_some(Ended::Whole)
    }

    /// New entries at the start of a list push others to the next page, which then starts with them
    /// in their order. Repeats anywhere else mean that the list has changed its order.
    fn note_moved(&mut self, shape: &Shape, new: u64) {
        let repeated = (shape.keys.len() as u64).saturating_sub(shape.doubles + new);
        if new > 0 && shape.begins_with(repeated as usize, &self.before) {
            self.moved += repeated;
        }
        self.before.clone_from(&shape.keys);
    }

    /// Whether it reached the list's own end, and no answer omitted anything.
    pub(super) fn is_read_out(&self, ended: Ended) -> bool {
        matches!(ended, Ended::Whole | Ended::Short | Ended::Capped)
            && self.first == 1
            && !self.is_partial
    }

    /// Whether everything readable was shown.
    pub(super) fn is_complete(&self, ended: Ended) -> bool {
        ended == Ended::Whole && !self.is_partial
    }

    /// Entries that the total counts but no page has shown. Pushed entries are not among them: as
    /// many new ones came after the pages before were read.
    fn lacking(&self) -> u64 {
        self.total.unwrap_or_default().saturating_sub(self.seen() + self.moved)
    }

    /// Number of entries not shown by a reading that `ended` like this, if it must show all.
    pub(super) fn missing(&self, ended: Ended) -> u64 {
        match ended {
            Ended::Whole => 0,
            // Even without a total, at least one entry is beyond the last page read.
            Ended::Limit => self.lacking().max(1),
            _ => self.lacking(),
        }
    }

    /// Entries shown, each counted once.
    pub(super) fn shown(&self) -> u64 {
        self.shown
    }

    /// Entries up to the current page, unreadable ones included.
    pub(super) fn seen(&self) -> u64 {
        self.shown + self.unreadable
    }

    /// Whether entries not shown by a reading that `ended` like this do not exist.
    pub(super) fn shows_all(&self, ended: Ended, trust: &Trust) -> bool {
        let lacking = self.largest_total.unwrap_or_default().saturating_sub(self.shown);
        let has_only_grown = !self.has_shrunk && self.lacking() == 0;
        let is_all = lacking == 0 || has_only_grown || trust.is_wrong_by(lacking);
        ended == Ended::Whole
            && !self.is_partial
            && !self.is_ended_by_total
            && self.unreadable == 0
            && is_all
    }
}

/// How far a list's `TotalCount` can be trusted, and whether the last readings have shown all of
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Trust {
    /// The total was right about several pages, so it can identify a full page as the last.
    total_holds: bool,
    /// The total at the last whole reading. A smaller one is checked.
    last_total: u64,
    /// Excess of the total over what the last readings have shown, and for how many consecutive
    /// ones.
    shortfall: u64,
    shortfalls: u8,
    /// Consecutive readings that did not show what they must.
    incomplete: u8,
    /// Entries that the last one did not show.
    missing: u64,
}

/// A change to report to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list lacks this many entries; 0 means that it is complete again.
    Missing(u64),
    /// The total exceeds the entries by this many, and is not believed.
    TotalWrong(u64),
}

impl Trust {
    fn knows(&self, total: Option<u64>) -> bool {
        self.total_holds && total.is_some_and(|total| total >= self.last_total)
    }

    fn is_wrong_by(&self, lacking: u64) -> bool {
        self.excess() == lacking && lacking > 0
    }

    /// What the last readings have not shown, for the user.
    pub(super) fn state(&self) -> ListState {
        ListState {
            missing: self.missing(),
            missing_once: self.missing,
            total_excess: self.excess(),
        }
    }

    /// Entries by which the total is too large, once that is certain.
    fn excess(&self) -> u64 {
        if self.shortfalls >= MAX_SHORTFALLS { self.shortfall } else { 0 }
    }

    /// Entries missing from several consecutive readings that must show them.
    fn missing(&self) -> u64 {
        if self.incomplete >= MAX_INCOMPLETE { self.missing } else { 0 }
    }

    /// Handles the result of a reading from the first page; `missing` entries that must be shown
    /// were not.
    pub(super) fn weigh(&mut self, pager: &Pager, ended: Ended, missing: u64) -> Vec<Change> {
        let excess = self.excess();
        self.weigh_total(pager, ended);
        let is_found_wrong = self.excess() > 0 && self.excess() != excess;
        let before = self.missing();
        let missing = if self.excess() > 0 { 0 } else { missing };
        self.incomplete = if missing > 0 { self.incomplete.saturating_add(1) } else { 0 };
        self.missing = missing;
        let after = self.missing();
        let turned = ((before > 0) != (after > 0)).then_some(Change::Missing(after));
        turned
            .into_iter()
            .chain(is_found_wrong.then_some(Change::TotalWrong(self.excess())))
            .collect()
    }

    /// Only a list that ends with a short page proves its total wrong: one that is cut off was not
    /// read to its end.
    fn weigh_total(&mut self, pager: &Pager, ended: Ended) {
        let seen = pager.seen();
        if let Some(total) = pager.total {
            let is_right = ended == Ended::Whole
                && pager.pages() > 1
                && (seen == total || seen + pager.moved == total);
            self.total_holds = (self.total_holds || is_right) && seen <= total;
            if ended == Ended::Whole {
                self.last_total = total;
            }
        }
        let lacking = pager.lacking();
        if lacking > 0 && self.is_wrong_by(lacking) && ended == Ended::Whole {
            return;
        }
        if ended != Ended::Short {
            self.shortfall = 0;
            self.shortfalls = 0;
        } else if self.shortfall == lacking {
            self.shortfalls = self.shortfalls.saturating_add(1);
        } else {
            self.shortfall = lacking;
            self.shortfalls = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Change, Ended, Pager, Shape, Trust, Turn};
    use crate::model::Page;

    /// Reads pages of `(entries, new, total)`, at most four, with ten entries requested. Returns
    /// how the reading ended, after how many pages, and the changes.
    fn read(trust: &mut Trust, pages: &[(usize, usize, Option<u64>)]) -> (Ended, u32, Vec<Change>) {
        let mut pager = Pager::new(10, 1, 0);
        for (entries, new, total) in pages {
            let shape = Shape::of(&Page::new((0..*entries).collect(), *total), |entry| *entry);
            if let Turn::End(ended) = pager.read(&shape, *new, trust, 4) {
                let changes = trust.weigh(&pager, ended, pager.missing(ended));
                return (ended, pager.pages(), changes);
            }
        }
        panic!("it goes on after {pages:?}");
    }

    fn ends(pages: &[(usize, usize, Option<u64>)]) -> (Ended, u32) {
        let (ended, pages, _) = read(&mut Trust::default(), pages);
        (ended, pages)
    }

    #[test]
    fn a_list_ends_where_it_says_so_in_any_of_its_ways() {
        use Ended::{Capped, Limit, Repeated, Short, Whole};
        for (pages, wanted) in [
            (&[(0, 0, None)][..], (Whole, 1)),
            (&[(4, 4, None)], (Whole, 1)),
            (&[(4, 4, Some(4))], (Whole, 1)),
            (&[(4, 4, Some(1))], (Whole, 1)),
            (&[(10, 10, Some(10)), (0, 0, Some(10))], (Whole, 2)),
            (&[(10, 10, None), (10, 10, None), (3, 3, None)], (Whole, 3)),
            (&[(4, 4, Some(11)), (4, 4, Some(11)), (3, 3, Some(11))], (Whole, 3)),
            (&[(4, 4, Some(6)), (0, 0, Some(6))], (Short, 2)),
            (&[(10, 10, Some(25)), (0, 0, Some(25))], (Capped, 2)),
            (&[(10, 10, Some(25)), (10, 0, Some(25))], (Repeated, 2)),
            (&[(4, 4, Some(25)), (4, 0, Some(25))], (Repeated, 2)),
            (&[(10, 10, None), (10, 0, None)], (Repeated, 2)),
            (&[(10, 10, Some(10)), (10, 0, Some(10))], (Whole, 2)),
            (&[(10, 10, None), (10, 10, None), (10, 10, None), (10, 10, None)], (Limit, 4)),
        ] {
            assert_eq!(ends(pages), wanted, "{pages:?}");
        }
    }

    #[test]
    fn the_page_size_that_an_answer_repeats_tells_a_capped_page_from_a_short_one() {
        for (said, wanted) in [
            (Some(5), Turn::Next),
            (None, Turn::End(Ended::Whole)),
            (Some(0), Turn::End(Ended::Whole)),
            (Some(11), Turn::End(Ended::Whole)),
            (Some(u64::MAX), Turn::End(Ended::Whole)),
        ] {
            let page = Page { page_size: said, ..Page::new(vec![1, 2, 3, 4, 5], Some(5)) };
            assert_eq!(
                Pager::new(10, 1, 0).read(
                    &Shape::of(&page, |entry| *entry),
                    5,
                    &Trust::default(),
                    9
                ),
                wanted,
                "{said:?}"
            );
        }
    }

    #[test]
    fn entries_that_cannot_be_read_end_no_list_but_prove_nothing_either() {
        let odd = |items: usize, entries: usize, total| Page {
            entries,
            ..Page::new((0..items).collect(), Some(total))
        };
        let trust = Trust::default();
        let mut pager = Pager::new(10, 1, 0);
        assert_eq!(
            pager.read(&Shape::of(&odd(9, 10, 25), |entry| *entry), 9, &trust, 9),
            Turn::Next
        );
        assert_eq!(
            pager.read(&Shape::of(&odd(0, 10, 25), |entry| *entry), 0, &trust, 9),
            Turn::Next
        );
        assert_eq!(
            pager.read(&Shape::of(&odd(5, 5, 25), |entry| *entry), 5, &trust, 9),
            Turn::End(Ended::Whole)
        );
        assert_eq!(
            (pager.missing(Ended::Whole), pager.shows_all(Ended::Whole, &trust)),
            (0, false)
        );
        let mut endless = Pager::new(10, 1, 0);
        assert_eq!(
            endless.read(&Shape::of(&odd(9, 10, 99), |entry| *entry), 9, &trust, 999),
            Turn::Next
        );
        assert_eq!(
            endless.read(&Shape::of(&odd(9, 10, 99), |entry| *entry), 0, &trust, 999),
            Turn::Next
        );
        let end = endless.read(&Shape::of(&odd(9, 10, 99), |entry| *entry), 0, &trust, 999);
        assert_eq!(end, Turn::End(Ended::Repeated), "one page for ever");
    }

    #[test]
    fn only_a_short_end_with_one_shortfall_is_ever_excused() {
        let short = [(4, 4, Some(6)), (0, 0, Some(6))];
        let mut trust = Trust::default();
        let changes: Vec<Change> = (0..8).flat_map(|_| read(&mut trust, &short).2).collect();
        assert_eq!(changes, [Change::Missing(2), Change::Missing(0), Change::TotalWrong(2)]);
        assert_eq!(read(&mut trust, &short), (Ended::Whole, 1, vec![]), "no further page");
        let worse = [(4, 4, Some(7)), (0, 0, Some(7))];
        assert_eq!(read(&mut trust, &worse).0, Ended::Short, "another shortfall is another matter");
        assert_eq!((trust.state().total_excess, trust.state().missing_once), (0, 3));
        for pages in [
            &[(10, 10, Some(25)), (0, 0, Some(25))][..],
            &[(10, 10, Some(25)), (10, 0, Some(25))],
            &[(10, 10, Some(99)), (10, 10, Some(99)), (10, 10, Some(99)), (10, 10, Some(99))],
        ] {
            let mut trust = Trust::default();
            let changes: Vec<Change> = (0..20).flat_map(|_| read(&mut trust, pages).2).collect();
            assert!(changes.len() == 1 && trust.state().missing > 0, "{pages:?}: {changes:?}");
        }
        let mut unsteady = Trust::default();
        for number in 0..40 {
            let total = Some(6 + number % 7);
            read(&mut unsteady, &[(4, 4, total), (0, 0, total)]);
        }
        assert_eq!(unsteady.state().total_excess, 0);
    }

    #[test]
    fn a_list_left_out_ends_a_reading_and_proves_nothing() {
        let unlisted = Page { is_partial: true, ..Page::new(Vec::<usize>::new(), None) };
        let mut pager = Pager::new(10, 1, 0);
        let end = pager.read(&Shape::of(&unlisted, |entry| *entry), 0, &Trust::default(), 9);
        assert_eq!(end, Turn::End(Ended::Unlisted));
        assert!(
            !pager.shows_all(Ended::Unlisted, &Trust::default())
                && !pager.is_read_out(Ended::Unlisted)
        );
        let beside = Page { is_partial: true, ..Page::new(vec![1, 2, 3, 4], None) };
        let mut pager = Pager::new(10, 1, 0);
        assert_eq!(
            pager.read(&Shape::of(&beside, |entry| *entry), 4, &Trust::default(), 9),
            Turn::End(Ended::Whole)
        );
        assert!(
            !pager.shows_all(Ended::Whole, &Trust::default()) && !pager.is_read_out(Ended::Whole)
        );
    }

    #[test]
    fn an_entry_that_stands_on_a_page_twice_is_not_missing_elsewhere() {
        let twice = Page::new(vec![1, 2, 2, 3], Some(4));
        let mut pager = Pager::new(10, 1, 0);
        let end = pager.read(&Shape::of(&twice, |entry| *entry), 3, &Trust::default(), 9);
        assert_eq!((end, pager.missing(Ended::Whole)), (Turn::End(Ended::Whole), 0));
    }

    /// Reads pages of entries with their total, ten to a page. Returns how the reading ended,
    /// whether all was shown, and the changes.
    fn read_entries(trust: &mut Trust, pages: &[(Vec<u64>, u64)]) -> (Ended, bool, Vec<Change>) {
        let mut pager = Pager::new(10, 1, 0);
        let mut shown = HashSet::new();
        for (entries, total) in pages {
            let shape = Shape::of(&Page::new(entries.clone(), Some(*total)), |entry| *entry);
            let new = entries.iter().filter(|entry| shown.insert(**entry)).count();
            if let Turn::End(ended) = pager.read(&shape, new, trust, 9) {
                let all = pager.shows_all(ended, trust);
                return (ended, all, trust.weigh(&pager, ended, pager.missing(ended)));
            }
        }
        panic!("it goes on after {pages:?}");
    }

    #[test]
    fn a_list_that_new_entries_have_moved_while_it_was_read_is_whole() {
        let mut trust = Trust::default();
        let pages = [((0..10).collect(), 25), ((8..18).collect(), 25), ((17..22).collect(), 25)];
        for _ in 0..3 {
            assert_eq!(
                read_entries(&mut trust, &pages),
                (Ended::Whole, true, vec![]),
                "three have come, three left"
            );
        }
        let pages = [
            ((0..10).collect(), 20),
            (vec![6, 7, 9, 10, 11, 12, 13, 14, 15, 16], 20),
            (vec![], 20),
        ];
        assert_eq!(
            read_entries(&mut trust, &pages),
            (Ended::Whole, true, vec![]),
            "8 has left before 9"
        );
        assert!(trust.total_holds && trust.state().missing_once == 0);
    }

    #[test]
    fn a_total_of_several_pages_proves_that_the_last_full_one_is_the_last_and_one_of_a_single_page_does_not()
     {
        let mut trust = Trust::default();
        let full = |pages: u64| {
            (0..pages).map(move |page| ((page * 10..page * 10 + 10).collect(), pages * 10))
        };
        read_entries(&mut trust, &full(2).chain([(vec![], 20)]).collect::<Vec<_>>());
        let mut believing = |pages: u64| {
            let mut pager = Pager::new(10, 1, 0).believing_total();
            for (entries, total) in full(pages) {
                let page: Page<u64> = Page::new(entries, Some(total));
                if let Turn::End(ended) =
                    pager.read(&Shape::of(&page, |entry| *entry), 10, &trust, 9)
                {
                    let all = pager.shows_all(ended, &trust);
                    trust.weigh(&pager, ended, 0);
                    return Some((ended, all));
                }
            }
            None
        };
        assert_eq!(believing(2), Some((Ended::Whole, true)));
        assert_eq!(believing(3), Some((Ended::Whole, true)));
        assert_eq!(believing(1), None, "less than before");
        trust.last_total = 10;
        let mut pager = Pager::new(10, 1, 0).believing_total();
        let page = Page::new((0..10).collect(), Some(10));
        assert_eq!(
            pager.read(&Shape::of(&page, |entry: &u64| *entry), 10, &trust, 9),
            Turn::End(Ended::Whole)
        );
        assert!(!pager.shows_all(Ended::Whole, &trust), "it may be the page's own");
    }

    #[test]
    fn a_list_is_not_whole_that_has_changed_its_order_or_may_have_moved_to_earlier_pages() {
        let first: Vec<u64> = (0..10).collect();
        let tail = || vec![20, 21, 22, 23, 24];
        for second in [
            vec![9, 8, 11, 12, 13, 14, 15, 16, 17, 18],
            vec![7, 11, 8, 12, 13, 14, 15, 16, 17, 18],
            vec![9, 10, 11, 12, 13, 8, 15, 16, 17, 18],
            vec![10, 11, 12, 13, 14, 15, 16, 17, 18, 9],
        ] {
            let pages = [(first.clone(), 25), (second.clone(), 25), (tail(), 25), (vec![], 25)];
            let (ended, all, _) = read_entries(&mut Trust::default(), &pages);
            assert_eq!((ended, all), (Ended::Short, false), "{second:?}");
        }
        // One entry left the first page, so 10 moved there; then a new one came.
        let pages = [(first, 25), ((11..21).collect(), 24), ((20..25).collect(), 25)];
        assert_eq!(read_entries(&mut Trust::default(), &pages), (Ended::Whole, false, vec![]));
    }
}
