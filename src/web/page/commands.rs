//! How commands went on the nodes of the clusters.

use jiff::Timestamp;
use maud::{Markup, html};

use super::clusters::{self, Cluster, Words};
use super::parts::{Tone, nothing, status};
use super::time::ago;
use crate::model::{InvokeStatus, Reading, SeenCommand};
use crate::snapshot::View;
use crate::web::status::{finished, nodes, nonzero_exit_nodes};

const WORDS: Words = Words { id: "commands", title: "E-HPC commands", singular: "command", plural: "commands" };

/// The section of `views`, which are all of this kind.
pub(super) fn section(views: &[&View], now: Timestamp) -> Markup {
    let clusters = views.iter().filter_map(|view| match view.reading.as_deref() {
        Some(Reading::Commands(reading)) => Some(Cluster::new(view, &reading.commands, judge)),
        _ => None,
    });
    clusters::section(WORDS, views, clusters.collect(), now, |caption, rows| table(caption, rows, now))
}

fn table(caption: &str, rows: &[&SeenCommand], now: Timestamp) -> Markup {
    html! {
        table.commands {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Command" }
                    th scope="col" { "Status" }
                    th scope="col" { "Nodes" }
                    th.number scope="col" { "Nonzero exits" }
                    th scope="col" { "Finished" }
                }
            }
            tbody { @for seen in rows { (row(seen, now)) } }
        }
    }
}

fn row(seen: &SeenCommand, now: Timestamp) -> Markup {
    let word = &seen.run.status;
    html! {
        tr {
            th scope="row" { code { (seen.id) } }
            td data-label="Status" { (status(tone(word), word.word())) }
            td.progress data-label="Nodes" { (bar(seen)) }
            td.number data-label="Nonzero exits" {
                @match nonzero_exit_nodes(seen) {
                    None => (nothing()),
                    Some(0) => "0",
                    Some(count) => strong.exit.bad { (count) },
                }
            }
            td data-label="Finished" { @if let Some(at) = finished(seen) { (ago(at, now)) } @else { (nothing()) } }
        }
    }
}

/// Whether it may still change, and how good that is.
pub(super) fn judge(seen: &SeenCommand) -> (bool, Tone) {
    (seen.run.is_open(), tone(&seen.run.status))
}

/// The tone of a command's status.
fn tone(status: &InvokeStatus) -> Tone {
    match status {
        InvokeStatus::Running => Tone::Active,
        InvokeStatus::Finished => Tone::Good,
        InvokeStatus::Failed => Tone::Bad,
        InvokeStatus::Stopped => Tone::Quiet,
        InvokeStatus::Unknown(_) => Tone::Unknown,
    }
}

/// In the order of a bar: what is done, what went wrong, what is under way.
const ORDER: [&str; 5] = ["Finished", "Failed", "Stopped", "unknown", "Running"];

/// Nodes by status: a bar of their proportions, and the counts in words.
fn bar(seen: &SeenCommand) -> Markup {
    let counts = nodes(seen);
    let count = |word: &str| counts.iter().find(|(label, _)| *label == word).map_or(0, |(_, count)| *count);
    let parts = ORDER.map(|word| (word, count(word))).into_iter().filter(|(_, count)| *count > 0);
    let total = seen.run.nodes.len();
    html! {
        @if total == 0 {
            (nothing())
        } @else {
            svg.nodes viewBox={ "0 0 " (total) " 1" } preserveAspectRatio="none" aria-hidden="true" {
                @for (word, count, from) in placed(parts.clone()) {
                    rect.(class(word)) x=(from) y="0" width=(count) height="1" {}
                }
            }
            span.legend { @for (word, count) in parts { span.(class(word)) { (count) " " (word.to_lowercase()) } " " } }
        }
    }
}

fn class(word: &str) -> &'static str {
    tone(&InvokeStatus::parse(word)).class()
}

/// Each part with the place where it begins.
fn placed<'a>(parts: impl Iterator<Item = (&'a str, usize)>) -> impl Iterator<Item = (&'a str, usize, usize)> {
    parts.scan(0, |end, (word, count)| {
        let from = *end;
        *end += count;
        Some((word, count, from))
    })
}

#[cfg(test)]
mod tests {
    use super::bar;
    use crate::model::{InvokeStatus, NodeStatuses, SeenCommand};

    #[test]
    fn the_bar_has_every_node_once() {
        let words = ["Running", "Finished", "Failed", "Finished", "Sleeping"];
        let nodes = words.iter().zip(0..).map(|(word, at)| (format!("i-{at}").into(), InvokeStatus::parse(word)));
        let run = NodeStatuses { status: InvokeStatus::Running, nodes: nodes.collect() };
        let html = bar(&SeenCommand { id: "c".into(), run, results: None }).into_string();
        assert!(html.contains(r#"viewBox="0 0 5 1""#), "{html}");
        for rect in [r#"x="0" y="0" width="2""#, r#"x="2" y="0" width="1""#, r#"x="4" y="0" width="1""#] {
            assert!(html.contains(rect), "{html}");
        }
        assert!(html.contains("1 unknown") && html.contains("2 finished") && !html.contains("stopped"), "{html}");
    }

    #[test]
    fn without_nodes_there_is_no_bar() {
        let run = NodeStatuses { status: InvokeStatus::Finished, nodes: [].into() };
        assert!(!bar(&SeenCommand { id: "c".into(), run, results: None }).into_string().contains("svg"));
    }
}
