//! The targets and how their polls are doing, the worst first.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::parts::{Tone, bounded, counted_word, elsewhere, grouped, nothing, pill, sentence};
use super::time::{self, ago, planned};
use super::verdict::{Condition, condition};
use crate::model::Failure;
use crate::store::View;
use crate::target::Kind;
use crate::web::status::{Discovered, Facts};

/// Maximum targets shown at first: a screen or two.
const FIRST: usize = 50;
/// Maximum further ones, shown on demand.
const MORE: usize = 150;
/// How long a failure is shown after the recovery.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The name of a kind.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::EhpcTasks => "E-HPC tasks",
        Kind::EhpcInvocations => "E-HPC commands",
        Kind::SwasInvocations | Kind::SwasRegion => "SWAS invocations",
        Kind::Discovery => "Discovery",
    }
}

/// The section; `sorted` has the targets of `facts`, the worst first.
pub(super) fn section(facts: &Facts, sorted: &[&View], now: Timestamp) -> Markup {
    let parts = bounded(sorted, FIRST, MORE);
    html! {
        section #targets aria-labelledby="targets-title" {
            h2 #targets-title { "Targets " span.count { (grouped(sorted.len())) } }
            @if !parts.first.is_empty() { (table("Targets, the worst first", facts, parts.first, now)) }
            @if !parts.more.is_empty() {
                details #targets-more {
                    summary { (grouped(parts.more.len())) " more targets" }
                    (table("More targets", facts, parts.more, now))
                }
            }
            (elsewhere(parts.hidden, "target", "targets"))
        }
    }
}

fn table(caption: &str, facts: &Facts, views: &[&View], now: Timestamp) -> Markup {
    html! {
        table.targets {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Target" }
                    th scope="col" { "State" }
                    th scope="col" { "Region, account" }
                    th scope="col" { "Data" }
                    th scope="col" { "Next poll" }
                    th.number scope="col" { "Series" }
                }
            }
            tbody { @for view in views { (row(facts, view, now)) (why(view, now)) (recovered(view, now)) } }
        }
    }
}

fn row(facts: &Facts, view: &View, now: Timestamp) -> Markup {
    let target = &view.target;
    let state = &view.state;
    let series = facts.series_of(&target.id);
    let explained = view.failure.is_some() || past(view, now).is_some();
    html! {
        tr.explained[explained] {
            th scope="row" {
                span.main { @if target.name.is_empty() { (kind(target.id.kind)) } @else { (target.name) } }
                span.sub {
                    @if !target.name.is_empty() { (kind(target.id.kind)) " · " }
                    code { (target.id.id) }
                }
            }
            td data-label="State" { (self::state(view)) }
            td data-label="Region, account" {
                (target.region)
                span.sub { (target.account) @if target.quota_group != target.account { " · quota " (target.quota_group) } }
            }
            td data-label="Data" { (data(view, now)) }
            td data-label="Next poll" { @if let Some(at) = state.next_poll { (planned(at, now)) } @else { (nothing()) } }
            td.number data-label="Series" {
                (grouped(series.shown))
                @for (reason, count) in series.dropped_by(target.id.kind).filter(|(_, count)| *count > 0) {
                    span.sub.loud { (grouped(count)) " left out, " (reason.replace('_', " ")) }
                }
            }
        }
    }
}

fn state(view: &View) -> Markup {
    let reason =
        view.failure.as_ref().map_or("", |failure| failure.reason.label()).replace('_', " ");
    match condition(view) {
        Condition::Fails | Condition::FailsWithout => pill(Tone::Bad, &reason),
        Condition::Withdrawn => pill(Tone::Bad, "too old"),
        Condition::Waiting => pill(Tone::Quiet, "waiting"),
        Condition::Fresh => pill(Tone::Good, "up"),
    }
}

/// The age of the values, and whether they are shown.
fn data(view: &View, now: Timestamp) -> Markup {
    html! {
        @match view.read_at {
            Some(at) => {
                (ago(at, now))
                @if view.reading.is_none() { span.sub.loud { "withdrawn" } }
                @if let Some(discovered) = Discovered::of(view) { span.sub { (self::found(discovered)) } }
                @if let Some(lacks) = lacks(view) { span.sub.loud { (lacks) } }
            }
            None if view.failure.is_some() => span.loud { "none yet" },
            None => span.sub { "none before the first poll" },
        }
    }
}

/// Entries that its lists have not shown.
fn lacks(view: &View) -> Option<String> {
    let missing = Some(view.state.lists.missing).filter(|missing| *missing > 0)?;
    let entries = counted_word(missing as usize, "entry", "entries");
    Some(format!("list not whole: {} {entries} not shown", grouped(missing as usize)))
}

/// How much discovery has found, and how much of that the filters let through.
fn found(discovered: Discovered) -> String {
    let Discovered { things, found, taken } = discovered;
    match found == taken {
        true => format!("{things}: {} found", grouped(found)),
        false => format!("{things}: {} of {} taken", grouped(taken), grouped(found)),
    }
}

/// The last failure of a target that has recovered, in a row of its own.
fn recovered(view: &View, now: Timestamp) -> Markup {
    html! {
        @if let Some((failure, at)) = past(view, now) {
            tr.past {
                td colspan="6" {
                    details #{ "past-" (view.target.id.kind.label()) "-" (view.target.id.id) } {
                        summary { "Last failure " (ago(*at, now)) ": " (failure.reason.label().replace('_', " ")) }
                        p { (failure.message) }
                        p { (sentence(&failure.advice)) }
                    }
                }
            }
        }
    }
}

fn past(view: &View, now: Timestamp) -> Option<&(Failure, Timestamp)> {
    let recent = view.last_failure.as_ref().filter(|(_, at)| now.duration_since(*at) < REMEMBERED);
    recent.filter(|_| view.failure.is_none())
}

/// Why a target fails and what to do about it, in a row of its own.
fn why(view: &View, now: Timestamp) -> Markup {
    html! {
        @if let Some(failure) = &view.failure {
            tr.why {
                td colspan="6" {
                    p.message { (failure.message) }
                    p.advice { (sentence(&failure.advice)) }
                    p.sub {
                        @if let Some(since) = view.failing_since { "Failing for " (time::since(since, now)) ". " }
                        (kept(view))
                    }
                }
            }
        }
    }
}

fn kept(view: &View) -> &'static str {
    match (view.read_at, &view.reading) {
        (Some(_), _) if view.target.id.kind == Kind::Discovery => {
            "What was found before is still polled."
        }
        (None, _) if view.target.id.kind == Kind::Discovery => "Nothing has been found yet.",
        (_, Some(_)) => "The last good values are still shown and exported.",
        (Some(_), None) => "The last good values are too old and were withdrawn.",
        (None, None) => "There are no values yet.",
    }
}
