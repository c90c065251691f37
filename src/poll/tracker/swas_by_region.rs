//! The command invocations of several Simple Application Servers of a region, requested together.
//!
//! DescribeCommandInvocations returns every server's invocations with their results; it is called
//! again by InvokeId for open invocations that the list no longer shows. Invocations of servers
//! that are not configured are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::follow::turns;
use super::history::{History, Progress, Window};
use super::pager::{MAX_PAGES, Pager, Shape, Trust, Turn};
use super::server_directory::ServerDirectory;
use super::swas_invocations::{SwasInvocations, Urgency};
use super::{AfterFailure, FailureScope, Limits, Load, Notice};
use crate::action::Action;
use crate::aliyun::op::{DescribeCommandInvocations, Operation, PAGE_SIZE};
use crate::model::{
    CommandInvocation, DirectoryEntry, Failure, ListState, Page, Reason, ServerInvocation,
};
use crate::poll::time::later;

#[derive(Debug)]
pub(in crate::poll) struct SwasRegionTracker {
    limits: Limits,
    servers: BTreeMap<Arc<str>, SwasInvocations>,
    /// Invocations that the list has shown, of any server. Not saved: after a restart the list is
    /// read whole again anyway.
    history: History,
    server_directory: ServerDirectory,
    /// About the list itself.
    pub(super) notices: Vec<Notice>,
    /// When the current poll began.
    began: Timestamp,
    /// Number of invocations last requested by id.
    followed: usize,
    step: Step,
}

/// State of a poll. Ids are requested last first.
#[derive(Debug, PartialEq)]
enum Step {
    /// No poll is in progress, or it has failed.
    Idle,
    List,
    ServerDirectory,
    Follow {
        ids: Vec<SmolStr>,
        pager: Pager,
        /// Servers that the pages of the last id have named.
        named: BTreeSet<Arc<str>>,
    },
    Done,
}

impl SwasRegionTracker {
    pub(super) fn new(
        servers: impl Iterator<Item = (Arc<str>, SwasInvocations)>,
        limits: Limits,
    ) -> Self {
        Self {
            limits,
            servers: servers.collect(),
            history: History::default(),
            server_directory: ServerDirectory::default(),
            notices: Vec::new(),
            began: Timestamp::UNIX_EPOCH,
            followed: 0,
            step: Step::Idle,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = now;
        for invocations in self.servers.values_mut() {
            invocations.memory.history.begin_part();
        }
        self.history.begin(&self.limits, now);
        self.step = Step::List;
    }

    pub(super) fn ask(&self) -> Option<Operation> {
        Some(match &self.step {
            Step::List => {
                DescribeCommandInvocations { invoke_id: None, page: self.history.page()? }.into()
            }
            Step::ServerDirectory => self.server_directory.ask()?.into(),
            Step::Follow { ids, pager, .. } => DescribeCommandInvocations {
                invoke_id: Some(ids.last()?.clone()),
                page: pager.page(),
            }
            .into(),
            Step::Idle | Step::Done => return None,
        })
    }

    /// Handles a page of the region's list, or of an invocation requested by id.
    pub(super) fn answer(&mut self, page: Page<CommandInvocation>, now: Timestamp) {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::List => self.listed(page, now),
            Step::Follow { ids, pager, named } => self.found(ids, (pager, named), page, now),
            _ => {}
        }
    }

    fn listed(&mut self, page: Page<CommandInvocation>, now: Timestamp) {
        let shape = Shape::of(&page, entry);
        for invocation in page.items {
            let created = invocation.servers.iter().find_map(|server| server.invocation.created);
            self.history.note(&entry(&invocation), created);
            for server in invocation.servers {
                self.see(server, now);
            }
        }
        // One call finds an open invocation by its id, wherever it is; a further page may show
        // many, or none.
        let looking = self.missing().len() > self.history.pages_so_far();
        let window = self.window();
        match self.history.read(&shape, looking, window, &self.limits, now, |_| false) {
            Progress::Next => {
                self.step = Step::List;
                return;
            }
            Progress::Read(notices) => self.notices.extend(notices),
        }
        self.end_list(now);
        match self.server_directory.begin(&self.limits, now) {
            true => self.step = Step::ServerDirectory,
            false => self.begin_to_follow(),
        }
    }

