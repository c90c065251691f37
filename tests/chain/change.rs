//! A configuration that changes while targets are polled.

use std::collections::BTreeSet;
use std::time::Duration;

use aliyun_task_exporter::config::StatusStyle;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::Settings;

use crate::support::page::{Page, parse};
use crate::support::rig::Rig;
use crate::support::{seconds, worlds};

fn page(rig: &Rig) -> Page {
    parse(&rig.page(Format::Text))
}

#[test]
fn what_is_known_of_a_target_that_changes_is_kept() {
    let mut rig = Rig::living(Settings { clusters: 1, servers: 1, ..Settings::default() });
    rig.run_until(200);
    rig.sim.freeze(rig.now);
    rig.run_for(31);
    let (cluster, server) = (rig.config.clusters[0].id.clone(), rig.config.servers[0].id.clone());
    let before = (rig.tasks(&cluster), rig.runs(&server), rig.commands(&cluster));
    rig.made.clear();
    let mut config = rig.config.clone();
    config.clusters[0].name = "renamed".into();
    config.clusters[0].tasks.max_tasks = 300;
    config.clusters[0].commands.discover = 30;
    config.servers[0].window.max_invocations = 60;
    rig.apply(config);
    assert_eq!(page(&rig).value("aliyun_ehpc_cluster_info", &[("cluster_name", "renamed")]), Some(1.0));
    rig.run_for(5);
    assert_eq!(rig.tasks(&cluster).finished, before.0.finished);
    assert_eq!(rig.tasks(&cluster).durations, before.0.durations);
    assert_eq!(rig.runs(&server).finished, before.1.finished);
    assert_eq!(rig.commands(&cluster).finished, before.2.finished);
    let asked: BTreeSet<_> = rig.made.iter().map(|made| made.operation.name()).collect();
    assert!(!asked.contains("DescribeInvocationResult"), "nothing is asked for twice: {asked:?}");
    assert!(!asked.contains("ListInvocationResults"), "nothing is asked for twice: {asked:?}");
}

#[test]
fn a_target_that_goes_takes_its_series_with_it_even_with_a_call_under_way() {
    let settings = Settings { latency: Duration::from_secs(3), clusters: 2, servers: 2, ..Settings::default() };
    let mut rig = Rig::living(settings);
    rig.run_until(61);
    let mut config = rig.config.clone();
    let (cluster, server) = (config.clusters.remove(0).id, config.servers.remove(0).id);
    assert!(page(&rig).samples.iter().any(|sample| sample.to_string().contains(&cluster)));
    rig.apply(config);
    for _ in 0..2 {
        let text = rig.page(Format::Text);
        assert!(!text.contains(&cluster) && !text.contains(&server));
        rig.made.clear();
        rig.run_for(60);
    }
    let asked: BTreeSet<_> = rig.made.iter().map(|made| made.target.id.to_string()).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn a_changed_style_or_window_is_seen_at_once_and_loses_nothing() {
    let mut rig = Rig::scripted(worlds::servers(1, 4));
    rig.run_until(40);
    // From now on nothing can be read.
    rig.fault(r#"{"fault": {"kind": "outage"}}"#);
    let mut config = rig.config.clone();
    config.metrics.status_style = StatusStyle::Full;
    rig.apply(config.clone());
    assert_eq!(page(&rig).all("aliyun_swas_invocation_status", &[]).count(), 4 * 12);
    config.metrics.status_style = StatusStyle::Current;
    config.servers[0].window.max_invocations = 40;
    rig.apply(config);
    assert_eq!(page(&rig).all("aliyun_swas_invocation_status", &[]).count(), 4);
}

#[test]
fn a_changed_cadence_holds_for_targets_that_are_polled_already() {
    let mut rig = Rig::scripted(worlds::servers(1, 1));
    let mut config = rig.config.clone();
    (config.poll.interval, config.poll.idle_interval) = (Duration::from_secs(3600), Duration::from_secs(3600));
    rig.apply(config.clone());
    rig.run_until(100);
    (config.poll.interval, config.poll.history_max_pages) = (Duration::from_secs(20), 1);
    rig.made.clear();
    rig.apply(config);
    let runs = worlds::servers(1, 120);
    let sim = &mut rig.sim;
    sim.settings_mut().latency = Duration::ZERO;
    *sim.world_mut() = runs;
    rig.run_for(130);
    let calls: Vec<_> = rig.of("DescribeInvocations").iter().map(|made| made.sent).collect();
    assert!((6..=8).contains(&calls.len()), "{calls:?}");
    assert!(calls.windows(2).all(|pair| pair[1].duration_since(pair[0]) >= seconds(19)), "one page each: {calls:?}");
}
