//! How targets start, change and stop.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Scheduler;
use super::slot::{Phase, Slot};
use crate::config::{Config, Poll};
use crate::model::Reason;
use crate::poll::plan::{Memory, Plan};
use crate::poll::{after, demand};
use crate::target::{Target, TargetId, polled, targets};

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
        let wanted = polled(targets(config));
        self.budget(config, &wanted);
        let mut old = self.remove_all_but(&wanted, same_settings);
        let mut known = BTreeMap::new();
        let mut pasts = BTreeMap::new();
        for slot in old.drain(..) {
            let id = slot.target.id.clone();
            pasts.insert(id.clone(), (slot.target, slot.due, slot.last_open, slot.failing));
            known.extend(slot.plan.into_memories(id));
        }
        let spread = spread(&self.settings, wanted.len());
        let soonest = after(now, self.settings.interval);
        let mut first = now;
        for target in wanted {
            if self.slots.contains_key(&target.id) {
                continue;
            }
            // What was known of a server goes with it from one way of asking to the other.
            let recall = |id: &TargetId| known.remove(id).or_else(|| restore(id).map(Memory::after_a_gap));
            let plan = Plan::new(&target, &self.settings, recall);
            match pasts.remove(&target.id) {
                Some((old, due, last_open, failing)) => {
                    let same_target = old == target;
                    // No later than the new settings say, should they be the quicker ones.
                    let due = if same_target { due.min(soonest) } else { now };
                    self.insert(target, plan, due, (last_open, failing.filter(|_| same_target)));
                }
                None => {
                    self.insert(target, plan, first, (now, None));
                    first = after(first, spread);
                }
            }
        }
        known.into_iter().collect()
    }

    /// Removes what is not wanted any more, or not as it is.
    fn remove_all_but(&mut self, wanted: &[Target], same_settings: bool) -> Vec<Slot> {
        let wanted: BTreeMap<&TargetId, &Target> = wanted.iter().map(|target| (&target.id, target)).collect();
        let stays = |slot: &Slot| same_settings && wanted.get(&slot.target.id) == Some(&&slot.target);
        let leaving = self.slots.values().filter(|slot| !stays(slot)).map(|slot| slot.target.id.clone());
        let leaving: Vec<TargetId> = leaving.collect();
        leaving.iter().filter_map(|id| self.remove(id)).collect()
    }

    fn budget(&mut self, config: &Config, wanted: &[Target]) {
        let budgets = demand::budgets(config, wanted);
        self.governor.retain(|key| budgets.contains_key(key));
        budgets.into_iter().for_each(|(key, quota)| self.governor.set(key, quota));
    }

    fn insert(
        &mut self,
        target: Target,
        plan: Plan,
        due: Timestamp,
        (last_open, failing): (Timestamp, Option<Reason>),
    ) {
        let id = target.id.clone();
        let members = target.members().iter().filter(|member| member.id != id);
        self.shared.extend(members.map(|member| (member.id.clone(), id.clone())));
        self.timers.insert((due, id.clone()));
        let phase = Phase::Timer(due);
        self.slots.insert(id, Slot { target, plan, due, last_open, failing, cut_short: false, poll: None, phase });
    }

    pub(super) fn remove(&mut self, id: &TargetId) -> Option<Slot> {
        let slot = self.slots.remove(id)?;
        slot.target.members().iter().for_each(|member| {
            self.shared.remove(&member.id);
        });
        self.leave(id, slot.due, &slot.phase);
        Some(slot)
    }
}

/// Time between the first polls of two targets out of `targets`.
pub fn spread(settings: &Poll, targets: usize) -> Duration {
    SPREAD.min(settings.interval / u32::try_from(targets.max(1)).unwrap_or(u32::MAX))
}
