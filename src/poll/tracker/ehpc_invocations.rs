//! The commands of an E-HPC cluster on its nodes.
//!
//! Commands are named by the user or found by ListCommands. ListInvocationStatus is called while a
//! command is open; once it has ended, all pages of ListInvocationResults are read once, or again
//! until they show how each node ended.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::follow::{Follow, LOOKED_FOR, turns};
use super::history::{History, Progress, Window};
use super::pager::{MAX_PAGES, Pager, Shape, Trust, Turn};
use super::unknown_status::UnknownStatus;
use super::{AfterFailure, FailureScope, Limits, ListChange, Load, Notice};
use crate::aliyun::op::{
    ListCommands, ListInvocationResults, ListInvocationStatus, Operation, PAGE_SIZE,
};
use crate::config::Commands;
use crate::model::{
    Command, EhpcInvocationsReading, InvokeStatus, ListState, NodeResult, NodeStatuses, Page,
    SeenEhpcInvocation, Timing,
};
use crate::poll::time::later;

/// Time after which commands with an unknown status, and late results, are given up: the cloud
/// sends no time from which to take a command's age. See "Limits" in `docs/alibaba-cloud-api.md`.
const WINDOW: Duration = Duration::from_secs(14 * 24 * 3600);

#[derive(Debug)]
pub(in crate::poll) struct EhpcInvocationsTracker {
    cluster_id: Arc<str>,
    scope: Commands,
    limits: Limits,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    step: Step,
    /// When the current poll began.
    began: Timestamp,
}

/// What is known about a cluster's commands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    commands: HashMap<SmolStr, Held>,
    pub(super) history: History,
    /// Number of readings of the list so far that have shown something new.
    readings: u64,
    finished: BTreeMap<InvokeStatus, u64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Held {
    invocation: Option<Arc<NodeStatuses>>,
    results: Option<Arc<Vec<NodeResult>>>,
    /// Larger is newer: commands first seen last. Within a reading of the list, the first counts as
    /// the newest.
    sequence: (u64, Reverse<usize>),
    /// How its status, or its results once it has ended, were requested.
    #[serde(default, skip_serializing_if = "Follow::is_plain")]
    follow: Follow,
    /// It appeared while watched, so its end counts even if it was never seen open.
    observed_from_start: bool,
    /// A reading of its results in progress, which may take several polls.
    #[serde(skip)]
    reading: Option<ResultsReading>,
    /// How far the list of its results can be trusted.
    #[serde(default)]
    trust: Trust,
    /// How long only an unknown status has kept it open.
    #[serde(skip)]
    unknown: UnknownStatus,
    /// When it was first seen ended, if its end was watched.
    #[serde(default)]
    end_seen: Option<Timestamp>,
    /// Results were read, but some nodes are missing from them or still run.
    #[serde(default)]
    is_late: bool,
    /// It is no longer requested.
    #[serde(default)]
    given_up: bool,
    /// Timeout in seconds, if the list says.
    #[serde(default)]
    timeout: Option<u64>,
    /// When it was first seen open.
    #[serde(default)]
    open_since: Option<Timestamp>,
}

/// What a reading of a command's results has shown so far.
#[derive(Clone, Debug)]
struct ResultsReading {
    pager: Pager,
    read: BTreeMap<SmolStr, NodeResult>,
}

impl Memory {
    /// Moves times by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.history.whole_due = self.history.whole_due.map(|due| later(due, step));
        for held in self.commands.values_mut() {
            held.follow.shift(step);
        }
    }
}

/// State of a poll. Ids are requested last first.
#[derive(Debug, PartialEq)]
enum Step {
    /// No poll is in progress, or it has failed.
    Idle,
    List,
    Status(Vec<SmolStr>),
    Results(Vec<SmolStr>),
    Done,
}

impl EhpcInvocationsTracker {
    pub(super) fn new(
        cluster_id: Arc<str>,
        scope: Commands,
        limits: Limits,
        memory: Memory,
    ) -> Self {
        let began = Timestamp::UNIX_EPOCH;
        Self { cluster_id, scope, limits, memory, notices: Vec::new(), step: Step::Idle, began }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = now;
        self.give_up();
        if self.scope.ids.is_empty() {
            // Counts only readings with something new, so that others need not be saved.
            let shown_new =
                self.memory.commands.values().any(|held| held.sequence.0 == self.memory.readings);
            self.memory.readings += u64::from(shown_new);
            self.memory.history.begin(&self.limits, now);
            self.step = Step::List;
            return;
        }
        self.memory.commands.retain(|id, _| self.scope.ids.iter().any(|named| **named == **id));
        for (position, id) in self.scope.ids.iter().enumerate() {
            let fresh = Held { sequence: (0, Reverse(position)), ..Held::default() };
            self.memory.commands.entry(id.as_str().into()).or_insert(fresh);
        }
        self.begin_status();
    }

