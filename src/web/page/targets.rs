//! Targets and how their polls are doing.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::condition::{Condition, condition};
use super::context::Context;
use super::parts::{Tone, id, nothing, pill, sentence};
use crate::model::Failure;
use crate::store::View;
use crate::target::Kind;
use crate::web::status::{Discovered, called, encoded};
use crate::web::text::grouped;

/// How long a failure is shown after the recovery.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// A table of targets, as places in `facts.views`; `prefix` makes the ids of its rows its own.
pub(super) fn table(cx: &Context<'_>, prefix: &str, caption: &str, places: &[usize]) -> Markup {
    let t = cx.t;
    html! {
        table.targets {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { (t.target) }
                    th scope="col" { (t.state) }
                    th scope="col" { (t.region_account) }
                    th scope="col" { (t.data) }
                    th scope="col" { (t.next_poll) }
                    th.number scope="col" { (t.work) }
                    th.number scope="col" { (t.series) }
                }
            }
            tbody data-keyed { @for place in places { (row(cx, prefix, *place)) } }
        }
    }
}

fn row(cx: &Context<'_>, prefix: &str, place: usize) -> Markup {
    let t = cx.t;
    let view = &cx.facts.views[place];
    let target = &view.target;
    html! {
        tr #{ (prefix) "-" (row_id(view)) } {
            th scope="row" {
                a.main href=(cx.to.target(view)) { (called(view)) }
                span.sub { ((t.kind)(target.id.kind)) @if !target.name.is_empty() { " · " (id(&target.id.id)) } }
            }
            td data-label=(t.state) { (state(cx, view)) }
            td data-label=(t.region_account) {
                a.quiet.whole href=(cx.to.region(&target.region)) { (target.region) }
                span.sub { (target.account) @if target.quota_group != target.account { " · " (t.quota) " " (target.quota_group) } }
            }
            td data-label=(t.data) { (data(cx, view)) }
            td data-label=(t.next_poll) { @if let Some(at) = view.state.next_poll { (cx.planned(at)) } @else { (nothing(t)) } }
            td.number data-label=(t.work) { (work(cx, place)) }
            td.number data-label=(t.series) { (series(cx, view)) }
        }
    }
}

/// The kind and the id of a target, as a part of an HTML id.
fn row_id(view: &View) -> String {
    format!("{}-{}", view.target.id.kind.label(), encoded(&view.target.id.id))
}

fn state(cx: &Context<'_>, view: &View) -> Markup {
    let t = cx.t;
    match (condition(view), &view.failure) {
        (_, Some(failure)) => pill(Tone::Bad, (t.reason)(failure.reason)),
        (Condition::Withdrawn, _) => pill(Tone::Bad, t.state_stale),
        (Condition::Waiting, _) => pill(Tone::Quiet, t.state_waiting),
        (_, None) => pill(Tone::Good, t.state_up),
    }
}

/// The age of the values, and whether they are shown.
fn data(cx: &Context<'_>, view: &View) -> Markup {
    let t = cx.t;
    html! {
        @match view.read_at {
            Some(at) => {
                (cx.ago(at))
                @if view.reading.is_none() { span.sub.loud { (t.withdrawn) } }
                @if let Some(discovered) = Discovered::of(view) { span.sub { (found(cx, discovered)) } }
                @if view.state.lists.missing > 0 { span.sub.loud { ((t.entries_missing)(view.state.lists.missing)) } }
            }
            None if view.failure.is_some() => span.loud { (t.none_yet) },
            None => span.sub { (t.none_before_first) },
        }
    }
}

/// How much discovery has found, and how much of that the filters let through.
fn found(cx: &Context<'_>, discovered: Discovered) -> String {
    let Discovered { things, found, taken } = discovered;
    (cx.t.discovered)(things, found, taken)
}

