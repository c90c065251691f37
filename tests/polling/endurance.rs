//! Days of trouble, thousands of ids that come and go: nothing grows, nothing is stuck.

use std::collections::BTreeSet;
use std::time::Duration;

use aliyun_task_exporter::action::Product;
use aliyun_task_exporter::config::SwasStrategy;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{ListOrder, Settings};
use aliyun_task_exporter::state;
use aliyun_task_exporter::target::{Kind, TargetId};

use crate::support::harness::{Harness, id};
use crate::support::page::parse;
use crate::support::truth::finished;
use crate::support::{seconds, start, worlds};

/// Bytes of all targets' entries in the state, and of the page.
fn size(harness: &Harness, ids: &BTreeSet<TargetId>) -> (usize, usize) {
    let entry = |id| state::encode(&harness.scheduler().memory(id).unwrap()).unwrap().len();
    (ids.iter().map(entry).sum(), harness.page(Format::Text).len())
}

#[test]
fn thousands_of_ids_that_come_and_go_leave_nothing_behind() {
    let settings = Settings { clusters: 1, servers: 1, time_scale: 40.0, ..Settings::default() };
    let mut harness = Harness::living(settings).with_state();
    // Windows that fill quickly.
    harness.config.poll.history_interval = Duration::from_secs(120);
    harness.config.clusters[0].tasks.max_tasks = 40;
    harness.config.servers[0].window.max_invocations = 20;
    harness.apply(harness.config.clone());
    harness.run_until(60);
    let ids: BTreeSet<TargetId> = harness.polled.iter().map(|poll| poll.target.clone()).collect();
    assert_eq!(ids.len(), 3);
    let mut largest = [(0, 0); 2];
    for step in 1..=60 {
        harness.run_until(60 + step * 30);
        let (state, page) = size(&harness, &ids);
        let half = &mut largest[usize::from(step > 30)];
        *half = (half.0.max(state), half.1.max(page));
        (harness.made, harness.polled) = Default::default();
    }
    let came: BTreeSet<String> = ids.iter().flat_map(|id| harness.ends(id)).collect();
    assert!(came.len() > 2000, "only {} things came and went", came.len());
    let [early, late] = largest;
    assert!(
        late.0 * 10 < early.0 * 11 && late.1 * 10 < early.1 * 11,
        "bytes of state and page: {early:?}, then {late:?}"
    );
}

/// The largest total size of the state's entries, sampled every 30 seconds: from `warm` to
/// `middle`, and from there to `end`.
fn largest(harness: &mut Harness, warm: i64, middle: i64, end: i64) -> [usize; 2] {
    let ids: BTreeSet<TargetId> = harness
        .store
        .views(harness.moment())
        .into_iter()
        .map(|view| view.target.id.clone())
        .collect();
    harness.run_until(warm);
    let mut largest = [0; 2];
    for second in (warm..end).step_by(30) {
        harness.run_until(second + 30);
        let half = &mut largest[usize::from(second >= middle)];
        *half = (*half).max(size(harness, &ids).0);
        (harness.made, harness.polled) = Default::default();
    }
    largest
}

/// All invocations of a region are read every two seconds, and whole lists every minute.
fn region(settings: Settings) -> Harness {
    let mut harness = Harness::living(settings);
    harness.config.swas_strategy = SwasStrategy::PerRegion;
    harness.config.poll.history_interval = Duration::from_secs(60);
    harness.config.poll.interval = Duration::from_secs(2);
    harness.config.poll.active_interval = Duration::from_secs(2);
    // The simulator's own limit is 1000.
    harness.config.accounts[0].quotas.insert(Product::Swas.into(), 900);
    harness.apply(harness.config.clone());
    harness
}

#[test]
fn lists_that_move_while_they_are_read_leave_nothing_behind_and_each_end_is_counted_once() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let latency = Duration::from_millis(200);
        let settings = Settings {
            clusters: 0,
            servers: 12,
            invocations: 25,
            time_scale: 5.0,
            latency,
            order,
            ..Settings::default()
        };
        let mut harness = region(settings);
        let [early, late] = largest(&mut harness, 120, 420, 720);
        assert!(late * 10 < early * 11, "{order:?}: bytes of state: {early}, then {late}");
        for view in harness.store.views(harness.moment()) {
            let target = &view.target.id;
            let counted: u64 = finished(&harness.reading(target)).values().sum();
            let ends: BTreeSet<String> = harness.ends(target).collect();
            assert_eq!(counted, ends.len() as u64, "{order:?} {target:?}");
            // 25 begin in twelve seconds; the first and the last few are not counted.
            assert!((1470..=1500).contains(&counted), "{order:?} {target:?}: {counted}");
            assert_eq!(view.state.lists.missing_once, 0, "{order:?} {target:?}");
        }
    }
}

