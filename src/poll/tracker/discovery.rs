//! The clusters or servers of a region, or the regions of a product: all of them are read at each
//! tick, and the last good list stays whatever fails.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::directory::{Directory, Progress};
use super::{AfterFailure, FailureScope, Load, Notice};
use crate::aliyun::op::{EhpcListRegions, ListClusters, ListInstances, Operation, SwasListRegions};
use crate::model::{DirectoryEntry, DiscoveredResource, DiscoveryReading, ListState, Page};
use crate::poll::time::since;
use crate::target::DiscoveryKind;

/// What discovery has found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    directory: Directory,
}

/// The tracker of one discovery target.
#[derive(Debug)]
pub(in crate::poll) struct DiscoveryTracker {
    kind: DiscoveryKind,
    region: Arc<str>,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    step: Step,
    /// Pages of the last reading.
    pages: u32,
    /// What was last published, and when.
    told: Vec<DiscoveredResource>,
    told_at: Timestamp,
}

/// Interval at which findings are published during a reading.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// State of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// No poll is in progress, or it has failed.
    Idle,
    /// Number of pages read in this poll.
    Reading(u32),
    /// The reading has ended.
    Done,
}

impl DiscoveryTracker {
    pub(super) fn new(kind: DiscoveryKind, region: Arc<str>, memory: Memory) -> Self {
        Self {
            told: memory.directory.found().cloned().collect(),
            told_at: Timestamp::UNIX_EPOCH,
            kind,
            region,
            memory,
            notices: Vec::new(),
            step: Step::Idle,
            pages: 1,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.told_at = now;
        self.memory.directory.begin(match self.kind {
            DiscoveryKind::Clusters => ListClusters::PAGE_SIZE as u32,
            DiscoveryKind::Servers => ListInstances::PAGE_SIZE as u32,
            DiscoveryKind::ClusterRegions | DiscoveryKind::ServerRegions => u32::MAX,
        });
        self.step = Step::Reading(0);
    }

    pub(super) fn ask(&self) -> Option<Operation> {
        if !matches!(self.step, Step::Reading(_)) {
            return None;
        }
        let page = self.memory.directory.page()?;
        Some(match self.kind {
            DiscoveryKind::Clusters => ListClusters { page }.into(),
            DiscoveryKind::Servers => ListInstances { page }.into(),
            DiscoveryKind::ClusterRegions => EhpcListRegions.into(),
            DiscoveryKind::ServerRegions => SwasListRegions.into(),
        })
    }

    /// Handles a page of clusters or servers. Entries of another region are left to the target of
    /// that region: one answer may hold entries of all regions.
    pub(super) fn listed(&mut self, page: Page<DirectoryEntry>, now: Timestamp) {
        let Step::Reading(read) = self.step else {
            return debug_assert!(false, "no page was asked for");
        };
        let here = Arc::clone(&self.region);
        let is_ours =
            |found: &DiscoveredResource| found.region.as_ref().is_none_or(|region| *region == here);
        match self.memory.directory.read(page, now, is_ours) {
            Progress::Next => {
                self.step = Step::Reading(read + 1);
                if since(self.told_at, now) >= TELL_EVERY {
                    self.tell(now);
                }
            }
            Progress::Read(changes) => {
                self.notices.extend(changes.into_iter().map(Notice::List));
                self.pages = read + 1;
                self.end(now);
            }
        }
    }

    /// Handles the regions of a product. An empty list is not an answer: the last good list stays.
    pub(super) fn regions(&mut self, answer: Page<Arc<str>>, now: Timestamp) {
        let found = |id: Arc<str>| DirectoryEntry {
            resource: DiscoveredResource { id, name: "".into(), region: None },
            listing: None,
        };
        let Page { items, entries, total, page_size, is_partial } = answer;
        if !items.is_empty() {
            let items = items.into_iter().map(found).collect();
            let page = Page { items, entries, total, page_size, is_partial };
            self.memory.directory.read(page, now, |_| true);
        }
        self.end(now);
    }

    fn end(&mut self, now: Timestamp) {
        self.step = Step::Done;
        self.tell(now);
    }

    /// Publishes what was found so far, without waiting for the last page.
    pub(super) fn tell(&mut self, now: Timestamp) {
        self.told_at = now;
        let found = self.found();
        if found != self.told {
            self.told = found;
            self.notices.push(Notice::Discovered);
        }
    }

    pub(super) fn fail(&mut self, _: FailureScope) -> AfterFailure {
        self.memory.directory.failed();
        self.step = Step::Idle;
        AfterFailure::Stop
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.step, Step::Reading(1..) | Step::Done)
    }

