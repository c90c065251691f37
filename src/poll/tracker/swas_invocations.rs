//! What is known about a server's command invocations, whichever operation lists them: which are
//! open, which have ended and how, and what was counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Notice;
use super::follow::{Follow, Turn, turns};
use super::history::{History, Window};
use super::swas_jobs::{Jobs, Sighting};
use super::unknown_status::UnknownStatus;
use crate::config::InvocationWindow;
use crate::model::{
    Invocation, InvocationResult, InvocationStatus, SeenSwasInvocation, ServerInvocation,
    SwasInvocationsReading, Timing, keep_newest_texts,
};
use crate::poll::time::{later, since};

/// A server's invocations, and the window of them that is shown.
#[derive(Debug)]
pub(super) struct SwasInvocations {
    pub(super) window: InvocationWindow,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
    /// Invocations that may have changed since [`Jobs`] saw them.
    changed: Vec<SmolStr>,
}

/// What is known about a server's invocations; the same for every operation that lists them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    pub(super) invocations: HashMap<SmolStr, Held>,
    pub(super) history: History,
    /// Number of invocations seen so far; gives each its place.
    seen: u64,
    finished: BTreeMap<InvocationStatus, u64>,
    #[serde(default)]
    jobs: Jobs,
    /// Whether `history` describes the list of the whole region.
    #[serde(default)]
    regional: bool,
}

impl Memory {
    /// Moves times by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.history.whole_due = self.history.whole_due.map(|due| later(due, step));
        for held in self.invocations.values_mut() {
            held.follow.shift(step);
        }
    }
}

/// An invocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Held {
    invocation: Arc<Invocation>,
    result: Option<Arc<InvocationResult>>,
    /// Since when it runs and for how long it may, while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timing: Option<Box<Timing>>,
    first_seen: Timestamp,
    sequence: u64,
    /// How it, or its result once it has ended, was requested.
    #[serde(default, skip_serializing_if = "Follow::is_plain")]
    follow: Follow,
    /// Number of the reading of the list that last showed it.
    #[serde(skip)]
    shown_in: u64,
    /// Its end was counted, and will be announced with its exit code once the result is read.
    unannounced: bool,
    #[serde(skip)]
    unknown: UnknownStatus,
}

/// Request priority, larger first.
pub(super) type Urgency = (Turn, bool, bool, (Timestamp, Reverse<u64>));

impl SwasInvocations {
    /// A server's invocations, listed by DescribeInvocations or, if `regional`, by
    /// DescribeCommandInvocations.
    ///
    /// It is unknown whether both show as much: what one shows and the other never did must not
    /// count as new.
    pub(super) fn new(window: InvocationWindow, mut memory: Memory, regional: bool) -> Self {
        if memory.regional != regional {
            memory.regional = regional;
            memory.history.forget_whole();
        }
        let changed = memory.invocations.keys().cloned().collect();
        Self { window, memory, notices: Vec::new(), changed }
    }

    /// The part of the list that is shown.
    pub(super) fn list_window(&self) -> Window {
        Window { entries: self.window.max_invocations, max_age: self.window.max_age }
    }

    /// Whether anything may still change.
    pub(super) fn has_open(&self) -> bool {
        self.memory.invocations.values().any(|held| held.invocation.is_open())
    }

    /// Whether anything was ever seen on the server.
    pub(super) fn has_seen(&self) -> bool {
        self.memory.seen > 0
    }

    /// The full reading.
    pub(super) fn reading(&self) -> SwasInvocationsReading {
        let mut held: Vec<&Held> = self.memory.invocations.values().collect();
        held.sort_by_cached_key(|held| Reverse(held.recency()));
        SwasInvocationsReading {
            invocations: held.into_iter().map(Held::seen).collect(),
            finished: self.memory.finished.clone(),
            jobs: self.memory.jobs.shown(),
        }
    }

    /// Open invocations that this poll has not found in the list yet, and whose request is due.
    pub(super) fn missing(&self, now: Timestamp) -> impl Iterator<Item = &SmolStr> {
        let missing = move |(_, held): &(&SmolStr, &Held)| {
            held.invocation.is_open() && self.is_incomplete(held) && held.follow.is_due(now)
        };
        self.memory.invocations.iter().filter(missing).map(|(id, _)| id)
    }

