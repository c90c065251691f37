//! What is served over HTTP: health, readiness, the configuration, the status, and the HTTP details
//! of all of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use crate::support::exporter::Exporter;
use crate::support::page::{Page, parse};
use crate::support::worlds;
use aliyun_task_exporter::catalog;
use aliyun_task_exporter::config::{
    AssumeRole, Config, Credentials, Discovery, Filter, Pattern, Poll, Regions,
};
use aliyun_task_exporter::sim::{ServerSpec, Settings, Simulator};
use jiff::Timestamp;

const PATHS: [&str; 9] = [
    "/",
    "/?show=failed&lang=zh",
    "/metrics",
    "/-/healthy",
    "/-/ready",
    "/config",
    "/api/v1/status",
    "/static/page.css",
    "/static/page.js",
];

fn living() -> Simulator {
    Simulator::new(Settings::default(), Timestamp::now())
}

fn still() -> Simulator {
    let mut sim = living();
    sim.freeze(Timestamp::now());
    sim
}

fn ready(exporter: &Exporter) {
    exporter.wait("all is up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 8.0);
}

#[test]
fn it_is_healthy_at_once_and_ready_once_the_cloud_has_answered() {
    let mut sim = still();
    // Nothing is answered before the latency is removed.
    sim.settings_mut().latency = std::time::Duration::from_secs(3600);
    let exporter = Exporter::start(sim, |_| {});
    assert_eq!(exporter.get("/-/healthy").status, 200);
    let waiting = exporter.get("/-/ready");
    assert_eq!(
        (waiting.status, waiting.text()),
        (503, "not ready: no answer yet for account demo\n")
    );
    let planned = exporter
        .metrics()
        .all("aliyun_task_exporter_target_next_poll_timestamp_seconds", &[])
        .count();
    assert_eq!(planned, 8, "who waits for a first answer shows since when");
    exporter.sim().settings_mut().latency = std::time::Duration::ZERO;
    ready(&exporter);
    assert_eq!(exporter.get("/-/ready").status, 200);
}

#[test]
fn an_error_of_the_cloud_is_an_answer_too() {
    let mut sim = still();
    sim.add_faults(r#"[{"fault": {"kind": "error", "status": 407, "code": "NotAuthorized"}}]"#)
        .unwrap();
    let exporter = Exporter::start(sim, |_| {});
    exporter
        .wait("all has failed", |page| page.sum("aliyun_task_exporter_target_failing", &[]) == 8.0);
    assert_eq!(exporter.get("/-/ready").status, 200);
}

#[test]
fn every_answer_has_the_security_headers() {
    let exporter = Exporter::start(still(), |_| {});
    for path in PATHS.into_iter().chain(["/nothing", "/static/../Cargo.toml"]) {
        let answer = exporter.get(path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer
            .header("content-security-policy")
            .unwrap_or_else(|| panic!("{path}: {}", answer.head));
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert!(
            answer.header("content-type").is_some() || answer.body.is_empty(),
            "{path}: {}",
            answer.head
        );
    }
    assert_eq!(exporter.get("/nothing").status, 404);
}

#[test]
fn nothing_can_be_changed_over_http() {
    let exporter = Exporter::start(still(), |_| {});
    for path in PATHS {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            assert_eq!(exporter.request(method, path, &[]).status, 405, "{method} {path}");
        }
        let head = exporter.request("HEAD", path, &[]);
        assert!(head.body.is_empty() && [200, 503].contains(&head.status), "{path}: {}", head.head);
    }
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let exporter = Exporter::start(still(), |_| {});
    let answer = exporter.get("/config");
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("testsecret"), "{}", answer.text());
    assert!(
        answer.text().contains("<secret>") && answer.text().contains("ehpc:"),
        "{}",
        answer.text()
    );
}

#[test]
fn the_status_tells_what_the_metrics_tell() {
    let exporter = Exporter::start(still(), |_| {});
    ready(&exporter);
    let status: serde_json::Value =
        serde_json::from_slice(&exporter.get("/api/v1/status").body).unwrap();
    let targets = status["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 8);
    let page = exporter.metrics();
    let shown = |family: &str| page.all(family, &[]).count();
    let rows = |what: &str| {
        targets.iter().map(|target| target[what].as_array().unwrap().len()).sum::<usize>()
    };
    assert_eq!(rows("tasks"), shown("aliyun_ehpc_task_status"));
    assert_eq!(rows("commands"), shown("aliyun_ehpc_invocation_status"));
    assert_eq!(rows("invocations"), shown("aliyun_swas_invocation_status"));
    assert!(rows("tasks") > 0 && rows("commands") > 0 && rows("invocations") > 0);
    assert!(targets.iter().all(|target| target["up"] == true && target["failure"].is_null()));
}

/// The only account, as shown by `/api/v1/status`.
fn account(exporter: &Exporter) -> serde_json::Value {
    // For a second, everybody gets the same response.
    std::thread::sleep(Duration::from_millis(1100));
    let status: serde_json::Value =
        serde_json::from_slice(&exporter.get("/api/v1/status").body).unwrap();
    assert_eq!(status["accounts"].as_array().unwrap().len(), 1);
    status["accounts"][0].clone()
}

#[test]
fn the_status_tells_how_the_accounts_are_as_the_metrics_do() {
    const EXPIRY: &str = "aliyun_task_exporter_credentials_expiry_timestamp_seconds";
    const AUTHORIZED: &str = "aliyun_task_exporter_operation_authorized";
    let exporter = Exporter::start(still(), |config| {
        config.accounts[0].credentials = Credentials::EcsRamRole { role_name: None };
    });
    ready(&exporter);
    let page =
        exporter.wait("each operation was answered", |page| page.sum(AUTHORIZED, &[]) == 6.0);
    let told = account(&exporter);
    assert_eq!(
        (&told["name"], &told["credentials"]["kind"]),
        (&"demo".into(), &"temporary".into())
    );
    let end: Timestamp = told["credentials"]["end"].as_str().unwrap().parse().unwrap();
    assert_eq!(page.value(EXPIRY, &[]), Some(end.as_millisecond() as f64 / 1000.0));
    assert_eq!(
        page.value("aliyun_task_exporter_clock_skew_seconds", &[]),
        told["clock_skew_seconds"].as_f64()
    );
    let authorized = |told: &serde_json::Value| {
        let operations = told["operations"].as_array().unwrap().iter();
        operations.filter(|operation| operation["authorized"] == true).count()
    };
    assert_eq!((authorized(&told), &told["problems"]), (6, &serde_json::json!([])));

    exporter.fault(
        r#"{"match": {"action": "ListCommands"}, "fault": {"kind": "error", "status": 403, "code": "NoPermission"}}"#,
    );
    exporter.wait("it is refused", |page| page.sum(AUTHORIZED, &[]) == 5.0);
    let told = account(&exporter);
    assert_eq!((authorized(&told), &told["problems"][0]["kind"]), (5, &"not_authorized".into()));
    let advice = told["problems"][0]["advice"].as_str().unwrap();
    assert!(advice.starts_with("grant ehpc:ListCommands to the RAM user or role"), "{advice}");
    let page = exporter.get("/");
    assert!(
        page.text().contains("Grant ehpc:ListCommands to the RAM user or role"),
        "{}",
        page.text()
    );
    exporter.clear_faults();
    exporter.wait("it is granted again", |page| page.sum(AUTHORIZED, &[]) == 6.0);
    assert_eq!(account(&exporter)["problems"], serde_json::json!([]));
}

#[test]
fn the_status_tells_what_is_wrong_with_the_credentials() {
    let exporter = Exporter::start(still(), |config| {
        let role = "acs:ram::1234567890123456:role/exporter";
        let arn = role.into();
        let session_name = "test".into();
        let duration = Duration::from_secs(3600);
        config.accounts[0].assume_role =
            Some(AssumeRole { arn, external_id: None, session_name, duration });
    });
    let problem = |wanted: &str, kind: &str| {
        exporter.wait(wanted, |_| account(&exporter)["problems"][0]["kind"] == kind);
        account(&exporter)["problems"][0].clone()
    };
    ready(&exporter);
    exporter
        .fault(r#"{"match": {"action": "AssumeRole"}, "fault": {"kind": "html", "status": 502}}"#);
    exporter.sim().revoke_credentials();
    let told = problem("they are refused and there are no others", "credentials_refused");
    assert!(told["cause"].as_str().unwrap().contains("HTTP 502"), "{told}");
    exporter.clear_faults();
    exporter.wait("all is well", |_| account(&exporter)["problems"] == serde_json::json!([]));
}

#[test]
fn a_scraper_gets_the_format_and_the_encoding_it_asks_for() {
    let exporter = Exporter::start(still(), |_| {});
    ready(&exporter);
    let text = exporter.get("/metrics");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(
        (text.header("content-encoding"), text.header("vary")),
        (None, Some("Accept, Accept-Encoding"))
    );
    assert!(!parse(text.text()).eof);
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let openmetrics = exporter.request("GET", "/metrics", &[("Accept", prometheus)]);
    assert_eq!(
        openmetrics.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(openmetrics.text().ends_with("\n# EOF\n") && parse(openmetrics.text()).eof);
    let packed =
        exporter.request("GET", "/metrics", &[("Accept-Encoding", "gzip"), ("Accept", prometheus)]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("content-length"), Some(&*packed.body.len().to_string()));
    let mut unpacked = String::new();
    let mut member = flate2::bufread::GzDecoder::new(&*packed.body);
    member.read_to_string(&mut unpacked).unwrap();
    assert!(member.into_inner().is_empty(), "curl reads one member only");
    assert!(packed.body.len() * 4 < unpacked.len() && parse(&unpacked).eof);
}

/// Each series with its labels, whatever its value.
fn series(page: &Page) -> Vec<String> {
    page.samples.iter().map(|sample| format!("{} {:?}", sample.name, sample.labels)).collect()
}

#[test]
fn both_formats_show_the_same_series_the_exporters_own_among_them() {
    let exporter = Exporter::start(still(), |_| {});
    // Everything has been read once only lists are still requested.
    exporter.wait("results are read", |page| {
        let clusters = "aliyun_ehpc_cluster_info";
        let servers = "aliyun_swas_server_info";
        let targets = 2.0 * page.sum(clusters, &[]) + page.sum(servers, &[]);
        let ended = page.all("aliyun_swas_invocation_status", &[]).filter(|sample| {
            !["Pending", "Running", "Stopping"].contains(&&*sample.labels["status"])
        });
        let ended = ended.count();
        let results = page.all("aliyun_swas_invocation_finished_timestamp_seconds", &[]).count();
        page.sum("aliyun_task_exporter_target_up", &[]) == targets && ended > 0 && results == ended
    });
    let formats = ["text/plain", "application/openmetrics-text"];
    let [text, openmetrics] = formats
        .map(|format| parse(exporter.request("GET", "/metrics", &[("Accept", format)]).text()));
    assert_eq!(series(&text), series(&openmetrics));
    for (name, kind) in &openmetrics.types {
        let full = if kind == "counter" { format!("{name}_total") } else { name.clone() };
        assert_eq!(text.types.get(&full), Some(kind), "{name}");
        assert!(kind != "counter" || !name.ends_with("_total"), "{name}");
        assert_eq!(text.helps[&full], openmetrics.helps[name].replace("\\\"", "\""), "{name}");
    }
    assert_eq!(text.types.len(), openmetrics.types.len());
    let wanted = |name: &str| name.ends_with("_seconds") || name.ends_with("_bytes");
    assert!(
        openmetrics.types.keys().all(|name| wanted(name) == openmetrics.units.contains_key(name))
    );
}

#[test]
fn the_exporter_tells_of_its_own_work() {
    let state =
        std::env::temp_dir().join(format!("aliyun-task-exporter-http-{}.redb", std::process::id()));
    // The role's credentials expire, and there is a state file.
    let exporter = Exporter::start(living(), |config| {
        config.state.path = Some(state.clone());
        config.accounts[0].assume_role = Some(AssumeRole {
            arn: "acs:ram::1234567890123456:role/exporter".into(),
            external_id: None,
            session_name: "test".into(),
            duration: Duration::from_secs(3600),
        });
    });
    ready(&exporter);
    exporter.fault(r#"{"match": {"action": "DescribeInvocations"}, "fault": {"kind": "unknown_words"}, "times": 1}"#);
    exporter.wait("an unknown word is counted", |page| {
        page.sum("aliyun_task_exporter_unknown_values_total", &[("field", "InvocationStatus")])
            > 0.0
    });
    // After enough answered calls, a refusal lowers the budget; the rest is long enough to look at
    // it.
    exporter.fault(
        r#"{"match": {"action": "DescribeInvocations"}, "fault": {"kind": "throttle", "retry_after_ms": 20000}, "times": 1}"#,
    );
    let page = exporter.wait("a budget is lowered", |page| {
        page.value("aliyun_task_exporter_api_lowered_since_timestamp_seconds", &[]).is_some()
            && page.value("aliyun_task_exporter_api_resting_since_timestamp_seconds", &[]).is_some()
            && page.sum("aliyun_task_exporter_unknown_values_total", &[]) > 0.0
    });
    let text = |path| String::from_utf8(exporter.get(path).body.to_vec()).unwrap();
    let word =
        r#""operation":"DescribeInvocations","field":"InvocationStatus","word":"Hibernating""#;
    assert!(
        text("/api/v1/status").contains(word) && text("/").contains("Unknown words"),
        "and named"
    );
    for family in catalog::CATALOG {
        let is_of_standbys = family.name == catalog::STATE_COPIED.name;
        if family.source != catalog::Source::Process || is_of_standbys {
            continue;
        }
        let name = match family.kind {
            catalog::Kind::Histogram => format!("{}_count", family.name),
            _ => family.name.to_owned(),
        };
        let samples: Vec<_> = page.all(&name, &[]).collect();
        assert!(!samples.is_empty(), "{name} is nowhere");
        for sample in samples {
            let mut labels: Vec<&str> = sample.labels.keys().map(String::as_str).collect();
            let mut wanted = family.labels.to_vec();
            labels.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(labels, wanted, "{name}");
        }
    }
    let known = |name: &&String| {
        let name = name.as_str();
        name.starts_with("process_") || catalog::CATALOG.iter().any(|family| family.name == name)
    };
    assert!(page.types.keys().all(|name| known(&name)), "{:?}", page.types.keys());
    std::fs::remove_file(state).unwrap();
}

#[test]
fn a_scraper_that_hangs_up_takes_nothing_from_the_others() {
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), worlds::servers(5, 30), Timestamp::now()),
        |_| {},
    );
    for _ in 0..20 {
        let mut scraper = std::net::TcpStream::connect(exporter.address).unwrap();
        scraper
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: exporter\r\nAccept-Encoding: gzip\r\n\r\n")
            .unwrap();
        drop(scraper);
        let packed = exporter.request("GET", "/metrics", &[("Accept-Encoding", "gzip")]);
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&*packed.body).read_to_string(&mut unpacked).unwrap();
        parse(&unpacked);
    }
}

#[test]
fn many_scrapes_at_once_get_whole_pages() {
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), worlds::servers(5, 30), Timestamp::now()),
        |_| {},
    );
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let answer = exporter.get("/metrics");
                    assert_eq!(answer.status, 200);
                    parse(answer.text());
                }
            });
        }
    });
}

