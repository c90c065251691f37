//! A target with its last good reading and its last failure.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Moment;
use crate::model::{Failure, ListState, Reading, Reason, ResourceListing};
use crate::target::{Target, TargetId};

/// State of a target's polls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetState {
    /// Whether the last poll succeeded; absent until one has ended.
    pub up: Option<bool>,
    /// Why it failed.
    pub failing: Option<Reason>,
    /// Whether its lists have shown all that they must.
    pub lists: ListState,
    /// When the last successful poll ended.
    pub last_success: Option<Timestamp>,
    /// When the shown values were read.
    pub last_read: Option<Timestamp>,
    /// When the next poll is planned.
    pub next_poll: Option<Timestamp>,
    /// How long the last poll took.
    pub took: Option<Duration>,
    /// Age at which values are withdrawn.
    pub stale_after: Option<Duration>,
}

/// Result of a poll.
#[derive(Clone, Debug)]
pub struct PollEnd {
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Whether the target's lists have shown all that they must.
    pub lists: ListState,
    /// When it ended.
    pub ended: Moment,
    /// How long it took.
    pub took: Duration,
    /// When the next one is planned.
    pub next: Timestamp,
    /// Age at which values are withdrawn.
    pub stale_after: Duration,
}

/// A target as a person sees it.
#[derive(Clone, Debug)]
pub struct View {
    /// The target.
    pub target: Arc<Target>,
    /// State of its polls.
    pub state: TargetState,
    /// Why its last poll failed.
    pub failure: Option<Failure>,
    /// Since when it fails. This and the times below are by the clock as set at the time of
    /// viewing.
    pub failing_since: Option<Timestamp>,
    /// The last failure and its time, kept after the recovery.
    pub last_failure: Option<(Failure, Timestamp)>,
    /// When the shown values were read.
    pub read_at: Option<Timestamp>,
    /// Its values; absent if there are none, or if they are stale.
    pub reading: Option<Arc<Reading>>,
}

impl View {
    /// Whether it had values that are withdrawn now, because they are stale.
    pub fn is_withdrawn(&self) -> bool {
        self.read_at.is_some() && self.reading.is_none()
    }

    /// The items that `list` picks from its values; none if there are no values.
    pub fn each<'a, T: 'a>(
        &'a self,
        list: fn(&'a Reading) -> &'a [T],
    ) -> impl Iterator<Item = &'a T> {
        self.reading.as_deref().into_iter().flat_map(list)
    }
}

/// A target that has changed, in its current state.
#[derive(Clone, Debug)]
pub struct TargetChange {
    /// The target.
    pub target: Arc<Target>,
    /// Generation in which it was added.
    pub added: u64,
    /// State of its polls.
    pub state: TargetState,
    /// Its last good reading.
    pub reading: Option<Arc<Reading>>,
    /// Generation of the last change of the reading, or of the target's settings.
    pub reading_changed: u64,
    /// When the reading is, or was, withdrawn, as time since boot.
    pub stale_at: Option<SignedDuration>,
    /// What a directory says about it.
    pub listing: Option<ListingChange>,
}

/// What a directory says about a target.
#[derive(Clone, Debug)]
pub struct ListingChange {
    /// What is said.
    pub listing: Arc<ResourceListing>,
    /// Generation of its last change.
    pub changed: u64,
    /// When it is, or was, withdrawn, as time since boot.
    pub stale_at: SignedDuration,
}

/// What is known about a target.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) target: Arc<Target>,
    pub(super) state: TargetState,
    read: Option<Read>,
    listed: Option<Listed>,
    failure: Option<Failure>,
    failing_since: Option<Moment>,
    last_failure: Option<(Failure, Moment)>,
    /// Generation in which it was added.
    pub(super) added: u64,
    /// Generation of its last change.
    pub(super) changed: u64,
}

/// The last good reading.
#[derive(Debug)]
struct Read {
    reading: Arc<Reading>,
    at: Moment,
    /// Generation of the last change of the reading, or of the target's settings.
    changed: u64,
}

/// What a discovery target has said about the cluster or server of a target.
#[derive(Debug)]
struct Listed {
    listing: Arc<ResourceListing>,
    /// The discovery target.
    by: TargetId,
    at: Moment,
    stale_after: Duration,
    /// Generation of the last change of the listing.
    changed: u64,
}

impl Entry {
    pub(super) fn new(target: Arc<Target>, generation: u64) -> Self {
        Self {
            target,
            state: TargetState::default(),
            read: None,
            listed: None,
            failure: None,
            failing_since: None,
            last_failure: None,
            added: generation,
            changed: generation,
        }
    }

    /// Changes the settings of the target.
    pub(super) fn retarget(&mut self, target: Arc<Target>, generation: u64) {
        self.target = target;
        if let Some(read) = &mut self.read {
            read.changed = generation;
        }
    }

