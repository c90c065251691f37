//! The targets' part of `/metrics`: a golden page, and what must hold of every page.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::harness::{Harness, discovering};
use crate::support::page::{Page, parse};
use crate::support::{package, read, worlds};
use aliyun_task_exporter::catalog::{CATALOG, Family, Kind, Source};
use aliyun_task_exporter::config::{Regions, StatusStyle};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{
    CommandSpec, InvocationEnd, InvocationSpec, ListOrder, NodeEnd, NodeSpec, Settings, TaskEnd,
    TaskSpec, World,
};

const GOLDEN: &str = "tests/golden/metrics.prom";

/// A small world with everything in it.
fn world() -> World {
    let mut world = World::empty();
    for cluster in ["ehpc-hz-prod", "ehpc-hz-odd", "ehpc-hz-gone"] {
        worlds::add_cluster(&mut world, cluster);
    }
    let partial = TaskSpec {
        end: TaskEnd::PartialFail,
        errors: 2,
        nodes: 3,
        ..worlds::task("task-partial", 20, 62)
    };
    let stop = TaskSpec { task_type: "StopCluster".into(), ..worlds::task("task-old", -500, -300) };
    let create =
        TaskSpec { task_type: "CreateCluster".into(), ..worlds::task("task-long", -50, 950) };
    for task in [partial, stop, create] {
        world.add_task("ehpc-hz-prod", task).unwrap();
    }
    world.add_task("ehpc-hz-odd", worlds::task("task-odd", 0, 900)).unwrap();
    let mut mixed = worlds::command("command-mixed", 3, 5, 40);
    mixed.nodes[2] = NodeSpec { end: NodeEnd::Stopped, exit_code: 143, ..mixed.nodes[2].clone() };
    let running = CommandSpec { id: "command-running".into(), ..worlds::command("", 2, 30, 900) };
    let mut restart = CommandSpec { id: "command-restart".into(), ..worlds::command("", 1, 6, 40) };
    restart.nodes[0].exit_code = 194;
    for command in [mixed, running, restart] {
        world.add_command("ehpc-hz-prod", command).unwrap();
    }
    for server in ["server-1", "server-2", "server-gone"] {
        worlds::add_server(&mut world, server);
    }
    for invocation in runs() {
        world.add_invocation("server-1", invocation).unwrap();
    }
    world
}

fn runs() -> Vec<InvocationSpec> {
    let named = |invocation: InvocationSpec, name: &str| InvocationSpec {
        command_name: name.into(),
        ..invocation
    };
    let ended = |id: &str, end, error: &str| InvocationSpec {
        end,
        error_code: error.into(),
        ..worlds::invocation(id, 5, 25, 0)
    };
    let hourly = |number: i64| {
        let from = (number - 4) * 3600;
        named(worlds::invocation(&format!("run-hourly-{number}"), from, from + 9, 0), "hourly")
    };
    let mut invocations = vec![
        named(worlds::invocation("run-good", -600, -590, 0), "backup"),
        named(worlds::invocation("run-bad", 10, 20, 3), "backup"),
        named(worlds::invocation("run-windows", 12, 30, -1_073_741_510), "say \"备份\\\""),
        named(worlds::invocation("run-open", 50, 900, 0), "backup"),
        named(ended("run-late", InvocationEnd::Timeout, "ExecutionTimeout"), "slow"),
        named(ended("run-never", InvocationEnd::Cancelled, ""), "never"),
    ];
    invocations.extend((0..4).map(hourly));
    invocations
}

/// The golden world after a minute and a half.
fn golden() -> Harness {
    let mut harness = Harness::scripted(world());
    let mut config = harness.config.clone();
    config.clusters[0].commands.per_node = true;
    let here = Regions::Named(vec!["cn-hangzhou".into()]);
    let found = discovering(&harness.sim, here);
    config.cluster_discovery = found.cluster_discovery;
    config.server_discovery = found.server_discovery;
    harness.apply(config);
    harness
        .fault(r#"{"match": {"cluster_id": "ehpc-hz-odd"}, "fault": {"kind": "unknown_words"}}"#);
    harness.fault(
        r#"{"match": {"cluster_id": "ehpc-hz-odd", "parameters": {"Archived": "false"}},
            "fault": {"kind": "paging", "total_off": 3}}"#,
    );
    harness.run_until(45);
    for gone in ["ehpc-hz-gone", "server-gone"] {
        harness.sim.world_mut().remove(gone);
    }
    harness.run_until(90);
    harness
}

