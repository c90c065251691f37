//! E-HPC readings -> sample lines.

use std::collections::BTreeMap;

use crate::catalog::*;
use crate::config::StatusStyle;
use crate::exposition::limits::{Part, kept_first};
use crate::exposition::lines::{Lines, LinesOf, words};
use crate::model::{
    EhpcInvocationsReading, EhpcTasksReading, InvokeStatus, SeenEhpcInvocation, SeenEhpcTask,
    TaskStatus, TaskType,
};
use crate::target::{Scope, Target};

/// The tasks of a cluster.
pub(super) fn tasks(target: &Target, reading: &EhpcTasksReading, lines: &mut Lines) {
    let cluster = &*target.id.id;
    let labels = [("cluster_id", cluster)];
    let mut totals = lines.of(&labels);
    task_counts(&mut totals, &reading.tasks);
    finished_tasks(&mut totals, reading);
    for (part, seen) in kept_first(&reading.tasks, |seen| seen.task.status.is_open()) {
        lines.thing(part, |lines| task(cluster, seen, lines));
    }
}

fn task(cluster: &str, seen: &SeenEhpcTask, lines: &mut Lines) {
    let task = &seen.task;
    let labels =
        [("cluster_id", cluster), ("task_id", &*task.id), ("task_type", task.task_type.label())];
    let mut lines = lines.of(&labels);
    for (word, value) in words(lines.style(), TaskStatus::LABELS, task.status.label()) {
        lines.sample(&EHPC_TASK_STATUS, &[("status", word)], value);
    }
    lines.optional(&EHPC_TASK_CURRENT_STEP, &[], task.current_step);
    lines.optional(&EHPC_TASK_STEPS, &[], task.steps);
    lines.optional(&EHPC_TASK_ERRORS, &[], task.errors);
    lines.optional(&EHPC_TASK_NODES, &[], task.nodes);
    lines.sample(&EHPC_TASK_FIRST_SEEN, &[], seen.first_seen);
    lines.sample(&EHPC_TASK_LAST_PROGRESS, &[], seen.last_progress);
    lines.optional(&EHPC_TASK_FINISHED, &[], seen.finished);
}

/// Counts by type and status, including tasks that are left out. Unknown types share one label.
fn task_counts(lines: &mut LinesOf<'_>, tasks: &[SeenEhpcTask]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for known in TaskType::KNOWN {
        counts.extend(TaskStatus::LABELS.iter().map(|status| ((known.label(), *status), 0)));
    }
    for seen in tasks {
        *counts.entry((seen.task.task_type.label(), seen.task.status.label())).or_default() += 1;
    }
    for ((task_type, status), count) in counts {
        lines.sample(&EHPC_TASKS, &[("task_type", task_type), ("status", status)], count);
    }
}

fn finished_tasks(lines: &mut LinesOf<'_>, reading: &EhpcTasksReading) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for task_type in TaskType::KNOWN {
        for status in TaskStatus::KNOWN.iter().filter(|status| !status.is_open()) {
            counts.insert((task_type.label(), status.label()), 0);
        }
    }
    for ((task_type, status), count) in &reading.finished {
        *counts.entry((task_type.label(), status.label())).or_default() += count;
    }
    for ((task_type, status), count) in counts {
        let labels = [("task_type", task_type), ("status", status)];
        lines.sample(&EHPC_TASKS_FINISHED, &labels, count);
    }
    let mut durations: BTreeMap<&str, crate::model::Histogram> = BTreeMap::new();
    for (task_type, histogram) in &reading.durations {
        durations.entry(task_type.label()).or_default().add(histogram);
    }
    for (task_type, histogram) in &durations {
        lines.histogram(&EHPC_TASK_DURATION, &[("task_type", task_type)], histogram);
    }
}

/// The commands of a cluster.
pub(super) fn commands(target: &Target, reading: &EhpcInvocationsReading, lines: &mut Lines) {
    let cluster = &*target.id.id;
    let outstanding = reading.commands.iter().filter(|seen| seen.is_outstanding).count() as u64;
    let labels = [("cluster_id", cluster)];
    let mut totals = lines.of(&labels);
    totals.sample(&EHPC_RESULTS_OUTSTANDING, &[], outstanding);
    finished_commands(&mut totals, reading);
    for (part, seen) in kept_first(&reading.commands, |seen| seen.invocation.is_open()) {
        lines.thing(part, |lines| command(cluster, seen, lines));
    }
    if matches!(&target.scope, Scope::EhpcInvocations(commands) if commands.per_node) {
        for (_, seen) in kept_first(&reading.commands, |seen| seen.invocation.is_open()) {
            lines.thing(Part::PerNode, |lines| nodes(cluster, seen, lines));
        }
    }
}

