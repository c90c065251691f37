//! A configuration that changes while targets are polled.

use std::collections::BTreeSet;
use std::time::Duration;

use aliyun_task_exporter::config::StatusStyle;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::Settings;

use crate::support::harness::Harness;
use crate::support::page::{Page, parse};
use crate::support::{seconds, worlds};

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

#[test]
fn what_is_known_of_a_target_that_changes_is_kept() {
    let mut harness = Harness::living(Settings { clusters: 1, servers: 1, ..Settings::default() });
    harness.run_until(200);
    harness.sim.freeze(harness.now);
    harness.run_for(31);
    let cluster = harness.config.clusters[0].id.clone();
    let server = harness.config.servers[0].id.clone();
    let before =
        (harness.tasks(&cluster), harness.invocations(&server), harness.commands(&cluster));
    harness.made.clear();
    let mut config = harness.config.clone();
    config.clusters[0].name = "renamed".into();
    config.clusters[0].tasks.max_tasks = 300;
    config.clusters[0].commands.discover = 30;
    config.servers[0].window.max_invocations = 60;
    harness.apply(config);
    assert_eq!(
        page(&harness).value("aliyun_ehpc_cluster_info", &[("cluster_name", "renamed")]),
        Some(1.0)
    );
    harness.run_for(5);
    assert_eq!(harness.tasks(&cluster).finished, before.0.finished);
    assert_eq!(harness.tasks(&cluster).durations, before.0.durations);
    assert_eq!(harness.invocations(&server).finished, before.1.finished);
    assert_eq!(harness.commands(&cluster).finished, before.2.finished);
    let asked: BTreeSet<_> = harness.made.iter().map(|made| made.operation.name()).collect();
    assert!(!asked.contains("DescribeInvocationResult"), "nothing is asked for twice: {asked:?}");
    assert!(!asked.contains("ListInvocationResults"), "nothing is asked for twice: {asked:?}");
}

#[test]
fn a_target_that_goes_takes_its_series_with_it_even_with_a_call_under_way() {
    let settings = Settings {
        latency: Duration::from_secs(3),
        clusters: 2,
        servers: 2,
        ..Settings::default()
    };
    let mut harness = Harness::living(settings);
    harness.run_until(61);
    let mut config = harness.config.clone();
    let cluster = config.clusters.remove(0).id;
    let server = config.servers.remove(0).id;
    assert!(page(&harness).samples.iter().any(|sample| sample.to_string().contains(&cluster)));
    harness.apply(config);
    for _ in 0..2 {
        let text = harness.page(Format::Text);
        assert!(!text.contains(&cluster) && !text.contains(&server));
        harness.made.clear();
        harness.run_for(60);
    }
    let asked: BTreeSet<_> = harness.made.iter().map(|made| made.target.id.to_string()).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn a_changed_style_or_window_is_seen_at_once_and_loses_nothing() {
    let mut harness = Harness::scripted(worlds::servers(1, 4));
    harness.run_until(40);
    // From now on nothing can be read.
    harness.fault(r#"{"fault": {"kind": "outage"}}"#);
    let mut config = harness.config.clone();
    config.metrics.status_style = StatusStyle::Full;
    harness.apply(config.clone());
    assert_eq!(page(&harness).all("aliyun_swas_invocation_status", &[]).count(), 4 * 12);
    config.metrics.status_style = StatusStyle::Current;
    config.servers[0].window.max_invocations = 40;
    harness.apply(config);
    assert_eq!(page(&harness).all("aliyun_swas_invocation_status", &[]).count(), 4);
}

#[test]
fn a_changed_cadence_holds_for_targets_that_are_polled_already() {
    let mut harness = Harness::scripted(worlds::servers(1, 1));
    let mut config = harness.config.clone();
    config.poll.interval = Duration::from_secs(3600);
    config.poll.idle_interval = Duration::from_secs(3600);
    harness.apply(config.clone());
    harness.run_until(100);
    config.poll.interval = Duration::from_secs(20);
    config.poll.history_max_pages = 1;
    harness.made.clear();
    harness.apply(config);
    let invocations = worlds::servers(1, 120);
    let sim = &mut harness.sim;
    sim.settings_mut().latency = Duration::ZERO;
    *sim.world_mut() = invocations;
    harness.run_for(130);
    let calls: Vec<_> = harness.of("DescribeInvocations").iter().map(|made| made.sent).collect();
    assert!((6..=8).contains(&calls.len()), "{calls:?}");
    assert!(
        calls.windows(2).all(|pair| pair[1].duration_since(pair[0]) >= seconds(19)),
        "one page each: {calls:?}"
    );
}
