//! How targets start, change and stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Scheduler;
use super::scheduled::{EndRate, Phase, ScheduledTarget};
use crate::config::{Config, Poll};
use crate::model::Reason;
use crate::poll::planned_load;
use crate::poll::time::after;
use crate::poll::tracker::{Memory, Tracker};
use crate::target::{Findings, Kind, Target, TargetId, polled, searches, targets};

/// Maximum time between two first polls; all of them come within one `interval`.
const SPREAD: Duration = Duration::from_millis(100);

/// Result of a change of targets.
#[derive(Debug, Default)]
pub struct Change {
    /// All current targets: the configured ones in their order, then the discovered ones.
    pub targets: Vec<Arc<Target>>,
    /// The new ones.
    pub added: Vec<TargetId>,
    /// The removed ones, with the memory of each.
    pub removed: Vec<(TargetId, Memory<'static>)>,
}

/// Inputs and state of starting several targets.
struct Start<'a> {
    restore: &'a mut dyn FnMut(&TargetId) -> Option<Memory<'static>>,
    same_settings: bool,
    now: Timestamp,
    /// Previous state of targets that are gone or polled differently now.
    pasts: BTreeMap<TargetId, Past>,
    /// Their memories.
    known: BTreeMap<TargetId, Memory<'static>>,
}

/// Previous state of a target that is gone or polled differently now.
struct Past {
    target: Arc<Target>,
    due: Timestamp,
    last_open: Timestamp,
    failing: Option<Reason>,
}

impl Scheduler {
    /// Starts, changes and stops targets to match `config` and what discovery has found for it so
    /// far. A changed target keeps its memory, a new one gets it from `restore`, a removed one's is
    /// returned.
    ///
    /// To be called again after each [`crate::poll::Notice::Discovered`].
    pub fn apply(
        &mut self,
        config: &Config,
        mut restore: impl FnMut(&TargetId) -> Option<Memory<'static>>,
        now: Timestamp,
    ) -> Change {
        self.apply_all(config, &mut restore, targets, now)
    }

    /// Like [`Scheduler::apply`], but only for discovery targets: nothing that they find is polled.
    pub fn apply_searches(&mut self, config: &Config, now: Timestamp) -> Change {
        self.apply_all(config, &mut |_| None, searches, now)
    }

    fn apply_all(
        &mut self,
        config: &Config,
        restore: &mut dyn FnMut(&TargetId) -> Option<Memory<'static>>,
        targets: fn(&Config, &Findings) -> Vec<Arc<Target>>,
        now: Timestamp,
    ) -> Change {
        let same_settings = self.settings == config.poll;
        self.settings = config.poll.clone();
        let before: BTreeSet<TargetId> = self.members().collect();
        let mut start =
            Start { restore, same_settings, now, pasts: BTreeMap::new(), known: BTreeMap::new() };
        let findings = self.look(config, &mut start);
        let targets = targets(config, &findings);
        let mut asked = polled(targets.clone());
        self.budget(config, &asked, start.now);
        let ids: BTreeSet<&TargetId> = asked.iter().map(|target| &target.id).collect();
        let gone: Vec<TargetId> =
            self.targets.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for id in &gone {
            self.set_aside(id, &mut start);
        }
        asked.retain(|target| target.id.kind != Kind::Discovery);
        self.start_all(asked, &mut start);
        let added = targets
            .iter()
            .map(|target| target.id.clone())
            .filter(|id| !before.contains(id))
            .collect();
        Change { targets, added, removed: start.known.into_iter().collect() }
    }

    /// All current targets.
    fn members(&self) -> impl Iterator<Item = TargetId> {
        self.targets
            .values()
            .flat_map(|scheduled| scheduled.target.members().map(|member| member.id.clone()))
    }

    /// Starts the discovery targets: what one already knows may lead to more places to look in.
    /// Returns what all of them have found.
    fn look(&mut self, config: &Config, start: &mut Start<'_>) -> Findings {
        let mut findings = Findings::new();
        loop {
            let mut unasked = searches(config, &findings);
            unasked.retain(|target| !findings.contains_key(&target.id));
            if unasked.is_empty() {
                return findings;
            }
            self.start_all(unasked.clone(), start);
            for target in unasked {
                let found = self.targets.get(&target.id).map(|scheduled| scheduled.tracker.found());
                findings.insert(target.id.clone(), found.unwrap_or_default());
            }
        }
    }

