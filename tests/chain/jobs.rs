//! The job, not only the run: how the newest run of each command name ended, and whether it runs on, whichever list tells it.

use aliyun_task_exporter::config::{Config, SwasStrategy};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{ListOrder, RunEnd, RunSpec, Settings, Simulator, World};
use aliyun_task_exporter::target::Kind;

use crate::support::page::{Page, parse};
use crate::support::rig::{Rig, config_for, id};
use crate::support::truth::{jobs, shown_jobs};
use crate::support::worlds::{self, job, run};
use crate::support::{seconds, start};

const STRATEGIES: [SwasStrategy; 2] = [SwasStrategy::PerServer, SwasStrategy::PerRegion];
const HOUR: i64 = 3600;

/// Polls a world by one of the strategies, with a state.
fn rig(sim: Simulator, swas_strategy: SwasStrategy) -> Rig {
    let config = Config { swas_strategy, ..config_for(&sim) };
    Rig::new(sim, config).with_state()
}

fn scripted(world: World, strategy: SwasStrategy) -> Rig {
    rig(Simulator::with_world(Settings::default(), world, start()), strategy)
}

fn page(rig: &Rig) -> Page {
    parse(&rig.page(Format::Text))
}

/// A value of a command name; there is one server.
fn value(rig: &Rig, family: &str, name: &str) -> Option<f64> {
    page(rig).value(&format!("aliyun_swas_command_{family}"), &[("command_name", name)])
}

/// Since the start, in seconds.
fn since_start(time: Option<f64>) -> Option<i64> {
    time.map(|time| time as i64 - start().as_second())
}

/// The status of the newest ended run of a command name.
fn last_status(rig: &Rig, name: &str) -> Option<String> {
    let page = page(rig);
    let labels = [("command_name", name)];
    let mut all = page.all("aliyun_swas_command_last_status", &labels);
    let status = all.next().map(|sample| sample.labels["status"].clone());
    assert!(all.next().is_none(), "one status at a time");
    status
}

/// A server with a job that has run each hour, last half an hour ago.
fn hourly(runs: u32) -> World {
    let mut world = worlds::servers(1, 0);
    world.add_job("s00", &job("backup", HOUR / 2 - 8 * HOUR, HOUR, runs)).unwrap();
    world
}

#[test]
fn what_is_listed_at_first_sight_teaches_the_interval_though_the_window_shows_none_of_it() {
    for strategy in STRATEGIES {
        let mut rig = scripted(hourly(8), strategy);
        rig.config.servers[0].window.max_age = std::time::Duration::from_secs(60);
        rig.apply(rig.config.clone());
        rig.run_until(60);
        assert_eq!(page(&rig).all("aliyun_swas_invocation_info", &[]).count(), 0, "{strategy:?}");
        assert_eq!(value(&rig, "interval_seconds", "backup"), Some(3600.0), "{strategy:?}");
        let created = value(&rig, "last_created_timestamp_seconds", "backup");
        assert_eq!(since_start(created), Some(-HOUR / 2), "{strategy:?}");
        assert_eq!(last_status(&rig, "backup").as_deref(), Some("Success"), "{strategy:?}");
    }
}

#[test]
fn the_interval_outlives_restarts_a_change_of_the_strategy_and_the_list_itself() {
    for strategy in STRATEGIES {
        let mut rig = scripted(hourly(8), strategy);
        rig.run_until(60);
        (0..8).for_each(|number| rig.sim.world_mut().remove(&format!("backup-{number}")));
        rig.restart(100);
        assert_eq!(value(&rig, "interval_seconds", "backup"), Some(3600.0), "before the first poll");
        rig.run_for(3 * HOUR);
        let other = STRATEGIES[usize::from(strategy == STRATEGIES[0])];
        rig.apply(Config { swas_strategy: other, ..rig.config.clone() });
        rig.run_for(HOUR);
        assert_eq!(value(&rig, "interval_seconds", "backup"), Some(3600.0), "{strategy:?}");
        let created = value(&rig, "last_created_timestamp_seconds", "backup");
        assert_eq!(since_start(created), Some(-HOUR / 2), "it says since when there was none");
    }
}

#[test]
fn a_job_that_is_watched_is_learned_and_one_that_stops_keeps_its_interval() {
    for strategy in STRATEGIES {
        let mut world = worlds::servers(1, 0);
        world.add_job("s00", &job("sync", 300, 900, 5)).unwrap();
        let mut rig = scripted(world, strategy);
        rig.run_until(300 + 2 * 900 + 240);
        assert_eq!(value(&rig, "interval_seconds", "sync"), None, "three runs");
        rig.run_until(300 + 3 * 900 + 240);
        assert_eq!(value(&rig, "interval_seconds", "sync"), Some(900.0), "{strategy:?}");
        rig.run_until(12 * HOUR);
        assert_eq!(value(&rig, "interval_seconds", "sync"), Some(900.0), "{strategy:?}");
        let created = value(&rig, "last_created_timestamp_seconds", "sync");
        assert_eq!(since_start(created), Some(300 + 4 * 900), "{strategy:?}");
    }
}

#[test]
fn an_open_run_counts_as_created_and_not_as_the_last_that_has_ended() {
    for strategy in STRATEGIES {
        let mut world = hourly(8);
        let open = RunSpec { command_name: "backup".into(), ..run("open", 100, 9000, 1) };
        world.add_run("s00", open).unwrap();
        let mut rig = scripted(world, strategy);
        rig.run_until(400);
        let created = value(&rig, "last_created_timestamp_seconds", "backup");
        assert_eq!(since_start(created), Some(100), "{strategy:?}");
        assert_eq!(last_status(&rig, "backup").as_deref(), Some("Success"), "{strategy:?}");
        rig.run_until(9400);
        assert_eq!(last_status(&rig, "backup").as_deref(), Some("Failed"), "{strategy:?}");
    }
}

