//! The verdict in one sentence, what to change, and what else is worth knowing.

use std::time::Duration;

use super::lists::LongLists;
use super::{Budget, Estimate, Scenario, Series, groups};
use crate::action::Action;

/// Maximum number of budgets that the verdict names; the table has the rest.
const MAX_NAMED: usize = 2;

impl Estimate {
    /// Whether every target is refreshed as planned and before its values are stale, every list
    /// that must be whole can be read whole, and the series of an empty cloud fit the limits.
    pub fn is_kept(&self) -> bool {
        problems(self).is_empty()
    }
}

/// Whether the plan can be kept, and if not, why.
pub(super) fn verdict(estimate: &Estimate) -> String {
    let problems = problems(estimate);
    match problems.split_first() {
        None => fits(estimate),
        Some((first, rest)) => {
            let rest: String =
                rest.iter().map(|problem| format!("\nNor can this be kept: {problem}.")).collect();
            format!("The plan cannot be kept: {first}.{rest}")
        }
    }
}

/// Why the plan exceeds its limits; empty if it does not.
pub(super) fn problems(estimate: &Estimate) -> Vec<String> {
    let budgets = too_small(estimate);
    let slow = if budgets.is_none() { too_slow(estimate) } else { None };
    let lists = estimate.long_lists.iter().map(too_long);
    budgets
        .into_iter()
        .chain(slow)
        .chain(lists)
        .chain(too_many_series_at_least(&estimate.series))
        .collect()
}

/// Budgets that are too small, the tightest first.
fn too_small(estimate: &Estimate) -> Option<String> {
    let mut over: Vec<&Budget> = estimate.overdrawn().collect();
    over.sort_by(|a, b| b.share(Scenario::Base).total_cmp(&a.share(Scenario::Base)));
    let alike = groups::by(over, |budget| {
        (budget.key.action, budget.quota, number(budget.need(Scenario::Base)))
    });
    let named: Vec<String> =
        alike.iter().take(MAX_NAMED).map(|(_, alike)| shortage(alike)).collect();
    let more: usize = alike.iter().skip(MAX_NAMED).map(|(_, alike)| alike.len()).sum();
    let more = match more {
        0 => String::new(),
        1 => "; 1 more budget is too small".to_owned(),
        more => format!("; {more} more budgets are too small"),
    };
    (!named.is_empty()).then(|| format!("{}{more}", named.join("; ")))
}

fn too_slow(estimate: &Estimate) -> Option<String> {
    let refresh = estimate.longest_refresh();
    let stale = estimate.poll.stale_after;
    let told = || {
        let refresh = time(refresh);
        let stale = time(stale);
        format!(
            "a target is refreshed every {refresh} only, but values are to be withdrawn after {stale}"
        )
    };
    (refresh > stale).then(told)
}

fn too_long(long: &LongLists) -> String {
    let LongLists { action: name, lists, pages, longest, limit, .. } = long;
    let what = match lists {
        1 => format!("the list of {name} of {longest} has {pages} pages"),
        lists => format!("{lists} lists of {name} have up to {pages} pages (that of {longest})"),
    };
    format!("{what} when windows are full, and poll.history_max_pages lets {limit} be read")
}

/// The limits that even an empty cloud exceeds.
fn too_many_series_at_least(series: &Series) -> Vec<String> {
    let mut told = Vec::new();
    if series.least > series.limit {
        told.push(format!(
            "there are at least {} series, and metrics.max_series is {}",
            series.least, series.limit
        ));
    }
    if series.above > 0 {
        let targets = if series.above == 1 {
            "1 target has".to_owned()
        } else {
            format!("{} targets have", series.above)
        };
        told.push(format!("{targets} more series that are never left out than metrics.max_series_per_target allows"));
    }
    told
}

