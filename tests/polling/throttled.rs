//! While the cloud throttles an operation, targets that wait for it say so, and only those.

use std::collections::{BTreeMap, BTreeSet};

use aliyun_task_exporter::action::Action;
use aliyun_task_exporter::config::SwasStrategy;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::Reason;
use aliyun_task_exporter::poll::Throttling;
use aliyun_task_exporter::sim::{Operation, Quotas, Settings, Simulator};
use aliyun_task_exporter::store::View;
use aliyun_task_exporter::target::Kind;
use jiff::Timestamp;

use crate::support::harness::{Harness, config_for, id};
use crate::support::page::parse;
use crate::support::{seconds, start, worlds};

/// Servers with one invocation each, and a cluster, polled at the default cadence for ten minutes.
fn harness(servers: usize) -> Harness {
    let mut world = worlds::servers(servers, 1);
    worlds::add_cluster(&mut world, "c");
    let mut harness = Harness::scripted(world);
    harness.run_until(600);
    assert!(harness.polled.iter().all(|poll| poll.failure.is_none()));
    harness
}

/// The cloud refuses an operation for `lasts` seconds from now.
fn refuse(harness: &mut Harness, operation: &str, lasts: i64) {
    let from = harness.now.duration_since(start()).as_secs();
    harness.fault(&format!(
        r#"{{"match": {{"action": "{operation}"}}, "fault": {{"kind": "throttle"}},
             "schedule": {{"from": {from}, "to": {}}}}}"#,
        from + lasts
    ));
}

fn servers(harness: &Harness) -> Vec<View> {
    let views = harness.store.views(harness.moment()).into_iter();
    views.filter(|view| view.target.id.kind == Kind::SwasInvocations).collect()
}

fn is_throttled(view: &View) -> bool {
    let failing = view.state.failing == Some(Reason::Throttled);
    assert_eq!(
        failing,
        view.failure.as_ref().is_some_and(|failure| failure.reason == Reason::Throttled)
    );
    assert!(!failing || view.state.up == Some(false));
    failing
}

/// Number of servers shown as throttled.
fn throttled(harness: &Harness) -> usize {
    servers(harness).iter().filter(|view| is_throttled(view)).count()
}

/// Servers whose last poll was due more than `late` seconds ago.
fn overdue(harness: &Harness, late: i64) -> BTreeSet<String> {
    let is_late =
        |view: &&View| view.state.next_poll.is_some_and(|next| next + seconds(late) < harness.now);
    servers(harness).iter().filter(is_late).map(|view| view.target.id.id.to_string()).collect()
}

/// When each change in throttling was reported, in seconds after the start.
fn told(harness: &Harness) -> Vec<(&'static str, i64)> {
    let word = |change: &Throttling| match change {
        Throttling::Began => "began",
        Throttling::Lowered => "lowered",
        Throttling::TakenBack => "taken back",
        Throttling::Over { .. } => "over",
    };
    harness
        .throttlings
        .iter()
        .map(|(_, change, _, at)| (word(change), at.duration_since(start()).as_secs()))
        .collect()
}

#[test]
fn while_an_operation_rests_each_target_that_waits_for_it_is_down_and_no_other() {
    for (count, lasts) in [(2, 120), (2, 300), (300, 120), (300, 300)] {
        let mut harness = harness(count);
        refuse(&mut harness, "DescribeInvocations", lasts);
        let mut most = 0;
        for _ in 0..lasts / 5 {
            harness.run_for(5);
            most = most.max(throttled(&harness));
            // The period is 30 s, so a minute matters; the budget itself delays some by ten
            // seconds. A target whose poll was refused says so at once.
            let late: BTreeSet<String> = overdue(&harness, 71);
            let down = servers(&harness)
                .into_iter()
                .filter(is_throttled)
                .map(|view| view.target.id.id.to_string())
                .collect();
            assert!(
                late.is_subset(&down),
                "{count} servers, {:?}: {late:?} but {down:?}",
                harness.now
            );
            for view in harness.store.views(harness.moment()) {
                let is_up =
                    view.target.id.kind == Kind::SwasInvocations || view.state.up == Some(true);
                assert!(is_up, "{:?} needs other operations", view.target.id);
            }
        }
        assert_eq!(most, count, "{count} servers, {lasts} s: all are overdue in the end");
        let failure = servers(&harness).into_iter().find_map(|view| view.failure).unwrap();
        assert!(failure.message.starts_with("DescribeInvocations: "), "{failure:?}");
        assert!(
            failure.message.contains("Throttling.User")
                && failure.advice.contains("accounts[].quotas"),
            "{failure:?}"
        );

        harness.run_for(600);
        assert_eq!(throttled(&harness), 0, "{count} servers, {lasts} s: polls have ended");
        assert!(
            servers(&harness)
                .iter()
                .all(|view| view.state.up == Some(true) && view.reading.is_some())
        );
        let words: Vec<&str> = told(&harness).into_iter().map(|(word, _)| word).collect();
        assert_eq!(words.first(), Some(&"began"), "{words:?}");
        assert!(
            words.iter().filter(|word| **word == "began").count() == 1 && words.len() <= 4,
            "{words:?}"
        );
    }
}

