//! Budgets of calls per minute, pure.
//!
//! One budget per (quota group, region, product, operation), because that is how the cloud counts.
//! No minute, sliding or calendar, gets more calls than the budget allows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::budget::{Budget, Heard, Hint, WINDOW};
use crate::action::Action;
use crate::config::Quotas;
use crate::model::{ApiLabels, BudgetState};

/// What a budget is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey {
    /// Cloud account; several accounts of the configuration may share it.
    pub group: Arc<str>,
    /// Region id.
    pub region: Arc<str>,
    /// Operation.
    pub action: Action,
}

impl BudgetKey {
    /// Its label values: quota group, region, product, operation.
    pub fn labels(&self) -> [&str; 4] {
        [&self.group, &self.region, self.action.product().label(), self.action.name()]
    }

    /// Like [`Self::labels`], as [`ApiLabels`].
    pub(super) fn api_labels(&self) -> ApiLabels {
        ApiLabels::of(&self.group, &self.region, self.action)
    }
}

/// Every budget.
#[derive(Debug, Default)]
pub struct RateLimiter {
    budgets: BTreeMap<BudgetKey, Budget>,
    /// Budgets that nothing needs any more, kept while the cloud still counts the calls sent.
    dropped: BTreeMap<BudgetKey, Budget>,
}

impl RateLimiter {
    /// Sets the budget of `key`. Keeps the calls already taken and, if the figure is the same, what
    /// was learned.
    pub fn set(&mut self, key: BudgetKey, per_minute: u32) {
        let dropped = self.dropped.remove(&key);
        let fresh = || dropped.unwrap_or_else(|| Budget::new(per_minute));
        self.budgets.entry(key).or_insert_with(fresh).configure(per_minute);
    }

    /// Restores what was learned about `key` before a restart, unless the budget is already in use.
    pub fn restore(&mut self, key: &BudgetKey, hint: &Hint, now: Timestamp) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.restore(hint, now);
        }
    }

    /// What to keep across a restart.
    pub fn hints(&self) -> impl Iterator<Item = (&BudgetKey, Hint)> {
        self.budgets.iter().map(|(key, budget)| (key, budget.hint()))
    }

    /// Drops every budget that `keep` rejects. If one comes back within a minute, the calls taken
    /// from it still count.
    pub fn retain(&mut self, keep: impl Fn(&BudgetKey) -> bool, now: Timestamp) {
        self.dropped.retain(|_, budget| budget.was_used_lately(now));
        let gone = self.budgets.extract_if(.., |key, _| !keep(key));
        self.dropped.extend(gone.filter(|(_, budget)| budget.was_used_lately(now)));
    }

    /// The keys of all budgets.
    pub fn keys(&self) -> impl Iterator<Item = &BudgetKey> {
        self.budgets.keys()
    }

    /// State of each budget.
    pub fn states(&mut self, now: Timestamp) -> Vec<(BudgetKey, BudgetState)> {
        for budget in self.budgets.values_mut() {
            budget.advance(now);
        }
        self.budgets.iter().map(|(key, budget)| (key.clone(), budget.state())).collect()
    }

    /// State of the budget of `key`.
    pub fn state(&mut self, key: &BudgetKey, now: Timestamp) -> Option<BudgetState> {
        let budget = self.budgets.get_mut(key)?;
        budget.advance(now);
        Some(budget.state())
    }

    /// When the next call of `key` is allowed; a time not after `now` means at once. `None`: only
    /// after a call in flight is answered.
    pub fn ready_at(&mut self, key: &BudgetKey, now: Timestamp) -> Option<Timestamp> {
        self.budgets.get_mut(key).map_or(Some(now), |budget| budget.ready_at(now))
    }

    /// When a call of `key` becomes, or became, available again.
    pub fn blocked_until(&self, key: &BudgetKey) -> Option<Timestamp> {
        self.budgets.get(key).and_then(Budget::blocked_until)
    }

    /// Takes one call from the budget of `key`.
    pub fn take(&mut self, key: &BudgetKey, ticket: u64, now: Timestamp) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.take(ticket, now);
        }
    }

    /// Handles the outcome of the call with `ticket`. `idle_need` returns how many calls per minute
    /// of `key` the plan needs when all targets are idle.
    pub(super) fn heard(
        &mut self,
        key: &BudgetKey,
        ticket: u64,
        heard: Heard,
        now: Timestamp,
        idle_need: impl FnOnce() -> f64,
    ) {
        let budget = self.budgets.get_mut(key).or_else(|| self.dropped.get_mut(key));
        if let Some(budget) = budget {
            budget.heard(ticket, heard, now, idle_need);
        }
    }

    /// Moves every time by `step`, after this machine's clock was set back.
    pub fn shift(&mut self, step: SignedDuration) {
        for budget in self.budgets.values_mut().chain(self.dropped.values_mut()) {
            budget.shift(step);
        }
    }
}

