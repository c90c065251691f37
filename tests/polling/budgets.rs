//! How few calls are made, how evenly, and how many at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aliyun_task_exporter::action::{Action, Product};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::poll::BudgetKey;
use aliyun_task_exporter::sim::{Operation, QuotaWindow, Quotas, Settings, Simulator};
use aliyun_task_exporter::target::{Kind, TargetId};
use jiff::{SignedDuration, Timestamp};

use crate::support::harness::{Harness, config_for, id};
use crate::support::page::parse;
use crate::support::{seconds, start, worlds};

/// A world of `servers` servers with `invocations` ended invocations each. The cloud allows `quota`
/// calls of `operation` per minute, and so does the exporter's configuration.
fn limited(servers: usize, invocations: usize, operation: Operation, quota: u32) -> Harness {
    let quotas = Quotas { operations: BTreeMap::from([(operation, quota)]), ..Quotas::default() };
    let settings = Settings {
        quotas: Quotas { window: QuotaWindow::Sliding, ..quotas },
        ..Settings::default()
    };
    let sim = Simulator::with_world(settings, worlds::servers(servers, invocations), start());
    let mut config = config_for(&sim);
    let action = Action::ALL.iter().find(|action| action.name() == operation.action()).unwrap();
    config.accounts[0].quotas = [((*action).into(), quota)].into();
    Harness::new(sim, config)
}

fn times(harness: &Harness, operation: &str, target: Option<&str>) -> Vec<Timestamp> {
    let made = harness.of(operation).into_iter();
    made.filter(|made| target.is_none_or(|target| *made.target.id == *target))
        .map(|made| made.sent)
        .collect()
}

/// The longest time between two of these, including the start and now.
fn longest_gap(harness: &Harness, times: &[Timestamp]) -> SignedDuration {
    let all: Vec<Timestamp> =
        [start()].into_iter().chain(times.iter().copied()).chain([harness.now]).collect();
    all.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap()
}

#[test]
fn six_calls_a_minute_are_enough_for_twenty_servers_in_turn() {
    let mut harness = limited(20, 3, Operation::DescribeInvocations, 6);
    harness.run_until(3600);
    let calls = times(&harness, "DescribeInvocations", None);
    assert!(
        calls.windows(7).all(|seven| seven[6].duration_since(seven[0]) > seconds(60)),
        "seven calls in a minute"
    );
    assert!(calls.len() > 340, "the quota is used: {} calls in an hour", calls.len());
    assert!(harness.made.iter().all(|made| made.failure.is_none()));
    for number in 0..20 {
        let server = format!("s{number:02}");
        let own = times(&harness, "DescribeInvocations", Some(&server));
        let gap = longest_gap(&harness, &own);
        assert!(gap < seconds(270), "{server} waited {gap:?} for its turn");
    }
}

#[test]
fn results_are_read_even_if_lists_are_always_late() {
    let mut harness = limited(20, 3, Operation::DescribeInvocations, 6);
    harness.run_until(600);
    for number in 0..20 {
        let invocations = harness.invocations(&format!("s{number:02}")).invocations;
        assert!(invocations.iter().all(|seen| seen.result.is_some()), "s{number:02}");
    }
}

#[test]
fn a_backlog_of_results_does_not_keep_lists_from_their_cadence() {
    let mut harness = limited(3, 40, Operation::DescribeInvocationResult, 6);
    harness.run_until(600);
    let asked = times(&harness, "DescribeInvocationResult", None);
    assert!(asked.windows(7).all(|seven| seven[6].duration_since(seven[0]) > seconds(60)));
    assert!((50..=60).contains(&asked.len()), "{} results in ten minutes", asked.len());
    let distinct: BTreeSet<String> = harness
        .of("DescribeInvocationResult")
        .iter()
        .map(|made| format!("{:?}", made.operation))
        .collect();
    assert_eq!(distinct.len(), asked.len(), "each is asked for once");
    for server in ["s00", "s01", "s02"] {
        let own = times(&harness, "DescribeInvocations", Some(server));
        let gap = longest_gap(&harness, &own);
        assert!(gap <= seconds(31), "{server} was not looked at for {gap:?}");
    }
}

#[test]
fn values_are_not_withdrawn_while_a_target_waits_for_its_turn() {
    // One call per minute for fifteen servers: each gets its turn every quarter of an hour.
    let mut harness = limited(15, 1, Operation::DescribeInvocations, 1);
    harness.run_until(2000);
    for second in (2000..4000).step_by(20) {
        harness.run_until(second);
        let stale: Vec<_> = harness
            .store
            .views(harness.moment())
            .into_iter()
            .filter(|view| view.reading.is_none())
            .collect();
        assert!(stale.is_empty(), "at {second}: {:?}", stale[0].target.id);
    }
}

#[test]
fn first_polls_are_spread_over_the_interval() {
    let harness_of = |servers| {
        let mut harness = Harness::scripted(worlds::servers(servers, 0));
        harness.run_until(29);
        let firsts: BTreeMap<TargetId, Timestamp> =
            harness.made.iter().rev().map(|made| (made.target.clone(), made.sent)).collect();
        let mut times: Vec<Timestamp> = firsts.into_values().collect();
        times.sort();
        times
    };
    let few = harness_of(10);
    assert!(
        few.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_millis() == 100),
        "{few:?}"
    );
    let many = harness_of(600);
    assert_eq!(many.len() as i64, 29 * 20 + 1, "600 in thirty seconds");
}