    /// Whether an invocation must be requested by its id: it is open and not in the list, or its
    /// result is missing.
    pub(super) fn needs_request(&self, id: &str) -> bool {
        self.memory.invocations.get(id).is_some_and(|held| self.is_incomplete(held))
    }

    fn is_incomplete(&self, held: &Held) -> bool {
        match held.invocation.is_open() {
            true => held.shown_in != self.memory.history.reading(),
            false => held.result.is_none(),
        }
    }

    /// What to request one by one now, besides results that were never requested: open invocations
    /// that the list has not shown, and late results.
    pub(super) fn overdue(&self, now: Timestamp) -> impl Iterator<Item = (Urgency, &SmolStr)> {
        let is_due = move |held: &Held| match held.invocation.is_open() {
            true => held.follow.is_due(now),
            false => held.follow.was_asked() && held.follow.is_result_due(now),
        };
        let invocations = self
            .memory
            .invocations
            .iter()
            .filter(move |(_, held)| self.is_incomplete(held) && is_due(held));
        invocations.map(|(id, held)| (held.urgency(), id))
    }

    /// Like `overdue`, for a list that includes results: one that did not come with it is late,
    /// too.
    pub(super) fn wanted(&self, now: Timestamp) -> impl Iterator<Item = (Urgency, &SmolStr)> {
        let fresh = |(_, held): &(&SmolStr, &Held)| held.wants_result() && !held.follow.was_asked();
        let fresh =
            self.memory.invocations.iter().filter(fresh).map(|(id, held)| (held.urgency(), id));
        self.overdue(now).chain(fresh)
    }

    /// What is overdue and has its turn now.
    pub(super) fn turns(&self, now: Timestamp) -> Vec<SmolStr> {
        turns(self.overdue(now).map(|(urgency, id)| (urgency, id.clone())))
    }

    /// What to request one by one now, most urgent last: what has its turn, and results that were
    /// never requested.
    pub(super) fn details(&self, turns: Vec<SmolStr>) -> Vec<SmolStr> {
        let mut ids = turns;
        let fresh = |held: &Held| held.wants_result() && !held.follow.was_asked();
        ids.extend(
            self.memory
                .invocations
                .iter()
                .filter(|(_, held)| fresh(held))
                .map(|(id, _)| id.clone()),
        );
        ids.sort_unstable_by_key(|id| self.urgency(id));
        ids
    }

    /// Records an invocation as the list shows it; `new` if its id was not known before.
    pub(super) fn see(&mut self, invocation: Invocation, new: bool, now: Timestamp) {
        let id = invocation.id.clone();
        let reading = self.memory.history.reading();
        if let Some(held) = self.memory.invocations.get_mut(&id) {
            held.shown_in = reading;
            let was_open = held.invocation.is_open();
            if held.update(invocation, now) {
                self.changed.push(id.clone());
            }
            if was_open && !held.invocation.is_open() {
                self.count(&id);
            }
        } else if new {
            let counts =
                !invocation.is_open() && self.memory.history.is_watched_since(invocation.created);
            self.memory.seen += 1;
            let sequence = self.memory.seen;
            self.memory
                .invocations
                .insert(id.clone(), Held::new(invocation, sequence, reading, now));
            self.changed.push(id.clone());
            if counts {
                self.count(&id);
            }
        }
    }

    /// Like `see`, for a list that includes results.
    pub(super) fn see_whole(
        &mut self,
        ServerInvocation { invocation, timeout, result, .. }: ServerInvocation,
        new: bool,
        now: Timestamp,
    ) {
        let id = invocation.id.clone();
        let ended = !invocation.is_open();
        self.see(invocation, new, now);
        let Some(held) = self.memory.invocations.get_mut(&id) else { return };
        let open = held.invocation.is_open().then(|| Timing::of(result.started, timeout));
        held.timing = open.flatten();
        if ended && !held.invocation.is_open() && held.result.is_none() {
            self.keep_result(&id, result);
        }
    }

