//! What watching costs: calls per minute, planned and allowed.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::parts::{bounded, elsewhere, grouped};
use crate::web::budget::Budget;

/// So many budgets are shown at once.
const FIRST: usize = 20;
/// So many more on demand.
const MORE: usize = 40;

/// The section after so much time `up`; the tightest budget first.
pub(super) fn section(budgets: &[Budget], up: SignedDuration) -> Markup {
    let mut sorted: Vec<&Budget> = budgets.iter().collect();
    sorted.sort_by(|a, b| b.share().total_cmp(&a.share()).then_with(|| b.asked().cmp(&a.asked())));
    let parts = bounded(&sorted, FIRST, MORE);
    html! {
        section #api aria-labelledby="api-title" {
            h2 #api-title { "API budget" span.aside { "calls per minute the targets need, of those allowed" } }
            @if parts.first.is_empty() { p.empty { "Nothing is asked of the cloud." } } @else { (table("API budget", parts.first, up)) }
            @if !parts.more.is_empty() {
                details #api-more { summary { "and " (parts.more.len()) " more" } (table("More of the API budget", parts.more, up)) }
            }
            (elsewhere(parts.hidden, "budget", "budgets"))
        }
    }
}

fn table(caption: &str, rows: &[&Budget], up: SignedDuration) -> Markup {
    html! {
        table.api {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Operation" }
                    th scope="col" { "Region, quota" }
                    th scope="col" { "Planned per minute" }
                    th.number scope="col" { "Asked since start" }
                    th.number scope="col" { "Not ok" }
                }
            }
            tbody { @for budget in rows { (row(budget, up)) } }
        }
    }
}

fn row(budget: &Budget, up: SignedDuration) -> Markup {
    let (asked, failed) = budget.asked();
    html! {
        tr {
            th scope="row" { span.main { (budget.operation) } span.sub { (budget.product) } }
            td data-label="Region, quota" { (budget.region) span.sub { (budget.group) } }
            td.progress data-label="Planned per minute" {
                progress.(if budget.share() > 1.0 { "bad" } else { "calm" }) value=(budget.share().min(1.0)) max="1" {}
                span.steps { (calls(budget.planned_per_minute)) " of " (calls(budget.quota_per_minute)) }
                @if budget.share() > 1.0 { span.sub.loud { "more than allowed: polls come later than planned" } }
                @if budget.waited_seconds >= 1.0 { span.sub { "waited " (grouped(budget.waited_seconds as usize)) " s in all" } }
            }
            td.number data-label="Asked since start" { (grouped(usize::try_from(asked).unwrap_or(usize::MAX))) span.sub { (actual(asked, up)) } }
            td.number data-label="Not ok" { (outcomes(budget, failed)) }
        }
    }
}

/// What was asked, in calls per minute since the start; of less than a minute, as if it had been one.
fn actual(asked: u64, up: SignedDuration) -> String {
    format!("{} a minute", calls(asked as f64 / (up.as_secs_f64() / 60.0).max(1.0)))
}

/// How many requests were not answered with `ok`, and why.
fn outcomes(budget: &Budget, failed: u64) -> Markup {
    let reasons = budget.requests.iter().filter(|(outcome, count)| *outcome != "ok" && **count > 0);
    html! {
        @if failed == 0 { "0" } @else { strong { (failed) } }
        @for (outcome, count) in reasons { span.sub { (count) " " (outcome.replace('_', " ")) } }
    }
}

/// At most one digit after the point, and only where it says something.
pub(super) fn calls(per_minute: f64) -> String {
    let rounded = (per_minute * 10.0).round() / 10.0;
    if rounded == 0.0 && per_minute > 0.0 { "< 0.1".to_owned() } else { rounded.to_string() }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{calls, section};
    use crate::web::budget::Budget;

    #[test]
    fn calls_are_told_to_a_tenth() {
        for (calls_per_minute, words) in [(0.0, "0"), (0.01, "< 0.1"), (1.96, "2"), (36.25, "36.3"), (600.0, "600")] {
            assert_eq!(calls(calls_per_minute), words);
        }
    }

    #[test]
    fn the_tightest_budget_stands_first_and_one_that_is_too_small_is_told() {
        let budget = |operation: &str, planned_per_minute| Budget {
            operation: operation.into(),
            planned_per_minute,
            quota_per_minute: 10.0,
            ..Budget::default()
        };
        let asked = Budget { requests: [("ok".to_owned(), 90)].into(), waited_seconds: 61.5, ..budget("Tight", 12.0) };
        let html = section(&[budget("Easy", 1.0), asked], SignedDuration::from_mins(3)).into_string();
        assert!(html.contains("30 a minute") && html.contains("waited 61 s in all"), "{html}");
        assert!(html.find("Tight") < html.find("Easy"), "{html}");
        assert_eq!(html.matches("more than allowed").count(), 1);
    }
}
