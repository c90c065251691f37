//! What watching costs: calls per minute, planned and allowed.

use maud::{Markup, html};

use super::parts::{bounded, elsewhere, grouped};
use crate::web::budget::Budget;

/// So many budgets are shown at once.
const FIRST: usize = 20;
/// So many more on demand.
const MORE: usize = 40;

/// The section; the tightest budget first.
pub(super) fn section(budgets: &[Budget]) -> Markup {
    let mut sorted: Vec<&Budget> = budgets.iter().collect();
    sorted.sort_by(|a, b| b.share().total_cmp(&a.share()).then_with(|| b.asked().cmp(&a.asked())));
    let parts = bounded(&sorted, FIRST, MORE);
    html! {
        section #api aria-labelledby="api-title" {
            h2 #api-title { "API budget" span.aside { "calls per minute the targets need, of those allowed" } }
            @if parts.first.is_empty() { p.empty { "Nothing is asked of the cloud." } } @else { (table("API budget", parts.first)) }
            @if !parts.more.is_empty() {
                details #api-more { summary { "and " (parts.more.len()) " more" } (table("More of the API budget", parts.more)) }
            }
            (elsewhere(parts.hidden, "budget", "budgets"))
        }
    }
}

fn table(caption: &str, rows: &[&Budget]) -> Markup {
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
            tbody { @for budget in rows { (row(budget)) } }
        }
    }
}

fn row(budget: &Budget) -> Markup {
    let (asked, failed) = budget.asked();
    html! {
        tr {
            th scope="row" { span.main { (budget.operation) } span.sub { (budget.product) } }
            td data-label="Region, quota" { (budget.region) span.sub { (budget.group) } }
            td.progress data-label="Planned per minute" {
                progress.(if budget.share() > 1.0 { "bad" } else { "calm" }) value=(budget.share().min(1.0)) max="1" {}
                span.steps { (calls(budget.planned_per_minute)) " of " (calls(budget.quota_per_minute)) }
                @if budget.share() > 1.0 { span.sub.loud { "more than allowed: polls come later than planned" } }
            }
            td.number data-label="Asked since start" { (grouped(usize::try_from(asked).unwrap_or(usize::MAX))) }
            td.number data-label="Not ok" { (outcomes(budget, failed)) }
        }
    }
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
        let html = section(&[budget("Easy", 1.0), budget("Tight", 12.0)]).into_string();
        assert!(html.find("Tight") < html.find("Easy"), "{html}");
        assert_eq!(html.matches("more than allowed").count(), 1);
    }
}
