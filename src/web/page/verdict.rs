//! The state of the targets and accounts in one line that names the worst.

use crate::store::View;
use crate::web::status::AccountStatus;

use super::accounts::tone;
use super::parts::{Tone, counted_word, grouped};

/// State of a target; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// It fails and has no values to show.
    FailsWithout,
    /// It fails; its last good values are not stale yet.
    Fails,
    /// It has not failed, but its values are too old.
    Withdrawn,
    /// It has not been polled yet.
    Waiting,
    /// All is well.
    Fresh,
}

/// The state of a target.
pub(super) fn condition(view: &View) -> Condition {
    match (view.failure.is_some(), view.reading.is_some()) {
        (true, false) => Condition::FailsWithout,
        (true, true) => Condition::Fails,
        (false, true) => Condition::Fresh,
        (false, false) if view.read_at.is_some() => Condition::Withdrawn,
        (false, false) => Condition::Waiting,
    }
}

/// All targets, the worst first; equally bad ones by how long they have failed.
pub(super) fn worst_first(views: &[View]) -> Vec<&View> {
    let mut sorted: Vec<&View> = views.iter().collect();
    sorted.sort_by_key(|view| (condition(view), view.failing_since));
    sorted
}

/// The name to show for a target: the user's name, else its id.
pub(super) fn called(view: &View) -> &str {
    if view.target.name.is_empty() { &view.target.id.id } else { &view.target.name }
}

/// The verdict on all targets and accounts.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// How bad it is.
    pub(super) tone: Tone,
    /// The verdict itself.
    pub(super) line: String,
    /// Other problems.
    pub(super) rest: Vec<String>,
}

impl Verdict {
    /// Adds further problems.
    pub(super) fn and(self, said: Vec<String>) -> Self {
        let tone = if self.tone == Tone::Good && !said.is_empty() { Tone::Warn } else { self.tone };
        Self { tone, rest: self.rest.into_iter().chain(said).collect(), ..self }
    }
}

/// Maximum number of targets, and of accounts, that are named.
const NAMED: usize = 3;

/// The verdict on `sorted` targets and on `accounts`, the worst first.
pub(super) fn verdict(sorted: &[&View], accounts: &[&AccountStatus]) -> Verdict {
    let count = |wanted: Condition| sorted.iter().filter(|view| condition(view) == wanted).count();
    let all = sorted.len();
    let without = count(Condition::FailsWithout);
    let failing = without + count(Condition::Fails);
    let withdrawn = count(Condition::Withdrawn);
    let waiting = count(Condition::Waiting);
    let mut said = Vec::new();
    if failing > 0 {
        let verb = counted_word(failing, "fails", "fail");
        said.push((
            Tone::Bad,
            format!("{} {verb}: {}", of(failing, all), named(&sorted[..failing])),
        ));
    }
    if without > 0 {
        let verb = counted_word(without, "has", "have");
        said.push((Tone::Bad, format!("{} of them {verb} no fresh values", grouped(without))));
    }
    if withdrawn > 0 {
        let names = named(&sorted[failing..failing + withdrawn]);
        said.push((
            Tone::Bad,
            format!("The values of {} are too old to show: {names}", of(withdrawn, all)),
        ));
    }
    let incomplete: Vec<&View> =
        sorted.iter().filter(|view| view.state.lists.missing > 0).copied().collect();
    if !incomplete.is_empty() {
        let line = format!(
            "The lists of {} are not whole: {}",
            of(incomplete.len(), all),
            named(&incomplete)
        );
        said.push((Tone::Warn, line));
    }
    if waiting > 0 {
        let verb = counted_word(waiting, "waits", "wait");
        said.push((Tone::Warn, format!("{} {verb} for the first poll", of(waiting, all))));
    }
    let calm = said.is_empty().then(|| calm(all));
    said.extend(troubled(accounts));
    said.extend(calm);
    let (tone, line) = said.remove(0);
    Verdict { tone, line, rest: said.into_iter().map(|(_, line)| line).collect() }
}

/// Problems of accounts, a line for each account.
fn troubled(accounts: &[&AccountStatus]) -> Vec<(Tone, String)> {
    let troubled: Vec<&&AccountStatus> =
        accounts.iter().filter(|account| !account.problems.is_empty()).collect();
    let line = |account: &&&AccountStatus| {
        let problems: Vec<&str> =
            account.problems.iter().map(|problem| &*problem.message).collect();
        let worst = account.problems.first().map_or(Tone::Warn, tone);
        (worst, format!("Account {}: {}", account.name, problems.join("; ")))
    };
    let more = troubled.len().saturating_sub(NAMED);
    let rest = (more > 0).then(|| {
        let accounts = counted_word(more, "account", "accounts");
        let are = counted_word(more, "is", "are");
        (Tone::Warn, format!("{} more {accounts} {are} not in order", grouped(more)))
    });
    troubled.iter().take(NAMED).map(line).chain(rest).collect()
}