/// Unknown words share one label, so their counts are added up.
fn finished_commands(lines: &mut LinesOf<'_>, reading: &EhpcInvocationsReading) {
    for word in InvokeStatus::LABELS {
        let of_word = reading.finished.iter().filter(|(status, _)| status.label() == *word);
        let count: u64 = of_word.map(|(_, count)| count).sum();
        let may_end = !InvokeStatus::parse(word).is_open();
        if count > 0 || (may_end && !is_rare(word)) {
            lines.sample(&EHPC_INVOCATIONS_FINISHED, &[("status", word)], count);
        }
    }
}

/// Words that are not documented for E-HPC: their zeros are not worth a series.
pub(super) fn is_rare(word: &str) -> bool {
    let documented = [
        InvokeStatus::Running,
        InvokeStatus::Finished,
        InvokeStatus::Failed,
        InvokeStatus::Stopped,
    ];
    word != "unknown" && !documented.iter().any(|status| status.label() == word)
}

fn command(cluster: &str, seen: &SeenEhpcInvocation, lines: &mut Lines) {
    let labels = [("cluster_id", cluster), ("command_id", &*seen.id)];
    let mut lines = lines.of(&labels);
    for (word, value) in invoke_words(lines.style(), &seen.invocation.status) {
        lines.sample(&EHPC_INVOCATION_STATUS, &[("status", word)], value);
    }
    for (word, nodes) in InvokeStatus::counts(seen.invocation.nodes.values()) {
        if nodes > 0 || !is_rare(word) {
            lines.sample(&EHPC_INVOCATION_NODES, &[("status", word)], nodes as u64);
        }
    }
    lines.sample(&EHPC_INVOCATION_FAILED_NODES, &[], seen.failed_nodes());
    lines.optional(&EHPC_INVOCATION_NONZERO_EXIT_NODES, &[], seen.nonzero_exit_nodes());
    lines.optional(&EHPC_INVOCATION_UNKNOWN_EXIT_NODES, &[], seen.unknown_exit_nodes());
    let power = Some(seen.power_exit_nodes()).filter(|nodes| *nodes > 0);
    lines.optional(&EHPC_INVOCATION_POWER_EXIT_NODES, &[], power);
    lines.optional(&EHPC_INVOCATION_END_SEEN, &[], seen.end_seen);
    if let Some(timing) = &seen.timing {
        lines.optional(&EHPC_INVOCATION_OPEN_SINCE, &[], timing.since);
        lines.optional(&EHPC_INVOCATION_TIMEOUT, &[], timing.timeout);
    }
    let finished = seen.node_results().filter_map(|node| node.finished).max();
    lines.optional(&EHPC_INVOCATION_FINISHED, &[], finished);
}

/// The words of a status to write, each with its value.
fn invoke_words(
    style: StatusStyle,
    status: &InvokeStatus,
) -> impl Iterator<Item = (&'static str, u64)> {
    let words = words(style, InvokeStatus::LABELS, status.label());
    words.filter(|(word, value)| *value > 0 || !is_rare(word))
}

fn nodes(cluster: &str, seen: &SeenEhpcInvocation, lines: &mut Lines) {
    let id = ("cluster_id", cluster);
    let command = ("command_id", &*seen.id);
    for (node, status) in &seen.invocation.nodes {
        let labels = [id, command, ("instance_id", &**node)];
        let mut lines = lines.of(&labels);
        for (word, value) in invoke_words(lines.style(), status) {
            lines.sample(&EHPC_INVOCATION_NODE_STATUS, &[("status", word)], value);
        }
    }
    for node in seen.node_results() {
        let labels = [id, command, ("instance_id", &*node.instance_id)];
        lines.of(&labels).optional(&EHPC_INVOCATION_NODE_EXIT_CODE, &[], node.exit_code);
    }
}
