//! The verdict on everything: what is checked, and what each check has found.

use jiff::Timestamp;
use smol_str::SmolStr;

use super::accounts::tone;
use super::condition::{Condition, those};
use super::context::Context;
use super::parts::Tone;
use crate::store::View;
use crate::web::budget::{Budget, Throttling};
use crate::web::status::{Query, Show, WorkFilter, called};
use crate::web::text::{Texts, grouped};

/// Maximum number of targets, of accounts, and of budgets that are named.
const NAMED: usize = 3;

/// Something that is checked.
#[derive(Debug)]
pub(super) struct Check {
    /// HTML id.
    pub(super) id: &'static str,
    /// What is checked.
    pub(super) title: &'static str,
    /// How bad it is.
    pub(super) tone: Tone,
    /// What was found, the worst first; never empty.
    pub(super) found: Vec<String>,
    /// Where there is more about it.
    pub(super) address: String,
}

impl Check {
    /// Whether it needs a person's attention.
    pub(super) fn is_trouble(&self) -> bool {
        matches!(self.tone, Tone::Bad | Tone::Warn)
    }

    /// What was found first.
    pub(super) fn line(&self) -> &str {
        self.found.first().map_or("", String::as_str)
    }
}

/// What was found by one check.
type Found = (Tone, Vec<String>);

/// Everything that is checked, in the order in which it is shown.
pub(super) fn checks(cx: &Context<'_>) -> Vec<Check> {
    let t = cx.t;
    let check =
        |id, title, (tone, found): Found, address| Check { id, title, tone, found, address };
    let exporter = check("check-exporter", t.exporter, self::exporter(cx), cx.to.of("config"));
    if !cx.facts.role.leads {
        return vec![exporter];
    }
    let here = |part: &str| format!("{}#{part}", cx.to.overview(&Query::default(), None));
    let listed = |show| cx.to.overview(&Query::default(), Some(show));
    vec![
        check("check-targets", t.targets, targets(cx), listed(Show::Targets)),
        check("check-lists", t.lists, lists(cx), here("attention")),
        check("check-accounts", t.accounts, accounts(cx), here("accounts")),
        check("check-api", t.api_calls, api(cx), here("api")),
        check("check-series", t.series, series(cx), here("attention")),
        check("check-running", t.running, running(cx), listed(Show::Running)),
        check("check-failed", t.failed_lately, failed(cx), listed(Show::Failed)),
        exporter,
    ]
}

/// The worst of them, the first of equally bad ones.
pub(super) fn worst(checks: &[Check]) -> Option<&Check> {
    let rank = |check: &&Check| match check.tone {
        Tone::Bad => 0,
        Tone::Warn | Tone::Unknown => 1,
        Tone::Good | Tone::Active | Tone::Quiet => 2,
    };
    checks.iter().min_by_key(rank)
}

fn targets(cx: &Context<'_>) -> Found {
    let t = cx.t;
    let views: Vec<&View> = cx.facts.views.iter().collect();
    let all = views.len();
    let failing = those(&views, &[Condition::FailsWithout, Condition::Fails]);
    let without = those(&views, &[Condition::FailsWithout]).len();
    let withdrawn = those(&views, &[Condition::Withdrawn]);
    let waiting = those(&views, &[Condition::Waiting]).len();
    let mut found = Vec::new();
    if !failing.is_empty() {
        found.push((t.targets_fail)(failing.len(), all, &named(t, &failing)));
    }
    if without > 0 {
        found.push((t.without_values)(without));
    }
    if !withdrawn.is_empty() {
        found.push((t.too_old)(withdrawn.len(), all, &named(t, &withdrawn)));
    }
    let is_bad = !found.is_empty();
    if waiting > 0 {
        found.push((t.waiting)(waiting, all));
    }
    match (is_bad, all) {
        (true, _) => (Tone::Bad, found),
        (false, 0) => (Tone::Warn, vec![t.no_targets.to_owned()]),
        (false, _) if waiting > 0 => (Tone::Warn, found),
        (false, _) => (Tone::Good, vec![(t.all_fresh)(all)]),
    }
}

