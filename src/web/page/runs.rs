//! The command runs of all servers in one list.

use std::cmp::Reverse;

use jiff::Timestamp;
use maud::{Markup, html};

use super::clusters::{absent, kept};
use super::parts::{Tone, bounded, elsewhere, grouped, marked, nothing, status};
use super::time::{absolute, ago, exact, since};
use super::verdict::called;
use crate::model::{InvocationResult, InvocationStatus, Reading, SeenRun};
use crate::snapshot::View;

/// So many runs are shown at once.
const FIRST: usize = 30;
/// So many more on demand.
const MORE: usize = 120;

/// A run and its server.
type Run<'a> = (&'a View, &'a SeenRun);

/// The section of `views`, which are all of this kind.
pub(super) fn section(views: &[&View], now: Timestamp) -> Markup {
    let (recent, others) = recent(views, FIRST + MORE);
    let runs = bounded(&recent, FIRST, MORE);
    html! {
        section #runs aria-labelledby="runs-title" {
            h2 #runs-title {
                "SWAS runs " span.count { (grouped(recent.len() + others)) }
                span.aside { "running first, then the newest of all servers" }
            }
            @if runs.first.is_empty() { p.empty { "No runs." } } @else { (table("Recent runs", runs.first, now)) }
            @if !runs.more.is_empty() {
                details #runs-more {
                    summary { "and " (grouped(runs.more.len())) " more" }
                    (table("More recent runs", runs.more, now))
                }
            }
            (elsewhere(others, "run", "runs"))
            (absent(views, "server", "servers"))
        }
    }
}

/// At most `limit` runs, those under way first, then the newest; and how many others there are.
fn recent<'a>(views: &[&'a View], limit: usize) -> (Vec<Run<'a>>, usize) {
    let of = |view: &&'a View| match view.reading.as_deref() {
        Some(Reading::Runs(reading)) => reading.runs.as_slice(),
        _ => &[],
    };
    let mut all: Vec<Run<'a>> = views.iter().flat_map(|view| of(view).iter().map(|run| (*view, run))).collect();
    let others = all.len().saturating_sub(limit);
    if others > 0 {
        all.select_nth_unstable_by_key(limit - 1, rank);
        all.truncate(limit);
    }
    all.sort_by_key(rank);
    (all, others)
}

fn rank<'a>((view, seen): &Run<'a>) -> (bool, Reverse<Option<Timestamp>>, &'a str, &'a str) {
    (!seen.run.is_open(), Reverse(seen.run.created), &view.target.id.id, &seen.run.id)
}

fn table(caption: &str, rows: &[Run<'_>], now: Timestamp) -> Markup {
    html! {
        table.runs {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Command" }
                    th scope="col" { "Server" }
                    th scope="col" { "Status" }
                    th scope="col" { "Exit" }
                    th scope="col" { "Created" }
                    th scope="col" { "Ran for" }
                }
            }
            tbody { @for run in rows { (row(*run, now)) } }
        }
    }
}

fn row((view, seen): Run<'_>, now: Timestamp) -> Markup {
    let (run, result) = (&seen.run, seen.result.as_ref());
    html! {
        tr {
            th scope="row" { span.main { (run.command_name) } span.sub { code { (run.id) } } }
            td data-label="Server" { (called(view)) span.sub { (view.target.region) (kept(view, now)) } }
            td data-label="Status" { (status(tone(&run.status), run.status.word())) }
            td data-label="Exit" { (exit(seen)) }
            td data-label="Created" { @if let Some(at) = run.created { (ago(at, now)) } @else { (nothing()) } }
            td data-label="Ran for" { (lasted(seen, result, now)) }
        }
    }
}

/// Whether it may still change, and how good that is.
pub(super) fn judge(seen: &SeenRun) -> (bool, Tone) {
    (seen.run.is_open(), tone(&seen.run.status))
}

/// The tone of a run's status.
fn tone(status: &InvocationStatus) -> Tone {
    use InvocationStatus::{
        Aborted, Cancelled, Error, Failed, Invalid, PartialFailed, Pending, Running, Stopped, Stopping, Success,
        Terminated, Timeout, Unknown,
    };
    match status {
        Pending | Running | Stopping => Tone::Active,
        Success => Tone::Good,
        Failed | PartialFailed | Error | Timeout | Invalid | Aborted => Tone::Bad,
        Cancelled | Stopped | Terminated => Tone::Quiet,
        Unknown(_) => Tone::Unknown,
    }
}

/// The exit code, loud unless it is 0, and what kept the run from having one.
fn exit(seen: &SeenRun) -> Markup {
    let code = seen.result.as_ref().and_then(|result| result.exit_code);
    let error = seen.result.as_ref().and_then(|result| result.error.as_ref());
    html! {
        @match (code, error) {
            (Some(0), _) => span.exit { "0" },
            (Some(code), _) => strong.exit.bad { (code) },
            (None, None) if seen.result.is_none() && !seen.run.is_open() => span.sub { "not read yet" },
            (None, None) => (nothing()),
            (None, Some(_)) => {},
        }
        @if let Some(error) = error { span.sub { (marked(error.word(), error.unknown_word().is_none())) } }
    }
}

/// How long a run has lasted. The cloud tells the start with the result only: an open run counts from its creation.
fn lasted(seen: &SeenRun, result: Option<&InvocationResult>, now: Timestamp) -> Markup {
    let (started, finished) = (result.and_then(|result| result.started), result.and_then(|result| result.finished));
    html! {
        @match (started.or(seen.run.created), finished) {
            _ if seen.run.status == InvocationStatus::Pending => (nothing()),
            (Some(from), None) if seen.run.is_open() => (since(from, now)),
            (Some(from), Some(to)) => {
                span title={ (if started.is_some() { "started " } else { "created " }) (absolute(from)) } { (exact(to.duration_since(from))) }
                span.sub { "ended " (ago(to, now)) }
            },
            (None, Some(to)) => span.sub { "ended " (ago(to, now)) },
            _ => (nothing()),
        }
    }
}
