//! The command runs of several Simple Application Servers of a region, asked for at once.
//!
//! DescribeCommandInvocations carries every server's runs with their results; it is asked again by InvokeId for open runs that
//! the list no longer shows. Runs of servers that nobody has configured are passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::inventory::Inventory;
use super::ledger::Ledger;
use super::listing::{Cursor, Listing, Progress};
use super::{Harm, Limits, Load, Notice, Verdict};
use crate::aliyun::op::{DescribeCommandInvocations, Operation, PAGE_SIZE};
use crate::model::{CommandInvocation, Failure, Found, Page, Reason, ServerRun};
use crate::poll::later;

#[derive(Debug)]
pub(in crate::poll) struct RegionPlan {
    limits: Limits,
    servers: BTreeMap<Arc<str>, Ledger>,
    /// Which runs the list has shown, whosever they are. It is not saved: after a restart the list is read whole again anyway.
    listing: Listing,
    inventory: Inventory,
    /// Of the list itself.
    pub(super) notices: Vec<Notice>,
    /// When the present poll has begun.
    began: Timestamp,
    /// How many runs were asked for by id last.
    followed: usize,
    step: Step,
}

/// Where a poll stands. Ids are asked for last first.
#[derive(Debug, PartialEq)]
enum Step {
    /// No poll is under way, or it has failed.
    Idle,
    List(Cursor),
    Inventory,
    Follow {
        ids: Vec<Arc<str>>,
        page: u32,
    },
    Done,
}

impl RegionPlan {
    pub(super) fn new(servers: impl Iterator<Item = (Arc<str>, Ledger)>, limits: Limits) -> Self {
        Self {
            limits,
            servers: servers.collect(),
            listing: Listing::default(),
            inventory: Inventory::default(),
            notices: Vec::new(),
            began: Timestamp::UNIX_EPOCH,
            followed: 0,
            step: Step::Idle,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.began = now;
        self.servers.values_mut().for_each(|ledger| ledger.memory.listing.begin_part());
        self.step = Step::List(self.listing.begin(now));
    }

    pub(super) fn ask(&self) -> Option<Operation> {
        Some(match &self.step {
            Step::List(cursor) => DescribeCommandInvocations { invoke_id: None, page: cursor.page }.into(),
            Step::Inventory => self.inventory.ask().into(),
            Step::Follow { ids, page } => {
                DescribeCommandInvocations { invoke_id: Some(Arc::clone(ids.last()?)), page: *page }.into()
            }
            Step::Idle | Step::Done => return None,
        })
    }

    /// A page of the region's list, or of what was asked for by id.
    pub(super) fn answer(&mut self, page: Page<CommandInvocation>, now: Timestamp) {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::List(cursor) => self.listed(cursor, page, now),
            Step::Follow { ids, page: number } => self.found(ids, number, page, now),
            _ => {}
        }
    }

    fn listed(&mut self, cursor: Cursor, page: Page<CommandInvocation>, now: Timestamp) {
        let size = (page.items.len(), page.total);
        for invocation in page.items {
            let created = invocation.servers.iter().find_map(|server| server.run.created);
            self.listing.note(&entry(&invocation), created);
            invocation.servers.into_iter().for_each(|server| self.see(server, now));
        }
        // An open run is found by its id in one call, wherever it is; a further page may show many, or none.
        let looking = self.missing().len() > cursor.read as usize + 1;
        match self.listing.read(cursor, size, looking, &self.limits, now, |_| false) {
            Progress::Next(cursor) => {
                self.step = Step::List(cursor);
                return;
            }
            Progress::Truncated => self.notices.push(Notice::Truncated),
            Progress::Read => {}
        }
        self.end_list(now);
        self.step = Step::Inventory;
        if !self.inventory.begin(&self.limits, now) {
            self.begin_to_follow();
        }
    }

    fn see(&mut self, server: ServerRun, now: Timestamp) {
        if self.inventory.lacks(&server.instance_id) {
            return;
        }
        let Some(ledger) = self.servers.get_mut(&server.instance_id) else { return };
        let new = ledger.memory.listing.note_part(&server.run.id);
        ledger.see_whole(server, new, now);
    }

    fn end_list(&mut self, now: Timestamp) {
        let Self { servers, listing, inventory, .. } = self;
        for (_, ledger) in servers.iter_mut().filter(|(id, _)| !inventory.lacks(id)) {
            let runs = &ledger.memory.runs;
            ledger.memory.listing.end_part(listing, |id| runs.contains_key(id));
            ledger.trim(now);
        }
    }

    /// A page of ListInstances.
    pub(super) fn counted(&mut self, page: Page<Found>) {
        if !self.inventory.listed(page, &self.limits) {
            self.begin_to_follow();
        }
    }

