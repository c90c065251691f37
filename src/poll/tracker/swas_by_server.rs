//! The command invocations of a Simple Application Server, requested server by server.
//!
//! DescribeInvocations returns the status of open invocations; DescribeInvocationResult is called
//! once for each invocation that has ended, Failed ones first, and for open invocations that the
//! list no longer shows. A late result is requested until its invocation leaves the window.

use std::sync::Arc;

use jiff::Timestamp;
use smol_str::SmolStr;

use super::history::Progress;
use super::pager::Shape;
use super::swas_invocations::{Memory, SwasInvocations};
use super::{AfterFailure, FailureScope, Limits, Load, Notice};
use crate::aliyun::op::{DescribeInvocationResult, DescribeInvocations, Operation};
use crate::config::InvocationWindow;
use crate::model::{Invocation, InvocationResult, ListState, Page, SwasInvocationsReading};

#[derive(Debug)]
pub(in crate::poll) struct SwasServerTracker {
    instance_id: Arc<str>,
    limits: Limits,
    pub(super) invocations: SwasInvocations,
    step: Step,
    /// When the current poll began.
    began: Timestamp,
    /// Number of open invocations off the list, and of late results, requested in the last poll.
    overdue: usize,
}

/// State of a poll. Ids are requested last first.
#[derive(Debug, PartialEq)]
enum Step {
    /// No poll is in progress, or it has failed.
    Idle,
    List,
    Details(Vec<SmolStr>),
    Done,
}