fn lists(cx: &Context<'_>) -> Found {
    let views = cx.facts.views.iter().filter(|view| view.state.lists.missing > 0);
    let incomplete: Vec<&View> = views.collect();
    if incomplete.is_empty() {
        return (Tone::Good, vec![cx.t.lists_whole.to_owned()]);
    }
    let names = named(cx.t, &incomplete);
    let line = (cx.t.lists_incomplete)(incomplete.len(), cx.facts.views.len(), &names);
    (Tone::Warn, vec![line])
}

/// Problems of accounts, a line for each account.
fn accounts(cx: &Context<'_>) -> Found {
    let t = cx.t;
    let sorted = super::accounts::worst_first(&cx.facts.accounts);
    let troubled = sorted.iter().filter(|account| !account.problems.is_empty());
    let count = troubled.clone().count();
    let Some(worst) = troubled.clone().next() else {
        return (Tone::Good, vec![t.accounts_well.to_owned()]);
    };
    let tone = worst.problems.first().map_or(Tone::Warn, tone);
    let line = |account: &&crate::web::status::AccountStatus| {
        let problem = |problem| (t.problem)(problem, account).0;
        let problems: Vec<String> = account.problems.iter().map(problem).collect();
        (t.account_is)(&account.name, &problems.join("; "))
    };
    let mut found: Vec<String> = troubled.take(NAMED).map(line).collect();
    found.extend((count > NAMED).then(|| (t.more_accounts)(count - NAMED)));
    (tone, found)
}

/// Budgets that the cloud has lowered, or that are too small for the plan.
fn api(cx: &Context<'_>) -> Found {
    let t = cx.t;
    let now = cx.now;
    let mut budgets: Vec<&Budget> = cx.facts.budgets.iter().collect();
    budgets.sort_by(|a, b| a.worse(b, now));
    let is_lowered =
        |budget: &Budget| budget.lowered.is_some() || budget.throttling(now) >= Throttling::Short;
    let is_trouble = |budget: &&&Budget| is_lowered(budget) || budget.share() > 1.0;
    let troubled: Vec<&Budget> = budgets.iter().filter(is_trouble).copied().collect();
    let planned = budgets.iter().map(|budget| budget.planned_per_minute).sum();
    let Some(worst) = troubled.first() else {
        let tightest = budgets.iter().map(|budget| budget.share()).fold(0.0, f64::max);
        return (Tone::Good, vec![(t.calls_planned)(planned, tightest)]);
    };
    let is_bad = worst.throttling(now) >= Throttling::Short;
    let line = |budget: &&Budget| {
        let what = (t.operation_in)(&budget.operation, &budget.region);
        match (t.throttled)(budget, now) {
            Some(said) => (t.said_of)(&what, &said),
            None => (t.quota_too_small)(&what, budget.planned_per_minute, budget.quota_per_minute),
        }
    };
    let mut found: Vec<String> = troubled.iter().take(NAMED).map(line).collect();
    found.extend((troubled.len() > NAMED).then(|| (t.more_budgets)(troubled.len() - NAMED)));
    (if is_bad { Tone::Bad } else { Tone::Warn }, found)
}

/// What limits of series leave out, and why there may be more than they allow.
fn series(cx: &Context<'_>) -> Found {
    let t = cx.t;
    let series = &cx.facts.series;
    let targets = || cx.facts.target_series.values();
    let open = targets().filter(|series| series.lacks_open()).count();
    let left_out = |counts: &[usize]| counts.iter().sum::<usize>();
    let dropped = targets().map(|series| left_out(&series.dropped)).filter(|count| *count > 0);
    let dropped: Vec<usize> = dropped.collect();
    let found: Vec<String> = [
        (series.shown > series.limit).then(|| (t.series_above)(series.shown, series.limit)),
        (series.targets_above > 0).then(|| (t.targets_above)(series.targets_above)),
        (open > 0).then(|| (t.open_left_out)(open)),
        (!dropped.is_empty()).then(|| (t.series_left_out)(left_out(&dropped), dropped.len())),
    ]
    .into_iter()
    .flatten()
    .collect();
    match found.is_empty() {
        true => (Tone::Good, vec![(t.series_of)(series.shown, series.limit)]),
        false => (Tone::Warn, found),
    }
}

