//! How things end: with which statuses and exit codes, and what is reported if those cannot be
//! read.

use std::collections::BTreeMap;

use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::GivenUp;
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::sim::{
    CommandSpec, CommandWords, InvocationEnd, InvocationSpec, NodeEnd, NodeSpec, World,
};
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::harness::{Harness, id};
use crate::support::worlds::{self, command, invocation, task};
use crate::support::{seconds, start};

fn cluster() -> World {
    let mut world = World::empty();
    worlds::add_cluster(&mut world, "c");
    world
}

/// A command whose nodes all run from second 10 to second 40 and end as in `ends`.
fn ending(id: &str, words: CommandWords, ends: &[(NodeEnd, i32)]) -> CommandSpec {
    let spec = command(id, ends.len(), 10, 40);
    let node = |(node, (end, exit_code)): (NodeSpec, &(NodeEnd, i32))| NodeSpec {
        end: *end,
        exit_code: *exit_code,
        ..node
    };
    CommandSpec {
        nodes: spec.nodes.clone().into_iter().zip(ends).map(node).collect(),
        words,
        ..spec
    }
}

/// The page's values of a command, by family without its prefix.
fn of_command(harness: &Harness, id: &str) -> BTreeMap<String, String> {
    let prefix = "aliyun_ehpc_invocation_";
    let label = format!("command_id=\"{id}\"");
    let page = harness.page(Format::Text);
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix(prefix))
        .filter(|line| line.contains(&label));
    let pair = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let name = name
            .replace("{cluster_id=\"c\",", "{")
            .replace(&format!("{label},"), "")
            .replace(&label, "")
            .replace("{}", "");
        (name, value.to_owned())
    };
    lines.map(pair).collect()
}

/// The value of the series whose line begins with `series`.
fn value(harness: &Harness, series: &str) -> Option<String> {
    let page = harness.page(Format::Text);
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
}

fn finished(harness: &Harness, word: &str) -> Option<String> {
    value(
        harness,
        &format!("aliyun_ehpc_invocations_finished_total{{cluster_id=\"c\",status=\"{word}\"}}"),
    )
}

fn given_up(harness: &Harness, target: &TargetId) -> Vec<(String, GivenUp)> {
    let of_target = harness.notices.iter().filter(|(id, _)| id == target);
    let given_up = of_target.filter_map(|(_, notice)| match notice {
        Notice::GivenUp { id, cause } => Some((id.to_string(), *cause)),
        _ => None,
    });
    given_up.collect()
}

