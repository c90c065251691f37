//! Lists that are handed out in another way than the documents say: what is shown is all there is, or says what it lacks.

use std::time::Duration;

use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::poll::{ListChange, Notice};
use aliyun_task_exporter::sim::{ListOrder, ServerSpec, Settings, Simulator, World};
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::page::parse;
use crate::support::rig::{Rig, discovering, id};
use crate::support::truth::assert_shown;
use crate::support::{start, worlds};

/// More of everything than a capped page holds.
fn large(order: ListOrder) -> Rig {
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
    let mut rig = Rig::living(settings);
    rig.config.clusters[0].commands.discover = 100;
    rig.apply(rig.config.clone());
    rig
}

fn missing(rig: &Rig, target: &TargetId) -> Option<f64> {
    let labels = [("kind", target.kind.label()), ("target", &*target.id)];
    parse(&rig.page(Format::Text)).value("aliyun_exporter_target_missing_entries", &labels)
}

fn excess(rig: &Rig, target: &TargetId) -> Option<f64> {
    let labels = [("kind", target.kind.label()), ("target", &*target.id)];
    parse(&rig.page(Format::Text)).value("aliyun_exporter_target_total_excess_entries", &labels)
}

/// What was told of a target's lists.
fn told(rig: &Rig, target: &TargetId) -> Vec<ListChange> {
    let of = rig.notices.iter().filter(|(of, _)| of == target);
    let change = |(_, notice): &(TargetId, Notice)| match notice {
        Notice::List(change) => Some(*change),
        _ => None,
    };
    of.filter_map(change).collect()
}

/// An exporter that finds this many servers in each of these regions.
fn found(servers: usize, regions: &[&str], quota: u32) -> Rig {
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
    config.accounts[0].quotas = [(("SWAS".to_owned(), Some("ListInstances".to_owned())), quota)].into();
    Rig::new(sim, config)
}

fn servers(rig: &Rig) -> usize {
    let views = rig.store.views(rig.moment());
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
            let mut rig = large(order);
            rig.fault(&format!(r#"{{"fault": {{"kind": "paging", {paging}}}}}"#));
            rig.run_until(60);
            rig.sim.freeze(rig.now);
            rig.run_for(31);
            assert_shown(&rig, paging);
            for poll in &rig.polled {
                assert_eq!((&poll.failure, missing(&rig, &poll.target)), (&None, Some(0.0)), "{paging} {order:?}");
            }
        }
    }
}

#[test]
fn a_list_that_is_cut_off_while_its_total_says_more_is_told_and_never_excused() {
    let mut rig = large(ListOrder::NewestFirst);
    rig.fault(r#"{"match": {"action": "ListTasks"}, "fault": {"kind": "paging", "page_size": 10, "pages": 2}}"#);
    rig.run_until(5);
    let tasks = id(Kind::EhpcTasks, &rig.config.clusters[0].id);
    assert_eq!(missing(&rig, &tasks), Some(0.0), "once may be an accident");
    rig.run_until(600);
    let lacks = missing(&rig, &tasks).unwrap();
    assert!((10.0..=25.0).contains(&lacks), "{lacks} of 35 running tasks");
    assert_eq!((told(&rig, &tasks).len(), excess(&rig, &tasks)), (1, None));
    let page = parse(&rig.page(Format::Text));
    assert_eq!(page.value("aliyun_exporter_target_up", &[("kind", "ehpc_tasks")]), Some(1.0), "polls do succeed");
    rig.sim.clear_faults();
    rig.run_until(2500);
    assert_eq!(missing(&rig, &tasks), Some(0.0));
    assert_eq!(told(&rig, &tasks).last(), Some(&ListChange::Missing(0)));
    rig.sim.freeze(rig.now);
    rig.run_for(31);
    assert_shown(&rig, "whole again");
}

#[test]
fn a_total_that_is_wrong_by_the_same_each_time_is_told_once_and_costs_no_further_page() {
    let mut rig = found(250, &["cn-hangzhou"], 600);
    rig.config.server_discovery.entries[0].interval = Duration::from_secs(60);
    rig.apply(rig.config.clone());
    rig.fault(r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "paging", "total_off": 3}}"#);
    rig.run_until(50);
    assert_eq!((rig.of("ListInstances").len(), servers(&rig)), (4, 250), "the fourth page brings nothing");
    rig.run_until(170);
    assert_eq!(missing(&rig, &place("cn-hangzhou")), Some(3.0));
    rig.run_until(470);
    assert_eq!((missing(&rig, &place("cn-hangzhou")), excess(&rig, &place("cn-hangzhou"))), (Some(0.0), Some(3.0)));
    let wanted = [ListChange::Missing(3), ListChange::Missing(0), ListChange::TotalWrong(3)];
    assert_eq!(told(&rig, &place("cn-hangzhou")), wanted);
    rig.made.clear();
    rig.run_until(770);
    assert_eq!(rig.of("ListInstances").len(), 5 * 3, "five readings of three pages");
    let mut world = World::empty();
    for number in 0..200 {
        let id = format!("cn-hangzhou-{number:05}");
        world.add_server(ServerSpec { id, region: "cn-hangzhou".into(), ..ServerSpec::default() });
    }
    *rig.sim.world_mut() = world;
    rig.run_until(830);
    assert_eq!(servers(&rig), 200, "what is gone is gone, though the total is wrong");
}

#[test]
fn ten_thousand_servers_in_two_regions_are_found_whole_and_none_waits_for_the_last() {
    let mut rig = found(5000, &["cn-hangzhou", "cn-beijing"], 60);
    rig.config.swas_strategy = aliyun_task_exporter::config::SwasStrategy::PerRegion;
    rig.apply(rig.config.clone());
    rig.run_until(5);
    // Sixty calls in a minute, for both regions; what they have shown does not wait for the others.
    assert!(servers(&rig) >= 5000, "{} after five seconds", servers(&rig));
    rig.run_until(125);
    assert_eq!(servers(&rig), 10_000);
    for region in ["cn-hangzhou", "cn-beijing"] {
        assert_eq!(missing(&rig, &place(region)), Some(0.0));
    }
    let failed: Vec<_> = rig.polled.iter().filter(|poll| poll.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn the_results_of_a_command_on_more_nodes_than_a_poll_can_read_are_read_on_until_all_are_known() {
    let mut world = World::empty();
    worlds::add_cluster(&mut world, "c");
    world.add_command("c", worlds::command("cmd", 3000, -100, -50)).unwrap();
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = crate::support::rig::config_for(&sim);
    config.accounts[0].quotas = [(("EHPC".to_owned(), Some("ListInvocationResults".to_owned())), 20)].into();
    let mut rig = Rig::new(sim, config);
    let known = |rig: &Rig| rig.commands("c").commands.first().and_then(|seen| seen.results.as_ref().map(Vec::len));
    rig.run_until(60);
    assert_eq!(known(&rig), None, "a part of the nodes is not shown as all of them");
    rig.run_until(300);
    assert_eq!((known(&rig), rig.of("ListInvocationResults").len()), (Some(3000), 61));
}
