//! The exporter stops and starts again on its state file, over TCP.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::exporter::Exporter;
use crate::support::folder::Folder;
use crate::support::page::Page;
use crate::support::worlds::{self, command, invocation, task};
use aliyun_task_exporter::app::Options;
use aliyun_task_exporter::config::{Config, Discovery, Filter, Regions, SwasStrategy};
use aliyun_task_exporter::sim::{Settings, Simulator};
use aliyun_task_exporter::{app, demo};
use jiff::Timestamp;

/// A cluster, `c`, and a server, `s00`, with old things, and with open ones that are about to end.
fn start(folder: &Folder) -> Exporter {
    let mut world = worlds::servers(1, 3);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", task("open", -10, 10_000)).unwrap();
    world.add_command("c", command("open", 2, -10, 10_000)).unwrap();
    world.add_invocation("s00", invocation("open", -10, 10_000, 3)).unwrap();
    let path = folder.state();
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world, Timestamp::now()),
        |config| {
            config.state.path = Some(path);
        },
    );
    exporter.wait("everything is read", is_read);
    exporter
}

fn is_read(page: &Page) -> bool {
    page.sum("aliyun_task_exporter_target_up", &[]) == 3.0
        && page.all("aliyun_swas_invocation_exit_code", &[]).count() >= 3
}

#[test]
fn servers_asked_for_by_region_go_on_where_they_were_and_so_do_they_one_by_one() {
    let folder = Folder::new();
    let mut world = worlds::servers(3, 4);
    world.add_invocation("s00", invocation("open", -10, 10_000, 3)).unwrap();
    let sim = Simulator::with_world(Settings::default(), world, Timestamp::now());
    let by_region = |config: &mut Config| {
        config.state.path = Some(folder.state());
        config.swas_strategy = SwasStrategy::PerRegion;
    };
    let all = |page: &Page| {
        page.sum("aliyun_task_exporter_target_up", &[]) == 3.0
            && page.all("aliyun_swas_invocation_exit_code", &[]).count() >= 12
    };
    let exporter = Exporter::start(sim, by_region);
    let page = exporter.wait("everything is read", all);
    assert_eq!(page.all("aliyun_swas_invocation_records", &[]).count(), 0);
    assert_eq!(page.sum("aliyun_swas_invocations_finished_total", &[]), 0.0);
    let asked = page.value(
        "aliyun_task_exporter_api_quota_calls_per_minute",
        &[("operation", "DescribeCommandInvocations")],
    );
    assert!(
        asked.is_some()
            && page
                .sum("aliyun_task_exporter_api_requests_total", &[("operation", "ListInstances")])
                == 1.0
    );
    // It ends while no exporter runs, and both strategies see that end.
    let end = |id: &'static str| {
        move |sim: &mut Simulator| {
            sim.world_mut().add_invocation("s00", invocation(id, -10, -5, 3)).unwrap();
        }
    };
    let exporter = exporter.again(end("open"), by_region);
    let ended = |count: f64| {
        move |page: &Page| page.sum("aliyun_swas_invocations_finished_total", &[]) == count
    };
    exporter.wait("its end is counted", ended(1.0));
    let exporter = exporter.again(end("open"), |config| config.state.path = Some(folder.state()));
    let page = exporter.wait("records are told", |page| {
        page.all("aliyun_swas_invocation_records", &[]).count() == 15 && all(page)
    });
    assert_eq!(page.sum("aliyun_swas_invocations_finished_total", &[]), 1.0);
    exporter.sim().world_mut().add_invocation("s01", invocation("new", 0, 1, 0)).unwrap();
    exporter.wait("counted on", ended(2.0));
    let exporter = exporter.again(|_| {}, by_region);
    let page = exporter.wait("everything is read", all);
    assert_eq!(page.sum("aliyun_swas_invocations_finished_total", &[]), 2.0);
    let results =
        exporter.sim().calls().filter(|call| call.action == "DescribeInvocationResult").count();
    assert_eq!(results, 1, "of the one invocation that ended meanwhile");
}

