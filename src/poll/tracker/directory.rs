//! A directory of clusters or servers, read page by page to its end: what exists, and what no
//! longer does.
//!
//! All pages are read each time, in any order, and what they show is in the directory at once. Only
//! a reading that has shown everything removes entries. A reading interrupted by a failure or by
//! the next tick resumes where it stopped, so a long list on a small budget comes to its end, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pager::{Change, Ended, MAX_PAGES, Pager, Shape, Trust, Turn};
use super::seen_ids::{Noted, SeenIds};
use crate::model::{DirectoryEntry, DiscoveredResource, Listed, Listings, Page};

/// The clusters or servers that exist.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Directory {
    /// Every id in the answers, wanted or not.
    known: SeenIds,
    found: BTreeMap<Arc<str>, DiscoveredResource>,
    /// What was last said about each of them, and when: what one page shows may be much older than
    /// what another does.
    #[serde(default)]
    listings: Listings,
    /// Everything was read at least once, so what is not in the directory does not exist.
    #[serde(default)]
    whole: bool,
    #[serde(default)]
    trust: Trust,
    /// A reading in progress.
    #[serde(skip)]
    pager: Option<Pager>,
    /// The reading has advanced since it began or was interrupted.
    #[serde(skip)]
    has_advanced: bool,
}

/// What to do after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Request the next page.
    Next,
    /// The reading has ended, with changes to report to the user.
    Read(Vec<Change>),
}

impl Directory {
    /// All entries, ordered by id.
    pub(super) fn found(&self) -> impl Iterator<Item = &DiscoveredResource> {
        self.found.values()
    }

    /// What was last said about each entry.
    pub(super) fn listings(&self) -> &Listings {
        &self.listings
    }

    /// Whether this id certainly does not exist.
    pub(super) fn lacks(&self, id: &str) -> bool {
        self.whole && !self.found.contains_key(id)
    }

    /// Whether everything was read at least once.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How far its total can be trusted, and what the last readings have not shown.
    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Starts a reading with pages of `size` entries, or resumes an interrupted one.
    pub(super) fn begin(&mut self, size: u32) {
        self.has_advanced = false;
        if self.pager.is_none() {
            self.known.begin();
            self.pager = Some(Pager::new(size, 1, 0));
        }
    }

    /// The page to request, while a reading is in progress.
    pub(super) fn page(&self) -> Option<u32> {
        self.pager.as_ref().map(Pager::page)
    }

    /// Handles the requested page, read at `now`; its entries that `is_ours` accepts enter the
    /// directory.
    pub(super) fn read(
        &mut self,
        page: Page<DirectoryEntry>,
        now: Timestamp,
        is_ours: impl Fn(&DiscoveredResource) -> bool,
    ) -> Progress {
        let Some(mut pager) = self.pager.take() else {
            debug_assert!(false, "no page was asked for");
            return Progress::Read(Vec::new());
        };
        self.has_advanced = true;
        let shape = Shape::of(&page, |entry| &*entry.resource.id);
        let before = self.known.fresh_count();
        for DirectoryEntry { resource, listing } in page.items {
            let noted = self.known.note(&Arc::clone(&resource.id).into());
            if is_ours(&resource) && noted != Noted::Again {
                let id = Arc::clone(&resource.id);
                let listed = listing.map(|listing| Listed { listing: listing.into(), at: now });
                self.listings.extend(listed.map(|listed| (Arc::clone(&id), listed)));
                self.found.insert(id, resource);
            }
        }
        let new = self.known.fresh_count() - before;
        match pager.read(&shape, new, &self.trust, MAX_PAGES) {
            Turn::Next => {
                self.pager = Some(pager);
                Progress::Next
            }
            Turn::End(ended) => Progress::Read(self.end(&pager, ended)),
        }
    }

    /// The page could not be read. If it fails again, the reading ends: new entries may be on the
    /// pages before it.
    pub(super) fn failed(&mut self) {
        if !self.has_advanced {
            self.pager = None;
        }
    }

    fn end(&mut self, pager: &Pager, ended: Ended) -> Vec<Change> {
        let shows_all = pager.shows_all(ended, &self.trust);
        let is_read_out = pager.is_read_out(ended) && ended != Ended::Capped;
        if is_read_out && self.known.complete_at_once(shows_all) {
            self.found.retain(|id, _| self.known.has(id));
            self.listings.retain(|id, _| self.known.has(id));
            self.whole = true;
        }
        self.trust.weigh(pager, ended, pager.missing(ended))
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Directory, Progress};
    use crate::model::{
        DirectoryEntry, DiscoveredResource, Page, ResourceListing, ServerListing, ServerStatus,
    };
    use crate::poll::tracker::samples::at;

    fn entry(id: &str, status: &str) -> DirectoryEntry {
        let status = Some(ServerStatus::parse(status));
        let server = ServerListing { status, ..ServerListing::default() };
        DirectoryEntry {
            resource: DiscoveredResource { id: id.into(), name: "".into(), region: None },
            listing: Some(ResourceListing::Server(server)),
        }
    }

    fn page(ids: &[&str], total: Option<u64>) -> Page<DirectoryEntry> {
        Page::new(ids.iter().map(|id| entry(id, "Running")).collect(), total)
    }

    /// Id, status and age of each listing.
    fn said(directory: &Directory) -> Vec<(&str, &str, i64)> {
        let listings = directory.listings().iter();
        listings
            .map(|(id, listed)| {
                let ResourceListing::Server(ServerListing { status: Some(status), .. }) =
                    &*listed.listing
                else {
                    panic!("{listed:?}")
                };
                (&**id, status.label(), listed.at.as_second() - 1_700_000_000)
            })
            .collect()
    }