#[test]
fn what_was_read_stays_shown_while_it_waits_and_the_page_says_why_it_is_old() {
    let mut harness = harness(2);
    refuse(&mut harness, "DescribeInvocations", 300);
    harness.run_for(200);
    let page = parse(&harness.page(Format::Text));
    for server in ["s00", "s01"] {
        let labels = [("target", server)];
        assert_eq!(page.value("aliyun_task_exporter_target_up", &labels), Some(0.0));
        let reason = [("target", server), ("reason", "throttled")];
        assert_eq!(page.value("aliyun_task_exporter_target_failing", &reason), Some(1.0));
        assert_eq!(
            page.value(
                "aliyun_swas_invocations",
                &[("instance_id", server), ("status", "Success")]
            ),
            Some(1.0)
        );
        let next =
            page.value("aliyun_task_exporter_target_next_poll_timestamp_seconds", &labels).unwrap();
        assert!(next < harness.now.as_second() as f64, "{next}");
        let view = harness.view(&id(Kind::SwasInvocations, server));
        assert!(
            view.reading.is_some() && view.failing_since.is_some() && view.last_failure.is_some()
        );
    }
    assert_eq!(
        page.value("aliyun_task_exporter_target_up", &[("target", "c"), ("kind", "ehpc_tasks")]),
        Some(1.0)
    );
}

#[test]
fn a_budget_that_is_merely_small_never_makes_a_target_throttled() {
    for quota in [1, 6] {
        let quotas = Quotas {
            operations: BTreeMap::from([(Operation::DescribeInvocations, quota)]),
            ..Quotas::default()
        };
        let sim = Simulator::with_world(
            Settings { quotas, ..Settings::default() },
            worlds::servers(40, 1),
            start(),
        );
        let mut config = config_for(&sim);
        config.accounts[0].quotas = [(Action::DescribeInvocations.into(), quota)].into();
        let mut harness = Harness::new(sim, config);
        harness.run_until(2 * 3600);
        assert!(!overdue(&harness, 61).is_empty(), "polls come late");
        assert_eq!(
            (harness.overdue.len(), harness.throttlings.len(), throttled(&harness)),
            (0, 0, 0),
            "{quota} a minute"
        );
    }
}

#[test]
fn what_waits_for_a_small_budget_anyway_is_not_laid_to_a_short_rest() {
    // Each of the 300 servers gets its turn once in more than half an hour.
    let sim = Simulator::with_world(Settings::default(), worlds::servers(300, 0), start());
    let mut config = config_for(&sim);
    config.accounts[0].quotas = [(Action::DescribeInvocations.into(), 10)].into();
    let mut harness = Harness::new(sim, config);
    harness.run_until(2 * 3600);
    refuse(&mut harness, "DescribeInvocations", 70);
    harness.run_for(180);
    assert!(!harness.throttlings.is_empty(), "a call was refused");
    assert!(overdue(&harness, 600).len() > 100);
    assert_eq!(harness.overdue.len(), 0, "three minutes are nothing beside half an hour");
}

