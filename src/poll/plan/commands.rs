//! The commands of an E-HPC cluster on its nodes.
//!
//! Commands are named by the user or found by ListCommands. ListInvocationStatus is asked while a command is open; once it
//! has ended, ListInvocationResults is read over all its pages, once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::listing::{Listing, Progress};
use super::pager::{MAX_PAGES, Pager, Shape, Trust, Turn};
use super::{Harm, Limits, ListChange, Load, MAX_MISSES, Notice, Verdict, Window};
use crate::aliyun::op::{ListCommands, ListInvocationResults, ListInvocationStatus, Operation, PAGE_SIZE};
use crate::config::Commands;
use crate::model::{CommandsReading, InvokeStatus, ListState, NodeResult, NodeStatuses, Page, SeenCommand};

#[derive(Debug)]
pub(in crate::poll) struct CommandsPlan {
    cluster_id: Arc<str>,
    scope: Commands,
    limits: Limits,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    step: Step,
}

/// What is known of a cluster's commands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    commands: HashMap<Arc<str>, Held>,
    pub(super) listing: Listing,
    /// Readings of the list so far that have shown something new.
    readings: u64,
    finished: BTreeMap<InvokeStatus, u64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Held {
    run: Option<NodeStatuses>,
    results: Option<Vec<NodeResult>>,
    /// Newest is largest: those first seen last. Within a reading of the list, the first is taken for the newest.
    place: (u64, Reverse<usize>),
    misses: u8,
    /// The last question about it could not be answered: others come first.
    puzzles: bool,
    /// It appeared while watched, so its end counts even if it was never seen open.
    begun: bool,
    /// The reading of its results, which may take several polls.
    #[serde(skip)]
    reading: Option<ResultsReading>,
    /// How far the list of its results is to be trusted.
    #[serde(default)]
    trust: Trust,
}

/// What a reading of a command's results has shown so far.
#[derive(Clone, Debug)]
struct ResultsReading {
    pager: Pager,
    read: BTreeMap<Arc<str>, NodeResult>,
}

/// Where a poll stands. Ids are asked for last first.
#[derive(Debug, PartialEq)]
enum Step {
    /// No poll is under way, or it has failed.
    Idle,
    List,
    Status(Vec<Arc<str>>),
    Results(Vec<Arc<str>>),
    Done,
}

impl CommandsPlan {
    pub(super) fn new(cluster_id: Arc<str>, scope: Commands, limits: Limits, memory: Memory) -> Self {
        Self { cluster_id, scope, limits, memory, notices: Vec::new(), step: Step::Idle }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        if self.scope.ids.is_empty() {
            // A reading that has shown nothing new changes nothing, so that nothing is to be saved.
            let shown_new = self.memory.commands.values().any(|held| held.place.0 == self.memory.readings);
            self.memory.readings += u64::from(shown_new);
            self.memory.listing.begin(&self.limits, now);
            self.step = Step::List;
            return;
        }
        self.memory.commands.retain(|id, _| self.scope.ids.iter().any(|named| **named == **id));
        for (position, id) in self.scope.ids.iter().enumerate() {
            let fresh = Held { place: (0, Reverse(position)), ..Held::default() };
            self.memory.commands.entry(id.as_str().into()).or_insert(fresh);
        }
        self.begin_status();
    }

    pub(super) fn ask(&mut self) -> Option<Operation> {
        let cluster_id = Arc::clone(&self.cluster_id);
        Some(match &self.step {
            Step::List => ListCommands { cluster_id, page: self.memory.listing.page()? }.into(),
            Step::Status(ids) => ListInvocationStatus { cluster_id, command_id: Arc::clone(ids.last()?) }.into(),
            Step::Results(ids) => {
                let command_id = Arc::clone(ids.last()?);
                let reading = self.memory.commands.get(&command_id)?.reading.as_ref();
                let page = reading.map_or(1, |reading| reading.pager.page());
                ListInvocationResults { cluster_id, command_id, page }.into()
            }
            Step::Idle | Step::Done => return None,
        })
    }