/// Calls per minute that a budget sustains: its window is slightly longer than a minute.
pub fn sustained(per_minute: u32) -> f64 {
    f64::from(per_minute) * 60.0 / WINDOW.as_secs_f64()
}

/// Time that `calls` take from a fresh budget: the full budget at once, and again after each
/// window.
pub fn time_for(calls: f64, per_minute: u32) -> Duration {
    let windows = ((calls.ceil() - 1.0).max(0.0) / f64::from(per_minute.max(1))).floor();
    Duration::from_secs_f64(windows * WINDOW.as_secs_f64())
}

/// Calls per minute that the user allows for an operation, else the product's default.
pub(super) fn quota(quotas: &Quotas, action: Action) -> u32 {
    let product = action.product();
    let set = quotas.get(&action.into()).or_else(|| quotas.get(&product.into()));
    set.copied().unwrap_or_else(|| product.default_quota())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{BudgetKey, Heard, RateLimiter};
    use crate::action::Action;

    fn key() -> BudgetKey {
        BudgetKey { group: "g".into(), region: "r".into(), action: Action::ListInstances }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_budget_that_stays_keeps_what_was_taken() {
        let mut rate_limiter = RateLimiter::default();
        rate_limiter.set(key(), 1);
        rate_limiter.take(&key(), 1, at(0));
        rate_limiter.set(key(), 1);
        assert!(rate_limiter.ready_at(&key(), at(1)).is_none_or(|time| time > at(1)));
        rate_limiter.retain(|_| false, at(1));
        assert_eq!(rate_limiter.keys().count(), 0);
        assert_eq!(
            rate_limiter.ready_at(&key(), at(1)),
            Some(at(1)),
            "what has no budget is not held up"
        );
    }

    #[test]
    fn a_budget_that_comes_and_goes_lets_no_more_through() {
        let mut rate_limiter = RateLimiter::default();
        let mut sent = Vec::new();
        for second in 0..600 {
            rate_limiter.set(key(), 5);
            if rate_limiter.ready_at(&key(), at(second)).is_some_and(|time| time <= at(second)) {
                rate_limiter.take(&key(), second as u64, at(second));
                rate_limiter.retain(|_| false, at(second));
                let answered = Heard::Passed;
                rate_limiter.heard(&key(), second as u64, answered, at(second), || 1.0);
                sent.push(second);
            }
            rate_limiter.retain(|_| false, at(second));
        }
        let in_a_minute =
            |from: &i64| sent.iter().filter(|at| (*from..from + 60).contains(at)).count();
        assert!(sent.iter().all(|from| in_a_minute(from) <= 5), "{sent:?}");
        assert!(sent.len() > 40, "{sent:?}");
        rate_limiter.retain(|_| false, at(1000));
        assert!(rate_limiter.dropped.is_empty(), "what no longer counts is forgotten");
    }
}
