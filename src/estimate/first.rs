//! How long it takes until everything has been read once, after a start without a state file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::assume::load;
use super::kinds::window;
use super::{Assumptions, Scenario};
use crate::config::Config;
use crate::poll::{BudgetKey, budgets, first_pass, refreshes, spread, time_for};
use crate::target::Target;

/// The first reading of all targets.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstPass {
    /// Until every target shows values.
    pub values: Duration,
    /// Until the results of everything that ended before are read, too.
    pub complete: Duration,
    /// Total number of calls.
    pub calls: f64,
    /// The slowest budget, if budgets and not the spread of first polls limit the speed.
    pub slowest: Option<BudgetKey>,
}

/// Calls of a pass, with the budgets they come from.
#[derive(Default)]
struct Pass {
    by_budget: BTreeMap<BudgetKey, f64>,
    /// Calls of the target that has most; they are made one after the other.
    longest: f64,
    calls: f64,
}

impl Pass {
    fn add(&mut self, calls: Vec<(BudgetKey, f64)>) {
        let sum: f64 = calls.iter().map(|(_, calls)| calls).sum();
        self.calls += sum;
        self.longest = self.longest.max(sum);
        for (key, calls) in calls {
            *self.by_budget.entry(key).or_default() += calls;
        }
    }

    /// How long it takes: the maximum of what the budgets, the spread of first polls plus the
    /// longest target, and the limit of concurrent calls require.
    fn takes(
        &self,
        config: &Config,
        targets: &[Arc<Target>],
        latency: Duration,
    ) -> (Duration, Option<BudgetKey>) {
        let quotas = budgets(config, targets);
        let times = self.by_budget.iter().map(|(key, calls)| {
            (time_for(*calls, quotas.get(key).copied().unwrap_or(1)), Some(key.clone()))
        });
        let last = u32::try_from(targets.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let spread = spread(&config.poll, targets.len()).saturating_mul(last)
            + latency.mul_f64(self.longest);
        let crowd = latency.mul_f64(self.calls / config.poll.concurrency as f64);
        let others = (spread.max(crowd), None);
        times.chain([others]).max_by_key(|(time, _)| *time).unwrap_or_default()
    }
}

/// The first pass of `config`.
pub(super) fn pass(
    config: &Config,
    targets: &[Arc<Target>],
    assumptions: &Assumptions,
) -> FirstPass {
    let mut values = Pass::default();
    let mut complete = Pass::default();
    for target in targets {
        let load = load(config, target, Scenario::Base, assumptions);
        let calls: Vec<_> = first_pass(target, &load, window(target)).collect();
        values.add(calls.iter().filter(|(key, _)| refreshes(key.action)).cloned().collect());
        complete.add(calls);
    }
    let (took, slowest) = complete.takes(config, targets, assumptions.latency);
    let first = values.takes(config, targets, assumptions.latency).0;
    FirstPass { values: first, complete: took, calls: complete.calls, slowest }
}
