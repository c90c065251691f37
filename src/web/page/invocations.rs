//! The command invocations of all servers in one list.

use std::cmp::Reverse;

use jiff::Timestamp;
use maud::{Markup, html};

use super::clusters::{absent, kept};
use super::parts::{Tone, bounded, elsewhere, grouped, marked, nothing, status};
use super::time::{absolute, ago, exact, since};
use super::verdict::called;
use crate::model::{InvocationResult, InvocationStatus, Reading, SeenSwasInvocation};
use crate::store::View;

/// Maximum invocations shown at first.
const FIRST: usize = 30;
/// Maximum further ones, shown on demand.
const MORE: usize = 120;

/// An invocation and its server.
type Invocation<'a> = (&'a View, &'a SeenSwasInvocation);

/// The section for `views`, which are all of this kind.
pub(super) fn section(views: &[&View], now: Timestamp) -> Markup {
    let (recent, others) = recent(views, FIRST + MORE);
    let invocations = bounded(&recent, FIRST, MORE);
    html! {
        section #invocations aria-labelledby="invocations-title" {
            h2 #invocations-title {
                "SWAS invocations " span.count { (grouped(recent.len() + others)) }
                span.aside { "running first, then the newest of all servers" }
            }
            @if invocations.first.is_empty() { p.empty { "No invocations." } } @else { (table("Recent invocations", invocations.first, now)) }
            @if !invocations.more.is_empty() {
                details #invocations-more {
                    summary { "and " (grouped(invocations.more.len())) " more" }
                    (table("More recent invocations", invocations.more, now))
                }
            }
            (elsewhere(others, "invocation", "invocations"))
            (absent(views, "server", "servers"))
        }
    }
}

/// At most `limit` invocations, open ones first, then the newest; and the number of others.
fn recent<'a>(views: &[&'a View], limit: usize) -> (Vec<Invocation<'a>>, usize) {
    let of = |view: &&'a View| match view.reading.as_deref() {
        Some(Reading::SwasInvocations(reading)) => reading.invocations.as_slice(),
        _ => &[],
    };
    let mut all: Vec<Invocation<'a>> = views
        .iter()
        .flat_map(|view| of(view).iter().map(|invocation| (*view, invocation)))
        .collect();
    let others = all.len().saturating_sub(limit);
    if others > 0 {
        all.select_nth_unstable_by_key(limit - 1, rank);
        all.truncate(limit);
    }
    all.sort_by_key(rank);
    (all, others)
}

fn rank<'a>((view, seen): &Invocation<'a>) -> (bool, Reverse<Option<Timestamp>>, &'a str, &'a str) {
    (
        !seen.invocation.is_open(),
        Reverse(seen.invocation.created),
        &view.target.id.id,
        &seen.invocation.id,
    )
}

fn table(caption: &str, rows: &[Invocation<'_>], now: Timestamp) -> Markup {
    html! {
        table.invocations {
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
            tbody { @for invocation in rows { (row(*invocation, now)) } }
        }
    }
}

fn row((view, seen): Invocation<'_>, now: Timestamp) -> Markup {
    let invocation = &seen.invocation;
    let result = seen.result.as_ref();
    html! {
        tr {
            th scope="row" { span.main { (invocation.command_name) } span.sub { code { (invocation.id) } } }
            td data-label="Server" { (called(view)) span.sub { (view.target.region) (kept(view, now)) } }
            td data-label="Status" { (status(tone(&invocation.status), invocation.status.word())) }
            td data-label="Exit" { (exit(seen)) }
            td data-label="Created" { @if let Some(at) = invocation.created { (ago(at, now)) } @else { (nothing()) } }
            td data-label="Ran for" { (lasted(seen, result, now)) }
        }
    }
}

/// Whether it is open, and its tone.
pub(super) fn judge(seen: &SeenSwasInvocation) -> (bool, Tone) {
    (seen.invocation.is_open(), tone(&seen.invocation.status))
}

/// The tone of an invocation's status.
fn tone(status: &InvocationStatus) -> Tone {
    use InvocationStatus::{
        Aborted, Cancelled, Error, Failed, Invalid, PartialFailed, Pending, Running, Stopped,
        Stopping, Success, Terminated, Timeout, Unknown,
    };
    match status {
        Pending | Running | Stopping => Tone::Active,
        Success => Tone::Good,
        Failed | PartialFailed | Error | Timeout | Invalid | Aborted => Tone::Bad,
        Cancelled | Stopped | Terminated => Tone::Quiet,
        Unknown(_) => Tone::Unknown,
    }
}

/// The exit code, highlighted unless it is 0, and the error code of the invocation.
fn exit(seen: &SeenSwasInvocation) -> Markup {
    let code = seen.result.as_ref().and_then(|result| result.exit_code);
    let error = seen.result.as_ref().and_then(|result| result.error.as_ref());
    html! {
        @match (code, error) {
            (Some(0), _) => span.exit { "0" },
            (Some(code), _) => strong.exit.bad { (code) },
            (None, None) if seen.result.is_none() && !seen.invocation.is_open() => span.sub { "not read yet" },
            (None, None) => (nothing()),
            (None, Some(_)) => {},
        }
        @if let Some(error) = error { span.sub { (marked(error.word(), error.unknown_word().is_none())) } }
    }
}

/// How long an invocation has lasted. The cloud sends the start only with the result, so an open
/// invocation counts from its creation.
fn lasted(seen: &SeenSwasInvocation, result: Option<&InvocationResult>, now: Timestamp) -> Markup {
    let started = result.and_then(|result| result.started);
    let finished = result.and_then(|result| result.finished);
    html! {
        @match (started.or(seen.invocation.created), finished) {
            _ if seen.invocation.status == InvocationStatus::Pending => (nothing()),
            (Some(from), None) if seen.invocation.is_open() => (since(from, now)),
            (Some(from), Some(to)) => {
                span title={ (if started.is_some() { "started " } else { "created " }) (absolute(from)) } { (exact(to.duration_since(from))) }
                span.sub { "ended " (ago(to, now)) }
            },
            (None, Some(to)) => span.sub { "ended " (ago(to, now)) },
            _ => (nothing()),
        }
    }
}
