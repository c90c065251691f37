//! One fault per test, over TCP: what Prometheus sees of it, and that known values are kept.

use std::time::Duration;

use crate::support::exporter::Exporter;
use crate::support::page::Page;
use crate::support::worlds;
use aliyun_task_exporter::sim::{Settings, Simulator};
use jiff::Timestamp;

/// A world with a cluster, `c`, that has one running task, and a server, `s00`, with three ended
/// invocations.
fn exporter() -> Exporter {
    start(|_| {})
}

fn start(change: impl FnOnce(&mut aliyun_task_exporter::config::Config)) -> Exporter {
    let mut world = worlds::servers(1, 3);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", worlds::task("t", -10, 10_000)).unwrap();
    world.add_command("c", worlds::command("k", 2, -10, 10_000)).unwrap();
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world, Timestamp::now()),
        change,
    );
    exporter.wait("everything is up and read", |page| {
        page.sum("aliyun_task_exporter_target_up", &[]) == 3.0
            && page.all("aliyun_swas_invocation_exit_code", &[]).count() == 3
    });
    exporter
}

fn failing(page: &Page, reason: &str) -> bool {
    page.value(
        "aliyun_task_exporter_target_failing",
        &[("target", "c"), ("kind", "ehpc_tasks"), ("reason", reason)],
    ) == Some(1.0)
}

