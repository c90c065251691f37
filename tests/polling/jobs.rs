//! Jobs, not only invocations: how the newest invocation of each command name ended, and whether
//! the command still runs regularly, whichever list shows it.

use aliyun_task_exporter::config::{Config, SwasStrategy};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{
    InvocationEnd, InvocationSpec, ListOrder, Settings, Simulator, World,
};
use aliyun_task_exporter::target::Kind;

use crate::support::harness::{Harness, config_for, id};
use crate::support::page::{Page, parse};
use crate::support::truth::{jobs, shown_jobs};
use crate::support::worlds::{self, invocation, job};
use crate::support::{seconds, start};

const STRATEGIES: [SwasStrategy; 2] = [SwasStrategy::PerServer, SwasStrategy::PerRegion];
const HOUR: i64 = 3600;

/// Polls a world with one of the strategies, with a state file.
fn harness(sim: Simulator, swas_strategy: SwasStrategy) -> Harness {
    let config = Config { swas_strategy, ..config_for(&sim) };
    Harness::new(sim, config).with_state()
}

fn scripted(world: World, strategy: SwasStrategy) -> Harness {
    Harness::scripted_by(world, strategy).with_state()
}

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

/// A value of a command name on the only server.
fn value(harness: &Harness, family: &str, name: &str) -> Option<f64> {
    page(harness).value(&format!("aliyun_swas_command_{family}"), &[("command_name", name)])
}

/// Seconds since the start.
fn since_start(time: Option<f64>) -> Option<i64> {
    time.map(|time| time as i64 - start().as_second())
}

/// The status of the newest ended invocation of a command name.
fn last_status(harness: &Harness, name: &str) -> Option<String> {
    let page = page(harness);
    let labels = [("command_name", name)];
    let mut all = page.all("aliyun_swas_command_last_status", &labels);
    let status = all.next().map(|sample| sample.labels["status"].clone());
    assert!(all.next().is_none(), "one status at a time");
    status
}

/// A server with a job that has run every hour, last half an hour ago.
fn hourly(invocations: u32) -> World {
    let mut world = worlds::servers(1, 0);
    world.add_job("s00", &job("backup", HOUR / 2 - 8 * HOUR, HOUR, invocations)).unwrap();
    world
}

#[test]
fn what_is_listed_at_first_sight_teaches_the_interval_though_the_window_shows_none_of_it() {
    for strategy in STRATEGIES {
        let mut harness = scripted(hourly(8), strategy);
        harness.config.servers[0].window.max_age = std::time::Duration::from_secs(60);
        harness.apply(harness.config.clone());
        harness.run_until(60);
        assert_eq!(
            page(&harness).all("aliyun_swas_invocation_info", &[]).count(),
            0,
            "{strategy:?}"
        );
        assert_eq!(value(&harness, "interval_seconds", "backup"), Some(3600.0), "{strategy:?}");
        let created = value(&harness, "last_created_timestamp_seconds", "backup");
        assert_eq!(since_start(created), Some(-HOUR / 2), "{strategy:?}");
        assert_eq!(last_status(&harness, "backup").as_deref(), Some("Success"), "{strategy:?}");
    }
}

#[test]
fn the_interval_outlives_restarts_a_change_of_the_strategy_and_the_list_itself() {
    for strategy in STRATEGIES {
        let mut harness = scripted(hourly(8), strategy);
        harness.run_until(60);
        for number in 0..8 {
            harness.sim.world_mut().remove(&format!("backup-{number}"));
        }
        harness.restart(100);
        assert_eq!(
            value(&harness, "interval_seconds", "backup"),
            Some(3600.0),
            "before the first poll"
        );
        harness.run_for(3 * HOUR);
        let other = STRATEGIES[usize::from(strategy == STRATEGIES[0])];
        harness.apply(Config { swas_strategy: other, ..harness.config.clone() });
        harness.run_for(HOUR);
        assert_eq!(value(&harness, "interval_seconds", "backup"), Some(3600.0), "{strategy:?}");
        let created = value(&harness, "last_created_timestamp_seconds", "backup");
        assert_eq!(since_start(created), Some(-HOUR / 2), "it says since when there was none");
    }
}

#[test]
fn a_job_that_is_watched_is_learned_and_one_that_stops_keeps_its_interval() {
    for strategy in STRATEGIES {
        let mut world = worlds::servers(1, 0);
        world.add_job("s00", &job("sync", 300, 900, 5)).unwrap();
        let mut harness = scripted(world, strategy);
        harness.run_until(300 + 2 * 900 + 240);
        assert_eq!(value(&harness, "interval_seconds", "sync"), None, "three runs");
        harness.run_until(300 + 3 * 900 + 240);
        assert_eq!(value(&harness, "interval_seconds", "sync"), Some(900.0), "{strategy:?}");
        harness.run_until(12 * HOUR);
        assert_eq!(value(&harness, "interval_seconds", "sync"), Some(900.0), "{strategy:?}");
        let created = value(&harness, "last_created_timestamp_seconds", "sync");
        assert_eq!(since_start(created), Some(300 + 4 * 900), "{strategy:?}");
    }
}

#[test]
fn an_open_run_counts_as_created_and_not_as_the_last_that_has_ended() {
    for strategy in STRATEGIES {
        let mut world = hourly(8);
        let open =
            InvocationSpec { command_name: "backup".into(), ..invocation("open", 100, 9000, 1) };
        world.add_invocation("s00", open).unwrap();
        let mut harness = scripted(world, strategy);
        harness.run_until(400);
        let created = value(&harness, "last_created_timestamp_seconds", "backup");
        assert_eq!(since_start(created), Some(100), "{strategy:?}");
        assert_eq!(last_status(&harness, "backup").as_deref(), Some("Success"), "{strategy:?}");
        harness.run_until(9400);
        assert_eq!(last_status(&harness, "backup").as_deref(), Some("Failed"), "{strategy:?}");
    }
}

