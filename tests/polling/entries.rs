//! Lists with odd entries: each affects only itself, and the rest is shown as it is.

use std::collections::BTreeSet;

use aliyun_task_exporter::config::{Regions, SwasStrategy};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{ClusterSpec, ServerSpec, Settings, Simulator, World};
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::harness::{Harness, discovering, id};
use crate::support::page::parse;
use crate::support::truth::assert_shown;
use crate::support::worlds;

fn odd(kind: &str) -> String {
    format!(r#"{{"fault": {{"kind": "odd_entries", "odd": "{kind}"}}}}"#)
}

fn living(strategy: SwasStrategy, kind: &str) -> Harness {
    let mut harness = Harness::living(Settings::default());
    harness.config.swas_strategy = strategy;
    for cluster in &mut harness.config.clusters {
        cluster.commands.per_node = true;
    }
    harness.apply(harness.config.clone());
    harness.fault(&odd(kind));
    harness
}

#[test]
fn entries_that_cannot_be_read_are_counted_and_all_others_shown_as_they_are() {
    for strategy in [SwasStrategy::PerServer, SwasStrategy::PerRegion] {
        for (kind, is_unreadable) in [
            ("no_object", true),
            ("without_id", true),
            ("long_id", true),
            ("broken_id", true),
            ("twice", false),
            ("repeated_key", false),
        ] {
            let mut harness = living(strategy, kind);
            harness.run_until(100);
            harness.sim.freeze(harness.now);
            harness.run_for(31);
            assert_shown(&harness, kind);
            assert!(harness.polled.iter().all(|poll| poll.failure.is_none()), "{kind}");
            let page = parse(&harness.page(Format::Text));
            assert_eq!(
                page.sum("aliyun_task_exporter_target_up", &[]),
                harness.store.views(harness.moment()).len() as f64
            );
            for operation in
                ["ListTasks", "ListCommands", "ListInvocationStatus", "ListInvocationResults"]
            {
                assert_eq!(harness.unreadable[operation] > 0, is_unreadable, "{kind} {operation}");
            }
            let list = match strategy {
                SwasStrategy::PerServer => "DescribeInvocations",
                SwasStrategy::PerRegion => "DescribeCommandInvocations",
            };
            assert_eq!(harness.unreadable[list] > 0, is_unreadable, "{kind} {list}");
            let longest = page
                .samples
                .iter()
                .flat_map(|sample| sample.labels.values())
                .map(String::len)
                .max();
            assert!(longest <= Some(128), "{kind}: {longest:?}");
        }
    }
}

#[test]
fn names_that_are_no_text_are_repaired_and_stay_apart() {
    for strategy in [SwasStrategy::PerServer, SwasStrategy::PerRegion] {
        for (kind, first) in [("half_surrogate", "nightly"), ("not_utf8", "\u{fffd}")] {
            let mut world = worlds::servers(1, 0);
            for (number, name) in ["nightly", "nightly\n", "nightly", "备".repeat(50).as_str()]
                .into_iter()
                .enumerate()
            {
                let invocation =
                    worlds::invocation(&format!("r{number}"), -100 - number as i64, -50, 3);
                let name = name.to_owned();
                world
                    .add_invocation(
                        "s00",
                        aliyun_task_exporter::sim::InvocationSpec {
                            command_name: name,
                            ..invocation
                        },
                    )
                    .unwrap();
            }
            let mut harness = Harness::scripted(world);
            harness.config.swas_strategy = strategy;
            harness.apply(harness.config.clone());
            harness.fault(&odd(kind));
            harness.run_until(60);
            let page = parse(&harness.page(Format::Text));
            let named = page.all("aliyun_swas_command_last_exit_code", &[]);
            let names: BTreeSet<String> =
                named.map(|sample| sample.labels["command_name"].clone()).collect();
            assert_eq!(names.len(), 3, "{names:?}");
            assert!(names.iter().all(|name| name.len() <= 128 && name.contains('~')), "{names:?}");
            assert_eq!(
                names.iter().filter(|name| name.starts_with(first)).count(),
                2 + usize::from(first != "nightly")
            );
            assert_eq!(page.all("aliyun_swas_invocation_info", &[]).count(), 4);
        }
    }
}

#[test]
fn what_is_not_understood_is_absent_and_a_bare_object_is_one_error() {
    let shown = |kind: &str| {
        let mut world = worlds::one_task();
        worlds::add_server(&mut world, "s");
        world.add_invocation("s", worlds::invocation("r", -100, -50, 3)).unwrap();
        let mut harness = Harness::scripted(world);
        harness.fault(&odd(kind));
        harness.run_until(60);
        assert!(harness.polled.iter().all(|poll| poll.failure.is_none()), "{kind}");
        let page = parse(&harness.page(Format::Text));
        let families = ["ehpc_task_current_step", "ehpc_task_errors", "swas_invocation_exit_code"];
        families.map(|family| page.value(&format!("aliyun_{family}"), &[]))
    };
    assert_eq!(shown("twice"), shown("repeated_key"));
    let [step, errors, code] = shown("huge_number");
    assert_eq!((step, errors, code), (None, Some(0.0), None));
    assert_eq!(shown("bare_object")[1], Some(1.0));
    assert_eq!(shown("half_surrogate")[1], None, "it is not 0");
    assert_eq!(shown("not_utf8")[2], Some(3.0));
}

#[test]
fn discovery_finds_all_that_can_be_read() {
    for kind in
        ["no_object", "without_id", "long_id", "broken_id", "half_surrogate", "not_utf8", "twice"]
    {
        let mut world = World::empty();
        for number in 0..3 {
            world.add_cluster(ClusterSpec {
                id: format!("c{number}"),
                name: "n".repeat(200),
                ..ClusterSpec::default()
            });
            world.add_server(ServerSpec {
                id: format!("s{number}"),
                name: "n\u{7}".into(),
                ..ServerSpec::default()
            });
        }
        let sim = Simulator::with_world(Settings::default(), world, crate::support::start());
        let config = discovering(&sim, Regions::All);
        let mut harness = Harness::new(sim, config);
        harness.fault(&odd(kind));
        harness.run_until(200);
        let found: BTreeSet<TargetId> = harness
            .store
            .views(harness.moment())
            .iter()
            .map(|view| view.target.id.clone())
            .collect();
        for number in 0..3 {
            for (kind, name) in [(Kind::EhpcTasks, "c"), (Kind::SwasInvocations, "s")] {
                assert!(found.contains(&id(kind, &format!("{name}{number}"))), "{found:?}");
            }
        }
        let page = parse(&harness.page(Format::OpenMetrics));
        for (family, names) in [
            ("aliyun_ehpc_cluster_info", "cluster_name"),
            ("aliyun_swas_server_info", "instance_name"),
        ] {
            let infos: Vec<_> =
                page.all(family, &[]).map(|sample| sample.labels[names].clone()).collect();
            assert!(
                infos.len() == 3
                    && infos.iter().all(|name| name.len() <= 128 && name.contains('~')),
                "{infos:?}"
            );
        }
        assert!(harness.polled.iter().all(|poll| poll.failure.is_none()), "{kind}");
    }
}
