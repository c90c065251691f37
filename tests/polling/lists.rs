//! Lists that are not paged as documented: what is shown is complete, or says what it lacks.

use std::time::Duration;

use aliyun_task_exporter::action::Action;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::poll::{ListChange, Notice};
use aliyun_task_exporter::sim::{ListOrder, ServerSpec, Settings, Simulator, World};
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::harness::{Harness, discovering, id};
use crate::support::page::parse;
use crate::support::truth::assert_shown;
use crate::support::{start, worlds};

/// More of everything than fits on a capped page.
fn large(order: ListOrder) -> Harness {
    let settings = Settings {
        clusters: 1,
        servers: 1,
        tasks: 35,
        task_history: 60,
        commands: 35,
        nodes: 35,
        invocations: 35,
        order,
        ..Settings::default()
    };
    let mut harness = Harness::living(settings);
    harness.config.clusters[0].commands.discover = 100;
    harness.apply(harness.config.clone());
    harness
}

fn missing(harness: &Harness, target: &TargetId) -> Option<f64> {
    let labels = [("kind", target.kind.label()), ("target", &*target.id)];
    parse(&harness.page(Format::Text)).value("aliyun_task_exporter_target_missing_entries", &labels)
}

fn excess(harness: &Harness, target: &TargetId) -> Option<f64> {
    let labels = [("kind", target.kind.label()), ("target", &*target.id)];
    parse(&harness.page(Format::Text))
        .value("aliyun_task_exporter_target_total_excess_entries", &labels)
}

/// What was reported about a target's lists.
fn told(harness: &Harness, target: &TargetId) -> Vec<ListChange> {
    let of = harness.notices.iter().filter(|(of, _)| of == target);
    let change = |(_, notice): &(TargetId, Notice)| match notice {
        Notice::List(change) => Some(*change),
        _ => None,
    };
    of.filter_map(change).collect()
}

/// An exporter that discovers this many servers in each of these regions.
fn found(servers: usize, regions: &[&str], quota: u32) -> Harness {
    let mut world = World::empty();
    for region in regions {
        for number in 0..servers {
            let id = format!("{region}-{number:05}");
            world.add_server(ServerSpec { id, region: (*region).into(), ..ServerSpec::default() });
        }
    }
    let sim = Simulator::with_world(Settings::default(), world, start());
    let named = regions.iter().map(|region| (*region).into()).collect();
    let mut config = discovering(&sim, aliyun_task_exporter::config::Regions::Named(named));
    config.accounts[0].quotas = [(Action::ListInstances.into(), quota)].into();
    Harness::new(sim, config)
}

fn servers(harness: &Harness) -> usize {
    let views = harness.store.views(harness.moment());
    views.iter().filter(|view| view.target.id.kind == Kind::SwasInvocations).count()
}

fn place(region: &str) -> TargetId {
    id(Kind::Discovery, &format!("swas/demo/{region}"))
}

#[test]
fn a_page_that_is_smaller_than_was_asked_for_is_not_the_end_of_its_list() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        for paging in [
            r#""page_size": 10"#,
            r#""page_size": 7"#,
            r#""page_size": 10, "silent": true"#,
            r#""page_size": 10, "total": "none""#,
            r#""page_size": 10, "total": "page""#,
            r#""total": "page""#,
            r#""total": "none""#,
        ] {
            let mut harness = large(order);
            harness.fault(&format!(r#"{{"fault": {{"kind": "paging", {paging}}}}}"#));
            harness.run_until(60);
            harness.sim.freeze(harness.now);
            harness.run_for(31);
            assert_shown(&harness, paging);
            for poll in &harness.polled {
                assert_eq!(
                    (&poll.failure, missing(&harness, &poll.target)),
                    (&None, Some(0.0)),
                    "{paging} {order:?}"
                );
            }
        }
    }
}

