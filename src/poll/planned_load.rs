//! Which budgets there are, and how much of each is asked for: what the scheduler and the estimate share. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::rate_limiter::{self, BudgetKey};
use super::tracker;
use crate::aliyun::op::Product;
use crate::config::Config;
use crate::target::Target;

/// The budgets that `wanted` need, each with its calls per minute: of accounts that share one, the smallest.
pub fn budgets(config: &Config, wanted: &[Target]) -> BTreeMap<BudgetKey, u32> {
    let mut budgets: BTreeMap<BudgetKey, u32> = BTreeMap::new();
    for target in wanted {
        let Some(account) = config.accounts.iter().find(|account| *account.name == *target.account) else {
            continue;
        };
        for (product, operation) in tracker::operations(target) {
            let quota = rate_limiter::quota(&account.quotas, *product, operation);
            let least = budgets.entry(budget_key(target, *product, operation)).or_insert(quota);
            *least = quota.min(*least);
        }
    }
    budgets
}

/// The budget of each of these calls of a target.
pub fn by_budget(target: &Target, calls: tracker::Calls) -> impl Iterator<Item = (BudgetKey, f64)> {
    calls.into_iter().filter_map(|(operation, calls)| {
        let (product, name) = tracker::operations(target).iter().find(|(_, name)| *name == operation)?;
        Some((budget_key(target, *product, name), calls))
    })
}

/// How often in a minute something happens that happens each `period`.
pub fn per_minute(period: Duration) -> f64 {
    60.0 / period.as_secs_f64()
}

pub(super) fn budget_key(target: &Target, product: Product, operation: &'static str) -> BudgetKey {
    BudgetKey { group: Arc::clone(&target.quota_group), region: Arc::clone(&target.region), product, operation }
}
