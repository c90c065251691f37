//! Simple Application Server readings -> sample lines.

use super::ehpc;
use crate::catalog::*;
use crate::exposition::limits::kept_first;
use crate::exposition::lines::{Lines, LinesOf, words};
use crate::model::{
    InvocationStatus, InvokeStatus, Job, LastInvocation, SeenSwasInvocation, SwasInvocationsReading,
};
use crate::target::{Scope, Target};

/// The invocations of a server.
pub(super) fn invocations(target: &Target, reading: &SwasInvocationsReading, lines: &mut Lines) {
    let server = &*target.id.id;
    let labels = [("instance_id", server)];
    totals(lines.of(&labels), target, reading);
    for job in reading.jobs.iter() {
        self::job(server, job, lines);
    }
    for (part, seen) in kept_first(&reading.invocations, |seen| seen.invocation.is_open()) {
        lines.thing(part, |lines| invocation(server, seen, lines));
    }
}

/// Counts, including invocations that are left out.
fn totals(mut lines: LinesOf<'_>, target: &Target, reading: &SwasInvocationsReading) {
    counts(&mut lines, &reading.invocations);
    if has_records(target, &reading.invocations) {
        records(&mut lines, &reading.invocations);
    }
    for status in InvocationStatus::KNOWN.iter().filter(|status| is_end(status.label())) {
        let count = reading.finished.get(status).copied().unwrap_or_default();
        if count == 0 && is_rare(status.label()) {
            continue;
        }
        lines.sample(&SWAS_INVOCATIONS_FINISHED, &[("status", status.label())], count);
    }
    let unknown = reading.finished.iter().filter(|(status, _)| status.unknown_word().is_some());
    let unknown: u64 = unknown.map(|(_, count)| count).sum();
    lines.sample(&SWAS_INVOCATIONS_FINISHED, &[("status", "unknown")], unknown);
    let outstanding = reading
        .invocations
        .iter()
        .filter(|seen| !seen.invocation.is_open() && seen.result.is_none())
        .count() as u64;
    lines.sample(&SWAS_RESULTS_OUTSTANDING, &[], outstanding);
}

fn is_end(word: &str) -> bool {
    let open = [InvocationStatus::Pending, InvocationStatus::Running, InvocationStatus::Stopping];
    open.iter().all(|status| status.label() != word)
}

/// Words documented only for invocations on several servers: their zeros are not worth a series.
fn is_rare(word: &str) -> bool {
    [InvocationStatus::Stopped, InvocationStatus::PartialFailed]
        .iter()
        .any(|status| status.label() == word)
}

fn invocation(server: &str, seen: &SeenSwasInvocation, lines: &mut Lines) {
    let invocation = &seen.invocation;
    let labels = [("instance_id", server), ("invoke_id", &*invocation.id)];
    let mut lines = lines.of(&labels);
    let info = [
        ("command_name", &*invocation.command_name),
        ("command_type", invocation.command_type.label()),
    ];
    lines.sample(&SWAS_INVOCATION_INFO, &info, 1u64);
    let words = words(lines.style(), InvocationStatus::LABELS, invocation.status.label());
    for (word, value) in words.filter(|(word, value)| *value > 0 || !is_rare(word)) {
        lines.sample(&SWAS_INVOCATION_STATUS, &[("status", word)], value);
    }
    lines.optional(&SWAS_INVOCATION_CREATED, &[], invocation.created);
    if let Some(timing) = &seen.timing {
        lines.optional(&SWAS_INVOCATION_STARTED, &[], timing.since);
        lines.optional(&SWAS_INVOCATION_TIMEOUT, &[], timing.timeout);
    }
    let Some(result) = &seen.result else { return };
    lines.optional(&SWAS_INVOCATION_EXIT_CODE, &[], result.exit_code);
    if seen.timing.is_none() {
        lines.optional(&SWAS_INVOCATION_STARTED, &[], result.started);
    }
    lines.optional(&SWAS_INVOCATION_FINISHED, &[], result.finished);
    if let Some(error) = &result.error {
        lines.sample(&SWAS_INVOCATION_ERROR, &[("error_code", error.label())], 1u64);
    }
}

fn counts(lines: &mut LinesOf<'_>, known: &[SeenSwasInvocation]) {
    for (word, count) in InvocationStatus::counts(known.iter().map(|seen| &seen.invocation.status))
    {
        if count == 0 && is_rare(word) {
            continue;
        }
        lines.sample(&SWAS_INVOCATIONS, &[("status", word)], count as u64);
    }
}

/// Whether InvokeStatus is known: a region's list does not send it, and just after a change of
/// strategy it has not been sent yet.
fn has_records(target: &Target, known: &[SeenSwasInvocation]) -> bool {
    let sent = known.is_empty() || known.iter().any(|seen| seen.invocation.record.is_some());
    sent && !matches!(target.scope, Scope::SwasRegionServer(_))
}

fn records(lines: &mut LinesOf<'_>, known: &[SeenSwasInvocation]) {
    let records = known.iter().filter_map(|seen| seen.invocation.record.as_ref());
    for (word, count) in InvokeStatus::counts(records) {
        if count == 0 && ehpc::is_rare(word) {
            continue;
        }
        lines.sample(&SWAS_INVOCATION_RECORDS, &[("status", word)], count as u64);
    }
}

fn job(server: &str, job: &Job, lines: &mut Lines) {
    let labels = [("instance_id", server), ("command_name", &*job.name)];
    let mut lines = lines.of(&labels);
    if let Some(last) = &job.last {
        last_invocation(&mut lines, last);
    }
    lines.optional(&SWAS_COMMAND_LAST_SUCCESS, &[], job.succeeded);
    lines.optional(&SWAS_COMMAND_LAST_CREATED, &[], job.created);
    let interval = job.interval.map(|interval| interval.as_secs_f64());
    lines.optional(&SWAS_COMMAND_INTERVAL, &[], interval);
}

fn last_invocation(lines: &mut LinesOf<'_>, last: &LastInvocation) {
    let ends = words(lines.style(), InvocationStatus::LABELS, last.status.label());
    for (word, value) in ends.filter(|(word, value)| *value > 0 || (is_end(word) && !is_rare(word)))
    {
        lines.sample(&SWAS_COMMAND_LAST_STATUS, &[("status", word)], value);
    }
    lines.optional(&SWAS_COMMAND_LAST_EXIT_CODE, &[], last.exit_code);
    lines.optional(&SWAS_COMMAND_LAST_FINISHED, &[], last.finished);
}