#[test]
fn a_list_that_is_never_read_to_its_end_leaves_nothing_behind() {
    let settings = Settings {
        clusters: 0,
        servers: 2,
        invocations: 60,
        time_scale: 6.0,
        ..Settings::default()
    };
    let mut repeating = region(settings);
    repeating.fault(r#"{"match": {"action": "DescribeCommandInvocations"}, "fault": {"kind": "repeated_page"}}"#);
    let [early, late] = largest(&mut repeating, 600, 1200, 1800);
    assert!(late * 10 < early * 11, "bytes of state: {early}, then {late}");
    assert!(
        repeating.store.views(repeating.moment()).iter().all(|view| view.state.lists.missing > 0)
    );

    let settings = Settings {
        servers: 0,
        clusters: 1,
        commands: 0,
        task_history: 120,
        time_scale: 40.0,
        ..Settings::default()
    };
    let mut cut_off = Harness::living(settings);
    cut_off.config.poll.history_interval = Duration::from_secs(10);
    cut_off.config.poll.history_max_pages = 1;
    cut_off.apply(cut_off.config.clone());
    let [early, late] = largest(&mut cut_off, 900, 1800, 2700);
    assert!(late * 10 < early * 11, "bytes of state: {early}, then {late}");
}

#[test]
fn a_target_that_hangs_for_three_days_takes_nobody_with_it_and_is_back_when_it_answers() {
    const DAYS: i64 = 3 * 86_400;
    let mut world = worlds::servers(1, 1);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", worlds::task("t", -10, 2 * DAYS)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.config.poll.active_interval = Duration::from_secs(120);
    harness.apply(harness.config.clone());
    harness.run_until(50);
    let drips = r#"{"kind": "drip", "bytes": 1, "pause_ms": 1000}"#;
    harness.fault(&format!(
        r#"{{"match": {{"action": "ListTasks"}}, "fault": {drips}, "schedule": {{"to": {DAYS}}}}}"#
    ));
    let hanging = id(Kind::EhpcTasks, "c");
    let other = id(Kind::SwasInvocations, "s00");
    harness.run_until(DAYS - 1);
    assert_eq!(harness.failure(&hanging).unwrap().reason.label(), "timeout");
    let ends = |target: &TargetId| {
        let polls = harness.polled.iter().filter(|poll| poll.target == *target);
        polls.map(|poll| poll.ended).collect::<Vec<_>>()
    };
    let longest =
        |target| ends(target).windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap();
    assert!(longest(&hanging) <= seconds(160), "{:?}", longest(&hanging));
    assert!(longest(&other) <= seconds(121), "{:?}", longest(&other));
    assert!(harness.polled.iter().all(|poll| poll.target == hanging || poll.failure.is_none()));
    harness.run_until(DAYS + 160);
    assert_eq!(harness.failure(&hanging), None);
    assert_eq!(harness.tasks("c").tasks.len(), 1);
}

#[test]
fn a_poll_whose_calls_are_all_slow_ends_with_the_attempt_that_reaches_its_limit() {
    let mut harness = Harness::scripted(worlds::servers(1, 30));
    let timeout = harness.config.poll.timeout;
    harness.sim.settings_mut().latency = timeout - Duration::from_millis(100);
    harness.run_until(600);
    let page = parse(&harness.page(Format::Text));
    let took = page
        .value("aliyun_task_exporter_target_poll_duration_seconds", &[("target", "s00")])
        .unwrap();
    assert!(took <= 4.0 * timeout.as_secs_f64(), "{took}");
    assert!(harness.polled.len() > 10 && harness.polled.iter().all(|poll| poll.failure.is_none()));
    assert!(harness.polled[0].ended > start() + seconds(29), "the list and its results were slow");
}