    #[test]
    fn what_is_said_about_an_entry_is_as_old_as_the_page_that_said_it() {
        let mut directory = Directory::default();
        directory.begin(2);
        directory.read(page(&["a", "b"], Some(3)), at(0), |_| true);
        directory.read(page(&["c"], Some(3)), at(1), |_| true);
        assert_eq!(
            said(&directory),
            [("a", "Running", 0), ("b", "Running", 0), ("c", "Running", 1)]
        );
        directory.begin(2);
        let stopped = vec![entry("a", "Stopped"), entry("x", "Stopped")];
        directory.read(Page::new(stopped, Some(3)), at(60), |found| *found.id != *"x");
        directory.read(Page::new(Vec::new(), Some(3)), at(61), |_| true);
        let half = [("a", "Stopped", 60), ("b", "Running", 0), ("c", "Running", 1)];
        assert_eq!(said(&directory), half, "a reading that was not whole says nothing of the rest");
        directory.begin(2);
        directory.read(page(&["b"], Some(1)), at(120), |_| true);
        assert_eq!(said(&directory), [("b", "Running", 120)], "the others are gone");
        let mut again: Directory =
            rmp_serde::from_slice(&rmp_serde::to_vec_named(&directory).unwrap()).unwrap();
        assert_eq!(said(&again), [("b", "Running", 120)]);
        again.begin(2);
        let silent = DirectoryEntry { listing: None, ..entry("b", "") };
        again.read(Page::new(vec![silent], Some(1)), at(180), |_| true);
        assert_eq!(again.found().count(), 1);
    }

    /// Reads pages of two entries. Returns how many it took, and the ids in the directory.
    fn read(directory: &mut Directory, pages: &[&[&str]], total: Option<u64>) -> (usize, String) {
        directory.begin(2);
        loop {
            let number = directory.page().unwrap() as usize;
            let ids = pages.get(number - 1).copied().unwrap_or_default();
            if directory.read(page(ids, total), at(0), |found| !found.id.starts_with('x'))
                != Progress::Next
            {
                return (number, ids_of(directory));
            }
        }
    }

    fn ids_of(directory: &Directory) -> String {
        directory.found().map(|found| &*found.id).collect()
    }

    #[test]
    fn every_page_is_read_and_what_is_gone_is_gone() {
        let mut directory = Directory::default();
        assert_eq!(read(&mut directory, &[&["b", "a"], &["c"]], Some(3)), (2, "abc".into()));
        assert_eq!(
            read(&mut directory, &[&["c", "b"]], Some(2)),
            (2, "bc".into()),
            "a full page may not be the last"
        );
        assert_eq!(read(&mut directory, &[&["b"]], None), (1, "b".into()));
        assert_eq!(read(&mut directory, &[&[]], Some(0)), (1, String::new()));
    }

    #[test]
    fn a_page_that_repeats_or_ids_that_stand_twice_end_the_reading() {
        let mut directory = Directory::default();
        assert_eq!(read(&mut directory, &[&["a", "b"], &["a", "b"]], None), (2, "ab".into()));
        assert_eq!(read(&mut directory, &[&["a", "a"], &["a"]], None), (2, "a".into()));
    }

    #[test]
    fn what_was_not_shown_is_not_gone() {
        let mut directory = Directory::default();
        read(&mut directory, &[&["a", "b"], &["c"]], None);
        assert_eq!(read(&mut directory, &[&["a", "b"], &[]], Some(3)), (2, "abc".into()));
        let unlisted = Page { is_partial: true, ..page(&[], Some(0)) };
        directory.begin(2);
        assert!(directory.read(unlisted, at(0), |_| true) != Progress::Next);
        assert_eq!(ids_of(&directory), "abc", "an answer without a list takes nothing away");
    }

    #[test]
    fn a_total_that_is_always_wrong_by_the_same_is_found_out_and_told_once() {
        let mut directory = Directory::default();
        let mut told = Vec::new();
        for _ in 0..10 {
            directory.begin(2);
            for ids in [&["a", "b"][..], &["c"], &[]] {
                if let Progress::Read(changes) = directory.read(page(ids, Some(9)), at(0), |_| true)
                {
                    told.extend(changes);
                    break;
                }
            }
        }
        assert_eq!(told, [Change::Missing(6), Change::Missing(0), Change::TotalWrong(6)]);
        assert_eq!(
            read(&mut directory, &[&["a", "b"], &["c"]], Some(9)),
            (2, "abc".into()),
            "no further page"
        );
        assert_eq!(
            read(&mut directory, &[&["a", "b"], &["c"], &["d", "e"]], Some(11)),
            (4, "abcde".into())
        );
    }

    #[test]
    fn an_interrupted_reading_goes_on_and_one_that_fails_twice_begins_at_its_first_page() {
        let mut directory = Directory::default();
        directory.begin(2);
        directory.read(page(&["a", "b"], Some(3)), at(0), |_| true);
        directory.begin(2);
        assert_eq!(
            (directory.page(), ids_of(&directory)),
            (Some(2), "ab".into()),
            "what was found is there at once"
        );
        directory.read(page(&["c", "d"], Some(9)), at(0), |_| true);
        directory.failed();
        directory.begin(2);
        assert_eq!(directory.page(), Some(3));
        directory.failed();
        directory.begin(2);
        assert_eq!(directory.page(), Some(1));
    }

    #[test]
    fn what_is_not_ours_counts_for_the_total_only() {
        let mut directory = Directory::default();
        assert_eq!(read(&mut directory, &[&["x1", "a"], &["x2"]], Some(3)), (2, "a".into()));
    }
}