    pub(super) fn ask(&mut self) -> Option<Operation> {
        let cluster_id = Arc::clone(&self.cluster_id);
        Some(match &self.step {
            Step::List => ListCommands { cluster_id, page: self.memory.history.page()? }.into(),
            Step::Status(ids) => {
                ListInvocationStatus { cluster_id, command_id: ids.last()?.clone() }.into()
            }
            Step::Results(ids) => {
                let command_id = ids.last()?.clone();
                let reading = self.memory.commands.get(&command_id)?.reading.as_ref();
                let page = reading.map_or(1, |reading| reading.pager.page());
                ListInvocationResults { cluster_id, command_id, page }.into()
            }
            Step::Idle | Step::Done => return None,
        })
    }

    pub(super) fn fail(&mut self, scope: FailureScope) -> AfterFailure {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Status(mut ids) if scope == FailureScope::Gone => {
                let named = ids.pop().is_some_and(|id| self.missed(&id));
                self.next_status(ids);
                if named { AfterFailure::GoOnFailed } else { AfterFailure::GoOn }
            }
            Step::Results(mut ids) if scope == FailureScope::Gone => {
                if let Some(held) = ids.pop().and_then(|id| self.memory.commands.get_mut(&id)) {
                    held.follow.missed(self.began);
                }
                self.next_results(ids);
                AfterFailure::GoOn
            }
            Step::Status(mut ids) if scope == FailureScope::One => {
                self.failed(ids.pop());
                self.next_status(ids);
                AfterFailure::GoOnFailed
            }
            Step::Results(mut ids) if scope == FailureScope::One => {
                self.failed(ids.pop());
                self.next_results(ids);
                AfterFailure::GoOnFailed
            }
            results @ Step::Results(_) => {
                self.step = results;
                AfterFailure::Stop
            }
            _ => AfterFailure::Stop,
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.step, Step::Results(_) | Step::Done)
    }

    pub(super) fn has_open(&self) -> bool {
        self.memory.commands.values().any(Held::is_open)
    }

    pub(super) fn reading(&self) -> EhpcInvocationsReading {
        let mut held: Vec<(&SmolStr, &Held)> = self.memory.commands.iter().collect();
        held.sort_unstable_by_key(|(_, held)| Reverse(held.sequence));
        // A command given up while open is lost.
        held.retain(|(_, held)| !held.given_up || held.has_ended());
        let seen = |(id, held): (&SmolStr, &Held)| {
            let is_outstanding = held.wants_results();
            let invocation = held.invocation.clone()?;
            let results = held.results.clone();
            let end_seen = held.end_seen;
            let timing =
                held.is_open().then(|| Timing::of(held.open_since, held.timeout)).flatten();
            Some(SeenEhpcInvocation {
                id: id.clone(),
                invocation,
                results,
                is_outstanding,
                end_seen,
                timing,
            })
        };
        EhpcInvocationsReading {
            commands: held.into_iter().filter_map(seen).collect(),
            finished: self.memory.finished.clone(),
        }
    }

    pub(super) fn load(&self) -> Load {
        let open = self.memory.commands.values().filter(|held| held.is_open()).count();
        Load {
            pages: self.memory.history.pages(&self.limits),
            ordered: self.memory.history.is_ordered(),
            newest_first: self.memory.history.is_newest_first(),
            listed: self.scope.ids.is_empty(),
            open,
            ..Load::QUIET
        }
    }

    pub(super) fn listed(&mut self, page: Page<Command>, now: Timestamp) {
        if self.step != Step::List {
            return;
        }
        let shape = Shape::of(&page, |command| &*command.id);
        let Memory { history, commands, readings, .. } = &mut self.memory;
        let observed_from_start = history.is_watched();
        for Command { id, timeout } in page.items {
            let sequence = (*readings, Reverse(history.shown()));
            if history.note(&id, None) {
                commands.entry(id).or_insert(Held {
                    sequence,
                    observed_from_start,
                    timeout,
                    ..Held::default()
                });
            } else if let Some(held) = commands.get_mut(&id) {
                held.timeout = timeout.or(held.timeout);
            }
        }
        let window = Window { entries: self.scope.discover, max_age: Duration::MAX };
        match history.read(&shape, false, window, &self.limits, now, |id| commands.contains_key(id))
        {
            Progress::Next => return,
            Progress::Read(notices) => self.notices.extend(notices),
        }
        self.trim();
        self.begin_status();
    }

    pub(super) fn status(&mut self, invocation: NodeStatuses) {
        let Step::Status(mut ids) = std::mem::replace(&mut self.step, Step::Idle) else {
            return debug_assert!(false, "no status was asked for");
        };
        let Memory { commands, finished, .. } = &mut self.memory;
        if let Some((id, held)) =
            ids.pop().and_then(|id| commands.get_mut(&id).map(|held| (id, held)))
        {
            let counts = held.invocation.is_some() || held.observed_from_start;
            let ends = counts && !invocation.is_open();
            if ends && held.waits_for_word(&invocation, self.began) {
                return self.next_status(ids);
            }
            if ends {
                held.end_seen = Some(self.began);
                *finished.entry(invocation.status.clone()).or_default() += 1;
                self.notices.push(Notice::Ended {
                    id,
                    status: invocation.status.word().to_owned(),
                    exit_code: None,
                    is_failure: invocation.status.is_failure(),
                });
            }
            held.update(invocation, self.began);
        }
        self.next_status(ids);
    }

    pub(super) fn results(&mut self, page: Page<NodeResult>) {
        let Step::Results(ids) = &mut self.step else {
            return debug_assert!(false, "no results were asked for");
        };
        let Some(held) = ids.last().and_then(|id| self.memory.commands.get_mut(id)) else {
            return debug_assert!(false, "the results of no command were asked for");
        };
        // More pages follow.
        let Some(changes) = held.read_results(page, self.began) else { return };
        self.notices.extend(changes.into_iter().map(Notice::List));
        ids.pop();
        let ids = std::mem::take(ids);
        self.next_results(ids);
    }

    pub(super) fn list_state(&self) -> ListState {
        let results = self.memory.commands.values().map(|held| held.trust.state());
        results.fold(self.memory.history.trust().state(), ListState::and)
    }

    fn begin_status(&mut self) {
        let named = !self.scope.ids.is_empty();
        let asked = |held: &Held| {
            (held.invocation.is_none() || held.is_open())
                && (named || held.follow.is_due(self.began))
        };
        let ids = self.by_urgency(asked);
        self.next_status(ids);
    }

    fn next_status(&mut self, ids: Vec<SmolStr>) {
        if !ids.is_empty() {
            self.step = Step::Status(ids);
            return;
        }
        let ids =
            self.by_urgency(|held| held.wants_results() && held.follow.is_result_due(self.began));
        self.next_results(ids);
    }

    fn next_results(&mut self, ids: Vec<SmolStr>) {
        self.step = match ids.is_empty() {
            true => Step::Done,
            false => Step::Results(ids),
        };
    }

    /// The commands, newest last.
    fn by_age(&self) -> Vec<SmolStr> {
        let mut ids: Vec<SmolStr> = self.memory.commands.keys().cloned().collect();
        ids.sort_unstable_by_key(|id| self.memory.commands.get(id).map(|held| held.sequence));
        ids
    }

    /// The commands that `pick` selects, newest last. Before them come at most `MAX_ASKS` that were
    /// not found, or whose call failed.
    fn by_urgency(&self, pick: impl Fn(&Held) -> bool) -> Vec<SmolStr> {
        let picked = self.memory.commands.iter().filter(|(_, held)| pick(held));
        let (again, mut first): (Vec<_>, Vec<_>) =
            picked.partition(|(_, held)| held.follow.is_again());
        first.sort_unstable_by_key(|(_, held)| held.sequence);
        let mut ids = turns(
            again.into_iter().map(|(id, held)| ((held.follow.turn(), held.sequence), id.clone())),
        );
        ids.extend(first.into_iter().map(|(id, _)| id.clone()));
        ids
    }

    fn failed(&mut self, id: Option<SmolStr>) {
        if let Some(held) = id.and_then(|id| self.memory.commands.get_mut(&id)) {
            held.follow.failed();
        }
    }

    /// Records that a command was not found. Returns whether the user named it.
    fn missed(&mut self, id: &SmolStr) -> bool {
        let named = !self.scope.ids.is_empty();
        if let Some(held) = self.memory.commands.get_mut(id) {
            held.follow.missed(self.began);
            if held.follow.is_lost() {
                // One that appeared while watched, but whose status was never received, may have
                // ended in any way.
                let is_unfinished =
                    held.is_open() || (held.observed_from_start && held.invocation.is_none());
                self.memory.commands.remove(id);
                if is_unfinished {
                    self.notices.push(Notice::Lost { id: id.clone() });
                }
            }
        }
        named
    }

    /// Gives up what has been unknown, or late, for too long.
    fn give_up(&mut self) {
        for (id, held) in self.memory.commands.iter_mut().filter(|(_, held)| !held.given_up) {
            if held.unknown_for() > WINDOW {
                held.given_up = true;
                self.notices.push(Notice::Lost { id: id.clone() });
            } else if held.wants_results() && held.follow.looked_for() > WINDOW {
                self.notices.extend(held.given_up_notice(id));
                held.given_up = true;
            }
        }
    }

    /// Keeps open commands, and the newest of the rest. An unknown status keeps a command no longer
    /// than one that cannot be found.
    fn trim(&mut self) {
        let newest = self.by_age();
        let surplus = newest.len().saturating_sub(self.scope.discover);
        for id in newest.into_iter().take(surplus) {
            let Some(held) = self.memory.commands.get(&id) else { continue };
            let is_unknown = held.unknown_for() >= LOOKED_FOR;
            if held.is_open() && !is_unknown {
                continue;
            }
            if is_unknown {
                self.notices.push(Notice::Lost { id: id.clone() });
            }
            self.notices.extend(held.given_up_notice(&id));
            self.memory.commands.remove(&id);
        }
    }
}