#[test]
fn every_way_to_fail_is_the_last_status_and_a_code_other_than_0_stands_beside_each() {
    let ends = [
        (RunEnd::Timeout, "Timeout", "ExecutionTimeout"),
        (RunEnd::Error, "Error", "ExecutionException"),
        (RunEnd::Aborted, "Aborted", "ClientNotRunning"),
        (RunEnd::Invalid, "Invalid", "CommandNotApplicable"),
        (RunEnd::Cancelled, "Cancelled", ""),
        (RunEnd::Terminated, "Terminated", "ExecutionInterrupted"),
        (RunEnd::Failed, "Failed", "ExitCodeNonzero"),
    ];
    for strategy in STRATEGIES {
        let mut world = worlds::servers(1, 0);
        for (end, name, error_code) in ends {
            world.add_job("s00", &job(name, -5 * HOUR, HOUR, 5)).unwrap();
            let spec = RunSpec { end, error_code: error_code.into(), ..run(name, 100, 130, 7) };
            world.add_run("s00", RunSpec { command_name: name.into(), ..spec }).unwrap();
        }
        let mut rig = scripted(world, strategy);
        rig.run_until(60);
        assert_eq!(last_status(&rig, "Timeout").as_deref(), Some("Success"));
        rig.run_until(400);
        for (_, name, _) in ends {
            assert_eq!(last_status(&rig, name).as_deref(), Some(name), "{strategy:?}");
            assert_eq!(value(&rig, "last_exit_code", name), Some(7.0), "{strategy:?}: {name}");
            let finished = since_start(value(&rig, "last_finished_timestamp_seconds", name));
            assert_eq!(finished, Some(130), "{strategy:?}: {name}");
            let succeeded = since_start(value(&rig, "last_success_timestamp_seconds", name));
            assert_eq!(succeeded, Some(5 - HOUR), "{strategy:?}: {name}");
        }
    }
}

#[test]
fn the_status_follows_the_list_while_the_result_is_late() {
    let mut world = hourly(8);
    let timeout = RunSpec { end: RunEnd::Timeout, error_code: "ExecutionTimeout".into(), ..run("late", 100, 130, 0) };
    world.add_run("s00", RunSpec { command_name: "backup".into(), ..timeout }).unwrap();
    let mut rig = scripted(world, SwasStrategy::PerServer);
    rig.run_until(110);
    assert_eq!(value(&rig, "last_exit_code", "backup"), Some(0.0));
    rig.fault(
        r#"{"match": {"action": "DescribeInvocationResult"}, "times": 2,
            "fault": {"kind": "error", "status": 404, "code": "InvalidInvokeId.NotFound"}}"#,
    );
    while last_status(&rig, "backup").as_deref() == Some("Success") {
        rig.run_for(1);
        assert!(rig.now < start() + seconds(200), "the list says it soon");
    }
    for family in ["last_exit_code", "last_finished_timestamp_seconds"] {
        assert_eq!(value(&rig, family, "backup"), None, "{family} is not that of the run before");
    }
    assert_eq!(last_status(&rig, "backup").as_deref(), Some("Timeout"));
    assert_eq!(since_start(value(&rig, "last_success_timestamp_seconds", "backup")), Some(5 - HOUR / 2));
    rig.run_for(600);
    assert_eq!(since_start(value(&rig, "last_finished_timestamp_seconds", "backup")), Some(130));
    assert_eq!(value(&rig, "last_exit_code", "backup"), None, "it has none");
}

#[test]
fn a_living_world_is_told_as_it_is_by_both_lists_in_any_order() {
    for strategy in STRATEGIES {
        let mut intervals = 0;
        for (seed, order) in [(1, ListOrder::NewestFirst), (2, ListOrder::OldestFirst), (3, ListOrder::Reordering)] {
            let size = Settings { clusters: 0, servers: 3, invocations: 40, ..Settings::default() };
            let mut rig = rig(Simulator::new(Settings { seed, order, ..size }, start()), strategy);
            // What has left the list would be known for longer than the truth is told.
            rig.sim.freeze(rig.now);
            rig.run_for(60);
            let truth = rig.sim.truth(rig.now);
            for server in rig.config.servers.clone() {
                let shown = shown_jobs(&rig.reading(&id(Kind::SwasInvocations, &server.id)));
                let regional = strategy == SwasStrategy::PerRegion;
                assert_eq!(shown, jobs(&truth, &server.id, regional), "seed {seed}, {order:?}, {strategy:?}");
                intervals += shown.values().filter(|job| job.interval.is_some()).count();
            }
        }
        assert!(intervals >= 9, "each server has a regular command: {intervals}");
    }
}

#[test]
fn of_more_than_fifty_names_the_oldest_go_first_and_the_same_ones_in_either_strategy() {
    for strategy in STRATEGIES {
        let mut world = worlds::servers(1, 0);
        for number in 0..60 {
            world.add_job("s00", &job(&format!("n{number:02}"), -6 * HOUR + number * 10, HOUR, 5)).unwrap();
        }
        let mut rig = scripted(world, strategy);
        for seconds in [60, 4000] {
            rig.run_until(seconds);
            let shown = shown_jobs(&rig.reading(&id(Kind::SwasInvocations, "s00")));
            let names: Vec<&str> = shown.keys().map(String::as_str).collect();
            let wanted: Vec<String> = (10..60).map(|number| format!("n{number}")).collect();
            assert_eq!(names, wanted, "{strategy:?}");
            assert!(shown.values().all(|job| job.interval == Some(3600.0)), "{strategy:?}");
        }
    }
}
