//! `strategy: per_region`: the invocations of all servers of a region in one call per tick, and as
//! true as if each server were polled.

use std::collections::BTreeSet;

use aliyun_task_exporter::aliyun::op::Operation;
use aliyun_task_exporter::config::{Config, SwasStrategy};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::{InvocationStatus, Reason};
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::sim::{
    InvocationSpec, ListOrder, ServerSpec, Settings, Simulator, World,
};
use aliyun_task_exporter::target::{Kind, TargetId};
use jiff::Timestamp;

use crate::support::harness::{Harness, config_for, id};
use crate::support::page::{Page, parse};
use crate::support::truth::{assert_shown, finished, truly_finished};
use crate::support::worlds::{self, invocation};
use crate::support::{seconds, start};

/// Polls each region of the simulator's world as a whole.
fn harness(sim: Simulator) -> Harness {
    let config = config_for(&sim);
    Harness::new(sim, per_region(config))
}

fn scripted(world: World) -> Harness {
    Harness::scripted_by(world, SwasStrategy::PerRegion)
}

fn per_region(config: Config) -> Config {
    Config { swas_strategy: SwasStrategy::PerRegion, ..config }
}

fn server(name: &str) -> TargetId {
    id(Kind::SwasInvocations, name)
}

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

/// The calls of an operation that reached the cloud between two seconds.
fn calls(harness: &Harness, action: &str, from: i64, to: i64) -> usize {
    let time = |second| start() + seconds(second);
    let within = |call: Timestamp| time(from) <= call && call < time(to);
    harness.sim.calls().filter(|call| call.action == action && within(call.time)).count()
}

/// Requests for the list: pages, and ids.
fn asked(harness: &Harness) -> Vec<String> {
    let asked =
        harness.of("DescribeCommandInvocations").into_iter().map(|made| match &made.operation {
            Operation::DescribeCommandInvocations(call) => call
                .invoke_id
                .as_ref()
                .map_or_else(|| format!("page {}", call.page), ToString::to_string),
            other => panic!("{other:?}"),
        });
    asked.collect()
}

fn count(harness: &Harness, name: &str) -> u64 {
    harness.invocations(name).finished.values().sum()
}

#[test]
fn a_hundred_servers_cost_one_call_a_tick() {
    let world = worlds::servers(100, 50);
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = per_region(config_for(&sim));
    config.poll.history_max_pages = 120;
    let mut harness = Harness::new(sim, config);
    let list = "DescribeCommandInvocations";
    harness.run_until(29);
    // 5000 invocations fill a hundred pages, and another call shows that there are no more.
    assert_eq!(calls(&harness, list, 0, 29), 101);
    assert_eq!(
        calls(&harness, "ListInstances", 0, 29),
        2,
        "one full page of servers, and an empty one"
    );
    for number in 0..100 {
        let invocations = harness.invocations(&format!("s{number:02}")).invocations;
        assert!(
            invocations.len() == 50 && invocations.iter().all(|seen| seen.result.is_some()),
            "s{number:02}"
        );
    }
    harness.run_until(5460);
    assert_eq!(calls(&harness, list, 30, 1800), 59, "one call each half minute");
    // An idle hour: a poll every two minutes, and all pages every half hour; by now TotalCount
    // shows which is the last.
    assert_eq!(calls(&harness, list, 1860, 5460), 28 + 2 * 100);
    assert_eq!(calls(&harness, "ListInstances", 1860, 5460), 2 * 2);
    let others =
        harness.sim.calls().filter(|call| ![list, "ListInstances"].contains(&call.action.as_str()));
    assert_eq!(others.count(), 0);
    assert!(harness.polled.iter().all(|poll| poll.failure.is_none()) && harness.notices.is_empty());
    assert_eq!(harness.polled.len() % 100, 0, "every poll is one of each server");
}

#[test]
fn everything_of_a_living_world_is_shown_as_it_is_whatever_the_order_of_lists() {
    for seed in 1..=4 {
        for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
            let size = Settings { clusters: 0, servers: 3, invocations: 60, ..Settings::default() };
            let mut harness = harness(Simulator::new(Settings { seed, order, ..size }, start()));
            for server in &mut harness.config.servers {
                server.window.max_invocations = 1000;
            }
            harness.apply(harness.config.clone());
            harness.run_until(90 + 7 * seed as i64);
            harness.sim.freeze(harness.now);
            harness.run_for(31);
            let context = format!("seed {seed}, {order:?}");
            assert_shown(&harness, &context);
            let failed: Vec<_> =
                harness.polled.iter().filter(|poll| poll.failure.is_some()).collect();
            assert!(failed.is_empty(), "{context}: {failed:?}");
            let lost =
                harness.notices.iter().find(|(_, notice)| matches!(notice, Notice::Lost { .. }));
            assert_eq!(lost, None, "{context}");
        }
    }
}