impl Held {
    fn is_open(&self) -> bool {
        !self.given_up && self.invocation.as_ref().is_some_and(|invocation| invocation.is_open())
    }

    fn has_ended(&self) -> bool {
        self.invocation.as_ref().is_some_and(|invocation| !invocation.is_open())
    }

    /// Handles a page of its results, which are known once all pages were read. Returns changes to
    /// report to the user, if the reading has ended.
    fn read_results(&mut self, page: Page<NodeResult>, now: Timestamp) -> Option<Vec<ListChange>> {
        let begun = || ResultsReading { pager: Pager::new(PAGE_SIZE, 1, 0), read: BTreeMap::new() };
        let mut reading = self.reading.take().unwrap_or_else(begun);
        let shape = Shape::of(&page, |node| &*node.instance_id);
        let before = reading.read.len();
        reading.read.extend(page.items.into_iter().map(|node| (node.instance_id.clone(), node)));
        let new = reading.read.len() - before;
        let Turn::End(ended) = reading.pager.read(&shape, new, &self.trust, MAX_PAGES) else {
            self.reading = Some(reading);
            return None;
        };
        let changes = self.trust.weigh(&reading.pager, ended, reading.pager.missing(ended));
        match reading.pager.is_complete(ended) || self.trust.state().total_excess > 0 {
            true => self.learn(reading.read, now),
            false => self.follow.missed(now),
        }
        Some(changes)
    }