fn fits(estimate: &Estimate) -> String {
    let fullest = estimate.budgets.iter().map(|budget| budget.share(Scenario::Base));
    let share = fullest.fold(0.0, f64::max) * 100.0;
    let targets = estimate.targets;
    let interval = time(estimate.poll.interval);
    let polled =
        format!("{targets} {} every {interval}", if targets == 1 { "target" } else { "targets" });
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

/// The shortage of budgets that are alike.
fn shortage(alike: &[&Budget]) -> String {
    let Some(budget) = alike.first() else { return String::new() };
    let need = number(budget.need(Scenario::Base));
    let quota = budget.quota;
    let name = budget.key.action;
    let places = groups::places(alike);
    match alike.len() {
        1 => format!("{name} in {places} needs {need} calls a minute and may make {quota}"),
        many => format!(
            "{many} budgets of {name}, in {places}, need {need} calls a minute each and may make {quota}"
        ),
    }
}

/// What to change, if anything.
pub(super) fn advice(estimate: &Estimate) -> Vec<String> {
    let mut lines = Vec::new();
    if estimate.overdrawn().next().is_some() {
        let quotas: Vec<String> = groups::by(estimate.overdrawn(), |budget| budget.key.action)
            .iter()
            .map(quota)
            .collect();
        let quotas =
            format!("if the cloud allows it, raise accounts[].quotas: {}", quotas.join(", "));
        lines.push(match estimate.enough_interval {
            Some(interval) => {
                format!("Set {} to {}; or, {quotas}.", keys(estimate, interval), time(interval))
            }
            None => format!("No poll.interval below a day is long enough; {quotas}."),
        });
    } else if estimate.longest_refresh() > estimate.poll.stale_after {
        lines.push("Lower poll.idle_interval, or raise poll.stale_after.".to_owned());
    }
    lines.extend(longer_lists(&estimate.long_lists));
    let series = &estimate.series;
    if series.least > series.limit {
        lines.push(format!(
            "Raise metrics.max_series to {} or more, or poll fewer targets.",
            series.least
        ));
    }
    if series.above > 0 {
        lines.push("Raise metrics.max_series_per_target.".to_owned());
    }
    lines
}

/// What to change so that lists that are too long can be read whole.
fn longer_lists(long: &[LongLists]) -> Option<String> {
    let pages = long.iter().map(|long| long.pages).max()?;
    let mut keys: Vec<&str> = long.iter().map(|long| long.key).collect();
    keys.dedup();
    let keys = keys.join(" and ");
    Some(match pages {
        ..=999 => format!("Set poll.history_max_pages to {pages}, or lower {keys}."),
        _ => format!("Lower {keys}: poll.history_max_pages can be no more than 999."),
    })
}

/// The keys to raise: `interval`, and those that must not be shorter.
fn keys(estimate: &Estimate, interval: Duration) -> String {
    let others = [
        ("poll.idle_interval", estimate.poll.idle),
        ("poll.stale_after", estimate.poll.stale_after),
    ];
    let shorter = others.iter().filter(|(_, now)| *now < interval).map(|(key, _)| *key);
    ["poll.interval"].into_iter().chain(shorter).collect::<Vec<_>>().join(", ")
}

/// The quota that suffices for all budgets of an operation.
fn quota((_, of_operation): &(Action, Vec<&Budget>)) -> String {
    let need =
        of_operation.iter().map(|budget| budget.need(Scenario::Base).ceil()).fold(0.0, f64::max);
    of_operation
        .first()
        .map_or_else(String::new, |budget| format!("{} to {need}", budget.key.action))
}

/// What does not break the plan but may be a surprise.
pub(super) fn warnings(estimate: &Estimate) -> Vec<String> {
    let overdrawn = estimate.overdrawn().next().is_some();
    let refresh = overdrawn.then(|| refresh(estimate));
    let only_busy =
        |budget: &&Budget| budget.is_over(Scenario::Busy) && !budget.is_over(Scenario::Base);
    let busy = groups::by(estimate.budgets.iter().filter(only_busy), |budget| budget.key.action);
    let busy = busy.iter().filter_map(|(_, of_operation)| when_busy(of_operation, estimate));
    undiscovered(estimate)
        .into_iter()
        .chain(refresh)
        .chain(busy)
        .chain(too_many_series(estimate))
        .collect()
}

/// Only the cloud knows what discovery will find.
fn undiscovered(estimate: &Estimate) -> Option<String> {
    let line = "What discovery will find is not known here, and costs more than this: check --estimate --live asks the cloud.";
    estimate.unknown.then(|| line.to_owned())
}

/// What happens if the plan exceeds its limits.
fn refresh(estimate: &Estimate) -> String {
    let refresh = estimate.longest_refresh();
    let stale = estimate.poll.stale_after;
    let mut line = format!("As it is, a target is refreshed every {} only", time(refresh));
    if refresh > stale {
        line += &format!(
            ", and its values are kept for three times that, though poll.stale_after is {}",
            time(stale)
        );
    }
    line + "."
}

/// What happens to an operation's targets when all of them are busy; `None` if there is no visible
/// difference.
fn when_busy(of_operation: &[&Budget], estimate: &Estimate) -> Option<String> {
    let tightest =
        |a: &&&Budget, b: &&&Budget| a.share(Scenario::Busy).total_cmp(&b.share(Scenario::Busy));
    let budget = of_operation.iter().max_by(tightest)?;
    let name = budget.key.action;
    let places = groups::places(of_operation);
    if !budget.refreshes {
        return Some(format!(
            "When everything is busy, {name} in {places} falls behind: results come late."
        ));
    }
    let need = number(budget.need(Scenario::Busy).ceil());
    let quota = budget.quota;
    let every = time(budget.stretched(Scenario::Busy, estimate.poll.active));
    let planned = time(estimate.poll.active);
    let up_to = if of_operation.len() == 1 { "" } else { "up to " };
    (every != planned).then(|| {
        format!(
            "When everything is busy, {name} in {places} needs {up_to}{need} calls a minute and may make {quota}: each target is \
             then refreshed every {every} instead of {planned}."
        )
    })
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

/// A number of calls, with a decimal if it matters.
pub(super) fn number(calls: f64) -> String {
    if calls < 9.95 && calls.fract() > 0.0 { format!("{calls:.1}") } else { format!("{calls:.0}") }
}
