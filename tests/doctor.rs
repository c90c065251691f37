//! `doctor` over TCP: each way in which a cloud can fail, what it is called, and what is advised.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::exporter::exchange;
use crate::support::worlds;
use aliyun_task_exporter::action::Action;
use aliyun_task_exporter::config::{
    AssumeRole, Cluster, Config, Credentials, Discovery, Filter, Regions, SecretSource,
    SwasStrategy,
};
use aliyun_task_exporter::doctor::{Report, State, examine, json, policies, text};
use aliyun_task_exporter::poll::needed;
use aliyun_task_exporter::secret::Secret;
use aliyun_task_exporter::sim::{self, ServerSpec, Settings, Simulator};
use aliyun_task_exporter::target::{Findings, targets};
use aliyun_task_exporter::{demo, sim::World};
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;

/// A cloud with a cluster, `c`, and a server, `s00`, and the configuration that polls both.
struct Patient {
    config: Config,
    cloud: SocketAddr,
}

async fn patient(world: World) -> Patient {
    let now = Timestamp::now();
    let simulator = Simulator::with_world(Settings::default(), world, now);
    let truth = simulator.truth(now);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cloud = listener.local_addr().unwrap();
    tokio::spawn(sim::serve(listener, Arc::new(Mutex::new(simulator)), std::future::pending()));
    Patient { config: demo::config(&truth, cloud), cloud }
}

fn world() -> World {
    let mut world = worlds::servers(2, 3);
    worlds::add_cluster(&mut world, "c");
    world.add_command("c", worlds::command("k", 2, -10, 10_000)).unwrap();
    world
}

impl Patient {
    fn fault(&self, json: &str) {
        let cloud = self.cloud;
        let json = format!("[{json}]");
        let posted =
            std::thread::spawn(move || exchange(cloud, "POST", "/_sim/faults", &[], &json))
                .join()
                .unwrap();
        assert_eq!(posted.status, 200, "{}", posted.text());
    }

    /// The actions that were called.
    fn asked(&self) -> Vec<String> {
        let cloud = self.cloud;
        let calls = std::thread::spawn(move || exchange(cloud, "GET", "/_sim/calls", &[], ""))
            .join()
            .unwrap();
        let calls: Value = serde_json::from_str(calls.text()).unwrap();
        let calls = calls.as_array().or_else(|| calls["calls"].as_array()).unwrap();
        calls.iter().map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }
}

impl Patient {
    /// The actions that the configuration needs, each once.
    fn needed(&self) -> Vec<&'static str> {
        let mut actions: Vec<&str> = Vec::new();
        for target in targets(&self.config, &Findings::new()) {
            for action in needed(&target) {
                if !actions.contains(&action.name()) {
                    actions.push(action.name());
                }
            }
        }
        actions
    }
}