    fn wants_results(&self) -> bool {
        !self.given_up && self.has_ended() && (self.results.is_none() || self.is_late)
    }

    /// How long only an unknown status has kept it open.
    fn unknown_for(&self) -> Duration {
        if self.is_open() { self.unknown.shown_for() } else { Duration::ZERO }
    }

    /// Notice that its results are no longer requested, if any are missing.
    fn given_up_notice(&self, id: &SmolStr) -> Option<Notice> {
        let lacks = self.wants_results() && self.end_seen.is_some();
        lacks.then(|| Notice::GivenUp { id: id.clone(), cause: self.follow.cause() })
    }

    /// Whether to wait for a known status: this answer shows an end with an unknown one, and what
    /// is counted for an end never changes. Without any status the nodes decide.
    fn waits_for_word(&mut self, invocation: &NodeStatuses, now: Timestamp) -> bool {
        if invocation.status.unknown_word().is_none_or(str::is_empty) {
            return false;
        }
        self.unknown.update(true, now);
        let waits = self.unknown.shown_for() < LOOKED_FOR;
        if waits {
            self.follow = Follow::found(now);
        }
        waits
    }

    fn update(&mut self, invocation: NodeStatuses, now: Timestamp) {
        self.unknown.update(invocation.is_open() && !invocation.is_known_open(), now);
        self.follow = if invocation.is_open() { Follow::found(now) } else { Follow::default() };
        if invocation.is_open() {
            self.open_since.get_or_insert(now);
        }
        if self.invocation.as_deref() != Some(&invocation) {
            self.invocation = Some(Arc::new(invocation));
        }
    }