/// Only the list of a region sends it; the golden world is polled server by server.
const OF_A_REGION: &str = "aliyun_swas_invocation_timeout_seconds";

/// The families of targets.
fn families() -> impl Iterator<Item = &'static &'static Family> {
    let is_shown =
        |family: &&&Family| family.source != Source::Process && family.name != OF_A_REGION;
    CATALOG.iter().filter(is_shown)
}

#[test]
fn the_page_is_the_golden_one() {
    let page = golden().page(Format::Text);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(package(GOLDEN), page.as_bytes()).unwrap();
    }
    let golden = read(GOLDEN);
    let (shown, wanted): (BTreeSet<&str>, BTreeSet<&str>) =
        (page.lines().collect(), golden.lines().collect());
    let (new, gone): (Vec<_>, Vec<_>) =
        (shown.difference(&wanted).collect(), wanted.difference(&shown).collect());
    let hint = "UPDATE_GOLDEN=1 rewrites it";
    assert!(new.is_empty() && gone.is_empty(), "{GOLDEN} ({hint})\nnew: {new:#?}\ngone: {gone:#?}");
    assert!(*page == *golden, "{GOLDEN}: the order has changed ({hint})");
}

#[test]
fn the_golden_page_has_every_family_as_the_catalog_says_and_no_other() {
    let page = parse(&read(GOLDEN));
    for family in families() {
        let name = family.name;
        assert_eq!(page.types.get(name).map(String::as_str), Some(family.kind.word()), "{name}");
        assert_eq!(page.helps.get(name).map(String::as_str), Some(family.help), "{name}");
        let name =
            if family.kind == Kind::Histogram { format!("{name}_sum") } else { name.to_owned() };
        let samples: Vec<_> = page.all(&name, &[]).collect();
        assert!(!samples.is_empty(), "{name} has no sample");
        let labels: BTreeSet<&str> = family.labels.iter().copied().collect();
        assert!(
            samples.iter().all(|sample| sample
                .labels
                .keys()
                .map(String::as_str)
                .eq(labels.iter().copied()))
        );
    }
    assert_eq!(page.types.len(), families().count());
}

#[test]
fn families_come_in_the_order_of_the_catalog_each_with_its_samples_in_one_piece() {
    let golden = read(GOLDEN);
    let position = |line: &str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        let name = &name[..name.find([' ', '{']).unwrap()];
        let base =
            ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let family = CATALOG.iter().find(|family| family.name == name);
        family.or_else(|| CATALOG.iter().find(|family| Some(family.name) == base)).unwrap().position
    };
    let positions: Vec<usize> = golden.lines().map(position).collect();
    assert!(positions.is_sorted());
}

