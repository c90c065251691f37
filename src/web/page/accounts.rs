//! The accounts: their problems, credentials, permissions and clocks.

use maud::{Markup, html};

use super::context::Context;
use super::parts::{Tone, bounded, elsewhere, heading, id, nothing, pill, sentence};
use super::time;
use crate::web::status::{AccountProblem, AccountStatus, OperationStatus, encoded};

/// Maximum accounts shown at first.
const FIRST: usize = 10;
/// Maximum further ones, shown on demand.
const MORE: usize = 20;

/// How bad a problem is.
pub(super) fn tone(problem: &AccountProblem) -> Tone {
    if problem.grave { Tone::Bad } else { Tone::Warn }
}

/// The worst first.
pub(super) fn worst_first(accounts: &[AccountStatus]) -> Vec<&AccountStatus> {
    let mut sorted: Vec<&AccountStatus> = accounts.iter().collect();
    sorted.sort_by_key(|account| match account.problems.first() {
        Some(problem) if problem.grave => 0,
        Some(_) => 1,
        None => 2,
    });
    sorted
}

/// The section.
pub(super) fn section(cx: &Context<'_>) -> Markup {
    let t = cx.t;
    let sorted = worst_first(&cx.facts.accounts);
    let parts = bounded(&sorted, FIRST, MORE);
    html! {
        section #accounts aria-labelledby="accounts-title" {
            (heading("accounts", t.accounts, Some(sorted.len()), ""))
            (table(cx, t.accounts, parts.first))
            @if !parts.more.is_empty() {
                details #accounts-more {
                    summary { ((t.more)(parts.more.len())) }
                    (table(cx, t.more_of_accounts, parts.more))
                }
            }
            (elsewhere(cx, parts.hidden))
        }
    }
}

fn table(cx: &Context<'_>, caption: &str, accounts: &[&AccountStatus]) -> Markup {
    let t = cx.t;
    html! {
        table.accounts {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { (t.account) }
                    th scope="col" { (t.state) }
                    th scope="col" { (t.credentials) }
                    th scope="col" { (t.clock) }
                    th scope="col" { (t.operations) }
                }
            }
            tbody data-keyed { @for account in accounts { (row(cx, account)) (why(cx, account)) } }
        }
    }
}

fn row(cx: &Context<'_>, account: &AccountStatus) -> Markup {
    let t = cx.t;
    html! {
        tr.explained[!account.problems.is_empty()] #{ "account-" (encoded(&account.name)) } {
            th scope="row" {
                span.main { (account.name) }
                @if account.quota_group != account.name { span.sub { (t.quota) " " (account.quota_group) } }
            }
            td data-label=(t.state) { (state(cx, account)) }
            td data-label=(t.credentials) { (credentials(cx, account)) }
            td data-label=(t.clock) { (clock(cx, account.clock_skew_seconds)) }
            td.operations data-label=(t.operations) { (operations(cx, account)) }
        }
    }
}

fn state(cx: &Context<'_>, account: &AccountStatus) -> Markup {
    let t = cx.t;
    match account.problems.first() {
        Some(problem) => pill(tone(problem), (t.problem_kind)(problem.kind)),
        None if account.credentials.kind == "none" => pill(Tone::Quiet, t.state_waiting),
        None => pill(Tone::Good, t.logged_in),
    }
}

fn credentials(cx: &Context<'_>, account: &AccountStatus) -> Markup {
    let t = cx.t;
    html! {
        @match (account.credentials.kind, account.credentials.end) {
            (_, Some(end)) if end <= cx.now => span.loud { (t.expired) " " (cx.ago(end)) },
            (_, Some(end)) => { (t.expire) " " (cx.ago(end)) },
            ("unlimited", None) => (t.never_expire),
            ("untold", None) => (t.expire_untold),
            _ => (nothing(t)),
        }
    }
}