    fn begin_to_follow(&mut self) {
        let mut ids: Vec<Arc<str>> = self.missing().into_iter().cloned().collect();
        ids.sort_by_key(|id| self.live().filter_map(|(_, ledger)| ledger.urgency(id)).max());
        self.followed = ids.len();
        self.follow(ids);
    }

    /// Open runs that this poll has not yet found, on whichever server.
    fn missing(&self) -> BTreeSet<&Arc<str>> {
        self.live().flat_map(|(_, ledger)| ledger.missing()).collect()
    }

    fn follow(&mut self, ids: Vec<Arc<str>>) {
        self.step = if ids.is_empty() { Step::Done } else { Step::Follow { ids, page: 1 } };
    }

    /// What was asked for by id; on a server that it does not name, it was not found.
    fn found(&mut self, mut ids: Vec<Arc<str>>, number: u32, page: Page<CommandInvocation>, now: Timestamp) {
        let Some(id) = ids.last().cloned() else { return };
        let is_full = page.items.len() >= PAGE_SIZE as usize;
        let found = page.items.into_iter().filter(|invocation| invocation.id == id);
        found.flat_map(|invocation| invocation.servers).for_each(|server| self.see(server, now));
        if is_full && number < self.limits.max_pages && self.live().any(|(_, ledger)| ledger.misses(&id)) {
            self.step = Step::Follow { ids, page: number + 1 };
            return;
        }
        self.each_that_misses(&id, Ledger::missed);
        ids.pop();
        self.follow(ids);
    }

    fn each_that_misses(&mut self, id: &Arc<str>, note: impl Fn(&mut Ledger, &Arc<str>)) {
        let Self { servers, inventory, .. } = self;
        let live = servers.iter_mut().filter(|(server, _)| !inventory.lacks(server));
        live.filter(|(_, ledger)| ledger.misses(id)).for_each(|(_, ledger)| note(ledger, id));
    }

    pub(super) fn fail(&mut self, harm: Harm, failure: &Failure) -> Verdict {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Inventory => {
                self.inventory.failed(failure, self.began);
                self.begin_to_follow();
                Verdict::GoOn
            }
            Step::Follow { mut ids, .. } if harm != Harm::All => {
                let note = if harm == Harm::Gone { Ledger::missed } else { Ledger::puzzled };
                ids.pop().iter().for_each(|id| self.each_that_misses(id, note));
                self.follow(ids);
                if harm == Harm::Gone { Verdict::GoOn } else { Verdict::GoOnFailed }
            }
            Step::Follow { ids, .. } => {
                self.follow(ids);
                Verdict::Stop
            }
            _ => Verdict::Stop,
        }
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.step, Step::Follow { .. } | Step::Done)
    }

    pub(super) fn has_open(&self) -> bool {
        self.live().any(|(_, ledger)| ledger.has_open())
    }

    /// The servers that are there, as far as is known.
    fn live(&self) -> impl Iterator<Item = (&Arc<str>, &Ledger)> {
        self.servers.iter().filter(|(id, _)| !self.inventory.lacks(id))
    }

    pub(super) fn ledger(&self, id: &str) -> Option<&Ledger> {
        self.servers.get(id)
    }

    pub(super) fn into_ledgers(self) -> impl Iterator<Item = (Arc<str>, Ledger)> {
        self.servers.into_iter()
    }

    /// Takes what has happened on each server.
    pub(super) fn server_notices(&mut self) -> impl Iterator<Item = (&Arc<str>, Vec<Notice>)> {
        self.servers.iter_mut().map(|(id, ledger)| (id, std::mem::take(&mut ledger.notices)))
    }

    /// What is wrong with one server alone: it is not there, or nobody knows whether it is. One that was seen to run
    /// something is there.
    pub(super) fn failure(&self, id: &str) -> Option<Failure> {
        if self.inventory.lacks(id) {
            return Some(Failure {
                reason: Reason::NotFound,
                message: "ListInstances: the region has no server of this id".into(),
                advice: "check the id, its region and account; remove it from the configuration if the server is gone",
            });
        }
        let seen = self.servers.get(id).is_some_and(Ledger::has_seen);
        self.inventory.failure().filter(|_| !seen).cloned()
    }

    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.listing.whole_due = self.listing.whole_due.map(|due| later(due, step));
        self.inventory.shift(step);
    }

    pub(super) fn load(&self) -> Load {
        Load {
            pages: self.listing.pages(&self.limits),
            server_pages: self.inventory.pages(),
            ordered: self.listing.is_ordered(),
            open: self.followed,
            ..Load::QUIET
        }
    }
}

/// What tells an entry of the list from every other. An InvokeId may span servers: whether in one entry, as in the document's
/// sample, or in one for each, is open.
fn entry(invocation: &CommandInvocation) -> Arc<str> {
    let first = invocation.servers.iter().map(|server| &server.instance_id).min();
    first.map_or_else(|| Arc::clone(&invocation.id), |server| format!("{}@{server}", invocation.id).into())
}