    /// The part of the region's list that its servers show.
    fn window(&self) -> Window {
        let windows = self.live().map(|(_, invocations)| invocations.list_window());
        let largest = |all: Window, one: Window| Window {
            entries: all.entries.saturating_add(one.entries),
            max_age: all.max_age.max(one.max_age),
        };
        windows.fold(Window { entries: 0, max_age: Duration::ZERO }, largest)
    }

    pub(super) fn list_state(&self) -> ListState {
        self.history.trust().state().and(self.server_directory.trust().state())
    }

    fn see(&mut self, server: ServerInvocation, now: Timestamp) {
        if self.server_directory.lacks(&server.instance_id) {
            return;
        }
        // A server that is not polled.
        let Some(invocations) = self.servers.get_mut(&server.instance_id) else { return };
        let new = invocations.memory.history.note_part(&server.invocation.id);
        invocations.see_whole(server, new, now);
    }

    fn end_list(&mut self, now: Timestamp) {
        let Self { servers, history, server_directory, .. } = self;
        for (_, invocations) in servers.iter_mut().filter(|(id, _)| !server_directory.lacks(id)) {
            let held = &invocations.memory.invocations;
            invocations.memory.history.end_part(history, |id| held.contains_key(id));
            invocations.trim(now);
        }
    }

    /// Handles a page of ListInstances.
    pub(super) fn counted(&mut self, page: Page<DirectoryEntry>, now: Timestamp) {
        if let Some(changes) = self.server_directory.listed(page, now) {
            self.notices.extend(changes.into_iter().map(Notice::List));
            self.begin_to_follow();
        }
    }

    fn begin_to_follow(&mut self) {
        let mut wanted: BTreeMap<&SmolStr, Urgency> = BTreeMap::new();
        for (urgency, id) in self.live().flat_map(|(_, invocations)| invocations.wanted(self.began))
        {
            let most = wanted.entry(id).or_insert(urgency);
            *most = urgency.max(*most);
        }
        let ids = turns(wanted.into_iter().map(|(id, urgency)| (urgency, id.clone())));
        self.followed = ids.len();
        self.follow(ids);
    }

    /// Open invocations that this poll has not found yet, on any server.
    fn missing(&self) -> BTreeSet<&SmolStr> {
        self.live().flat_map(|(_, invocations)| invocations.missing(self.began)).collect()
    }

    fn follow(&mut self, ids: Vec<SmolStr>) {
        self.step = match ids.is_empty() {
            true => Step::Done,
            false => {
                Step::Follow { ids, pager: Pager::new(PAGE_SIZE, 1, 0), named: BTreeSet::new() }
            }
        };
    }

    /// Handles a page of an invocation requested by id; on a server that it does not name, it was
    /// not found.
    fn found(
        &mut self,
        mut ids: Vec<SmolStr>,
        (mut pager, mut named): (Pager, BTreeSet<Arc<str>>),
        page: Page<CommandInvocation>,
        now: Timestamp,
    ) {
        let Some(id) = ids.last().cloned() else {
            return debug_assert!(false, "no invocation was asked for");
        };
        let shape = Shape::of(&page, entry);
        let before = named.len();
        let found = page.items.into_iter().filter(|invocation| invocation.id == id);
        for server in found.flat_map(|invocation| invocation.servers) {
            named.insert(Arc::clone(&server.instance_id));
            self.see(server, now);
        }
        let turn = pager.read(&shape, named.len() - before, &Trust::default(), MAX_PAGES);
        if turn == Turn::Next && self.live().any(|(_, invocations)| invocations.needs_request(&id))
        {
            self.step = Step::Follow { ids, pager, named };
            return;
        }
        let began = self.began;
        self.each_that_needs(&id, |invocations, id| invocations.missed(id, began));
        ids.pop();
        self.follow(ids);
    }

    fn each_that_needs(&mut self, id: &SmolStr, note: impl Fn(&mut SwasInvocations, &SmolStr)) {
        let Self { servers, server_directory, .. } = self;
        let live = servers.iter_mut().filter(|(server, _)| !server_directory.lacks(server));
        for (_, invocations) in live.filter(|(_, invocations)| invocations.needs_request(id)) {
            note(invocations, id);
        }
    }

