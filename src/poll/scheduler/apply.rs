//! How targets start, change and stop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Scheduler;
use super::slot::{Phase, Slot};
use crate::config::{Config, Poll};
use crate::model::Reason;
use crate::poll::plan::{Memory, Plan};
use crate::poll::{after, demand};
use crate::target::{Findings, Kind, Target, TargetId, searches, targets};

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
    added: Vec<TargetId>,
}

impl Scheduler {
    /// Starts, changes and stops targets so that they are those of `config` and of what discovery has found for it so far. A
    /// changed target keeps what is known of it, a new one takes it from `restore`, a removed one leaves it to the caller.
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

    /// The same for nothing but discovery: where there is to be looked, and nothing of what is found.
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
        let mut start = Start { restore, same_settings, now, added: Vec::new() };
        let findings = self.look(config, &mut start);
        let wanted = targets(config, &findings);
        self.budget(config, &wanted);
        let ids: BTreeSet<&TargetId> = wanted.iter().map(|target| &target.id).collect();
        let gone: Vec<TargetId> = self.slots.keys().filter(|id| !ids.contains(id)).cloned().collect();
        let removed: Vec<_> =
            gone.into_iter().filter_map(|id| Some((id.clone(), self.remove(&id)?.plan.into_memory()))).collect();
        let others: Vec<&Target> = wanted.iter().filter(|target| target.id.kind != Kind::Discovery).collect();
        self.start_all(&others, &mut start);
        Change { targets: wanted, added: start.added, removed }
    }

    /// Starts what looks for others: what it knows already may lead to more places to look in. What all of it has found.
    fn look(&mut self, config: &Config, start: &mut Start<'_>) -> Findings {
        let mut findings = Findings::new();
        loop {
            let mut unasked = searches(config, &findings);
            unasked.retain(|target| !findings.contains_key(&target.id));
            if unasked.is_empty() {
                return findings;
            }
            self.start_all(&unasked.iter().collect::<Vec<_>>(), start);
            for target in unasked {
                let found = self.slots.get(&target.id).map(|slot| slot.plan.found());
                findings.insert(target.id, found.unwrap_or_default());
            }
        }
    }

    /// Starts what is new and changes what is other than it was; first polls follow each other at a distance.
    fn start_all(&mut self, wanted: &[&Target], start: &mut Start<'_>) {
        let spread = spread(&self.settings, wanted.len());
        let soonest = after(start.now, self.settings.interval);
        let mut first = start.now;
        for target in wanted {
            // Nothing that is asked hangs on a name.
            if let Some(slot) = self.slots.get_mut(&target.id) {
                slot.target.name = Arc::clone(&target.name);
            }
            let same_target = self.slots.get(&target.id).is_some_and(|slot| slot.target == **target);
            if same_target && start.same_settings {
                continue;
            }
            match self.remove(&target.id) {
                Some(old) => {
                    // No later than the new settings say, should they be the quicker ones.
                    let due = if same_target { old.due.min(soonest) } else { start.now };
                    let failing = old.failing.filter(|_| same_target);
                    self.insert((*target).clone(), Some(old.plan.into_memory()), due, (old.last_open, failing));
                }
                None => {
                    let memory = (start.restore)(&target.id).map(Memory::after_a_gap);
                    self.insert((*target).clone(), memory, first, (start.now, None));
                    first = after(first, spread);
                    start.added.push(target.id.clone());
                }
            }
        }
    }

    fn budget(&mut self, config: &Config, wanted: &[Target]) {
        let budgets = demand::budgets(config, wanted);
        self.governor.retain(|key| budgets.contains_key(key));
        budgets.into_iter().for_each(|(key, quota)| self.governor.set(key, quota));
    }

    fn insert(
        &mut self,
        target: Target,
        memory: Option<Memory>,
        due: Timestamp,
        (last_open, failing): (Timestamp, Option<Reason>),
    ) {
        let (id, plan) = (target.id.clone(), Plan::new(&target, &self.settings, memory));
        self.timers.insert((due, id.clone()));
        let phase = Phase::Timer(due);
        self.slots.insert(id, Slot { target, plan, due, last_open, failing, cut_short: false, poll: None, phase });
    }

    pub(super) fn remove(&mut self, id: &TargetId) -> Option<Slot> {
        let slot = self.slots.remove(id)?;
        self.leave(id, slot.due, &slot.phase);
        Some(slot)
    }
}

/// Time between the first polls of two targets out of `targets`.
pub fn spread(settings: &Poll, targets: usize) -> Duration {
    SPREAD.min(settings.interval / u32::try_from(targets.max(1)).unwrap_or(u32::MAX))
}
