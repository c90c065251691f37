//! Current state, typed: targets, accounts, budgets, this instance. Written by polling, read by
//! [`crate::exposition`] and the status page. Staleness is decided here and nowhere else.

mod accounts;
mod budgets;
mod exporter;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Moment;
use crate::model::{Failure, Reading, ResourceListing};
use crate::target::{Target, TargetId};

pub use accounts::Accounts;
pub use budgets::{BudgetStatus, Budgets, Outcomes};
pub use exporter::{Exporter, MAX_WORDS, Role, UnknownWord};
use target::Entry;
pub use target::{ListingChange, PollEnd, TargetChange, TargetState, View};

/// Every target with its last good reading and its last failure, every account and every budget.
#[derive(Debug, Default)]
pub struct Store {
    /// Budgets, and the requests that were made.
    pub budgets: Budgets,
    /// State of each account.
    pub accounts: Accounts,
    /// State of this instance.
    pub exporter: Exporter,
    targets: RwLock<Targets>,
    /// Notified of each change of a target.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Targets {
    entries: BTreeMap<TargetId, Entry>,
    /// Grows with every change.
    generation: u64,
    /// Targets by the generation of their last change.
    log: BTreeMap<u64, TargetId>,
    /// Generation in which targets were last added or removed.
    retargeted: u64,
    /// Accounts that the cloud has not answered yet.
    unanswered: BTreeSet<Arc<str>>,
    answered: BTreeSet<Arc<str>>,
}

/// What has changed since a generation, the oldest changes first.
#[derive(Debug)]
pub struct Changes {
    /// All changes up to this generation are included.
    pub generation: u64,
    /// Targets that have changed, in their current state.
    pub targets: Vec<TargetChange>,
    /// All current targets, if that set has changed.
    pub present: Option<BTreeSet<TargetId>>,
}