    /// Records that the call for an invocation failed.
    pub(super) fn failed(&mut self, id: &SmolStr) {
        if let Some(held) = self.memory.invocations.get_mut(id) {
            held.follow.failed();
        }
    }

    /// Request priority of an invocation.
    pub(super) fn urgency(&self, id: &str) -> Option<Urgency> {
        self.memory.invocations.get(id).map(Held::urgency)
    }

    fn count(&mut self, id: &str) {
        if let Some(held) = self.memory.invocations.get_mut(id) {
            held.unannounced = true;
            *self.memory.finished.entry(held.invocation.status.clone()).or_default() += 1;
        }
    }

    /// Handles an invocation's result. If an open invocation still runs, the list has lost it.
    pub(super) fn learn(&mut self, id: &SmolStr, result: InvocationResult, now: Timestamp) {
        let Some(held) = self.memory.invocations.get_mut(id) else { return };
        let was_open = held.invocation.is_open();
        let told = Invocation {
            status: result.status.clone(),
            record: result.record.clone(),
            ..Invocation::clone(&held.invocation)
        };
        if told.is_open() {
            match was_open {
                true => _ = held.update(told, now),
                false => held.follow.missed(now),
            }
            return;
        }
        // A known status from the list stays.
        if was_open || told.status.unknown_word().is_none() {
            held.update(told, now);
        }
        if was_open {
            self.count(id);
        }
        self.keep_result(id, result);
    }

    fn keep_result(&mut self, id: &SmolStr, result: InvocationResult) {
        let Some(held) = self.memory.invocations.get_mut(id) else { return };
        held.result = Some(Arc::new(result));
        held.follow = Follow::default();
        if self.memory.jobs.see(std::iter::once(held.sighting())) {
            self.changed.extend(self.memory.invocations.keys().cloned());
        }
        self.announce(id);
    }

    fn announce(&mut self, id: &SmolStr) {
        let Some(held) = self.memory.invocations.get_mut(id).filter(|held| held.unannounced) else {
            return;
        };
        held.unannounced = false;
        let exit_code = held.result.as_ref().and_then(|result| result.exit_code);
        let status = &held.invocation.status;
        self.notices.push(Notice::Ended {
            id: id.clone(),
            status: status.word().to_owned(),
            exit_code,
            is_failure: status.is_failure(),
        });
    }

    /// Records that an invocation, or the result of an ended one, was requested and is not there.
    pub(super) fn missed(&mut self, id: &SmolStr, now: Timestamp) {
        let Some(held) = self.memory.invocations.get_mut(id) else { return };
        held.follow.missed(now);
        if held.invocation.is_open() && held.follow.is_lost() {
            self.memory.invocations.remove(id);
            self.notices.push(Notice::Lost { id: id.clone() });
        }
    }

    /// An invocation leaves the window: if its end was watched and its result is missing, that is
    /// given up.
    fn give_up(&mut self, id: &SmolStr) {
        let Some(held) = self.memory.invocations.get(id).filter(|held| held.unannounced) else {
            return;
        };
        debug_assert!(held.result.is_none(), "with the result it was announced");
        self.notices.push(Notice::GivenUp { id: id.clone(), cause: held.follow.cause() });
        self.announce(id);
    }

