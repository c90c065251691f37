//! Command invocations on servers.

use maud::{Markup, html};

use super::context::Context;
use super::parts::{Tone, id, marked, nothing, place_of, status};
use super::time::absolute;
use crate::model::{InvocationStatus, Job, SeenSwasInvocation};
use crate::store::View;
use crate::web::status::{Thing, encoded, shown_text};

/// A table of invocations, each with its server; `of_many` shows on which it was.
pub(super) fn table(
    cx: &Context<'_>,
    rows: &[(&View, &SeenSwasInvocation)],
    of_many: bool,
) -> Markup {
    let t = cx.t;
    html! {
        table.invocations {
            caption.sr { (t.invocations) }
            thead {
                tr {
                    th scope="col" { (t.command) }
                    @if of_many { th scope="col" { (t.server) } }
                    th scope="col" { (t.status) }
                    th scope="col" { (t.exit_code) }
                    th scope="col" { (t.created) }
                    th scope="col" { (t.ran_for) }
                }
            }
            tbody data-keyed { @for (view, seen) in rows { (row(cx, view, seen, of_many)) } }
        }
    }
}

fn row(cx: &Context<'_>, view: &View, seen: &SeenSwasInvocation, of_many: bool) -> Markup {
    let t = cx.t;
    let invocation = &seen.invocation;
    html! {
        tr #{ "invocation-" (encoded(&view.target.id.id)) "-" (encoded(&invocation.id)) } {
            th scope="row" { (name(cx, seen)) }
            @if of_many { td data-label=(t.server) { (place_of(cx, view)) } }
            td data-label=(t.status) { (state(cx, seen)) }
            td.codes data-label=(t.exit_code) { (exit(cx, seen)) }
            td data-label=(t.created) { @if let Some(at) = invocation.created { (cx.ago(at)) } @else { (nothing(t)) } }
            td data-label=(t.ran_for) { (lasted(cx, seen)) }
        }
    }
}

/// The name of a command, which leads to all its invocations, and the InvokeId.
pub(super) fn name(cx: &Context<'_>, seen: &SeenSwasInvocation) -> Markup {
    let name = &seen.invocation.command_name;
    html! {
        a.main href=(cx.to.command(name)) { (name) }
        span.sub { (id(&seen.invocation.id)) }
    }
}

/// Its status; a success with an exit code other than 0 is a failure.
pub(super) fn state(cx: &Context<'_>, seen: &SeenSwasInvocation) -> Markup {
    let word = seen.invocation.status.word();
    let tone = tone(&seen.invocation.status);
    match tone == Tone::Good && Thing::Invocation(seen).has_failed() {
        true => html! { span.pill.bad title=(word) { (cx.t.failed_with_code) } },
        false => status(cx.t, tone, word),
    }
}

/// The tone of an invocation's status.
pub(super) fn tone(status: &InvocationStatus) -> Tone {
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

/// The exit code, highlighted unless it is 0, the error code of the invocation, and what the cloud
/// says about it.
pub(super) fn exit(cx: &Context<'_>, seen: &SeenSwasInvocation) -> Markup {
    let t = cx.t;
    let code = seen.result.as_ref().and_then(|result| result.exit_code);
    let error = seen.result.as_ref().and_then(|result| result.error.as_ref());
    let text = seen.result.as_ref().and_then(|result| result.error_text.as_deref());
    html! {
        @match (code, error) {
            (Some(0), _) => span.exit { "0" },
            (Some(code), _) => strong.exit.bad { (code) },
            (None, None) if seen.result.is_none() && !seen.invocation.is_open() => span.sub { (t.not_read_yet) },
            (None, None) => (nothing(t)),
            (None, Some(_)) => {},
        }
        @if let Some(error) = error { span.sub { (marked(t, error.word(), error.unknown_word().is_none())) } }
        @if let Some(text) = shown_text(text, cx.facts.error_texts) { span.sub lang="en" { (text) } }
    }
}

/// How long an invocation has lasted. The cloud sends the start only with the result, so an open
/// invocation counts from its creation.
fn lasted(cx: &Context<'_>, seen: &SeenSwasInvocation) -> Markup {
    let t = cx.t;
    let started = seen.result.as_ref().and_then(|result| result.started);
    let finished = seen.result.as_ref().and_then(|result| result.finished);
    html! {
        @match (started.or(seen.invocation.created), finished) {
            _ if seen.invocation.status == InvocationStatus::Pending => (nothing(t)),
            (Some(from), None) if seen.invocation.is_open() => (cx.since(from)),
            (Some(from), Some(to)) => {
                span title={ (if started.is_some() { t.started } else { t.created }) " " (absolute(from)) } { (cx.exact(to.duration_since(from))) }
                span.sub { (t.ended) " " (cx.ago(to)) }
            },
            (None, Some(to)) => span.sub { (t.ended) " " (cx.ago(to)) },
            _ => (nothing(t)),
        }
    }
}

/// A table of the commands of servers: how the newest invocation of each ended; `of_many` shows the
/// server of each, otherwise its name.
pub(super) fn job_table(cx: &Context<'_>, rows: &[(&View, &Job)], of_many: bool) -> Markup {
    let t = cx.t;
    html! {
        table.jobs {
            caption.sr { (t.jobs) }
            thead {
                tr {
                    th scope="col" { (if of_many { t.server } else { t.command }) }
                    th scope="col" { (t.last_status) }
                    th scope="col" { (t.exit_code) }
                    th scope="col" { (t.ended_at) }
                    th scope="col" { (t.last_success) }
                    th scope="col" { (t.interval) }
                }
            }
            tbody data-keyed { @for (view, job) in rows { (job_row(cx, view, job, of_many)) } }
        }
    }
}

fn job_row(cx: &Context<'_>, view: &View, job: &Job, of_many: bool) -> Markup {
    let t = cx.t;
    let name = &*job.name;
    let last = job.last.as_ref();
    let code = last.and_then(|last| last.exit_code);
    let ago = |at: Option<jiff::Timestamp>| at.map_or_else(|| nothing(t), |at| cx.ago(at));
    html! {
        tr #{ "job-" (encoded(&view.target.id.id)) "-" (encoded(name)) } {
            th scope="row" {
                @if of_many { (place_of(cx, view)) } @else { a href=(cx.to.command(name)) { (name) } }
            }
            td data-label=(t.last_status) {
                @if let Some(last) = last { (status(t, tone(&last.status), last.status.word())) } @else { span.sub { (t.not_ended_yet) } }
            }
            td data-label=(t.exit_code) {
                @match code { None => (nothing(t)), Some(0) => span.exit { "0" }, Some(code) => strong.exit.bad { (code) } }
            }
            td data-label=(t.ended_at) { (ago(last.and_then(|last| last.finished))) }
            td data-label=(t.last_success) { (ago(job.succeeded)) }
            td data-label=(t.interval) {
                @match job.interval.and_then(|interval| jiff::SignedDuration::try_from(interval).ok()) {
                    Some(interval) => { (t.every) " " (cx.exact(interval)) },
                    None => (nothing(t)),
                }
                @if view.read_at.is_some_and(|read| job.is_overdue(read, cx.now)) { span.sub.loud { (t.overdue_job) } }
            }
        }
    }
}