#[test]
fn a_list_that_is_cut_off_while_its_total_says_more_is_told_and_never_excused() {
    let mut harness = large(ListOrder::NewestFirst);
    harness.fault(r#"{"match": {"action": "ListTasks"}, "fault": {"kind": "paging", "page_size": 10, "pages": 2}}"#);
    harness.run_until(5);
    let tasks = id(Kind::EhpcTasks, &harness.config.clusters[0].id);
    assert_eq!(missing(&harness, &tasks), Some(0.0), "once may be an accident");
    harness.run_until(600);
    let lacks = missing(&harness, &tasks).unwrap();
    assert!((10.0..=25.0).contains(&lacks), "{lacks} of 35 running tasks");
    assert_eq!((told(&harness, &tasks).len(), excess(&harness, &tasks)), (1, None));
    let page = parse(&harness.page(Format::Text));
    assert_eq!(
        page.value("aliyun_task_exporter_target_up", &[("kind", "ehpc_tasks")]),
        Some(1.0),
        "polls do succeed"
    );
    harness.sim.clear_faults();
    harness.run_until(2500);
    assert_eq!(missing(&harness, &tasks), Some(0.0));
    assert_eq!(told(&harness, &tasks).last(), Some(&ListChange::Missing(0)));
    harness.sim.freeze(harness.now);
    harness.run_for(31);
    assert_shown(&harness, "whole again");
}

#[test]
fn a_total_that_is_wrong_by_the_same_each_time_is_told_once_and_costs_no_further_page() {
    let mut harness = found(250, &["cn-hangzhou"], 600);
    harness.config.server_discovery.entries[0].interval = Duration::from_secs(60);
    harness.apply(harness.config.clone());
    harness.fault(
        r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "paging", "total_off": 3}}"#,
    );
    harness.run_until(50);
    assert_eq!(
        (harness.of("ListInstances").len(), servers(&harness)),
        (4, 250),
        "the fourth page brings nothing"
    );
    harness.run_until(170);
    assert_eq!(missing(&harness, &place("cn-hangzhou")), Some(3.0));
    harness.run_until(470);
    assert_eq!(
        (missing(&harness, &place("cn-hangzhou")), excess(&harness, &place("cn-hangzhou"))),
        (Some(0.0), Some(3.0))
    );
    let wanted = [ListChange::Missing(3), ListChange::Missing(0), ListChange::TotalWrong(3)];
    assert_eq!(told(&harness, &place("cn-hangzhou")), wanted);
    harness.made.clear();
    harness.run_until(770);
    assert_eq!(harness.of("ListInstances").len(), 5 * 3, "five readings of three pages");
    let mut world = World::empty();
    for number in 0..200 {
        let id = format!("cn-hangzhou-{number:05}");
        world.add_server(ServerSpec { id, region: "cn-hangzhou".into(), ..ServerSpec::default() });
    }
    *harness.sim.world_mut() = world;
    harness.run_until(830);
    assert_eq!(servers(&harness), 200, "what is gone is gone, though the total is wrong");
}

#[test]
fn ten_thousand_servers_in_two_regions_are_found_whole_and_none_waits_for_the_last() {
    let mut harness = found(5000, &["cn-hangzhou", "cn-beijing"], 60);
    harness.config.swas_strategy = aliyun_task_exporter::config::SwasStrategy::PerRegion;
    harness.apply(harness.config.clone());
    harness.run_until(5);
    // Sixty calls per minute for both regions; servers that were read are shown without waiting for
    // the rest.
    assert!(servers(&harness) >= 5000, "{} after five seconds", servers(&harness));
    harness.run_until(125);
    assert_eq!(servers(&harness), 10_000);
    for region in ["cn-hangzhou", "cn-beijing"] {
        assert_eq!(missing(&harness, &place(region)), Some(0.0));
    }
    let failed: Vec<_> = harness.polled.iter().filter(|poll| poll.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn the_results_of_a_command_on_more_nodes_than_a_poll_can_read_are_read_on_until_all_are_known() {
    let mut world = World::empty();
    worlds::add_cluster(&mut world, "c");
    world.add_command("c", worlds::command("cmd", 3000, -100, -50)).unwrap();
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = crate::support::harness::config_for(&sim);
    config.accounts[0].quotas = [(Action::ListInvocationResults.into(), 20)].into();
    let mut harness = Harness::new(sim, config);
    let known = |harness: &Harness| {
        harness
            .commands("c")
            .commands
            .first()
            .and_then(|seen| seen.results.as_deref().map(Vec::len))
    };
    harness.run_until(60);
    assert_eq!(known(&harness), None, "a part of the nodes is not shown as all of them");
    harness.run_until(300);
    assert_eq!((known(&harness), harness.of("ListInvocationResults").len()), (Some(3000), 61));
}