    pub(super) fn fail(&mut self, scope: FailureScope, failure: &Failure) -> AfterFailure {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::ServerDirectory => {
                self.server_directory.failed(failure, self.began);
                self.begin_to_follow();
                AfterFailure::GoOn
            }
            Step::Follow { mut ids, .. } if scope != FailureScope::All => {
                let began = self.began;
                let note = |invocations: &mut SwasInvocations, id: &SmolStr| match scope {
                    FailureScope::Gone => invocations.missed(id, began),
                    FailureScope::One | FailureScope::All => invocations.failed(id),
                };
                if let Some(id) = &ids.pop() {
                    self.each_that_needs(id, note);
                }
                self.follow(ids);
                if scope == FailureScope::Gone {
                    AfterFailure::GoOn
                } else {
                    AfterFailure::GoOnFailed
                }
            }
            Step::Follow { ids, .. } => {
                self.follow(ids);
                AfterFailure::Stop
            }
            _ => AfterFailure::Stop,
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        // Until a list has shown which servers exist, nothing is shown of those that may not.
        let is_listed = self.step == Step::ServerDirectory && self.server_directory.is_known();
        is_listed || matches!(self.step, Step::Follow { .. } | Step::Done)
    }

    pub(super) fn has_open(&self) -> bool {
        self.live().any(|(_, invocations)| invocations.has_open())
    }

    /// The servers that exist, as far as known.
    fn live(&self) -> impl Iterator<Item = (&Arc<str>, &SwasInvocations)> {
        self.servers.iter().filter(|(id, _)| !self.server_directory.lacks(id))
    }

    pub(super) fn invocations(&self, id: &str) -> Option<&SwasInvocations> {
        self.servers.get(id)
    }

    pub(super) fn into_servers(self) -> impl Iterator<Item = (Arc<str>, SwasInvocations)> {
        self.servers.into_iter()
    }

    /// Takes the notices of each server.
    pub(super) fn server_notices(&mut self) -> impl Iterator<Item = (&Arc<str>, Vec<Notice>)> {
        self.servers
            .iter_mut()
            .map(|(id, invocations)| (id, std::mem::take(&mut invocations.notices)))
    }

    /// Failure of one server alone: it does not exist, or that is unknown. One that was seen
    /// running something exists.
    pub(super) fn failure(&self, id: &str) -> Option<Failure> {
        if self.server_directory.lacks(id) {
            return Some(Failure {
                reason: Reason::NotFound,
                message: format!("{}: the region has no server with this id", Action::ListInstances.name()),
                advice: "check the id, its region and account; remove it from the configuration if the server is gone"
                    .into(),
            });
        }
        let seen = self.servers.get(id).is_some_and(SwasInvocations::has_seen);
        self.server_directory.failure().filter(|_| !seen).cloned()
    }

    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.history.whole_due = self.history.whole_due.map(|due| later(due, step));
        for invocations in self.servers.values_mut() {
            invocations.memory.shift(step);
        }
        self.server_directory.shift(step);
    }

    pub(super) fn load(&self) -> Load {
        Load {
            pages: self.history.pages(&self.limits),
            server_pages: self.server_directory.pages(),
            ordered: self.history.is_ordered(),
            open: self.followed,
            ..Load::QUIET
        }
    }
}

