//! What the status page shows, as data; also the answer of `/api/v1/status`.

mod accounts;
mod facts;
mod query;
mod rows;
mod work;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

pub(super) use self::accounts::{AccountProblem, AccountStatus, OperationStatus, ProblemKind};
pub(super) use self::facts::Facts;
pub(super) use self::query::{
    Listed, Needle, Query, Show, Sort, StateFilter, WorkFilter, called, encoded,
};
use self::rows::{CommandStatusRow, InvocationStatusRow, TaskStatusRow};
pub(super) use self::rows::{finished, nodes, shown_text};
pub(super) use self::work::{Counted, Found, Thing, Work};
use super::budget::Budget;
use super::site::Site;
use crate::clock::Moment;
use crate::model::{Failure, Reading};
use crate::store::{UnknownWord, View};
use crate::target::Scope;

/// The exporter and a page of its targets.
#[derive(Debug, Serialize)]
struct Status<'a> {
    /// Version of the exporter.
    version: &'static str,
    /// Revision it was built from.
    revision: &'static str,
    /// When it was started.
    started: Timestamp,
    /// Whether it polls; otherwise it stands by and has no targets.
    leader: bool,
    /// Why the state cannot be saved, if that is so.
    unsaved: Option<&'a str>,
    /// What is wrong with the configuration that the last reload refused, if it did.
    reload_refused: Option<&'a str>,
    /// Polled series on `/metrics`, and the limit.
    series: (usize, usize),
    /// The part of them that is never left out.
    series_floor: usize,
    /// Number of targets whose part of these exceeds the limit per target.
    targets_above_series_limit: usize,
    /// Number of all targets.
    targets_total: usize,
    /// Number of those that fit the query.
    targets_matching: usize,
    /// Which page of them this is, from 1.
    page: usize,
    /// Number of pages.
    pages: usize,
    /// The targets of this page.
    targets: Vec<TargetStatus>,
    /// The accounts of the targets, by name.
    accounts: &'a [AccountStatus],
    /// Budgets for calls to the cloud, and the calls made.
    api: &'a [Budget],
    /// Words in the cloud's answers that this version does not know.
    unknown_words: &'a [UnknownWord],
}

/// A target.
#[derive(Debug, Serialize)]
pub(super) struct TargetStatus {
    /// The `kind` label.
    pub(super) kind: &'static str,
    /// Cluster or instance id.
    pub(super) id: String,
    /// The user's name for it.
    pub(super) name: String,
    /// The account's name.
    pub(super) account: String,
    /// Region id.
    pub(super) region: String,
    /// Whether its last poll succeeded; absent before the first has ended.
    pub(super) up: Option<bool>,
    /// Why it failed.
    pub(super) failure: Option<FailureStatus>,
    /// The last failure, kept after the recovery.
    pub(super) last_failure: Option<LastFailure>,
    /// When the last successful poll ended.
    pub(super) last_success: Option<Timestamp>,
    /// When the next poll is planned.
    pub(super) next_poll: Option<Timestamp>,
    /// Age in seconds at which values are withdrawn.
    pub(super) stale_after_seconds: Option<f64>,
    /// When the shown values were read.
    pub(super) read_at: Option<Timestamp>,
    /// Whether it had values that are withdrawn now.
    pub(super) stale: bool,
    /// Its series.
    pub(super) series: usize,
    /// Series that are left out.
    pub(super) series_dropped: usize,
    /// Entries that its lists must show but did not show in two readings in a row.
    pub(super) missing_entries: u64,
    /// Series that are left out, by reason.
    pub(super) series_dropped_by: BTreeMap<&'static str, usize>,
    /// What it has found, if it is a discovery target.
    pub(super) discovered: Option<Discovered>,
    /// Its tasks, if it has any.
    pub(super) tasks: Vec<TaskStatusRow>,
    /// Its commands, if it has any.
    pub(super) commands: Vec<CommandStatusRow>,
    /// Its command invocations, if it has any.
    pub(super) invocations: Vec<InvocationStatusRow>,
}

