//! What the status page shows, as data: also the answer of `/api/v1/status`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::Site;
use super::budget::{Budget, budgets};
use crate::model::{
    CommandsReading, Failure, InvokeStatus, Reading, RunsReading, SeenCommand, SeenRun, SeenTask, TasksReading,
};
use crate::snapshot::View;

/// What there is to tell. The page draws a bounded part of it, the API all of it.
#[derive(Debug)]
pub(super) struct Facts {
    /// Version of the exporter.
    pub(super) version: &'static str,
    /// What it was built from.
    pub(super) revision: &'static str,
    /// When it was started.
    pub(super) started: Timestamp,
    /// Polled series on `/metrics`, and how many are allowed.
    pub(super) series: (usize, usize),
    /// Its targets.
    pub(super) views: Vec<View>,
    /// What it may ask of the cloud, and what it has asked.
    pub(super) budgets: Vec<Budget>,
}

/// The exporter and all its targets.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// Version of the exporter.
    pub(super) version: &'static str,
    /// What it was built from.
    pub(super) revision: &'static str,
    /// When it was started.
    pub(super) started: Timestamp,
    /// Polled series on `/metrics`, and how many are allowed.
    pub(super) series: (usize, usize),
    /// Its targets.
    pub(super) targets: Vec<TargetStatus>,
    /// What it may ask of the cloud, and what it has asked.
    pub(super) api: Vec<Budget>,
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
    /// Whether there were values that are withdrawn now.
    pub(super) stale: bool,
    /// Its series.
    pub(super) series: usize,
    /// Series that its budget has left out.
    pub(super) series_dropped: usize,
    /// Its tasks, if it has any.
    pub(super) tasks: Vec<TaskStatusRow>,
    /// Its commands, if it has any.
    pub(super) commands: Vec<CommandStatusRow>,
    /// Its command runs, if it has any.
    pub(super) runs: Vec<RunStatusRow>,
}

/// Why a target fails.
#[derive(Debug, Serialize)]
pub(super) struct FailureStatus {
    /// The `reason` label.
    pub(super) reason: &'static str,
    /// What went wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) advice: &'static str,
    /// Since when.
    pub(super) since: Option<Timestamp>,
}

/// Why a target failed the last time.
#[derive(Debug, Serialize)]
pub(super) struct LastFailure {
    /// The `reason` label.
    pub(super) reason: &'static str,
    /// What went wrong.
    pub(super) message: String,
    /// What to do about it.
    pub(super) advice: &'static str,
    /// When.
    pub(super) at: Timestamp,
}

/// A task.
#[derive(Debug, Serialize)]
pub(super) struct TaskStatusRow {
    /// TaskId.
    pub(super) id: String,
    /// TaskType, as it was sent.
    pub(super) task_type: String,
    /// Status, as it was sent.
    pub(super) status: String,
    /// Whether this version knows that word.
    pub(super) status_known: bool,
    /// CurrentStep.
    pub(super) current_step: Option<i64>,
    /// TotalSteps.
    pub(super) steps: Option<i64>,
    /// Entries of Errors.
    pub(super) errors: Option<u64>,
    /// Nodes of its result, for the task types that add nodes.
    pub(super) nodes: Option<u64>,
    /// When it was first seen.
    pub(super) first_seen: Timestamp,
    /// When it last moved.
    pub(super) last_progress: Timestamp,
    /// When it was seen to end.
    pub(super) finished: Option<Timestamp>,
}

