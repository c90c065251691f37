//! How commands are doing on the nodes of a cluster.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::context::Context;
use super::parts::{Tone, id, marked, nothing, status};
use crate::model::{InvokeStatus, NodeResult, SeenEhpcInvocation};
use crate::store::View;
use crate::web::status::{encoded, finished, nodes};

/// Maximum number of nodes that are named in a row.
const NAMED: usize = 3;

/// A table of a cluster's commands.
pub(super) fn table(cx: &Context<'_>, view: &View, rows: &[&SeenEhpcInvocation]) -> Markup {
    let t = cx.t;
    html! {
        table.commands {
            caption.sr { (t.commands) }
            thead {
                tr {
                    th scope="col" { (t.command) }
                    th scope="col" { (t.status) }
                    th scope="col" { (t.nodes) }
                    th scope="col" { (t.exit_codes) }
                    th scope="col" { (t.ended_at) }
                }
            }
            tbody data-keyed { @for seen in rows { (row(cx, view, seen)) } }
        }
    }
}

fn row(cx: &Context<'_>, view: &View, seen: &SeenEhpcInvocation) -> Markup {
    let t = cx.t;
    html! {
        tr #{ "command-" (encoded(&seen.id)) } {
            th scope="row" { a href=(cx.to.nodes(&view.target.id.id, &seen.id)) { (id(&seen.id)) } }
            td data-label=(t.status) { (state(cx, seen)) }
            td.progress data-label=(t.nodes) { (bar(cx, seen)) }
            td.codes data-label=(t.exit_codes) { (exits(cx, seen)) }
            td data-label=(t.ended_at) { @if let Some(at) = finished(seen).or(seen.end_seen) { (cx.ago(at)) } @else { (nothing(t)) } }
        }
    }
}

/// The status of a command; if it failed on some nodes, that is what it says.
pub(super) fn state(cx: &Context<'_>, seen: &SeenEhpcInvocation) -> Markup {
    let t = cx.t;
    let word = seen.invocation.status.word();
    let failed = seen.failed_nodes() as usize;
    let of = total(seen);
    html! {
        @if seen.invocation.is_open() || failed == 0 {
            (status(t, tone(&seen.invocation.status), word))
        } @else {
            span.pill.bad title=(word) { ((t.failed_on_nodes)(failed, of)) }
        }
    }
}

/// Number of nodes that have a status or a result.
fn total(seen: &SeenEhpcInvocation) -> usize {
    let results = seen.node_results();
    let more = results.filter(|node| !seen.invocation.nodes.contains_key(&node.instance_id));
    seen.invocation.nodes.len() + more.count()
}

/// The exit codes of nodes on which it failed, each node by its id; or how many exited well.
pub(super) fn exits(cx: &Context<'_>, seen: &SeenEhpcInvocation) -> Markup {
    let t = cx.t;
    let failed: Vec<Node<'_>> = nodes_of(seen).into_iter().filter(|node| node.has_failed).collect();
    html! {
        @for node in failed.iter().take(NAMED) {
            span.node { (code(cx, node)) " " (id(node.id)) }
        }
        @if failed.len() > NAMED {
            span.sub { ((t.more)(failed.len() - NAMED)) }
        }
        @if failed.is_empty() {
            @match seen.nonzero_exit_nodes() { None => (nothing(t)), Some(_) => span.exit { "0" } }
        }
        @if let Some(count @ 1..) = seen.unknown_exit_nodes() { span.sub { ((t.exits_unknown)(count)) } }
    }
}

/// A node of a command.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// InstanceId.
    pub(super) id: &'a str,
    /// Its status: that of the result, once that is there.
    pub(super) status: &'a InvokeStatus,
    /// Its result.
    pub(super) result: Option<&'a NodeResult>,
    /// Whether the command failed on it.
    pub(super) has_failed: bool,
}

/// The nodes of a command: those on which it failed first, then by id.
pub(super) fn nodes_of(seen: &SeenEhpcInvocation) -> Vec<Node<'_>> {
    let mut all: BTreeMap<&str, Node<'_>> = BTreeMap::new();
    for (id, status) in &seen.invocation.nodes {
        let has_failed = status.is_failure();
        all.insert(id, Node { id, status, result: None, has_failed });
    }
    for result in seen.node_results() {
        let id = &*result.instance_id;
        let status = &result.status;
        all.insert(id, Node { id, status, result: Some(result), has_failed: result.has_failed() });
    }
    let mut nodes: Vec<Node<'_>> = all.into_values().collect();
    nodes.sort_by_key(|node| !node.has_failed);
    nodes
}

/// The exit code of a node, or its status if there is none.
pub(super) fn code(cx: &Context<'_>, node: &Node<'_>) -> Markup {
    html! {
        @match node.result.and_then(|result| result.exit_code) {
            Some(code) if node.has_failed => strong.exit.bad { (code) },
            Some(code) => span.exit { (code) },
            None => (status(cx.t, tone(node.status), node.status.word())),
        }
    }
}

/// The table of a command's nodes.
pub(super) fn node_table(cx: &Context<'_>, rows: &[&Node<'_>]) -> Markup {
    let t = cx.t;
    html! {
        table.nodes-of {
            caption.sr { (t.nodes) }
            thead {
                tr {
                    th scope="col" { (t.node) }
                    th scope="col" { (t.status) }
                    th scope="col" { (t.exit_code) }
                    th scope="col" { (t.ended_at) }
                }
            }
            tbody data-keyed {
                @for node in rows {
                    tr #{ "node-" (encoded(node.id)) } {
                        th scope="row" { (id(node.id)) }
                        td data-label=(t.status) { (node_state(cx, node)) }
                        td data-label=(t.exit_code) { (exit(cx, node)) }
                        td data-label=(t.ended_at) {
                            @if let Some(at) = node.result.and_then(|result| result.finished) { (cx.ago(at)) } @else { (nothing(t)) }
                        }
                    }
                }
            }
        }
    }
}