fn states(report: &Report) -> Vec<(&'static str, State)> {
    report.findings.iter().map(|finding| (finding.action.name(), finding.state)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operation_is_tried_once_and_works() {
    let patient = patient(world()).await;
    let report = examine(&patient.config).await.unwrap();
    let expected = patient.needed();
    assert!(expected.len() >= 6, "{expected:?}");
    let works: Vec<_> = expected.iter().map(|operation| (*operation, State::Works)).collect();
    assert_eq!(states(&report), works);
    assert_eq!(patient.asked(), expected);
    assert!(
        report.is_well()
            && report.findings.iter().all(|finding| finding.took < Duration::from_secs(5))
    );
    assert!(report.findings.iter().all(|finding| finding.clock_skew.is_some()));
    let text = text(&report);
    assert!(text.starts_with("ACCOUNT  REGION"), "{text}");
    assert!(!text.contains("What to do"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_can_be_asked_about_the_permission_is_tried_all_the_same() {
    let mut empty = World::empty();
    worlds::add_cluster(&mut empty, "c");
    worlds::add_server(&mut empty, "s");
    let patient = patient(empty).await;
    let report = examine(&patient.config).await.unwrap();
    assert!(report.is_well(), "{}", text(&report));
    assert_eq!(patient.asked(), patient.needed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trouble_has_its_name_its_advice_and_an_exit_code() {
    for (fault, state, result, advice) in [
        (
            r#"{"kind": "error", "status": 407, "code": "NotAuthorized"}"#,
            State::NotAuthorized,
            "not authorized",
            "grant",
        ),
        (
            r#"{"kind": "error", "status": 403, "code": "NoPermission"}"#,
            State::NotAuthorized,
            "not authorized",
            "grant",
        ),
        (
            r#"{"kind": "error", "status": 400, "code": "InvalidTimeStamp.Expired"}"#,
            State::ClockOff,
            "clock off by 0 s",
            "set the clock",
        ),
        (
            r#"{"kind": "error", "status": 400, "code": "Throttling.User"}"#,
            State::Throttled,
            "throttled",
            "quota",
        ),
        (
            r#"{"kind": "error", "status": 400, "code": "InDebt"}"#,
            State::Account,
            "account not in order",
            "settle the bill",
        ),
        (r#"{"kind": "reset"}"#, State::Unreachable, "unreachable", "the connection broke"),
        (
            r#"{"kind": "error", "status": 404, "code": "ClusterNotFound"}"#,
            State::TargetNotFound,
            "target not found",
            "id",
        ),
        (r#"{"kind": "html"}"#, State::Trouble, "trouble", "none needed"),
    ] {
        let patient = patient(world()).await;
        patient.fault(&format!(r#"{{"match": {{"action": "ListTasks"}}, "fault": {fault}}}"#));
        let report = examine(&patient.config).await.unwrap();
        let [sick, others @ ..] = report.findings.as_slice() else { panic!("nothing was tried") };
        assert_eq!((sick.action, sick.state), (Action::ListTasks, state), "{fault}");
        assert!(
            others.iter().all(|finding| finding.state == State::Works),
            "{fault}: one trouble is one trouble"
        );
        assert!(!report.is_well());
        let shown = text(&report);
        assert!(shown.contains(result) && shown.contains(advice), "{fault}: {shown}");
        let parsed: Value = serde_json::from_str(&json(&report)).unwrap();
        assert_eq!(
            (&parsed["ok"], &parsed["operations"][0]["result"]),
            (&false.into(), &state.label().into())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_and_a_dead_endpoint_are_told_apart_once_each_and_show_no_secret() {
    let mut patient = patient(world()).await;
    let mut wrong = patient.config.accounts[0].clone();
    let mut dead = patient.config.accounts[0].clone();
    wrong.name = "wrong".into();
    wrong.credentials = Credentials::AccessKey {
        access_key_id: SecretSource::Value(Secret::new("testid")),
        access_key_secret: SecretSource::Value(Secret::new("canary-secret")),
    };
    dead.name = "dead".into();
    dead.endpoints.ehpc = Some("http://127.0.0.1:1".into());
    patient.config.accounts.extend([wrong, dead]);
    patient.config.servers.clear();
    let cluster = patient.config.clusters[0].clone();
    let of = |account: &str| Cluster {
        id: format!("c-{account}"),
        account: account.into(),
        ..cluster.clone()
    };
    patient.config.clusters.extend([of("wrong"), of("dead")]);
    let report = examine(&patient.config).await.unwrap();
    let of = |account: &str| {
        let found = report.findings.iter().filter(|finding| finding.account == account);
        found.map(|finding| finding.state).collect::<Vec<_>>()
    };
    assert_eq!((of("wrong"), of("dead")), (vec![State::WrongKey; 4], vec![State::Unreachable; 4]));
    let shown = text(&report);
    assert_eq!(shown.matches("What to do").count(), 2, "the same cause is told once: {shown}");
    assert!(!shown.contains("canary-secret") && !json(&report).contains("canary-secret"));
}

#[test]
fn the_policy_is_the_least_for_the_configuration() {
    let mut config = Config::default();
    let all = demo::config(
        &serde_json::json!({"clusters": [{"id": "c", "region": "r"}]}),
        ([127, 0, 0, 1], 1).into(),
    );
    config.clusters = all.clusters;
    config.clusters[0].account = "default".into();
    let actions = |config: &Config| {
        let policies = serde_json::to_value(policies(config)).unwrap();
        let actions = policies[0]["policy"]["Statement"][0]["Action"].as_array().unwrap().clone();
        actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let followed = [
        "ehpc:ListCommands",
        "ehpc:ListInvocationResults",
        "ehpc:ListInvocationStatus",
        "ehpc:ListTasks",
    ];
    assert_eq!(actions(&config), followed);
    config.clusters[0].commands.ids = vec!["k".into()];
    assert_eq!(actions(&config), followed[1..], "nothing is listed when commands are named");
    config.clusters[0].commands.ids = Vec::new();
    config.clusters[0].commands.discover = 0;
    assert_eq!(actions(&config), ["ehpc:ListTasks"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_discovery_finds_is_tried_and_by_region_if_servers_are_asked_for_so() {
    let mut patient = patient(world()).await;
    let entry = |regions| Discovery {
        account: "demo".into(),
        regions,
        filter: Filter::default(),
        interval: Duration::from_secs(600),
    };
    let region = patient.config.clusters[0].region.clone();
    patient.config.cluster_discovery.entries = vec![entry(Regions::Named(vec![region]))];
    patient.config.server_discovery.entries =
        vec![entry(Regions::Named(vec!["cn-hangzhou".into()]))];
    patient.config.swas_strategy = SwasStrategy::PerRegion;
    (patient.config.clusters, patient.config.servers) = Default::default();
    let report = examine(&patient.config).await.unwrap();
    assert!(report.is_well(), "{}", text(&report));
    let mut tried: Vec<_> = report.findings.iter().map(|finding| finding.action.name()).collect();
    tried.sort_unstable();
    let mut asked = patient.asked();
    asked.sort_unstable();
    assert_eq!(asked, tried, "each once, and what discovery has asked is told as it was");
    let expected = [
        "DescribeCommandInvocations",
        "ListClusters",
        "ListCommands",
        "ListInstances",
        "ListInvocationResults",
        "ListInvocationStatus",
        "ListTasks",
    ];
    assert_eq!(tried, expected);
    let needed: Vec<String> = expected
        .map(|name| {
            format!(
                "{}:{name}",
                if name.contains("Inst") || name.contains("Desc") { "swas-open" } else { "ehpc" }
            )
        })
        .into();
    let policies = serde_json::to_value(policies(&patient.config)).unwrap();
    let allowed = policies[0]["policy"]["Statement"][0]["Action"].as_array().unwrap();
    assert!(needed.iter().all(|action| allowed.contains(&action.as_str().into())), "{allowed:?}");
    assert_eq!(allowed.len(), needed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_discovery_cannot_read_is_tried_once_and_told_with_its_reason() {
    for (fault, state) in [
        (r#"{"kind": "error", "status": 403, "code": "NoPermission"}"#, State::NotAuthorized),
        (r#"{"kind": "error", "status": 503, "code": "ServiceUnavailable"}"#, State::Trouble),
        (r#"{"kind": "reset"}"#, State::Unreachable),
    ] {
        let mut world = world();
        world.add_server(ServerSpec {
            id: "far".into(),
            region: "cn-beijing".into(),
            ..ServerSpec::default()
        });
        let mut patient = patient(world).await;
        let entry = |region: &str| Discovery {
            account: "demo".into(),
            regions: Regions::Named(vec![region.into()]),
            filter: Filter::default(),
            interval: Duration::from_secs(600),
        };
        patient.config.server_discovery.entries = vec![entry("cn-hangzhou"), entry("cn-beijing")];
        patient.config.servers.clear();
        patient.config.clusters.clear();
        patient.fault(&format!(r#"{{"match": {{"region": "cn-hangzhou"}}, "fault": {fault}}}"#));
        let report = examine(&patient.config).await.unwrap();
        let (lists, others): (Vec<_>, Vec<_>) =
            report.findings.iter().partition(|finding| finding.action == Action::ListInstances);
        let lists: Vec<_> = lists.iter().map(|finding| (&*finding.region, finding.state)).collect();
        assert_eq!(lists, [("cn-beijing", State::Works), ("cn-hangzhou", state)], "{fault}");
        let works = others.iter().all(|of| of.region == "cn-beijing" && of.state == State::Works);
        assert!(works && others.len() >= 2, "{fault}: {others:?}");
        assert_eq!(patient.asked().len(), report.findings.len(), "{fault}");
        assert!(text(&report).contains("swas/demo/cn-hangzhou"), "{}", text(&report));
    }
}

#[test]
fn who_assumes_a_role_needs_that_and_the_role_the_rest() {
    let mut config = demo::config(
        &serde_json::json!({"servers": [{"id": "s", "region": "r", "name": "n"}]}),
        ([127, 0, 0, 1], 1).into(),
    );
    config.accounts[0].assume_role = Some(AssumeRole {
        arn: "acs:ram::1234567890123456:role/exporter".into(),
        external_id: None,
        session_name: "exporter".into(),
        duration: Duration::from_secs(3600),
    });
    let policies = serde_json::to_value(policies(&config)).unwrap();
    let said = |place: usize| {
        (policies[place]["grantee"].clone(), policies[place]["policy"]["Statement"][0].clone())
    };
    let (role, statement) = said(0);
    assert_eq!(
        (role, &statement["Resource"]),
        ("the role acs:ram::1234567890123456:role/exporter".into(), &"*".into())
    );
    let (source, statement) = said(1);
    assert_eq!(source, "the user or role that assumes that role");
    assert_eq!(statement["Action"], serde_json::json!(["sts:AssumeRole"]));
    assert_eq!(statement["Resource"], "acs:ram::1234567890123456:role/exporter");
}

#[test]
fn the_policy_file_allows_every_operation_and_no_other() {
    let file: Value =
        serde_json::from_str(&crate::support::read("deploy/ram-policy.json")).unwrap();
    let allowed = file["Statement"][0]["Action"].as_array().unwrap();
    let mut allowed: Vec<&str> = allowed.iter().map(|action| action.as_str().unwrap()).collect();
    allowed.sort_unstable();
    let guarded = Action::ALL.iter().filter(|action| **action != Action::SwasListRegions);
    let mut asked: Vec<String> = guarded.map(|action| action.ram_action()).collect();
    asked.sort_unstable();
    assert_eq!(allowed, asked);
}
