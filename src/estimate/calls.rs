//! Calls per minute, by budget and scenario.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::assume::load;
use super::{Assumptions, Scenario};
use crate::config::Config;
use crate::poll::{BudgetKey, budgets as quotas, per_minute, per_poll, refreshes, sustained};
use crate::target::{Scope, Target};

/// A budget, and the calls it must cover.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Its quota group, region and operation.
    pub key: BudgetKey,
    /// Calls per minute that it allows.
    pub quota: u32,
    /// Number of targets that share it.
    pub targets: usize,
    /// Whether values depend on its answers, and not only details.
    pub refreshes: bool,
    /// Interval of discovery, if discovery uses it.
    pub discovery: Option<Duration>,
    /// Calls per minute needed, by scenario.
    pub needs: [f64; 3],
}

impl Budget {
    /// Calls per minute that a scenario needs.
    pub fn need(&self, scenario: Scenario) -> f64 {
        self.needs[scenario as usize]
    }

    /// What a scenario needs, as a share of the quota.
    pub fn share(&self, scenario: Scenario) -> f64 {
        self.need(scenario) / f64::from(self.quota)
    }

    /// Whether a scenario needs more than the quota.
    pub fn is_over(&self, scenario: Scenario) -> bool {
        self.need(scenario) > f64::from(self.quota)
    }

    /// The actual length of a planned `period`: if a budget is too small, all periods grow by the
    /// same factor.
    pub fn stretched(&self, scenario: Scenario, period: Duration) -> Duration {
        match self.is_over(scenario) {
            true => Duration::try_from_secs_f64(
                period.as_secs_f64() * self.need(scenario) / sustained(self.quota),
            )
            .unwrap_or(Duration::MAX),
            false => period,
        }
    }
}

/// Every budget of `config`, in order.
pub(super) fn budgets(
    config: &Config,
    targets: &[Arc<Target>],
    assumptions: &Assumptions,
) -> Vec<Budget> {
    let new = |(key, quota): (BudgetKey, u32)| {
        let refreshes = refreshes(key.action);
        (
            key.clone(),
            Budget { key, quota, targets: 0, refreshes, discovery: None, needs: [0.0; 3] },
        )
    };
    let mut budgets: BTreeMap<BudgetKey, Budget> =
        quotas(config, targets).into_iter().map(new).collect();
    for target in targets {
        for scenario in Scenario::ALL {
            let period = scenario.period(target, &config.poll);
            let load = load(config, target, scenario, assumptions);
            for (key, calls) in per_poll(target, &load, period, config.poll.history_interval) {
                let Some(budget) = budgets.get_mut(&key) else { continue };
                budget.targets +=
                    if scenario == Scenario::Base { target.members().count() } else { 0 };
                if let Scope::Discovery(search) = &target.scope {
                    budget.discovery = budget.discovery.max(Some(search.interval));
                }
                budget.needs[scenario as usize] += calls * per_minute(period);
            }
        }
    }
    budgets.into_values().collect()
}

/// A `poll.interval` at which every budget suffices; `None` if all do already, or if none below a
/// day is long enough.
pub(super) fn enough_interval(
    config: &Config,
    targets: &[Arc<Target>],
    now: &[Budget],
    assumptions: &Assumptions,
) -> Option<Duration> {
    let excess = |budgets: &[Budget]| {
        let over =
            budgets.iter().map(|budget| budget.need(Scenario::Base) / f64::from(budget.quota));
        over.fold(0.0, f64::max)
    };
    let mut config = config.clone();
    let mut share = excess(now);
    let needed = share > 1.0;
    while share > 1.0 && config.poll.interval < Duration::from_secs(24 * 3600) {
        config.poll.interval = round_up(config.poll.interval.mul_f64(share));
        share = excess(&budgets(&config, targets, assumptions));
    }
    (needed && share <= 1.0).then_some(config.poll.interval)
}

/// Rounds up to whole seconds, beyond two minutes to whole minutes.
fn round_up(time: Duration) -> Duration {
    let seconds = time.as_secs_f64().ceil() as u64;
    Duration::from_secs(if seconds > 120 { seconds.div_ceil(60) * 60 } else { seconds })
}