    /// Records the full current results. What was known about a node stays if it is not among them.
    fn learn(&mut self, mut read: BTreeMap<SmolStr, NodeResult>, now: Timestamp) {
        let known = self.results.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        let known = known.into_iter().filter(|node| !node.status.is_open());
        for node in known {
            if read.get(&node.instance_id).is_none_or(|node| node.status.is_open()) {
                read.insert(node.instance_id.clone(), node);
            }
        }
        let is_told = |id: &SmolStr| read.get(id).is_some_and(|node| !node.status.is_open());
        let nodes = self.invocation.iter().flat_map(|invocation| invocation.nodes.keys());
        self.is_late = read.is_empty() || !read.keys().chain(nodes).all(is_told);
        match self.is_late {
            true => self.follow.missed(now),
            false => self.follow = Follow::default(),
        }
        // When the command ended, the list of nodes may have been missing, or a node's status
        // unknown.
        if let Some(invocation) = &mut self.invocation {
            let invocation = Arc::make_mut(invocation);
            for node in read.values().filter(|node| !node.status.is_open()) {
                let id = node.instance_id.clone();
                let status = invocation.nodes.entry(id).or_insert_with(|| node.status.clone());
                if status.unknown_word().is_some() {
                    *status = node.status.clone();
                }
            }
        }
        self.results = Some(Arc::new(read.into_values().collect()));
    }
}

#[cfg(test)]
mod tests {

    use std::time::Duration;

    use jiff::Timestamp;
    use smol_str::SmolStr;

    use super::{
        AfterFailure, EhpcInvocationsTracker, FailureScope, Limits, ListChange, Memory, Notice,
    };
    use crate::aliyun::op::Operation;
    use crate::config::Commands;
    use crate::model::{Command, GivenUp, InvokeStatus, NodeResult, NodeStatuses, Page};
    use crate::poll::tracker::samples::at;