const COUNTERS: [&str; 3] = [
    "aliyun_ehpc_tasks_finished_total",
    "aliyun_ehpc_invocations_finished_total",
    "aliyun_swas_invocations_finished_total",
];

fn counts(page: &Page) -> [f64; 3] {
    COUNTERS.map(|name| page.sum(name, &[]))
}

/// Ends everything that is open; returns the second in which it ended.
fn end_open(sim: &mut Simulator, started: Timestamp) -> i64 {
    let now = Timestamp::now().duration_since(started).as_secs();
    let world = sim.world_mut();
    world.add_task("c", task("open", -10, now - 1)).unwrap();
    world.add_command("c", command("open", 2, -10, now - 1)).unwrap();
    world.add_invocation("s00", invocation("open", -10, now - 1, 3)).unwrap();
    now
}

/// Ends everything that is open, and adds more that has begun and ended.
fn end_all(sim: &mut Simulator, started: Timestamp) {
    let now = end_open(sim, started);
    let world = sim.world_mut();
    for quick in ["quick1", "quick2"] {
        world.add_task("c", task(quick, now - 2, now - 1)).unwrap();
        world.add_command("c", command(quick, 1, now - 2, now - 1)).unwrap();
        world.add_invocation("s00", invocation(quick, now - 2, now - 1, 0)).unwrap();
    }
}

/// Everything that comes from the cloud.
fn shown(page: &Page) -> BTreeSet<String> {
    let is_of_cloud =
        |name: &str| name.starts_with("aliyun_ehpc_") || name.starts_with("aliyun_swas_");
    page.samples
        .iter()
        .filter(|sample| is_of_cloud(&sample.name))
        .map(ToString::to_string)
        .collect()
}

fn last_success(page: &Page) -> Vec<(String, f64)> {
    let all = page.all("aliyun_task_exporter_target_last_success_timestamp_seconds", &[]);
    all.map(|sample| (format!("{:?}", sample.labels), sample.value.parse().unwrap())).collect()
}