#[test]
fn each_end_after_the_first_poll_is_counted_once() {
    for seed in 1..=9 {
        let order = [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering]
            [seed as usize % 3];
        let size = Settings { clusters: 0, servers: 3, ..Settings::default() };
        let mut harness = harness(Simulator::new(Settings { seed, order, ..size }, start()));
        harness.run_until(300);
        for name in harness.config.servers.clone() {
            let target = server(&name.id);
            let truth = truly_finished(&harness, &target);
            assert!(truth.values().sum::<u64>() > 5, "seed {seed}: the world stands still");
            assert_eq!(
                finished(&harness.reading(&target)),
                truth,
                "seed {seed}, {order:?}, {target:?}"
            );
        }
        let told: Vec<String> = harness.ends(&server(&harness.config.servers[0].id)).collect();
        assert_eq!(
            told.len(),
            told.iter().collect::<BTreeSet<_>>().len(),
            "each end is told once: {told:?}"
        );
    }
}

#[test]
fn an_open_run_that_newer_ones_push_off_the_page_is_followed_to_its_end() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let mut world = worlds::servers(2, 1);
        world.add_invocation("s00", invocation("long", 5, 900, 3)).unwrap();
        for number in 0..130 {
            world
                .add_invocation("s01", invocation(&format!("n{number}"), 60 + number % 20, 95, 0))
                .unwrap();
        }
        let mut harness = scripted(world);
        harness.sim.settings_mut().order = order;
        harness.run_until(200);
        harness.made.clear();
        harness.run_until(880);
        let asked = asked(&harness);
        if order == ListOrder::NewestFirst {
            assert_eq!(
                asked.iter().filter(|call| *call == "long").count(),
                68,
                "once each ten seconds"
            );
            assert_eq!(asked.iter().filter(|call| *call == "page 1").count(), 68);
            assert_eq!(asked.len(), 2 * 68, "and nothing else");
        }
        harness.run_until(920);
        assert_eq!((count(&harness, "s00"), count(&harness, "s01")), (1, 130), "{order:?}");
        let ended = harness
            .invocations("s00")
            .invocations
            .into_iter()
            .find(|seen| &*seen.invocation.id == "long")
            .unwrap();
        assert_eq!(ended.result.unwrap().exit_code, Some(3));
        harness.made.clear();
        harness.run_for(300);
        assert!(
            !self::asked(&harness).contains(&"long".to_owned()),
            "{order:?}: an ended invocation is asked for no more"
        );
    }
}

#[test]
fn an_open_run_that_vanishes_is_lost_and_told_once() {
    let mut world = worlds::servers(2, 1);
    world.add_invocation("s00", invocation("a", 5, 10_000, 0)).unwrap();
    let mut harness = scripted(world);
    harness.run_until(60);
    harness.sim.world_mut().remove("a");
    harness.run_for(600);
    assert_eq!(harness.invocations("s00").invocations.len(), 2, "ten minutes are not over");
    harness.run_for(60);
    assert_eq!(
        asked(&harness).iter().filter(|call| *call == "a").count(),
        7,
        "with growing pauses"
    );
    assert_eq!(harness.notices, [(server("s00"), Notice::Lost { id: "a".into() })]);
    assert_eq!(harness.invocations("s00").invocations.len(), 1);
}

#[test]
fn one_command_on_several_servers_is_a_run_on_each() {
    let mut world = worlds::servers(3, 0);
    for (name, to, exit_code) in [("s00", 40, 0), ("s01", 100, 7)] {
        world.add_invocation(name, invocation("both", 5, to, exit_code)).unwrap();
    }
    let mut harness = scripted(world);
    harness.run_until(61);
    let status = |harness: &Harness, name: &str| {
        harness.invocations(name).invocations.first().map(|seen| seen.invocation.status.clone())
    };
    assert_eq!(status(&harness, "s00"), Some(InvocationStatus::Success));
    assert_eq!(status(&harness, "s01"), Some(InvocationStatus::Running));
    assert_eq!(status(&harness, "s02"), None);
    harness.run_until(111);
    let ended = |status: &str, exit_code| Notice::Ended {
        id: "both".into(),
        status: status.into(),
        exit_code,
        is_failure: exit_code != Some(0),
    };
    let wanted =
        [(server("s00"), ended("Success", Some(0))), (server("s01"), ended("Failed", Some(7)))];
    assert_eq!(harness.notices, wanted);
    assert_eq!((count(&harness, "s00"), count(&harness, "s01")), (1, 1));
}

