//! The accounts: their problems, credentials, permissions and clocks.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{Tone, bounded, counted_word, elsewhere, grouped, nothing, pill, sentence};
use super::time;
use crate::web::status::{AccountProblem, AccountStatus, OperationStatus};

/// Maximum accounts shown at first.
const FIRST: usize = 10;
/// Maximum further ones, shown on demand.
const MORE: usize = 90;

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

/// The section; `sorted` has the worst first.
pub(super) fn section(sorted: &[&AccountStatus], now: Timestamp) -> Markup {
    let parts = bounded(sorted, FIRST, MORE);
    html! {
        section #accounts aria-labelledby="accounts-title" {
            h2 #accounts-title { "Accounts " span.count { (grouped(sorted.len())) } }
            (table("Accounts, the worst first", parts.first, now))
            @if !parts.more.is_empty() {
                details #accounts-more {
                    summary { (grouped(parts.more.len())) " more accounts" }
                    (table("More accounts", parts.more, now))
                }
            }
            (elsewhere(parts.hidden, "account", "accounts"))
        }
    }
}

fn table(caption: &str, accounts: &[&AccountStatus], now: Timestamp) -> Markup {
    html! {
        table.accounts {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Account" }
                    th scope="col" { "State" }
                    th scope="col" { "Credentials" }
                    th scope="col" { "Clock of this machine" }
                    th scope="col" { "Operations" }
                }
            }
            tbody { @for account in accounts { (row(account, now)) (why(account)) } }
        }
    }
}

fn row(account: &AccountStatus, now: Timestamp) -> Markup {
    html! {
        tr.explained[!account.problems.is_empty()] {
            th scope="row" {
                span.main { (account.name) }
                @if account.quota_group != account.name { span.sub { "quota " (account.quota_group) } }
            }
            td data-label="State" { (state(account)) }
            td data-label="Credentials" { (credentials(account, now)) }
            td data-label="Clock of this machine" { (clock(account.clock_skew_seconds)) }
            td.operations data-label="Operations" { (operations(account)) }
        }
    }
}

fn state(account: &AccountStatus) -> Markup {
    match account.problems.first() {
        Some(problem) => pill(tone(problem), &problem.kind.replace('_', " ")),
        None if account.credentials.kind == "none" => pill(Tone::Quiet, "waiting"),
        None => pill(Tone::Good, "logged in"),
    }
}

fn credentials(account: &AccountStatus, now: Timestamp) -> Markup {
    html! {
        @match (account.credentials.kind, account.credentials.end) {
            (_, Some(end)) if end <= now => span.loud { "ended " (time::ago(end, now)) },
            (_, Some(end)) => { "end " (time::ago(end, now)) },
            ("unlimited", None) => "do not end",
            ("untold", None) => "end at a time that is not told",
            _ => (nothing()),
        }
    }
}

fn clock(skew_seconds: Option<f64>) -> Markup {
    let Some(skew) = skew_seconds else { return nothing() };
    let side = if skew > 0.0 { "behind" } else { "ahead" };
    let off = jiff::SignedDuration::from_secs(skew.abs() as i64);
    html! { @if off.is_zero() { "right" } @else { (time::exact(off)) " " (side) } }
}

/// How many operations are authorized, and on demand which.
fn operations(account: &AccountStatus) -> Markup {
    let count = |wanted: Option<bool>| {
        account.operations.iter().filter(|of| of.authorized == wanted).count()
    };
    let refused = count(Some(false));
    let unknown = count(None);
    html! {
        details #{ "operations-" (account.name) } {
            summary {
                (count(Some(true))) " of " (account.operations.len()) " authorized"
                @if refused > 0 { ", " strong.loud { (refused) " not" } }
                @if unknown > 0 { ", " (unknown) " not called yet" }
            }
            ul { @for operation in &account.operations { li { (self::operation(operation)) } } }
        }
    }
}

fn operation(operation: &OperationStatus) -> Markup {
    let OperationStatus { action, authorized, refused_targets, .. } = operation;
    html! {
        code { (action) } " "
        @match authorized {
            Some(true) => "authorized",
            Some(false) => strong.loud {
                "not authorized for " (grouped(*refused_targets)) " " (counted_word(*refused_targets, "target", "targets"))
            },
            None => "not called yet",
        }
    }
}

/// Problems and what to do about them, in a row of their own.
fn why(account: &AccountStatus) -> Markup {
    html! {
        @if !account.problems.is_empty() {
            tr.why {
                td colspan="5" {
                    @for problem in &account.problems {
                        p.message.(tone(problem).class()) {
                            (problem.message) @if let Some(cause) = &problem.cause { ": " (cause) }
                        }
                        p.advice { (sentence(&problem.advice)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{section, worst_first};
    use crate::web::page::fixture::{account, at, troubled};

    #[test]
    fn an_account_in_order_is_one_quiet_line() {
        let html = section(&[&account("main", Some(3600))], at(0)).into_string();
        for said in
            ["logged in", "end <time", "in 1 h", "right", "1 of 2 authorized", "1 not called yet"]
        {
            assert!(html.contains(said), "{said}: {html}");
        }
        assert!(!html.contains("tr class=\"why\"") && !html.contains("loud"), "{html}");
        assert!(section(&[&account("main", None)], at(0)).into_string().contains("do not end"));
    }

    #[test]
    fn what_is_wrong_comes_first_with_what_to_do() {
        let accounts = [account("well", None), troubled("bad")];
        let sorted = worst_first(&accounts);
        assert_eq!(sorted[0].name, "bad");
        let html = section(&sorted, at(0)).into_string();
        for said in [
            "1 not</strong>",
            "not authorized for a target: ehpc:ListTasks",
            "Grant ehpc:ListTasks to the RAM user or role",
            "the clock of this machine is 12m behind the cloud&#39;s",
            "12 min behind",
            "ended <time",
            "no file &lt;b&gt;",
        ] {
            assert!(
                html.contains(said) || html.contains(&said.replace("&#39;", "'")),
                "{said}: {html}"
            );
        }
    }

    #[test]
    fn a_thousand_accounts_are_bounded() {
        let accounts: Vec<_> = (0..1000).map(|number| account(&number.to_string(), None)).collect();
        let html = section(&worst_first(&accounts), at(0)).into_string();
        assert!(
            html.contains("90 more accounts") && html.contains("900 more accounts not shown here"),
            "{}",
            html.len()
        );
    }
}