impl Store {
    /// Replaces the targets. One that stays keeps its values.
    pub fn retarget(&self, targets: Vec<Arc<Target>>) {
        let mut inner = self.write();
        inner.generation += 1;
        let generation = inner.generation;
        inner.retargeted = generation;
        let accounts = targets.iter().map(|target| &target.account);
        inner.unanswered =
            accounts.filter(|account| !inner.answered.contains(*account)).cloned().collect();
        let mut old = std::mem::take(&mut inner.entries);
        let mut changed = Vec::new();
        for target in targets {
            let id = target.id.clone();
            let entry = match old.remove(&id) {
                Some(entry) if entry.target == target => entry,
                Some(mut entry) => {
                    entry.retarget(target, generation);
                    changed.push(id.clone());
                    entry
                }
                None => {
                    changed.push(id.clone());
                    Entry::new(target, generation)
                }
            };
            inner.entries.insert(id, entry);
        }
        for entry in old.values() {
            inner.log.remove(&entry.changed);
        }
        changed.extend(inner.unlist(|id| old.contains_key(id)));
        for id in &changed {
            inner.log_change(id);
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Records a reading of a target; if it is the same as before, only its age changes.
    pub fn record(&self, id: &TargetId, reading: Reading, at: Moment) {
        self.change(id, |entry, generation| entry.record(reading, at, generation));
    }

    /// Shows at `now` what was known about a target before a restart, with the times of its reading
    /// and of its last successful poll. Its age is by the wall clock, at least 0.
    pub fn restore(
        &self,
        id: &TargetId,
        reading: Reading,
        (at, last_success): (Timestamp, Option<Timestamp>),
        stale_after: Duration,
        now: Moment,
    ) {
        self.change(id, |entry, generation| {
            entry.state.last_success = last_success;
            entry.state.stale_after = Some(stale_after);
            entry.record(reading, now.remembered(at), generation);
        });
    }

    /// Records what the discovery target `by` says about clusters and servers, by their polled
    /// targets, and when it said so: to be withdrawn with its values or, if it has none yet, after
    /// `stale_after`. What it no longer says is withdrawn at once.
    pub fn list(
        &self,
        by: &TargetId,
        listings: &BTreeMap<TargetId, (Arc<ResourceListing>, Moment)>,
        stale_after: Duration,
    ) {
        let mut inner = self.write();
        let known = inner.entries.get(by).and_then(|entry| entry.state.stale_after);
        let stale_after = known.unwrap_or(stale_after);
        let generation = inner.generation + 1;
        let mut changed = Vec::new();
        for (id, entry) in &mut inner.entries {
            let is_new = match listings.get(id) {
                Some((listing, at)) => entry.list(by, (listing, *at), stale_after, generation),
                None => entry.unlist(|lister| lister == by),
            };
            changed.extend(is_new.then(|| id.clone()));
        }
        for id in &changed {
            inner.log_change(id);
        }
        drop(inner);
        if !changed.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Records when polls are planned, so that a target that waits for its first turn shows how
    /// late it is.
    pub fn planned<'a>(&self, polls: impl Iterator<Item = (&'a TargetId, Timestamp)>) {
        let mut inner = self.write();
        for (id, next) in polls {
            inner.change(id, |entry, _| entry.state.next_poll = Some(next));
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Records how a poll ended.
    pub fn poll_ended(&self, id: &TargetId, end: PollEnd) {
        self.change(id, |entry, _| entry.poll_ended(end));
    }

    /// Records that the next poll of a target is overdue, and why; the target counts as failing
    /// until a poll ends.
    pub fn overdue(&self, id: &TargetId, failure: Failure, at: Moment) {
        self.change(id, |entry, _| entry.overdue(failure, at));
    }

    /// Changes a target, if it exists, in a new generation.
    fn change(&self, id: &TargetId, change: impl FnOnce(&mut Entry, u64)) {
        self.write().change(id, change);
        self.changed.notify_one();
    }

    /// Waits until a target changes; returns at once if one has changed since the last return. For
    /// one caller.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Records that the cloud has answered an account, even if only with an error.
    pub fn answered(&self, account: &Arc<str>) {
        if self.read().answered.contains(account) {
            return;
        }
        let mut inner = self.write();
        inner.unanswered.remove(account);
        inner.answered.insert(Arc::clone(account));
    }

    /// Accounts that the cloud has not answered since the start.
    pub fn unanswered(&self) -> Vec<Arc<str>> {
        self.read().unanswered.iter().cloned().collect()
    }

    /// Grows with every change of a target.
    pub fn generation(&self) -> u64 {
        self.read().generation
    }

    /// What has changed after `generation`, of at most `limit` targets.
    pub fn changes_since(&self, generation: u64, limit: usize) -> Changes {
        let inner = self.read();
        let present =
            (inner.retargeted > generation).then(|| inner.entries.keys().cloned().collect());
        let after = (Bound::Excluded(generation), Bound::Unbounded);
        let mut reached = inner.generation;
        let mut targets = Vec::new();
        for (changed, id) in inner.log.range(after) {
            if targets.len() == limit {
                break;
            }
            reached = *changed;
            targets.extend(inner.entries.get(id).map(Entry::change));
        }
        if targets.len() < limit {
            reached = inner.generation;
        }
        Changes { generation: reached, targets, present }
    }

    /// Current state of a target.
    pub fn target(&self, id: &TargetId) -> Option<TargetChange> {
        self.read().entries.get(id).map(Entry::change)
    }

    /// Every target as a person sees it at `now`.
    pub fn views(&self, now: Moment) -> Vec<View> {
        self.read().entries.values().map(|entry| entry.view(now)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Targets> {
        self.targets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Targets> {
        self.targets.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Targets {
    /// Forgets what was said by discovery targets that are gone, by `is_gone`. Returns the targets
    /// that this was about.
    fn unlist(&mut self, is_gone: impl Fn(&TargetId) -> bool) -> Vec<TargetId> {
        let listed = self
            .entries
            .iter_mut()
            .filter_map(|(id, entry)| entry.unlist(&is_gone).then(|| id.clone()));
        listed.collect()
    }

    /// Changes a target, if it exists, in a new generation.
    fn change(&mut self, id: &TargetId, change: impl FnOnce(&mut Entry, u64)) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.generation += 1;
        change(entry, self.generation);
        self.log.remove(&entry.changed);
        entry.changed = self.generation;
        self.log.insert(self.generation, id.clone());
    }

    /// Starts a generation in which a target has changed.
    fn log_change(&mut self, id: &TargetId) {
        self.change(id, |_, _| {});
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::{SignedDuration, Timestamp};

    use super::{Changes, Store};
    use crate::clock::Moment;
    use crate::config::InvocationWindow;
    use crate::model::{Reading, SwasInvocationsReading};
    use crate::target::{Kind, Scope, Target, TargetId};

    fn target(id: &str, name: &str) -> Arc<Target> {
        Arc::new(Target {
            id: TargetId { kind: Kind::SwasInvocations, id: id.into() },
            account: "a".into(),
            quota_group: "a".into(),
            region: "r".into(),
            name: name.into(),
            scope: Scope::SwasInvocations(InvocationWindow::default()),
        })
    }

    fn read(store: &Store, id: &str, finished: u64) {
        let finished = [(crate::model::InvocationStatus::Success, finished)].into();
        let reading = SwasInvocationsReading { finished, ..SwasInvocationsReading::default() };
        let at = Moment { wall: Timestamp::UNIX_EPOCH, boot: SignedDuration::ZERO };
        store.record(&target(id, "").id, Reading::SwasInvocations(reading), at);
    }

    fn ids(changes: &Changes) -> Vec<&str> {
        changes.targets.iter().map(|change| &*change.target.id.id).collect()
    }

    #[test]
    fn each_change_is_handed_out_once_to_one_who_asks_from_where_the_last_answer_ended() {
        let store = Store::default();
        store.retarget(["a", "b", "c"].map(|id| target(id, "n")).to_vec());
        let all = store.changes_since(0, 10);
        assert_eq!(
            (ids(&all), all.present.as_ref().map(|ids| ids.len())),
            (vec!["a", "b", "c"], Some(3))
        );
        assert_eq!(all.generation, store.generation());
        read(&store, "c", 1);
        read(&store, "a", 1);
        read(&store, "c", 2);
        let new = store.changes_since(all.generation, 10);
        assert_eq!(ids(&new), ["a", "c"]);
        assert!(new.present.is_none());
        assert!(store.changes_since(new.generation, 10).targets.is_empty());
    }

    #[test]
    fn what_is_asked_for_in_parts_is_handed_out_whole_though_targets_change_meanwhile() {
        let store = Store::default();
        store.retarget(["a", "b", "c"].map(|id| target(id, "n")).to_vec());
        let first = store.changes_since(0, 2);
        assert_eq!(ids(&first), ["a", "b"]);
        read(&store, "a", 1);
        let second = store.changes_since(first.generation, 2);
        assert_eq!((ids(&second), second.generation), (vec!["c", "a"], store.generation()));
    }

    #[test]
    fn a_reading_that_says_the_same_is_the_same_and_one_under_other_settings_is_not() {
        let store = Store::default();
        store.retarget(vec![target("a", "n")]);
        let changed = || store.target(&target("a", "").id).unwrap().reading_changed;
        read(&store, "a", 1);
        let first = changed();
        read(&store, "a", 1);
        assert_eq!(changed(), first);
        read(&store, "a", 2);
        let second = changed();
        assert!(second > first);
        store.retarget(vec![target("a", "n")]);
        assert_eq!(changed(), second);
        store.retarget(vec![target("a", "other")]);
        assert!(changed() > second);
    }

    #[test]
    fn of_targets_that_come_and_go_nothing_stays_behind() {
        let store = Store::default();
        for round in 0..100 {
            store.retarget(vec![target(&round.to_string(), "n")]);
            read(&store, &round.to_string(), round);
        }
        assert_eq!(ids(&store.changes_since(0, 1000)), ["99"]);
        assert_eq!(store.read().log.len(), 1);
    }
}
