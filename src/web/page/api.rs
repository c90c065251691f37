//! The cost of monitoring: calls per minute, planned and allowed.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::parts::{bounded, elsewhere, grouped};
use crate::web::budget::{Budget, Throttling, calls};

/// Maximum budgets shown at first.
const FIRST: usize = 20;
/// Maximum further ones, shown on demand.
const MORE: usize = 40;

/// The section at `now` of an exporter that `started` then; throttled budgets first, then the
/// tightest.
pub(super) fn section(budgets: &[Budget], started: Timestamp, now: Timestamp) -> Markup {
    let mut sorted: Vec<&Budget> = budgets.iter().collect();
    sorted.sort_by(|a, b| a.worse(b, now));
    let parts = bounded(&sorted, FIRST, MORE);
    html! {
        section #api aria-labelledby="api-title" {
            h2 #api-title { "API budget" span.aside { "calls per minute the targets need, of those allowed" } }
            @if parts.first.is_empty() { p.empty { "No calls to the cloud." } } @else { (table("API budget", parts.first, started, now)) }
            @if !parts.more.is_empty() {
                details #api-more { summary { "and " (parts.more.len()) " more" } (table("More of the API budget", parts.more, started, now)) }
            }
            (elsewhere(parts.hidden, "budget", "budgets"))
        }
    }
}

fn table(caption: &str, rows: &[&Budget], started: Timestamp, now: Timestamp) -> Markup {
    html! {
        table.api {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Operation" }
                    th scope="col" { "Region, quota" }
                    th scope="col" { "Planned per minute" }
                    th.number scope="col" { "Calls since start" }
                    th.number scope="col" { "Not ok" }
                }
            }
            tbody { @for budget in rows { (row(budget, started, now)) } }
        }
    }
}

fn row(budget: &Budget, started: Timestamp, now: Timestamp) -> Markup {
    let (asked, failed) = budget.asked();
    let is_small = budget.share() > 1.0;
    let is_throttled = budget.throttling(now) >= Throttling::Short;
    html! {
        tr {
            th scope="row" { span.main { (budget.operation) } span.sub { (budget.product) } }
            td data-label="Region, quota" { (budget.region) span.sub { (budget.group) } }
            td.progress data-label="Planned per minute" {
                progress.(if is_small || is_throttled { "bad" } else { "calm" }) value=(budget.share().min(1.0)) max="1" {}
                span.steps { (calls(budget.planned_per_minute)) " of " (calls(budget.quota_per_minute)) }
                @if let Some(said) = budget.throttled(now) { span.sub.loud[is_throttled] { (said) } }
                @if is_small { span.sub.loud { "more than quotas allows: polls come later than planned" } }
                @if budget.waited_seconds >= 1.0 { span.sub { "waited " (grouped(budget.waited_seconds as usize)) " s in all" } }
            }
            td.number data-label="Calls since start" { (grouped(usize::try_from(asked).unwrap_or(usize::MAX))) span.sub { (actual(asked, now.duration_since(started))) } }
            td.number data-label="Not ok" { (outcomes(budget, failed)) }
        }
    }
}

/// Average calls per minute since the start; less than a minute counts as one.
fn actual(asked: u64, up: SignedDuration) -> String {
    format!("{} a minute", calls(asked as f64 / (up.as_secs_f64() / 60.0).max(1.0)))
}

/// How many requests did not have the outcome `ok`, and why.
fn outcomes(budget: &Budget, failed: u64) -> Markup {
    let reasons =
        budget.requests.iter().filter(|(outcome, count)| **outcome != "ok" && **count > 0);
    html! {
        @if failed == 0 { "0" } @else { strong { (failed) } }
        @for (outcome, count) in reasons { span.sub { (count) " " (outcome.replace('_', " ")) } }
    }
}

#[cfg(test)]
mod tests {
    use super::section;
    use crate::web::budget::{Budget, LoweredStatus, RestingStatus};
    use crate::web::page::fixture::at;

    fn budget(operation: &str, planned_per_minute: f64) -> Budget {
        let quota_per_minute = 10.0;
        let budget_per_minute = 10.0;
        Budget {
            operation: operation.into(),
            planned_per_minute,
            quota_per_minute,
            budget_per_minute,
            ..Budget::default()
        }
    }

    #[test]
    fn the_tightest_budget_stands_first_and_one_that_is_too_small_is_told() {
        let asked =
            Budget { requests: [("ok", 90)].into(), waited_seconds: 61.5, ..budget("Tight", 12.0) };
        let html = section(&[budget("Easy", 1.0), asked], at(0), at(180)).into_string();
        assert!(html.contains("30 a minute") && html.contains("waited 61 s in all"), "{html}");
        assert!(html.find("Tight") < html.find("Easy"), "{html}");
        assert_eq!(html.matches("more than quotas allows").count(), 1);
    }

    #[test]
    fn what_is_throttled_stands_before_what_is_tight_and_only_what_it_harms_is_loud() {
        let code = || "Throttling.User".into();
        let lowered = Some(LoweredStatus {
            since: at(-60),
            code: code(),
            refused_at_per_minute: 5,
            retry_at: at(300),
        });
        let short =
            Budget { budget_per_minute: 3.0, lowered: lowered.clone(), ..budget("Short", 4.0) };
        let harmless = Budget { budget_per_minute: 5.0, lowered, ..budget("Harmless", 4.0) };
        let resting = Some(RestingStatus { since: at(-60), until: at(20), code: code() });
        let refused = Budget { resting, ..budget("Refused", 0.1) };
        let html = section(&[budget("Tight", 9.0), harmless, short, refused], at(-600), at(0))
            .into_string();
        let place = |name: &str| html.find(name).unwrap();
        assert!(place("Refused") < place("Short") && place("Short") < place("Harmless"), "{html}");
        assert!(place("Harmless") < place("Tight"), "{html}");
        assert_eq!(html.matches("sub loud").count(), 2, "{html}");
        assert!(
            html.contains(
                "lowered to 3 of 10 a minute since 22:12 UTC after a refusal (Throttling.User)"
            ),
            "{html}"
        );
    }
}
