//! What is known of a server's command runs, whichever operation tells it: which are open, which have ended and how, and
//! what was counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::jobs::{Jobs, Sighting};
use super::listing::Listing;
use super::{MAX_MISSES, Notice, Window};
use crate::config::RunWindow;
use crate::model::{Invocation, InvocationResult, InvocationStatus, RunsReading, SeenRun, ServerRun};
use crate::poll::since;

/// A server's runs, and what of them is shown.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) window: RunWindow,
    pub(super) memory: Memory,
    pub(super) notices: Vec<Notice>,
}

/// What is known of a server's runs. It is the same whichever operation lists them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    pub(super) runs: HashMap<Arc<str>, Held>,
    pub(super) listing: Listing,
    /// Runs seen so far; gives each its place.
    seen: u64,
    finished: BTreeMap<InvocationStatus, u64>,
    #[serde(default)]
    jobs: Jobs,
    /// Whether the list that `listing` speaks of is the one of the whole region.
    #[serde(default)]
    regional: bool,
}

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Held {
    run: Invocation,
    result: Option<InvocationResult>,
    first_seen: Timestamp,
    place: u64,
    misses: u8,
    /// The last question about it could not be answered: others come first.
    puzzles: bool,
    /// Its end was counted, and is announced with its exit code once the result is read.
    unannounced: bool,
    /// Since when its status is a word that nobody knows, while it is.
    #[serde(default)]
    unknown_since: Option<Timestamp>,
}

/// Which result is wanted first is largest.
pub(super) type Urgency = (Reverse<bool>, bool, bool, (Timestamp, Reverse<u64>));

impl Ledger {
    /// A server's ledger, its runs listed by DescribeInvocations or, if it is `regional`, by DescribeCommandInvocations.
    ///
    /// Nobody knows whether both show as much: where the one shows what the other never did, it must not count as new.
    pub(super) fn new(window: RunWindow, mut memory: Memory, regional: bool) -> Self {
        if memory.regional != regional {
            memory.regional = regional;
            memory.listing.forget_whole();
        }
        Self { window, memory, notices: Vec::new() }
    }

    /// What of the list is shown.
    pub(super) fn list_window(&self) -> Window {
        Window { entries: self.window.max_invocations, max_age: self.window.max_age }
    }

    /// Whether anything may still change.
    pub(super) fn has_open(&self) -> bool {
        self.memory.runs.values().any(|held| held.run.is_open())
    }

    /// Whether anything was ever seen on the server.
    pub(super) fn has_seen(&self) -> bool {
        self.memory.seen > 0
    }

    /// All that is to be shown.
    pub(super) fn reading(&self) -> RunsReading {
        let mut held: Vec<&Held> = self.memory.runs.values().collect();
        held.sort_unstable_by_key(|held| Reverse(held.recency()));
        RunsReading {
            runs: held.into_iter().map(Held::seen).collect(),
            finished: self.memory.finished.clone(),
            jobs: self.memory.jobs.shown(),
        }
    }

    /// Open runs that this poll has not yet found in the list.
    pub(super) fn missing(&self) -> impl Iterator<Item = &Arc<str>> {
        let missing = |(id, held): &(&Arc<str>, &Held)| held.run.is_open() && !self.memory.listing.has_shown(id);
        self.memory.runs.iter().filter(missing).map(|(id, _)| id)
    }

    /// Whether a run is open, and this poll has not yet found it in the list.
    pub(super) fn misses(&self, id: &str) -> bool {
        self.memory.runs.get(id).is_some_and(|held| held.run.is_open()) && !self.memory.listing.has_shown(id)
    }

    /// Takes note of a run as the list shows it; `new` if its id was not known before.
    pub(super) fn see(&mut self, run: Invocation, new: bool, now: Timestamp) {
        let id = Arc::clone(&run.id);
        if let Some(held) = self.memory.runs.get_mut(&id) {
            let was_open = held.run.is_open();
            held.update(run, now);
            if was_open && !held.run.is_open() {
                self.count(&id);
            }
        } else if new {
            let counts = !run.is_open() && self.memory.listing.is_watched_since(run.created);
            self.memory.seen += 1;
            let place = self.memory.seen;
            self.memory.runs.insert(Arc::clone(&id), Held::new(run, place, now));
            if counts {
                self.count(&id);
            }
        }
    }

    /// The same, where the list also tells how it went.
    pub(super) fn see_whole(&mut self, ServerRun { run, result, .. }: ServerRun, new: bool, now: Timestamp) {
        let (id, ended) = (Arc::clone(&run.id), !run.is_open());
        self.see(run, new, now);
        let Some(held) = self.memory.runs.get_mut(&id) else { return };
        held.puzzles = false;
        if ended && !held.run.is_open() && held.result.is_none() {
            self.keep_result(&id, result);
        }
    }

    /// The last question about a run could not be answered.
    pub(super) fn puzzled(&mut self, id: &Arc<str>) {
        self.memory.runs.get_mut(id).into_iter().for_each(|held| held.puzzles = true);
    }

    /// How soon a run is asked for.
    pub(super) fn urgency(&self, id: &str) -> Option<Urgency> {
        self.memory.runs.get(id).map(Held::urgency)
    }

    /// Ended runs whose result is not there yet.
    pub(super) fn without_result(&self) -> impl Iterator<Item = &Arc<str>> {
        self.memory.runs.iter().filter(|(_, held)| held.wants_result()).map(|(id, _)| id)
    }

    fn count(&mut self, id: &str) {
        if let Some(held) = self.memory.runs.get_mut(id) {
            held.unannounced = true;
            *self.memory.finished.entry(held.run.status.clone()).or_default() += 1;
        }
    }

