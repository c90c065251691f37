//! An estimate as JSON. Its meaning is documented in "What it will cost" in
//! `docs/configuration.md`.

use serde_json::{Value, json};

use super::text::refreshed;
use super::verdict::{advice, problems, warnings};
use super::{Budget, Estimate, LongLists, Scenario};
use crate::poll::BudgetKey;

/// The cost part of `check --estimate --format json`.
pub fn json(estimate: &Estimate) -> Value {
    let Estimate { first_pass, series, assumptions, .. } = estimate;
    json!({
        "kept": estimate.is_kept(),
        "problems": problems(estimate),
        "advice": advice(estimate),
        "warnings": warnings(estimate),
        "targets": estimate.targets,
        "discovery_places": estimate.searches,
        "discovery_known": !estimate.unknown && !estimate.incomplete,
        "budgets": estimate.budgets.iter().map(|budget| self::budget(budget, estimate)).collect::<Vec<_>>(),
        "first_pass": {
            "values_seconds": first_pass.values.as_secs_f64(),
            "complete_seconds": first_pass.complete.as_secs_f64(),
            "calls": first_pass.calls,
            "slowest": first_pass.slowest.as_ref().map(key),
        },
        "series": {
            "least": series.least,
            "most": series.most,
            "never_left_out": series.floor,
            "limit": series.limit,
            "own": series.own,
            "targets_cut": series.cut,
            "targets_above_limit": series.above,
        },
        "long_lists": estimate.long_lists.iter().map(long).collect::<Vec<_>>(),
        "assumptions": {
            "open_commands": assumptions.open_commands,
            "ended_per_hour": assumptions.ended_per_hour,
            "nodes": assumptions.nodes,
            "latency_seconds": assumptions.latency.as_secs_f64(),
        },
    })
}

fn budget(budget: &Budget, estimate: &Estimate) -> Value {
    let mut value = key(&budget.key);
    value["targets"] = budget.targets.into();
    value["calls_per_minute"] = budget.quota.into();
    value["needed_per_minute"] = json!({
        "idle": budget.need(Scenario::Idle),
        "base": budget.need(Scenario::Base),
        "busy": budget.need(Scenario::Busy),
    });
    value["refresh_seconds"] =
        refreshed(budget, estimate).map(|refresh| refresh.as_secs_f64()).into();
    value
}

fn key(key: &BudgetKey) -> Value {
    let [group, region, product, operation] = key.labels();
    json!({"quota_group": group, "region_id": region, "product": product, "operation": operation})
}

fn long(long: &LongLists) -> Value {
    json!({
        "product": long.action.product().label(),
        "operation": long.action.name(),
        "lists": long.lists,
        "pages": long.pages,
        "limit": long.limit,
    })
}
