//! Clusters and servers that the configuration does not list: found, followed, gone and back again,
//! whatever fails meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use aliyun_task_exporter::action::{Action, Product};
use aliyun_task_exporter::config::{
    Cluster, Commands, Config, Pattern, Regions, Server, TaskWindow,
};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::{Reading, Reason};
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::sim::{ClusterSpec, ListOrder, ServerSpec, Settings, Simulator, World};
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::harness::{Harness, discovering, id};
use crate::support::page::{Page, parse};
use crate::support::truth::{assert_shown, finished};
use crate::support::{seconds, start, worlds};

const SERVERS: &str = "swas/demo/cn-hangzhou";
const CLUSTERS: &str = "ehpc/demo/cn-hangzhou";

fn hangzhou() -> Regions {
    Regions::Named(vec!["cn-hangzhou".into()])
}

fn place(name: &str) -> TargetId {
    id(Kind::Discovery, name)
}

/// An exporter that discovers everything it polls, with a configuration adjusted by `change`.
fn found(world: World, regions: Regions, change: impl FnOnce(&mut Config)) -> Harness {
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = discovering(&sim, regions);
    change(&mut config);
    Harness::new(sim, config)
}

/// The ids of all targets of a kind.
fn ids(harness: &Harness, kind: Kind) -> Vec<String> {
    let of_kind = harness
        .store
        .views(harness.moment())
        .into_iter()
        .filter(|view| view.target.id.kind == kind);
    of_kind.map(|view| view.target.id.id.to_string()).collect()
}

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

fn server(world: &mut World, id: &str, name: &str, region: &str) {
    world.add_server(ServerSpec {
        id: id.into(),
        name: name.into(),
        region: region.into(),
        ..ServerSpec::default()
    });
}

fn cluster(world: &mut World, id: &str, name: &str, region: &str) {
    world.add_cluster(ClusterSpec {
        id: id.into(),
        name: name.into(),
        region: region.into(),
        ..ClusterSpec::default()
    });
}

/// Two servers and a cluster, each with something that has ended.
fn small() -> World {
    let mut world = worlds::servers(2, 2);
    worlds::add_cluster(&mut world, "c");
    world.add_command("c", worlds::command("ended", 2, -100, -50)).unwrap();
    world
}

#[test]
fn all_of_a_living_world_is_found_and_shown_as_it_is() {
    for order in [ListOrder::NewestFirst, ListOrder::Reordering] {
        let settings = Settings { clusters: 8, servers: 9, order, ..Settings::default() };
        let sim = Simulator::new(settings, start());
        let config = discovering(&sim, Regions::All);
        let mut harness = Harness::new(sim, config);
        harness.config.cluster_discovery.commands.discover = 100;
        harness.config.server_discovery.window.max_invocations = 1000;
        harness.apply(harness.config.clone());
        harness.run_until(90);
        harness.sim.freeze(harness.now);
        harness.run_for(31);
        assert_shown(&harness, &format!("{order:?}"));
        assert!(harness.polled.iter().all(|poll| poll.failure.is_none()));
        let clusters = ids(&harness, Kind::EhpcTasks).len();
        let servers = ids(&harness, Kind::SwasInvocations).len();
        assert_eq!((clusters, ids(&harness, Kind::EhpcInvocations).len(), servers), (8, 8, 9));
        assert_eq!(
            ids(&harness, Kind::Discovery).len(),
            2 * (1 + 4),
            "all regions of both products"
        );
        let found = page(&harness).sum("aliyun_task_exporter_discovered", &[]);
        assert_eq!(found, 8.0 + 9.0 + 2.0 * 4.0);
    }
}

