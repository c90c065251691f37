//! The budgets, how the cloud throttles them, and the requests that were made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{ApiLabels, BudgetState, PlannedBudget, Reason};

/// Every budget, and the requests that were made since the start.
#[derive(Debug, Default)]
pub struct Budgets(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    planned: BTreeMap<ApiLabels, PlannedBudget>,
    waited: BTreeMap<ApiLabels, Duration>,
    /// By account, since its quota group may change.
    requests: BTreeMap<ApiLabels, Outcomes>,
}

/// Number of requests by outcome: `ok` or the label of a [`Reason`].
pub type Outcomes = BTreeMap<&'static str, u64>;

/// The budget of one operation in one region of one cloud account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BudgetStatus {
    /// Current state; `None` if no target needs it any more.
    pub state: Option<BudgetState>,
    /// Calls per minute that the targets need now.
    pub planned_per_minute: f64,
    /// Total time that calls have waited for it since the start.
    pub waited: Duration,
    /// Requests since the start.
    pub requests: Outcomes,
}

impl Budgets {
    /// Replaces the budgets. Returns those that are gone.
    pub fn replace(&self, budgets: &[PlannedBudget]) -> Vec<ApiLabels> {
        let mut inner = self.lock();
        let new = budgets.iter().map(|budget| (budget.labels.clone(), budget.clone())).collect();
        let old = std::mem::replace(&mut inner.planned, new);
        old.into_keys().filter(|labels| !inner.planned.contains_key(labels)).collect()
    }

    /// Records that a call has waited for its budget.
    pub fn waited(&self, labels: ApiLabels, wait: Duration) {
        *self.lock().waited.entry(labels).or_default() += wait;
    }

    /// Starts counting an account's requests for an operation at 0.
    pub fn expect(&self, labels: ApiLabels) {
        let mut inner = self.lock();
        let requests = inner.requests.entry(labels).or_default();
        for outcome in ["ok", Reason::Throttled.label()] {
            requests.entry(outcome).or_default();
        }
    }

    /// Counts an account's request for an operation; `failure` says why it did not succeed.
    pub fn requested(&self, labels: ApiLabels, failure: Option<Reason>) {
        let mut inner = self.lock();
        let requests = inner.requests.entry(labels).or_default();
        *requests.entry(failure.map_or("ok", Reason::label)).or_default() += 1;
    }

    /// Every budget, with the requests of all accounts of its quota group; `groups` maps each
    /// account to its quota group.
    pub fn statuses(
        &self,
        groups: &BTreeMap<&Arc<str>, &Arc<str>>,
    ) -> BTreeMap<ApiLabels, BudgetStatus> {
        let inner = self.lock();
        let mut statuses: BTreeMap<ApiLabels, BudgetStatus> = BTreeMap::new();
        for (labels, budget) in &inner.planned {
            let status = statuses.entry(labels.clone()).or_default();
            status.state = Some(budget.state.clone());
            status.planned_per_minute = budget.per_minute;
        }
        for (labels, waited) in &inner.waited {
            statuses.entry(labels.clone()).or_default().waited = *waited;
        }
        for (labels, outcomes) in &inner.requests {
            let group = groups.get(&labels.account).copied().unwrap_or(&labels.account);
            let of_group = ApiLabels { account: Arc::clone(group), ..labels.clone() };
            let requests = &mut statuses.entry(of_group).or_default().requests;
            for (outcome, count) in outcomes {
                *requests.entry(outcome).or_default() += count;
            }
        }
        statuses
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{BudgetStatus, Budgets};
    use crate::model::{ApiLabels, BudgetState, PlannedBudget, Reason};

    fn labels(account: &str, region: &str) -> ApiLabels {
        ApiLabels {
            account: account.into(),
            region: region.into(),
            product: "EHPC",
            operation: "ListTasks",
        }
    }

    fn planned(region: &str, per_minute: f64) -> PlannedBudget {
        let state = BudgetState { configured: 600, in_force: 66, resting: None, lowered: None };
        PlannedBudget { labels: labels("g", region), state, per_minute }
    }

    #[test]
    fn a_budget_has_its_plan_and_what_calls_have_waited_for_it() {
        let budgets = Budgets::default();
        assert_eq!(budgets.replace(&[planned("r", 150.0)]), []);
        budgets.waited(labels("g", "r"), Duration::from_secs(2));
        budgets.waited(labels("g", "r"), Duration::from_millis(500));
        let wanted = BudgetStatus {
            state: Some(planned("r", 150.0).state),
            planned_per_minute: 150.0,
            waited: Duration::from_millis(2500),
            ..BudgetStatus::default()
        };
        assert_eq!(budgets.statuses(&BTreeMap::new()), [(labels("g", "r"), wanted)].into());
    }

    #[test]
    fn a_budget_that_is_gone_keeps_what_was_counted_and_nothing_else() {
        let budgets = Budgets::default();
        budgets.replace(&[planned("r", 1.0), planned("s", 1.0)]);
        budgets.waited(labels("g", "r"), Duration::from_secs(1));
        assert_eq!(budgets.replace(&[planned("s", 2.0)]), [labels("g", "r")]);
        assert_eq!(budgets.replace(&[planned("s", 3.0)]), []);
        let statuses = budgets.statuses(&BTreeMap::new());
        let gone = BudgetStatus { waited: Duration::from_secs(1), ..BudgetStatus::default() };
        assert_eq!(statuses[&labels("g", "r")], gone);
        assert_eq!(statuses[&labels("g", "s")].planned_per_minute, 3.0);
    }

    #[test]
    fn requests_of_an_account_count_for_its_quota_group() {
        let budgets = Budgets::default();
        budgets.expect(labels("a", "r"));
        for (account, failure) in
            [("a", None), ("b", None), ("b", Some(Reason::Dns)), ("other", None)]
        {
            budgets.requested(labels(account, "r"), failure);
        }
        let a = Arc::from("a");
        let b = Arc::from("b");
        let group = Arc::from("g");
        let statuses = budgets.statuses(&[(&a, &group), (&b, &group)].into());
        assert_eq!(
            statuses[&labels("g", "r")].requests,
            [("dns", 1), ("ok", 2), ("throttled", 0)].into()
        );
        assert_eq!(
            statuses[&labels("other", "r")].requests,
            [("ok", 1)].into(),
            "it has no target any more"
        );
        assert_eq!(statuses.len(), 2);
    }
}
