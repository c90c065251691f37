//! How targets start, change and stop.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Scheduler;
use super::slot::{EndRate, Phase, Slot};
use crate::config::{Config, Poll};
use crate::model::Reason;
use crate::poll::plan::{Memory, Plan};
use crate::poll::{after, demand};
use crate::target::{Target, TargetId, targets};

/// First polls follow each other at this distance, all within one `interval`.
const SPREAD: Duration = Duration::from_millis(100);

impl Scheduler {
    /// Starts, changes and stops targets so that they are those of `config`. A changed target keeps what is known of it, a
    /// new one takes it from `restore`, a removed one leaves it to the caller.
    pub fn apply(
        &mut self,
        config: &Config,
        mut restore: impl FnMut(&TargetId) -> Option<Memory>,
        now: Timestamp,
    ) -> Vec<(TargetId, Memory)> {
        let same_settings = self.settings == config.poll;
        self.settings = config.poll.clone();
        let wanted = targets(config);
        self.budget(config, &wanted);
        let ids: BTreeSet<&TargetId> = wanted.iter().map(|target| &target.id).collect();
        let gone: Vec<TargetId> = self.slots.keys().filter(|id| !ids.contains(id)).cloned().collect();
        let removed: Vec<_> =
            gone.into_iter().filter_map(|id| Some((id.clone(), self.remove(&id)?.plan.into_memory()))).collect();
        let spread = spread(&self.settings, wanted.len());
        let soonest = after(now, self.settings.interval);
        let mut first = now;
        for target in wanted {
            let same_target = self.slots.get(&target.id).is_some_and(|slot| slot.target == target);
            if same_target && same_settings {
                continue;
            }
            match self.remove(&target.id) {
                Some(old) => {
                    // No later than the new settings say, should they be the quicker ones.
                    let due = if same_target { old.due.min(soonest) } else { now };
                    let failing = old.failing.filter(|_| same_target);
                    self.insert(target, Some(old.plan.into_memory()), due, (old.last_open, failing));
                }
                None => {
                    let memory = restore(&target.id).map(Memory::after_a_gap);
                    self.insert(target, memory, first, (now, None));
                    first = after(first, spread);
                }
            }
        }
        removed
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
        let (cut_short, ends, poll) = (false, EndRate::new(due), None);
        self.slots.insert(id, Slot { target, plan, due, last_open, failing, cut_short, ends, poll, phase });
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