#[test]
fn a_command_on_more_servers_than_a_page_holds_is_read_whole() {
    let mut world = worlds::servers(60, 1);
    for n in 0..60 {
        world.add_invocation(&format!("s{n:02}"), invocation("all", 10, 70, 0)).unwrap();
    }
    let mut harness = scripted(world);
    harness.run_until(100);
    assert!((0..60).all(|n| count(&harness, &format!("s{n:02}")) == 1));
}

#[test]
fn an_id_that_the_region_does_not_have_fails_alone_and_until_it_is_there() {
    let mut harness = scripted(worlds::servers(2, 3));
    let mut config = harness.config.clone();
    config.servers.push(aliyun_task_exporter::config::Server {
        id: "ghost".into(),
        ..config.servers[0].clone()
    });
    harness.apply(config);
    harness.run_until(100);
    let failure = harness.failure(&server("ghost")).unwrap();
    assert_eq!(failure.reason, Reason::NotFound);
    assert!(
        failure.message.contains("ListInstances") && failure.advice.contains("check the id"),
        "{failure:?}"
    );
    assert!(["s00", "s01"].iter().all(|name| harness.failure(&server(name)).is_none()));
    let shown = page(&harness);
    assert_eq!(
        shown.all("aliyun_swas_invocations", &[("instance_id", "ghost")]).count(),
        0,
        "nothing is known of it"
    );
    assert!(shown.sum("aliyun_swas_invocations", &[("instance_id", "s00")]) > 0.0);
    assert_eq!(
        calls(&harness, "DescribeCommandInvocations", 30, 100),
        3,
        "the others keep their cadence"
    );
    worlds::add_server(harness.sim.world_mut(), "ghost");
    harness.run_until(2000);
    assert_eq!(harness.failure(&server("ghost")), None);
    // And gone again: its values go stale, those of the others stay.
    harness.sim.world_mut().remove("ghost");
    harness.run_until(4300);
    assert_eq!(harness.failure(&server("ghost")).unwrap().reason, Reason::NotFound);
    assert!(
        harness.view(&server("ghost")).reading.is_none()
            && harness.view(&server("s01")).reading.is_some()
    );
}

#[test]
fn without_the_permission_to_list_servers_those_are_known_that_have_run_something() {
    let permitted = Some(BTreeSet::from(["swas-open:DescribeCommandInvocations".to_owned()]));
    let mut world = worlds::servers(2, 3);
    worlds::add_server(&mut world, "quiet");
    world.add_invocation("quiet", invocation("first", 200, 210, 0)).unwrap();
    let mut harness = harness(Simulator::with_world(
        Settings { permitted, ..Settings::default() },
        world,
        start(),
    ));
    harness.run_until(190);
    assert_eq!(harness.failure(&server("quiet")).unwrap().reason, Reason::Permission);
    assert!(["s00", "s01"].iter().all(|name| harness.failure(&server(name)).is_none()));
    assert!(
        harness.view(&server("quiet")).reading.is_none(),
        "it is not known whether there is such a server"
    );
    assert_eq!(calls(&harness, "ListInstances", 0, 190), 1, "it is not asked for again and again");
    harness.run_until(250);
    assert_eq!(harness.failure(&server("quiet")), None);
    assert_eq!(count(&harness, "quiet"), 1);
}

#[test]
fn trouble_with_the_list_of_servers_does_not_keep_runs_from_being_read() {
    let mut harness = scripted(worlds::servers(2, 3));
    harness.fault(r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "drip", "bytes": 1, "pause_ms": 1000}}"#);
    harness.run_until(90);
    assert!(harness.invocations("s00").invocations.iter().all(|seen| seen.result.is_some()));
    harness.sim.clear_faults();
    harness.run_until(400);
    assert!(calls(&harness, "ListInstances", 120, 400) == 1, "it is tried again before long");
    assert!(["s00", "s01"].iter().all(|name| harness.failure(&server(name)).is_none()));
}

