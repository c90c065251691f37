//! How commands are doing on the nodes of the clusters.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maud::{Markup, html};

use super::clusters::{self, Cluster, Words};
use super::parts::{Tone, marked, nothing, status};
use super::time::ago;
use crate::model::{InvokeStatus, Reading, SeenEhpcInvocation};
use crate::store::View;
use crate::web::status::{finished, nodes};

/// Maximum number of nodes whose unknown words are shown.
const MAX_WORDS: usize = 3;

const WORDS: Words =
    Words { id: "commands", title: "E-HPC commands", singular: "command", plural: "commands" };

/// The section for `views`, which are all of this kind.
pub(super) fn section(views: &[&View], now: Timestamp) -> Markup {
    let clusters = views.iter().filter_map(|view| match view.reading.as_deref() {
        Some(Reading::EhpcInvocations(reading)) => {
            Some(Cluster::new(view, &reading.commands, judge))
        }
        _ => None,
    });
    clusters::section(WORDS, views, clusters.collect(), now, |caption, rows| {
        table(caption, rows, now)
    })
}

fn table(caption: &str, rows: &[&SeenEhpcInvocation], now: Timestamp) -> Markup {
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

fn row(seen: &SeenEhpcInvocation, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" { code { (seen.id) } }
            td data-label="Status" { (status(judge(seen).1, seen.invocation.status.word())) }
            td.progress data-label="Nodes" { (bar(seen)) }
            td.number data-label="Nonzero exits" {
                @match seen.nonzero_exit_nodes() {
                    None => (nothing()),
                    Some(0) => "0",
                    Some(count) => strong.exit.bad { (count) },
                }
                @if let Some(count @ 1..) = seen.unknown_exit_nodes() { span.sub { (count) " not known" } }
            }
            td data-label="Finished" { @if let Some(at) = finished(seen) { (ago(at, now)) } @else { (nothing()) } }
        }
    }
}

/// Whether it is open, and its tone.
pub(super) fn judge(seen: &SeenEhpcInvocation) -> (bool, Tone) {
    let is_open = seen.invocation.is_open();
    let has_failed = !is_open && seen.failed_nodes() > 0;
    (is_open, if has_failed { Tone::Bad } else { tone(&seen.invocation.status) })
}

/// The tone of a command's status.
fn tone(status: &InvokeStatus) -> Tone {
    match status {
        InvokeStatus::Unknown(_) => Tone::Unknown,
        InvokeStatus::Finished | InvokeStatus::Success => Tone::Good,
        status if status.is_open() => Tone::Active,
        status if status.is_failure() => Tone::Bad,
        _ => Tone::Quiet,
    }
}

/// Order in a bar: done, failed, in progress.
const ORDER: [Tone; 5] = [Tone::Good, Tone::Bad, Tone::Quiet, Tone::Unknown, Tone::Active];

/// Nodes by status: a bar of their proportions, and the counts as text.
fn bar(seen: &SeenEhpcInvocation) -> Markup {
    let mut counts: Vec<(&str, usize)> =
        nodes(seen).into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by_key(|(word, _)| ORDER.iter().position(|tone| *tone == of_word(word)));
    let parts = counts.into_iter();
    let unknown: BTreeSet<&str> = seen
        .invocation
        .nodes
        .values()
        .filter_map(InvokeStatus::unknown_word)
        .take(MAX_WORDS)
        .collect();
    let total = seen.invocation.nodes.len();
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
            @for word in unknown.into_iter().filter(|word| !word.is_empty()) { span.sub { (marked(word, false)) } }
        }
    }
}

fn class(word: &str) -> &'static str {
    of_word(word).class()
}

fn of_word(label: &str) -> Tone {
    tone(&InvokeStatus::parse(label))
}

/// Each part with its start position.
fn placed<'a>(
    parts: impl Iterator<Item = (&'a str, usize)>,
) -> impl Iterator<Item = (&'a str, usize, usize)> {
    parts.scan(0, |end, (word, count)| {
        let from = *end;
        *end += count;
        Some((word, count, from))
    })
}

#[cfg(test)]
mod tests {
    use super::{Tone, bar, judge};
    use crate::model::{InvokeStatus, NodeStatuses, SeenEhpcInvocation};

    fn command(invocation: NodeStatuses) -> SeenEhpcInvocation {
        SeenEhpcInvocation {
            timing: None,
            id: "c".into(),
            invocation,
            results: None,
            is_outstanding: false,
            end_seen: None,
        }
    }

    #[test]
    fn what_failed_on_some_nodes_does_not_look_fine() {
        let of = |status: InvokeStatus, node: InvokeStatus| {
            judge(&command(NodeStatuses { status, nodes: [("i".into(), node)].into() }))
        };
        assert_eq!(of(InvokeStatus::Finished, InvokeStatus::Failed), (false, Tone::Bad));
        assert_eq!(of(InvokeStatus::PartialFailed, InvokeStatus::Success), (false, Tone::Bad));
        assert_eq!(of(InvokeStatus::Success, InvokeStatus::Success), (false, Tone::Good));
        assert_eq!(of(InvokeStatus::Pending, InvokeStatus::Scheduled), (true, Tone::Active));
    }

    #[test]
    fn the_bar_has_every_node_once() {
        let words = ["Running", "Finished", "Failed", "Finished", "Sleeping"];
        let nodes = words
            .iter()
            .zip(0..)
            .map(|(word, at)| (format!("i-{at}").into(), InvokeStatus::parse(word)));
        let invocation = NodeStatuses { status: InvokeStatus::Running, nodes: nodes.collect() };
        let html = bar(&command(invocation)).into_string();
        assert!(html.contains(r#"viewBox="0 0 5 1""#), "{html}");
        for rect in
            [r#"x="0" y="0" width="2""#, r#"x="2" y="0" width="1""#, r#"x="4" y="0" width="1""#]
        {
            assert!(html.contains(rect), "{html}");
        }
        assert!(
            html.contains("1 unknown")
                && html.contains("Sleeping")
                && html.contains("2 finished")
                && !html.contains("stopped"),
            "{html}"
        );
    }

    #[test]
    fn without_nodes_there_is_no_bar() {
        let invocation = NodeStatuses { status: InvokeStatus::Finished, nodes: [].into() };
        assert!(!bar(&command(invocation)).into_string().contains("svg"));
    }
}