#[test]
fn what_is_new_appears_and_what_is_gone_vanishes_and_comes_back_with_its_counts() {
    let mut harness = found(small(), hangzhou(), |_| {});
    harness.run_until(50);
    assert_eq!(ids(&harness, Kind::SwasInvocations), ["s00", "s01"]);
    assert_eq!(
        (ids(&harness, Kind::EhpcTasks), ids(&harness, Kind::EhpcInvocations)),
        (vec!["c".into()], vec!["c".into()])
    );
    assert_eq!(harness.invocations("s00").invocations.len(), 2);
    let world = harness.sim.world_mut();
    server(world, "s02", "new", "cn-hangzhou");
    cluster(world, "d", "new", "cn-hangzhou");
    world.add_invocation("s02", worlds::invocation("r", 100, 110, 3)).unwrap();
    world.add_task("d", worlds::task("t", 100, 130)).unwrap();
    harness.run_until(170);
    assert_eq!(finished(&harness.reading(&id(Kind::SwasInvocations, "s02")))["Failed"], 1);
    assert_eq!(finished(&harness.reading(&id(Kind::EhpcTasks, "d")))["Success"], 1);
    let name = |page: &Page, family, id| {
        page.value(family, &[id, ("account", "demo"), ("region_id", "cn-hangzhou")])
    };
    assert_eq!(
        name(&page(&harness), "aliyun_swas_server_info", ("instance_name", "new")),
        Some(1.0)
    );
    assert_eq!(
        name(&page(&harness), "aliyun_ehpc_cluster_info", ("cluster_name", "new")),
        Some(1.0)
    );

    harness.sim.world_mut().remove("s02");
    harness.sim.world_mut().remove("d");
    harness.run_until(240);
    let text = harness.page(Format::Text);
    assert!(!text.contains("\"s02\"") && !text.contains("\"d\""), "{text}");
    harness.made.clear();
    harness.run_until(299);
    assert!(
        harness.made.iter().all(|made| !["s02", "d"].contains(&&*made.target.id)),
        "they are not asked for"
    );

    let world = harness.sim.world_mut();
    server(world, "s02", "new", "cn-hangzhou");
    world.add_invocation("s02", worlds::invocation("r", 100, 110, 3)).unwrap();
    world.add_invocation("s02", worlds::invocation("meanwhile", 210, 220, 3)).unwrap();
    harness.run_until(400);
    let back = harness.reading(&id(Kind::SwasInvocations, "s02"));
    assert_eq!(
        finished(&back)["Failed"],
        2,
        "what was counted stays counted, and what ended meanwhile is counted too"
    );
}

