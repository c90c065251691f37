//! Living worlds: everything is shown as it is, and every end is counted once.

use std::collections::BTreeSet;

use aliyun_task_exporter::config::Signature;
use aliyun_task_exporter::model::InvocationStatus;
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::sim::{ListOrder, Settings};
use aliyun_task_exporter::target::TargetId;

use crate::support::rig::Rig;
use crate::support::truth::{assert_shown, finished, truly_finished};
use crate::support::worlds;

/// Lets a world live so many seconds, stops it, and compares after one more poll of each target.
fn assert_true(settings: Settings, seconds: i64) {
    let signature = if settings.seed.is_multiple_of(2) { Signature::V3 } else { Signature::V1 };
    let context = format!("seed {}, {:?}, {signature:?}", settings.seed, settings.order);
    let mut rig = Rig::living(settings);
    rig.config.accounts[0].signature = signature;
    // A wider window than the world has things.
    rig.config.clusters.iter_mut().for_each(|cluster| cluster.commands.discover = 100);
    rig.config.servers.iter_mut().for_each(|server| server.window.max_invocations = 1000);
    rig.apply(rig.config.clone());
    rig.run_until(seconds);
    rig.sim.freeze(rig.now);
    rig.run_for(31);
    assert_shown(&rig, &context);
    let failed: Vec<_> = rig.polled.iter().filter(|poll| poll.failure.is_some()).collect();
    assert!(failed.is_empty(), "{context}: {failed:?}");
    let lost: Vec<_> = rig.notices.iter().filter(|(_, notice)| matches!(notice, Notice::Lost { .. })).collect();
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
        let (clusters, servers) = (1, 1);
        let (tasks, task_history, commands, invocations) = (70, 90, 70, 170);
        let size = Settings { clusters, tasks, task_history, commands, servers, invocations, ..Settings::default() };
        assert_true(Settings { order, ..size }, 150);
    }
}

#[test]
fn each_end_after_the_first_poll_is_counted_once() {
    for seed in 1..=20 {
        let order = [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering][seed as usize % 3];
        let mut rig = Rig::living(Settings { seed, order, clusters: 1, servers: 2, ..Settings::default() });
        rig.run_until(300);
        let targets: BTreeSet<TargetId> = rig.polled.iter().map(|poll| poll.target.clone()).collect();
        assert_eq!(targets.len(), 4);
        for target in targets {
            let truth = truly_finished(&rig, &target);
            assert!(truth.values().sum::<u64>() > 5, "seed {seed}: the world stands still");
            assert_eq!(finished(&rig.reading(&target)), truth, "seed {seed}, {target:?}");
        }
    }
}

#[test]
fn what_began_and_ended_between_two_ticks_is_counted_too() {
    let mut world = worlds::servers(1, 1);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", worlds::task("short", 12, 14)).unwrap();
    world.add_command("c", worlds::command("short", 2, 12, 14)).unwrap();
    world.add_run("s00", worlds::run("short", 12, 14, 1)).unwrap();
    let mut rig = Rig::scripted(world);
    rig.run_until(70);
    assert_eq!(rig.commands("c").finished.values().sum::<u64>(), 1);
    assert_eq!(rig.runs("s00").finished.into_iter().collect::<Vec<_>>(), [(InvocationStatus::Failed, 1)]);
    assert!(rig.tasks("c").finished.is_empty(), "it is in the history, which is read each half hour");
    rig.run_until(1900);
    let tasks = rig.tasks("c");
    assert_eq!((tasks.finished.values().sum::<u64>(), tasks.tasks[0].finished), (1, None));
    assert!(tasks.durations.is_empty(), "nobody knows how long it took");
}

#[test]
fn the_result_of_a_run_or_command_is_asked_once() {
    let mut rig = Rig::living(Settings { clusters: 1, servers: 1, ..Settings::default() });
    rig.run_until(300);
    for operation in ["DescribeInvocationResult", "ListInvocationResults"] {
        let asked: Vec<String> = rig.of(operation).iter().map(|made| format!("{:?}", made.operation)).collect();
        let distinct: BTreeSet<&String> = asked.iter().collect();
        assert!(asked.len() > 5 && asked.len() == distinct.len(), "{operation}: {asked:?}");
    }
}

#[test]
fn a_simulated_hour_takes_little_time() {
    let begun = std::time::Instant::now();
    let mut rig = Rig::living(Settings::default());
    rig.run_until(3600);
    println!("{} attempts, {} polls in {:?}", rig.made.len(), rig.polled.len(), begun.elapsed());
    assert!(rig.polled.len() > 2000, "{}", rig.polled.len());
    assert!(rig.polled.iter().all(|poll| poll.failure.is_none()));
}