    pub(super) fn fail(&mut self, harm: Harm) -> Verdict {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Status(mut ids) if harm == Harm::Gone => {
                let named = ids.pop().is_some_and(|id| self.missed(&id));
                self.next_status(ids);
                if named { Verdict::GoOnFailed } else { Verdict::GoOn }
            }
            Step::Results(mut ids) if harm == Harm::Gone => {
                let held = ids.pop().and_then(|id| self.memory.commands.get_mut(&id));
                held.into_iter().for_each(|held| held.misses += 1);
                self.next_results(ids);
                Verdict::GoOn
            }
            Step::Status(mut ids) if harm == Harm::One => {
                self.puzzled(ids.pop());
                self.next_status(ids);
                Verdict::GoOnFailed
            }
            Step::Results(mut ids) if harm == Harm::One => {
                self.puzzled(ids.pop());
                self.next_results(ids);
                Verdict::GoOnFailed
            }
            results @ Step::Results(_) => {
                self.step = results;
                Verdict::Stop
            }
            _ => Verdict::Stop,
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.step, Step::Results(_) | Step::Done)
    }

    pub(super) fn has_open(&self) -> bool {
        self.memory.commands.values().any(Held::is_open)
    }

    pub(super) fn reading(&self) -> CommandsReading {
        let mut held: Vec<(&Arc<str>, &Held)> = self.memory.commands.iter().collect();
        held.sort_unstable_by_key(|(_, held)| Reverse(held.place));
        let seen = |(id, held): (&Arc<str>, &Held)| {
            Some(SeenCommand { id: Arc::clone(id), run: held.run.clone()?, results: held.results.clone() })
        };
        CommandsReading {
            commands: held.into_iter().filter_map(seen).collect(),
            finished: self.memory.finished.clone(),
        }
    }

    pub(super) fn load(&self) -> Load {
        let open = self.memory.commands.values().filter(|held| held.is_open()).count();
        Load {
            pages: self.memory.listing.pages(&self.limits),
            ordered: self.memory.listing.is_ordered(),
            newest_first: self.memory.listing.is_newest_first(),
            listed: self.scope.ids.is_empty(),
            open,
            ..Load::QUIET
        }
    }

    pub(super) fn listed(&mut self, page: Page<Arc<str>>, now: Timestamp) {
        if self.step != Step::List {
            return;
        }
        let shape = Shape::from(&page);
        let Memory { listing, commands, readings, .. } = &mut self.memory;
        let begun = listing.is_watched();
        for id in page.items {
            let place = (*readings, Reverse(listing.shown()));
            if listing.note(&id, None) {
                commands.entry(id).or_insert(Held { place, begun, ..Held::default() });
            }
        }
        let window = Window { entries: self.scope.discover, max_age: Duration::MAX };
        match listing.read(shape, false, window, &self.limits, now, |id| commands.contains_key(id)) {
            Progress::Next => return,
            Progress::Read { is_truncated, changes } => {
                self.notices.extend(is_truncated.then_some(Notice::Truncated));
                self.notices.extend(changes.into_iter().map(Notice::List));
            }
        }
        self.trim();
        self.begin_status();
    }

    pub(super) fn status(&mut self, run: NodeStatuses) {
        let Step::Status(mut ids) = std::mem::replace(&mut self.step, Step::Idle) else { return };
        let Memory { commands, finished, .. } = &mut self.memory;
        if let Some((id, held)) = ids.pop().and_then(|id| commands.get_mut(&id).map(|held| (id, held))) {
            let counts = held.run.is_some() || held.begun;
            if counts && !run.is_open() {
                *finished.entry(run.status.clone()).or_default() += 1;
                self.notices.push(Notice::Ended { id, status: run.status.word().to_owned(), exit_code: None });
            }
            (held.run, held.misses, held.puzzles) = (Some(run), 0, false);
        }
        self.next_status(ids);
    }

    pub(super) fn results(&mut self, page: Page<NodeResult>) {
        let Step::Results(ids) = &mut self.step else { return };
        let Some(held) = ids.last().and_then(|id| self.memory.commands.get_mut(id)) else { return };
        let Some(changes) = held.read_results(page) else { return };
        self.notices.extend(changes.into_iter().map(Notice::List));
        ids.pop();
        let ids = std::mem::take(ids);
        self.next_results(ids);
    }

    pub(super) fn list_state(&self) -> ListState {
        let results = self.memory.commands.values().map(|held| held.trust.state());
        results.fold(self.memory.listing.trust().state(), ListState::and)
    }

    fn begin_status(&mut self) {
        let asked = |(id, held): (&Arc<str>, &Held)| (held.run.is_none() || held.is_open()).then(|| Arc::clone(id));
        let ids = self.by_urgency(asked);
        self.next_status(ids);
    }

    fn next_status(&mut self, ids: Vec<Arc<str>>) {
        if !ids.is_empty() {
            self.step = Step::Status(ids);
            return;
        }
        let ids = self.by_urgency(|(id, held)| held.wants_results().then(|| Arc::clone(id)));
        self.next_results(ids);
    }

    fn next_results(&mut self, ids: Vec<Arc<str>>) {
        self.step = match ids.is_empty() {
            true => Step::Done,
            false => Step::Results(ids),
        };
    }

    /// What `pick` wants of the commands, newest last.
    fn by_age(&self, pick: impl Fn((&Arc<str>, &Held)) -> Option<Arc<str>>) -> Vec<Arc<str>> {
        let mut ids: Vec<Arc<str>> = self.memory.commands.iter().filter_map(pick).collect();
        ids.sort_unstable_by_key(|id| self.memory.commands.get(id).map(|held| held.place));
        ids
    }

    /// The same, but last of all what could not be answered: it is asked about when nothing else is.
    fn by_urgency(&self, pick: impl Fn((&Arc<str>, &Held)) -> Option<Arc<str>>) -> Vec<Arc<str>> {
        let mut ids = self.by_age(pick);
        ids.sort_by_key(|id| Reverse(self.memory.commands.get(id).is_some_and(|held| held.puzzles)));
        ids
    }

    fn puzzled(&mut self, id: Option<Arc<str>>) {
        let held = id.and_then(|id| self.memory.commands.get_mut(&id));
        held.into_iter().for_each(|held| held.puzzles = true);
    }

    /// A command was not found; whether the user has named it.
    fn missed(&mut self, id: &Arc<str>) -> bool {
        let named = !self.scope.ids.is_empty();
        if let Some(held) = self.memory.commands.get_mut(id) {
            held.misses = held.misses.saturating_add(1);
            if held.misses >= MAX_MISSES {
                let was_open = held.is_open();
                self.memory.commands.remove(id);
                if was_open {
                    self.notices.push(Notice::Lost { id: Arc::clone(id) });
                }
            }
        }
        named
    }

    /// Keeps what is open, and the newest of the rest. A word nobody knows does not hold a command for ever.
    fn trim(&mut self) {
        let newest = self.by_age(|(id, _)| Some(Arc::clone(id)));
        let surplus = newest.len().saturating_sub(self.scope.discover);
        for id in newest.into_iter().take(surplus) {
            let known_open =
                |held: &Held| held.run.as_ref().is_some_and(|run| run.is_open() && run.status.unknown_word().is_none());
            if !self.memory.commands.get(&id).is_some_and(known_open) {
                self.memory.commands.remove(&id);
            }
        }
    }
}