#[test]
fn whatever_fails_the_last_good_list_stays_and_is_polled() {
    for (fault, reason) in [
        (r#"{"kind": "error", "status": 503, "code": "ServiceUnavailable"}"#, Reason::Service),
        (r#"{"kind": "error", "status": 403, "code": "Forbidden.RAM"}"#, Reason::Permission),
        (r#"{"kind": "error", "status": 400, "code": "Throttling.User"}"#, Reason::Throttled),
        (r#"{"kind": "html"}"#, Reason::Service),
        (r#"{"kind": "reset"}"#, Reason::Transport),
    ] {
        let mut harness = found(small(), hangzhou(), |_| {});
        harness.run_until(50);
        for action in ["ListInstances", "ListClusters"] {
            harness.fault(&format!(r#"{{"match": {{"action": "{action}"}}, "fault": {fault}}}"#));
        }
        harness.run_until(1500);
        for name in [SERVERS, CLUSTERS] {
            assert_eq!(
                harness.failure(&place(name)).map(|failure| failure.reason),
                Some(reason),
                "{fault}"
            );
        }
        assert_eq!(ids(&harness, Kind::SwasInvocations), ["s00", "s01"], "{fault}");
        assert_eq!(ids(&harness, Kind::EhpcTasks), ["c"], "{fault}");
        let fresh = |view: &aliyun_task_exporter::store::View| {
            harness.now.duration_since(view.read_at.unwrap())
        };
        let polled = harness
            .store
            .views(harness.moment())
            .into_iter()
            .filter(|view| view.target.id.kind != Kind::Discovery);
        assert!(
            polled.map(|view| fresh(&view)).all(|age| age <= seconds(40)),
            "{fault}: they are polled on"
        );
        assert_eq!(
            page(&harness).all("aliyun_task_exporter_discovered", &[]).count(),
            0,
            "{fault}: the count is withdrawn"
        );
        harness.sim.clear_faults();
        server(harness.sim.world_mut(), "new", "new", "cn-hangzhou");
        harness.run_for(200);
        assert_eq!(
            ids(&harness, Kind::SwasInvocations),
            ["new", "s00", "s01"],
            "{fault}: and it recovers"
        );
    }
}

#[test]
fn while_it_fails_it_asks_as_often_as_others_and_else_in_its_own_time() {
    let mut harness = found(small(), hangzhou(), |config| {
        config.server_discovery.entries[0].interval = Duration::from_secs(600);
    });
    harness.run_until(3599);
    assert_eq!(harness.of("ListInstances").len(), 6);
    let ended = harness.polled.iter().rev().find(|poll| *poll.target.id == *SERVERS).unwrap();
    assert_eq!(ended.stale_after, Duration::from_secs(1800));
    harness.fault(
        r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "error", "status": 409, "code": "PartFailure"}}"#,
    );
    harness.made.clear();
    harness.run_until(4200);
    let asked: Vec<_> = harness.of("ListInstances").iter().map(|made| made.sent).collect();
    assert_eq!(asked.len(), 20, "each half minute: {asked:?}");
    let ended = harness.polled.iter().rev().find(|poll| *poll.target.id == *SERVERS).unwrap();
    assert_eq!(
        ended.stale_after,
        Duration::from_secs(1800),
        "an age is not shorter because it is asked more often"
    );
}

#[test]
fn after_a_restart_the_fleet_is_polled_before_discovery_has_answered() {
    let sim = Simulator::with_world(Settings::default(), small(), start());
    let config = discovering(&sim, Regions::All);
    let mut harness = Harness::new(sim, config).with_state();
    harness.sim.world_mut().add_invocation("s00", worlds::invocation("r", 30, 40, 0)).unwrap();
    harness.run_until(100);
    let before = finished(&harness.reading(&id(Kind::SwasInvocations, "s00")));
    assert_eq!(before["Success"], 1);
    for action in ["ListInstances", "ListClusters", "ListRegions"] {
        harness.fault(&format!(
            r#"{{"match": {{"action": "{action}"}}, "fault": {{"kind": "reset"}}}}"#
        ));
    }
    harness.restart(60);
    assert_eq!(
        (ids(&harness, Kind::SwasInvocations).len(), ids(&harness, Kind::EhpcTasks).len()),
        (2, 1),
        "at once"
    );
    assert_eq!(
        page(&harness).value("aliyun_swas_server_info", &[("instance_id", "s01")]),
        Some(1.0)
    );
    assert_eq!(finished(&harness.reading(&id(Kind::SwasInvocations, "s00"))), before);
    assert_eq!(
        page(&harness).value("aliyun_task_exporter_discovered", &[("target", SERVERS)]),
        Some(2.0)
    );
    harness.made.clear();
    harness.run_for(29);
    let polled: BTreeSet<&str> =
        harness.polled.iter().rev().take(40).map(|poll| &*poll.target.id).collect();
    assert!(["s00", "s01", "c"].iter().all(|id| polled.contains(id)), "{polled:?}");
    assert!(!harness.of("DescribeInvocations").is_empty());
    assert!(harness.of("ListInstances").iter().all(|made| made.failure.is_some()));
}

#[test]
fn include_and_exclude_hold_for_ids_and_names_and_a_change_holds_at_once() {
    let mut world = World::empty();
    for (id, name) in [("s1", "web-1"), ("s2", "web-test"), ("s3", "db"), ("s4", "web-4")] {
        server(&mut world, id, name, "cn-hangzhou");
    }
    let pattern = |text: &str| Some(Pattern::new(text).unwrap());
    let mut harness = found(world, hangzhou(), |config| {
        let filter = &mut config.server_discovery.entries[0].filter;
        (filter.include, filter.exclude) = (pattern("web-.*|s3"), pattern(".*-test|s4"));
    });
    harness.run_until(30);
    assert_eq!(ids(&harness, Kind::SwasInvocations), ["s1", "s3"]);
    assert_eq!(
        page(&harness).value("aliyun_task_exporter_discovered", &[("target", SERVERS)]),
        Some(2.0)
    );
    let Reading::Discovery(reading) = harness.reading(&place(SERVERS)) else { panic!() };
    assert_eq!(reading.found.len(), 4);
    let mut config = harness.config.clone();
    config.server_discovery.entries[0].filter.exclude = pattern("s3");
    harness.apply(config);
    assert_eq!(
        ids(&harness, Kind::SwasInvocations),
        ["s1", "s2", "s4"],
        "before anything is asked again"
    );
}

#[test]
fn what_is_configured_wins_and_has_the_clouds_name_if_it_has_no_other() {
    let mut world = World::empty();
    server(&mut world, "s1", "cloud-1", "cn-hangzhou");
    server(&mut world, "s2", "cloud-2", "cn-hangzhou");
    cluster(&mut world, "c", "cloud-c", "cn-hangzhou");
    let mut harness = found(world, hangzhou(), |config| {
        let server = |id: &str, name: &str| Server {
            id: id.into(),
            region: "cn-hangzhou".into(),
            account: "demo".into(),
            name: name.into(),
            window: config.server_discovery.window.clone(),
        };
        config.servers = vec![server("s1", ""), server("s2", "mine")];
        let tasks = TaskWindow { max_tasks: 3, ..TaskWindow::default() };
        let commands = Commands { discover: 0, ..Commands::default() };
        let id = "c".into();
        let region = "cn-hangzhou".into();
        let account = "demo".into();
        config.clusters =
            vec![Cluster { id, region, account, name: String::new(), tasks, commands }];
    });
    assert_eq!(
        page(&harness).value("aliyun_swas_server_info", &[("instance_name", "")]),
        Some(1.0)
    );
    harness.run_until(30);
    let names: Vec<String> = page(&harness)
        .all("aliyun_swas_server_info", &[])
        .map(|sample| {
            format!("{} {}", sample.labels["instance_id"], sample.labels["instance_name"])
        })
        .collect();
    assert_eq!(names, ["s1 cloud-1", "s2 mine"]);
    assert_eq!(
        page(&harness).value("aliyun_ehpc_cluster_info", &[("cluster_name", "cloud-c")]),
        Some(1.0)
    );
    assert_eq!(ids(&harness, Kind::EhpcInvocations), Vec::<String>::new(), "its own settings hold");
    harness.sim.world_mut().remove("s1");
    harness.run_for(100);
    assert_eq!(
        ids(&harness, Kind::SwasInvocations),
        ["s1", "s2"],
        "what is configured stays a target"
    );
}

#[test]
fn each_region_has_its_own_and_one_that_fails_harms_no_other() {
    let mut world = World::empty();
    for (id, region) in [("hz", "cn-hangzhou"), ("sh", "cn-shanghai"), ("us", "us-east-1")] {
        server(&mut world, &format!("s-{id}"), id, region);
        cluster(&mut world, &format!("c-{id}"), id, region);
    }
    let regions = Regions::Named(vec!["cn-hangzhou".into(), "cn-shanghai".into()]);
    let mut harness = found(world, regions, |_| {});
    harness.fault(r#"{"match": {"action": "ListInstances", "region": "cn-hangzhou"}, "fault": {"kind": "reset"}}"#);
    harness.run_until(50);
    assert_eq!(ids(&harness, Kind::SwasInvocations), ["s-sh"]);
    assert_eq!(
        ids(&harness, Kind::EhpcTasks),
        ["c-hz", "c-sh"],
        "each answer names the clusters of all regions"
    );
    let regions: BTreeSet<String> = page(&harness)
        .all("aliyun_ehpc_cluster_info", &[])
        .map(|sample| format!("{} {}", sample.labels["cluster_id"], sample.labels["region_id"]))
        .collect();
    assert_eq!(regions, ["c-hz cn-hangzhou".to_owned(), "c-sh cn-shanghai".to_owned()].into());
    let target = harness
        .store
        .views(harness.moment())
        .into_iter()
        .find(|view| *view.target.id.id == *"c-sh")
        .unwrap()
        .target;
    assert_eq!(&*target.region, "cn-shanghai");
}

#[test]
fn a_list_of_several_pages_is_read_whole_however_few_pages_a_history_may_have() {
    let many = |count: usize| {
        let mut world = World::empty();
        for number in 0..count {
            server(&mut world, &format!("s{number:03}"), "", "cn-hangzhou");
        }
        world
    };
    let mut harness = found(many(230), hangzhou(), |config| config.poll.history_max_pages = 3);
    harness.run_until(50);
    assert_eq!(
        (ids(&harness, Kind::SwasInvocations).len(), harness.of("ListInstances").len()),
        (230, 3)
    );
    assert_eq!(
        harness
            .scheduler()
            .planned()
            .iter()
            .find(|(key, _)| key.action == Action::ListInstances)
            .unwrap()
            .1,
        &3.0
    );
    let mut world = many(400);
    for number in 0..50 {
        world.remove(&format!("s{number:03}"));
    }
    *harness.sim.world_mut() = world;
    harness.run_until(110);
    assert_eq!(ids(&harness, Kind::SwasInvocations).len(), 350);
    let truncated =
        harness.notices.iter().filter(|(_, notice)| *notice == Notice::Truncated).count();
    assert_eq!((truncated, harness.of("ListInstances").len()), (0, 3 + 4));
    *harness.sim.world_mut() = many(10);
    harness.run_until(170);
    assert_eq!(ids(&harness, Kind::SwasInvocations).len(), 10);
}

#[test]
fn a_list_that_repeats_itself_comes_to_an_end() {
    let mut world = World::empty();
    for number in 0..150 {
        server(&mut world, &format!("s{number:03}"), "", "cn-hangzhou");
    }
    let mut harness = found(world, hangzhou(), |_| {});
    harness.fault(r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "repeated_page"}}"#);
    harness.run_until(50);
    assert_eq!(harness.of("ListInstances").len(), 2);
    assert_eq!(ids(&harness, Kind::SwasInvocations).len(), 100, "the others were never shown");
}

#[test]
fn a_thousand_servers_found_at_once_are_spread() {
    let mut world = World::empty();
    for number in 0..1000 {
        server(&mut world, &format!("s{number:03}"), "", "cn-hangzhou");
    }
    let mut harness = found(world, hangzhou(), |config| {
        config.accounts[0].quotas = [(Product::Swas.into(), 60_000)].into();
    });
    harness.sim.settings_mut().quotas.per_minute = 1_000_000;
    harness.run_until(29);
    let mut each_second = [0; 30];
    for made in harness.of("DescribeInvocations") {
        each_second[usize::try_from(made.sent.duration_since(start()).as_secs()).unwrap()] += 1;
    }
    assert!(each_second.iter().sum::<i32>() > 900, "{each_second:?}");
    assert!(each_second.iter().all(|calls| *calls <= 40), "{each_second:?}");
}

#[test]
fn a_long_list_is_read_whole_however_small_its_budget() {
    let mut world = World::empty();
    for number in 0..1000 {
        server(&mut world, &format!("s{number:03}"), "", "cn-hangzhou");
    }
    let mut harness = found(world, hangzhou(), |config| {
        config.accounts[0].quotas = [(Action::ListInstances.into(), 6)].into();
    });
    harness.run_until(59);
    assert_eq!(
        (harness.of("ListInstances").len(), ids(&harness, Kind::SwasInvocations).len()),
        (6, 600),
        "found so far"
    );
    harness.run_until(70);
    // The tenth page is full: only the eleventh shows that there is no more.
    assert_eq!(
        (harness.of("ListInstances").len(), ids(&harness, Kind::SwasInvocations).len()),
        (11, 1000)
    );
    harness.run_until(600);
    assert!(
        harness
            .polled
            .iter()
            .filter(|poll| *poll.target.id == *SERVERS)
            .all(|poll| poll.failure.is_none())
    );
    assert!(harness.of("ListInstances").len() >= 40, "{}", harness.of("ListInstances").len());
}