/// A command on its nodes.
#[derive(Debug, Serialize)]
pub(super) struct CommandStatusRow {
    /// CommandId.
    pub(super) id: String,
    /// InvokeStatus, as it was sent.
    pub(super) status: String,
    /// Whether this version knows that word.
    pub(super) status_known: bool,
    /// Nodes by status, none left out.
    pub(super) nodes: Vec<(&'static str, usize)>,
    /// Nodes with an exit code other than 0; absent before the results were read.
    pub(super) nonzero_exit_nodes: Option<usize>,
    /// When it ended on its last node.
    pub(super) finished: Option<Timestamp>,
}

/// A command run.
#[derive(Debug, Serialize)]
pub(super) struct RunStatusRow {
    /// InvokeId.
    pub(super) id: String,
    /// CommandName.
    pub(super) command: String,
    /// InvocationStatus, as it was sent.
    pub(super) status: String,
    /// Whether this version knows that word.
    pub(super) status_known: bool,
    /// Its exit code, if it has one.
    pub(super) exit_code: Option<i64>,
    /// ErrorCode, as it was sent.
    pub(super) error: Option<String>,
    /// CreationTime.
    pub(super) created: Option<Timestamp>,
    /// StartTime.
    pub(super) started: Option<Timestamp>,
    /// FinishedTime.
    pub(super) finished: Option<Timestamp>,
}

/// All that there is to tell at `now`.
pub(super) fn facts(site: &Site, now: Timestamp) -> Facts {
    let (views, series) = (site.store.views(now), site.store.series(now));
    let groups: BTreeMap<&Arc<str>, &Arc<str>> =
        views.iter().map(|view| (&view.target.account, &view.target.quota_group)).collect();
    let budgets = budgets(&site.metrics.gather(series), &groups);
    let revision = env!("BUILD_REVISION");
    Facts { version: env!("CARGO_PKG_VERSION"), revision, started: site.started, series, views, budgets }
}

/// All of it, as the API says it.
pub(super) fn status(facts: Facts) -> Status {
    Status {
        version: facts.version,
        revision: facts.revision,
        started: facts.started,
        series: facts.series,
        targets: facts.views.into_iter().map(target).collect(),
        api: facts.budgets,
    }
}

fn target(view: View) -> TargetStatus {
    let mut status = TargetStatus {
        kind: view.target.id.kind.label(),
        id: view.target.id.id.to_string(),
        name: view.target.name.to_string(),
        account: view.target.account.to_string(),
        region: view.target.region.to_string(),
        up: view.state.up,
        failure: view.failure.map(|failure| failing(failure, view.failing_since)),
        last_failure: view.last_failure.map(failed),
        last_success: view.state.last_success,
        next_poll: view.state.next_poll,
        stale_after_seconds: view.state.stale_after.map(|age| age.as_secs_f64()),
        read_at: view.read_at,
        stale: view.read_at.is_some() && view.reading.is_none(),
        series: view.state.series,
        series_dropped: view.state.dropped,
        tasks: Vec::new(),
        commands: Vec::new(),
        runs: Vec::new(),
    };
    match view.reading.as_deref() {
        Some(Reading::Tasks(TasksReading { tasks, .. })) => status.tasks = tasks.iter().map(task).collect(),
        Some(Reading::Commands(CommandsReading { commands, .. })) => {
            status.commands = commands.iter().map(command).collect();
        }
        Some(Reading::Runs(RunsReading { runs, .. })) => status.runs = runs.iter().map(run).collect(),
        None => {}
    }
    status
}

fn failing(failure: Failure, since: Option<Timestamp>) -> FailureStatus {
    FailureStatus { reason: failure.reason.label(), message: failure.message, advice: failure.advice, since }
}

fn failed((failure, at): (Failure, Timestamp)) -> LastFailure {
    LastFailure { reason: failure.reason.label(), message: failure.message, advice: failure.advice, at }
}

fn task(seen: &SeenTask) -> TaskStatusRow {
    TaskStatusRow {
        id: seen.task.id.to_string(),
        task_type: seen.task.task_type.word().to_owned(),
        status: seen.task.status.word().to_owned(),
        status_known: seen.task.status.unknown_word().is_none(),
        current_step: seen.task.current_step,
        steps: seen.task.steps,
        errors: seen.task.errors,
        nodes: seen.task.nodes,
        first_seen: seen.first_seen,
        last_progress: seen.last_progress,
        finished: seen.finished,
    }
}

fn command(seen: &SeenCommand) -> CommandStatusRow {
    CommandStatusRow {
        id: seen.id.to_string(),
        status: seen.run.status.word().to_owned(),
        status_known: seen.run.status.unknown_word().is_none(),
        nodes: nodes(seen).to_vec(),
        nonzero_exit_nodes: nonzero_exit_nodes(seen),
        finished: finished(seen),
    }
}

/// How many nodes of a command have each status; none is left out.
pub(super) fn nodes(seen: &SeenCommand) -> [(&'static str, usize); InvokeStatus::LABELS.len()] {
    let mut counts = [0; InvokeStatus::LABELS.len()];
    for status in seen.run.nodes.values() {
        if let Some(at) = InvokeStatus::LABELS.iter().position(|label| *label == status.label()) {
            counts[at] += 1;
        }
    }
    std::array::from_fn(|at| (InvokeStatus::LABELS[at], counts[at]))
}

/// Nodes with an exit code other than 0, once the results were read.
pub(super) fn nonzero_exit_nodes(seen: &SeenCommand) -> Option<usize> {
    let results = seen.results.as_deref()?;
    Some(results.iter().filter(|node| node.exit_code.is_some_and(|code| code != 0)).count())
}

/// When a command ended on its last node.
pub(super) fn finished(seen: &SeenCommand) -> Option<Timestamp> {
    seen.results.as_deref()?.iter().filter_map(|node| node.finished).max()
}

fn run(seen: &SeenRun) -> RunStatusRow {
    let result = seen.result.as_ref();
    RunStatusRow {
        id: seen.run.id.to_string(),
        command: seen.run.command_name.to_string(),
        status: seen.run.status.word().to_owned(),
        status_known: seen.run.status.unknown_word().is_none(),
        exit_code: result.and_then(|result| result.exit_code),
        error: result.and_then(|result| result.error.as_ref()).map(|error| error.word().to_owned()),
        created: seen.run.created,
        started: result.and_then(|result| result.started),
        finished: result.and_then(|result| result.finished),
    }
}
