//! The planned load equals the calls that are made.

use std::collections::BTreeMap;

use aliyun_task_exporter::poll::BudgetKey;
use aliyun_task_exporter::sim::{ListOrder, World};

use crate::support::harness::Harness;
use crate::support::worlds::{self, command, invocation, task};

const HOUR: i64 = 3600;

/// Runs for an hour and compares the planned load, sampled every 40 s, with the calls made,
/// operation by operation.
fn assert_kept(harness: &mut Harness, context: &str) {
    harness.made.clear();
    let mut planned: BTreeMap<BudgetKey, f64> = BTreeMap::new();
    for _ in 0..90 {
        harness
            .scheduler()
            .planned()
            .into_iter()
            .for_each(|(key, calls)| *planned.entry(key).or_default() += calls * 40.0 / 60.0);
        harness.run_for(40);
    }
    let mut made: BTreeMap<BudgetKey, f64> = BTreeMap::new();
    for attempt in &harness.made {
        *made.entry(attempt.key.clone()).or_default() += 1.0;
    }
    for (key, planned) in planned {
        let made = made.get(&key).copied().unwrap_or_default();
        // The plan may be off by a single whole reading.
        let most = (made * 0.1).max(3.0);
        assert!(
            (planned - made).abs() <= most,
            "{context}: {}: {planned} planned, {made} made",
            key.action
        );
    }
}

/// A cluster and two servers with some ended things each.
fn world(ended: i64) -> World {
    let mut world = worlds::servers(2, 0);
    worlds::add_cluster(&mut world, "c");
    for number in 0..ended {
        let name = format!("old{number}");
        let from = -100_000 - 60 * number;
        world.add_task("c", task(&name, from, from + 50)).unwrap();
        world.add_command("c", command(&name, 2, from, from + 50)).unwrap();
        for server in ["s00", "s01"] {
            world
                .add_invocation(server, invocation(&format!("{server}-{name}"), from, from + 50, 0))
                .unwrap();
        }
    }
    world
}

fn add_open(world: &mut World, name: &str, from: i64, to: i64) {
    world.add_task("c", task(name, from, to)).unwrap();
    world.add_command("c", command(name, 2, from, to)).unwrap();
    for server in ["s00", "s01"] {
        world.add_invocation(server, invocation(&format!("{server}-{name}"), from, to, 0)).unwrap();
    }
}

#[test]
fn idle_and_base_targets_cost_what_is_planned_however_long_their_lists_are() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst] {
        for ended in [3, 330] {
            let mut harness = Harness::scripted(world(ended));
            harness.sim.settings_mut().order = order;
            harness.config.clusters[0].commands.discover = 20;
            harness.config.poll.idle_after = std::time::Duration::from_secs(2 * 3600);
            harness.apply(harness.config.clone());
            harness.run_until(1000);
            assert_kept(&mut harness, &format!("base, {ended}, {order:?}"));
            harness.run_until(3 * HOUR);
            assert_kept(&mut harness, &format!("idle, {ended}, {order:?}"));
        }
    }
}

#[test]
fn busy_targets_cost_what_is_planned() {
    for ended in [3, 330] {
        let mut world = world(ended);
        for number in 0..5 {
            add_open(&mut world, &format!("open{number}"), -50 - number, 1_000_000);
        }
        let mut harness = Harness::scripted(world);
        harness.config.clusters[0].commands.discover = 20;
        harness.apply(harness.config.clone());
        harness.run_until(1000);
        assert_kept(&mut harness, &format!("busy, {ended}"));
    }
}

#[test]
fn what_has_ended_lately_is_taken_for_what_will_end() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst] {
        for ended in [3, 330] {
            let mut world = world(ended);
            for number in 0..200 {
                add_open(&mut world, &format!("n{number}"), 90 * number, 90 * number + 200);
            }
            let mut harness = Harness::scripted(world);
            harness.sim.settings_mut().order = order;
            harness.config.clusters[0].commands.discover = 20;
            harness.apply(harness.config.clone());
            harness.run_until(2 * HOUR);
            assert_kept(&mut harness, &format!("ends, {ended}, {order:?}"));
        }
    }
}
