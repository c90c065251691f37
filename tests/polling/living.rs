//! Living worlds: everything is shown as it is, and every end is counted once.

use std::collections::BTreeSet;

use aliyun_task_exporter::config::Signature;
use aliyun_task_exporter::model::InvocationStatus;
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::sim::{ListOrder, Settings};
use aliyun_task_exporter::target::TargetId;

use crate::support::harness::Harness;
use crate::support::truth::{assert_shown, finished, truly_finished};
use crate::support::worlds;

/// Runs a world for some seconds, freezes it, and compares after one more poll of each target.
fn assert_true(settings: Settings, seconds: i64) {
    let signature = if settings.seed.is_multiple_of(2) { Signature::V3 } else { Signature::V1 };
    let context = format!("seed {}, {:?}, {signature:?}", settings.seed, settings.order);
    let mut harness = Harness::living(settings);
    harness.config.accounts[0].signature = signature;
    // A window larger than the world's number of things.
    for cluster in &mut harness.config.clusters {
        cluster.commands.discover = 100;
    }
    for server in &mut harness.config.servers {
        server.window.max_invocations = 1000;
    }
    harness.apply(harness.config.clone());
    harness.run_until(seconds);
    harness.sim.freeze(harness.now);
    harness.run_for(31);
    assert_shown(&harness, &context);
    let failed: Vec<_> = harness.polled.iter().filter(|poll| poll.failure.is_some()).collect();
    assert!(failed.is_empty(), "{context}: {failed:?}");
    let lost: Vec<_> = harness
        .notices
        .iter()
        .filter(|(_, notice)| matches!(notice, Notice::Lost { .. }))
        .collect();
    assert!(lost.is_empty(), "{context}: {lost:?}");
}

#[test]
fn everything_of_a_living_world_is_shown_as_it_is_whatever_the_order_of_lists() {
    for seed in 1..=8 {
        for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
            assert_true(Settings { seed, order, ..Settings::default() }, 90 + 7 * seed as i64);
        }
    }
}

#[test]
fn everything_is_shown_as_it_is_when_every_list_has_many_pages() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let clusters = 1;
        let servers = 1;
        let tasks = 70;
        let task_history = 90;
        let commands = 70;
        let invocations = 170;
        let size = Settings {
            clusters,
            tasks,
            task_history,
            commands,
            servers,
            invocations,
            ..Settings::default()
        };
        assert_true(Settings { order, ..size }, 150);
    }
}

#[test]
fn each_end_after_the_first_poll_is_counted_once() {
    for seed in 1..=20 {
        let order = [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering]
            [seed as usize % 3];
        let mut harness = Harness::living(Settings {
            seed,
            order,
            clusters: 1,
            servers: 2,
            ..Settings::default()
        });
        harness.run_until(300);
        let targets: BTreeSet<TargetId> =
            harness.polled.iter().map(|poll| poll.target.clone()).collect();
        assert_eq!(targets.len(), 4);
        for target in targets {
            let truth = truly_finished(&harness, &target);
            assert!(truth.values().sum::<u64>() > 5, "seed {seed}: the world stands still");
            assert_eq!(finished(&harness.reading(&target)), truth, "seed {seed}, {target:?}");
        }
    }
}

#[test]
fn what_began_and_ended_between_two_ticks_is_counted_too() {
    let mut world = worlds::servers(1, 1);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", worlds::task("short", 12, 14)).unwrap();
    world.add_command("c", worlds::command("short", 2, 12, 14)).unwrap();
    world.add_invocation("s00", worlds::invocation("short", 12, 14, 1)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(70);
    assert_eq!(harness.commands("c").finished.values().sum::<u64>(), 1);
    assert_eq!(
        harness.invocations("s00").finished.into_iter().collect::<Vec<_>>(),
        [(InvocationStatus::Failed, 1)]
    );
    assert!(
        harness.tasks("c").finished.is_empty(),
        "it is in the history, which is read each half hour"
    );
    harness.run_until(1900);
    let tasks = harness.tasks("c");
    assert_eq!((tasks.finished.values().sum::<u64>(), tasks.tasks[0].finished), (1, None));
    assert!(tasks.durations.is_empty(), "it is not known how long it took");
}

#[test]
fn the_result_of_a_run_or_command_is_asked_once() {
    let mut harness = Harness::living(Settings { clusters: 1, servers: 1, ..Settings::default() });
    harness.run_until(300);
    for operation in ["DescribeInvocationResult", "ListInvocationResults"] {
        let asked: Vec<String> =
            harness.of(operation).iter().map(|made| format!("{:?}", made.operation)).collect();
        let distinct: BTreeSet<&String> = asked.iter().collect();
        assert!(asked.len() > 5 && asked.len() == distinct.len(), "{operation}: {asked:?}");
    }
}

#[test]
fn a_simulated_hour_takes_little_time() {
    let begun = std::time::Instant::now();
    let mut harness = Harness::living(Settings::default());
    harness.run_until(3600);
    println!(
        "{} attempts, {} polls in {:?}",
        harness.made.len(),
        harness.polled.len(),
        begun.elapsed()
    );
    assert!(harness.polled.len() > 2000, "{}", harness.polled.len());
    assert!(harness.polled.iter().all(|poll| poll.failure.is_none()));
}
