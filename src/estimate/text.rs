//! An estimate as text: the verdict first, then the figures behind it.

use std::fmt::Write;
use std::time::Duration;

use super::verdict::{advice, number, time, verdict, warnings};
use super::{Budget, Estimate, Scenario, groups};

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

/// Maximum number of lines of the table if budgets that are alike share a line. If there would be
/// more, each operation has one line for its tightest budgets and one for the others.
const MAX_LINES: usize = 20;

/// A line of the table.
type Row = [String; 9];

const HEAD: [&str; 9] =
    ["QUOTA GROUP", "REGION", "OPERATION", "TARGETS", "BUDGET", "IDLE", "BASE", "BUSY", "REFRESH"];

fn budgets(estimate: &Estimate, page: &mut String) {
    let poll = &estimate.poll;
    let idle = time(poll.idle);
    let base = time(poll.interval);
    let active = time(poll.active);
    let rows = rows(estimate);
    let head = HEAD.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let _ = writeln!(
        page,
        "\nCalls a minute (! more than the budget), and how often a target is refreshed at base:\n"
    );
    for row in [&head].into_iter().chain(&rows) {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0..=2 => format!("{cell:<width$}", width = width(column)),
            _ => format!("{cell:>width$}", width = width(column)),
        });
        let _ = writeln!(page, "{}", cells.collect::<Vec<_>>().join("  "));
    }
    if rows.len() < estimate.budgets.len() {
        let all = estimate.budgets.len();
        let _ = write!(
            page,
            "\nA line with several groups or regions stands for a budget of each that has it, {all} in all"
        );
        let _ = match rows.iter().flatten().any(|cell| cell.contains("<= ")) {
            true => writeln!(page, "; <= is the largest of them (--format json has each)."),
            false => writeln!(page, "."),
        };
    }
    let _ = writeln!(
        page,
        "\nidle: nothing open, polled every {idle}; base: something was open lately, every {base};"
    );
    let _ = writeln!(page, "busy: every target has open work, every {active}.");
}

fn rows(estimate: &Estimate) -> Vec<Row> {
    let alike = groups::by(&estimate.budgets, |budget| {
        (budget.key.action, budget.targets, figures(budget, estimate))
    });
    if alike.len() <= MAX_LINES {
        return alike.iter().map(|(_, alike)| row(alike, estimate)).collect();
    }
    let operations = groups::by(&estimate.budgets, |budget| budget.key.action);
    operations.iter().flat_map(|(_, budgets)| tightest_first(budgets, estimate)).collect()
}

/// The tightest budgets of an operation, and the maximum of the others.
fn tightest_first(budgets: &[&Budget], estimate: &Estimate) -> Vec<Row> {
    let mut sorted = budgets.to_vec();
    sorted.sort_by(|a, b| b.share(Scenario::Busy).total_cmp(&a.share(Scenario::Busy)));
    let alike = groups::by(sorted, |budget| (budget.targets, figures(budget, estimate)));
    let mut alike = alike.into_iter().map(|(_, alike)| alike);
    let first = alike.next().map(|alike| row(&alike, estimate));
    let others: Vec<&Budget> = alike.flatten().collect();
    first.into_iter().chain(at_most(&others, estimate)).collect()
}

/// One line for budgets that differ: the largest of each figure, and the smallest budget.
fn at_most(budgets: &[&Budget], estimate: &Estimate) -> Option<Row> {
    let least = budgets.iter().min_by_key(|budget| budget.quota)?;
    if let [only] = budgets {
        return Some(row(&[only], estimate));
    }
    let largest = |scenario: Scenario| {
        let need = budgets.iter().map(|budget| budget.need(scenario)).fold(0.0, f64::max);
        let mark = if budgets.iter().any(|budget| budget.is_over(scenario)) { "! " } else { "" };
        if need == 0.0 { "0".to_owned() } else { format!("{mark}<= {}", number(need)) }
    };
    let targets = budgets.iter().map(|budget| budget.targets).max().unwrap_or_default();
    let refresh = budgets.iter().filter_map(|budget| refreshed(budget, estimate)).max();
    Some([
        groups::groups(budgets),
        groups::regions(budgets),
        least.key.action.to_string(),
        format!("<= {targets}"),
        format!(">= {}", least.quota),
        largest(Scenario::Idle),
        largest(Scenario::Base),
        largest(Scenario::Busy),
        refresh.map_or_else(|| "once".to_owned(), |refresh| format!("<= {}", time(refresh))),
    ])
}

/// The line of budgets that are alike.
fn row(alike: &[&Budget], estimate: &Estimate) -> Row {
    let Some(budget) = alike.first() else { return Row::default() };
    let [quota, idle, base, busy, refresh] = figures(budget, estimate);
    let name = budget.key.action.to_string();
    let targets = budget.targets.to_string();
    [groups::groups(alike), groups::regions(alike), name, targets, quota, idle, base, busy, refresh]
}

/// The cells of a line from the budget column on.
fn figures(budget: &Budget, estimate: &Estimate) -> [String; 5] {
    let cell = |scenario: Scenario| {
        let mark = if budget.is_over(scenario) { "! " } else { "" };
        format!("{mark}{}", number(budget.need(scenario)))
    };
    let refresh = refreshed(budget, estimate).map_or_else(|| "once".to_owned(), time);
    [
        budget.quota.to_string(),
        cell(Scenario::Idle),
        cell(Scenario::Base),
        cell(Scenario::Busy),
        refresh,
    ]
}

/// How often a budget refreshes a target at base; `None` if its answers are needed only once.
pub(super) fn refreshed(budget: &Budget, estimate: &Estimate) -> Option<Duration> {
    let period = budget.discovery.or_else(|| budget.refreshes.then_some(estimate.poll.interval))?;
    Some(budget.stretched(Scenario::Base, period))
}

fn first_pass(estimate: &Estimate, page: &mut String) {
    let first = &estimate.first_pass;
    let values = time(first.values);
    let complete = time(first.complete);
    let calls = number(first.calls);
    let _ = write!(
        page,
        "\nFirst pass: every target shows values after {values}, with all results after {complete}; {calls} calls"
    );
    let _ = match &first.slowest {
        Some(key) => writeln!(page, ", held up by {}.", key.action),
        None => writeln!(page, "."),
    };
}

fn series(estimate: &Estimate, page: &mut String) {
    let series = &estimate.series;
    // Beyond the limit, only the floor is left.
    let most = series.most.min(series.limit.max(series.floor));
    let mark = if most > series.limit { "! " } else { "" };
    let _ = writeln!(
        page,
        "Series: at least {}, at most {mark}{most} of the {} that metrics.max_series allows; {} to {} of these are never left out \
         (counters, counts by status, last invocations); and {} of the exporter's own about its targets.",
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
