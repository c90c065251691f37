//! The tasks of an E-HPC cluster.
//!
//! `Archived=false` shows every running task. An open task that it no longer shows is requested by
//! its id, with growing pauses, until the answer says that it ended or it has not been found for
//! ten minutes. `Archived=true`, at the start and each `history_interval`, finds tasks that began
//! and ended in between.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::follow::{Follow, turns};
use super::history::{History, Progress, Window};
use super::pager::{MAX_PAGES, Pager, Shape, Trust, Turn};
use super::unknown_status::UnknownStatus;
use super::{AfterFailure, FailureScope, Limits, Load, Notice};
use crate::aliyun::op::{ListTasks, Operation, PAGE_SIZE};
use crate::config::TaskWindow;
use crate::model::{
    EhpcTasksReading, Histogram, ListState, Page, SeenEhpcTask, Task, TaskStatus, TaskType,
    keep_newest_texts,
};
use crate::poll::time::{later, since};

#[derive(Debug)]
pub(in crate::poll) struct EhpcTasksTracker {
    cluster_id: Arc<str>,
    window: TaskWindow,
    limits: Limits,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    step: Step,
    /// Ids that this poll has found among the running tasks.
    listed: HashSet<SmolStr>,
    /// When the current poll began.
    began: Timestamp,
}

/// What is known about a cluster's tasks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    tasks: HashMap<SmolStr, Held>,
    /// Number of tasks seen so far; gives each its place.
    seen: u64,
    /// The list that includes ended tasks.
    #[serde(default)]
    pub(super) history: History,
    running_pages: u32,
    /// How far the list of running tasks can be trusted.
    #[serde(default)]
    running: Trust,
    finished: BTreeMap<(TaskType, TaskStatus), u64>,
    durations: BTreeMap<TaskType, Histogram>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    seen: SeenEhpcTask,
    sequence: u64,
    /// How it was requested by its id.
    #[serde(default, skip_serializing_if = "Follow::is_plain")]
    follow: Follow,
    /// It appeared while watched, so its duration is known.
    observed_from_start: bool,
    /// How long its status has been unknown without progress.
    #[serde(skip)]
    unknown: UnknownStatus,
}

impl Memory {
    /// The memory after a gap in watching: anything may have happened anywhere in the lists, and
    /// the durations of open tasks are unknown.
    pub(super) fn after_a_gap(mut self) -> Self {
        self.history.whole_due = None;
        for held in self.tasks.values_mut().filter(|held| held.seen.task.status.is_open()) {
            held.observed_from_start = false;
        }
        self
    }

    /// Moves times by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.history.whole_due = self.history.whole_due.map(|due| later(due, step));
        for held in self.tasks.values_mut() {
            held.follow.shift(step);
        }
    }
}

/// State of a poll.
#[derive(Debug, PartialEq)]
enum Step {
    /// No poll is in progress, or it has failed.
    Idle,
    Running(Pager),
    History,
    /// Requests these ids one by one, last first.
    Chase(Vec<SmolStr>),
    Done,
}

impl EhpcTasksTracker {
    pub(super) fn new(
        cluster_id: Arc<str>,
        window: TaskWindow,
        limits: Limits,
        memory: Memory,
    ) -> Self {
        let began = Timestamp::UNIX_EPOCH;
        Self {
            cluster_id,
            window,
            limits,
            memory,
            notices: Vec::new(),
            step: Step::Idle,
            listed: HashSet::new(),
            began,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = now;
        self.listed.clear();
        self.step = Step::Running(Pager::new(PAGE_SIZE, 1, 0));
        self.trim(now);
    }

    pub(super) fn ask(&mut self) -> Option<Operation> {
        let cluster = Arc::clone(&self.cluster_id);
        let call = match &self.step {
            Step::Running(pager) => ListTasks::running(cluster, pager.page()),
            Step::History => ListTasks::archived(cluster, self.memory.history.page()?),
            Step::Chase(ids) => ListTasks::by_id(cluster, ids.last()?.clone()),
            Step::Idle | Step::Done => return None,
        };
        Some(call.into())
    }

    pub(super) fn answer(&mut self, page: Page<Task>, now: Timestamp) {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Running(pager) => self.running(pager, page, now),
            Step::History => self.history(page, now),
            Step::Chase(ids) => self.chased(ids, page, now),
            Step::Idle | Step::Done => {}
        }
    }