    /// Records a reading; if it is the same as before, only its age changes.
    pub(super) fn record(&mut self, reading: Reading, at: Moment, generation: u64) {
        self.state.last_read = Some(at.wall);
        match &mut self.read {
            Some(read) if *read.reading == reading => read.at = at,
            _ => self.read = Some(Read { reading: Arc::new(reading), at, changed: generation }),
        }
    }

    /// Records what the discovery target `by` has said at a time; of several, the newest counts.
    /// Returns whether anything is new.
    pub(super) fn list(
        &mut self,
        by: &TargetId,
        (listing, at): (&Arc<ResourceListing>, Moment),
        stale_after: Duration,
        generation: u64,
    ) -> bool {
        match &mut self.listed {
            Some(listed) if listed.at.wall == at.wall => {
                let is_new = listed.by == *by && listed.stale_after != stale_after;
                if is_new {
                    listed.stale_after = stale_after;
                }
                return is_new;
            }
            Some(listed) if listed.at.boot > at.boot => return false,
            _ => {}
        }
        let same = self.listed.take().filter(|listed| *listed.listing == **listing);
        let (listing, changed) = match same {
            Some(Listed { listing, changed, .. }) => (listing, changed),
            None => (Arc::clone(listing), generation),
        };
        self.listed = Some(Listed { listing, by: by.clone(), at, stale_after, changed });
        true
    }

    /// Forgets what was said by a discovery target that is gone, by `is_gone`. Returns whether
    /// anything was.
    pub(super) fn unlist(&mut self, is_gone: impl Fn(&TargetId) -> bool) -> bool {
        self.listed.take_if(|listed| is_gone(&listed.by)).is_some()
    }

    pub(super) fn poll_ended(&mut self, end: PollEnd) {
        self.state.up = Some(end.failure.is_none());
        self.state.failing = end.failure.as_ref().map(|failure| failure.reason);
        self.state.lists = end.lists;
        self.state.took = Some(end.took);
        self.state.next_poll = Some(end.next);
        self.state.stale_after = Some(end.stale_after);
        match &end.failure {
            None => {
                self.state.last_success = Some(end.ended.wall);
                self.failing_since = None;
            }
            Some(failure) => {
                self.failing_since.get_or_insert(end.ended);
                self.last_failure = Some((failure.clone(), end.ended));
            }
        }
        self.failure = end.failure;
    }

    /// The next poll is overdue, so the result of the last one no longer holds.
    pub(super) fn overdue(&mut self, failure: Failure, at: Moment) {
        self.state.up = Some(false);
        self.state.failing = Some(failure.reason);
        self.failing_since.get_or_insert(at);
        self.last_failure = Some((failure.clone(), at));
        self.failure = Some(failure);
    }

    /// When the last good reading is, or was, withdrawn, as time since boot; absent if there is
    /// none.
    fn stale_at(&self) -> Option<SignedDuration> {
        let read = self.read.as_ref()?;
        Some(withdrawn_at(read.at, self.state.stale_after))
    }

    /// Its current state.
    pub(super) fn change(&self) -> TargetChange {
        TargetChange {
            target: Arc::clone(&self.target),
            added: self.added,
            state: self.state.clone(),
            reading: self.read.as_ref().map(|read| Arc::clone(&read.reading)),
            reading_changed: self.read.as_ref().map_or(0, |read| read.changed),
            stale_at: self.stale_at(),
            listing: self.listed.as_ref().map(Listed::change),
        }
    }

    pub(super) fn view(&self, now: Moment) -> View {
        let fresh = self.read.as_ref().filter(|_| self.stale_at().is_some_and(|at| now.boot < at));
        let told = |moment: Moment| moment.by_clock_of(now);
        View {
            target: Arc::clone(&self.target),
            state: self.state.clone(),
            failure: self.failure.clone(),
            failing_since: self.failing_since.map(told),
            last_failure: self.last_failure.clone().map(|(failure, at)| (failure, told(at))),
            read_at: self.read.as_ref().map(|read| told(read.at)),
            reading: fresh.map(|read| Arc::clone(&read.reading)),
        }
    }
}

impl Listed {
    fn change(&self) -> ListingChange {
        ListingChange {
            listing: Arc::clone(&self.listing),
            changed: self.changed,
            stale_at: withdrawn_at(self.at, Some(self.stale_after)),
        }
    }
}

/// When values read at `read` are withdrawn, as time since boot; without an age, never.
fn withdrawn_at(read: Moment, stale_after: Option<Duration>) -> SignedDuration {
    let age = stale_after.and_then(|age| SignedDuration::try_from(age).ok());
    age.map_or(SignedDuration::MAX, |age| read.boot.saturating_add(age))
}