fn running(cx: &Context<'_>) -> Found {
    let counts = &cx.facts.work.counts;
    let open = cx.facts.work.running.len();
    let stuck = cx.facts.work.stuck;
    let runs = (cx.t.runs)(open, counts.map(|counts| counts.running));
    match (open, stuck) {
        (0, _) => (Tone::Quiet, vec![runs]),
        (_, 0) => (Tone::Active, vec![runs]),
        _ => (Tone::Warn, vec![(cx.t.stuck)(stuck), runs]),
    }
}

fn failed(cx: &Context<'_>) -> Found {
    let work = &cx.facts.work;
    let all = work.failed.len();
    let unmended = work.unmended();
    let overdue = (!work.overdue.is_empty()).then(|| not_run(cx));
    let failed = match unmended {
        0 => (cx.t.none_failed)(all),
        _ => (cx.t.have_failed)(unmended, all - unmended),
    };
    match (unmended, overdue) {
        (0, None) => (Tone::Good, vec![failed]),
        (0, Some(overdue)) => (Tone::Warn, vec![overdue]),
        (_, overdue) => (Tone::Warn, [failed].into_iter().chain(overdue).collect()),
    }
}

/// Which jobs did not run.
fn not_run(cx: &Context<'_>) -> String {
    let t = cx.t;
    let overdue = &cx.facts.work.overdue;
    let name = |(place, job): &(usize, SmolStr)| match cx.facts.views.get(*place) {
        Some(view) => (t.job_on)(job, called(view)),
        None => job.to_string(),
    };
    (t.not_run)(overdue.len(), &first(t, overdue, name))
}

/// Whether this instance polls, whether its configuration is in force and its state saved, and
/// whether it understands the cloud.
fn exporter(cx: &Context<'_>) -> Found {
    let t = cx.t;
    let role = &cx.facts.role;
    if !role.leads {
        return (Tone::Quiet, vec![t.stands_by.to_owned(), t.stands_by_until.to_owned()]);
    }
    let words = cx.facts.unknown_words.len();
    let found: Vec<String> = [
        role.unsaved.as_deref().map(t.unsaved),
        role.reload_refused.as_deref().map(t.not_in_force),
        (words > 0).then(|| (t.unknown_words_met)(words)),
    ]
    .into_iter()
    .flatten()
    .collect();
    match found.is_empty() {
        true => (Tone::Good, vec![t.exporter_well.to_owned()]),
        false => (Tone::Warn, found),
    }
}

/// The first names, with reasons if there are any, and the number of others.
fn named(t: &Texts, views: &[&View]) -> String {
    let name = |view: &&View| match &view.failure {
        Some(failure) => (t.in_brackets)(called(view), (t.reason)(failure.reason)),
        None => called(view).to_owned(),
    };
    first(t, views, name)
}

/// The first names, and the number of others.
fn first<T>(t: &Texts, all: &[T], name: impl Fn(&T) -> String) -> String {
    let names = all.iter().take(NAMED).map(name).collect::<Vec<_>>().join(t.comma);
    if all.len() > NAMED { (t.and_more)(&names, all.len() - NAMED) } else { names }
}

/// The oldest data that are shown.
pub(super) fn oldest(views: &[View]) -> Option<Timestamp> {
    let read = views.iter().filter(|view| view.reading.is_some());
    read.filter_map(|view| view.read_at).min()
}

/// What the tabs count: targets, what runs, what has failed lately.
pub(super) fn tabs(cx: &Context<'_>) -> [(Option<Show>, &'static str, Option<String>); 4] {
    let count = |number: usize| Some(grouped(number));
    let work = &cx.facts.work;
    [
        (None, cx.t.overview, None),
        (Some(Show::Targets), cx.t.targets, count(cx.facts.views.len())),
        (Some(Show::Running), cx.t.running, count(work.running.len())),
        (Some(Show::Failed), cx.t.failed_lately, count(work.failed.len())),
    ]
}