fn calm(all: usize) -> (Tone, String) {
    match all {
        0 => (Tone::Warn, "No targets: the configuration names none".to_owned()),
        1 => (Tone::Good, "The target is fresh".to_owned()),
        _ => (Tone::Good, format!("All {} targets are fresh", grouped(all))),
    }
}

fn of(count: usize, all: usize) -> String {
    format!("{} of {} {}", grouped(count), grouped(all), counted_word(all, "target", "targets"))
}

/// Some names, with reasons if there are any, and the number of others.
fn named(views: &[&View]) -> String {
    let name = |view: &&View| match &view.failure {
        Some(failure) => format!("{} ({})", called(view), failure.reason.label().replace('_', " ")),
        None => called(view).to_owned(),
    };
    let mut text = views.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
    if views.len() > NAMED {
        text.push_str(&format!(" and {} more", grouped(views.len() - NAMED)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Tone, verdict, worst_first};
    use crate::model::Reason;
    use crate::store::View;
    use crate::target::Kind;
    use crate::web::page::accounts;
    use crate::web::page::fixture::{account, failing, server, troubled, waiting, withdrawn};
    use crate::web::status::AccountStatus;

    fn said(views: &[View]) -> (Tone, String, Vec<String>) {
        said_with(views, &[])
    }

    fn said_with(views: &[View], accounts: &[AccountStatus]) -> (Tone, String, Vec<String>) {
        let verdict = verdict(&worst_first(views), &accounts::worst_first(accounts));
        (verdict.tone, verdict.line, verdict.rest)
    }

    #[test]
    fn all_is_well_only_if_every_target_is_fresh() {
        let [a, b] = ["a", "b"].map(|id| server(id, &[]));
        assert_eq!(
            said(&[a.clone(), b.clone()]),
            (Tone::Good, "All 2 targets are fresh".into(), vec![])
        );
        assert_eq!(
            said(std::slice::from_ref(&a)),
            (Tone::Good, "The target is fresh".into(), vec![])
        );
        assert_eq!(said(&[]).0, Tone::Warn);
        let (tone, line, _) = said(&[a.clone(), waiting(Kind::EhpcTasks, "c")]);
        assert_eq!((tone, line.as_str()), (Tone::Warn, "1 of 2 targets waits for the first poll"));
        let (tone, line, _) = said(&[a, withdrawn(b)]);
        assert_eq!(
            (tone, line.as_str()),
            (Tone::Bad, "The values of 1 of 2 targets are too old to show: name-of-b")
        );
    }

    #[test]
    fn the_worst_is_named_first() {
        let kept = failing(server("kept", &[]), Reason::Throttled, 1);
        let later = failing(withdrawn(server("later", &[])), Reason::NotFound, 3);
        let first = failing(withdrawn(server("first", &[])), Reason::Permission, 2);
        let (tone, line, rest) =
            said(&[kept, later, first, waiting(Kind::EhpcTasks, "w"), server("well", &[])]);
        assert_eq!(tone, Tone::Bad);
        let named =
            "name-of-first (permission), name-of-later (not found), name-of-kept (throttled)";
        assert_eq!(line, format!("3 of 5 targets fail: {named}"));
        assert_eq!(
            rest,
            ["2 of them have no fresh values", "1 of 5 targets waits for the first poll"]
        );
    }

    #[test]
    fn a_list_that_is_not_whole_spoils_the_calm() {
        let mut short = server("short", &[]);
        short.state.lists.missing = 3;
        let (tone, line, rest) = said(&[short, server("well", &[])]);
        assert_eq!((tone, rest), (Tone::Warn, vec![]));
        assert_eq!(line, "The lists of 1 of 2 targets are not whole: name-of-short");
    }

    #[test]
    fn only_a_few_are_named() {
        let many: Vec<View> = (0..1234)
            .map(|id| failing(server(&id.to_string(), &[]), Reason::Timeout, id))
            .collect();
        let (_, line, _) = said(&many);
        assert!(line.ends_with("name-of-2 (timeout) and 1\u{202f}231 more"), "{line}");
    }

    #[test]
    fn an_account_that_is_not_in_order_spoils_the_calm_and_comes_after_targets_that_fail() {
        let mut accounts = vec![account("well", None), troubled("bad")];
        let (tone, line, rest) = said_with(&[server("a", &[])], &accounts);
        assert_eq!(tone, Tone::Bad);
        assert!(line.starts_with("Account bad: the credentials have ended"), "{line}");
        assert!(line.contains("; the clock of this machine is 12m behind"), "{line}");
        assert_eq!(rest, ["The target is fresh"]);
        let (_, line, rest) =
            said_with(&[failing(server("a", &[]), Reason::Timeout, 1)], &accounts);
        assert!(
            line.starts_with("1 of 1 target fails") && rest[0].starts_with("Account bad: "),
            "{line} {rest:?}"
        );
        accounts.extend(["b", "c", "d", "e"].map(troubled));
        let (_, _, rest) = said_with(&[], &accounts);
        assert_eq!(
            rest[2..],
            ["2 more accounts are not in order", "No targets: the configuration names none"]
        );
    }
}
