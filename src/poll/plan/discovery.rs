//! Which clusters or servers a region has, or which regions a product has: all of it is read at each tick, and the last good
//! list stays whatever fails.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roll::{Progress, Roll};
use super::{Harm, Limits, Load, Notice, Verdict};
use crate::aliyun::op::{EhpcListRegions, ListClusters, ListInstances, Operation, SwasListRegions};
use crate::model::{DiscoveryReading, Found, Page};
use crate::target::Sought;

/// What is known of what there is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    roll: Roll,
}

/// The plan of one discovery target.
#[derive(Debug)]
pub(in crate::poll) struct DiscoveryPlan {
    sought: Sought,
    region: Arc<str>,
    limits: Limits,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    /// The page to ask for, while a reading is under way.
    page: Option<u32>,
    /// The reading of this poll has come to its end.
    is_read: bool,
    /// Pages of the last reading.
    pages: u32,
    /// What there was when the reading began.
    before: Vec<Found>,
}

impl DiscoveryPlan {
    pub(super) fn new(sought: Sought, region: Arc<str>, limits: Limits, memory: Memory) -> Self {
        let (notices, before) = (Vec::new(), Vec::new());
        Self { sought, region, limits, memory, notices, page: None, is_read: false, pages: 1, before }
    }

    pub(super) fn begin(&mut self, _: Timestamp) {
        self.before = self.found();
        self.memory.roll.begin();
        (self.page, self.is_read) = (Some(1), false);
    }

    pub(super) fn ask(&mut self) -> Option<Operation> {
        let page = self.page?;
        Some(match self.sought {
            Sought::Clusters => ListClusters { page }.into(),
            Sought::Servers => ListInstances { page }.into(),
            Sought::ClusterRegions => EhpcListRegions.into(),
            Sought::ServerRegions => SwasListRegions.into(),
        })
    }

    /// A page of clusters or servers; a full one has `size` entries. What is said to be in another region is left to those
    /// who look there: one answer may hold the things of all regions.
    pub(super) fn listed(&mut self, answer: Page<Found>, size: usize) {
        let Some(page) = self.page else { return };
        let here = Arc::clone(&self.region);
        let is_ours = |found: &Found| found.region.as_ref().is_none_or(|region| *region == here);
        let progress = self.memory.roll.read((page, self.limits.max_pages), answer, size, is_ours);
        if let Progress::Next(next) = progress {
            self.page = Some(next);
            return;
        }
        if progress == Progress::Truncated {
            self.notices.push(Notice::Truncated);
        }
        self.pages = page;
        self.end();
    }

    /// The regions of a product. A product without any region is no answer: the last good list stays.
    pub(super) fn regions(&mut self, regions: Vec<Arc<str>>) {
        let found = |id: Arc<str>| Found { id, name: "".into(), region: None };
        let page = Page::new(regions.into_iter().map(found).collect(), None);
        if !page.items.is_empty() {
            let size = page.items.len() + 1;
            self.memory.roll.read((1, 1), page, size, |_| true);
        }
        self.end();
    }

    fn end(&mut self) {
        (self.page, self.is_read) = (None, true);
        if self.found() != self.before {
            self.notices.push(Notice::Discovered);
        }
    }

    pub(super) fn fail(&mut self, _: Harm) -> Verdict {
        self.page = None;
        Verdict::Stop
    }

    pub(super) fn is_readable(&self) -> bool {
        self.is_read
    }

    pub(super) fn has_open(&self) -> bool {
        false
    }

    /// What there is, by id.
    pub(super) fn found(&self) -> Vec<Found> {
        self.memory.roll.found().cloned().collect()
    }

    pub(super) fn reading(&self) -> DiscoveryReading {
        DiscoveryReading { found: self.found() }
    }