    /// Drops what has left the window: ended invocations that are old or too many, and those with
    /// an unknown status that never ended.
    pub(super) fn trim(&mut self, now: Timestamp) {
        let changed = std::mem::take(&mut self.changed);
        let held = changed.iter().filter_map(|id| self.memory.invocations.get(id));
        if self.memory.jobs.see(held.map(Held::sighting)) {
            self.memory.jobs.see(self.memory.invocations.values().map(Held::sighting));
        }
        let max_age = self.window.max_age;
        let mut lost = Vec::new();
        let unannounced = |(id, held): (&SmolStr, &Held)| {
            (held.unannounced && since(held.recency().0, now) > max_age).then(|| id.clone())
        };
        let leaving: Vec<SmolStr> =
            self.memory.invocations.iter().filter_map(unannounced).collect();
        for id in &leaving {
            self.give_up(id);
        }
        self.memory.invocations.retain(|id, held| {
            // A single answer with an unknown status must not end the tracking of a long-running
            // invocation.
            let is_lost = held.unknown.shown_for() > max_age;
            if is_lost {
                lost.push(Notice::Lost { id: id.clone() });
            }
            let is_old = !held.invocation.is_open() && since(held.recency().0, now) > max_age;
            !is_old && !is_lost
        });
        self.notices.append(&mut lost);
        self.bound_texts();
        let surplus = self.memory.invocations.len().saturating_sub(self.window.max_invocations);
        if surplus == 0 {
            return;
        }
        let ended = self.memory.invocations.iter().filter(|(_, held)| !held.invocation.is_open());
        let mut oldest: Vec<_> = ended.map(|(id, held)| (held.recency(), id.clone())).collect();
        oldest.sort_unstable();
        for (_, id) in oldest.into_iter().take(surplus) {
            self.give_up(&id);
            self.memory.invocations.remove(&id);
        }
    }
}

impl SwasInvocations {
    /// Forgets the error texts of all but the newest invocations that have one.
    fn bound_texts(&mut self) {
        let told = self.memory.invocations.values_mut().filter_map(|held| {
            let recency = held.recency();
            let result = held.result.as_mut()?;
            result.error_text.is_some().then_some((recency, result))
        });
        let forget = |(_, result): (_, &mut Arc<InvocationResult>)| {
            Arc::make_mut(result).error_text = None;
        };
        keep_newest_texts(told, |(recency, _)| *recency, forget);
    }
}

impl Held {
    fn new(invocation: Invocation, sequence: u64, shown_in: u64, now: Timestamp) -> Self {
        let mut held = Self {
            invocation: Arc::new(invocation),
            result: None,
            timing: None,
            first_seen: now,
            sequence,
            follow: Follow::default(),
            shown_in,
            unannounced: false,
            unknown: UnknownStatus::default(),
        };
        held.unknown.update(held.is_unknown(), now);
        held
    }

    /// Whether it counts as open only because its status is unknown.
    fn is_unknown(&self) -> bool {
        self.invocation.is_open() && self.invocation.status.unknown_word().is_some()
    }

    /// Larger is newer. A region's list does not always include the creation time.
    fn recency(&self) -> (Timestamp, Reverse<u64>) {
        let result = self.result.as_ref();
        let told = self
            .invocation
            .created
            .or(result.and_then(|result| result.started.or(result.finished)));
        (told.unwrap_or(self.first_seen), Reverse(self.sequence))
    }

    /// Request priority, larger first: vanished invocations, then Failed, then the newest, and last
    /// those requested without success.
    fn urgency(&self) -> Urgency {
        (
            self.follow.turn(),
            self.invocation.is_open(),
            self.invocation.status == InvocationStatus::Failed,
            self.recency(),
        )
    }

    fn wants_result(&self) -> bool {
        !self.invocation.is_open() && self.result.is_none()
    }

    /// Returns whether it has changed. An ended invocation never does again, whatever an older copy
    /// of a list says.
    fn update(&mut self, invocation: Invocation, now: Timestamp) -> bool {
        // It was found; if it has just ended, its result is requested at once.
        if self.invocation.is_open() {
            self.follow = if invocation.is_open() { Follow::found(now) } else { Follow::default() };
        }
        let is_changed =
            *self.invocation != invocation && (self.invocation.is_open() || !invocation.is_open());
        if is_changed {
            self.invocation = Arc::new(invocation);
        }
        self.unknown.update(self.is_unknown(), now);
        is_changed
    }

    fn sighting(&self) -> Sighting<'_> {
        Sighting {
            invocation: &self.invocation,
            result: self.result.as_deref(),
            at: self.recency().0,
        }
    }

    fn seen(&self) -> SeenSwasInvocation {
        SeenSwasInvocation {
            invocation: Arc::clone(&self.invocation),
            result: self.result.clone(),
            timing: self.timing.clone().filter(|_| self.invocation.is_open()),
        }
    }
}
