//! Which clusters or servers a region has, or which regions a product has: all of it is read at each tick, and the last good
//! list stays whatever fails.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roll::{Progress, Roll};
use super::{Harm, Load, Notice, Verdict};
use crate::aliyun::op::{EhpcListRegions, ListClusters, ListInstances, Operation, SwasListRegions};
use crate::model::{DiscoveryReading, Found, ListState, Page};
use crate::poll::since;
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
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    step: Step,
    /// Pages of the last reading.
    pages: u32,
    /// What there was when it was last told, and when that was.
    told: Vec<Found>,
    told_at: Timestamp,
}

/// While a reading lasts, what it has found is told this often.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Where a poll stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// No poll is under way, or it has failed.
    Idle,
    /// This many pages of the poll were read.
    Reading(u32),
    /// The reading has come to its end.
    Done,
}

impl DiscoveryPlan {
    pub(super) fn new(sought: Sought, region: Arc<str>, memory: Memory) -> Self {
        Self {
            told: memory.roll.found().cloned().collect(),
            told_at: Timestamp::UNIX_EPOCH,
            sought,
            region,
            memory,
            notices: Vec::new(),
            step: Step::Idle,
            pages: 1,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.told_at = now;
        self.memory.roll.begin(match self.sought {
            Sought::Clusters => ListClusters::PAGE_SIZE as u32,
            Sought::Servers => ListInstances::PAGE_SIZE as u32,
            Sought::ClusterRegions | Sought::ServerRegions => u32::MAX,
        });
        self.step = Step::Reading(0);
    }

    pub(super) fn ask(&self) -> Option<Operation> {
        if !matches!(self.step, Step::Reading(_)) {
            return None;
        }
        let page = self.memory.roll.page()?;
        Some(match self.sought {
            Sought::Clusters => ListClusters { page }.into(),
            Sought::Servers => ListInstances { page }.into(),
            Sought::ClusterRegions => EhpcListRegions.into(),
            Sought::ServerRegions => SwasListRegions.into(),
        })
    }

    /// A page of clusters or servers. What is said to be in another region is left to those who look there: one answer may
    /// hold the things of all regions.
    pub(super) fn listed(&mut self, page: Page<Found>, now: Timestamp) {
        let Step::Reading(read) = self.step else { return };
        let here = Arc::clone(&self.region);
        let is_ours = |found: &Found| found.region.as_ref().is_none_or(|region| *region == here);
        match self.memory.roll.read(page, is_ours) {
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

    /// The regions of a product. A product without any region is no answer: the last good list stays.
    pub(super) fn regions(&mut self, answer: Page<Arc<str>>, now: Timestamp) {
        let found = |id: Arc<str>| Found { id, name: "".into(), region: None };
        let Page { items, entries, total, page_size, is_partial } = answer;
        if !items.is_empty() {
            let items = items.into_iter().map(found).collect();
            self.memory.roll.read(Page { items, entries, total, page_size, is_partial }, |_| true);
        }
        self.end(now);
    }

    fn end(&mut self, now: Timestamp) {
        self.step = Step::Done;
        self.tell(now);
    }

    /// Tells what was found so far: it need not wait for the last page.
    pub(super) fn tell(&mut self, now: Timestamp) {
        self.told_at = now;
        let found = self.found();
        if found != self.told {
            self.told = found;
            self.notices.push(Notice::Discovered);
        }
    }

    pub(super) fn fail(&mut self, _: Harm) -> Verdict {
        self.memory.roll.failed();
        self.step = Step::Idle;
        Verdict::Stop
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
        self.memory.roll.trust().state()
    }

    pub(super) fn has_open(&self) -> bool {
        false
    }

    /// What there is, by id.
    pub(super) fn found(&self) -> Vec<Found> {
        self.memory.roll.found().cloned().collect()
    }

    /// Whether what is not found is known not to be there.
    pub(super) fn has_found_all(&self) -> bool {
        self.memory.roll.is_whole()
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
    use crate::poll::plan::{Harm, Notice, Verdict};
    use crate::target::Sought;

    fn plan(sought: Sought, memory: Memory) -> DiscoveryPlan {
        DiscoveryPlan::new(sought, "here".into(), memory)
    }

    fn found(id: &str, region: Option<&str>) -> Found {
        Found { id: id.into(), name: "n".into(), region: region.map(Into::into) }
    }

    /// A page of a cloud that hands out two entries at once.
    fn of_two(items: Vec<Found>) -> Page<Found> {
        Page { page_size: Some(2), ..Page::new(items, None) }
    }

    /// One poll of pages of two entries.
    fn poll(plan: &mut DiscoveryPlan, pages: &[&[Found]]) -> Vec<Notice> {
        plan.begin(Timestamp::UNIX_EPOCH);
        let mut pages = pages.iter();
        while plan.ask().is_some() {
            let items = pages.next().map(|page| page.to_vec()).unwrap_or_default();
            plan.listed(of_two(items), Timestamp::UNIX_EPOCH);
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
        plan.listed(of_two(vec![found("b", None), found("c", None)]), Timestamp::UNIX_EPOCH);
        assert_eq!(plan.ask(), Some(Operation::ListInstances(ListInstances { page: 2 })));
        assert_eq!((plan.fail(Harm::All), plan.ask(), plan.is_readable()), (Verdict::Stop, None, false));
        assert_eq!(ids(&plan), "abc", "what was shown is there, and nothing is gone");
    }

    #[test]
    fn what_the_first_pages_show_need_not_wait_for_the_last() {
        let mut plan = plan(Sought::Servers, Memory::default());
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        plan.begin(at(0));
        let mut told = Vec::new();
        for page in 0..8 {
            let items = vec![found(&format!("{page}-a"), None), found(&format!("{page}-b"), None)];
            plan.listed(of_two(items), at(2 * page));
            assert!(plan.is_readable() && plan.found().len() as i64 == 2 * page + 2);
            told.extend(plan.has_news().then_some(2 * page));
            plan.notices.clear();
        }
        assert_eq!(told, [6, 12]);
        plan.tell(at(15));
        assert!(plan.has_news(), "the next page has to wait");
        plan.begin(Timestamp::UNIX_EPOCH);
        assert_eq!(plan.ask(), Some(Operation::ListInstances(ListInstances { page: 9 })), "the next tick came first");
    }

    #[test]
    fn regions_come_in_one_answer_and_none_at_all_is_none() {
        let mut plan = plan(Sought::ServerRegions, Memory::default());
        for (answer, known, notices) in [(&["r1", "r2"][..], "r1r2", 1), (&[], "r1r2", 0), (&["r2"], "r2", 1)] {
            plan.begin(Timestamp::UNIX_EPOCH);
            assert_eq!(plan.ask().map(|operation| operation.name()), Some("ListRegions"));
            let regions = answer.iter().map(|id| (*id).into()).collect();
            plan.regions(Page::new(regions, None), Timestamp::UNIX_EPOCH);
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
