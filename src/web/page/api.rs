//! The cost of monitoring: calls per minute, planned and allowed.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::context::Context;
use super::parts::{bounded, elsewhere, heading};
use crate::web::budget::{Budget, Throttling, calls};
use crate::web::status::encoded;
use crate::web::text::grouped;

/// Maximum budgets shown at first.
const FIRST: usize = 15;
/// Maximum further ones, shown on demand.
const MORE: usize = 25;

/// The section: throttled budgets first, then the tightest.
pub(super) fn section(cx: &Context<'_>) -> Markup {
    let t = cx.t;
    let mut sorted: Vec<&Budget> = cx.facts.budgets.iter().collect();
    sorted.sort_by(|a, b| a.worse(b, cx.now));
    let parts = bounded(&sorted, FIRST, MORE);
    html! {
        section #api aria-labelledby="api-title" {
            (heading("api", t.api_budget, None, t.api_budget_is))
            @if parts.first.is_empty() { p.empty { (t.no_calls) } } @else { (table(cx, t.api_budget, parts.first)) }
            @if !parts.more.is_empty() {
                details #api-more { summary { ((t.more)(parts.more.len())) } (table(cx, t.more_of_api_budget, parts.more)) }
            }
            (elsewhere(cx, parts.hidden))
        }
    }
}

fn table(cx: &Context<'_>, caption: &str, rows: &[&Budget]) -> Markup {
    let t = cx.t;
    html! {
        table.api {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { (t.operation) }
                    th scope="col" { (t.region_quota) }
                    th scope="col" { (t.planned_per_minute) }
                    th.number scope="col" { (t.calls_since_start) }
                    th.number scope="col" { (t.not_ok) }
                }
            }
            tbody data-keyed { @for budget in rows { (row(cx, budget)) } }
        }
    }
}

fn row(cx: &Context<'_>, budget: &Budget) -> Markup {
    let t = cx.t;
    let (asked, failed) = budget.asked();
    let is_small = budget.share() > 1.0;
    let is_throttled = budget.throttling(cx.now) >= Throttling::Short;
    let Budget { group, region, operation, product, .. } = budget;
    let planned = calls(budget.planned_per_minute);
    let quota = calls(budget.quota_per_minute);
    html! {
        tr #{ "api-" (encoded(group)) "-" (encoded(region)) "-" (product) "-" (operation) } {
            th scope="row" { span.main { (operation) } span.sub { (product) } }
            td data-label=(t.region_quota) { span.whole { (region) } span.sub { (group) } }
            td.progress data-label=(t.planned_per_minute) {
                progress.(if is_small || is_throttled { "bad" } else { "calm" }) value=(budget.share().min(1.0)) max="1" aria-label=(t.planned_per_minute) {}
                span.steps { ((t.number_of)(&planned, &quota)) }
                @if let Some(said) = (t.throttled)(budget, cx.now) { span.sub.loud[is_throttled] { (said) } }
                @if is_small { span.sub.loud { (t.more_than_quota) } }
                @if budget.waited_seconds >= 1.0 { span.sub { ((t.waited)(budget.waited_seconds as usize)) } }
            }
            td.number data-label=(t.calls_since_start) { (grouped(usize::try_from(asked).unwrap_or(usize::MAX))) span.sub { (actual(cx, asked)) } }
            td.number data-label=(t.not_ok) { (outcomes(cx, budget, failed)) }
        }
    }
}

/// Average calls per minute since the start; less than a minute counts as one.
fn actual(cx: &Context<'_>, asked: u64) -> String {
    let up: SignedDuration = cx.now.duration_since(cx.facts.started);
    (cx.t.a_minute)(&calls(asked as f64 / (up.as_secs_f64() / 60.0).max(1.0)))
}

/// How many requests did not have the outcome `ok`, and why.
fn outcomes(cx: &Context<'_>, budget: &Budget, failed: u64) -> Markup {
    let reasons =
        budget.requests.iter().filter(|(outcome, count)| **outcome != "ok" && **count > 0);
    html! {
        @if failed == 0 { "0" } @else { strong { (failed) } }
        @for (outcome, count) in reasons { span.sub { (count) " " ((cx.t.outcome)(outcome)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::section;
    use crate::web::budget::{Budget, LoweredStatus, RestingStatus};
    use crate::web::fixture::{at, facts};
    use crate::web::page::fixture::context;
    use crate::web::status::Facts;

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

    fn shown(budgets: Vec<Budget>, started: i64) -> String {
        let facts = Facts { budgets, started: at(started), ..facts(vec![]) };
        section(&context(&facts)).into_string()
    }

    #[test]
    fn the_tightest_budget_stands_first_and_one_that_is_too_small_is_told() {
        let asked =
            Budget { requests: [("ok", 90)].into(), waited_seconds: 61.5, ..budget("Tight", 12.0) };
        let html = shown(vec![budget("Easy", 1.0), asked], -171);
        assert!(html.contains("30 a minute") && html.contains("waited 61 s in all"), "{html}");
        assert!(html.find("Tight") < html.find("Easy"), "{html}");
        assert_eq!(html.matches("more than the quota allows").count(), 1);
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
        let html = shown(vec![budget("Tight", 9.0), harmless, short, refused], -600);
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