#[test]
fn a_failing_region_fails_all_its_servers_and_no_other_region() {
    let mut world = worlds::servers(2, 1);
    world.add_server(ServerSpec {
        id: "far".into(),
        region: "cn-beijing".into(),
        ..ServerSpec::default()
    });
    let mut harness = scripted(world);
    harness.run_until(61);
    harness.fault(
        r#"{"match": {"region": "cn-hangzhou"}, "fault": {"kind": "error", "status": 500, "code": "InternalError"}}"#,
    );
    harness.run_until(100);
    let reasons = ["s00", "s01", "far"]
        .map(|name| harness.failure(&server(name)).map(|failure| failure.reason));
    assert_eq!(reasons, [Some(Reason::Service), Some(Reason::Service), None]);
    assert_eq!(harness.invocations("s00").invocations.len(), 1, "what was known stays");
}

#[test]
fn runs_of_servers_that_nobody_has_configured_are_passed_over() {
    let mut world = worlds::servers(3, 20);
    world.add_invocation("s02", invocation("foreign", 20, 10_000, 0)).unwrap();
    let mut harness = scripted(world);
    let mut config = harness.config.clone();
    config.servers.retain(|server| server.id == "s00");
    harness.apply(config);
    harness.run_until(1790);
    assert_eq!(
        (harness.invocations("s00").invocations.len(), harness.store.views(harness.moment()).len()),
        (20, 1)
    );
    assert_eq!(
        calls(&harness, "DescribeCommandInvocations", 60, 1790),
        58,
        "what runs elsewhere is no reason to hurry"
    );
    assert!(harness.notices.is_empty());
}

#[test]
fn the_families_are_those_of_single_servers_but_for_the_records() {
    let mut world = worlds::servers(1, 3);
    world.add_invocation("s00", invocation("open", 5, 10_000, 0)).unwrap();
    let lines = |harness: &Harness| -> BTreeSet<String> {
        page(harness)
            .samples
            .iter()
            .map(ToString::to_string)
            .filter(|line| line.contains("aliyun_swas"))
            .collect()
    };
    let mut together = scripted(world);
    together.run_until(40);
    let mut config = together.config.clone();
    config.swas_strategy = SwasStrategy::PerServer;
    let mut world = worlds::servers(1, 3);
    world.add_invocation("s00", invocation("open", 5, 10_000, 0)).unwrap();
    let mut single =
        Harness::new(Simulator::with_world(Settings::default(), world, start()), config);
    single.run_until(40);
    let together = lines(&together);
    let single = lines(&single);
    let only: Vec<&String> = single.difference(&together).collect();
    assert!(
        only.iter().all(|line| line.starts_with("aliyun_swas_invocation_records{")),
        "{only:?}"
    );
    assert_eq!(only.len(), 5);
    // Only the list of a region says when an open invocation started, and its timeout.
    let more: Vec<&str> =
        together.difference(&single).filter_map(|line| line.split('{').next()).collect();
    let wanted = [
        "aliyun_swas_invocation_started_timestamp_seconds",
        "aliyun_swas_invocation_timeout_seconds",
    ];
    assert_eq!(more, wanted);
}

#[test]
fn a_restart_counts_each_end_once_and_asks_for_nothing_twice() {
    let mut world = worlds::servers(3, 5);
    world.add_invocation("s00", invocation("open", 5, 100, 3)).unwrap();
    world.add_invocation("s01", invocation("between", 70, 90, 0)).unwrap();
    for number in 0..130 {
        world.add_invocation("s02", invocation(&format!("n{number}"), 80, 95, 1)).unwrap();
    }
    let mut harness = scripted(world).with_state();
    harness.run_until(60);
    let counts = |harness: &Harness| ["s00", "s01", "s02"].map(|name| count(harness, name));
    assert_eq!(counts(&harness), [0, 0, 0]);
    harness.restart(120);
    harness.run_for(5);
    assert_eq!(counts(&harness), [1, 1, 130]);
    harness.made.clear();
    for _ in 0..3 {
        harness.restart(20);
        assert_eq!(counts(&harness), [1, 1, 130], "at once");
        harness.run_for(40);
        assert_eq!(counts(&harness), [1, 1, 130]);
    }
    assert!(asked(&harness).iter().all(|call| call.starts_with("page ")), "{:?}", asked(&harness));
    assert_eq!(harness.ends(&server("s00")).collect::<Vec<_>>(), ["open"]);
}

#[test]
fn what_has_not_changed_is_not_written_for_every_server_at_each_tick() {
    let mut world = worlds::servers(20, 3);
    world.add_invocation("s07", invocation("busy", 5, 10_000, 0)).unwrap();
    world.add_invocation("s07", invocation("end", 65, 68, 0)).unwrap();
    let mut harness = scripted(world).with_state();
    harness.run_until(62);
    let before = harness.writes();
    harness.run_until(75);
    assert!(harness.writes() - before <= 3, "{} entries", harness.writes() - before);
}