    /// Starts new targets and restarts changed ones; first polls are spread out.
    fn start_all(&mut self, wanted: Vec<Arc<Target>>, start: &mut Start<'_>) {
        let spread = spread(&self.settings, wanted.len());
        let changed = wanted.into_iter().filter_map(|target| self.unless_it_stays(target, start));
        let changed: Vec<Arc<Target>> = changed.collect();
        let soonest = after(start.now, self.settings.interval);
        let mut first = start.now;
        for target in changed {
            // A server keeps its memory when the strategy changes.
            let mut recall = |id: &TargetId| {
                start.known.remove(id).or_else(|| (start.restore)(id).map(Memory::after_a_gap))
            };
            let tracker = Tracker::new(&target, &self.settings, &mut recall);
            match start.pasts.remove(&target.id) {
                Some(past) => {
                    let same_target = past.target.is_asked_like(&target);
                    // No later than the new settings say, if they are shorter.
                    let due = if same_target { past.due.min(soonest) } else { start.now };
                    self.insert(
                        target,
                        tracker,
                        due,
                        (past.last_open, past.failing.filter(|_| same_target)),
                    );
                }
                None => {
                    self.insert(target, tracker, first, (start.now, None));
                    first = after(first, spread);
                }
            }
        }
    }

    /// Returns `target` if it must be started, because it is new or polled differently now.
    fn unless_it_stays(
        &mut self,
        target: Arc<Target>,
        start: &mut Start<'_>,
    ) -> Option<Arc<Target>> {
        match self.targets.get_mut(&target.id) {
            // A change of name alone affects no call.
            Some(scheduled) if start.same_settings && scheduled.target.is_asked_like(&target) => {
                scheduled.target = target
            }
            _ => {
                self.set_aside(&target.id, start);
                return Some(target);
            }
        }
        None
    }

    /// Stops polling a target, and keeps its memory, or those of all its members.
    fn set_aside(&mut self, id: &TargetId, start: &mut Start<'_>) {
        // A new target has nothing to keep.
        let Some(scheduled) = self.remove(id) else { return };
        let ScheduledTarget { target, tracker, due, last_open, failing, .. } = *scheduled;
        start.known.extend(tracker.into_memories(id.clone()));
        start.pasts.insert(id.clone(), Past { target, due, last_open, failing });
    }

    fn budget(&mut self, config: &Config, wanted: &[Arc<Target>], now: Timestamp) {
        let budgets = planned_load::budgets(config, wanted);
        self.rate_limiter.retain(|key| budgets.contains_key(key), now);
        self.throttled.retain(|key| budgets.contains_key(key));
        for (key, quota) in budgets {
            self.rate_limiter.set(key, quota);
        }
    }

    fn insert(
        &mut self,
        target: Arc<Target>,
        tracker: Tracker,
        due: Timestamp,
        (last_open, failing): (Timestamp, Option<Reason>),
    ) {
        let id = target.id.clone();
        let members = target.members().filter(|member| member.id != id);
        self.shared.extend(members.map(|member| (member.id.clone(), id.clone())));
        self.timers.insert((due, id.clone()));
        let phase = Phase::Timer(due);
        let is_overdue = false;
        let cut_short = false;
        let ends = EndRate::new(due);
        let poll = None;
        let scheduled = ScheduledTarget {
            target,
            tracker,
            due,
            last_open,
            failing,
            is_overdue,
            cut_short,
            ends,
            poll,
            phase,
        };
        self.targets.insert(id, Box::new(scheduled));
    }

    pub(super) fn remove(&mut self, id: &TargetId) -> Option<Box<ScheduledTarget>> {
        let scheduled = self.targets.remove(id)?;
        for member in scheduled.target.members() {
            self.shared.remove(&member.id);
        }
        self.leave(id, scheduled.due, &scheduled.phase);
        Some(scheduled)
    }
}

/// Time between two first polls, for this number of targets.
pub fn spread(settings: &Poll, targets: usize) -> Duration {
    SPREAD.min(settings.interval / u32::try_from(targets.max(1)).unwrap_or(u32::MAX))
}
