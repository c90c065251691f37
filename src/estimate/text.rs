//! An estimate in words: the verdict first, then what it rests on.

use std::fmt::Write;

use super::verdict::{advice, number, time, verdict, warnings};
use super::{Budget, Estimate, Scenario};

/// What `check --estimate` prints.
pub fn text(estimate: &Estimate) -> String {
    let mut page = verdict(estimate);
    page.push('\n');
    for line in advice(estimate).into_iter().chain(warnings(estimate)) {
        let _ = writeln!(page, "{line}");
    }
    budgets(estimate, &mut page);
    first_pass(estimate, &mut page);
    series(estimate, &mut page);
    assumed(estimate, &mut page);
    page
}

fn budgets(estimate: &Estimate, page: &mut String) {
    let poll = &estimate.poll;
    let (idle, base, active) = (time(poll.idle), time(poll.interval), time(poll.active));
    let rows: Vec<[String; 9]> = estimate.budgets.iter().map(|budget| row(budget, estimate)).collect();
    let head = ["QUOTA GROUP", "REGION", "OPERATION", "TARGETS", "BUDGET", "IDLE", "BASE", "BUSY", "REFRESH"];
    let head = head.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let _ = writeln!(page, "\nCalls a minute (! more than the budget), and how often a target is refreshed at base:\n");
    for row in [&head].into_iter().chain(&rows) {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0..=2 => format!("{cell:<width$}", width = width(column)),
            _ => format!("{cell:>width$}", width = width(column)),
        });
        let _ = writeln!(page, "{}", cells.collect::<Vec<_>>().join("  "));
    }
    let _ = writeln!(page, "\nidle: nothing open, polled every {idle}; base: something was open lately, every {base};");
    let _ = writeln!(page, "busy: every target has open work, every {active}.");
}

fn row(budget: &Budget, estimate: &Estimate) -> [String; 9] {
    let [group, region, product, operation] = budget.key.labels();
    let cell = |scenario: Scenario| {
        let mark = if budget.is_over(scenario) { "! " } else { "" };
        format!("{mark}{}", number(budget.need(scenario)))
    };
    let refresh = match (budget.discovery, budget.refreshes) {
        (Some(interval), _) => time(budget.stretched(Scenario::Base, interval)),
        (None, true) => time(budget.stretched(Scenario::Base, estimate.poll.interval)),
        (None, false) => "once".to_owned(),
    };
    [
        group.to_owned(),
        region.to_owned(),
        format!("{product}.{operation}"),
        budget.targets.to_string(),
        budget.quota.to_string(),
        cell(Scenario::Idle),
        cell(Scenario::Base),
        cell(Scenario::Busy),
        refresh,
    ]
}

fn first_pass(estimate: &Estimate, page: &mut String) {
    let first = &estimate.first_pass;
    let (values, complete, calls) = (time(first.values), time(first.complete), number(first.calls));
    let _ = write!(
        page,
        "\nFirst pass: every target shows values after {values}, with all results after {complete}; {calls} calls"
    );
    let _ = match &first.slowest {
        Some(key) => writeln!(page, ", held up by {}.{}.", key.product.label(), key.operation),
        None => writeln!(page, "."),
    };
}

fn series(estimate: &Estimate, page: &mut String) {
    let series = &estimate.series;
    // Beyond the limit all is left out but the floor.
    let most = series.most.min(series.limit.max(series.floor));
    let mark = if most > series.limit { "! " } else { "" };
    let _ = writeln!(
        page,
        "Series: at least {}, at most {mark}{most} of the {} that metrics.max_series allows; of these are never left out {} to {} \
         (counters, counts by status, last runs); and {} of the exporter's own about its targets.",
        series.least, series.limit, series.least, series.floor, series.own
    );
}

fn assumed(estimate: &Estimate, page: &mut String) {
    let assumed = &estimate.assumptions;
    let _ = writeln!(
        page,
        "\nAssumed: lists as long as their windows; when busy, {} open commands in each cluster and {} ends an hour in each target;\n\
         {} nodes per command; {} per call; no call fails.",
        assumed.open_commands,
        number(assumed.ended_per_hour),
        assumed.nodes,
        time(assumed.latency)
    );
}
