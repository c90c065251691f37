//! Budgets of calls per minute, pure.
//!
//! One budget per (quota group, region, product, operation), because that is how the cloud counts. In no window of a
//! minute, sliding or calendar, are more calls allowed than the budget says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::aliyun::op::Product;
use crate::config::Quotas;

/// The window that calls are counted in: a minute, and a second for what may pass between sending a call and the
/// cloud counting it.
const WINDOW: SignedDuration = SignedDuration::from_secs(61);

/// What a budget is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey {
    /// One cloud account, whichever names it has in the configuration.
    pub group: Arc<str>,
    /// Region id.
    pub region: Arc<str>,
    /// Product.
    pub product: Product,
    /// Operation.
    pub operation: &'static str,
}

impl BudgetKey {
    /// Its label values: quota group, region, product, operation.
    pub fn labels(&self) -> [&str; 4] {
        [&self.group, &self.region, self.product.label(), self.operation]
    }
}

/// Every budget.
#[derive(Debug, Default)]
pub struct Governor {
    budgets: BTreeMap<BudgetKey, Budget>,
}

#[derive(Debug)]
struct Budget {
    per_minute: u32,
    taken: VecDeque<Timestamp>,
    paused_until: Option<Timestamp>,
}

impl Governor {
    /// Sets the budget of `key`, keeping what was already taken of it.
    pub fn set(&mut self, key: BudgetKey, per_minute: u32) {
        let fresh = Budget { per_minute, taken: VecDeque::new(), paused_until: None };
        self.budgets.entry(key).or_insert(fresh).per_minute = per_minute;
    }

    /// Forgets every budget that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&BudgetKey) -> bool) {
        self.budgets.retain(|key, _| keep(key));
    }

    /// Each budget with its calls per minute.
    pub fn quotas(&self) -> impl Iterator<Item = (&BudgetKey, u32)> {
        self.budgets.iter().map(|(key, budget)| (key, budget.per_minute))
    }

    /// When the next call of `key` is allowed; not after `now` means at once.
    pub fn ready_at(&self, key: &BudgetKey, now: Timestamp) -> Timestamp {
        self.blocked_until(key).unwrap_or(now)
    }

    /// Until when `key` was, or is, without a call to take.
    pub fn blocked_until(&self, key: &BudgetKey) -> Option<Timestamp> {
        self.budgets.get(key).and_then(Budget::blocked_until)
    }

    /// Takes one call out of the budget of `key`.
    pub fn take(&mut self, key: &BudgetKey, now: Timestamp) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.taken.push_back(now);
            while budget.taken.len() > budget.per_minute as usize {
                budget.taken.pop_front();
            }
        }
    }

    /// The cloud refused a call of `key`: it rests for `pause`, else until the next calendar minute.
    pub fn throttled(&mut self, key: &BudgetKey, now: Timestamp, pause: Option<Duration>) {
        let next_minute = 60 - now.as_second().rem_euclid(60).unsigned_abs();
        let pause = pause.unwrap_or(Duration::from_secs(next_minute)).min(Duration::from_secs(3600));
        let until = super::later(now, SignedDuration::try_from(pause).unwrap_or(WINDOW));
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.paused_until = budget.paused_until.max(Some(until));
        }
    }

    /// Moves every time by `step`, after the clock of this machine was set back.
    pub fn shift(&mut self, step: SignedDuration) {
        for budget in self.budgets.values_mut() {
            budget.taken.iter_mut().chain(&mut budget.paused_until).for_each(|time| *time = super::later(*time, step));
        }
    }
}

/// Calls per minute that the user allows for an operation, else the product's default.
pub(super) fn quota(quotas: &Quotas, product: Product, operation: &str) -> u32 {
    let set = |operation: Option<&str>| quotas.get(&(product.label().to_owned(), operation.map(str::to_owned)));
    set(Some(operation)).or_else(|| set(None)).copied().unwrap_or_else(|| product.default_quota())
}

impl Budget {
    fn blocked_until(&self) -> Option<Timestamp> {
        let oldest = self.taken.len().checked_sub(self.per_minute as usize).and_then(|index| self.taken.get(index));
        oldest.map(|oldest| super::later(*oldest, WINDOW)).max(self.paused_until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::{BudgetKey, Governor};
    use crate::aliyun::op::Product;

    fn key() -> BudgetKey {
        BudgetKey { group: "g".into(), region: "r".into(), product: Product::Swas, operation: "ListInstances" }
    }

    fn governor(per_minute: u32) -> Governor {
        let mut governor = Governor::default();
        governor.set(key(), per_minute);
        governor
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn no_window_of_a_minute_holds_more_calls_than_the_budget() {
        let mut governor = governor(6);
        let mut calls = Vec::new();
        for second in 0..600 {
            while governor.ready_at(&key(), at(second)) <= at(second) {
                governor.take(&key(), at(second));
                calls.push(second);
            }
        }
        assert!((55..=60).contains(&calls.len()), "{}", calls.len());
        assert!(calls.windows(7).all(|seven| seven[6] - seven[0] > 60));
    }

    #[test]
    fn a_throttled_operation_rests_until_the_next_calendar_minute_or_as_told() {
        let mut governor = governor(100);
        let now = Timestamp::from_second(1_700_000_000 / 60 * 60 + 17).unwrap();
        governor.throttled(&key(), now, None);
        assert_eq!(governor.ready_at(&key(), now).duration_since(now), SignedDuration::from_secs(43));
        governor.throttled(&key(), now, Some(Duration::from_secs(90)));
        assert_eq!(governor.ready_at(&key(), now).duration_since(now), SignedDuration::from_secs(90));
    }

    #[test]
    fn a_new_budget_keeps_what_was_taken() {
        let mut governor = governor(1);
        governor.take(&key(), at(0));
        governor.set(key(), 1);
        assert!(governor.ready_at(&key(), at(1)) > at(1));
        governor.retain(|_| false);
        assert_eq!(governor.quotas().count(), 0);
    }
}
