//! The page in four numbers.

use jiff::Timestamp;
use maud::{Markup, html};

use super::counts::Counts;
use super::parts::{counted_word, grouped};
use super::{commands, invocations, series, tasks};
use crate::model::Reading;
use crate::store::View;
use crate::web::budget::{Budget, Throttling, calls};
use crate::web::status::Facts;

/// One tile per section below the targets.
pub(super) fn tiles(facts: &Facts, now: Timestamp) -> Markup {
    let [tasks, commands, invocations] = counts(&facts.views);
    html! {
        ul.tiles {
            @for (address, title, counts) in
                [("#tasks", "E-HPC tasks", tasks), ("#commands", "E-HPC commands", commands), ("#invocations", "SWAS invocations", invocations)]
            {
                @if let Some(counts) = counts { li { (tile(address, title, counts)) } }
            }
            li {
                a href="#api" {
                    span.title { "API calls" }
                    span.value { (calls(facts.budgets.iter().map(|budget| budget.planned_per_minute).sum())) span { " a minute" } }
                    span.note {
                        (share(facts)) " of the tightest quota"
                        @if let Some(throttled) = throttled(facts, now) { ", " strong.loud { (throttled) } }
                    }
                }
            }
            li {
                a href="#targets" {
                    span.title { "Series" }
                    span.value { (grouped(facts.series.shown)) }
                    @if series::above(&facts.series).is_some() {
                        span.note { strong.loud { "more than the limit, " (grouped(facts.series.limit)) } }
                    } @else {
                        span.note { "of at most " (grouped(facts.series.limit)) }
                    }
                }
            }
        }
    }
}

fn tile(address: &str, title: &str, counts: Counts) -> Markup {
    html! {
        a href=(address) {
            span.title { (title) }
            span.value { (grouped(counts.running)) span { " running" } }
            span.note {
                (grouped(counts.ended)) " ended"
                @if counts.bad > 0 { ", " strong.loud { (grouped(counts.bad)) " badly" } }
                @if counts.unknown > 0 { ", " strong { (grouped(counts.unknown)) " unknown" } }
            }
        }
    }
}

fn share(facts: &Facts) -> String {
    let tightest = facts.budgets.iter().map(Budget::share).fold(0.0, f64::max);
    format!("{:.0} %", tightest * 100.0)
}

/// How many operations the cloud throttles, if that does harm.
fn throttled(facts: &Facts, now: Timestamp) -> Option<String> {
    let is_harmed = |budget: &&Budget| budget.throttling(now) >= Throttling::Short;
    let count = facts.budgets.iter().filter(is_harmed).count();
    (count > 0).then(|| {
        format!("{} {} throttled", grouped(count), counted_word(count, "operation", "operations"))
    })
}

/// Counts of tasks, commands and invocations; absent if nothing of the kind is known.
fn counts(views: &[View]) -> [Option<Counts>; 3] {
    let mut all = [None; 3];
    for reading in views.iter().filter_map(|view| view.reading.as_deref()) {
        let (place, counts) = match reading {
            Reading::EhpcTasks(reading) => (0, Counts::of(reading.tasks.iter().map(tasks::judge))),
            Reading::EhpcInvocations(reading) => {
                (1, Counts::of(reading.commands.iter().map(commands::judge)))
            }
            Reading::SwasInvocations(reading) => {
                (2, Counts::of(reading.invocations.iter().map(invocations::judge)))
            }
            Reading::Discovery(_) => continue,
        };
        all[place] = Some(counts.plus(all[place].unwrap_or_default()));
    }
    all
}