    /// Takes note of how a run went; an answer that it still runs is one of something that the list has lost.
    pub(super) fn learn(&mut self, id: &Arc<str>, result: InvocationResult, now: Timestamp) {
        let Some(held) = self.memory.runs.get_mut(id) else { return };
        held.puzzles = false;
        let was_open = held.run.is_open();
        let told = Invocation { status: result.status.clone(), record: result.record.clone(), ..held.run.clone() };
        if told.is_open() {
            match was_open {
                true => held.update(told, now),
                false => self.missed(id),
            }
            return;
        }
        held.update(told, now);
        if was_open {
            self.count(id);
        }
        self.keep_result(id, result);
    }

    fn keep_result(&mut self, id: &Arc<str>, result: InvocationResult) {
        let Some(held) = self.memory.runs.get_mut(id) else { return };
        held.result = Some(result);
        self.memory.jobs.see(std::iter::once(held.sighting()));
        self.announce(id);
    }

    fn announce(&mut self, id: &Arc<str>) {
        let Some(held) = self.memory.runs.get_mut(id).filter(|held| held.unannounced) else { return };
        held.unannounced = false;
        let exit_code = held.result.as_ref().and_then(|result| result.exit_code);
        let status = held.run.status.word().to_owned();
        self.notices.push(Notice::Ended { id: Arc::clone(id), status, exit_code });
    }

    /// The result of a run was not found, or says otherwise than the list.
    pub(super) fn missed(&mut self, id: &Arc<str>) {
        let Some(held) = self.memory.runs.get_mut(id) else { return };
        held.misses += 1;
        if held.misses < MAX_MISSES {
            return;
        }
        if held.run.is_open() {
            self.memory.runs.remove(id);
            self.notices.push(Notice::Lost { id: Arc::clone(id) });
        } else {
            self.announce(id);
        }
    }

    /// Drops what has left the window: ended runs that are old or too many, and unknown words that never ended.
    pub(super) fn trim(&mut self, now: Timestamp) {
        self.memory.jobs.see(self.memory.runs.values().map(Held::sighting));
        let max_age = self.window.max_age;
        let mut lost = Vec::new();
        let unannounced = |(id, held): (&Arc<str>, &Held)| {
            (held.unannounced && since(held.recency().0, now) > max_age).then(|| Arc::clone(id))
        };
        let leaving: Vec<Arc<str>> = self.memory.runs.iter().filter_map(unannounced).collect();
        leaving.iter().for_each(|id| self.announce(id));
        self.memory.runs.retain(|id, held| {
            let old = held.ages_from().is_some_and(|from| since(from, now) > max_age);
            if old && held.is_unknown() {
                lost.push(Notice::Lost { id: Arc::clone(id) });
            }
            !old
        });
        self.notices.append(&mut lost);
        let surplus = self.memory.runs.len().saturating_sub(self.window.max_invocations);
        if surplus == 0 {
            return;
        }
        let ended = self.memory.runs.iter().filter(|(_, held)| !held.run.is_open());
        let mut oldest: Vec<_> = ended.map(|(id, held)| (held.recency(), Arc::clone(id))).collect();
        oldest.sort_unstable();
        for (_, id) in oldest.into_iter().take(surplus) {
            self.announce(&id);
            self.memory.runs.remove(&id);
        }
    }
}

impl Held {
    fn new(run: Invocation, place: u64, now: Timestamp) -> Self {
        let mut held = Self {
            run,
            result: None,
            first_seen: now,
            place,
            misses: 0,
            puzzles: false,
            unannounced: false,
            unknown_since: None,
        };
        held.unknown_since = held.is_unknown().then_some(now);
        held
    }

    /// Whether it counts as open only because nobody knows its word.
    fn is_unknown(&self) -> bool {
        self.run.is_open() && self.run.status.unknown_word().is_some()
    }

    /// Since when it grows old, if it does. One answer that cannot be understood must not end the watch over what has run for
    /// long.
    fn ages_from(&self) -> Option<Timestamp> {
        match (self.run.is_open(), self.is_unknown()) {
            (true, false) => None,
            (true, true) => Some(self.unknown_since.unwrap_or(self.recency().0)),
            (false, _) => Some(self.recency().0),
        }
    }

    /// Newest is largest. A region's list does not always say when a run was created.
    fn recency(&self) -> (Timestamp, Reverse<u64>) {
        let result = self.result.as_ref();
        let told = self.run.created.or(result.and_then(|result| result.started.or(result.finished)));
        (told.unwrap_or(self.first_seen), Reverse(self.place))
    }

    /// Whose result is read first is largest: vanished ones, then Failed, then newest, and last what cannot be answered.
    fn urgency(&self) -> Urgency {
        (Reverse(self.puzzles), self.run.is_open(), self.run.status == InvocationStatus::Failed, self.recency())
    }

    fn wants_result(&self) -> bool {
        !self.run.is_open() && self.result.is_none() && self.misses < MAX_MISSES
    }

    /// Ended never changes again, whatever an older copy of a list may say.
    fn update(&mut self, run: Invocation, now: Timestamp) {
        if self.run.is_open() || !run.is_open() {
            self.run = run;
        }
        self.unknown_since = self.is_unknown().then(|| self.unknown_since.unwrap_or(now));
        if self.run.is_open() {
            self.misses = 0;
        }
    }

    fn sighting(&self) -> Sighting<'_> {
        Sighting { run: &self.run, result: self.result.as_ref(), at: self.recency().0 }
    }

    fn seen(&self) -> SeenRun {
        SeenRun { run: self.run.clone(), result: self.result.clone() }
    }
}