fn clock(cx: &Context<'_>, skew_seconds: Option<f64>) -> Markup {
    let Some(skew) = skew_seconds else { return nothing(cx.t) };
    let off = jiff::SignedDuration::from_secs(skew.abs() as i64);
    let duration = time::exact(cx.t, off);
    html! {
        @if off.is_zero() { (cx.t.in_sync) } @else if skew > 0.0 { ((cx.t.behind)(&duration)) } @else { ((cx.t.ahead)(&duration)) }
    }
}

/// How many operations are authorized, and on demand which.
fn operations(cx: &Context<'_>, account: &AccountStatus) -> Markup {
    let t = cx.t;
    let count = |wanted: Option<bool>| {
        account.operations.iter().filter(|of| of.authorized == wanted).count()
    };
    let refused = count(Some(false));
    let unknown = count(None);
    html! {
        details #{ "operations-" (encoded(&account.name)) } {
            summary {
                ((t.authorized_of)(count(Some(true)), account.operations.len()))
                @if refused > 0 { (t.comma) strong.loud { ((t.count_not_authorized)(refused)) } }
                @if unknown > 0 { (t.comma) ((t.count_not_called)(unknown)) }
            }
            ul { @for operation in &account.operations { li { (self::operation(cx, operation)) } } }
        }
    }
}

fn operation(cx: &Context<'_>, operation: &OperationStatus) -> Markup {
    let OperationStatus { action, authorized, refused_targets, .. } = operation;
    html! {
        (id(action)) " "
        @match authorized {
            Some(true) => (cx.t.authorized),
            Some(false) => strong.loud { ((cx.t.not_authorized_for)(*refused_targets)) },
            None => (cx.t.not_called),
        }
    }
}

/// Problems and what to do about them, in a row of their own.
fn why(cx: &Context<'_>, account: &AccountStatus) -> Markup {
    html! {
        @if !account.problems.is_empty() {
            tr.why #{ "account-" (encoded(&account.name)) "-why" } {
                td colspan="5" {
                    @for problem in &account.problems {
                        @let (message, advice) = (cx.t.problem)(problem, account);
                        p.message.(tone(problem).class()) {
                            (message) @if let Some(cause) = &problem.cause { (cx.t.colon) span lang="en" { (cause) } }
                        }
                        p.advice { (sentence(&advice)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{section, worst_first};
    use crate::web::fixture::{account, facts, troubled};
    use crate::web::page::fixture::context;
    use crate::web::status::{AccountStatus, Facts};

    fn shown(accounts: Vec<AccountStatus>) -> String {
        section(&context(&Facts { accounts, ..facts(vec![]) })).into_string()
    }

    #[test]
    fn an_account_in_order_is_one_quiet_line() {
        let html = shown(vec![account("main", Some(3600))]);
        for said in [
            "logged in",
            "expire <time",
            "in 59 min",
            "in sync",
            "1 of 2 authorized",
            "1 not called yet",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
        assert!(!html.contains("tr class=\"why\"") && !html.contains("loud"), "{html}");
        assert!(shown(vec![account("main", None)]).contains("never expire"));
    }

    #[test]
    fn what_is_wrong_comes_first_with_what_to_do() {
        let accounts = vec![account("well", None), troubled("bad")];
        assert_eq!(worst_first(&accounts)[0].name, "bad");
        let html = shown(accounts);
        for said in [
            "1 not</strong>",
            "not authorized for a target: ehpc:ListTasks",
            "Grant ehpc:ListTasks to the RAM user or role",
            "the clock of this machine is 12m behind the cloud's",
            "12 min behind",
            "expired <time",
            "no file &lt;b&gt;",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
    }

    #[test]
    fn a_thousand_accounts_are_bounded() {
        let html = shown((0..1000).map(|number| account(&number.to_string(), None)).collect());
        assert!(html.contains("20 more") && html.contains("970 more are not shown here"), "{html}");
        assert!(html.len() < 60_000, "{} bytes", html.len());
    }
}
