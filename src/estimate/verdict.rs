//! The verdict in one sentence, what to change, and what else is worth knowing.

use std::time::Duration;

use super::{Budget, Estimate, Scenario};

/// So many budgets are named in the verdict; the table has the rest.
const NAMED: usize = 2;

/// Whether the plan can be kept, and why.
pub(super) fn verdict(estimate: &Estimate) -> String {
    let over: Vec<&Budget> = estimate.overdrawn().collect();
    if !over.is_empty() {
        let named: Vec<String> = over.iter().take(NAMED).map(|budget| shortage(budget)).collect();
        let more = over.len().saturating_sub(NAMED);
        let more = if more > 0 { format!("; {more} more budgets are too small") } else { String::new() };
        return format!("The plan cannot be kept: {}{more}.", named.join("; "));
    }
    let (refresh, poll) = (estimate.longest_refresh(), &estimate.poll);
    if refresh > poll.stale_after {
        let (refresh, stale) = (time(refresh), time(poll.stale_after));
        return format!(
            "The plan cannot be kept: a target is refreshed every {refresh} only, but values are to be withdrawn after {stale}."
        );
    }
    let fullest = estimate.budgets.iter().map(|budget| budget.need(Scenario::Base) / f64::from(budget.quota));
    let share = fullest.fold(0.0, f64::max) * 100.0;
    let (targets, interval) = (estimate.targets, time(poll.interval));
    let polled = format!("{targets} {} every {interval}", if targets == 1 { "target" } else { "targets" });
    let searches = match estimate.searches {
        1 => "discovery in 1 place".to_owned(),
        places => format!("discovery in {places} places"),
    };
    let what = match (targets, estimate.searches) {
        (_, 0) => polled,
        (0, _) => searches,
        _ => format!("{polled}, and {searches},"),
    };
    let need = if targets + estimate.searches == 1 { "needs" } else { "need" };
    let fits = match estimate.incomplete {
        true => "Discovery has not shown all there is. What it has shown would fit",
        false => "The plan fits",
    };
    format!("{fits}: {what} {need} at most {share:.0} % of any budget.")
}

/// What is missing of a budget.
fn shortage(budget: &Budget) -> String {
    let [group, region, product, operation] = budget.key.labels();
    let (need, quota) = (number(budget.need(Scenario::Base)), budget.quota);
    format!("{product}.{operation} in {region} (quota group {group}) needs {need} calls a minute and may make {quota}")
}

/// What to change, if anything.
pub(super) fn advice(estimate: &Estimate) -> Option<String> {
    if estimate.is_kept() {
        return None;
    }
    if estimate.overdrawn().next().is_none() {
        return Some("Lower poll.idle_interval, or raise poll.stale_after.".to_owned());
    }
    let quotas: Vec<String> = estimate.overdrawn().map(quota).collect();
    let quotas = format!("if the cloud allows it, raise accounts[].quotas: {}", quotas.join(", "));
    Some(match estimate.enough_interval {
        Some(interval) => format!("Set {} to {}; or, {quotas}.", keys(estimate, interval), time(interval)),
        None => format!("No poll.interval below a day is long enough; {quotas}."),
    })
}

/// What must not be shorter than a new `interval`.
fn keys(estimate: &Estimate, interval: Duration) -> String {
    let others = [("poll.idle_interval", estimate.poll.idle), ("poll.stale_after", estimate.poll.stale_after)];
    let shorter = others.iter().filter(|(_, now)| *now < interval).map(|(key, _)| *key);
    ["poll.interval"].into_iter().chain(shorter).collect::<Vec<_>>().join(", ")
}

fn quota(budget: &Budget) -> String {
    let [_, _, product, operation] = budget.key.labels();
    format!("{product}.{operation} to {}", budget.need(Scenario::Base).ceil())
}

/// What does not break the plan, but may surprise.
pub(super) fn warnings(estimate: &Estimate) -> Vec<String> {
    let overdrawn = estimate.overdrawn().next().is_some();
    let refresh = overdrawn.then(|| refresh(estimate));
    let only_busy = |budget: &&Budget| budget.is_over(Scenario::Busy) && !budget.is_over(Scenario::Base);
    let busy = estimate.budgets.iter().filter(only_busy).map(|budget| when_busy(budget, estimate));
    undiscovered(estimate).into_iter().chain(refresh).chain(busy).chain(too_many_series(estimate)).collect()
}

/// What discovery will find only the cloud knows.
fn undiscovered(estimate: &Estimate) -> Option<String> {
    let line =
        "What discovery will find is not known here, and costs more than this: check --estimate --live asks the cloud.";
    estimate.unknown.then(|| line.to_owned())
}

/// What becomes of a plan that cannot be kept.
fn refresh(estimate: &Estimate) -> String {
    let (refresh, stale) = (estimate.longest_refresh(), estimate.poll.stale_after);
    let mut line = format!("As it is, a target is refreshed every {} only", time(refresh));
    if refresh > stale {
        line += &format!(", and its values are kept for three times that, though poll.stale_after is {}", time(stale));
    }
    line + "."
}

fn when_busy(budget: &Budget, estimate: &Estimate) -> String {
    let [_, region, product, operation] = budget.key.labels();
    if !budget.refreshes {
        return format!("When everything is busy, {product}.{operation} in {region} falls behind: results come late.");
    }
    let (need, quota) = (budget.need(Scenario::Busy).ceil(), budget.quota);
    let (every, planned) = (time(budget.stretched(Scenario::Busy, estimate.poll.active)), time(estimate.poll.active));
    format!(
        "When everything is busy, {product}.{operation} in {region} needs {need} calls a minute and may make {quota}: each \
         target is then refreshed every {every} instead of {planned}."
    )
}

fn too_many_series(estimate: &Estimate) -> Vec<String> {
    let mut lines = Vec::new();
    let series = &estimate.series;
    if series.cut > 0 {
        lines.push(format!(
            "{} targets have windows larger than metrics.max_series_per_target: what is per node is left out, and the oldest ended \
             things.",
            series.cut
        ));
    }
    if series.above > 0 {
        lines.push(format!(
            "{} targets have more series that are never left out than metrics.max_series_per_target allows: it cannot be kept.",
            series.above
        ));
    }
    if series.floor > series.limit {
        lines.push(format!(
            "metrics.max_series, {}, is less than the {} series that are never left out when all windows are full: it cannot be \
             kept then.",
            series.limit, series.floor
        ));
    } else if series.most > series.limit {
        lines.push(format!(
            "Series may reach metrics.max_series, {}: what is per node is then left out, and the oldest ended things.",
            series.limit
        ));
    }
    lines
}

/// A duration in at most two units.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let rounded = match seconds {
        0.0..1.0 => Duration::from_millis(time.as_millis() as u64),
        1.0..3600.0 => Duration::from_secs(seconds.round() as u64),
        3600.0..86400.0 => Duration::from_secs((seconds / 60.0).round() as u64 * 60),
        _ => Duration::from_secs((seconds / 3600.0).round() as u64 * 3600),
    };
    humantime::format_duration(rounded).to_string()
}

/// A number of calls, with a decimal where it matters.
pub(super) fn number(calls: f64) -> String {
    if calls < 9.95 && calls.fract() > 0.0 { format!("{calls:.1}") } else { format!("{calls:.0}") }
}