impl Held {
    fn is_open(&self) -> bool {
        self.run.as_ref().is_some_and(NodeStatuses::is_open)
    }

    /// Takes note of a page of its results, which are known once all of them were read. What the user should hear of the
    /// reading, if it has ended.
    fn read_results(&mut self, page: Page<NodeResult>) -> Option<Vec<ListChange>> {
        let begun = || ResultsReading { pager: Pager::new(PAGE_SIZE, 1, 0), read: BTreeMap::new() };
        let mut reading = self.reading.take().unwrap_or_else(begun);
        let shape = Shape::from(&page);
        let before = reading.read.len();
        reading.read.extend(page.items.into_iter().map(|node| (Arc::clone(&node.instance_id), node)));
        let new = reading.read.len() - before;
        let Turn::End(ended) = reading.pager.read(shape, new, &self.trust, MAX_PAGES) else {
            self.reading = Some(reading);
            return None;
        };
        let changes = self.trust.weigh(&reading.pager, ended, reading.pager.missing(ended));
        self.puzzles = false;
        match reading.pager.is_complete(ended) || self.trust.state().total_excess > 0 {
            true => self.results = Some(reading.read.into_values().collect()),
            false => self.misses = self.misses.saturating_add(1),
        }
        Some(changes)
    }

    fn wants_results(&self) -> bool {
        self.run.is_some() && !self.is_open() && self.results.is_none() && self.misses < MAX_MISSES
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{CommandsPlan, Harm, Limits, ListChange, Memory, Notice, Verdict};
    use crate::aliyun::op::Operation;
    use crate::config::Commands;
    use crate::model::{InvokeStatus, NodeResult, NodeStatuses, Page};

    fn plan(ids: &[&str], discover: usize) -> CommandsPlan {
        let limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 3 };
        let scope = Commands { ids: ids.iter().map(|id| (*id).to_owned()).collect(), discover, per_node: false };
        CommandsPlan::new("c".into(), scope, limits, Memory::default())
    }

