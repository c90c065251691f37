//! What runs, and what has failed lately, on all targets.

use maud::{Markup, html};

use super::context::Context;
use super::parts::{id, nothing, place_of, status};
use super::{commands, invocations, tasks};
use crate::model::{SeenEhpcInvocation, SeenEhpcTask};
use crate::store::View;
use crate::web::status::{Found, Needle, Query, Thing, encoded};

/// Those of `found` that fit a query.
pub(super) fn matching(cx: &Context<'_>, found: &[Found], query: &Query) -> Vec<Found> {
    let views = &cx.facts.views;
    let needle = query.q.as_deref().map(Needle::new);
    let fits = |found: &&Found| {
        let view = &views[found.view];
        query.is_in_place(view)
            && query.state.is_none_or(|state| state.is_of(cx.facts, view))
            && needle.as_ref().is_none_or(|needle| has_needle(needle, found, views))
    };
    found.iter().filter(fits).copied().collect()
}

fn has_needle(needle: &Needle<'_>, found: &Found, views: &[View]) -> bool {
    let Some((view, thing)) = found.thing(views) else { return false };
    let texts = [&*view.target.id.id, &*view.target.name, thing.name(), thing.id()];
    texts.into_iter().any(|text| needle.is_in(text))
}

/// A table of what runs.
pub(super) fn running(cx: &Context<'_>, rows: &[Found]) -> Markup {
    let t = cx.t;
    html! {
        table.work {
            caption.sr { (t.running) }
            thead {
                tr {
                    th scope="col" { (t.what) }
                    th scope="col" { (t.place) }
                    th scope="col" { (t.status) }
                    th scope="col" { (t.progress) }
                    th scope="col" { (t.seen_for) }
                }
            }
            tbody data-keyed { @for found in rows { (running_row(cx, found)) } }
        }
    }
}

fn running_row(cx: &Context<'_>, found: &Found) -> Markup {
    let t = cx.t;
    let Some((view, thing)) = found.thing(&cx.facts.views) else { return html! {} };
    html! {
        tr #{ "runs-" (row_id(view, thing)) } {
            th scope="row" { (name(cx, view, thing)) }
            td.place data-label=(t.place) { (place_of(cx, view)) }
            td data-label=(t.status) { (state(cx, thing)) }
            td.progress data-label=(t.progress) {
                @match thing {
                    Thing::Task(seen) => (tasks::progress(cx, seen)),
                    Thing::Command(seen) => (commands::bar(cx, seen)),
                    Thing::Invocation(_) => (nothing(t)),
                }
            }
            td data-label=(t.seen_for) { @if let Some(at) = found.at { (cx.since(at)) } @else { (nothing(t)) } }
        }
    }
}

/// A table of what has failed.
pub(super) fn failed(cx: &Context<'_>, rows: &[Found]) -> Markup {
    let t = cx.t;
    html! {
        table.work {
            caption.sr { (t.failed_lately) }
            thead {
                tr {
                    th scope="col" { (t.what) }
                    th scope="col" { (t.place) }
                    th scope="col" { (t.status) }
                    th scope="col" { (t.codes) }
                    th scope="col" { (t.ended_at) }
                }
            }
            tbody data-keyed { @for found in rows { (failed_row(cx, found)) } }
        }
    }
}

fn failed_row(cx: &Context<'_>, found: &Found) -> Markup {
    let t = cx.t;
    let Some((view, thing)) = found.thing(&cx.facts.views) else { return html! {} };
    html! {
        tr #{ "failed-" (row_id(view, thing)) } {
            th scope="row" { (name(cx, view, thing)) }
            td.place data-label=(t.place) { (place_of(cx, view)) }
            td data-label=(t.status) {
                (state(cx, thing))
                @if found.is_mended { span.sub.well { (t.succeeded_since) } }
            }
            td.codes data-label=(t.codes) { (codes(cx, thing)) }
            td data-label=(t.ended_at) { @if let Some(at) = found.at { (cx.ago(at)) } @else { (nothing(t)) } }
        }
    }
}

fn codes(cx: &Context<'_>, thing: Thing<'_>) -> Markup {
    match thing {
        Thing::Task(SeenEhpcTask { task, .. }) => match task.errors {
            Some(errors @ 1..) => {
                html! { ((cx.t.count_errors)(errors)) (tasks::error_details(cx, task)) }
            }
            _ => nothing(cx.t),
        },
        Thing::Command(seen) => commands::exits(cx, seen),
        Thing::Invocation(seen) => invocations::exit(cx, seen),
    }
}

fn name(cx: &Context<'_>, view: &View, thing: Thing<'_>) -> Markup {
    match thing {
        Thing::Task(seen) => tasks::name(cx, &seen.task),
        Thing::Command(SeenEhpcInvocation { id: command, .. }) => html! {
            a.main href=(cx.to.nodes(&view.target.id.id, command)) { (id(command)) }
            span.sub { (cx.t.command) }
        },
        Thing::Invocation(seen) => invocations::name(cx, seen),
    }
}

fn state(cx: &Context<'_>, thing: Thing<'_>) -> Markup {
    match thing {
        Thing::Task(seen) => status(cx.t, tasks::tone(&seen.task.status), seen.task.status.word()),
        Thing::Command(seen) => commands::state(cx, seen),
        Thing::Invocation(seen) => invocations::state(cx, seen),
    }
}

fn row_id(view: &View, thing: Thing<'_>) -> String {
    let target = &view.target.id;
    format!("{}-{}-{}", target.kind.label(), encoded(&target.id), encoded(thing.id()))
}
