//! Tasks, commands and invocations as rows of data.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    ErrorText, InvokeStatus, SeenEhpcInvocation, SeenEhpcTask, SeenSwasInvocation, TaskError,
};

/// A task.
#[derive(Debug, Serialize)]
pub(in crate::web) struct TaskStatusRow {
    /// TaskId.
    pub(in crate::web) id: String,
    /// TaskType, as it was sent.
    pub(in crate::web) task_type: String,
    /// Status, as it was sent.
    pub(in crate::web) status: String,
    /// Whether this version knows that word.
    pub(in crate::web) status_known: bool,
    /// CurrentStep.
    pub(in crate::web) current_step: Option<i64>,
    /// TotalSteps.
    pub(in crate::web) steps: Option<i64>,
    /// Entries of Errors.
    pub(in crate::web) errors: Option<u64>,
    /// What they say, each once; after a restart, once the task was listed again.
    pub(in crate::web) error_details: Vec<ErrorDetail>,
    /// Nodes of its result, for the task types that add nodes.
    pub(in crate::web) nodes: Option<u64>,
    /// When it was first seen.
    pub(in crate::web) first_seen: Timestamp,
    /// When it last moved.
    pub(in crate::web) last_progress: Timestamp,
    /// When it was seen to end.
    pub(in crate::web) finished: Option<Timestamp>,
}

/// Errors of a task with the same code and text.
#[derive(Debug, Serialize)]
pub(in crate::web) struct ErrorDetail {
    /// Code.
    code: Option<String>,
    /// Message, if it may be shown.
    text: Option<String>,
    /// How many there are.
    count: u64,
}

/// A command on its nodes.
#[derive(Debug, Serialize)]
pub(in crate::web) struct CommandStatusRow {
    /// CommandId.
    pub(in crate::web) id: String,
    /// InvokeStatus, as it was sent.
    pub(in crate::web) status: String,
    /// Whether this version knows that word.
    pub(in crate::web) status_known: bool,
    /// Number of nodes in each status, zeros included.
    pub(in crate::web) nodes: Vec<(&'static str, usize)>,
    /// Nodes with an exit code other than 0; absent while no exit code is known.
    pub(in crate::web) nonzero_exit_nodes: Option<u64>,
    /// Nodes whose exit code is not known; absent while the command is open.
    pub(in crate::web) unknown_exit_nodes: Option<u64>,
    /// Nodes on which it failed.
    pub(in crate::web) failed_nodes: u64,
    /// When it ended on its last node.
    pub(in crate::web) finished: Option<Timestamp>,
}

/// A command invocation.
#[derive(Debug, Serialize)]
pub(in crate::web) struct InvocationStatusRow {
    /// InvokeId.
    pub(in crate::web) id: String,
    /// CommandName.
    pub(in crate::web) command: String,
    /// InvocationStatus, as it was sent.
    pub(in crate::web) status: String,
    /// Whether this version knows that word.
    pub(in crate::web) status_known: bool,
    /// Its exit code, if it has one.
    pub(in crate::web) exit_code: Option<i64>,
    /// ErrorCode, as it was sent.
    pub(in crate::web) error: Option<String>,
    /// ErrorInfo, if it may be shown; absent after a restart.
    pub(in crate::web) error_text: Option<String>,
    /// CreationTime.
    pub(in crate::web) created: Option<Timestamp>,
    /// StartTime.
    pub(in crate::web) started: Option<Timestamp>,
    /// FinishedTime.
    pub(in crate::web) finished: Option<Timestamp>,
}

/// The row of a task; with `all_texts`, texts that are not documented are shown, too.
pub(super) fn task(seen: &SeenEhpcTask, all_texts: bool) -> TaskStatusRow {
    let detail = |error: &TaskError| ErrorDetail {
        code: error.code.as_deref().map(str::to_owned),
        text: shown_text(error.text.as_deref(), all_texts).map(str::to_owned),
        count: error.count,
    };
    TaskStatusRow {
        id: seen.task.id.to_string(),
        task_type: seen.task.task_type.word().to_owned(),
        status: seen.task.status.word().to_owned(),
        status_known: seen.task.status.unknown_word().is_none(),
        current_step: seen.task.current_step,
        steps: seen.task.steps,
        errors: seen.task.errors,
        error_details: seen.task.error_details.iter().map(detail).collect(),
        nodes: seen.task.nodes,
        first_seen: seen.first_seen,
        last_progress: seen.last_progress,
        finished: seen.finished,
    }
}

/// A text, if it may be shown. The configuration may have changed since it was read.
pub(in crate::web) fn shown_text(text: Option<&ErrorText>, all_texts: bool) -> Option<&str> {
    text.filter(|text| all_texts || text.is_documented()).map(ErrorText::text)
}

/// The row of a command.
pub(super) fn command(seen: &SeenEhpcInvocation) -> CommandStatusRow {
    CommandStatusRow {
        id: seen.id.to_string(),
        status: seen.invocation.status.word().to_owned(),
        status_known: seen.invocation.status.unknown_word().is_none(),
        nodes: nodes(seen).to_vec(),
        nonzero_exit_nodes: seen.nonzero_exit_nodes(),
        unknown_exit_nodes: seen.unknown_exit_nodes(),
        failed_nodes: seen.failed_nodes(),
        finished: finished(seen),
    }
}

/// Number of a command's nodes in each status, zeros included.
pub(in crate::web) fn nodes(
    seen: &SeenEhpcInvocation,
) -> [(&'static str, usize); InvokeStatus::LABELS.len()] {
    InvokeStatus::counts(seen.invocation.nodes.values())
}

/// When a command ended on its last node.
pub(in crate::web) fn finished(seen: &SeenEhpcInvocation) -> Option<Timestamp> {
    seen.results.as_deref()?.iter().filter_map(|node| node.finished).max()
}

/// The row of an invocation; with `all_texts`, a text that is not documented is shown, too.
pub(super) fn invocation(seen: &SeenSwasInvocation, all_texts: bool) -> InvocationStatusRow {
    let result = seen.result.as_ref();
    InvocationStatusRow {
        id: seen.invocation.id.to_string(),
        command: seen.invocation.command_name.to_string(),
        status: seen.invocation.status.word().to_owned(),
        status_known: seen.invocation.status.unknown_word().is_none(),
        exit_code: result.and_then(|result| result.exit_code),
        error: result.and_then(|result| result.error.as_ref()).map(|error| error.word().to_owned()),
        error_text: shown_text(result.and_then(|result| result.error_text.as_deref()), all_texts)
            .map(str::to_owned),
        created: seen.invocation.created,
        started: result.and_then(|result| result.started),
        finished: result.and_then(|result| result.finished),
    }
}