/// Each target is polled once, and then not for an hour.
fn once(config: &mut Config) {
    let hour = Duration::from_secs(3600);
    config.poll =
        Poll { interval: hour, active_interval: hour, idle_interval: hour, ..Poll::default() };
}

/// Waits until everything requested in the first polls has been answered.
fn settled(exporter: &Exporter) {
    exporter.wait("all is up and nothing is missing", |page| {
        // A refused poll is made again, so there may be more polls than targets.
        page.sum("aliyun_task_exporter_target_up", &[])
            == page.all("aliyun_task_exporter_target_next_poll_timestamp_seconds", &[]).count()
                as f64
    });
}

#[test]
fn scrapes_cost_no_calls_however_many_prometheus_servers_there_are() {
    let exporter = Exporter::start(still(), once);
    settled(&exporter);
    let before = exporter.sim().calls().count();
    assert!(before > 8);
    std::thread::scope(|scope| {
        for accept in ["text/plain", "application/openmetrics-text"] {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(
                        exporter.request("GET", "/metrics", &[("Accept", accept)]).status,
                        200
                    );
                    assert_eq!(exporter.get("/").status, 200);
                }
            });
        }
    });
    assert_eq!(exporter.sim().calls().count(), before);
}

#[test]
fn the_request_counter_is_the_clouds_own_count_retries_and_refusals_included() {
    let mut sim = still();
    sim.add_faults(
        r#"[{"match": {"action": "ListTasks"}, "fault": {"kind": "error", "status": 500, "code": "InternalError"}, "times": 3},
            {"match": {"action": "ListCommands"}, "fault": {"kind": "truncated"}, "times": 2},
            {"match": {"action": "DescribeInvocations"}, "fault": {"kind": "throttle", "retry_after_ms": 200}, "times": 1}]"#,
    )
    .unwrap();
    let exporter = Exporter::start(sim, once);
    settled(&exporter);
    let mut counted: BTreeMap<(String, bool), f64> = BTreeMap::new();
    exporter.sim().calls().for_each(|call| {
        *counted.entry((call.action.clone(), call.outcome == "ok")).or_default() += 1.0;
    });
    let mut shown: BTreeMap<(String, bool), f64> = BTreeMap::new();
    for sample in exporter.metrics().all("aliyun_task_exporter_api_requests_total", &[]) {
        let key = (sample.labels["operation"].clone(), sample.labels["outcome"] == "ok");
        let count = &sample.value;
        *shown.entry(key).or_default() += count.parse::<f64>().unwrap();
    }
    shown.retain(|_, count| *count > 0.0);
    assert_eq!(shown, counted);
    let refused = |operation: &str| counted[&(operation.to_owned(), false)];
    assert_eq!(["ListTasks", "ListCommands", "DescribeInvocations"].map(refused), [3.0, 2.0, 1.0]);
}