impl SwasServerTracker {
    pub(super) fn new(
        instance_id: Arc<str>,
        window: InvocationWindow,
        limits: Limits,
        memory: Memory,
    ) -> Self {
        let invocations = SwasInvocations::new(window, memory, false);
        Self {
            instance_id,
            limits,
            invocations,
            step: Step::Idle,
            began: Timestamp::UNIX_EPOCH,
            overdue: 0,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = now;
        self.invocations.memory.history.begin(&self.limits, now);
        self.step = Step::List;
    }

    pub(super) fn ask(&mut self) -> Option<Operation> {
        let instance_id = Arc::clone(&self.instance_id);
        Some(match &self.step {
            Step::List => {
                DescribeInvocations { instance_id, page: self.invocations.memory.history.page()? }
                    .into()
            }
            Step::Details(ids) => {
                DescribeInvocationResult { instance_id, invoke_id: ids.last()?.clone() }.into()
            }
            Step::Idle | Step::Done => return None,
        })
    }

    pub(super) fn fail(&mut self, scope: FailureScope) -> AfterFailure {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Details(mut ids) if scope == FailureScope::Gone => {
                if let Some(id) = &ids.pop() {
                    self.invocations.missed(id, self.began);
                }
                self.next_detail(ids);
                return AfterFailure::GoOn;
            }
            Step::Details(mut ids) if scope == FailureScope::One => {
                if let Some(id) = &ids.pop() {
                    self.invocations.failed(id);
                }
                self.next_detail(ids);
                return AfterFailure::GoOnFailed;
            }
            Step::Details(ids) => self.next_detail(ids),
            _ => {}
        }
        AfterFailure::Stop
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.step, Step::Details(_) | Step::Done)
    }

    pub(super) fn has_open(&self) -> bool {
        self.invocations.has_open()
    }

    pub(super) fn reading(&self) -> SwasInvocationsReading {
        self.invocations.reading()
    }

    pub(super) fn list_state(&self) -> ListState {
        self.invocations.memory.history.trust().state()
    }

    pub(super) fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.invocations.notices)
    }

    pub(super) fn load(&self) -> Load {
        let history = &self.invocations.memory.history;
        Load {
            pages: history.pages(&self.limits),
            ordered: history.is_ordered(),
            newest_first: history.is_newest_first(),
            open: self.overdue,
            ..Load::QUIET
        }
    }

    /// Handles a page of the list.
    pub(super) fn listed(&mut self, page: Page<Invocation>, now: Timestamp) {
        if self.step != Step::List {
            return;
        }
        let shape = Shape::of(&page, |invocation| &*invocation.id);
        for invocation in page.items {
            let new = self.invocations.memory.history.note(&invocation.id, invocation.created);
            self.invocations.see(invocation, new, now);
        }
        let window = self.invocations.list_window();
        let looking = self.invocations.missing(now).next().is_some();
        let Memory { history, invocations, .. } = &mut self.invocations.memory;
        match history
            .read(&shape, looking, window, &self.limits, now, |id| invocations.contains_key(id))
        {
            Progress::Next => return,
            Progress::Read(notices) => self.invocations.notices.extend(notices),
        }
        self.invocations.trim(now);
        self.begin_details();
    }

    pub(super) fn result(&mut self, result: InvocationResult, now: Timestamp) {
        let Step::Details(mut ids) = std::mem::replace(&mut self.step, Step::Idle) else {
            return debug_assert!(false, "no result was asked for");
        };
        if let Some(id) = ids.pop() {
            self.invocations.learn(&id, result, now);
        }
        self.next_detail(ids);
    }

    fn begin_details(&mut self) {
        let turns = self.invocations.turns(self.began);
        self.overdue = turns.len();
        let ids = self.invocations.details(turns);
        self.next_detail(ids);
    }

    fn next_detail(&mut self, ids: Vec<SmolStr>) {
        self.step = if ids.is_empty() { Step::Done } else { Step::Details(ids) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{AfterFailure, FailureScope, Limits, Memory, Notice, SwasServerTracker};
    use crate::aliyun::op::Operation;
    use crate::config::InvocationWindow;
    use crate::model::GivenUp;
    use crate::model::{Invocation, InvocationResult, InvocationStatus, Page};
    use crate::poll::tracker::samples::{at, invocation};

    use InvocationStatus::{Failed, Running, Success, Timeout};

    fn tracker() -> SwasServerTracker {
        remembering(Memory::default())
    }

    fn remembering(memory: Memory) -> SwasServerTracker {
        let limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 3 };
        let window =
            InvocationWindow { max_invocations: 100, max_age: Duration::from_secs(86_400) };
        SwasServerTracker::new("s".into(), window, limits, memory)
    }

    fn result(invocation: &Invocation) -> InvocationResult {
        let exit_code = match invocation.status {
            Success => Some(0),
            Failed => Some(3),
            _ => None,
        };
        let finished = invocation
            .created
            .map(|created| crate::poll::time::after(created, Duration::from_secs(9)));
        InvocationResult {
            status: invocation.status.clone(),
            record: None,
            exit_code,
            error: None,
            error_text: None,
            started: None,
            finished,
        }
    }

    /// Polls once against a world that lists `listed` and also knows `hidden`.
    fn poll(
        tracker: &mut SwasServerTracker,
        listed: &[Invocation],
        hidden: &[Invocation],
        now: i64,
    ) -> Vec<String> {
        let mut asked = Vec::new();
        tracker.begin(at(now));
        while let Some(operation) = tracker.ask() {
            match operation {
                Operation::DescribeInvocations(call) => {
                    asked.push(format!("page {}", call.page));
                    let items = listed
                        .iter()
                        .skip((call.page as usize - 1) * 50)
                        .take(50)
                        .cloned()
                        .collect();
                    tracker.listed(Page::new(items, Some(listed.len() as u64)), at(now));
                }
                Operation::DescribeInvocationResult(call) => {
                    asked.push(call.invoke_id.to_string());
                    match listed
                        .iter()
                        .chain(hidden)
                        .find(|invocation| invocation.id == call.invoke_id)
                    {
                        Some(invocation) => tracker.result(result(invocation), at(now)),
                        None => assert_eq!(tracker.fail(FailureScope::Gone), AfterFailure::GoOn),
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(tracker.is_readable());
        asked
    }

    #[test]
    fn results_are_read_once_failed_ones_first_then_newest() {
        let mut tracker = tracker();
        let world = [
            invocation("old", Success, 0),
            invocation("new", Timeout, 60),
            invocation("bad", Failed, 30),
            invocation("on", Running, 90),
        ];
        assert_eq!(poll(&mut tracker, &world, &[], 100), ["page 1", "bad", "new", "old"]);
        assert_eq!(poll(&mut tracker, &world, &[], 110), ["page 1"]);
        let reading = tracker.reading();
        let ids: Vec<&str> = reading.invocations.iter().map(|seen| &*seen.invocation.id).collect();
        assert_eq!(ids, ["on", "new", "bad", "old"]);
        assert!(reading.finished.is_empty(), "what had ended at first sight is not counted");
        let job = reading.job("backup").unwrap();
        let last = job.last.as_ref().unwrap();
        assert_eq!((&last.status, last.exit_code, last.finished), (&Timeout, None, Some(at(69))));
        assert_eq!((job.succeeded, job.created), (Some(at(9)), Some(at(90))));
    }

    #[test]
    fn a_reading_shares_with_the_one_before_all_that_has_not_changed() {
        let mut tracker = tracker();
        let world = [invocation("done", Success, 0), invocation("on", Running, 90)];
        poll(&mut tracker, &world, &[], 100);
        let before = tracker.reading().invocations;
        poll(&mut tracker, &[world[0].clone(), invocation("on", Failed, 90)], &[], 110);
        let after = tracker.reading().invocations;
        let is_shared: Vec<bool> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| Arc::ptr_eq(&before.invocation, &after.invocation))
            .collect();
        assert_eq!(is_shared, [false, true], "the newest comes first");
        let results = [&before[1].result, &after[1].result].map(|result| result.as_ref().unwrap());
        assert!(Arc::ptr_eq(results[0], results[1]));
        let jobs = tracker.reading().jobs;
        poll(&mut tracker, &[world[0].clone(), invocation("on", Failed, 90)], &[], 120);
        assert!(Arc::ptr_eq(&jobs, &tracker.reading().jobs), "nothing was new");
        poll(&mut tracker, &[invocation("next", Running, 125)], &[], 130);
        assert_ne!(jobs, tracker.reading().jobs);
    }

    #[test]
    fn the_end_of_an_open_run_is_counted_and_announced_with_its_exit_code() {
        let mut tracker = tracker();
        poll(&mut tracker, &[invocation("a", Running, 0)], &[], 1);
        poll(&mut tracker, &[invocation("a", Failed, 0), invocation("quick", Success, 2)], &[], 9);
        let ended = |id: &str, status: &str, code| Notice::Ended {
            id: id.into(),
            status: status.into(),
            exit_code: Some(code),
            is_failure: code != 0,
        };
        assert_eq!(tracker.notices(), [ended("a", "Failed", 3), ended("quick", "Success", 0)]);
        assert_eq!(tracker.reading().finished.values().sum::<u64>(), 2);
    }

    #[test]
    fn an_open_run_that_leaves_the_list_is_followed_to_its_end() {
        let mut tracker = tracker();
        poll(&mut tracker, &[invocation("a", Running, 0)], &[], 1);
        assert_eq!(poll(&mut tracker, &[], &[invocation("a", Running, 0)], 11), ["page 1", "a"]);
        assert!(tracker.has_open());
        assert_eq!(poll(&mut tracker, &[], &[invocation("a", Success, 0)], 21), ["page 1", "a"]);
        assert_eq!((tracker.has_open(), tracker.reading().finished[&Success]), (false, 1));
        assert_eq!(poll(&mut tracker, &[], &[invocation("a", Success, 0)], 31), ["page 1"]);
    }

    #[test]
    fn an_open_run_is_asked_for_with_growing_pauses_and_lost_when_it_was_not_found_for_ten_minutes()
    {
        let mut tracker = tracker();
        poll(&mut tracker, &[invocation("a", Running, 0)], &[], 1);
        let asks = |now: &i64| poll(&mut tracker, &[], &[], *now).len() > 1;
        let asked: Vec<i64> = (11..=641).step_by(10).filter(asks).collect();
        assert_eq!(asked, [11, 21, 41, 81, 161, 321, 641]);
        assert_eq!(tracker.notices(), [Notice::Lost { id: "a".into() }]);
        assert_eq!(poll(&mut tracker, &[], &[], 651), ["page 1"]);
    }

    #[test]
    fn a_run_that_has_vanished_does_not_have_every_page_read_at_each_poll() {
        let mut tracker = tracker();
        let mut world: Vec<Invocation> =
            (0..120).map(|n| invocation(&format!("r{n:03}"), Success, 1000 - n)).collect();
        world.push(invocation("gone", Running, 0));
        tracker.invocations.window.max_invocations = 200;
        poll(&mut tracker, &world, &[], 2000);
        world.pop();
        let pages = |now: i64| {
            poll(&mut tracker, &world, &[], now)
                .iter()
                .filter(|asked| asked.starts_with("page"))
                .count()
        };
        let pages: Vec<usize> = (2010..2650).step_by(10).map(pages).collect();
        assert_eq!(
            (pages.len(), pages.iter().filter(|pages| **pages > 1).count()),
            (64, 7),
            "{pages:?}"
        );
    }

    #[test]
    fn a_late_result_is_asked_for_until_it_is_there_or_its_run_leaves_the_window() {
        let mut tracker = tracker();
        poll(&mut tracker, &[invocation("a", Running, 0), invocation("b", Running, 0)], &[], 1);
        let list = [invocation("a", Failed, 0), invocation("b", Failed, 0)];
        let mut asked = Vec::new();
        for now in (10..=100).step_by(10) {
            tracker.begin(at(now));
            tracker.listed(Page::new(list.to_vec(), Some(2)), at(now));
            while let Some(Operation::DescribeInvocationResult(call)) = tracker.ask() {
                asked.push((call.invoke_id.to_string(), now));
                match &*call.invoke_id {
                    "a" => assert_eq!(tracker.fail(FailureScope::Gone), AfterFailure::GoOn),
                    _ => tracker.result(result(&invocation("b", Running, 0)), at(now)),
                }
            }
        }
        for id in ["a", "b"] {
            let times: Vec<i64> =
                asked.iter().filter(|(other, _)| other == id).map(|(_, now)| *now).collect();
            assert_eq!(times, [10, 20, 40, 80], "{id}: 404, or it still runs");
        }
        assert_eq!(
            (tracker.notices(), tracker.reading().finished[&Failed]),
            (vec![], 2),
            "announced with the result"
        );
        assert_eq!(poll(&mut tracker, &list[..1], &[], 170), ["page 1", "a", "b"]);
        let is_end = |notice: &Notice| matches!(notice, Notice::Ended { exit_code: Some(3), .. });
        assert!(tracker.notices().iter().all(is_end));
        poll(&mut tracker, &[], &[], 86_500);
        let lost = Notice::GivenUp { id: "b".into(), cause: GivenUp::NeverAnswered };
        let ended = Notice::Ended {
            id: "b".into(),
            status: "Failed".into(),
            exit_code: None,
            is_failure: true,
        };
        assert_eq!(tracker.notices(), [lost, ended]);
    }

    #[test]
    fn a_run_that_leaves_the_window_before_its_turn_is_told_as_such_if_its_end_was_watched() {
        let mut tracker = tracker();
        tracker.invocations.window.max_invocations = 1;
        poll(&mut tracker, &[invocation("old", Failed, 0)], &[], 1);
        poll(&mut tracker, &[invocation("a", Failed, 2), invocation("b", Failed, 3)], &[], 10);
        let given_up = |notice: &Notice| match notice {
            Notice::GivenUp { id, cause } => Some((id.to_string(), *cause)),
            _ => None,
        };
        let all: Vec<_> = tracker.notices().iter().filter_map(given_up).collect();
        assert_eq!(all, [("a".to_owned(), GivenUp::PushedOut)]);
    }

    #[test]
    fn an_open_run_beyond_the_first_page_is_found_and_further_pages_are_left_alone_without_need() {
        let mut tracker = tracker();
        let mut world: Vec<Invocation> =
            (0..70).map(|n| invocation(&format!("r{n:02}"), Success, 1000 - n)).collect();
        world.push(invocation("long", Running, 0));
        poll(&mut tracker, &world, &[], 2000);
        assert_eq!(poll(&mut tracker, &world, &[], 2010), ["page 1", "page 2"]);
        world[70].status = Success;
        assert_eq!(poll(&mut tracker, &world, &[], 2020), ["page 1", "page 2", "long"]);
        assert_eq!(poll(&mut tracker, &world, &[], 2030), ["page 1"]);
    }

    #[test]
    fn a_long_run_whose_word_nobody_knows_for_a_while_is_followed_on_and_given_up_only_after_the_window()
     {
        let unknown = || InvocationStatus::Unknown("Hibernating".into());
        let mut tracker = tracker();
        poll(&mut tracker, &[invocation("a", Running, 0), invocation("b", Running, 0)], &[], 5);
        let old = 3 * 86_400;
        let a = invocation("a", unknown(), 0);
        let b = invocation("b", unknown(), 0);
        poll(&mut tracker, &[a, b.clone()], &[], old);
        assert_eq!(
            tracker.notices(),
            [],
            "it has run for longer than the window, but was unknown only now"
        );
        poll(&mut tracker, &[invocation("a", Success, 0), b.clone()], &[], old + 60);
        assert_eq!(tracker.reading().finished[&Success], 1);
        tracker.notices();
        poll(&mut tracker, std::slice::from_ref(&b), &[], old + 3 * 86_400);
        assert_eq!(tracker.notices(), [], "a long outage is no proof");
        let later = old + 3 * 86_400;
        for second in (300..86_100).step_by(300) {
            poll(&mut tracker, std::slice::from_ref(&b), &[], later + second);
            assert_eq!(tracker.notices(), [], "{second}");
        }
        poll(&mut tracker, &[b], &[], later + 86_100);
        assert_eq!(tracker.notices(), [Notice::Lost { id: "b".into() }]);
    }

    #[test]
    fn a_run_that_a_list_names_twice_is_shown_and_counted_once_and_its_end_is_believed() {
        let mut tracker = tracker();
        poll(&mut tracker, &[], &[], 0);
        let running = invocation("a", Running, 1);
        let over = invocation("a", Success, 1);
        poll(&mut tracker, &[running.clone(), running.clone()], &[], 5);
        poll(&mut tracker, &[over.clone(), running, over.clone(), over], &[], 10);
        let reading = tracker.reading();
        assert_eq!(
            (reading.invocations.len(), reading.finished[&Success], tracker.notices().len()),
            (1, 1, 1)
        );
        assert_eq!(reading.invocations[0].invocation.status, Success);
    }

    #[test]
    fn an_id_that_comes_again_after_its_end_is_shown_as_it_ended_and_not_counted_again() {
        let mut tracker = tracker();
        poll(&mut tracker, &[], &[], 0);
        poll(&mut tracker, &[invocation("a", Failed, 1)], &[], 5);
        poll(&mut tracker, &[invocation("a", Running, 100)], &[], 105);
        poll(&mut tracker, &[invocation("a", Failed, 100)], &[], 205);
        assert_eq!(
            (tracker.reading().invocations.len(), tracker.reading().finished[&Failed]),
            (1, 1)
        );
    }

    #[test]
    fn a_memory_from_before_command_names_had_one_of_their_own_loads_and_learns_them_from_the_list()
    {
        let mut old = tracker();
        let world =
            [0, 60, 120, 180].map(|created| invocation(&format!("r{created}"), Success, created));
        poll(&mut old, &world, &[], 200);
        let mut saved = serde_json::to_value(&old.invocations.memory).unwrap();
        let fields = saved.as_object_mut().unwrap();
        fields.remove("jobs").unwrap();
        fields.insert(
            "last".into(),
            serde_json::json!({"backup": {"exit_code": 0, "finished": null}}),
        );
        let mut new = remembering(serde_json::from_value(saved).unwrap());
        assert!(new.reading().jobs.is_empty());
        assert_eq!(poll(&mut new, &world, &[], 300), ["page 1"], "no result is asked for again");
        let reading = new.reading();
        let job = reading.job("backup").unwrap();
        assert_eq!(
            (job.interval, job.last.as_ref().unwrap().exit_code),
            (Some(Duration::from_secs(60)), Some(0))
        );
    }

    #[test]
    fn the_window_keeps_open_runs_and_the_newest_ended_ones() {
        let mut tracker = tracker();
        tracker.invocations.window.max_invocations = 2;
        let world = [
            invocation("open", Running, 0),
            invocation("old", Success, 1),
            invocation("mid", Success, 2),
            invocation("new", Success, 3),
        ];
        assert_eq!(poll(&mut tracker, &world, &[], 10), ["page 1", "new"]);
        poll(&mut tracker, &world, &[], 86_410);
        assert_eq!(tracker.reading().invocations.len(), 1, "an old run leaves, an open one stays");
    }
}