/// Applies a fault to ListTasks, and asserts everything that a failing target must show, then that
/// it recovers.
fn assert_failing(exporter: &Exporter, fault: &str, reason: &str) {
    exporter.fault(&format!(r#"{{"match": {{"action": "ListTasks"}}, "fault": {fault}}}"#));
    let tasks = [("target", "c"), ("kind", "ehpc_tasks")];
    let page = exporter.wait(&format!("failing for {reason}"), |page| failing(page, reason));
    assert_eq!(page.value("aliyun_task_exporter_target_up", &tasks), Some(0.0));
    assert!(
        page.value("aliyun_task_exporter_target_last_success_timestamp_seconds", &tasks).is_some()
    );
    let asked =
        [("operation", "ListTasks"), ("product", "EHPC"), ("account", "demo"), ("outcome", reason)];
    assert!(page.value("aliyun_task_exporter_api_requests_total", &asked) > Some(0.0));
    assert!(
        page.value(
            "aliyun_task_exporter_polls_total",
            &[("kind", "ehpc_tasks"), ("outcome", reason)]
        ) > Some(0.0)
    );
    assert_eq!(
        page.value("aliyun_ehpc_task_status", &[("task_id", "t"), ("status", "Processing")]),
        Some(1.0)
    );
    for other in [("target", "s00"), ("kind", "ehpc_invocations")] {
        assert_eq!(page.value("aliyun_task_exporter_target_up", &[other]), Some(1.0), "{other:?}");
    }
    exporter.clear_faults();
    exporter.wait("it recovers", |page| {
        page.value("aliyun_task_exporter_target_up", &tasks) == Some(1.0)
            && page.all("aliyun_task_exporter_target_failing", &[]).count() == 0
    });
}

#[test]
fn throttling_fails_the_poll_and_pauses_the_operation() {
    let exporter = exporter();
    let fault = r#"{"kind": "throttle", "retry_after_ms": 300}"#;
    assert_failing(&exporter, fault, "throttled");
    let page = exporter.metrics();
    let waited = [("operation", "ListTasks")];
    assert!(page.value("aliyun_task_exporter_api_quota_wait_seconds_total", &waited) > Some(0.05));
}

#[test]
fn trouble_of_the_cloud_is_retried_and_then_told() {
    let exporter = exporter();
    for (status, code) in [(500, "InternalError"), (503, "ServiceUnavailable"), (406, "DbError")] {
        let fault = format!(r#"{{"kind": "error", "status": {status}, "code": "{code}"}}"#);
        assert_failing(&exporter, &fault, "service");
    }
    let calls: Vec<_> =
        exporter.sim().calls().filter(|call| call.outcome == "DbError").cloned().collect();
    assert!(calls.len() >= 4, "four attempts: {}", calls.len());
}

#[test]
fn a_missing_permission_is_named_by_operation() {
    let exporter = exporter();
    let authorized = [("account", "demo"), ("product", "EHPC"), ("operation", "ListTasks")];
    let page = exporter.metrics();
    assert_eq!(page.value("aliyun_task_exporter_operation_authorized", &authorized), Some(1.0));
    for (status, code) in [(407, "NotAuthorized"), (403, "Forbidden.RAM"), (403, "NoPermission")] {
        let fault = format!(r#"{{"kind": "error", "status": {status}, "code": "{code}"}}"#);
        exporter.fault(&format!(r#"{{"match": {{"action": "ListTasks"}}, "fault": {fault}}}"#));
        let page = exporter.wait("not authorized", |page| {
            page.value("aliyun_task_exporter_operation_authorized", &authorized) == Some(0.0)
        });
        assert_eq!(
            page.value(
                "aliyun_task_exporter_operation_authorized",
                &[("operation", "ListCommands")]
            ),
            Some(1.0)
        );
        exporter.clear_faults();
        exporter.wait("authorized again", |page| {
            page.value("aliyun_task_exporter_operation_authorized", &authorized) == Some(1.0)
        });
        assert_failing(&exporter, &fault, "permission");
    }
}

#[test]
fn an_account_that_owes_money_is_told_apart() {
    assert_failing(&exporter(), r#"{"kind": "error", "status": 400, "code": "InDebt"}"#, "account");
}

#[test]
fn a_page_of_html_is_no_answer() {
    let exporter = exporter();
    assert_failing(&exporter, r#"{"kind": "html", "status": 502}"#, "service");
    assert_failing(&exporter, r#"{"kind": "html", "status": 200}"#, "decode");
}

#[test]
fn a_body_that_is_cut_off_is_no_answer() {
    assert_failing(&exporter(), r#"{"kind": "truncated", "keep": 40}"#, "transport");
}

#[test]
fn a_connection_that_breaks_is_no_answer() {
    assert_failing(&exporter(), r#"{"kind": "reset"}"#, "transport");
}

#[test]
fn an_answer_that_drips_runs_into_the_timeout() {
    let exporter = start(|config| config.poll.timeout = Duration::from_millis(100));
    assert_failing(&exporter, r#"{"kind": "drip", "bytes": 1, "pause_ms": 50}"#, "timeout");
}

#[test]
fn a_cloud_that_takes_requests_and_never_answers_runs_into_the_timeout_and_harms_nobody_else() {
    let world = || {
        let mut world = worlds::servers(1, 3);
        worlds::add_cluster(&mut world, "c");
        world
    };
    // The system accepts connections; nothing reads from them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world(), Timestamp::now()),
        |config| {
            config.poll.timeout = Duration::from_millis(100);
            config.accounts[0].endpoints.ehpc =
                Some(format!("http://{}", silent.local_addr().unwrap()));
        },
    );
    let outcome = |page: &Page, outcome| {
        page.sum("aliyun_task_exporter_polls_total", &[("outcome", outcome)])
    };
    let page = exporter.wait("polls end again and again", |page| outcome(page, "timeout") >= 6.0);
    assert!(failing(&page, "timeout"));
    assert_eq!(page.value("aliyun_task_exporter_target_up", &[("target", "s00")]), Some(1.0));
    assert!(
        outcome(&page, "ok") > outcome(&page, "timeout"),
        "the server is polled at its own cadence"
    );
}

#[test]
fn while_a_target_fails_its_up_is_0_and_its_last_success_stands_still() {
    let exporter = exporter();
    exporter.fault(r#"{"fault": {"kind": "outage"}}"#);
    let failed =
        |page: &Page| page.sum("aliyun_task_exporter_polls_total", &[("outcome", "service")]);
    let last = |page: &Page| {
        let all = page.all("aliyun_task_exporter_target_last_success_timestamp_seconds", &[]);
        all.map(ToString::to_string).collect::<Vec<_>>()
    };
    let down = |page: &Page| {
        page.sum("aliyun_task_exporter_target_failing", &[("reason", "service")]) == 3.0
    };
    let begun = exporter.wait("all is down", down);
    let later =
        exporter.wait("more polls have failed", |page| failed(page) >= failed(&begun) + 9.0);
    for page in [&begun, &later] {
        assert_eq!(
            page.all("aliyun_task_exporter_target_up", &[]).filter(|up| up.value == "0").count(),
            3
        );
    }
    assert_eq!((last(&begun).len(), last(&begun)), (3, last(&later)));
    exporter.clear_faults();
    exporter.wait("it moves on", |page| {
        page.sum("aliyun_task_exporter_target_up", &[]) == 3.0 && last(page) != last(&later)
    });
}

#[test]
fn an_expired_token_is_a_matter_of_credentials() {
    assert_failing(&exporter(), r#"{"kind": "expired_token"}"#, "credentials");
}

#[test]
fn an_answer_larger_than_allowed_is_refused() {
    let world = worlds::one_task();
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world, Timestamp::now()),
        |config| {
            config.poll.max_response_bytes = 60;
        },
    );
    exporter.wait("too large", |page| failing(page, "too_large"));
}

#[test]
fn in_an_outage_everything_fails_everything_is_kept_and_everything_comes_back() {
    let exporter = exporter();
    let before = exporter.metrics();
    exporter.fault(r#"{"fault": {"kind": "outage"}}"#);
    let page = exporter
        .wait("all is down", |page| page.sum("aliyun_task_exporter_target_failing", &[]) == 3.0);
    assert_eq!(page.sum("aliyun_task_exporter_target_up", &[]), 0.0);
    let cloud = |page: &Page| {
        let shown =
            page.samples.iter().filter(|sample| !sample.name.starts_with("aliyun_task_exporter_"));
        shown
            .filter(|sample| sample.name.starts_with("aliyun_"))
            .map(|sample| sample.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(cloud(&page), cloud(&before));
    exporter.clear_faults();
    exporter.wait("all is up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 3.0);
}

#[test]
fn a_wrong_key_is_told_with_its_reason_and_shown_nowhere() {
    let key = "LTAIwrongwrong";
    let secret = "sosecretsosecret";
    let world = worlds::servers(1, 3);
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world, Timestamp::now()),
        |config| {
            use aliyun_task_exporter::config::{Credentials, SecretSource};
            use aliyun_task_exporter::secret::Secret;
            config.accounts[0].credentials = Credentials::AccessKey {
                access_key_id: SecretSource::Value(Secret::new(key)),
                access_key_secret: SecretSource::Value(Secret::new(secret)),
            };
        },
    );
    let reason = [("target", "s00"), ("reason", "credentials")];
    exporter.wait("failing", |page| {
        page.value("aliyun_task_exporter_target_failing", &reason) == Some(1.0)
    });
    for path in ["/", "/metrics", "/config", "/api/v1/status"] {
        let answer = exporter.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains(secret) && !answer.text().contains(key), "{path}");
    }
    assert!(exporter.get("/api/v1/status").text().contains("InvalidAccessKeyId.NotFound"));
}

#[test]
fn one_wrong_target_among_ten_leaves_nine_right() {
    let world = worlds::servers(9, 2);
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world, Timestamp::now()),
        |config| {
            let wrong = aliyun_task_exporter::config::Server {
                id: "nowhere".into(),
                ..config.servers[0].clone()
            };
            config.servers.insert(4, wrong);
        },
    );
    let page = exporter.wait("ten have been polled", |page| {
        page.all("aliyun_task_exporter_target_up", &[]).count() == 10
            && page.all("aliyun_swas_invocation_exit_code", &[]).count() == 18
    });
    assert_eq!(page.sum("aliyun_task_exporter_target_up", &[]), 9.0);
    let failing: Vec<_> = page.all("aliyun_task_exporter_target_failing", &[]).collect();
    assert_eq!(failing.len(), 1);
    assert_eq!(
        (&*failing[0].labels["target"], &*failing[0].labels["reason"]),
        ("nowhere", "not_found")
    );
}

#[test]
fn an_unreachable_cloud_leaves_the_exporter_alive() {
    let world = worlds::one_task();
    let exporter = Exporter::start(
        Simulator::with_world(Settings::default(), world, Timestamp::now()),
        |config| {
            // A port without a listener.
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            config.accounts[0].endpoints.ehpc = Some(format!("http://{free}"));
        },
    );
    let page = exporter.wait("failing", |page| failing(page, "connect"));
    assert_eq!(page.all("aliyun_ehpc_task_status", &[]).count(), 0);
    assert_eq!(exporter.get("/-/healthy").status, 200);
}