fn work(cx: &Context<'_>, place: usize) -> Markup {
    let counted = cx.facts.work.of(place);
    html! {
        @if counted.running > 0 { ((cx.t.count_running)(counted.running)) } @else { (nothing(cx.t)) }
        @if counted.failed > 0 { span.sub.loud { ((cx.t.count_failed)(counted.failed)) } }
    }
}

fn series(cx: &Context<'_>, view: &View) -> Markup {
    let series = cx.facts.series_of(&view.target.id);
    let dropped = series.dropped_by(view.target.id.kind).filter(|(_, count)| *count > 0);
    html! {
        (grouped(series.shown))
        @for (reason, count) in dropped { span.sub.loud { ((cx.t.left_out)(count, reason)) } }
    }
}

/// What a person must know of targets that need attention: a list, with what to do.
pub(super) fn troubles(cx: &Context<'_>, prefix: &str, places: &[usize]) -> Markup {
    html! {
        ul.troubles data-keyed {
            @for place in places {
                @let view = &cx.facts.views[*place];
                @let tone = if view.failure.is_some() || view.is_withdrawn() { Tone::Bad } else { Tone::Warn };
                li #{ (prefix) "-" (row_id(view)) } .(tone.class()) data-held {
                    p.who {
                        (state(cx, view)) " "
                        a href=(cx.to.target(view)) { (called(view)) }
                        span.sub { " " ((cx.t.kind)(view.target.id.kind)) " · " span.whole { (view.target.region) } " · " (view.target.account) }
                    }
                    (trouble(cx, view))
                }
            }
        }
    }
}

/// Why a target fails and what to do about it, or what else is wrong with it.
pub(super) fn trouble(cx: &Context<'_>, view: &View) -> Markup {
    let t = cx.t;
    let series = cx.facts.series_of(&view.target.id);
    html! {
        @if let Some(failure) = &view.failure {
            (failed(cx, failure))
            p.sub {
                @if let Some(since) = view.failing_since { (t.failing_for) " " (cx.since(since)) (t.stop) }
                (kept(cx, view))
            }
        }
        @if view.failure.is_none() && view.is_withdrawn() { p.sub { (kept(cx, view)) } }
        @if view.state.lists.missing > 0 { p.loud { ((t.entries_missing)(view.state.lists.missing)) } }
        @for (reason, count) in series.dropped_by(view.target.id.kind).filter(|(_, count)| *count > 0) {
            p.loud { ((t.said_of)(t.series, &(t.left_out)(count, reason))) }
        }
    }
}

fn failed(cx: &Context<'_>, failure: &Failure) -> Markup {
    html! {
        @if let Some(advice) = (cx.t.reason_advice)(failure.reason) { p.advice { (advice) } }
        p.message lang="en" { (failure.message) }
        p.advice lang="en" { (sentence(&failure.advice)) }
    }
}

fn kept(cx: &Context<'_>, view: &View) -> &'static str {
    let t = cx.t;
    match (view.read_at, &view.reading) {
        (Some(_), _) if view.target.id.kind == Kind::Discovery => t.kept_found,
        (None, _) if view.target.id.kind == Kind::Discovery => t.nothing_found,
        (_, Some(_)) => t.kept_shown,
        (Some(_), None) => t.kept_withdrawn,
        (None, None) => t.kept_none,
    }
}

/// The last failure of a target that has recovered.
pub(super) fn recovered(cx: &Context<'_>, view: &View) -> Markup {
    html! {
        @if let Some((failure, at)) = past(cx, view) {
            details.past #{ "past-" (row_id(view)) } {
                summary { (cx.t.last_failure) " " (cx.ago(*at)) (cx.t.colon) ((cx.t.reason)(failure.reason)) }
                (failed(cx, failure))
            }
        }
    }
}

fn past<'a>(cx: &Context<'_>, view: &'a View) -> Option<&'a (Failure, jiff::Timestamp)> {
    let is_recent = |(_, at): &&(Failure, jiff::Timestamp)| cx.now.duration_since(*at) < REMEMBERED;
    view.last_failure.as_ref().filter(is_recent).filter(|_| view.failure.is_none())
}
