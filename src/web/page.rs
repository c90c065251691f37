//! The status page: what `/api/v1/status` says, for a person. Bounded, however many targets there are.

mod api;
mod clusters;
mod commands;
mod counts;
#[cfg(test)]
mod fixture;
mod parts;
mod runs;
mod summary;
mod targets;
mod tasks;
mod time;
mod verdict;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use self::parts::Tone;
use self::verdict::{Verdict, verdict, worst_first};
use super::status::Facts;
use crate::snapshot::View;
use crate::target::Kind;

/// The page's style sheet.
pub(super) const STYLE: &str = include_str!("page.css");
/// The page's script.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// Where the documents are.
const DOCUMENTS: &str = "https://github.com/aliyun-task-exporter/aliyun-task-exporter#readme";

/// The whole page.
pub(super) fn page(facts: &Facts, now: Timestamp) -> String {
    let sorted = worst_first(&facts.views);
    let verdict = verdict(&sorted);
    let of = |kind: Kind| facts.views.iter().filter(|view| view.target.id.kind == kind).collect::<Vec<&View>>();
    let [tasks, commands, runs] = Kind::ALL.map(of);
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(facts, &verdict))
            body {
                a.skip href="#main" { "Skip to the status" }
                (header(facts, now))
                p #link role="status" hidden {}
                main #main data-now=(now.as_millisecond()) data-build={ (facts.version) "-" (facts.revision) } {
                    (said(&verdict, facts, now))
                    (summary::tiles(facts))
                    (targets::section(&sorted, now))
                    @if !tasks.is_empty() { (tasks::section(&tasks, now)) }
                    @if !commands.is_empty() { (commands::section(&commands, now)) }
                    @if !runs.is_empty() { (runs::section(&runs, now)) }
                    (api::section(&facts.budgets))
                }
            }
        }
    }
    .into_string()
}

fn head(facts: &Facts, verdict: &Verdict) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (verdict.line) " · aliyun-task-exporter" }
            link rel="icon" href=(icon(verdict.tone));
            link rel="stylesheet" href={ "/static/page.css?" (facts.revision) };
            script src={ "/static/page.js?" (facts.revision) } defer {}
            noscript { meta http-equiv="refresh" content="15"; }
        }
    }
}

/// A dot in the colour of the verdict, for the tab.
fn icon(tone: Tone) -> String {
    let colour = match tone {
        Tone::Good => "1a7f4b",
        Tone::Bad => "cf2e3b",
        Tone::Warn | Tone::Active | Tone::Quiet | Tone::Unknown => "b7791f",
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
         %3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
    )
}

fn header(facts: &Facts, now: Timestamp) -> Markup {
    html! {
        header #top {
            p.name { "aliyun-task-exporter " span.version { (facts.version) } }
            p.sub {
                "up " (time::since(facts.started, now))
                span.revision { " · built from " code { (facts.revision) } }
            }
            nav aria-label="Exporter" {
                @for (address, name) in [
                    ("/metrics", "Metrics"),
                    ("/config", "Configuration"),
                    ("/api/v1/status", "JSON"),
                    ("/-/healthy", "Healthy"),
                    ("/-/ready", "Ready"),
                    (DOCUMENTS, "Documentation"),
                ] {
                    a href=(address) { (name) }
                }
            }
        }
    }
}

fn said(verdict: &Verdict, facts: &Facts, now: Timestamp) -> Markup {
    let oldest = facts.views.iter().filter(|view| view.reading.is_some()).filter_map(|view| view.read_at).min();
    html! {
        div #verdict.(verdict.tone.class()) {
            h1 { (verdict.line) }
            @for line in &verdict.rest { p { (line) "." } }
            p.sub {
                "As of " (time::ago(now, now))
                @if let Some(at) = oldest { "; the oldest data shown were read " (time::ago(at, now)) }
            }
        }
    }
}