/// How much discovery has found.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Discovered {
    /// Kind of things: clusters, servers or regions.
    pub(super) things: &'static str,
    /// Number of things found.
    pub(super) found: usize,
    /// Number of things that pass include and exclude.
    pub(super) taken: usize,
}

impl Discovered {
    /// What a target has found; absent if it is no discovery target or its reading is withdrawn.
    pub(super) fn of(view: &View) -> Option<Self> {
        let (Scope::Discovery(search), Some(Reading::Discovery(reading))) =
            (&view.target.scope, view.reading.as_deref())
        else {
            return None;
        };
        let taken = reading.found.iter().filter(|found| search.takes(found)).count();
        Some(Self { things: search.kind.things(), found: reading.found.len(), taken })
    }
}

/// Why a target fails.
#[derive(Debug, Serialize)]
pub(super) struct FailureStatus {
    /// The `reason` label.
    pub(super) reason: &'static str,
    /// What went wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) advice: Cow<'static, str>,
    /// Since when.
    pub(super) since: Option<Timestamp>,
}

/// Why a target last failed.
#[derive(Debug, Serialize)]
pub(super) struct LastFailure {
    /// The `reason` label.
    pub(super) reason: &'static str,
    /// What went wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) advice: Cow<'static, str>,
    /// When.
    pub(super) at: Timestamp,
}

/// Everything to show at `now`.
pub(super) fn facts(site: &Site, now: Moment) -> Facts {
    let (series, target_series) = site.exposition.series(now);
    let views = site.store.views(now);
    let groups: BTreeMap<&Arc<str>, &Arc<str>> =
        views.iter().map(|view| (&view.target.account, &view.target.quota_group)).collect();
    let budgets = site.store.budgets.statuses(&groups).into_iter();
    let budgets: Vec<Budget> =
        budgets.map(|(labels, status)| Budget::new(labels, status)).collect();
    let mut states = site.store.accounts.states();
    let account = |(name, group): (&&Arc<str>, &&Arc<str>)| {
        let state = states.remove(*name).unwrap_or_default();
        AccountStatus::new(name, group, state, now.wall).throttled(&budgets, now.wall)
    };
    let accounts = groups.iter().map(account).collect();
    let revision = env!("BUILD_REVISION");
    let started = site.started.by_clock_of(now);
    let unknown_words = site.store.exporter.unknown_words();
    let role = site.store.exporter.role();
    let work = Work::of_all(&views, now.wall);
    Facts {
        version: env!("CARGO_PKG_VERSION"),
        revision,
        started,
        role,
        series,
        target_series,
        views,
        work,
        accounts,
        budgets,
        unknown_words,
        telemetry_path: site.paths.telemetry.clone(),
        error_texts: site.config.load().error_texts(),
    }
}

/// What the API shows, as JSON.
pub(super) fn status(facts: &Facts, query: &Query) -> String {
    let Listed { shown, matching, page, pages } = query.listed(&query.matching(facts));
    let shown = shown.into_iter().map(|place| &facts.views[place]);
    let status = Status {
        version: facts.version,
        revision: facts.revision,
        started: facts.started,
        leader: facts.role.leads,
        unsaved: facts.role.unsaved.as_deref(),
        reload_refused: facts.role.reload_refused.as_deref(),
        series: (facts.series.shown, facts.series.limit),
        series_floor: facts.series.floor,
        targets_above_series_limit: facts.series.targets_above,
        targets_total: facts.views.len(),
        targets_matching: matching,
        page,
        pages,
        targets: shown.map(|view| target(view, facts)).collect(),
        accounts: &facts.accounts,
        api: &facts.budgets,
        unknown_words: &facts.unknown_words,
    };
    match serde_json::to_string(&status) {
        Ok(json) => json,
        Err(error) => unreachable!("every key is a string: {error}"),
    }
}