    pub(super) fn fail(&mut self, scope: FailureScope) -> AfterFailure {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Chase(mut ids) if scope == FailureScope::Gone => {
                if let Some(id) = &ids.pop() {
                    self.missed(id);
                }
                self.chase(ids);
                return AfterFailure::GoOn;
            }
            Step::Chase(mut ids) if scope == FailureScope::One => {
                if let Some(held) = ids.pop().and_then(|id| self.memory.tasks.get_mut(&id)) {
                    held.follow.failed();
                }
                self.chase(ids);
                return AfterFailure::GoOnFailed;
            }
            Step::Chase(ids) => self.chase(ids),
            _ => {}
        }
        AfterFailure::Stop
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.step, Step::Chase(_) | Step::Done)
    }

    pub(super) fn has_open(&self) -> bool {
        self.memory.tasks.values().any(|held| held.seen.task.status.is_open())
    }

    pub(super) fn reading(&self) -> EhpcTasksReading {
        let mut held: Vec<&Held> = self.memory.tasks.values().collect();
        held.sort_unstable_by_key(|held| Reverse(held.recency()));
        EhpcTasksReading {
            tasks: held.into_iter().map(|held| held.seen.clone()).collect(),
            finished: self.memory.finished.clone(),
            durations: self.memory.durations.clone(),
        }
    }

    pub(super) fn load(&self) -> Load {
        Load {
            pages: self.memory.history.pages_read(),
            running_pages: self.memory.running_pages.max(1),
            ..Load::QUIET
        }
    }

    fn running(&mut self, mut pager: Pager, page: Page<Task>, now: Timestamp) {
        let shape = Shape::of(&page, |task| &*task.id);
        let before = self.listed.len();
        for task in page.items {
            self.listed.insert(task.id.clone());
            let new = self.memory.history.note_part(&task.id);
            self.see(task, new, now);
        }
        let new = self.listed.len() - before;
        let Turn::End(ended) = pager.read(&shape, new, &self.memory.running, MAX_PAGES) else {
            self.step = Step::Running(pager);
            return;
        };
        let changes = self.memory.running.weigh(&pager, ended, pager.missing(ended));
        self.notices.extend(changes.into_iter().map(Notice::List));
        self.memory.running_pages = pager.pages();
        let Memory { history, tasks, .. } = &mut self.memory;
        history.bound(|id| tasks.contains_key(id));
        if self.memory.history.is_due(now) {
            self.memory.history.begin(&self.limits, now);
            self.step = Step::History;
        } else {
            self.begin_chase();
        }
    }

    fn history(&mut self, page: Page<Task>, now: Timestamp) {
        let shape = Shape::of(&page, |task| &*task.id);
        for task in page.items {
            let new = self.memory.history.note(&task.id, None);
            self.see(task, new, now);
        }
        let window = Window { entries: self.window.max_tasks, max_age: self.window.max_age };
        let Memory { history, tasks, .. } = &mut self.memory;
        match history.read(&shape, false, window, &self.limits, now, |id| tasks.contains_key(id)) {
            Progress::Next => {
                self.step = Step::History;
                return;
            }
            Progress::Read(notices) => self.notices.extend(notices),
        }
        self.begin_chase();
        self.trim(now);
    }

    pub(super) fn list_state(&self) -> ListState {
        self.memory.running.state().and(self.memory.history.trust().state())
    }

    /// Requests open tasks that no list of this poll has shown, those that have waited longest
    /// first.
    fn begin_chase(&mut self) {
        let missing = self.memory.tasks.iter().filter(|(id, held)| {
            held.seen.task.status.is_open()
                && !self.listed.contains(*id)
                && held.follow.is_due(self.began)
        });
        let ids = turns(missing.map(|(id, held)| (held.follow.turn(), id.clone())));
        self.chase(ids);
    }

    fn chase(&mut self, ids: Vec<SmolStr>) {
        self.step = if ids.is_empty() { Step::Done } else { Step::Chase(ids) };
    }

    fn chased(&mut self, mut ids: Vec<SmolStr>, page: Page<Task>, now: Timestamp) {
        let Some(id) = ids.pop() else {
            return debug_assert!(false, "no task was asked for");
        };
        match page.items.into_iter().find(|task| task.id == id) {
            Some(task) => self.see(task, false, now),
            None => self.missed(&id),
        }
        self.chase(ids);
    }

    fn missed(&mut self, id: &SmolStr) {
        let Some(held) = self.memory.tasks.get_mut(id) else { return };
        held.follow.missed(self.began);
        if held.follow.is_lost() {
            self.memory.tasks.remove(id);
            self.notices.push(Notice::Lost { id: id.clone() });
        }
    }

    /// Records a task as it is now; `new` if its id was not known before.
    fn see(&mut self, task: Task, new: bool, now: Timestamp) {
        if let Some(held) = self.memory.tasks.get_mut(&task.id) {
            let was_open = held.seen.task.status.is_open();
            held.update(task, now);
            if was_open && !held.seen.task.status.is_open() {
                held.seen.finished = Some(now);
                let task = Arc::clone(&held.seen.task);
                let took = held.observed_from_start.then(|| since(held.seen.first_seen, now));
                self.count(&task, took);
            }
        } else if new {
            let watched = self.memory.history.is_watched();
            if watched && !task.status.is_open() {
                self.count(&task, None);
            }
            self.hold(task, watched, now);
        }
    }

    fn hold(&mut self, task: Task, observed_from_start: bool, now: Timestamp) {
        self.memory.seen += 1;
        let id = task.id.clone();
        let first_step = task.current_step;
        let mut unknown = UnknownStatus::default();
        unknown.update(matches!(task.status, TaskStatus::Unknown(_)), now);
        let task = Arc::new(task);
        let seen =
            SeenEhpcTask { task, first_seen: now, last_progress: now, finished: None, first_step };
        self.memory.tasks.insert(
            id,
            Held {
                seen,
                sequence: self.memory.seen,
                follow: Follow::default(),
                observed_from_start,
                unknown,
            },
        );
    }

    fn count(&mut self, task: &Task, took: Option<Duration>) {
        *self.memory.finished.entry((task.task_type.clone(), task.status.clone())).or_default() +=
            1;
        if let Some(took) = took {
            self.memory.durations.entry(task.task_type.clone()).or_default().observe(took);
        }
        self.notices.push(Notice::Ended {
            id: task.id.clone(),
            status: task.status.word().to_owned(),
            exit_code: None,
            is_failure: task.status.is_failure(),
        });
    }

    /// Drops what has left the window: ended tasks that are old or too many, and tasks with an
    /// unknown status that never ended.
    fn trim(&mut self, now: Timestamp) {
        let max_age = self.window.max_age;
        let mut lost = Vec::new();
        self.memory.tasks.retain(|id, held| {
            let is_lost = held.unknown.shown_for() > max_age;
            if is_lost {
                lost.push(Notice::Lost { id: id.clone() });
            }
            let is_old = !held.seen.task.status.is_open() && since(held.recency().0, now) > max_age;
            !is_old && !is_lost
        });
        self.notices.append(&mut lost);
        self.bound_texts();
        let surplus = self.memory.tasks.len().saturating_sub(self.window.max_tasks);
        if surplus == 0 {
            return;
        }
        let ended = self.memory.tasks.iter().filter(|(_, held)| !held.seen.task.status.is_open());
        let mut oldest: Vec<_> = ended.map(|(id, held)| (held.recency(), id.clone())).collect();
        oldest.sort_unstable();
        for (_, id) in oldest.into_iter().take(surplus) {
            self.memory.tasks.remove(&id);
        }
    }
}

