//! The calls that `check --estimate` predicts are the calls that are made.

use std::collections::BTreeMap;

use aliyun_task_exporter::estimate::{Assumptions, Scenario, estimate};
use aliyun_task_exporter::poll::BudgetKey;
use aliyun_task_exporter::sim::{Settings, Simulator};
use aliyun_task_exporter::target::Findings;

use crate::support::harness::{Harness, config_for};
use crate::support::{start, worlds};

#[test]
fn an_hour_without_running_work_costs_what_was_estimated() {
    let mut world = worlds::servers(10, 3);
    for cluster in ["c1", "c2"] {
        worlds::add_cluster(&mut world, cluster);
        world
            .add_command(cluster, worlds::command(&format!("{cluster}-ended"), 3, -500, -400))
            .unwrap();
    }
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = config_for(&sim);
    config.poll.idle_after = std::time::Duration::from_secs(24 * 3600);
    let estimate = estimate(&config, &Findings::new(), Assumptions::default());
    assert!(estimate.is_kept());
    let mut harness = Harness::new(sim, config);
    let first = i64::try_from(estimate.first_pass.complete.as_secs()).unwrap() + 1;
    harness.run_until(first);
    assert!(
        harness.store.views(harness.moment()).iter().all(|view| view.state.up == Some(true)),
        "the first pass is over in time"
    );
    harness.made.clear();
    harness.run_until(first + 3600);
    let mut made: BTreeMap<BudgetKey, f64> = BTreeMap::new();
    for attempt in &harness.made {
        *made.entry(attempt.key.clone()).or_default() += 1.0;
    }
    assert_eq!(estimate.budgets.len(), 6);
    for budget in &estimate.budgets {
        let planned = budget.need(Scenario::Base) * 60.0;
        let made = made.get(&budget.key).copied().unwrap_or_default();
        assert!(
            (planned - made).abs() <= made * 0.1,
            "{:?}: {planned} planned, {made} made",
            budget.key
        );
    }
}

#[test]
fn the_default_budgets_stay_below_the_published_limits() {
    let sim = Simulator::new(Settings::default(), start());
    let estimate = estimate(&config_for(&sim), &Findings::new(), Assumptions::default());
    let most = |product: &str| {
        let budgets =
            estimate.budgets.iter().filter(|budget| budget.key.action.product().label() == product);
        budgets.map(|budget| budget.quota).max().unwrap()
    };
    // Calls per minute and operation. For E-HPC nothing is published: the gateway's default is 100
    // calls per second.
    for (product, published) in [("SWAS", 1000), ("EHPC", 100 * 60)] {
        assert!(most(product) * 10 <= published * 6, "{product}: {}", most(product));
    }
    let mut harness = Harness::new(sim, config_for(&Simulator::new(Settings::default(), start())));
    harness.run_until(1800);
    assert!(
        harness.made.iter().all(|made| made.failure.is_none()),
        "the simulated cloud lets the published limit through"
    );
}