#[test]
fn what_was_shown_is_shown_again_at_once_with_its_age_and_counts_go_on() {
    let folder = Folder::new();
    let begun = Timestamp::now();
    let exporter = start(&folder);
    let before = exporter.metrics();
    assert_eq!(counts(&before), [0.0; 3]);
    let results = |exporter: &Exporter| {
        let sim = exporter.sim();
        let calls = sim.calls().filter(|call| call.action == "DescribeInvocationResult");
        calls.map(|call| call.parameters["InvokeId"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(results(&exporter).len(), 3);
    // The first poll must not end before the test has looked.
    let path = folder.state();
    let exporter = exporter.again(
        |sim| {
            end_all(sim, begun);
            sim.add_faults(r#"[{"fault": {"kind": "latency", "ms": 60000}}]"#).unwrap();
        },
        |config| {
            config.poll.timeout = Duration::from_secs(30);
            config.state.path = Some(path);
        },
    );
    let restored = exporter.metrics();
    assert_eq!(restored.all("aliyun_task_exporter_target_up", &[]).count(), 0, "no poll has ended");
    assert_eq!(shown(&restored), shown(&before));
    for ((target, now), (_, then)) in last_success(&restored).into_iter().zip(last_success(&before))
    {
        assert!(now <= then + 0.2 && now > then - 60.0, "{target}: {then} then {now}");
    }
    // Now the first poll can succeed.
    let path = folder.state();
    let exporter = exporter.again(Simulator::clear_faults, |config| config.state.path = Some(path));
    let all = |page: &Page| {
        counts(page) == [3.0; 3] && page.all("aliyun_swas_invocation_exit_code", &[]).count() == 6
    };
    exporter.wait("what ended while no exporter ran is counted", all);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(counts(&exporter.metrics()), [3.0; 3]);
    let path = folder.state();
    let exporter = exporter.again(|_| {}, |config| config.state.path = Some(path));
    assert_eq!(counts(&exporter.metrics()), [3.0; 3]);
    exporter.wait("it polls again", is_read);
    assert_eq!(counts(&exporter.metrics()), [3.0; 3]);
    let mut asked = results(&exporter);
    assert_eq!(asked.len(), 6);
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 6, "each once");
}

#[test]
fn a_second_exporter_on_the_same_file_refuses_to_start() {
    let folder = Folder::new();
    let exporter = start(&folder);
    let refused = serve_in_vain(config_on(&exporter, &folder));
    assert!(
        refused.contains("is in use by another process") && refused.contains("state.redb"),
        "{refused}"
    );
    assert_eq!(exporter.get("/-/healthy").status, 200);
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    std::fs::write(folder.state(), "accounts: []").unwrap();
    let mut config = Config::default();
    config.state.path = Some(folder.state());
    let refused = serve_in_vain(config);
    assert!(
        refused.contains("is no state file of this program") && refused.contains("state.redb"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(folder.state()).unwrap(), "accounts: []");
    assert_eq!(folder.names(), ["state.redb"]);
}

fn serve_in_vain(config: Config) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(app::serve(Options::new(config, vec![]), async {})).unwrap_err().to_string()
}

#[test]
fn one_that_waits_stands_by_and_takes_over() {
    let folder = Folder::new();
    let begun = Timestamp::now();
    let waits = |config: &mut Config| {
        config.state.path = Some(folder.state());
        config.state.wait = true;
    };
    let leader = start(&folder);
    let standby = leader.beside(waits);
    let page = standby.metrics();
    assert_eq!(leader.metrics().value("aliyun_task_exporter_leader", &[]), Some(1.0));
    assert_eq!(page.value("aliyun_task_exporter_leader", &[]), Some(0.0));
    assert_eq!(page.all("aliyun_task_exporter_state_saved", &[]).count(), 0);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(standby.get(path).status, 200, "{path}");
    }
    assert!(
        shown(&page).is_empty() && page.all("aliyun_task_exporter_target_up", &[]).count() == 0
    );
    assert_eq!(
        page.all("aliyun_task_exporter_api_requests_total", &[]).count(),
        0,
        "it asks nothing"
    );
    assert!(standby.get("/").text().contains("Standing by: another instance polls"));
    assert!(standby.get("/api/v1/status").text().contains(r#""leader":false"#));
    end_open(&mut leader.sim(), begun);
    leader.wait("ends are counted", |page| counts(page) == [1.0; 3]);
    drop(leader);
    let page = standby
        .wait("it polls", |page| page.value("aliyun_task_exporter_leader", &[]) == Some(1.0));
    assert_eq!(counts(&page), [1.0; 3], "what was known is shown at once");
    let page = standby.wait("it goes on", |page| {
        is_read(page) && page.value("aliyun_task_exporter_state_saved", &[]) == Some(1.0)
    });
    assert_eq!(counts(&page), [1.0; 3], "each end once");
    assert!(serve_in_vain(config_on(&standby, &folder)).contains("is in use by another process"));
}

fn config_on(exporter: &Exporter, folder: &Folder) -> Config {
    let mut config = demo::config(&exporter.sim().truth(Timestamp::now()), exporter.cloud);
    config.state.path = Some(folder.state());
    config
}

#[test]
fn one_that_stands_by_ends_when_it_is_told() {
    let folder = Folder::new();
    let leader = start(&folder);
    drop(leader.beside(|config| {
        config.state.path = Some(folder.state());
        config.state.wait = true;
    }));
    assert_eq!(
        leader.metrics().value("aliyun_task_exporter_state_saved", &[]),
        Some(1.0),
        "nothing has disturbed it"
    );
}

#[test]
fn a_file_that_is_deleted_meanwhile_is_written_again_whole() {
    let folder = Folder::new();
    let begun = Timestamp::now();
    let exporter = start(&folder);
    end_open(&mut exporter.sim(), begun);
    exporter.wait("ends are counted", |page| counts(page) == [1.0; 3]);
    std::fs::remove_file(folder.state()).unwrap();
    exporter.wait("it is there again", |_| folder.state().exists());
    let page = exporter.wait("it is saved", |page| {
        page.value("aliyun_task_exporter_state_saved", &[]) == Some(1.0)
    });
    let exporter = exporter.again(
        |sim| sim.add_faults(r#"[{"fault": {"kind": "outage"}}]"#).unwrap(),
        |config| config.state.path = Some(folder.state()),
    );
    assert_eq!(shown(&exporter.metrics()), shown(&page));
}

#[test]
fn where_another_file_stands_nothing_is_saved_and_that_is_told_until_it_is_gone() {
    let folder = Folder::new();
    let exporter = start(&folder);
    std::fs::write(folder.path().join("other"), "theirs").unwrap();
    std::fs::rename(folder.path().join("other"), folder.state()).unwrap();
    exporter.wait("it is told", |page| {
        page.value("aliyun_task_exporter_state_saved", &[]) == Some(0.0)
    });
    assert_eq!(std::fs::read_to_string(folder.state()).unwrap(), "theirs");
    assert!(exporter.get("/").text().contains("was replaced by another file"));
    std::fs::remove_file(folder.state()).unwrap();
    exporter.wait("it is saved again", |page| {
        page.value("aliyun_task_exporter_state_saved", &[]) == Some(1.0)
    });
    assert!(folder.state().exists());
}

#[test]
fn a_damaged_file_is_set_aside_and_the_exporter_starts_without_it() {
    let folder = Folder::new();
    let exporter = start(&folder);
    let path = folder.state();
    let damage = || {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[64..].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
    };
    let exporter = exporter.again(|_| damage(), |config| config.state.path = Some(folder.state()));
    exporter.wait("everything is read", is_read);
    let names = folder.names();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("state.redb.damaged-")), "{names:?}");
}

#[test]
fn without_a_file_everything_begins_anew() {
    let folder = Folder::new();
    let exporter = start(&folder);
    let exporter = exporter.again(
        |sim| sim.add_faults(r#"[{"fault": {"kind": "outage"}}]"#).unwrap(),
        |config| config.state.path = None,
    );
    let page = exporter
        .wait("all is down", |page| page.sum("aliyun_task_exporter_target_failing", &[]) == 3.0);
    assert_eq!(
        (last_success(&page).len(), page.all("aliyun_ehpc_task_status", &[]).count()),
        (0, 0)
    );
}

#[test]
fn a_discovered_fleet_is_polled_again_before_it_is_found_again() {
    let folder = Folder::new();
    let discovering = |config: &mut Config| {
        let account = "demo".into();
        let filter = Filter::default();
        let entry = Discovery {
            account,
            regions: Regions::All,
            filter,
            interval: Duration::from_secs(600),
        };
        config.clusters = Vec::new();
        config.servers = Vec::new();
        config.cluster_discovery.entries = vec![entry.clone()];
        config.server_discovery.entries = vec![entry];
        config.state.path = Some(folder.state());
    };
    let mut world = worlds::servers(3, 1);
    worlds::add_cluster(&mut world, "c");
    let sim = Simulator::with_world(Settings::default(), world, Timestamp::now());
    let fleet = |page: &Page| {
        page.sum("aliyun_task_exporter_target_up", &[("kind", "swas_invocations")]) == 3.0
            && page.sum("aliyun_task_exporter_target_up", &[("kind", "ehpc_tasks")]) == 1.0
    };
    let exporter = Exporter::start(sim, discovering);
    exporter.wait("the fleet is found", fleet);
    let break_discovery = |sim: &mut Simulator| {
        for action in ["ListRegions", "ListClusters", "ListInstances"] {
            sim.add_faults(&format!(
                r#"[{{"match": {{"action": "{action}"}}, "fault": {{"kind": "reset"}}}}]"#
            ))
            .unwrap();
        }
    };
    let exporter = exporter.again(break_discovery, discovering);
    assert_eq!(exporter.metrics().all("aliyun_swas_server_info", &[]).count(), 3, "at once");
    let page = exporter.wait("the fleet is polled", fleet);
    assert_eq!(page.sum("aliyun_task_exporter_target_up", &[("kind", "discovery")]), 0.0);
    assert_eq!(
        page.value("aliyun_task_exporter_discovered", &[("target", "swas/demo/cn-hangzhou")]),
        Some(3.0)
    );
}