#[test]
fn a_slow_target_never_stacks_and_no_more_calls_are_under_way_than_allowed() {
    let settings = Settings {
        latency: Duration::from_secs(3),
        clusters: 3,
        servers: 8,
        ..Settings::default()
    };
    let sim = Simulator::new(settings, start());
    let mut config = config_for(&sim);
    config.poll.interval = Duration::from_secs(2);
    config.poll.active_interval = Duration::from_secs(1);
    config.poll.concurrency = 5;
    // The harness itself asserts that no target has two calls at once.
    let mut harness = Harness::new(sim, config);
    harness.run_until(600);
    assert_eq!(harness.most_in_flight, 5);
    assert!(harness.made.iter().all(|made| made.failure.is_none()));
    assert!(harness.made.len() > 300, "{} calls", harness.made.len());
    let lists: BTreeSet<&TargetId> = harness.polled.iter().map(|poll| &poll.target).collect();
    assert_eq!(lists.len(), 14, "every target has its turn");
}

#[test]
fn an_answer_that_does_not_come_is_a_timeout_and_others_do_not_wait_for_it() {
    let mut harness = Harness::scripted(worlds::servers(3, 2));
    harness.fault(r#"{"match": {"instance_id": "s01"}, "fault": {"kind": "drip", "bytes": 1, "pause_ms": 1000}}"#);
    harness.run_until(119);
    let slow = id(Kind::SwasInvocations, "s01");
    let failure = harness.failure(&slow).unwrap();
    assert_eq!(failure.reason.label(), "timeout");
    assert!(failure.message.contains("no answer within 10s"), "{}", failure.message);
    for polls in ["s00", "s02"]
        .map(|server| harness.polled.iter().filter(|poll| *poll.target.id == *server).count())
    {
        assert_eq!(polls, 4);
    }
    let longest = harness.polled.iter().filter(|poll| poll.target == slow).count();
    assert!(longest >= 2, "a poll takes at most three timeouts and its pauses");
}

#[test]
fn running_work_is_looked_at_more_often_and_idle_targets_less() {
    let mut world = worlds::servers(2, 1);
    world.add_invocation("s01", worlds::invocation("long", 0, 100_000, 0)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.run_until(1790);
    let calls =
        |harness: &Harness, server: &str| times(harness, "DescribeInvocations", Some(server)).len();
    assert_eq!((calls(&harness, "s00"), calls(&harness, "s01")), (60, 179));
    harness.made.clear();
    harness.run_until(3600);
    assert!(
        (15..=17).contains(&calls(&harness, "s00")),
        "idle after half an hour: {}",
        calls(&harness, "s00")
    );
}

#[test]
fn a_target_that_waits_for_its_turn_shows_how_late_it_is_even_before_its_first_poll() {
    let mut harness = limited(15, 1, Operation::DescribeInvocations, 1);
    harness.run_until(330);
    let page = parse(&harness.page(Format::Text));
    let value = |family: &str, server: &str| page.value(family, &[("target", server)]);
    let mut waiting = 0;
    for number in 0..15 {
        let server = format!("s{number:02}");
        let planned =
            value("aliyun_task_exporter_target_next_poll_timestamp_seconds", &server).unwrap();
        if value("aliyun_task_exporter_target_up", &server).is_none() {
            waiting += 1;
            assert!(
                harness.now.as_second() as f64 - planned > 300.0,
                "{server} waits since the start: {planned}"
            );
        }
    }
    assert_eq!(waiting, 15 - 6, "one turn a minute");
}

#[test]
fn no_operation_exceeds_its_budget_whatever_is_listed_followed_and_retried() {
    let mut harness = Harness::living(Settings { clusters: 2, servers: 3, ..Settings::default() });
    let mut config = harness.config.clone();
    config.accounts[0].quotas = [(Product::Ehpc.into(), 6), (Product::Swas.into(), 6)].into();
    harness.apply(config);
    harness.fault(
        r#"{"fault": {"kind": "error", "status": 500, "code": "InternalError"}, "schedule": {"from": 300, "to": 900}}"#,
    );
    harness.run_until(1800);
    let mut sent: BTreeMap<BudgetKey, Vec<Timestamp>> = BTreeMap::new();
    for made in &harness.made {
        sent.entry(made.key.clone()).or_default().push(made.sent);
    }
    let operations: BTreeSet<Action> = sent.keys().map(|key| key.action).collect();
    assert_eq!(operations.len(), 6, "every operation is asked");
    for (key, times) in &mut sent {
        times.sort_unstable();
        let close = times.windows(7).find(|seven| seven[6].duration_since(seven[0]) <= seconds(60));
        assert_eq!(close, None, "{key:?}: seven calls in a minute");
    }
    assert!(
        harness.made.iter().filter(|made| made.failure.is_some()).count() > 100,
        "trouble was retried"
    );
    assert_eq!(harness.made.len(), harness.sim.calls().count(), "what the cloud has counted");
}