/// The name of a filter by work.
pub(super) fn work_name(t: &Texts, filter: WorkFilter) -> &'static str {
    match filter {
        WorkFilter::Running => t.has_running,
        WorkFilter::Failed => t.has_failed,
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, checks, worst};
    use crate::exposition::TargetSeries;
    use crate::model::Reason;
    use crate::store::{Role, View};
    use crate::target::Kind;
    use crate::web::budget::Budget;
    use crate::web::fixture::{
        account, cluster, facts, failing, server, throttled_budget, troubled, waiting, withdrawn,
    };
    use crate::web::page::fixture::context;
    use crate::web::page::parts::Tone;
    use crate::web::status::Facts;

    fn found(facts: &Facts, id: &str) -> (Tone, Vec<String>) {
        let check = checks(&context(facts)).into_iter().find(|check| check.id == id).unwrap();
        (check.tone, check.found)
    }

    fn told(views: Vec<View>) -> (Tone, Vec<String>) {
        found(&facts(views), "check-targets")
    }

    fn line(facts: &Facts) -> (Tone, String) {
        let checks = checks(&context(facts));
        let worst: &Check = worst(&checks).unwrap();
        (worst.tone, worst.line().to_owned())
    }

    #[test]
    fn a_stuck_task_and_a_job_that_did_not_run_need_attention() {
        let mut facts = facts(vec![cluster("c", &["Processing"]), server("s", &[])]);
        facts.work.stuck = 1;
        facts.work.overdue = ["a", "b", "c", "d"].map(|name| (1, name.into())).into();
        let (tone, lines) = found(&facts, "check-running");
        assert_eq!(lines[0], "1 task has not reached another step for an hour");
        assert_eq!((tone, lines.len()), (Tone::Warn, 2));
        let (tone, lines) = found(&facts, "check-failed");
        let names = "a on name-of-s, b on name-of-s, c on name-of-s and 1 more";
        let expected = format!("4 jobs ran regularly and did not run when due: {names}");
        assert_eq!((tone, lines), (Tone::Warn, vec![expected]));
    }

    #[test]
    fn all_is_well_only_if_every_target_is_fresh() {
        let [a, b] = ["a", "b"].map(|id| server(id, &[]));
        let fresh = |line: &str| (Tone::Good, vec![line.to_owned()]);
        assert_eq!(told(vec![a.clone(), b.clone()]), fresh("All 2 targets are fresh"));
        assert_eq!(told(vec![a.clone()]), fresh("The target is fresh"));
        assert_eq!(told(vec![]).0, Tone::Warn);
        let (tone, lines) = told(vec![a.clone(), waiting(Kind::EhpcTasks, "c")]);
        assert_eq!((tone, &*lines[0]), (Tone::Warn, "1 of 2 targets waits for the first poll"));
        let (tone, lines) = told(vec![a, withdrawn(b)]);
        assert_eq!(
            (tone, &*lines[0]),
            (Tone::Bad, "The values of 1 of 2 targets are too old to show: name-of-b")
        );
    }

    #[test]
    fn the_worst_is_named_first_and_only_a_few_are_named() {
        let kept = failing(server("kept", &[]), Reason::Throttled, 1);
        let later = failing(withdrawn(server("later", &[])), Reason::NotFound, 3);
        let first = failing(withdrawn(server("first", &[])), Reason::Permission, 2);
        let (tone, lines) =
            told(vec![kept, later, first, waiting(Kind::EhpcTasks, "w"), server("well", &[])]);
        assert_eq!(tone, Tone::Bad);
        let named =
            "name-of-first (permission), name-of-later (not found), name-of-kept (throttled)";
        assert_eq!(
            lines,
            [
                &*format!("3 of 5 targets fail: {named}"),
                "2 of them have no fresh values",
                "1 of 5 targets waits for the first poll"
            ]
        );
        let many = (0..1234).map(|id| failing(server(&id.to_string(), &[]), Reason::Timeout, id));
        let (_, lines) = told(many.collect());
        assert!(lines[0].ends_with("name-of-2 (timeout) and 1\u{202f}231 more"), "{lines:?}");
    }

    #[test]
    fn whatever_is_wrong_spoils_the_calm() {
        assert_eq!(
            line(&facts(vec![server("s", &[])])),
            (Tone::Good, "The target is fresh".into())
        );
        let mut short = server("short", &[]);
        short.state.lists.missing = 3;
        let spoiled = [
            facts(vec![short]),
            Facts { accounts: vec![troubled("bad")], ..facts(vec![server("s", &[])]) },
            Facts { budgets: vec![throttled_budget(120.0)], ..facts(vec![server("s", &[])]) },
            Facts { budgets: vec![throttled_budget(1.0)], ..facts(vec![server("s", &[])]) },
            facts(vec![server("s", &[("job", "Timeout")])]),
        ];
        let lines: Vec<(Tone, String)> = spoiled.iter().map(line).collect();
        let lines: Vec<(Tone, &str)> = lines.iter().map(|(tone, line)| (*tone, &**line)).collect();
        let lowered = "DescribeInvocations in cn-hangzhou: lowered to 66 of 900 a minute since 22:12 UTC after a refusal (Throttling.User); \
             more is tried at 22:18 UTC; ";
        assert_eq!(
            lines[0],
            (Tone::Warn, "The list of 1 of 1 target is incomplete: name-of-short")
        );
        assert_eq!(lines[1].0, Tone::Bad);
        assert!(lines[1].1.starts_with("Account bad: the credentials have ended"), "{lines:?}");
        assert_eq!(lines[2], (Tone::Bad, &*format!("{lowered}120 needed")));
        assert_eq!(lines[3], (Tone::Warn, &*format!("{lowered}1 needed")));
        assert_eq!(lines[4], (Tone::Warn, "1 failed in the last 24 hours"));
        let calm = facts(vec![server("s", &[("job", "Terminated"), ("job", "Cancelled")])]);
        assert_eq!(line(&calm).0, Tone::Good, "what was stopped on request is no failure");
    }

    #[test]
    fn a_quota_that_is_too_small_is_told_with_its_figures() {
        let budget = Budget { lowered: None, quota_per_minute: 60.0, ..throttled_budget(90.0) };
        let facts = Facts { budgets: vec![budget], ..facts(vec![]) };
        let line = "DescribeInvocations in cn-hangzhou needs 90 calls a minute, and the quota allows 60: polls come later than planned";
        assert_eq!(found(&facts, "check-api"), (Tone::Warn, vec![line.to_owned()]));
    }

    #[test]
    fn series_that_are_left_out_are_told_with_the_limit_to_raise() {
        let mut facts = facts(vec![server("a", &[])]);
        facts.series.shown = 200_001;
        facts.series.targets_above = 1;
        let id = facts.views[0].target.id.clone();
        facts.target_series.insert(id, TargetSeries { shown: 1, dropped: [0, 9, 9] });
        let (tone, lines) = found(&facts, "check-series");
        assert_eq!((tone, lines.len()), (Tone::Warn, 4));
        assert!(lines[0].starts_with(
            "/metrics has 200\u{202f}001 series though metrics.max_series is 200\u{202f}000: counters"
        ));
        assert!(
            lines[1].starts_with("1 target has more series than metrics.max_series_per_target")
        );
        assert!(
            lines[2].starts_with("Open tasks, commands or invocations of 1 target are left out")
        );
        assert!(
            lines[3].starts_with("18 series of 1 target are left out of /metrics"),
            "{lines:?}"
        );
    }

    #[test]
    fn what_is_not_saved_or_not_in_force_is_told_with_the_reason_and_a_standby_only_of_itself() {
        let role = Role {
            unsaved: Some("disk full".into()),
            reload_refused: Some("line 2".into()),
            ..Role::default()
        };
        let (tone, lines) = found(&Facts { role, ..facts(vec![]) }, "check-exporter");
        assert_eq!((tone, lines.len()), (Tone::Warn, 2));
        assert!(lines[0].ends_with(": disk full") && lines[1].ends_with(": line 2"), "{lines:?}");
        let role = Role { leads: false, ..Role::default() };
        let (tone, line) = line(&Facts { role, ..facts(vec![]) });
        assert!(tone == Tone::Quiet && line.starts_with("Standing by"), "{line}");
    }

    #[test]
    fn of_many_accounts_a_few_are_named() {
        let mut accounts = vec![account("well", None)];
        accounts.extend(["a", "b", "c", "d", "e"].map(troubled));
        let (_, lines) = found(&Facts { accounts, ..facts(vec![]) }, "check-accounts");
        assert_eq!((lines.len(), &*lines[3]), (4, "2 more accounts are not in order"));
        assert!(lines[0].contains("; the clock of this machine is 12m behind"), "{lines:?}");
    }
}
