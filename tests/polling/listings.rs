//! What the lists of discovery say about clusters and servers: shown as it is said, as old as the
//! page that said it, and for no call more.

use std::collections::BTreeSet;
use std::time::Duration;

use aliyun_task_exporter::config::{Account, Config, Discovery, Filter, Pattern, Regions, Server};
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::sim::{ServerSpec, Settings, Simulator, World};
use aliyun_task_exporter::target::Kind;
use jiff::SignedDuration;

use crate::support::harness::{Harness, discovering, id};
use crate::support::page::{Page, parse};
use crate::support::truth::{list, text};
use crate::support::{seconds, start, worlds};

const STATUS: &str = "aliyun_swas_server_status";
const BUSINESS: &str = "aliyun_swas_server_business_status";
const EXPIRY: &str = "aliyun_swas_server_expiry_timestamp_seconds";
const CLUSTER: &str = "aliyun_ehpc_cluster_status";
const NODES: &str = "aliyun_ehpc_cluster_nodes";
const TOTAL: &str = "aliyun_ehpc_cluster_total_nodes";

fn hangzhou() -> Regions {
    Regions::Named(vec!["cn-hangzhou".into()])
}

/// An exporter that discovers everything it polls, with a configuration adjusted by `change`.
fn found(world: World, change: impl FnOnce(&mut Config)) -> Harness {
    let sim = Simulator::with_world(Settings::default(), world, start());
    let mut config = discovering(&sim, hangzhou());
    change(&mut config);
    Harness::new(sim, config)
}

fn page(harness: &Harness) -> Page {
    parse(&harness.page(Format::Text))
}

/// The status of a server, if it is shown.
fn status(harness: &Harness, server: &str) -> Option<String> {
    let page = page(harness);
    let of = [("instance_id", server)];
    let mut shown = page.all(STATUS, &of);
    let status = shown.next().map(|sample| sample.labels["status"].clone());
    assert!(shown.next().is_none(), "{server} has one status");
    status
}

fn configured(id: &str, region: &str) -> Server {
    Server {
        id: id.into(),
        region: region.into(),
        account: "demo".into(),
        name: String::new(),
        window: Default::default(),
    }
}

fn stop(harness: &mut Harness, server: &str) {
    harness.sim.world_mut().change_server(server, |spec| spec.status = "Stopped".into());
}

const FAIL: &str = r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "error", "status": 409, "code": "PartFailure"}}"#;

#[test]
fn a_living_world_is_shown_as_its_lists_say_and_changes_are_seen() {
    let sim = Simulator::new(Settings { clusters: 5, servers: 9, ..Settings::default() }, start());
    let config = discovering(&sim, Regions::All);
    let mut harness = Harness::new(sim, config);
    let mut states: BTreeSet<String> = BTreeSet::new();
    for minute in 1..10 {
        harness.run_until(minute * 60 + 30);
        harness.sim.freeze(harness.now);
        harness.run_for(70);
        let truth = harness.sim.truth(harness.now);
        harness.sim.thaw();
        let page = page(&harness);
        for cluster in list(&truth["clusters"]) {
            let of = ("cluster_id", text(&cluster["id"]));
            let is = ("status", text(&cluster["status"]));
            assert_eq!(page.value(CLUSTER, &[of, is]), Some(1.0));
            for (role, nodes) in [("manager", "managers"), ("compute", "computes")] {
                let role = ("role", role);
                for state in ["normal", "operating", "stopped", "exception"] {
                    let shown = page.value(NODES, &[of, role, ("state", state)]);
                    assert_eq!(shown, cluster[nodes][state].as_f64(), "{of:?} {role:?} {state}");
                    states.extend(shown.filter(|count| *count > 0.0).map(|_| state.to_owned()));
                }
                let total = page.value(TOTAL, &[of, role]);
                assert_eq!(total, cluster[nodes]["total"].as_f64());
                assert_eq!(total, Some(page.sum(NODES, &[of, role])));
            }
        }
        for server in list(&truth["servers"]) {
            let of = ("instance_id", text(&server["id"]));
            assert_eq!(page.value(STATUS, &[of, ("status", text(&server["status"]))]), Some(1.0));
            let business = ("status", text(&server["business_status"]));
            assert_eq!(page.value(BUSINESS, &[of, business]), Some(1.0));
            let expires: jiff::Timestamp = text(&server["expired_time"]).parse().unwrap();
            assert_eq!(page.value(EXPIRY, &[of]), Some(expires.as_second() as f64));
        }
    }
    let all = ["exception", "normal", "operating", "stopped"].map(str::to_owned);
    assert_eq!(states, all.into(), "the world stands still");
}

#[test]
fn an_hour_costs_the_calls_of_discovery_and_no_other() {
    let mut harness = found(worlds::servers(2, 1), |config| {
        config.cluster_discovery.entries.clear();
    });
    harness.run_until(3599);
    let operations: BTreeSet<&str> =
        harness.made.iter().map(|made| made.operation.name()).collect();
    let wanted = ["DescribeInvocationResult", "DescribeInvocations", "ListInstances"];
    assert_eq!(operations, wanted.into());
    assert_eq!(harness.of("ListInstances").len(), 60, "one page a minute");
}

