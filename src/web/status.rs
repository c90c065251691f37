//! What the status page shows, as data: also the answer of `/api/v1/status`.

use jiff::Timestamp;
use serde::Serialize;

use super::Site;
use crate::model::{CommandsReading, Reading, RunsReading, TasksReading};
use crate::snapshot::View;

/// The exporter and all its targets.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// Version of the exporter.
    pub(super) version: &'static str,
    /// When it was started.
    pub(super) started: Timestamp,
    /// Polled series on `/metrics`, and how many are allowed.
    pub(super) series: (usize, usize),
    /// Its targets.
    pub(super) targets: Vec<TargetStatus>,
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

/// A task.
#[derive(Debug, Serialize)]
pub(super) struct TaskStatusRow {
    /// TaskId.
    pub(super) id: String,
    /// TaskType, as it was sent.
    pub(super) task_type: String,
    /// Status, as it was sent.
    pub(super) status: String,
    /// CurrentStep.
    pub(super) current_step: Option<i64>,
    /// TotalSteps.
    pub(super) steps: Option<i64>,
    /// Entries of Errors.
    pub(super) errors: Option<u64>,
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

/// All that there is to show at `now`.
pub(super) fn status(site: &Site, now: Timestamp) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION"),
        started: site.started,
        series: site.store.series(now),
        targets: site.store.views(now).into_iter().map(target).collect(),
    }
}

fn target(view: View) -> TargetStatus {
    let failure = view.failure.map(|failure| FailureStatus {
        reason: failure.reason.label(),
        message: failure.message,
        advice: failure.advice,
        since: view.failing_since,
    });
    let mut status = TargetStatus {
        kind: view.target.id.kind.label(),
        id: view.target.id.id.to_string(),
        name: view.target.name.to_string(),
        account: view.target.account.to_string(),
        region: view.target.region.to_string(),
        up: view.state.up,
        failure,
        last_success: view.state.last_success,
        next_poll: view.state.next_poll,
        stale_after_seconds: view.state.stale_after.map(|age| age.as_secs_f64()),
        read_at: view.read_at,
        stale: view.read_at.is_some() && view.reading.is_none(),
        series: view.state.series,
        tasks: Vec::new(),
        commands: Vec::new(),
        runs: Vec::new(),
    };
    match view.reading.as_deref() {
        Some(Reading::Tasks(reading)) => status.tasks = tasks(reading),
        Some(Reading::Commands(reading)) => status.commands = commands(reading),
        Some(Reading::Runs(reading)) => status.runs = runs(reading),
        None => {}
    }
    status
}

fn tasks(reading: &TasksReading) -> Vec<TaskStatusRow> {
    let row = |seen: &crate::model::SeenTask| TaskStatusRow {
        id: seen.task.id.to_string(),
        task_type: seen.task.task_type.word().to_owned(),
        status: seen.task.status.word().to_owned(),
        current_step: seen.task.current_step,
        steps: seen.task.steps,
        errors: seen.task.errors,
        first_seen: seen.first_seen,
        last_progress: seen.last_progress,
        finished: seen.finished,
    };
    reading.tasks.iter().map(row).collect()
}

fn commands(reading: &CommandsReading) -> Vec<CommandStatusRow> {
    let row = |seen: &crate::model::SeenCommand| {
        let of = |word: &str| seen.run.nodes.values().filter(|status| status.label() == word).count();
        let results = seen.results.as_deref();
        CommandStatusRow {
            id: seen.id.to_string(),
            status: seen.run.status.word().to_owned(),
            nodes: crate::model::InvokeStatus::LABELS.iter().map(|word| (*word, of(word))).collect(),
            nonzero_exit_nodes: results
                .map(|results| results.iter().filter(|node| node.exit_code.is_some_and(|code| code != 0)).count()),
            finished: results.and_then(|results| results.iter().filter_map(|node| node.finished).max()),
        }
    };
    reading.commands.iter().map(row).collect()
}

fn runs(reading: &RunsReading) -> Vec<RunStatusRow> {
    let row = |seen: &crate::model::SeenRun| {
        let result = seen.result.as_ref();
        RunStatusRow {
            id: seen.run.id.to_string(),
            command: seen.run.command_name.to_string(),
            status: seen.run.status.word().to_owned(),
            exit_code: result.and_then(|result| result.exit_code),
            error: result.and_then(|result| result.error.as_ref()).map(|error| error.word().to_owned()),
            created: seen.run.created,
            started: result.and_then(|result| result.started),
            finished: result.and_then(|result| result.finished),
        }
    };
    reading.runs.iter().map(row).collect()
}