/// A world in which invocations end all the time, short and long, on two servers.
fn busy() -> World {
    let mut world = worlds::servers(2, 5);
    for number in 0..60 {
        let born = 5 + 20 * number;
        world
            .add_invocation("s00", invocation(&format!("a{number}"), born, born + 45, number % 3))
            .unwrap();
        world.add_invocation("s01", invocation(&format!("b{number}"), born, born + 45, 0)).unwrap();
    }
    world
}

#[test]
fn a_change_of_the_strategy_keeps_what_is_known() {
    let mut harness = scripted(busy()).with_state();
    for (round, strategy) in
        [SwasStrategy::PerServer, SwasStrategy::PerRegion].into_iter().cycle().take(6).enumerate()
    {
        harness.run_for(150);
        let before = (harness.invocations("s00"), harness.invocations("s01"));
        harness.made.clear();
        let config = Config { swas_strategy: strategy, ..harness.config.clone() };
        if round < 3 {
            harness.apply(config);
            assert_eq!(
                (harness.invocations("s00"), harness.invocations("s01")),
                before,
                "it is shown on"
            );
        } else {
            harness.config = config;
            harness.restart(0);
            assert_eq!(harness.invocations("s00").finished, before.0.finished);
        }
        let records = page(&harness).all("aliyun_swas_invocation_records", &[]).count();
        assert_eq!(records, 0, "a region tells none, and a server has not told them yet");
        harness.run_for(31);
        let records = page(&harness).all("aliyun_swas_invocation_records", &[]).count();
        assert_eq!(records, if strategy == SwasStrategy::PerServer { 10 } else { 0 });
        let ended =
            |reading: &aliyun_task_exporter::model::SwasInvocationsReading| -> BTreeSet<String> {
                let ended = reading.invocations.iter().filter(|seen| seen.result.is_some());
                ended.map(|seen| format!("{:?}", seen.invocation.id)).collect()
            };
        let known = ended(&before.0);
        let again = harness.of("DescribeInvocationResult").into_iter().filter(|made| {
            *made.target.id == *"s00"
                && known.iter().any(|id| format!("{:?}", made.operation).contains(id.as_str()))
        });
        assert_eq!(again.count(), 0, "a result that is known is not asked for again");
    }
    harness.run_until(1500);
    assert_eq!((count(&harness, "s00"), count(&harness, "s01")), (60, 60), "each end once");
    let told: Vec<String> = harness.ends(&server("s00")).collect();
    assert_eq!(told.len(), 60);
}

#[test]
fn servers_come_and_go_and_the_others_keep_what_is_known_of_them() {
    let mut harness = scripted(busy());
    harness.run_until(300);
    let all = harness.config.clone();
    let before = count(&harness, "s00");
    assert!(before > 5);
    let mut config = all.clone();
    config.servers.retain(|server| server.id == "s00");
    harness.apply(config);
    assert_eq!(count(&harness, "s00"), before);
    assert!(!harness.page(Format::Text).contains("s01"));
    harness.run_until(600);
    harness.apply(all);
    harness.run_until(1500);
    assert_eq!(
        (count(&harness, "s00"), count(&harness, "s01")),
        (60, 60),
        "what was known of it was kept while it was away"
    );
}

#[test]
fn an_end_is_counted_though_the_list_is_longer_than_may_be_read() {
    let mut world = worlds::servers(2, 200);
    for number in 0..5 {
        world
            .add_invocation(
                "s00",
                InvocationSpec {
                    ..invocation(&format!("quick{number}"), 41 + number, 43 + number, 1)
                },
            )
            .unwrap();
    }
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = per_region(config_for(&sim));
    config.poll.history_max_pages = 3;
    let mut harness = Harness::new(sim, config).with_state();
    harness.run_until(4000);
    assert_eq!(
        (count(&harness, "s00"), count(&harness, "s01")),
        (5, 0),
        "what is newer than all that was seen first is new"
    );
    harness.restart(0);
    harness.sim.world_mut().add_invocation("s01", invocation("late", 4010, 4020, 0)).unwrap();
    harness.run_for(150);
    assert_eq!(
        (count(&harness, "s00"), count(&harness, "s01")),
        (5, 1),
        "and it stays so over a restart"
    );
    let truncated =
        harness.notices.iter().filter(|(_, notice)| *notice == Notice::Truncated).count();
    assert!(
        (1..=4).contains(&truncated),
        "once for each reading of the whole list, and not for each server: {truncated}"
    );
}