fn target(view: &View, facts: &Facts) -> TargetStatus {
    let series = facts.series_of(&view.target.id);
    let discovered = Discovered::of(view);
    let tasks = view.each(Reading::tasks);
    let commands = view.each(Reading::commands);
    let invocations = view.each(Reading::invocations);
    TargetStatus {
        kind: view.target.id.kind.label(),
        id: view.target.id.id.to_string(),
        name: view.target.name.to_string(),
        account: view.target.account.to_string(),
        region: view.target.region.to_string(),
        up: view.state.up,
        failure: view.failure.clone().map(|failure| failing(failure, view.failing_since)),
        last_failure: view.last_failure.clone().map(failed),
        last_success: view.state.last_success,
        next_poll: view.state.next_poll,
        stale_after_seconds: view.state.stale_after.map(|age| age.as_secs_f64()),
        read_at: view.read_at,
        stale: view.is_withdrawn(),
        series: series.shown,
        series_dropped: series.dropped.iter().sum(),
        series_dropped_by: series.dropped_by(view.target.id.kind).collect(),
        missing_entries: view.state.lists.missing,
        discovered,
        tasks: tasks.map(|seen| rows::task(seen, facts.error_texts)).collect(),
        commands: commands.map(rows::command).collect(),
        invocations: invocations.map(|seen| rows::invocation(seen, facts.error_texts)).collect(),
    }
}

fn failing(failure: Failure, since: Option<Timestamp>) -> FailureStatus {
    FailureStatus {
        reason: failure.reason.label(),
        message: failure.message,
        advice: failure.advice,
        since,
    }
}

fn failed((failure, at): (Failure, Timestamp)) -> LastFailure {
    LastFailure {
        reason: failure.reason.label(),
        message: failure.message,
        advice: failure.advice,
        at,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::{Facts, Query, status};
    use crate::model::{
        Failure, InvocationStatus, Reading, Reason, SeenSwasInvocation, SeriesUse,
        SwasInvocationsReading,
    };
    use crate::store::{Role, TargetState, View};
    use crate::target::{Kind, Scope, Target, TargetId};

    fn view() -> View {
        let invocation = crate::model::Invocation {
            id: "t-1".into(),
            command_name: "backup".into(),
            command_type: crate::model::CommandType::RunShellScript,
            status: InvocationStatus::parse("Dozing"),
            record: None,
            created: None,
        };
        let reading = SwasInvocationsReading {
            invocations: vec![SeenSwasInvocation {
                invocation: Arc::new(invocation),
                result: None,
                timing: None,
            }],
            ..SwasInvocationsReading::default()
        };
        let failure = Failure { reason: Reason::Timeout, message: "m".into(), advice: "a".into() };
        View {
            target: std::sync::Arc::new(Target {
                id: TargetId { kind: Kind::SwasInvocations, id: "s".into() },
                account: "a".into(),
                quota_group: "a".into(),
                region: "r".into(),
                name: "n".into(),
                scope: Scope::SwasInvocations(crate::config::InvocationWindow::default()),
            }),
            state: TargetState::default(),
            failure: None,
            failing_since: None,
            last_failure: Some((failure, Timestamp::UNIX_EPOCH)),
            read_at: Some(Timestamp::UNIX_EPOCH),
            reading: Some(std::sync::Arc::new(Reading::SwasInvocations(reading))),
        }
    }

    #[test]
    fn the_api_tells_unknown_words_and_the_last_failure() {
        let started = Timestamp::UNIX_EPOCH;
        let views = vec![view(), View { reading: None, ..view() }];
        let facts = Facts {
            version: "1",
            revision: "r",
            started,
            role: Role::default(),
            series: SeriesUse { shown: 1, limit: 2, ..SeriesUse::default() },
            target_series: std::collections::BTreeMap::new(),
            views,
            work: super::Work::default(),
            accounts: Vec::new(),
            budgets: Vec::new(),
            unknown_words: Vec::new(),
            telemetry_path: "/metrics".into(),
            error_texts: false,
        };
        let json: serde_json::Value =
            serde_json::from_str(&status(&facts, &Query::default())).unwrap();
        let target = &json["targets"][0];
        assert_eq!(
            (&target["invocations"][0]["status"], &target["invocations"][0]["status_known"]),
            (&"Dozing".into(), &false.into())
        );
        assert_eq!(
            (&target["last_failure"]["reason"], &target["failure"]),
            (&"timeout".into(), &serde_json::Value::Null)
        );
        assert_eq!((&target["stale"], &json["targets"][1]["stale"]), (&false.into(), &true.into()));
    }
}