#[test]
fn all_servers_of_a_region_are_overdue_together_and_each_is_named() {
    let sim = Simulator::with_world(Settings::default(), worlds::servers(30, 1), start());
    let mut config = config_for(&sim);
    config.swas_strategy = SwasStrategy::PerRegion;
    let mut harness = Harness::new(sim, config);
    harness.run_until(600);
    refuse(&mut harness, "DescribeCommandInvocations", 300);
    // The refused poll says so; the next one waits.
    harness.run_for(40);
    assert_eq!(throttled(&harness), 30);
    harness.polled.clear();
    harness.run_for(240);
    assert_eq!(throttled(&harness), 30);
    harness.run_for(400);
    assert_eq!(throttled(&harness), 0);

    // Only one call is refused; during the rest, all wait.
    let mut harness = self::harness(2);
    harness.fault(r#"{"match": {"action": "DescribeInvocations"}, "fault": {"kind": "throttle", "time_left_ms": 86400000}, "times": 1}"#);
    harness.run_for(150);
    let one: BTreeSet<String> = harness.overdue.iter().map(|(id, ..)| id.id.to_string()).collect();
    assert_eq!(
        one.len(),
        2,
        "the one that was refused, too, once its next poll is overdue: {one:?}"
    );
    assert_eq!(throttled(&harness), 2);
    harness.run_for(200);
    assert_eq!(throttled(&harness), 0, "no rest is longer than five minutes");
}

#[test]
fn a_first_poll_that_never_gets_its_turn_is_throttled_too() {
    let mut harness = Harness::scripted(worlds::servers(300, 0));
    refuse(&mut harness, "DescribeInvocations", 300);
    harness.run_until(200);
    assert!(servers(&harness).iter().all(is_throttled), "{}", throttled(&harness));
    assert!(servers(&harness).iter().all(|view| view.reading.is_none()));
    harness.run_until(900);
    assert!(servers(&harness).iter().all(|view| view.state.up == Some(true)));
}

#[test]
fn nothing_of_it_is_left_after_a_restart_into_a_healthy_cloud() {
    let mut harness = harness(20).with_state();
    refuse(&mut harness, "DescribeInvocations", 300);
    harness.run_for(250);
    assert_eq!(throttled(&harness), 20);
    harness.sim.clear_faults();
    harness.restart(5);
    assert_eq!(throttled(&harness), 0, "nothing is known before the first poll");
    let before = harness.overdue.len();
    harness.run_for(120);
    assert!(servers(&harness).iter().all(|view| view.state.up == Some(true)));
    assert_eq!(harness.overdue.len(), before);
}

#[test]
fn a_clock_that_is_set_makes_nothing_overdue() {
    for step in [-600, -60, 600] {
        let mut harness = harness(20);
        refuse(&mut harness, "DescribeInvocations", 300);
        harness.run_for(30);
        harness.overdue.clear();
        harness.clock_off = seconds(step);
        harness.run_for(25);
        assert_eq!(
            harness.overdue.len(),
            0,
            "a clock that is {step} s off: {:?}",
            harness.overdue.first()
        );
        harness.run_for(200);
        assert_eq!(
            throttled(&harness),
            20,
            "{step}: they are overdue after their time all the same"
        );
        harness.clock_off = seconds(0);
        harness.run_for(900);
        assert_eq!(throttled(&harness), 0, "{step}");
    }
}

#[test]
fn an_operation_that_others_use_up_in_each_minute_is_throttled_without_a_break() {
    let mut harness = harness(20);
    // For ten minutes, half a minute is answered and half a minute is not.
    let from = harness.now.duration_since(start()).as_secs();
    for minute in 0..10 {
        let (from, to) = (from + minute * 60, from + minute * 60 + 30);
        harness.fault(&format!(
            r#"{{"match": {{"action": "DescribeInvocations"}}, "fault": {{"kind": "throttle"}},
                 "schedule": {{"from": {from}, "to": {to}}}}}"#
        ));
    }
    harness.run_for(600);
    let words: Vec<&str> = told(&harness).into_iter().map(|(word, _)| word).collect();
    assert_eq!(words.iter().filter(|word| **word == "began").count(), 1, "{:?}", told(&harness));
    assert!(!words.contains(&"over"), "{:?}", told(&harness));
}

#[test]
fn a_target_that_another_operation_keeps_from_its_details_is_not_overdue() {
    let mut world = worlds::servers(2, 0);
    for number in 0..8 {
        world
            .add_invocation(
                "s00",
                worlds::invocation(&format!("r{number}"), 650 + number * 10, 700 + number * 10, 0),
            )
            .unwrap();
    }
    let mut harness = Harness::scripted(world);
    harness.run_until(600);
    refuse(&mut harness, "DescribeInvocationResult", 600);
    let mut ups = 0;
    for _ in 0..60 {
        harness.run_for(10);
        let view = harness.view(&id(Kind::SwasInvocations, "s00"));
        assert!(
            view.read_at.is_some_and(|at: Timestamp| at + seconds(61) > harness.now),
            "its lists are fresh"
        );
        ups += usize::from(view.state.up == Some(true));
        assert_eq!(harness.view(&id(Kind::SwasInvocations, "s01")).state.up, Some(true));
    }
    assert!(ups > 10, "only a poll whose own detail was refused has failed: {ups} of 60");
    assert_eq!(harness.overdue, []);
}