    fn tracker(ids: &[&str], discover: usize) -> EhpcInvocationsTracker {
        let limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 3 };
        let scope = Commands {
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            discover,
            per_node: false,
        };
        EhpcInvocationsTracker::new("c".into(), scope, limits, Memory::default())
    }

    /// Polls once against `world`: ids with their status, each invocation on one node.
    fn poll(tracker: &mut EhpcInvocationsTracker, world: &[(&str, InvokeStatus)]) -> Vec<String> {
        poll_at(tracker, world, 0)
    }

    fn listed(id: &str) -> Command {
        Command { id: id.into(), timeout: Some(60) }
    }

    /// Like `poll`, this many seconds later.
    fn poll_at(
        tracker: &mut EhpcInvocationsTracker,
        world: &[(&str, InvokeStatus)],
        second: i64,
    ) -> Vec<String> {
        let mut asked = Vec::new();
        let now = at(second);
        tracker.begin(now);
        while let Some(operation) = tracker.ask() {
            match operation {
                Operation::ListCommands(_) => {
                    asked.push("list".to_owned());
                    let items = world.iter().map(|(id, _)| listed(id)).collect();
                    tracker.listed(Page::new(items, Some(world.len() as u64)), now);
                }
                Operation::ListInvocationStatus(call) => {
                    asked.push(format!("status {}", call.command_id));
                    match world.iter().find(|(id, _)| **id == *call.command_id) {
                        Some((_, status)) => tracker.status(invocation(status.clone())),
                        None => {
                            asked.push(format!("{:?}", tracker.fail(FailureScope::Gone)));
                        }
                    }
                }
                Operation::ListInvocationResults(call) => {
                    asked.push(format!("results {} {}", call.command_id, call.page));
                    tracker.results(Page::new(nodes(call.page, 60), None));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(tracker.is_readable());
        asked
    }

    fn invocation(status: InvokeStatus) -> NodeStatuses {
        NodeStatuses { nodes: [("i-1".into(), status.clone())].into(), status }
    }

    /// Page `page` of the results of `count` nodes.
    fn nodes(page: u32, count: u32) -> Vec<NodeResult> {
        let first = (page - 1) * 50;
        let node = |n: u32| NodeResult {
            instance_id: format!("i-{n:03}").into(),
            status: InvokeStatus::Finished,
            exit_code: Some(i64::from(n)),
            finished: None,
        };
        (first..count.min(first + 50)).map(node).collect()
    }

    #[test]
    fn an_open_command_is_asked_each_tick_and_its_results_once_over_all_pages() {
        let mut tracker = tracker(&[], 20);
        assert_eq!(poll(&mut tracker, &[("a", InvokeStatus::Running)]), ["list", "status a"]);
        let ended = [("a", InvokeStatus::Finished)];
        assert_eq!(poll(&mut tracker, &ended), ["list", "status a", "results a 1", "results a 2"]);
        assert_eq!(tracker.reading().commands[0].results.as_ref().unwrap().len(), 60);
        assert_eq!(tracker.reading().finished[&InvokeStatus::Finished], 1);
        assert_eq!(poll(&mut tracker, &ended), ["list"]);
    }

    #[test]
    fn results_are_not_known_before_all_of_them_were_read_and_what_is_missing_is_told() {
        let mut tracker = tracker(&["a"], 0);
        let mut told = Vec::new();
        for minute in 0..2 {
            tracker.begin(at(60 * minute));
            if matches!(tracker.ask(), Some(Operation::ListInvocationStatus(_))) {
                tracker.status(invocation(InvokeStatus::Finished));
            }
            for page in [1, 2] {
                assert!(
                    matches!(tracker.ask(), Some(Operation::ListInvocationResults(call)) if call.page == page)
                );
                tracker.results(Page::new(nodes(1, 60), Some(60)));
            }
            assert_eq!(
                (tracker.ask(), tracker.reading().commands[0].results.is_none()),
                (None, true)
            );
            told.push(std::mem::take(&mut tracker.notices));
        }
        assert_eq!(told, [vec![], vec![Notice::List(ListChange::Missing(10))]]);
        assert_eq!(tracker.list_state().missing, 10);
        tracker.begin(at(300));
        tracker.results(Page::new(nodes(1, 60), Some(60)));
        tracker.begin(at(310));
        assert!(
            matches!(tracker.ask(), Some(Operation::ListInvocationResults(call)) if call.page == 2),
            "it is read on"
        );
        tracker.results(Page::new(nodes(2, 60), Some(60)));
        assert_eq!(tracker.reading().commands[0].results.as_deref().map(Vec::len), Some(60));
        assert_eq!(
            (tracker.list_state().missing, tracker.notices),
            (0, vec![Notice::List(ListChange::Missing(0))])
        );
    }

    #[test]
    fn what_had_ended_at_first_sight_is_not_counted_and_what_ended_between_ticks_is() {
        let mut tracker = tracker(&[], 20);
        poll(&mut tracker, &[("old", InvokeStatus::Failed)]);
        assert!(tracker.reading().finished.is_empty());
        poll(&mut tracker, &[("quick", InvokeStatus::Stopped), ("old", InvokeStatus::Failed)]);
        assert_eq!(
            tracker.reading().finished.iter().collect::<Vec<_>>(),
            [(&InvokeStatus::Stopped, &1)]
        );
        assert_eq!(&*tracker.reading().commands[0].id, "quick", "first seen last is newest");
    }

    #[test]
    fn the_newest_are_followed_and_open_ones_are_never_let_go() {
        let mut tracker = tracker(&[], 1);
        poll(&mut tracker, &[("a", InvokeStatus::Running), ("b", InvokeStatus::Running)]);
        let asked =
            poll(&mut tracker, &[("c", InvokeStatus::Finished), ("a", InvokeStatus::Running)]);
        assert_eq!(asked[..3], ["list", "status c", "status a"]);
        let shown: Vec<_> =
            tracker.reading().commands.iter().map(|command| command.id.to_string()).collect();
        assert_eq!(shown, ["c", "a"]);
    }

    #[test]
    fn a_named_command_that_does_not_exist_is_reported_and_harms_only_itself() {
        let mut tracker = tracker(&["here", "gone"], 0);
        for _ in 0..4 {
            let asked = poll(&mut tracker, &[("here", InvokeStatus::Running)]);
            assert_eq!(asked, ["status here", "status gone", "GoOnFailed"]);
        }
        assert_eq!(tracker.reading().commands.len(), 1);
    }

    #[test]
    fn a_discovered_command_that_vanishes_while_open_is_asked_for_with_growing_pauses_and_then_lost()
     {
        let mut tracker = tracker(&[], 20);
        poll(&mut tracker, &[("a", InvokeStatus::Running)]);
        let asks = |second: &i64| poll_at(&mut tracker, &[], *second).len() > 1;
        let asked: Vec<i64> = (10..=640).step_by(10).filter(asks).collect();
        assert_eq!(asked, [10, 20, 40, 80, 160, 320, 640]);
        assert_eq!(tracker.notices, [Notice::Lost { id: "a".into() }]);
        assert_eq!(poll_at(&mut tracker, &[], 650), ["list"]);
    }

    #[test]
    fn results_that_leave_nodes_out_or_say_that_they_still_run_are_asked_for_until_all_are_told() {
        let mut tracker = tracker(&[], 20);
        poll(&mut tracker, &[("a", InvokeStatus::Running)]);
        tracker.begin(at(10));
        tracker.listed(Page::new(vec![listed("a")], Some(1)), at(10));
        let ids = ["i-000", "i-001", "i-002"];
        let nodes_of = |status: InvokeStatus| {
            ids.iter().map(|id| (SmolStr::new(id), status.clone())).collect()
        };
        tracker.status(NodeStatuses {
            status: InvokeStatus::PartialFailed,
            nodes: nodes_of(InvokeStatus::Failed),
        });
        let running = |mut node: NodeResult| {
            node.status = InvokeStatus::Running;
            node.exit_code = None;
            node
        };
        let all = nodes(1, 3);
        let late = vec![all[0].clone(), running(all[1].clone())];
        tracker.results(Page::new(late, None));
        let seen = &tracker.reading().commands[0];
        assert_eq!(
            (seen.is_outstanding, seen.nonzero_exit_nodes(), seen.unknown_exit_nodes()),
            (true, Some(0), Some(2))
        );
        let list = [("a", InvokeStatus::PartialFailed)];
        assert_eq!(poll_at(&mut tracker, &list, 15), ["list"], "after ten seconds");
        tracker.begin(at(20));
        tracker.listed(Page::new(vec![listed("a")], Some(1)), at(20));
        tracker.results(Page::new(
            vec![running(all[0].clone()), all[1].clone(), all[2].clone()],
            None,
        ));
        let seen = &tracker.reading().commands[0];
        assert_eq!(
            (seen.is_outstanding, seen.nonzero_exit_nodes(), seen.unknown_exit_nodes()),
            (false, Some(2), Some(0))
        );
        assert_eq!(
            (seen.end_seen, tracker.reading().finished[&InvokeStatus::PartialFailed]),
            (Some(at(10)), 1)
        );
        assert_eq!(poll_at(&mut tracker, &list, 3600), ["list"]);
    }

    #[test]
    fn results_that_are_never_there_are_given_up_by_cause_and_only_of_ends_that_were_watched() {
        let mut tracker = tracker(&[], 1);
        poll(&mut tracker, &[("old", InvokeStatus::Finished)]);
        let open = [("a", InvokeStatus::Running)];
        poll_at(&mut tracker, &open, 10);
        let missing = |tracker: &mut EhpcInvocationsTracker, second: i64| {
            tracker.begin(at(second));
            tracker.listed(Page::new(vec![listed("a")], None), at(second));
            let mut asked = 0;
            while let Some(operation) = tracker.ask() {
                asked += 1;
                match operation {
                    Operation::ListInvocationStatus(_) => {
                        tracker.status(invocation(InvokeStatus::Finished))
                    }
                    _ => assert_eq!(tracker.fail(FailureScope::Gone), AfterFailure::GoOn),
                }
            }
            asked
        };
        assert_eq!(missing(&mut tracker, 20), 2);
        tracker.notices.clear();
        let asked: usize = (0..20 * 24).map(|hour| missing(&mut tracker, 3600 * hour)).sum();
        assert!((330..400).contains(&asked), "{asked}");
        let given_up = |id: &str, cause| Notice::GivenUp { id: id.into(), cause };
        assert_eq!(std::mem::take(&mut tracker.notices), [given_up("a", GivenUp::NeverAnswered)]);
        assert!(!tracker.reading().commands[0].is_outstanding);
        let day = 21 * 86_400;
        tracker.scope.discover = 2;
        poll_at(&mut tracker, &[("b", InvokeStatus::Running), ("c", InvokeStatus::Running)], day);
        tracker.begin(at(day + 10));
        tracker.listed(Page::new(vec![listed("b"), listed("c")], None), at(day + 10));
        tracker.status(invocation(InvokeStatus::Failed));
        tracker.status(invocation(InvokeStatus::Failed));
        assert_eq!(tracker.fail(FailureScope::All), AfterFailure::Stop);
        tracker.notices.clear();
        tracker.scope.discover = 1;
        poll_at(&mut tracker, &[("d", InvokeStatus::Running)], day + 20);
        assert_eq!(
            tracker.notices,
            [given_up("c", GivenUp::PushedOut), given_up("b", GivenUp::PushedOut)]
        );
    }

    #[test]
    fn an_unknown_word_is_open_while_a_node_is_or_none_is_listed_and_is_given_up_after_the_window()
    {
        let unknown = || InvokeStatus::Unknown("".into());
        let of = |nodes: &[InvokeStatus]| NodeStatuses {
            status: unknown(),
            nodes: nodes
                .iter()
                .enumerate()
                .map(|(n, status)| (n.to_string().into(), status.clone()))
                .collect(),
        };
        assert!(of(&[]).is_open() && of(&[InvokeStatus::Success, unknown()]).is_open());
        assert!(!of(&[InvokeStatus::Success, InvokeStatus::Failed]).is_open());
        let mut tracker = tracker(&["a"], 0);
        let mut ask = |second: i64| {
            tracker.begin(at(second));
            let asked = tracker.ask().is_some();
            if asked {
                tracker.status(of(&[]));
            }
            (asked, tracker.has_open(), std::mem::take(&mut tracker.notices))
        };
        let fortnight = 14 * 86_400;
        for second in (0..=fortnight).step_by(300).chain([fortnight + 1]) {
            assert_eq!(ask(second), (true, true, vec![]), "{second}");
        }
        assert_eq!(ask(fortnight + 2), (false, false, vec![Notice::Lost { id: "a".into() }]));
        assert_eq!(ask(fortnight + 9), (false, false, vec![]));
    }

    #[test]
    fn unknown_words_leave_the_window_as_lost_but_not_within_ten_minutes() {
        let mut tracker = tracker(&[], 2);
        let unknown = |id| (id, InvokeStatus::Unknown("Dozing".into()));
        poll(&mut tracker, &[unknown("a"), unknown("b")]);
        tracker.scope.discover = 1;
        poll_at(&mut tracker, &[unknown("a"), unknown("b")], 300);
        poll_at(&mut tracker, &[unknown("a"), unknown("b")], 590);
        assert_eq!((tracker.reading().commands.len(), tracker.notices.len()), (2, 0));
        poll_at(&mut tracker, &[unknown("a"), unknown("b")], 600);
        poll_at(&mut tracker, &[unknown("a"), unknown("b")], 601);
        assert_eq!(tracker.notices, [Notice::Lost { id: "b".into() }]);
    }

    #[test]
    fn a_nodes_unknown_status_gives_way_to_the_one_of_its_result_and_a_known_one_stays() {
        let mut tracker = tracker(&["a"], 0);
        let node = |number: u32, status| (SmolStr::from(format!("i-{number:03}")), status);
        tracker.begin(at(0));
        tracker.status(NodeStatuses {
            nodes: [node(0, InvokeStatus::Unknown("7".into())), node(1, InvokeStatus::Failed)]
                .into(),
            status: InvokeStatus::Finished,
        });
        tracker.results(Page::new(nodes(1, 2), Some(2)));
        let reading = tracker.reading();
        let shown = &reading.commands[0].invocation.nodes;
        assert_eq!(*shown, [node(0, InvokeStatus::Finished), node(1, InvokeStatus::Failed)].into());
    }

    #[test]
    fn an_end_with_an_unknown_status_is_counted_once_that_was_seen_for_ten_minutes_or_is_known() {
        let mut tracker = tracker(&["a", "b"], 0);
        let ask = |tracker: &mut EhpcInvocationsTracker, second, of_b: InvokeStatus| {
            tracker.begin(at(second));
            while let Some(Operation::ListInvocationStatus(call)) = tracker.ask() {
                let unknown = InvokeStatus::Unknown("Dozing".into());
                let status = if *call.command_id == *"a" { unknown } else { of_b.clone() };
                let node = if second == 0 { InvokeStatus::Running } else { InvokeStatus::Finished };
                tracker.status(NodeStatuses { nodes: [("i-1".into(), node)].into(), status });
            }
        };
        let unknown = InvokeStatus::Unknown("Dozing".into());
        ask(&mut tracker, 0, unknown.clone());
        for second in [60, 120] {
            ask(&mut tracker, second, unknown.clone());
            assert!(tracker.reading().finished.is_empty() && tracker.has_open(), "{second}");
        }
        ask(&mut tracker, 180, InvokeStatus::Finished);
        assert_eq!(tracker.reading().finished, [(InvokeStatus::Finished, 1)].into());
        ask(&mut tracker, 86_400, InvokeStatus::Finished);
        assert_eq!(tracker.reading().finished.len(), 1, "an outage proves nothing");
        ask(&mut tracker, 86_700, InvokeStatus::Finished);
        assert_eq!(tracker.reading().finished[&unknown], 1);
        assert!(!tracker.has_open());
    }

    #[test]
    fn a_failed_list_leaves_nothing_to_read() {
        let mut tracker = tracker(&[], 20);
        tracker.begin(Timestamp::UNIX_EPOCH);
        assert_eq!(
            (tracker.fail(FailureScope::All), tracker.is_readable()),
            (AfterFailure::Stop, false)
        );
    }
}