/// Nothing is listed, and everything in Hangzhou is discovered.
fn discovering(config: &mut Config) {
    let regions = Regions::Named(vec!["cn-hangzhou".into()]);
    let account = "demo".into();
    let filter = Filter { include: None, exclude: Pattern::new("web-5").ok() };
    let entry =
        Discovery { account, regions, filter, interval: std::time::Duration::from_millis(200) };
    config.clusters = Vec::new();
    config.servers = Vec::new();
    config.cluster_discovery.entries = vec![entry.clone()];
    config.server_discovery.entries = vec![entry];
}

#[test]
fn a_fleet_that_nobody_has_listed_is_found_and_followed() {
    let sim = Simulator::new(
        Settings { clusters: 5, servers: 6, ..Settings::default() },
        Timestamp::now(),
    );
    let exporter = Exporter::start(sim, discovering);
    let servers =
        |page: &Page| page.all("aliyun_swas_server_info", &[("region_id", "cn-hangzhou")]).count();
    // Half of them are there, and one server is excluded.
    let page = exporter.wait("all is up", |page| {
        page.sum("aliyun_task_exporter_target_up", &[]) == 2.0 + 2.0 * 3.0 + 3.0
    });
    assert_eq!((servers(&page), page.all("aliyun_ehpc_cluster_info", &[]).count()), (3, 3));
    assert_eq!(
        page.value("aliyun_task_exporter_discovered", &[("target", "swas/demo/cn-hangzhou")]),
        Some(3.0)
    );
    let asked = [("operation", "ListInstances"), ("region_id", "cn-hangzhou"), ("outcome", "ok")];
    assert!(page.sum("aliyun_task_exporter_api_requests_total", &asked) >= 1.0);
    assert_eq!(
        page.sum(
            "aliyun_task_exporter_api_quota_calls_per_minute",
            &[("operation", "ListClusters")]
        ),
        60_000.0
    );
    let status: serde_json::Value =
        serde_json::from_slice(&exporter.get("/api/v1/status").body).unwrap();
    let search = status["targets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|target| target["id"] == "swas/demo/cn-hangzhou");
    assert_eq!(
        search.unwrap()["discovered"],
        serde_json::json!({"things": "servers", "found": 4, "taken": 3})
    );
    assert!(exporter.get("/").text().contains("servers: 3 of 4 taken"));

    let id = "ace0706b2ac4454d984295a94213cccc";
    exporter.sim().world_mut().add_server(ServerSpec {
        id: id.into(),
        name: "new".into(),
        ..ServerSpec::default()
    });
    let new = [("instance_id", id), ("instance_name", "new")];
    let up = [("kind", "swas_invocations"), ("target", id)];
    exporter.wait("the new one is polled", |page| {
        page.value("aliyun_task_exporter_target_up", &up) == Some(1.0)
    });
    assert_eq!(exporter.metrics().value("aliyun_swas_server_info", &new), Some(1.0));
    exporter.sim().world_mut().remove(id);
    exporter.wait("it is gone", |page| {
        page.samples.iter().all(|sample| !sample.to_string().contains(id))
    });
    assert_eq!(servers(&exporter.metrics()), 3);
}