#[test]
fn what_is_said_is_withdrawn_at_its_own_age_and_shown_again_when_it_is_said_again() {
    let mut harness = found(worlds::servers(2, 1), |_| {});
    harness.run_until(50);
    let before = page(&harness).sum("aliyun_task_exporter_target_series", &[("target", "s00")]);
    harness.fault(FAIL);
    stop(&mut harness, "s00");
    harness.run_until(599);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Running"), "the last that was said");
    harness.run_until(605);
    assert_eq!(status(&harness, "s00"), None, "it is ten minutes old");
    let withdrawn = page(&harness);
    assert!([BUSINESS, EXPIRY].iter().all(|name| withdrawn.all(name, &[]).count() == 0));
    let up = withdrawn.value("aliyun_task_exporter_target_up", &[("target", "s00")]);
    assert_eq!(up, Some(1.0), "the server itself is polled");
    harness.sim.clear_faults();
    harness.run_until(680);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Stopped"));
    let after = page(&harness).sum("aliyun_task_exporter_target_series", &[("target", "s00")]);
    assert_eq!(after, before);
    stop(&mut harness, "s01");
    harness.run_until(740);
    assert_eq!(status(&harness, "s01").as_deref(), Some("Stopped"));
}

#[test]
fn a_list_that_is_not_whole_says_nothing_of_the_rest() {
    let mut world = worlds::servers(0, 0);
    for number in 0..150 {
        worlds::add_server(&mut world, &format!("s{number:03}"));
    }
    let mut harness = found(world, |_| {});
    harness.run_until(50);
    assert_eq!(page(&harness).all(STATUS, &[]).count(), 150);
    harness.fault(
        r#"{"match": {"action": "ListInstances"}, "fault": {"kind": "paging", "page_size": 100, "pages": 1}}"#,
    );
    harness.run_until(599);
    assert_eq!(page(&harness).all(STATUS, &[]).count(), 150, "it was said within ten minutes");
    harness.run_until(700);
    let page = page(&harness);
    assert_eq!(page.all(STATUS, &[]).count(), 100, "though the list was read a minute ago");
    assert_eq!(page.all("aliyun_swas_server_info", &[]).count(), 150, "they are still polled");
}

