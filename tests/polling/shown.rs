//! What a page shows while things begin, overlap, fail and end.

use std::collections::BTreeMap;

use aliyun_task_exporter::config::StatusStyle;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{InvocationSpec, Settings, TaskEnd, TaskSpec};

use crate::support::harness::Harness;
use crate::support::page::{Page, parse};
use crate::support::{seconds, start, worlds};

const COUNTERS: [&str; 3] = [
    "aliyun_ehpc_tasks_finished_total",
    "aliyun_ehpc_invocations_finished_total",
    "aliyun_swas_invocations_finished_total",
];

const STATUSES: [&str; 5] = [
    "aliyun_ehpc_task_status",
    "aliyun_ehpc_invocation_status",
    "aliyun_ehpc_invocation_node_status",
    "aliyun_swas_invocation_status",
    "aliyun_swas_command_last_status",
];

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

#[test]
fn a_thing_has_one_status_at_any_time_and_an_old_one_leaves_no_trace() {
    for style in [StatusStyle::Current, StatusStyle::Full] {
        let mut harness =
            Harness::living(Settings { clusters: 1, servers: 1, ..Settings::default() });
        harness.config.metrics.status_style = style;
        harness.config.clusters[0].commands.per_node = true;
        harness.apply(harness.config.clone());
        let mut changes = 0;
        let mut before: BTreeMap<String, String> = BTreeMap::new();
        for step in 1..=60 {
            harness.run_until(step * 10);
            let mut now: BTreeMap<String, String> = BTreeMap::new();
            for sample in STATUSES
                .iter()
                .flat_map(|family| page(&harness).all(family, &[]).cloned().collect::<Vec<_>>())
            {
                let mut labels = sample.labels;
                let status = labels.remove("status").unwrap();
                if sample.value == "1" {
                    let thing = format!("{} {labels:?}", sample.name);
                    assert_eq!(
                        now.insert(thing.clone(), status),
                        None,
                        "{thing} has two statuses at once"
                    );
                }
            }
            changes += now
                .iter()
                .filter(|(thing, status)| before.get(*thing).is_some_and(|old| old != *status))
                .count();
            before = now;
        }
        assert!(changes > 50, "{changes}");
    }
}

#[test]
fn runs_that_overlap_are_each_followed_to_their_end() {
    let mut world = worlds::servers(1, 0);
    worlds::add_cluster(&mut world, "c");
    for number in 0..12 {
        // The newest ends first, so all older ones are still open when a newer one has ended.
        let from = 10 + number;
        let to = 400 - 20 * number;
        world.add_task("c", worlds::task(&format!("t{number}"), from, to)).unwrap();
        world.add_command("c", worlds::command(&format!("k{number}"), 2, from, to)).unwrap();
        world
            .add_invocation("s00", worlds::invocation(&format!("r{number}"), from, to, 0))
            .unwrap();
    }
    let mut harness = Harness::scripted(world);
    harness.run_until(100);
    let open = |harness: &Harness, status: &str| {
        STATUSES
            .map(|family| page(harness).all(family, &[("status", status)]).count())
            .iter()
            .sum::<usize>()
    };
    assert_eq!(open(&harness, "Processing") + open(&harness, "Running"), 36);
    harness.run_until(430);
    assert_eq!(open(&harness, "Processing") + open(&harness, "Running"), 0);
    assert_eq!(COUNTERS.map(|counter| page(&harness).sum(counter, &[])), [12.0; 3]);
}

#[test]
fn a_failure_is_a_step_from_a_zero_that_was_there_and_has_the_time_of_its_end() {
    let mut world = worlds::servers(1, 1);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", TaskSpec { end: TaskEnd::Failed, ..worlds::task("t", 5, 40) }).unwrap();
    world.add_command("c", worlds::command("k", 2, 5, 40)).unwrap();
    world.add_invocation("s00", worlds::invocation("r", 5, 40, 3)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(2);
    let failed = |page: &Page| {
        let value = |family: &str, status| {
            let counts: Vec<_> = page.all(family, &[("status", status)]).collect();
            assert!(!counts.is_empty(), "{family} {status} is absent");
            page.sum(family, &[("status", status)])
        };
        [value(COUNTERS[0], "Failed"), value(COUNTERS[1], "Finished"), value(COUNTERS[2], "Failed")]
    };
    assert_eq!(failed(&page(&harness)), [0.0; 3], "known before anything has failed");
    harness.run_until(90);
    let page = page(&harness);
    assert_eq!(failed(&page), [1.0; 3]);
    for (family, label, id) in [
        ("aliyun_ehpc_task_finished_timestamp_seconds", "task_id", "t"),
        ("aliyun_ehpc_invocation_finished_timestamp_seconds", "command_id", "k"),
        ("aliyun_swas_invocation_finished_timestamp_seconds", "invoke_id", "r"),
    ] {
        let ended = page.value(family, &[(label, id)]).unwrap_or_else(|| panic!("{family}"));
        let after = ended - start().as_second() as f64;
        assert!((40.0..=61.0).contains(&after), "{family}: {after} s after the start");
    }
    assert_eq!(
        page.value("aliyun_ehpc_invocation_nonzero_exit_nodes", &[("command_id", "k")]),
        Some(1.0)
    );
    let error = [("invoke_id", "r"), ("error_code", "ExitCodeNonzero")];
    assert_eq!(page.value("aliyun_swas_invocation_error", &error), Some(1.0));
}

#[test]
fn names_are_there_though_nothing_could_ever_be_read() {
    let mut world = worlds::servers(1, 1);
    worlds::add_cluster(&mut world, "c");
    let mut harness = Harness::scripted(world);
    harness.config.clusters[0].name = "prod".into();
    harness.config.servers[0].name = "web".into();
    harness.apply(harness.config.clone());
    harness.fault(r#"{"fault": {"kind": "throttle"}}"#);
    harness.run_until(3600);
    let page = page(&harness);
    assert_eq!(page.sum("aliyun_task_exporter_target_failing", &[("reason", "throttled")]), 3.0);
    assert_eq!(page.value("aliyun_ehpc_cluster_info", &[("cluster_name", "prod")]), Some(1.0));
    assert_eq!(page.value("aliyun_swas_server_info", &[("instance_name", "web")]), Some(1.0));
    assert!(STATUSES.iter().all(|family| page.all(family, &[]).count() == 0), "absent is absent");
}

#[test]
fn how_long_a_run_has_waited_can_be_told() {
    let mut world = worlds::servers(1, 0);
    world
        .add_invocation(
            "s00",
            InvocationSpec { pending: seconds(7), ..worlds::invocation("r", 5, 20, 0) },
        )
        .unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(90);
    let time = |what: &str| {
        page(&harness)
            .value(
                &format!("aliyun_swas_invocation_{what}_timestamp_seconds"),
                &[("invoke_id", "r")],
            )
            .unwrap()
    };
    assert_eq!(time("started") - time("created"), 7.0);
    assert_eq!(time("finished") - time("started"), 15.0);
}