/// Key of an entry of the list. An InvokeId may span servers, either in one entry, as in the
/// documentation's sample, or in one per server: that is not documented.
fn entry(invocation: &CommandInvocation) -> SmolStr {
    let first = invocation.servers.iter().map(|server| &server.instance_id).min();
    first.map_or_else(
        || invocation.id.clone(),
        |server| format!("{}@{server}", invocation.id).into(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{AfterFailure, FailureScope, Limits, Notice, SwasInvocations, SwasRegionTracker};
    use crate::aliyun::op::Operation;
    use crate::config::InvocationWindow;
    use crate::model::{
        CommandInvocation, CommandType, DirectoryEntry, DiscoveredResource, Failure, Invocation,
        InvocationResult, InvocationStatus, Page, Reason, ServerInvocation,
    };
    use crate::poll::tracker::swas_invocations::Memory;

    use crate::poll::tracker::samples::at;
    use InvocationStatus::{PartialFailed, Running, Stopped, Success, Unknown};

    fn tracker(servers: &[&str]) -> SwasRegionTracker {
        let limits = Limits { history_interval: Duration::from_secs(1800), max_pages: 4 };
        let invocations = |id: &&str| {
            (
                Arc::from(*id),
                SwasInvocations::new(InvocationWindow::default(), Memory::default(), true),
            )
        };
        SwasRegionTracker::new(servers.iter().map(invocations), limits)
    }

    fn invocation(
        id: &str,
        servers: &[(&str, InvocationStatus)],
        created: i64,
    ) -> CommandInvocation {
        let on = |(server, status): &(&str, InvocationStatus)| ServerInvocation {
            instance_id: (*server).into(),
            timeout: None,
            invocation: Invocation {
                id: id.into(),
                command_name: "c".into(),
                command_type: CommandType::RunShellScript,
                status: status.clone(),
                record: None,
                created: Some(at(created)),
            },
            result: InvocationResult {
                status: status.clone(),
                record: None,
                exit_code: (*status == Success).then_some(0),
                error: None,
                error_text: None,
                started: None,
                finished: None,
            },
        };
        CommandInvocation { id: id.into(), servers: servers.iter().map(on).collect() }
    }

    /// Polls once against a region that lists `listed`, also knows `hidden`, and has all servers
    /// that are requested.
    fn poll(
        tracker: &mut SwasRegionTracker,
        listed: &[CommandInvocation],
        hidden: &[CommandInvocation],
        now: i64,
    ) -> Vec<String> {
        let mut asked = Vec::new();
        tracker.begin(at(now));
        while let Some(operation) = tracker.ask() {
            let Operation::DescribeCommandInvocations(call) = operation else {
                let all = tracker.servers.keys().map(|id| DirectoryEntry {
                    resource: DiscoveredResource { id: id.clone(), name: "".into(), region: None },
                    listing: None,
                });
                let page = Page::new(all.collect(), None);
                tracker.counted(page, at(now));
                continue;
            };
            let wanted: Vec<CommandInvocation> = match &call.invoke_id {
                None => listed.to_vec(),
                Some(id) => listed
                    .iter()
                    .chain(hidden)
                    .filter(|invocation| invocation.id == *id)
                    .cloned()
                    .collect(),
            };
            asked.push(
                call.invoke_id.map_or_else(
                    || format!("page {}", call.page),
                    |id| format!("{id} {}", call.page),
                ),
            );
            let total = Some(wanted.len() as u64);
            let items = wanted.into_iter().skip((call.page as usize - 1) * 50).take(50).collect();
            tracker.answer(Page::new(items, total), at(now));
        }
        assert!(tracker.is_readable());
        asked
    }

    fn notices(tracker: &mut SwasRegionTracker) -> Vec<(String, Notice)> {
        let all = tracker
            .server_notices()
            .flat_map(|(id, notices)| notices.into_iter().map(move |n| (id.to_string(), n)));
        all.collect()
    }

    #[test]
    fn a_command_that_is_listed_once_for_each_server_is_read_to_its_last_page_and_followed_over_pages()
     {
        let names: Vec<String> = (0..120).map(|n| format!("s{n:03}")).collect();
        let servers: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut tracker = tracker(&servers);
        let each = |status: InvocationStatus| -> Vec<CommandInvocation> {
            servers
                .iter()
                .map(|server| invocation("all", &[(*server, status.clone())], 0))
                .collect()
        };
        assert_eq!(poll(&mut tracker, &each(Running), &[], 1), ["page 1", "page 2", "page 3"]);
        assert!(tracker.servers.values().all(SwasInvocations::has_open));
        // The list no longer shows it; requested by its id, it still comes in pages.
        assert_eq!(
            poll(&mut tracker, &[], &each(Success), 11),
            ["page 1", "all 1", "all 2", "all 3"]
        );
        assert_eq!(notices(&mut tracker).len(), 120);
        assert!(!tracker.has_open());
    }

    #[test]
    fn a_server_that_an_answer_by_id_does_not_name_has_not_been_found() {
        let mut tracker = tracker(&["a", "b"]);
        poll(&mut tracker, &[invocation("x", &[("a", Running), ("b", Running)], 0)], &[], 1);
        for now in (11..=611).step_by(10) {
            assert_eq!(notices(&mut tracker), [], "ten minutes are not over");
            assert_eq!(
                poll(&mut tracker, &[], &[invocation("x", &[("a", Running)], 0)], now),
                ["page 1", "x 1"]
            );
        }
        assert_eq!(notices(&mut tracker), [("b".to_owned(), Notice::Lost { id: "x".into() })]);
        assert!(tracker.has_open(), "on the other one it still runs");
    }

    #[test]
    fn pages_are_read_on_only_while_more_runs_are_missing_than_pages_were_read() {
        let mut tracker = tracker(&["a"]);
        let mut list: Vec<_> = (0..110)
            .map(|n| invocation(&format!("n{n:03}"), &[("foreign", Success)], 1000 - n))
            .collect();
        let open = |n: i64| invocation(&format!("open{n}"), &[("a", Running)], 941);
        for n in 0..3 {
            list.insert(60 + n as usize, open(n));
        }
        assert_eq!(poll(&mut tracker, &list, &[], 2000), ["page 1", "page 2", "page 3"]);
        assert_eq!(poll(&mut tracker, &list, &[], 2010), ["page 1", "page 2"], "three in one call");
        list.retain(|invocation| !["open0", "open1"].contains(&&*invocation.id));
        poll(
            &mut tracker,
            &list,
            &[invocation("open0", &[("a", Success)], 0), invocation("open1", &[("a", Success)], 0)],
            2020,
        );
        assert_eq!(poll(&mut tracker, &list, &[], 2030), ["page 1", "open2 1"], "one is asked for");
        assert_eq!(tracker.load().open, 1);
    }

    #[test]
    fn words_that_only_a_region_knows_end_a_run_and_one_that_nobody_knows_does_not() {
        let mut tracker = tracker(&["a", "b", "c"]);
        let all = |status: [InvocationStatus; 3]| {
            let [a, b, c] = status;
            [invocation("x", &[("a", a), ("b", b), ("c", c)], 0)]
        };
        poll(&mut tracker, &all([Running, Running, Running]), &[], 1);
        poll(&mut tracker, &all([Stopped, PartialFailed, Unknown("New".into())]), &[], 11);
        let ends = notices(&mut tracker).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(
            (ends, tracker.servers["c"].has_open()),
            (vec!["a".to_owned(), "b".to_owned()], true)
        );
        let finished = tracker.servers["b"].reading().finished;
        assert_eq!(finished.into_iter().collect::<Vec<_>>(), [(PartialFailed, 1)]);
    }

    #[test]
    fn a_failure_harms_only_what_was_asked() {
        let failure = Failure { reason: Reason::Service, message: "m".into(), advice: "a".into() };
        let mut tracker = tracker(&["a"]);
        poll(
            &mut tracker,
            &[invocation("x", &[("a", Running)], 0), invocation("y", &[("a", Running)], 1)],
            &[],
            1,
        );
        tracker.begin(at(11));
        assert_eq!(
            tracker.fail(FailureScope::One, &failure),
            AfterFailure::Stop,
            "without the list nothing is known"
        );
        assert!(!tracker.is_readable());
        for (scope, then) in [
            (FailureScope::One, AfterFailure::GoOnFailed),
            (FailureScope::Gone, AfterFailure::GoOn),
            (FailureScope::All, AfterFailure::Stop),
        ] {
            tracker.begin(at(21));
            tracker.answer(Page::new(vec![], None), at(21));
            assert_eq!(tracker.fail(scope, &failure), then);
            assert!(
                tracker.is_readable() && tracker.ask().is_some(),
                "the other one can still be asked for"
            );
        }
    }

    #[test]
    fn what_another_list_shows_ended_at_first_sight_is_not_counted_and_what_was_open_is() {
        let mut tracker = tracker(&["a"]);
        poll(
            &mut tracker,
            &[invocation("old", &[("a", Success)], 0), invocation("open", &[("a", Running)], 9)],
            &[],
            10,
        );
        let of = |invocations: SwasInvocations, regional| {
            SwasInvocations::new(InvocationWindow::default(), invocations.memory, regional)
        };
        let one_by_one = of(tracker.servers.remove("a").unwrap(), false);
        tracker.servers.insert("a".into(), of(one_by_one, true));
        let list = [("older", -9), ("old", 0), ("open", 9)]
            .map(|(id, born)| invocation(id, &[("a", Success)], born));
        tracker.history = super::History::default();
        poll(&mut tracker, &list, &[], 20);
        let counted = |tracker: &SwasRegionTracker| {
            tracker.servers["a"].reading().finished.values().sum::<u64>()
        };
        assert_eq!(
            (counted(&tracker), tracker.servers["a"].reading().invocations.len()),
            (1, 3),
            "the open one has ended"
        );
        poll(
            &mut tracker,
            &[&list[..], &[invocation("next", &[("a", Success)], 21)]].concat(),
            &[],
            30,
        );
        assert_eq!(counted(&tracker), 2);
    }
}