fn node_state(cx: &Context<'_>, node: &Node<'_>) -> Markup {
    let word = node.status.word();
    match node.has_failed && !node.status.is_failure() {
        true => html! { span.pill.bad title=(word) { (cx.t.failed_with_code) } },
        false => status(cx.t, tone(node.status), word),
    }
}

fn exit(cx: &Context<'_>, node: &Node<'_>) -> Markup {
    match node.result.and_then(|result| result.exit_code) {
        Some(_) => code(cx, node),
        None => nothing(cx.t),
    }
}

/// The tone of a command's status.
pub(super) fn tone(status: &InvokeStatus) -> Tone {
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
pub(super) fn bar(cx: &Context<'_>, seen: &SeenEhpcInvocation) -> Markup {
    let t = cx.t;
    let mut counts: Vec<(&str, usize)> =
        nodes(seen).into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by_key(|(word, _)| ORDER.iter().position(|tone| *tone == of_word(word)));
    let parts = counts.into_iter();
    let unknown = seen.invocation.nodes.values().filter_map(InvokeStatus::unknown_word);
    let unknown: std::collections::BTreeSet<&str> = unknown.take(NAMED).collect();
    let total = seen.invocation.nodes.len();
    html! {
        @if total == 0 {
            (nothing(t))
        } @else {
            svg.nodes viewBox={ "0 0 " (total) " 1" } preserveAspectRatio="none" aria-hidden="true" {
                @for (word, count, from) in placed(parts.clone()) {
                    rect.(class(word)) x=(from) y="0" width=(count) height="1" {}
                }
            }
            span.legend { @for (word, count) in parts { span.(class(word)) { (count) " " ((t.word)(word).to_lowercase()) } " " } }
            @for word in unknown.into_iter().filter(|word| !word.is_empty()) { span.sub { (marked(t, word, false)) } }
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
    use std::sync::Arc;

    use super::{bar, exits, nodes_of, state};
    use crate::model::{InvokeStatus, NodeResult, NodeStatuses, SeenEhpcInvocation};
    use crate::web::fixture::facts;
    use crate::web::page::fixture::context;

    fn command(invocation: NodeStatuses) -> SeenEhpcInvocation {
        SeenEhpcInvocation {
            timing: None,
            id: "c".into(),
            invocation: Arc::new(invocation),
            results: None,
            is_outstanding: false,
            end_seen: None,
        }
    }

    fn node(id: &str, exit_code: Option<i64>) -> NodeResult {
        let status = InvokeStatus::Finished;
        NodeResult { instance_id: id.into(), status, exit_code, finished: None }
    }

    #[test]
    fn what_failed_on_some_nodes_says_so_in_words_and_colour() {
        let facts = facts(vec![]);
        let cx = context(&facts);
        let of = |status: InvokeStatus, node: InvokeStatus| {
            let statuses = NodeStatuses { status, nodes: [("i".into(), node)].into() };
            state(&cx, &command(statuses)).into_string()
        };
        let failed = of(InvokeStatus::Finished, InvokeStatus::Failed);
        assert!(
            failed.contains("pill bad") && failed.contains("failed on 1 of 1 node"),
            "{failed}"
        );
        assert!(of(InvokeStatus::PartialFailed, InvokeStatus::Success).contains("pill bad"));
        assert!(of(InvokeStatus::Success, InvokeStatus::Success).contains("pill good"));
        assert!(of(InvokeStatus::Pending, InvokeStatus::Scheduled).contains("pill active"));
    }

    #[test]
    fn a_finished_command_with_exit_codes_other_than_0_names_the_nodes_and_the_codes() {
        let facts = facts(vec![]);
        let cx = context(&facts);
        let nodes = (0..8).map(|number| (format!("i-{number}").into(), InvokeStatus::Finished));
        let statuses = NodeStatuses { status: InvokeStatus::Finished, nodes: nodes.collect() };
        let code = |number| if number % 2 == 0 { Some(number) } else { Some(0) };
        let mut results: Vec<NodeResult> =
            (0..8).map(|number| node(&format!("i-{number}"), code(number))).collect();
        results[1] = node("i-1", Some(193));
        let command = SeenEhpcInvocation { results: Some(Arc::new(results)), ..command(statuses) };
        let html = state(&cx, &command).into_string();
        assert!(html.contains("pill bad") && html.contains("failed on 3 of 8 nodes"), "{html}");
        assert!(html.contains("title=\"Finished\""), "{html}");
        let html = exits(&cx, &command).into_string();
        assert!(
            html.contains(">2</strong> <code class=\"whole\">i-2</code>") && html.contains("i-6"),
            "{html}"
        );
        assert!(!html.contains("i-1"), "193 stops the node: no failure");
        let ids: Vec<&str> = nodes_of(&command).iter().map(|node| node.id).collect();
        assert_eq!(ids[..4], ["i-2", "i-4", "i-6", "i-0"], "those that failed come first");
    }

    #[test]
    fn the_bar_has_every_node_once() {
        let words = ["Running", "Finished", "Failed", "Finished", "Sleeping"];
        let nodes = words
            .iter()
            .zip(0..)
            .map(|(word, at)| (format!("i-{at}").into(), InvokeStatus::parse(word)));
        let invocation = NodeStatuses { status: InvokeStatus::Running, nodes: nodes.collect() };
        let facts = facts(vec![]);
        let html = bar(&context(&facts), &command(invocation)).into_string();
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
        let facts = facts(vec![]);
        assert!(!bar(&context(&facts), &command(invocation)).into_string().contains("svg"));
    }
}
