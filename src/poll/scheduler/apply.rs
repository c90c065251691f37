//! How targets start, change and stop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::Scheduler;
use super::scheduled::{EndRate, Phase, ScheduledTarget};
use crate::config::{Config, Poll};
use crate::model::Reason;
use crate::poll::tracker::{Memory, Tracker};
use crate::poll::{after, planned_load};
use crate::target::{Findings, Kind, Target, TargetId, polled, searches, targets};

/// First polls follow each other at this distance, all within one `interval`.
const SPREAD: Duration = Duration::from_millis(100);

/// What has become of the targets.
#[derive(Debug, Default)]
pub struct Change {
    /// All there are now: what is configured in its order, what was found behind it.
    pub targets: Vec<Target>,
    /// Which of them there were not before.
    pub added: Vec<TargetId>,
    /// Which there are no longer, and what was known of each.
    pub removed: Vec<(TargetId, Memory)>,
}

/// How targets are started in one go.
struct Start<'a> {
    restore: &'a mut dyn FnMut(&TargetId) -> Option<Memory>,
    same_settings: bool,
    now: Timestamp,
    /// What was asked for, of what is asked for no more, or not like that.
    pasts: BTreeMap<TargetId, Past>,
    /// What was known of it.
    known: BTreeMap<TargetId, Memory>,
}

/// Where something stood that is asked for no more, or not like that.
struct Past {
    target: Target,
    due: Timestamp,
    last_open: Timestamp,
    failing: Option<Reason>,
}

impl Scheduler {
    /// Starts, changes and stops targets so that they are those of `config` and of what discovery
    /// has found for it so far. A changed target keeps what is known of it, a new one takes it
    /// from `restore`, a removed one leaves it to the caller.
    ///
    /// To be called again after each [`crate::poll::Notice::Discovered`].
    pub fn apply(
        &mut self,
        config: &Config,
        mut restore: impl FnMut(&TargetId) -> Option<Memory>,
        now: Timestamp,
    ) -> Change {
        self.apply_all(config, &mut restore, targets, now)
    }

    /// The same for nothing but discovery: where there is to be looked, and nothing of what is
    /// found.
    pub fn apply_searches(&mut self, config: &Config, now: Timestamp) -> Change {
        self.apply_all(config, &mut |_| None, searches, now)
    }

    fn apply_all(
        &mut self,
        config: &Config,
        restore: &mut dyn FnMut(&TargetId) -> Option<Memory>,
        targets: fn(&Config, &Findings) -> Vec<Target>,
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
        self.budget(config, &asked);
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

    /// Every target there is.
    fn members(&self) -> impl Iterator<Item = TargetId> {
        self.targets
            .values()
            .flat_map(|scheduled| scheduled.target.members().iter().map(|member| member.id.clone()))
    }

    /// Starts what looks for others: what it knows already may lead to more places to look in. What
    /// all of it has found.
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
                findings.insert(target.id, found.unwrap_or_default());
            }
        }
    }

    /// Starts what is new and changes what is other than it was; first polls follow each other at a
    /// distance.
    fn start_all(&mut self, wanted: Vec<Target>, start: &mut Start<'_>) {
        let spread = spread(&self.settings, wanted.len());
        let changed = wanted.into_iter().filter_map(|target| self.unless_it_stays(target, start));
        let changed: Vec<Target> = changed.collect();
        let soonest = after(start.now, self.settings.interval);
        let mut first = start.now;
        for target in changed {
            // What was known of a server goes with it from one way of asking to the other.
            let mut recall = |id: &TargetId| {
                start.known.remove(id).or_else(|| (start.restore)(id).map(Memory::after_a_gap))
            };
            let tracker = Tracker::new(&target, &self.settings, &mut recall);
            match start.pasts.remove(&target.id) {
                Some(past) => {
                    let same_target = past.target.is_asked_like(&target);
                    // No later than the new settings say, should they be the quicker ones.
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

    /// Gives `target` back if it must be started, because it is new or not asked for as it was.
    fn unless_it_stays(&mut self, target: Target, start: &mut Start<'_>) -> Option<Target> {
        match self.targets.get_mut(&target.id) {
            // No call depends on a name.
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

    /// Stops asking for a target, and keeps what is known of it, or of each that it stands for.
    fn set_aside(&mut self, id: &TargetId, start: &mut Start<'_>) {
        // A new one has nothing to keep.
        let Some(ScheduledTarget { target, tracker, due, last_open, failing, .. }) =
            self.remove(id)
        else {
            return;
        };
        start.known.extend(tracker.into_memories(id.clone()));
        start.pasts.insert(id.clone(), Past { target, due, last_open, failing });
    }

    fn budget(&mut self, config: &Config, wanted: &[Target]) {
        let budgets = planned_load::budgets(config, wanted);
        self.rate_limiter.retain(|key| budgets.contains_key(key));
        self.throttled.retain(|key| budgets.contains_key(key));
        for (key, quota) in budgets {
            self.rate_limiter.set(key, quota);
        }
    }

    fn insert(
        &mut self,
        target: Target,
        tracker: Tracker,
        due: Timestamp,
        (last_open, failing): (Timestamp, Option<Reason>),
    ) {
        let id = target.id.clone();
        let members = target.members().iter().filter(|member| member.id != id);
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
        self.targets.insert(id, scheduled);
    }

    pub(super) fn remove(&mut self, id: &TargetId) -> Option<ScheduledTarget> {
        let scheduled = self.targets.remove(id)?;
        scheduled.target.members().iter().for_each(|member| {
            self.shared.remove(&member.id);
        });
        self.leave(id, scheduled.due, &scheduled.phase);
        Some(scheduled)
    }
}

/// Time between the first polls of two targets out of `targets`.
pub fn spread(settings: &Poll, targets: usize) -> Duration {
    SPREAD.min(settings.interval / u32::try_from(targets.max(1)).unwrap_or(u32::MAX))
}