    pub(super) fn load(&self) -> Load {
        Load { pages: self.pages, ..Load::QUIET }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{DiscoveryPlan, Memory};
    use crate::aliyun::op::{ListInstances, Operation};
    use crate::model::{Found, Page};
    use crate::poll::plan::{Harm, Limits, Notice, Verdict};
    use crate::target::Sought;

    fn plan(sought: Sought, memory: Memory) -> DiscoveryPlan {
        let limits = Limits { history_interval: std::time::Duration::from_secs(1800), max_pages: 3 };
        DiscoveryPlan::new(sought, "here".into(), limits, memory)
    }

    fn found(id: &str, region: Option<&str>) -> Found {
        Found { id: id.into(), name: "n".into(), region: region.map(Into::into) }
    }

    /// One poll of pages of two entries.
    fn poll(plan: &mut DiscoveryPlan, pages: &[&[Found]]) -> Vec<Notice> {
        plan.begin(Timestamp::UNIX_EPOCH);
        let mut pages = pages.iter();
        while plan.ask().is_some() {
            let items = pages.next().map(|page| page.to_vec()).unwrap_or_default();
            plan.listed(Page::new(items, None), 2);
        }
        assert!(plan.is_readable());
        std::mem::take(&mut plan.notices)
    }

    fn ids(plan: &DiscoveryPlan) -> String {
        plan.found().iter().map(|found| &*found.id).collect()
    }

    #[test]
    fn a_change_is_told_and_nothing_else() {
        let mut plan = plan(Sought::Servers, Memory::default());
        assert_eq!(poll(&mut plan, &[&[found("a", None), found("b", Some("here"))], &[]]), [Notice::Discovered]);
        assert_eq!(poll(&mut plan, &[&[found("b", Some("here")), found("a", None)], &[]]), [], "in any order");
        let renamed = Found { name: "new".into(), ..found("a", None) };
        assert_eq!(poll(&mut plan, &[&[renamed]]), [Notice::Discovered], "one is gone, one has another name");
        assert_eq!((ids(&plan), &*plan.found()[0].name), ("a".into(), "new"));
    }

    #[test]
    fn what_is_said_to_be_elsewhere_is_left_to_those_who_look_there() {
        let mut plan = plan(Sought::Clusters, Memory::default());
        poll(&mut plan, &[&[found("a", Some("here")), found("b", Some("there"))], &[found("c", None)]]);
        assert_eq!(ids(&plan), "ac");
    }

    #[test]
    fn a_failure_on_any_page_leaves_the_last_good_list() {
        let mut plan = plan(Sought::Servers, Memory::default());
        poll(&mut plan, &[&[found("a", None)]]);
        plan.begin(Timestamp::UNIX_EPOCH);
        plan.listed(Page::new(vec![found("b", None), found("c", None)], None), 2);
        assert_eq!(plan.ask(), Some(Operation::ListInstances(ListInstances { page: 2 })));
        assert_eq!((plan.fail(Harm::All), plan.ask(), plan.is_readable()), (Verdict::Stop, None, false));
        assert_eq!((ids(&plan), plan.notices.len()), ("a".into(), 0));
    }

    #[test]
    fn a_list_that_is_too_long_takes_nothing_off() {
        let mut plan = plan(Sought::Servers, Memory::default());
        poll(&mut plan, &[&[found("a", None)]]);
        let page = |first: &str, second: &str| [found(first, None), found(second, None)];
        let long = [&page("b", "c")[..], &page("d", "e"), &page("f", "g"), &page("h", "i")];
        assert_eq!(poll(&mut plan, &long), [Notice::Truncated, Notice::Discovered]);
        assert_eq!((ids(&plan), plan.load().pages), ("abcdefg".into(), 3));
    }

    #[test]
    fn regions_come_in_one_answer_and_none_at_all_is_none() {
        let mut plan = plan(Sought::ServerRegions, Memory::default());
        for (answer, known, notices) in [(&["r1", "r2"][..], "r1r2", 1), (&[], "r1r2", 0), (&["r2"], "r2", 1)] {
            plan.begin(Timestamp::UNIX_EPOCH);
            assert_eq!(plan.ask().map(|operation| operation.name()), Some("ListRegions"));
            plan.regions(answer.iter().map(|id| (*id).into()).collect());
            assert_eq!((ids(&plan).as_str(), std::mem::take(&mut plan.notices).len()), (known, notices));
            assert_eq!((plan.ask(), plan.is_readable()), (None, true));
        }
    }

    #[test]
    fn the_last_good_list_survives_in_the_state() {
        let mut plan = plan(Sought::Servers, Memory::default());
        poll(&mut plan, &[&[found("a", None), found("b", None)], &[]]);
        let bytes = rmp_serde::to_vec_named(&plan.memory).unwrap();
        let mut again = self::plan(Sought::Servers, rmp_serde::from_slice(&bytes).unwrap());
        assert_eq!(ids(&again), "ab");
        assert_eq!(poll(&mut again, &[&[found("b", None)]]), [Notice::Discovered]);
        assert_eq!(ids(&again), "b");
    }
}
