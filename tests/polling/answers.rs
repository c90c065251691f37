//! Answers by code, status and body, in all their forms, and what each does to its target.

use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::{Failure, Reason};
use aliyun_task_exporter::poll::Notice;
use aliyun_task_exporter::target::{Kind, TargetId};

use super::trouble::one_task;
use crate::support::harness::{Harness, id};
use crate::support::page::parse;
use crate::support::worlds;

fn tasks() -> TargetId {
    id(Kind::EhpcTasks, "c")
}

/// Applies a fault to every call for a while. Meanwhile the page must show: not up, the reason, and
/// the task as it was.
fn struck(fault: &str, reason: Reason) -> (Harness, Failure) {
    let mut harness = one_task();
    harness.fault(&format!(r#"{{"fault": {fault}}}"#));
    harness.run_until(29);
    let failure = harness.failure(&tasks()).unwrap_or_else(|| panic!("{fault}: nothing failed"));
    assert_eq!(failure.reason, reason, "{fault}: {}", failure.message);
    let page = parse(&harness.page(Format::Text));
    assert_eq!(
        page.value("aliyun_task_exporter_target_up", &[("target", "c")]),
        Some(0.0),
        "{fault}"
    );
    let failing = [("target", "c"), ("reason", reason.label())];
    assert_eq!(page.value("aliyun_task_exporter_target_failing", &failing), Some(1.0), "{fault}");
    let running = page.all("aliyun_ehpc_task_status", &[("status", "Processing")]).count();
    assert_eq!(running, 1, "{fault}: the last reading is kept");
    (harness, failure)
}

/// No kind of answer may lose what was open.
fn assert_nothing_lost(harness: &Harness, fault: &str) {
    let lost =
        harness.notices.iter().filter(|(_, notice)| matches!(notice, Notice::Lost { .. })).count();
    assert_eq!(lost, 0, "{fault}");
}

#[test]
fn a_code_decides_in_every_form_whatever_the_status() {
    for body in ["json", "lower_case", "repeated_key", "nested", "xml", "odd_xml"] {
        for (status, code, reason) in [
            (400, "Throttling.User", Reason::Throttled),
            (503, "Throttling", Reason::Throttled),
            (429, "NotAuthorized", Reason::Permission),
            (403, "Forbidden.RAM", Reason::Permission),
            (407, "NotAuthorized", Reason::Permission),
            (302, "InvalidAccessKeyId.NotFound", Reason::Credentials),
            (404, "DbError", Reason::Service),
            (502, "InDebt", Reason::Account),
        ] {
            let fault = format!(
                r#"{{"kind": "gateway", "status": {status}, "body": "{body}", "code": "{code}"}}"#
            );
            let (_, failure) = struck(&fault, reason);
            assert!(
                failure.message.contains(code) && !failure.message.contains("unknown"),
                "{}",
                failure.message
            );
        }
    }
}

#[test]
fn a_code_that_says_that_all_is_well_leaves_it_to_the_status() {
    for code in ["200", "OK", "success", "0", ""] {
        for (status, reason) in
            [(403, Reason::Blocked), (500, Reason::Service), (429, Reason::Throttled)]
        {
            let fault = format!(
                r#"{{"kind": "gateway", "status": {status}, "body": "json", "code": "{code}"}}"#
            );
            struck(&fault, reason);
        }
    }
}

#[test]
fn without_a_code_the_status_decides_and_no_page_is_called_a_bug() {
    for body in ["html", "empty", "text", "login", "block_page", "other_json"] {
        for (status, reason, advice) in [
            (429, Reason::Throttled, "quota"),
            (401, Reason::Blocked, "firewall"),
            (403, Reason::Blocked, "firewall"),
            (407, Reason::Blocked, "firewall"),
            (302, Reason::Blocked, "never redirects"),
            (500, Reason::Service, "none needed"),
            (503, Reason::Service, "none needed"),
            (404, Reason::Decode, "endpoint"),
            (200, Reason::Decode, "endpoint"),
        ] {
            let fault = format!(r#"{{"kind": "gateway", "status": {status}, "body": "{body}"}}"#);
            let (harness, failure) = struck(&fault, reason);
            assert!(
                failure.message.starts_with(&format!("ListTasks: HTTP {status}, ")),
                "{}",
                failure.message
            );
            assert!(failure.message.contains("request id"), "{}", failure.message);
            assert!(
                !["10.1.2.3", "WAF", "password", "denied"]
                    .iter()
                    .any(|word| failure.message.contains(word))
            );
            let may_be_a_bug = body == "other_json" && status == 200;
            assert_eq!(
                failure.advice.contains("a bug"),
                may_be_a_bug,
                "{fault}: {}",
                failure.advice
            );
            assert!(
                failure.advice.contains(advice) || body == "empty",
                "{fault}: {}",
                failure.advice
            );
            assert_nothing_lost(&harness, &fault);
        }
    }
}

#[test]
fn a_redirect_is_told_by_the_host_it_leads_to_and_no_more() {
    for (location, wanted) in [
        (
            "https://login.example.com/sso?token=hunter2&Signature=abc",
            "redirected to login.example.com",
        ),
        ("http://user:hunter2@portal.example:8080/", "redirected to portal.example:8080"),
        ("//cdn.example/x", "redirected to cdn.example"),
        ("/login?next=hunter2", "redirected to another path of the same host"),
    ] {
        let fault = format!(
            r#"{{"kind": "gateway", "status": 307, "body": "html", "location": "{location}"}}"#
        );
        let (_, failure) = struck(&fault, Reason::Blocked);
        assert!(failure.message.ends_with(wanted), "{}", failure.message);
    }
}

#[test]
fn what_is_wrong_with_a_body_is_named() {
    for (fault, wanted) in [
        (
            r#"{"kind": "gateway", "status": 200, "body": "login"}"#,
            "HTTP 200, text/html, request id unknown: an HTML page",
        ),
        (r#"{"kind": "gateway", "status": 200, "body": "empty"}"#, "an empty body"),
        (r#"{"kind": "gzip"}"#, "a compressed body"),
        (r#"{"kind": "gzip", "untold": true}"#, "a compressed body"),
    ] {
        let (_, failure) = struck(fault, Reason::Decode);
        assert!(failure.message.contains(wanted), "{}", failure.message);
        assert!(!failure.advice.contains("bug"), "{}", failure.advice);
    }
}

#[test]
fn a_byte_order_mark_changes_nothing() {
    let mut harness = one_task();
    harness.fault(r#"{"fault": {"kind": "bom"}}"#);
    harness.run_until(60);
    assert!(harness.polled.len() > 3 && harness.polled.iter().all(|poll| poll.failure.is_none()));
}

#[test]
fn a_code_in_an_answer_without_its_list_is_an_error_however_long_it_lasts() {
    for (code, reason) in [
        ("\"UnknownError\"", Reason::Service),
        ("\"Forbidden.RAM\"", Reason::Permission),
        ("\"Odd.Word\"", Reason::Service),
        ("500", Reason::Service),
    ] {
        for list in ["null", "missing", "empty"] {
            let fault =
                format!(r#"{{"kind": "code_in_answer", "code": {code}, "list": "{list}"}}"#);
            let (mut harness, _) = struck(&fault, reason);
            harness.run_until(600);
            assert_nothing_lost(&harness, &fault);
            harness.sim.clear_faults();
            harness.run_until(1000);
            assert_eq!(harness.failure(&tasks()), None, "{fault}");
            assert_eq!(harness.tasks("c").tasks.len(), 1, "{fault}");
        }
    }
}

#[test]
fn throttling_in_a_successful_answer_rests_the_operation() {
    for list in ["null", "missing", "kept"] {
        let fault =
            format!(r#"{{"kind": "code_in_answer", "code": "Throttling.User", "list": "{list}"}}"#);
        let (harness, _) = struck(&fault, Reason::Throttled);
        // The world starts half a minute into a minute, so the next one begins at second 30.
        assert_eq!(harness.made.len(), 1, "{list}");
    }
}

#[test]
fn a_known_code_beside_entries_shows_them_and_fails_the_target() {
    let fault = r#"{"kind": "code_in_answer", "code": "InternalError", "list": "kept"}"#;
    let (mut harness, failure) = struck(fault, Reason::Service);
    assert!(failure.message.starts_with("ListTasks: InternalError: "), "{}", failure.message);
    let calls = harness.made.len();
    assert!(calls <= 3, "{calls} calls in three ticks: asking again brings no more");
    harness.sim.world_mut().add_task("c", worlds::task("new", 30, 9000)).unwrap();
    harness.run_until(60);
    assert_eq!(harness.tasks("c").tasks.len(), 2, "what is there is shown");
    let page = parse(&harness.page(Format::Text));
    assert_eq!(page.value("aliyun_task_exporter_target_up", &[("target", "c")]), Some(0.0));
}

#[test]
fn an_unknown_code_beside_entries_is_a_word_and_no_error() {
    let mut harness = one_task();
    harness.fault(r#"{"fault": {"kind": "code_in_answer", "code": "Brand.New", "list": "kept"}}"#);
    harness.run_until(25);
    assert!(harness.polled.len() >= 2 && harness.polled.iter().all(|poll| poll.failure.is_none()));
    assert!(
        harness.unknown.contains(&("ListTasks", "Code", "Brand.New".to_owned())),
        "{:?}",
        harness.unknown
    );
}

#[test]
fn a_code_that_says_that_all_is_well_is_no_error_with_or_without_a_list() {
    for code in ["0", "200", "\"200\"", "\"OK\"", "\"success\"", "\"\"", "null"] {
        for list in ["kept", "empty"] {
            let mut harness = one_task();
            harness.fault(&format!(
                r#"{{"fault": {{"kind": "code_in_answer", "code": {code}, "list": "{list}"}}, "times": 1}}"#
            ));
            harness.run_until(25);
            assert!(harness.polled.iter().all(|poll| poll.failure.is_none()), "{code} {list}");
            assert_eq!(
                (harness.unknown.len(), harness.tasks("c").tasks.len()),
                (0, 1),
                "{code} {list}"
            );
        }
    }
}

#[test]
fn hints_to_wait_are_honoured_in_every_form_and_capped() {
    for (fault, seconds) in [
        (r#"{"kind": "gateway", "status": 429, "body": "html", "retry_after_s": 45}"#, 45),
        (
            r#"{"kind": "gateway", "status": 429, "body": "empty", "retry_after_s": 45, "retry_after_date": true}"#,
            45,
        ),
        (
            r#"{"kind": "gateway", "status": 429, "body": "xml", "code": "Throttling", "retry_after_s": 9000}"#,
            300,
        ),
        (r#"{"kind": "throttle", "time_left_ms": 86400000}"#, 300),
        (r#"{"kind": "throttle", "retry_after_ms": 18446744073709551615}"#, 300),
        (r#"{"kind": "gateway", "status": 503, "body": "html", "retry_after_s": 45}"#, 45),
        (
            r#"{"kind": "gateway", "status": 503, "body": "json", "retry_after_s": 45, "retry_after_date": true}"#,
            45,
        ),
        (r#"{"kind": "gateway", "status": 503, "body": "empty", "retry_after_s": 100000}"#, 300),
        (r#"{"kind": "gateway", "status": 503, "body": "empty", "retry_after_s": 3}"#, 3),
    ] {
        let mut harness = one_task();
        harness.fault(&format!(r#"{{"fault": {fault}, "times": 1}}"#));
        harness.run_until(400);
        let waited = harness.made[1].sent.duration_since(harness.made[0].sent).as_secs_f64();
        let latest = f64::from(seconds) + 31.0;
        assert!((f64::from(seconds)..latest).contains(&waited), "{fault}: {waited}");
        assert_eq!(harness.failure(&tasks()), None, "{fault}");
    }
}

#[test]
fn a_blocked_operation_says_nothing_of_its_permission() {
    let (harness, failure) =
        struck(r#"{"kind": "gateway", "status": 403, "body": "block_page"}"#, Reason::Blocked);
    assert!(failure.advice.contains("says nothing of RAM"), "{}", failure.advice);
    assert!(harness.made.iter().all(|made| made.failure == Some(Reason::Blocked)));
    assert!(harness.made.len() >= 2, "it is asked at its usual cadence: what is in the way may go");
}

#[test]
fn gateways_and_codes_are_judged_alike_for_every_operation() {
    let kinds = [
        r#"{"kind": "code_in_answer", "code": "ServiceUnavailable"}"#,
        r#"{"kind": "gateway", "status": 403, "body": "html"}"#,
        r#"{"kind": "gateway", "status": 429, "body": "empty"}"#,
        r#"{"kind": "gateway", "status": 503, "body": "odd_xml", "code": "InternalError"}"#,
    ];
    let reasons = [Reason::Service, Reason::Blocked, Reason::Throttled, Reason::Service];
    for (kind, reason) in kinds.iter().zip(reasons) {
        for (action, target) in [
            ("ListTasks", id(Kind::EhpcTasks, "c")),
            ("ListCommands", id(Kind::EhpcInvocations, "c")),
            ("ListInvocationStatus", id(Kind::EhpcInvocations, "c")),
            ("ListInvocationResults", id(Kind::EhpcInvocations, "c")),
            ("DescribeInvocations", id(Kind::SwasInvocations, "s00")),
            ("DescribeInvocationResult", id(Kind::SwasInvocations, "s00")),
        ] {
            let mut world = worlds::servers(1, 2);
            worlds::add_cluster(&mut world, "c");
            world.add_task("c", worlds::task("t", -10, 10_000)).unwrap();
            world.add_command("c", worlds::command("k", 2, -100, -50)).unwrap();
            let mut harness = Harness::scripted(world);
            harness.fault(&format!(r#"{{"match": {{"action": "{action}"}}, "fault": {kind}}}"#));
            harness.run_until(29);
            let failure = harness
                .failure(&target)
                .unwrap_or_else(|| panic!("{action} {kind}: nothing failed"));
            assert_eq!(failure.reason, reason, "{action} {kind}: {}", failure.message);
            assert!(failure.message.starts_with(&format!("{action}: ")), "{}", failure.message);
            let others = harness
                .store
                .views(harness.moment())
                .into_iter()
                .filter(|view| view.target.id != target);
            assert!(
                others.filter_map(|view| view.state.up).all(|up| up),
                "{action} {kind}: others suffer"
            );
        }
    }
}

#[test]
fn an_answer_about_another_thing_is_not_believed_and_not_asked_for_in_a_storm() {
    for (action, field, target) in [
        ("DescribeInvocationResult", "InvokeId", id(Kind::SwasInvocations, "s00")),
        ("DescribeInvocationResult", "InstanceId", id(Kind::SwasInvocations, "s00")),
        ("ListInvocationStatus", "CommandId", id(Kind::EhpcInvocations, "c")),
    ] {
        let mut world = worlds::servers(1, 1);
        worlds::add_cluster(&mut world, "c");
        world.add_command("c", worlds::command("k", 2, -100, -50)).unwrap();
        let mut harness = Harness::scripted(world);
        let fault = format!(r#"{{"kind": "wrong_ids", "field": "{field}"}}"#);
        harness.fault(&format!(r#"{{"match": {{"action": "{action}"}}, "fault": {fault}}}"#));
        harness.run_until(29);
        let failure =
            harness.failure(&target).unwrap_or_else(|| panic!("{action} {field}: nothing failed"));
        let wanted = format!("an answer about another {field} than was asked for");
        assert_eq!(failure.reason, Reason::Decode, "{action} {field}");
        assert!(failure.message.contains(&wanted), "{}", failure.message);
        let polls = harness.polled.iter().filter(|poll| poll.target == target).count();
        assert!(
            harness.of(action).len() <= polls + 1,
            "{action} {field}: {} calls",
            harness.of(action).len()
        );
        assert_eq!(harness.ends(&target).count(), 0, "{action} {field}");
        let page = parse(&harness.page(Format::Text));
        assert_eq!(
            page.all("aliyun_swas_invocation_exit_code", &[]).count(),
            usize::from(target.id.starts_with('c'))
        );
        harness.sim.clear_faults();
        harness.run_until(200);
        assert_eq!(harness.failure(&target), None, "{action} {field}");
    }
}

#[test]
fn of_a_list_only_the_entry_about_another_thing_is_left_out() {
    let mut world = worlds::one_task();
    world.add_task("c", worlds::task("u", -5, 9000)).unwrap();
    let mut harness = Harness::scripted(world);
    harness.fault(
        r#"{"match": {"action": "ListTasks"}, "fault": {"kind": "wrong_ids", "field": "ClusterId", "once": true}}"#,
    );
    harness.run_until(5);
    assert_eq!((harness.failure(&tasks()), harness.tasks("c").tasks.len()), (None, 1));
    harness.sim.clear_faults();
    harness.run_until(15);
    assert_eq!(harness.tasks("c").tasks.len(), 2);
}
