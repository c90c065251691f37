//! Which budgets there are, and how much of each is needed; shared by the scheduler and the
//! estimate. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::rate_limiter::{self, BudgetKey};
use super::tracker::{Load, cost, operations};
use crate::action::Action;
use crate::config::Config;
use crate::target::Target;

/// The budgets that `wanted` need, each with its calls per minute; if accounts share one, the
/// smallest of their quotas.
pub fn budgets(config: &Config, wanted: &[Arc<Target>]) -> BTreeMap<BudgetKey, u32> {
    let mut budgets: BTreeMap<BudgetKey, u32> = BTreeMap::new();
    for target in wanted {
        let Some(account) = config.accounts.iter().find(|account| *account.name == *target.account)
        else {
            continue;
        };
        for action in operations(target) {
            let quota = rate_limiter::quota(&account.quotas, *action);
            let least = budgets.entry(budget_key(target, *action)).or_insert(quota);
            *least = quota.min(*least);
        }
    }
    budgets
}

/// Average calls per poll of a target, by budget, with one poll per `period` and whole lists read
/// once per `history_interval`.
pub fn per_poll(
    target: &Target,
    load: &Load,
    period: Duration,
    history_interval: Duration,
) -> impl Iterator<Item = (BudgetKey, f64)> {
    operations(target).iter().map(move |action| {
        let calls = cost::per_poll(*action, target.id.kind, load, period, history_interval);
        (budget_key(target, *action), calls)
    })
}

/// Calls of the first full reading of a target, by budget, if `followed` items have ended before.
pub fn first_pass(
    target: &Target,
    load: &Load,
    followed: usize,
) -> impl Iterator<Item = (BudgetKey, f64)> {
    operations(target).iter().map(move |action| {
        let calls = cost::first_pass(*action, target.id.kind, load, followed);
        (budget_key(target, *action), calls)
    })
}

/// Converts a period to a rate per minute.
pub fn per_minute(period: Duration) -> f64 {
    60.0 / period.as_secs_f64()
}

pub(super) fn budget_key(target: &Target, action: Action) -> BudgetKey {
    BudgetKey { group: Arc::clone(&target.quota_group), region: Arc::clone(&target.region), action }
}