impl EhpcTasksTracker {
    /// Forgets the errors of all but the newest tasks that have any.
    fn bound_texts(&mut self) {
        let held = self.memory.tasks.values_mut();
        let told = held.filter(|held| !held.seen.task.error_details.is_empty());
        keep_newest_texts(
            told,
            |held| held.recency(),
            |held| {
                Arc::make_mut(&mut held.seen.task).error_details = Arc::default();
            },
        );
    }
}

impl Held {
    /// Larger is newer. The API sends no times: a task's age counts from what the exporter saw.
    fn recency(&self) -> (Timestamp, Reverse<u64>) {
        let SeenEhpcTask { finished, last_progress, .. } = self.seen;
        (finished.unwrap_or(last_progress), Reverse(self.sequence))
    }

    /// An ended task never changes again, whatever an older copy of a list says.
    fn update(&mut self, task: Task, now: Timestamp) {
        self.follow = Follow::found(now);
        let known = &self.seen.task;
        if !known.status.is_open() && task.status.is_open() {
            return;
        }
        if (known.current_step, &known.status) != (task.current_step, &task.status) {
            self.seen.last_progress = now;
            self.unknown = UnknownStatus::default();
        }
        self.unknown.update(matches!(task.status, TaskStatus::Unknown(_)), now);
        if *self.seen.task != task {
            self.seen.task = Arc::new(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{AfterFailure, EhpcTasksTracker, FailureScope, Limits, Memory, Notice};
    use crate::aliyun::op::{Operation, TaskFilter};
    use crate::config::TaskWindow;
    use crate::model::{Page, Task, TaskStatus, TaskType};

    fn tracker() -> EhpcTasksTracker {
        let limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 2 };
        let window = TaskWindow { max_tasks: 3, max_age: Duration::from_secs(3600) };
        EhpcTasksTracker::new("c".into(), window, limits, Memory::default())
    }

    fn task(id: &str, status: TaskStatus, step: i64) -> Task {
        let current_step = Some(step);
        let steps = Some(9);
        Task {
            id: id.into(),
            task_type: TaskType::AddComputes,
            status,
            current_step,
            steps,
            errors: None,
            error_details: Arc::default(),
            nodes: None,
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minutes * 60).unwrap()
    }

    /// Polls once against a world of `tasks`. Returns the filters of the calls.
    fn poll(tracker: &mut EhpcTasksTracker, tasks: &[Task], now: Timestamp) -> Vec<TaskFilter> {
        let mut asked = Vec::new();
        tracker.begin(now);
        while let Some(Operation::ListTasks(call)) = tracker.ask() {
            let wanted = |task: &&Task| match &call.filter {
                TaskFilter::Running => task.status == TaskStatus::Processing,
                TaskFilter::Archived => true,
                TaskFilter::Id(id) => task.id == *id,
            };
            let items: Vec<Task> = tasks
                .iter()
                .filter(wanted)
                .skip((call.page as usize - 1) * 50)
                .take(50)
                .cloned()
                .collect();
            tracker.answer(Page::new(items, None), now);
            asked.push(call.filter);
        }
        assert!(tracker.is_readable());
        asked
    }

    fn ended(tracker: &mut EhpcTasksTracker) -> Vec<String> {
        let name = |notice| match notice {
            Notice::Ended { id, status, .. } => format!("{id} {status}"),
            Notice::Lost { id } => format!("{id} lost"),
            Notice::GivenUp { id, .. } => format!("{id} given up"),
            Notice::Truncated => "truncated".to_owned(),
            Notice::List(change) => format!("{change:?}"),
            Notice::Discovered => "discovered".to_owned(),
        };
        std::mem::take(&mut tracker.notices).into_iter().map(name).collect()
    }

    #[test]
    fn a_task_is_followed_from_its_first_sight_to_its_end() {
        let mut tracker = tracker();
        poll(&mut tracker, &[], at(0));
        poll(&mut tracker, &[task("a", TaskStatus::Processing, 1)], at(1));
        assert!(tracker.has_open());
        let asked = poll(&mut tracker, &[task("a", TaskStatus::Failed, 2)], at(3));
        assert_eq!(asked, [TaskFilter::Running, TaskFilter::Id("a".into())]);
        let reading = tracker.reading();
        let seen = &reading.tasks[0];
        assert_eq!(
            (seen.first_seen, seen.last_progress, seen.finished, seen.first_step),
            (at(1), at(3), Some(at(3)), Some(1))
        );
        assert_eq!(reading.finished[&(TaskType::AddComputes, TaskStatus::Failed)], 1);
        assert_eq!(reading.durations[&TaskType::AddComputes].sum, 120.0);
        assert_eq!(ended(&mut tracker), ["a Failed"]);
        assert_eq!(
            poll(&mut tracker, &[task("a", TaskStatus::Failed, 2)], at(4)),
            [TaskFilter::Running]
        );
    }

    #[test]
    fn steps_are_shown_as_they_are_sent_be_they_too_many_none_or_going_back() {
        let mut tracker = tracker();
        for (minute, step, steps) in [(0, 12, 9), (1, 3, 9), (2, 3, 0), (3, 0, 0)] {
            let sent = Task { steps: Some(steps), ..task("a", TaskStatus::Processing, step) };
            poll(&mut tracker, std::slice::from_ref(&sent), at(minute));
            assert_eq!(*tracker.reading().tasks[0].task, sent);
        }
        assert_eq!(tracker.reading().tasks[0].last_progress, at(3), "a step back is a change, too");
        assert!(ended(&mut tracker).is_empty());
    }

    #[test]
    fn a_task_that_a_list_names_twice_is_shown_and_counted_once() {
        let mut tracker = tracker();
        poll(&mut tracker, &[], at(0));
        let running = task("a", TaskStatus::Processing, 1);
        poll(&mut tracker, &[running.clone(), running.clone()], at(1));
        let over = task("a", TaskStatus::Success, 9);
        poll(&mut tracker, &[over.clone(), over, running], at(40));
        poll(&mut tracker, &[task("a", TaskStatus::Success, 9)], at(80));
        assert_eq!(
            (tracker.reading().tasks.len(), ended(&mut tracker)),
            (1, vec!["a Success".to_owned()])
        );
    }

    #[test]
    fn what_had_ended_at_first_sight_is_shown_but_never_counted() {
        let mut tracker = tracker();
        poll(&mut tracker, &[task("old", TaskStatus::Success, 9)], at(0));
        assert_eq!(tracker.reading().tasks.len(), 1);
        assert!(
            tracker.reading().finished.is_empty() && tracker.reading().tasks[0].finished.is_none()
        );
        let both = [task("old", TaskStatus::Success, 9), task("quick", TaskStatus::PartialFail, 9)];
        poll(&mut tracker, &both, at(31));
        assert_eq!(
            ended(&mut tracker),
            ["quick PartialFail"],
            "it began and ended between two ticks"
        );
        assert!(tracker.reading().durations.is_empty());
        poll(&mut tracker, &both, at(62));
        assert_eq!(ended(&mut tracker), [""; 0]);
    }

    #[test]
    fn a_task_is_lost_when_its_status_was_seen_to_be_unknown_for_the_window_without_progress() {
        let mut tracker = tracker();
        let unknown = |step| task("a", TaskStatus::Unknown("Pausing".into()), step);
        poll(&mut tracker, &[task("a", TaskStatus::Processing, 1)], at(0));
        poll(&mut tracker, &[unknown(1)], at(600));
        poll(&mut tracker, &[unknown(1)], at(900));
        assert!(ended(&mut tracker).is_empty(), "an outage proves nothing");
        for minute in (905..950).step_by(5) {
            poll(&mut tracker, &[unknown(1)], at(minute));
        }
        for minute in (950..=1010).step_by(5) {
            poll(&mut tracker, &[unknown(2)], at(minute));
            assert!(ended(&mut tracker).is_empty(), "{minute}");
        }
        poll(&mut tracker, &[unknown(2)], at(1011));
        poll(&mut tracker, &[unknown(2)], at(1012));
        assert_eq!(ended(&mut tracker), ["a lost"]);
    }

    #[test]
    fn an_open_task_that_cannot_be_found_for_ten_minutes_is_lost() {
        let mut tracker = tracker();
        poll(&mut tracker, &[task("a", TaskStatus::Processing, 1)], at(0));
        for minute in [1, 2, 3, 4, 5] {
            tracker.begin(at(minute));
            tracker.answer(Page::new(vec![], None), at(minute));
            if tracker.ask().is_some() {
                assert_eq!(
                    tracker.fail(FailureScope::Gone),
                    AfterFailure::GoOn,
                    "ObjectNotFound counts as not found"
                );
            }
        }
        let asked = (6..30)
            .filter(|minute| poll(&mut tracker, &[], at(*minute)).len() > 1)
            .collect::<Vec<i64>>();
        assert_eq!((asked, ended(&mut tracker)), (vec![6, 9, 15], vec!["a lost".to_owned()]));
        assert!(!tracker.has_open());
    }

    #[test]
    fn a_hundred_open_tasks_that_vanish_are_asked_for_in_turns() {
        let mut tracker = tracker();
        let running: Vec<Task> =
            (0..100).map(|n| task(&format!("t{n:02}"), TaskStatus::Processing, 1)).collect();
        poll(&mut tracker, &running, at(0));
        let ended: Vec<Task> = running
            .iter()
            .map(|seen| Task { status: TaskStatus::Failed, ..seen.clone() })
            .collect();
        let asked = [1, 2, 3].map(|minute| poll(&mut tracker, &ended, at(minute)).len());
        assert_eq!(asked, [51, 51, 1]);
        assert_eq!(tracker.memory.finished.values().sum::<u64>(), 100);
    }

    #[test]
    fn the_window_drops_old_and_surplus_ended_tasks_and_never_open_ones() {
        let mut tracker = tracker();
        let mut tasks: Vec<Task> =
            (0..4).map(|n| task(&format!("o{n}"), TaskStatus::Processing, n)).collect();
        tasks.extend((0..4).map(|n| task(&format!("e{n}"), TaskStatus::Success, 9)));
        poll(&mut tracker, &tasks, at(0));
        assert_eq!(
            tracker.reading().tasks.len(),
            4,
            "four open ones already fill the window of three"
        );
        assert!(tracker.reading().tasks.iter().all(|seen| seen.task.status.is_open()));
        poll(&mut tracker, &tasks[4..], at(1));
        for task in &mut tasks {
            task.status = TaskStatus::Success;
        }
        poll(&mut tracker, &tasks, at(2));
        poll(&mut tracker, &tasks, at(3));
        assert_eq!(tracker.reading().tasks.len(), 3);
        poll(&mut tracker, &tasks, at(70));
        assert_eq!(tracker.reading().tasks, []);
    }

    #[test]
    fn a_history_that_is_cut_off_is_reported_and_never_counted_as_new() {
        let mut tracker = tracker();
        let many: Vec<Task> =
            (0..130).map(|n| task(&format!("e{n:03}"), TaskStatus::Success, 9)).collect();
        poll(&mut tracker, &many, at(0));
        assert_eq!(ended(&mut tracker), ["truncated"]);
        poll(&mut tracker, &many[60..], at(31));
        assert_eq!(ended(&mut tracker), [""; 0], "the tasks beyond the cut are old, not new");
    }

    #[test]
    fn an_ended_task_stays_ended_and_steps_may_go_any_way() {
        let mut tracker = tracker();
        poll(&mut tracker, &[task("a", TaskStatus::Processing, 12)], at(0));
        poll(&mut tracker, &[task("a", TaskStatus::Processing, 3)], at(1));
        assert_eq!(tracker.reading().tasks[0].last_progress, at(1));
        poll(&mut tracker, &[task("a", TaskStatus::Success, 9)], at(2));
        poll(&mut tracker, &[task("a", TaskStatus::Processing, 9)], at(3));
        assert_eq!(tracker.reading().tasks[0].task.status, TaskStatus::Success);
        assert_eq!(ended(&mut tracker), ["a Success"]);
    }
}