#[test]
fn only_what_is_polled_is_shown_and_what_no_discovery_covers_has_none() {
    let mut world = worlds::servers(0, 0);
    for (id, name, region) in
        [("s1", "web", "cn-hangzhou"), ("s2", "db", "cn-hangzhou"), ("s3", "far", "cn-shanghai")]
    {
        let spec = ServerSpec { id: id.into(), name: name.into(), ..ServerSpec::default() };
        world.add_server(ServerSpec { region: region.into(), ..spec });
    }
    let mut harness = found(world, |config| {
        config.server_discovery.entries[0].filter.include = Some(Pattern::new("web").unwrap());
        config.servers = vec![configured("s3", "cn-shanghai")];
    });
    harness.run_until(90);
    let shown = |harness: &Harness| {
        let page = page(harness);
        let ids = page.all(EXPIRY, &[]).map(|sample| sample.labels["instance_id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(shown(&harness), ["s1"]);
    let mut config = harness.config.clone();
    config.servers.push(configured("s2", "cn-hangzhou"));
    harness.apply(config.clone());
    assert_eq!(shown(&harness), ["s1", "s2"], "what discovery leaves out may be configured");
    config.server_discovery.entries.clear();
    harness.apply(config);
    assert_eq!(shown(&harness), [""; 0], "nothing is known of its age any more");
}

#[test]
fn what_is_gone_says_nothing_any_more() {
    let mut harness = found(worlds::servers(2, 0), |config| {
        config.servers = vec![configured("s00", "cn-hangzhou")];
    });
    harness.run_until(50);
    assert!(status(&harness, "s00").is_some() && status(&harness, "s01").is_some());
    harness.sim.world_mut().remove("s00");
    harness.sim.world_mut().remove("s01");
    harness.run_until(110);
    assert_eq!(status(&harness, "s00"), None, "it is configured, but the list no longer has it");
    assert!(!harness.page(Format::Text).contains("\"s01\""));
}

#[test]
fn of_two_discoveries_that_see_a_server_the_newer_counts_and_neither_is_shown_twice() {
    let mut harness = found(worlds::servers(1, 0), |config| {
        let other = Account { name: "other".into(), ..config.accounts[0].clone() };
        config.accounts.push(other);
        config.server_discovery.entries.push(Discovery {
            account: "other".into(),
            regions: hangzhou(),
            filter: Filter::default(),
            interval: Duration::from_secs(150),
        });
    });
    harness.run_until(200);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Running"));
    stop(&mut harness, "s00");
    harness.run_until(241);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Stopped"), "the first has seen it");
    harness.run_until(310);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Stopped"), "and the other one too");
    let mut config = harness.config.clone();
    config.server_discovery.entries.remove(0);
    harness.apply(config);
    harness.run_for(1);
    assert!(page(&harness).all(STATUS, &[]).count() <= 1);
    harness.run_for(160);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Stopped"));
}

#[test]
fn after_a_restart_it_is_shown_with_its_age() {
    let mut harness = found(worlds::servers(1, 0), |_| {}).with_state();
    harness.run_until(70);
    harness.fault(FAIL);
    stop(&mut harness, "s00");
    harness.restart(400);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Running"), "seven minutes old");
    harness.run_for(180);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Running"));
    harness.run_for(30);
    assert_eq!(status(&harness, "s00"), None, "downtime makes it older");
    harness.sim.clear_faults();
    harness.restart(5);
    harness.run_for(20);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Stopped"));
}

#[test]
fn null_missing_absurd_and_unknown_are_what_they_are() {
    for (fault, shown, counted) in [
        (r#"{"kind": "null_words"}"#, None, false),
        (r#"{"kind": "odd_entries", "odd": "only_id"}"#, None, false),
        (r#"{"kind": "unknown_words"}"#, Some("unknown"), true),
        (r#"{"kind": "wrong_types"}"#, Some("Running"), false),
        (r#"{"kind": "odd_entries", "odd": "repeated_key"}"#, Some("Running"), false),
    ] {
        let mut world = worlds::servers(2, 0);
        world.change_server("s00", |spec| spec.expires = None);
        worlds::add_cluster(&mut world, "c");
        let mut harness = found(world, |_| {});
        for action in ["ListInstances", "ListClusters"] {
            harness.fault(&format!(r#"{{"match": {{"action": "{action}"}}, "fault": {fault}}}"#));
        }
        harness.run_until(50);
        assert_eq!(status(&harness, "s01").as_deref(), shown, "{fault}");
        let page = page(&harness);
        let business = page.all(BUSINESS, &[("instance_id", "s01")]).count();
        assert_eq!(business, usize::from(shown.is_some()), "{fault}");
        let of = [("cluster_id", "c")];
        let cluster =
            page.all(CLUSTER, &of).next().map(|sample| sample.labels["status"].to_lowercase());
        assert_eq!(cluster, shown.map(str::to_lowercase), "{fault}");
        assert_eq!(page.value(EXPIRY, &[("instance_id", "s00")]), None, "{fault}");
        let is_bare = fault.contains("only_id");
        assert_eq!(page.value(EXPIRY, &[("instance_id", "s01")]).is_none(), is_bare, "{fault}");
        assert_eq!(page.value(TOTAL, &[("role", "compute")]).is_none(), is_bare, "{fault}");
        let words: BTreeSet<(&str, &str)> =
            harness.unknown.iter().map(|(operation, field, _)| (*operation, *field)).collect();
        let all = [
            ("ListClusters", "Status"),
            ("ListInstances", "BusinessStatus"),
            ("ListInstances", "Status"),
        ];
        assert_eq!(words, if counted { all.into() } else { BTreeSet::new() }, "{fault}");
        assert!(harness.failure(&id(Kind::SwasInvocations, "s01")).is_none(), "{fault}");
    }
}

#[test]
fn an_expired_server_stays_with_the_time_at_which_it_expired() {
    let mut world = worlds::servers(1, 0);
    world.change_server("s00", |spec| spec.expires = Some(SignedDuration::from_secs(100)));
    let mut harness = found(world, |_| {});
    harness.run_until(90);
    let business = |harness: &Harness, word| page(harness).value(BUSINESS, &[("status", word)]);
    assert_eq!(business(&harness, "Normal"), Some(1.0));
    harness.run_until(170);
    assert_eq!((business(&harness, "Expired"), business(&harness, "Normal")), (Some(1.0), None));
    let expiry = page(&harness).value(EXPIRY, &[("instance_id", "s00")]);
    assert_eq!(expiry, Some((start() + seconds(100)).as_second() as f64));
}

#[test]
fn its_series_count_for_the_limits_and_are_never_left_out() {
    let mut harness = found(worlds::servers(1, 50), |config| {
        config.metrics.max_series_per_target = 60;
    });
    harness.run_until(50);
    let shown = page(&harness);
    let series = shown.value("aliyun_task_exporter_target_series", &[("target", "s00")]).unwrap();
    assert!(series <= 60.0 && shown.all(EXPIRY, &[]).count() == 1, "{series}");
    let without_own = |line: &&str| !line.starts_with('#') && !line.contains("_task_exporter_");
    let text = harness.page(Format::Text);
    let lines = text.lines().filter(without_own).filter(|line| line.contains("\"s00\""));
    let lines = lines.filter(|line| !line.starts_with("aliyun_swas_server_info"));
    assert_eq!(lines.count() as f64, series, "each of its series is counted");
    let mut config = harness.config.clone();
    config.metrics.max_series = 1;
    harness.apply(config);
    assert_eq!(status(&harness, "s00").as_deref(), Some("Running"));
}