    /// Polls once against `world`: ids with their status; each runs on one node.
    fn poll(plan: &mut CommandsPlan, world: &[(&str, InvokeStatus)]) -> Vec<String> {
        let (mut asked, now) = (Vec::new(), Timestamp::from_second(1_700_000_000).unwrap());
        plan.begin(now);
        while let Some(operation) = plan.ask() {
            match operation {
                Operation::ListCommands(_) => {
                    asked.push("list".to_owned());
                    let items = world.iter().map(|(id, _)| Arc::from(*id)).collect();
                    plan.listed(Page::new(items, Some(world.len() as u64)), now);
                }
                Operation::ListInvocationStatus(call) => {
                    asked.push(format!("status {}", call.command_id));
                    match world.iter().find(|(id, _)| **id == *call.command_id) {
                        Some((_, status)) => plan.status(run(status.clone())),
                        None => {
                            asked.push(format!("{:?}", plan.fail(Harm::Gone)));
                        }
                    }
                }
                Operation::ListInvocationResults(call) => {
                    asked.push(format!("results {} {}", call.command_id, call.page));
                    plan.results(Page::new(nodes(call.page, 60), None));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(plan.is_readable());
        asked
    }

    fn run(status: InvokeStatus) -> NodeStatuses {
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
        let mut plan = plan(&[], 20);
        assert_eq!(poll(&mut plan, &[("a", InvokeStatus::Running)]), ["list", "status a"]);
        let ended = [("a", InvokeStatus::Finished)];
        assert_eq!(poll(&mut plan, &ended), ["list", "status a", "results a 1", "results a 2"]);
        assert_eq!(plan.reading().commands[0].results.as_ref().unwrap().len(), 60);
        assert_eq!(plan.reading().finished[&InvokeStatus::Finished], 1);
        assert_eq!(poll(&mut plan, &ended), ["list"]);
    }

    #[test]
    fn results_are_not_known_before_all_of_them_were_read_and_what_is_missing_is_told() {
        let mut plan = plan(&["a"], 0);
        let mut told = Vec::new();
        for _ in 0..2 {
            plan.begin(Timestamp::UNIX_EPOCH);
            if matches!(plan.ask(), Some(Operation::ListInvocationStatus(_))) {
                plan.status(run(InvokeStatus::Finished));
            }
            for page in [1, 2] {
                assert!(matches!(plan.ask(), Some(Operation::ListInvocationResults(call)) if call.page == page));
                plan.results(Page::new(nodes(1, 60), Some(60)));
            }
            assert_eq!((plan.ask(), plan.reading().commands[0].results.is_none()), (None, true));
            told.push(std::mem::take(&mut plan.notices));
        }
        assert_eq!(told, [vec![], vec![Notice::List(ListChange::Missing(10))]]);
        assert_eq!(plan.list_state().missing, 10);
        plan.begin(Timestamp::UNIX_EPOCH);
        plan.results(Page::new(nodes(1, 60), Some(60)));
        plan.begin(Timestamp::UNIX_EPOCH);
        assert!(matches!(plan.ask(), Some(Operation::ListInvocationResults(call)) if call.page == 2), "it is read on");
        plan.results(Page::new(nodes(2, 60), Some(60)));
        assert_eq!(plan.reading().commands[0].results.as_ref().map(Vec::len), Some(60));
        assert_eq!((plan.list_state().missing, plan.notices), (0, vec![Notice::List(ListChange::Missing(0))]));
    }

    #[test]
    fn what_had_ended_at_first_sight_is_not_counted_and_what_ended_between_ticks_is() {
        let mut plan = plan(&[], 20);
        poll(&mut plan, &[("old", InvokeStatus::Failed)]);
        assert!(plan.reading().finished.is_empty());
        poll(&mut plan, &[("quick", InvokeStatus::Stopped), ("old", InvokeStatus::Failed)]);
        assert_eq!(plan.reading().finished.iter().collect::<Vec<_>>(), [(&InvokeStatus::Stopped, &1)]);
        assert_eq!(&*plan.reading().commands[0].id, "quick", "first seen last is newest");
    }

    #[test]
    fn the_newest_are_followed_and_open_ones_are_never_let_go() {
        let mut plan = plan(&[], 1);
        poll(&mut plan, &[("a", InvokeStatus::Running), ("b", InvokeStatus::Running)]);
        let asked = poll(&mut plan, &[("c", InvokeStatus::Finished), ("a", InvokeStatus::Running)]);
        assert_eq!(asked[..3], ["list", "status c", "status a"]);
        let shown: Vec<_> = plan.reading().commands.iter().map(|command| command.id.to_string()).collect();
        assert_eq!(shown, ["c", "a"]);
    }

    #[test]
    fn a_named_command_that_does_not_exist_is_reported_and_harms_only_itself() {
        let mut plan = plan(&["here", "gone"], 0);
        for _ in 0..4 {
            let asked = poll(&mut plan, &[("here", InvokeStatus::Running)]);
            assert_eq!(asked, ["status here", "status gone", "GoOnFailed"]);
        }
        assert_eq!(plan.reading().commands.len(), 1);
    }

    #[test]
    fn a_discovered_command_that_vanishes_while_open_is_lost() {
        let mut plan = plan(&[], 20);
        poll(&mut plan, &[("a", InvokeStatus::Running)]);
        assert_eq!(poll(&mut plan, &[]), ["list", "status a", "GoOn"]);
        poll(&mut plan, &[]);
        poll(&mut plan, &[]);
        assert_eq!(plan.notices, [Notice::Lost { id: "a".into() }]);
        assert_eq!(poll(&mut plan, &[]), ["list"]);
    }

    #[test]
    fn a_failed_list_leaves_nothing_to_read() {
        let mut plan = plan(&[], 20);
        plan.begin(Timestamp::UNIX_EPOCH);
        assert_eq!((plan.fail(Harm::All), plan.is_readable()), (Verdict::Stop, false));
    }
}