#[test]
fn a_command_that_failed_on_some_nodes_is_counted_with_cloud_assistants_word_and_its_codes_are_read()
 {
    let mut world = cluster();
    let ends = [(NodeEnd::Success, 0), (NodeEnd::Failed, 3), (NodeEnd::Timeout, 0)];
    world.add_command("c", ending("k", CommandWords::CloudAssistant, &ends)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(38);
    assert!(harness.commands("c").commands[0].invocation.is_open());
    assert_eq!(
        finished(&harness, "PartialFailed"),
        None,
        "no zero of a word that is not documented"
    );
    assert_eq!(finished(&harness, "Failed").as_deref(), Some("0"));
    harness.run_until(60);
    assert_eq!(finished(&harness, "PartialFailed").as_deref(), Some("1"));
    let shown = of_command(&harness, "k");
    assert_eq!(shown["status{status=\"PartialFailed\"}"], "1");
    assert_eq!(shown["nodes{status=\"Timeout\"}"], "1");
    assert_eq!(shown["nodes{status=\"Finished\"}"], "0");
    assert!(!shown.contains_key("nodes{status=\"Pending\"}"));
    let [nonzero, unknown, failed] =
        ["nonzero_exit_nodes", "unknown_exit_nodes", "failed_nodes"].map(|name| &*shown[name]);
    assert_eq!((nonzero, unknown, failed), ("1", "1", "2"), "the timeout's 0 is no exit code");
    let end_seen: f64 = shown["end_seen_timestamp_seconds"].parse().unwrap();
    assert!((40.0..60.0).contains(&(end_seen - start().as_second() as f64)), "{end_seen}");
    assert!(harness.unknown.is_empty(), "{:?}", harness.unknown);
}

#[test]
fn each_word_of_the_whole_that_cloud_assistant_has_ends_a_command_or_does_not() {
    let mut world = cluster();
    let fine = (NodeEnd::Success, 0);
    let bad = (NodeEnd::Failed, 1);
    let stopped = (NodeEnd::Stopped, 143);
    for (name, ends) in [
        ("fine", [fine, fine]),
        ("bad", [bad, stopped]),
        ("part", [fine, bad]),
        ("no", [stopped, stopped]),
    ] {
        world.add_command("c", ending(name, CommandWords::CloudAssistant, &ends)).unwrap();
    }
    let mut harness = Harness::scripted(world);
    harness.run_until(15);
    assert!(harness.commands("c").commands.iter().all(|seen| seen.invocation.is_open()));
    harness.run_until(60);
    for word in ["Success", "Failed", "PartialFailed", "Stopped"] {
        assert_eq!(finished(&harness, word).as_deref(), Some("1"), "{word}");
    }
    assert!(
        !of_command(&harness, "no").contains_key("nonzero_exit_nodes"),
        "what was stopped has no exit code"
    );
    assert_eq!(of_command(&harness, "no")["unknown_exit_nodes"], "2");
}

#[test]
fn a_command_without_a_word_ends_when_its_nodes_have_and_not_before_any_is_listed() {
    let mut world = cluster();
    let mut late =
        ending("k", CommandWords::Missing, &[(NodeEnd::Finished, 0), (NodeEnd::Failed, 9)]);
    for node in &mut late.nodes {
        node.starts = seconds(40);
    }
    world.add_command("c", late).unwrap();
    let mut harness = Harness::scripted(world);
    for second in [45, 70] {
        harness.run_until(second);
        assert!(harness.commands("c").commands[0].invocation.is_open(), "{second}");
        assert_eq!(of_command(&harness, "k")["status{status=\"unknown\"}"], "1");
    }
    harness.run_until(110);
    assert_eq!(finished(&harness, "unknown").as_deref(), Some("1"));
    assert_eq!(of_command(&harness, "k")["nonzero_exit_nodes"], "1");
}

#[test]
fn exit_codes_that_stop_or_restart_a_node_are_shown_and_are_no_failure() {
    let mut world = cluster();
    let ends = [(NodeEnd::Failed, 193), (NodeEnd::Finished, 194), (NodeEnd::Finished, 0)];
    world.add_command("c", ending("k", CommandWords::Documented, &ends)).unwrap();
    world
        .add_command(
            "c",
            ending(
                "bad",
                CommandWords::Documented,
                &[(NodeEnd::Failed, 193), (NodeEnd::Finished, 7)],
            ),
        )
        .unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(60);
    let shown = of_command(&harness, "k");
    let [nonzero, power, failed] =
        ["nonzero_exit_nodes", "power_exit_nodes", "failed_nodes"].map(|name| &*shown[name]);
    assert_eq!((nonzero, power, failed), ("2", "2", "0"));
    assert_eq!(of_command(&harness, "bad")["failed_nodes"], "1");
    assert_eq!(finished(&harness, "Failed").as_deref(), Some("2"), "as the cloud says");
}

#[test]
fn no_bad_exit_code_is_claimed_where_no_code_is_known_yet() {
    let mut world = cluster();
    world.add_command("c", command("k", 2, 10, 40)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.fault(r#"{"match": {"action": "ListInvocationResults"}, "fault": {"kind": "error", "status": 500, "code": "InternalError"}}"#);
    harness.run_until(60);
    let shown = of_command(&harness, "k");
    assert!(!shown.contains_key("nonzero_exit_nodes"), "{shown:?}");
    assert_eq!(shown["unknown_exit_nodes"], "2");
    assert_eq!(
        value(&harness, "aliyun_ehpc_invocation_results_outstanding{cluster_id=\"c\"}").as_deref(),
        Some("1")
    );
}

#[test]
fn results_of_commands_that_are_late_are_asked_for_with_growing_pauses_until_each_node_is_told() {
    for shown in ["not_found", "running", "left_out"] {
        let mut world = cluster();
        world.add_command("c", command("k", 2, 10, 40)).unwrap();
        let mut harness = Harness::scripted(world);
        harness.fault(&format!(
            r#"{{"match": {{"action": "ListInvocationResults"}}, "fault": {{"kind": "late_results", "seconds": 300, "shown": "{shown}"}}}}"#
        ));
        harness.run_until(300);
        assert_eq!(of_command(&harness, "k")["unknown_exit_nodes"], "2", "{shown}");
        assert_eq!(
            value(&harness, "aliyun_ehpc_invocation_results_outstanding{cluster_id=\"c\"}")
                .as_deref(),
            Some("1")
        );
        harness.run_until(720);
        let page = of_command(&harness, "k");
        let [nonzero, unknown] =
            ["nonzero_exit_nodes", "unknown_exit_nodes"].map(|name| &*page[name]);
        assert_eq!((nonzero, unknown), ("1", "0"), "{shown}");
        assert_eq!(
            value(&harness, "aliyun_ehpc_invocation_results_outstanding{cluster_id=\"c\"}")
                .as_deref(),
            Some("0")
        );
        let asked = harness.of("ListInvocationResults").len();
        assert!((6..=8).contains(&asked), "{shown}: {asked}");
        harness.run_until(7200);
        assert_eq!(
            harness.of("ListInvocationResults").len(),
            asked,
            "{shown}: whole, they are asked for no more"
        );
    }
}

#[test]
fn the_result_of_a_run_that_is_late_is_asked_for_until_it_is_there_and_its_end_is_told_with_its_code()
 {
    for shown in ["not_found", "running"] {
        let mut world = worlds::servers(1, 0);
        world.add_invocation("s00", invocation("a", 10, 40, 7)).unwrap();
        let mut harness = Harness::scripted(world);
        harness.fault(&format!(
            r#"{{"match": {{"action": "DescribeInvocationResult"}}, "fault": {{"kind": "late_results", "seconds": 3600, "shown": "{shown}"}}}}"#
        ));
        harness.run_until(3000);
        let outstanding = "aliyun_swas_invocation_results_outstanding{instance_id=\"s00\"}";
        assert_eq!(
            (
                value(&harness, outstanding).as_deref(),
                harness.ends(&id(Kind::SwasInvocations, "s00")).count()
            ),
            (Some("1"), 0)
        );
        let failed =
            "aliyun_swas_invocations_finished_total{instance_id=\"s00\",status=\"Failed\"}";
        assert_eq!(value(&harness, failed).as_deref(), Some("1"), "that it ended is known");
        harness.run_until(7200);
        assert_eq!(value(&harness, outstanding).as_deref(), Some("0"));
        let code = "aliyun_swas_invocation_exit_code{instance_id=\"s00\",invoke_id=\"a\"}";
        assert_eq!(value(&harness, code).as_deref(), Some("7"), "{shown}");
        let told = harness.notices.iter().find_map(|(_, notice)| match notice {
            Notice::Ended { exit_code, .. } => Some(*exit_code),
            _ => None,
        });
        assert_eq!(told, Some(Some(7)));
        let asked = harness.of("DescribeInvocationResult").len();
        assert!((9..=12).contains(&asked), "{shown}: {asked}");
    }
}

#[test]
fn a_result_that_never_comes_is_given_up_with_its_window_and_only_of_an_end_that_was_watched() {
    let mut world = worlds::servers(1, 1);
    world.add_invocation("s00", invocation("a", 10, 40, 7)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.config.servers[0].window.max_age = std::time::Duration::from_secs(7200);
    harness.apply(harness.config.clone());
    harness.fault(
        r#"{"match": {"action": "DescribeInvocationResult"}, "fault": {"kind": "late_results"}}"#,
    );
    let server = id(Kind::SwasInvocations, "s00");
    harness.run_until(7150);
    assert_eq!((given_up(&harness, &server), harness.ends(&server).count()), (vec![], 0));
    harness.run_until(7400);
    assert_eq!(given_up(&harness, &server), [("a".to_owned(), GivenUp::NeverAnswered)]);
    assert_eq!((harness.ends(&server).count(), harness.lost(&server).len()), (1, 0));
    let outstanding = "aliyun_swas_invocation_results_outstanding{instance_id=\"s00\"}";
    assert_eq!(value(&harness, outstanding).as_deref(), Some("0"));
}

#[test]
fn results_that_newer_runs_push_out_of_the_window_are_given_up_as_such() {
    let mut world = worlds::servers(1, 0);
    (0..8).for_each(|number| {
        world.add_invocation("s00", invocation(&format!("r{number}"), 30 + number, 33, 1)).unwrap()
    });
    let mut harness = Harness::scripted(world);
    harness.config.servers[0].window.max_invocations = 3;
    harness.apply(harness.config.clone());
    harness.run_until(120);
    let given_up = given_up(&harness, &id(Kind::SwasInvocations, "s00"));
    assert_eq!(given_up.len(), 5);
    assert!(given_up.iter().all(|(_, cause)| *cause == GivenUp::PushedOut), "{given_up:?}");
    assert_eq!(harness.of("DescribeInvocationResult").len(), 3);
}

#[test]
fn an_exit_code_counts_beside_every_word_of_an_end_and_a_zero_only_beside_words_of_what_exited() {
    for regional in [false, true] {
        let mut world = worlds::servers(1, 0);
        for (number, (end, exit_code)) in [
            (InvocationEnd::Timeout, 7),
            (InvocationEnd::Timeout, 0),
            (InvocationEnd::Failed, 0),
            (InvocationEnd::Error, 2),
            (InvocationEnd::Success, 0),
        ]
        .into_iter()
        .enumerate()
        {
            let spec = invocation(&format!("r{number}"), 5, 25, 0);
            world.add_invocation("s00", InvocationSpec { end, exit_code, ..spec }).unwrap();
        }
        let mut harness = Harness::scripted(world);
        if regional {
            harness.config.swas_strategy = aliyun_task_exporter::config::SwasStrategy::PerRegion;
            harness.apply(harness.config.clone());
        }
        harness.run_until(60);
        let code = |number: u32| {
            value(
                &harness,
                &format!(
                    "aliyun_swas_invocation_exit_code{{instance_id=\"s00\",invoke_id=\"r{number}\"}}"
                ),
            )
        };
        let codes = [0, 1, 2, 3, 4].map(code);
        assert_eq!(
            codes.each_ref().map(|code| code.as_deref()),
            [Some("7"), None, Some("0"), Some("2"), Some("0")]
        );
    }
}

#[test]
fn lists_that_are_null_for_less_than_ten_minutes_take_nothing_open_away() {
    let mut world = worlds::servers(1, 0);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", task("a", 5, 2000)).unwrap();
    world.add_invocation("s00", invocation("a", 5, 2000, 3)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(60);
    for action in ["ListTasks", "DescribeInvocations"] {
        harness.fault(&format!(
            r#"{{"match": {{"action": "{action}"}}, "fault": {{"kind": "null_lists"}}, "schedule": {{"from": 61, "to": 640}}}}"#
        ));
    }
    harness.fault(r#"{"match": {"action": "DescribeInvocationResult"}, "fault": {"kind": "error", "status": 404, "code": "InvalidInvokeId.NotFound"}, "schedule": {"from": 61, "to": 640}}"#);
    harness.run_until(640);
    assert_eq!(
        (harness.tasks("c").tasks.len(), harness.invocations("s00").invocations.len()),
        (1, 1)
    );
    assert!(harness.of("DescribeInvocationResult").len() <= 7, "with growing pauses");
    harness.run_until(2100);
    for target in [id(Kind::EhpcTasks, "c"), id(Kind::SwasInvocations, "s00")] {
        assert_eq!(
            (harness.ends(&target).count(), harness.lost(&target).len()),
            (1, 0),
            "{target:?}"
        );
    }
}

#[test]
fn a_clock_that_is_set_either_way_loses_nothing_that_is_open() {
    // With more skew, the cloud refuses every request.
    for minutes in [-14, 14] {
        let mut world = cluster();
        world.add_task("c", task("a", 5, 4000)).unwrap();
        let mut harness = Harness::scripted(world);
        harness.run_until(60);
        harness.fault(r#"{"match": {"action": "ListTasks"}, "fault": {"kind": "null_lists"}, "schedule": {"from": 61, "to": 600}}"#);
        harness.run_until(200);
        harness.clock_off = seconds(60 * minutes);
        harness.run_until(4100);
        let target = id(Kind::EhpcTasks, "c");
        assert_eq!(
            (harness.lost(&target).len(), harness.ends(&target).count()),
            (0, 1),
            "{minutes}"
        );
        assert!(harness.now > start());
    }
}