#[test]
fn both_formats_have_the_same_samples() {
    let harness = golden();
    let [text, openmetrics] =
        [Format::Text, Format::OpenMetrics].map(|format| harness.page(format));
    let samples = |page: &str| {
        page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(samples(&text), samples(&openmetrics), "to the letter");
    let page = parse(&openmetrics);
    for family in families() {
        let name = family.openmetrics_name();
        assert_eq!(page.types.get(name).map(String::as_str), Some(family.kind.word()), "{name}");
        assert_eq!(page.units.get(name).map(String::as_str), family.unit(), "{name}");
        assert!(family.kind != Kind::Counter || !name.ends_with("_total"));
    }
}

#[test]
fn what_is_shown_means_what_it_says() {
    let page = parse(&read(GOLDEN));
    let one = |name: &str, labels: &[(&str, &str)]| page.value(name, labels);
    let invocation = |id| [("invoke_id", id)];
    assert_eq!(one("aliyun_swas_invocation_exit_code", &invocation("run-good")), Some(0.0));
    assert_eq!(
        one("aliyun_swas_invocation_exit_code", &invocation("run-windows")),
        Some(-1_073_741_510.0)
    );
    for never_exited in ["run-late", "run-never", "run-open"] {
        assert_eq!(
            one("aliyun_swas_invocation_exit_code", &invocation(never_exited)),
            None,
            "{never_exited}"
        );
    }
    assert_eq!(one("aliyun_swas_command_last_exit_code", &[("command_name", "backup")]), Some(3.0));
    assert_eq!(one("aliyun_swas_command_last_exit_code", &[("command_name", "slow")]), None);
    assert_eq!(
        one("aliyun_swas_command_last_exit_code", &[("command_name", "say \"备份\\\"")]),
        Some(-1_073_741_510.0)
    );
    for (name, status) in
        [("backup", "Failed"), ("slow", "Timeout"), ("never", "Cancelled"), ("hourly", "Success")]
    {
        let last = [("command_name", name), ("status", status)];
        assert_eq!(one("aliyun_swas_command_last_status", &last), Some(1.0), "{name}");
        let interval = one("aliyun_swas_command_interval_seconds", &[("command_name", name)]);
        assert_eq!(interval, (name == "hourly").then_some(3600.0), "{name}");
    }
    let mixed = [("command_id", "command-mixed")];
    assert_eq!(one("aliyun_ehpc_invocation_nonzero_exit_nodes", &mixed), Some(1.0));
    let node = |id| [("command_id", "command-mixed"), ("instance_id", id)];
    assert_eq!(one("aliyun_ehpc_invocation_node_exit_code", &node("i-001")), Some(1.0));
    assert_eq!(
        one("aliyun_ehpc_invocation_node_exit_code", &node("i-002")),
        None,
        "it was stopped"
    );
    assert_eq!(one("aliyun_ehpc_task_nodes", &[("task_id", "task-old")]), None, "it makes none");
    assert_eq!(
        one("aliyun_ehpc_task_finished_timestamp_seconds", &[("task_id", "task-old")]),
        None,
        "never seen open"
    );
    let finished =
        [("cluster_id", "ehpc-hz-prod"), ("task_type", "AddComputes"), ("status", "PartialFail")];
    assert_eq!(one("aliyun_ehpc_tasks_finished_total", &finished), Some(1.0));
    assert_eq!(
        page.sum("aliyun_ehpc_tasks_finished_total", &[]),
        1.0,
        "what had ended before is not counted"
    );
    assert_eq!(page.sum("aliyun_swas_invocations_finished_total", &[("status", "Failed")]), 2.0);
    assert_eq!(
        one("aliyun_ehpc_task_status", &[("task_id", "task-odd"), ("status", "unknown")]),
        Some(1.0)
    );
    let gone = [("target", "server-gone"), ("reason", "not_found")];
    assert_eq!(one("aliyun_task_exporter_target_failing", &gone), Some(1.0));
}

/// Compares the counts on a page with the things on it.
#[test]
fn counts_are_those_of_the_things_that_are_shown() {
    let mut harness =
        Harness::living(Settings { order: ListOrder::Reordering, ..Settings::default() });
    harness.run_until(100);
    let page = parse(&harness.page(Format::Text));
    for (counts, things, owner) in [
        ("aliyun_ehpc_tasks", "aliyun_ehpc_task_status", "cluster_id"),
        ("aliyun_swas_invocations", "aliyun_swas_invocation_status", "instance_id"),
    ] {
        let mut shown: BTreeMap<(String, String), f64> = BTreeMap::new();
        for sample in page.all(things, &[]) {
            *shown
                .entry((sample.labels[owner].clone(), sample.labels["status"].clone()))
                .or_default() += 1.0;
        }
        assert!(shown.len() > 4);
        for ((id, status), count) in shown {
            assert_eq!(
                page.sum(counts, &[(owner, &id), ("status", &status)]),
                count,
                "{counts} {id} {status}"
            );
        }
        assert_eq!(page.sum(counts, &[]), page.all(things, &[]).count() as f64);
    }
    let series: f64 = page.sum("aliyun_task_exporter_target_series", &[]);
    let shown = page.samples.iter().filter(|sample| {
        let name = sample
            .name
            .trim_end_matches("_bucket")
            .trim_end_matches("_sum")
            .trim_end_matches("_count");
        let is_polled =
            |family: &&Family| matches!(family.source, Source::Cloud | Source::Directory);
        CATALOG.iter().copied().filter(is_polled).any(|family| family.name == name)
    });
    assert_eq!(series, shown.count() as f64);
}

#[test]
fn full_style_writes_every_word_of_a_status_and_one_of_them_is_true() {
    let mut harness = Harness::scripted(world());
    let mut config = harness.config.clone();
    config.metrics.status_style = StatusStyle::Full;
    config.clusters[0].commands.per_node = true;
    harness.apply(config);
    harness.run_until(60);
    let page = parse(&harness.page(Format::Text));
    for (family, words, things) in [
        ("aliyun_ehpc_task_status", 5, "aliyun_ehpc_task_current_step"),
        ("aliyun_ehpc_invocation_status", 5, "aliyun_ehpc_invocation_status"),
        ("aliyun_ehpc_invocation_node_status", 5, "aliyun_ehpc_invocation_node_status"),
        ("aliyun_swas_invocation_status", 12, "aliyun_swas_invocation_info"),
    ] {
        let mut of: BTreeMap<Vec<(String, String)>, Vec<&str>> = BTreeMap::new();
        for sample in page.all(family, &[]) {
            let mut labels = sample.labels.clone();
            labels.remove("status");
            of.entry(labels.into_iter().collect()).or_default().push(&sample.value);
        }
        assert!(
            !of.is_empty() && (family == things || of.len() == page.all(things, &[]).count()),
            "{family}"
        );
        for (thing, values) in of {
            assert_eq!(
                (values.len(), values.iter().filter(|value| **value == "1").count()),
                (words, 1),
                "{thing:?}"
            );
        }
    }
}

/// A limit of series, and how a server with fifty invocations looks under it.
fn cut(max_series_per_target: usize, max_series: usize) -> (Harness, Page) {
    let mut harness = Harness::scripted(worlds::servers(3, 50));
    let mut config = harness.config.clone();
    config.metrics.max_series_per_target = max_series_per_target;
    config.metrics.max_series = max_series;
    harness.apply(config);
    harness.run_until(100);
    let page = parse(&harness.page(Format::Text));
    (harness, page)
}

#[test]
fn beyond_the_budget_of_a_target_its_oldest_ended_things_are_left_out_and_that_is_told() {
    let (_, page) = cut(150, 100_000);
    for server in ["s00", "s01", "s02"] {
        let target = [("target", server)];
        let shown: Vec<_> =
            page.all("aliyun_swas_invocation_info", &[("instance_id", server)]).collect();
        assert!((10..25).contains(&shown.len()), "{}", shown.len());
        // r0 is the newest.
        let ids: BTreeSet<&str> = shown.iter().map(|sample| &*sample.labels["invoke_id"]).collect();
        assert!(
            (0..shown.len()).all(|index| ids.contains(&*format!("{server}-r{index}"))),
            "{ids:?}"
        );
        let dropped = page.sum("aliyun_task_exporter_target_series_dropped", &target);
        assert!(dropped > 100.0, "{dropped}");
        assert_eq!(
            page.sum("aliyun_swas_invocations", &[("instance_id", server)]),
            50.0,
            "the counts know all"
        );
    }
}

#[test]
fn the_budget_of_the_whole_exporter_holds_too_and_a_target_that_goes_makes_room() {
    let (mut harness, page) = cut(5_000, 900);
    assert!(page.sum("aliyun_task_exporter_target_series", &[]) <= 900.0);
    let dropped =
        |page: &Page| page.sum("aliyun_task_exporter_target_series_dropped", &[("target", "s02")]);
    assert!(dropped(&page) > 0.0);
    let mut config = harness.config.clone();
    config.servers.remove(0);
    harness.apply(config);
    harness.run_for(60);
    assert_eq!(dropped(&parse(&harness.page(Format::Text))), 0.0);
}