    /// Whether something was found that has not been published.
    pub(super) fn has_news(&self) -> bool {
        self.notices.contains(&Notice::Discovered)
    }

    /// What its list lacks.
    pub(super) fn list_state(&self) -> ListState {
        self.memory.directory.trust().state()
    }

    pub(super) fn has_open(&self) -> bool {
        false
    }

    /// Everything found, by id.
    pub(super) fn found(&self) -> Vec<DiscoveredResource> {
        self.memory.directory.found().cloned().collect()
    }

    /// Whether what was not found certainly does not exist.
    pub(super) fn has_found_all(&self) -> bool {
        self.memory.directory.is_whole()
    }

    pub(super) fn reading(&self) -> DiscoveryReading {
        DiscoveryReading { found: self.found(), listings: self.memory.directory.listings().clone() }
    }

    pub(super) fn load(&self) -> Load {
        Load { pages: self.pages, ..Load::QUIET }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{DiscoveryTracker, Memory};
    use crate::aliyun::op::{ListInstances, Operation};
    use crate::model::{DirectoryEntry, DiscoveredResource, Page};
    use crate::poll::tracker::{AfterFailure, FailureScope, Notice};
    use crate::target::DiscoveryKind;

    fn tracker(kind: DiscoveryKind, memory: Memory) -> DiscoveryTracker {
        DiscoveryTracker::new(kind, "here".into(), memory)
    }

    fn found(id: &str, region: Option<&str>) -> DirectoryEntry {
        let region = region.map(Into::into);
        DirectoryEntry {
            resource: DiscoveredResource { id: id.into(), name: "n".into(), region },
            listing: None,
        }
    }

    /// A page of a cloud that returns two entries at a time.
    fn of_two(items: Vec<DirectoryEntry>) -> Page<DirectoryEntry> {
        Page { page_size: Some(2), ..Page::new(items, None) }
    }

    /// One poll of pages of two entries.
    fn poll(tracker: &mut DiscoveryTracker, pages: &[&[DirectoryEntry]]) -> Vec<Notice> {
        tracker.begin(Timestamp::UNIX_EPOCH);
        let mut pages = pages.iter();
        while tracker.ask().is_some() {
            let items = pages.next().map(|page| page.to_vec()).unwrap_or_default();
            tracker.listed(of_two(items), Timestamp::UNIX_EPOCH);
        }
        assert!(tracker.is_readable());
        std::mem::take(&mut tracker.notices)
    }

    fn ids(tracker: &DiscoveryTracker) -> String {
        tracker.found().iter().map(|found| &*found.id).collect()
    }

    #[test]
    fn a_change_is_told_and_nothing_else() {
        let mut tracker = tracker(DiscoveryKind::Servers, Memory::default());
        assert_eq!(
            poll(&mut tracker, &[&[found("a", None), found("b", Some("here"))], &[]]),
            [Notice::Discovered]
        );
        assert_eq!(
            poll(&mut tracker, &[&[found("b", Some("here")), found("a", None)], &[]]),
            [],
            "in any order"
        );
        let mut renamed = found("a", None);
        renamed.resource.name = "new".into();
        assert_eq!(
            poll(&mut tracker, &[&[renamed]]),
            [Notice::Discovered],
            "one is gone, one has another name"
        );
        assert_eq!((ids(&tracker), &*tracker.found()[0].name), ("a".into(), "new"));
    }

    #[test]
    fn what_is_said_to_be_elsewhere_is_left_to_those_who_look_there() {
        let mut tracker = tracker(DiscoveryKind::Clusters, Memory::default());
        poll(
            &mut tracker,
            &[&[found("a", Some("here")), found("b", Some("there"))], &[found("c", None)]],
        );
        assert_eq!(ids(&tracker), "ac");
    }

    #[test]
    fn a_failure_on_any_page_leaves_the_last_good_list() {
        let mut tracker = tracker(DiscoveryKind::Servers, Memory::default());
        poll(&mut tracker, &[&[found("a", None)]]);
        tracker.begin(Timestamp::UNIX_EPOCH);
        tracker.listed(of_two(vec![found("b", None), found("c", None)]), Timestamp::UNIX_EPOCH);
        assert_eq!(tracker.ask(), Some(Operation::ListInstances(ListInstances { page: 2 })));
        assert_eq!(
            (tracker.fail(FailureScope::All), tracker.ask(), tracker.is_readable()),
            (AfterFailure::Stop, None, false)
        );
        assert_eq!(ids(&tracker), "abc", "what was shown is there, and nothing is gone");
    }

    #[test]
    fn what_the_first_pages_show_need_not_wait_for_the_last() {
        let mut tracker = tracker(DiscoveryKind::Servers, Memory::default());
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        tracker.begin(at(0));
        let mut told = Vec::new();
        for page in 0..8 {
            let items = vec![found(&format!("{page}-a"), None), found(&format!("{page}-b"), None)];
            tracker.listed(of_two(items), at(2 * page));
            assert!(tracker.is_readable() && tracker.found().len() as i64 == 2 * page + 2);
            told.extend(tracker.has_news().then_some(2 * page));
            tracker.notices.clear();
        }
        assert_eq!(told, [6, 12]);
        tracker.tell(at(15));
        assert!(tracker.has_news(), "the next page has to wait");
        tracker.begin(Timestamp::UNIX_EPOCH);
        assert_eq!(
            tracker.ask(),
            Some(Operation::ListInstances(ListInstances { page: 9 })),
            "the next tick came first"
        );
    }

    #[test]
    fn regions_come_in_one_answer_and_none_at_all_is_none() {
        let mut tracker = tracker(DiscoveryKind::ServerRegions, Memory::default());
        for (answer, known, notices) in
            [(&["r1", "r2"][..], "r1r2", 1), (&[], "r1r2", 0), (&["r2"], "r2", 1)]
        {
            tracker.begin(Timestamp::UNIX_EPOCH);
            assert_eq!(tracker.ask().map(|operation| operation.name()), Some("ListRegions"));
            let regions = answer.iter().map(|id| (*id).into()).collect();
            tracker.regions(Page::new(regions, None), Timestamp::UNIX_EPOCH);
            assert_eq!(
                (ids(&tracker).as_str(), std::mem::take(&mut tracker.notices).len()),
                (known, notices)
            );
            assert_eq!((tracker.ask(), tracker.is_readable()), (None, true));
        }
    }

    #[test]
    fn the_last_good_list_survives_in_the_state() {
        let mut tracker = tracker(DiscoveryKind::Servers, Memory::default());
        poll(&mut tracker, &[&[found("a", None), found("b", None)], &[]]);
        let bytes = rmp_serde::to_vec_named(&tracker.memory).unwrap();
        let mut again =
            self::tracker(DiscoveryKind::Servers, rmp_serde::from_slice(&bytes).unwrap());
        assert_eq!(ids(&again), "ab");
        assert_eq!(poll(&mut again, &[&[found("b", None)]]), [Notice::Discovered]);
        assert_eq!(ids(&again), "b");
    }
}