#[test]
fn every_way_to_fail_is_the_last_status_and_a_code_other_than_0_stands_beside_each() {
    let ends = [
        (InvocationEnd::Timeout, "Timeout", "ExecutionTimeout"),
        (InvocationEnd::Error, "Error", "ExecutionException"),
        (InvocationEnd::Aborted, "Aborted", "ClientNotRunning"),
        (InvocationEnd::Invalid, "Invalid", "CommandNotApplicable"),
        (InvocationEnd::Cancelled, "Cancelled", ""),
        (InvocationEnd::Terminated, "Terminated", "ExecutionInterrupted"),
        (InvocationEnd::Failed, "Failed", "ExitCodeNonzero"),
    ];
    for strategy in STRATEGIES {
        let mut world = worlds::servers(1, 0);
        for (end, name, error_code) in ends {
            world.add_job("s00", &job(name, -5 * HOUR, HOUR, 5)).unwrap();
            let spec = InvocationSpec {
                end,
                error_code: error_code.into(),
                ..invocation(name, 100, 130, 7)
            };
            world
                .add_invocation("s00", InvocationSpec { command_name: name.into(), ..spec })
                .unwrap();
        }
        let mut harness = scripted(world, strategy);
        harness.run_until(60);
        assert_eq!(last_status(&harness, "Timeout").as_deref(), Some("Success"));
        harness.run_until(400);
        for (_, name, _) in ends {
            assert_eq!(last_status(&harness, name).as_deref(), Some(name), "{strategy:?}");
            assert_eq!(value(&harness, "last_exit_code", name), Some(7.0), "{strategy:?}: {name}");
            let finished = since_start(value(&harness, "last_finished_timestamp_seconds", name));
            assert_eq!(finished, Some(130), "{strategy:?}: {name}");
            let succeeded = since_start(value(&harness, "last_success_timestamp_seconds", name));
            assert_eq!(succeeded, Some(5 - HOUR), "{strategy:?}: {name}");
        }
    }
}

#[test]
fn the_status_follows_the_list_while_the_result_is_late() {
    let mut world = hourly(8);
    let timeout = InvocationSpec {
        end: InvocationEnd::Timeout,
        error_code: "ExecutionTimeout".into(),
        ..invocation("late", 100, 130, 0)
    };
    world
        .add_invocation("s00", InvocationSpec { command_name: "backup".into(), ..timeout })
        .unwrap();
    let mut harness = scripted(world, SwasStrategy::PerServer);
    harness.run_until(110);
    assert_eq!(value(&harness, "last_exit_code", "backup"), Some(0.0));
    harness.fault(
        r#"{"match": {"action": "DescribeInvocationResult"}, "times": 2,
            "fault": {"kind": "error", "status": 404, "code": "InvalidInvokeId.NotFound"}}"#,
    );
    while last_status(&harness, "backup").as_deref() == Some("Success") {
        harness.run_for(1);
        assert!(harness.now < start() + seconds(200), "the list says it soon");
    }
    for family in ["last_exit_code", "last_finished_timestamp_seconds"] {
        assert_eq!(
            value(&harness, family, "backup"),
            None,
            "{family} is not that of the invocation before"
        );
    }
    assert_eq!(last_status(&harness, "backup").as_deref(), Some("Timeout"));
    assert_eq!(
        since_start(value(&harness, "last_success_timestamp_seconds", "backup")),
        Some(5 - HOUR / 2)
    );
    harness.run_for(600);
    assert_eq!(
        since_start(value(&harness, "last_finished_timestamp_seconds", "backup")),
        Some(130)
    );
    assert_eq!(value(&harness, "last_exit_code", "backup"), None, "it has none");
}

#[test]
fn a_living_world_is_told_as_it_is_by_both_lists_in_any_order() {
    for strategy in STRATEGIES {
        let mut intervals = 0;
        for (seed, order) in
            [(1, ListOrder::NewestFirst), (2, ListOrder::OldestFirst), (3, ListOrder::Reordering)]
        {
            let size = Settings { clusters: 0, servers: 3, invocations: 40, ..Settings::default() };
            let mut harness =
                harness(Simulator::new(Settings { seed, order, ..size }, start()), strategy);
            // Otherwise the exporter would still know invocations that have left the list and the
            // truth.
            harness.sim.freeze(harness.now);
            harness.run_for(60);
            let truth = harness.sim.truth(harness.now);
            for server in harness.config.servers.clone() {
                let shown = shown_jobs(&harness.reading(&id(Kind::SwasInvocations, &server.id)));
                let regional = strategy == SwasStrategy::PerRegion;
                assert_eq!(
                    shown,
                    jobs(&truth, &server.id, regional),
                    "seed {seed}, {order:?}, {strategy:?}"
                );
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
            world
                .add_job("s00", &job(&format!("n{number:02}"), -6 * HOUR + number * 10, HOUR, 5))
                .unwrap();
        }
        let mut harness = scripted(world, strategy);
        for seconds in [60, 4000] {
            harness.run_until(seconds);
            let shown = shown_jobs(&harness.reading(&id(Kind::SwasInvocations, "s00")));
            let names: Vec<&str> = shown.keys().map(String::as_str).collect();
            let wanted: Vec<String> = (10..60).map(|number| format!("n{number}")).collect();
            assert_eq!(names, wanted, "{strategy:?}");
            assert!(shown.values().all(|job| job.interval == Some(3600.0)), "{strategy:?}");
        }
    }
}
