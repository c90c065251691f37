//! Every fault, on one call.

use std::time::Duration;

use aliyun_task_exporter::sim::{Delivery, Operation, Reply, Transfer};
use http::Request;
use serde_json::Value;

use super::caller::{Draft, at, first_cluster, living, read};

/// `ListTasks` under one fault.
fn struck(fault: &str) -> Reply {
    let mut simulator = living();
    let cluster = first_cluster(&simulator, at(0.0));
    simulator
        .add_faults(&format!(r#"[{{"match": {{"action": "ListTasks"}}, "fault": {fault}}}]"#))
        .unwrap();
    let own = [("ClusterId", cluster.as_str()), ("Archived", "true"), ("PageNumber", "2")];
    simulator.handle(&Draft::new(Operation::ListTasks, &own, at(0.0)).request(), at(0.0))
}

fn code(fault: &str) -> (u16, Value) {
    let (status, mut body) = read(struck(fault));
    (status, body["Code"].take())
}

#[test]
fn errors_come_with_any_code_and_status() {
    assert_eq!(code(r#"{"kind": "throttle"}"#), (400, "Throttling.User".into()));
    assert_eq!(
        code(r#"{"kind": "throttle", "code": "Throttling.Api", "status": 429}"#),
        (429, "Throttling.Api".into())
    );
    assert_eq!(
        code(r#"{"kind": "error", "status": 406, "code": "DbError"}"#),
        (406, "DbError".into())
    );
    assert_eq!(code(r#"{"kind": "expired_token"}"#), (400, "InvalidSecurityToken.Expired".into()));
    let reply = struck(r#"{"kind": "throttle", "time_left_ms": 2000, "retry_after_ms": 1500}"#);
    assert_eq!(
        reply.response.headers()["x-ratelimit-user-api"],
        "Limit:1,Remain:0,TimeLeft:2000,Reset:0"
    );
    assert_eq!(reply.response.headers()["x-acs-retry-after"], "1500");
}

/// With two calls per second for a minute: how many are admitted, and how the others are answered.
fn let_through(faults: &str) -> (usize, Vec<Value>) {
    let mut simulator = living();
    let cluster = first_cluster(&simulator, at(0.0));
    simulator.add_faults(faults).unwrap();
    let mut passed = 0;
    let mut codes = Vec::new();
    // A whole calendar minute.
    for call in 0..120 {
        let now = at(30.0 + f64::from(call) / 2.0);
        let own = [("ClusterId", cluster.as_str()), ("Archived", "true")];
        let (status, mut body) =
            read(simulator.handle(&Draft::new(Operation::ListTasks, &own, now).request(), now));
        match status {
            200 => passed += 1,
            _ => codes.push(body["Code"].take()),
        }
    }
    codes.dedup();
    (passed, codes)
}

#[test]
fn a_limit_moves_and_another_program_uses_it_up() {
    assert_eq!(let_through("[]"), (120, vec![]));
    let throttled = || vec!["Throttling.User".into()];
    assert_eq!(
        let_through(r#"[{"fault": {"kind": "quota", "per_minute": 30}}]"#),
        (30, throttled())
    );
    let moving = r#"[{"fault": {"kind": "quota", "per_minute": 40}, "schedule": {"from": 60}},
                     {"fault": {"kind": "quota", "per_minute": 10}}]"#;
    assert_eq!(let_through(moving), (40, throttled()), "ten, and then thirty more");
    let shared = r#"[{"match": {"action": "ListTasks"}, "fault": {"kind": "other_calls", "per_minute": 20, "at_once": true}},
                     {"fault": {"kind": "quota", "per_minute": 30}}]"#;
    assert_eq!(let_through(shared), (10, throttled()));
    let evenly = r#"[{"fault": {"kind": "other_calls", "per_minute": 60}}, {"fault": {"kind": "quota", "per_minute": 60}}]"#;
    let (passed, codes) = let_through(evenly);
    assert!((39..=41).contains(&passed) && codes == throttled(), "two of three are ours: {passed}");
    let elsewhere = r#"[{"match": {"action": "ListCommands"}, "fault": {"kind": "other_calls", "per_minute": 5000}}]"#;
    assert_eq!(let_through(elsewhere), (120, vec![]));
    let problem = living()
        .add_faults(r#"[{"fault": {"kind": "other_calls", "per_minute": 100001}}]"#)
        .unwrap_err();
    assert_eq!(problem, "fault 0: per_minute 100001 is more than 100000");
}

#[test]
fn deliveries_are_slow_or_cut_or_never_come() {
    let delivery = |fault| struck(fault).delivery;
    let whole = Delivery::default();
    let late = Delivery { delay: Duration::from_millis(1500), ..whole.clone() };
    assert_eq!(delivery(r#"{"kind": "latency", "ms": 1500}"#), late);
    assert_eq!(delivery(r#"{"kind": "reset"}"#).transfer, Transfer::Reset);
    assert_eq!(delivery(r#"{"kind": "truncated", "keep": 10}"#).transfer, Transfer::Truncated(10));
    let drip = Transfer::Drip(4, Duration::from_millis(9));
    assert_eq!(delivery(r#"{"kind": "drip", "bytes": 4, "pause_ms": 9}"#).transfer, drip);
    let half = struck(r#"{"kind": "truncated"}"#);
    assert_eq!(half.delivery.transfer, Transfer::Truncated(half.response.body().len() / 2));
}

#[test]
fn bodies_lie() {
    let (_, wrong) = read(struck(r#"{"kind": "wrong_types"}"#));
    assert_eq!(wrong["TotalCount"], "30");
    let (_, unknown) = read(struck(r#"{"kind": "unknown_words", "word": "Paused"}"#));
    assert_eq!(unknown["Tasks"][0]["Status"], "Paused");
    let (_, repeated) = read(struck(r#"{"kind": "repeated_page"}"#));
    let (_, honest) = read(struck(r#"{"kind": "latency", "ms": 0}"#));
    assert_eq!((&repeated["PageNumber"], &honest["PageNumber"]), (&1.into(), &2.into()));
    assert_ne!(repeated["Tasks"], honest["Tasks"]);
}

#[test]
fn gateways_answer_in_any_form_and_codes_stand_in_successful_answers() {
    let reply = struck(
        r#"{"kind": "gateway", "status": 429, "body": "odd_xml", "code": "Throttling", "retry_after_s": 7}"#,
    );
    assert_eq!(
        (reply.response.status().as_u16(), &reply.response.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    assert!(String::from_utf8_lossy(reply.response.body()).contains("&#84;<![CDATA[hrottling]]>"));
    let dated = struck(
        r#"{"kind": "gateway", "status": 302, "body": "empty", "retry_after_s": 7, "retry_after_date": true, "location": "//a"}"#,
    );
    assert!(dated.response.headers()["retry-after"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(
        (dated.response.headers()["location"].as_bytes(), dated.response.body().len()),
        (&b"//a"[..], 0)
    );
    for (list, tasks) in [("null", "null"), ("empty", "[]")] {
        let (status, body) =
            read(struck(&format!(r#"{{"kind": "code_in_answer", "code": 7, "list": "{list}"}}"#)));
        assert_eq!(
            (status, body["Tasks"].to_string(), &body["Code"]),
            (200, tasks.to_owned(), &7.into())
        );
    }
    assert!(
        read(struck(r#"{"kind": "code_in_answer", "code": "A", "list": "missing"}"#))
            .1
            .get("Tasks")
            .is_none()
    );
    let (_, kept) = read(struck(r#"{"kind": "code_in_answer", "code": "A", "list": "kept"}"#));
    assert!(kept["Tasks"].as_array().unwrap().len() > 1);
    let of = |once: bool| {
        read(struck(&format!(r#"{{"kind": "wrong_ids", "field": "ClusterId", "once": {once}}}"#))).1
    };
    let wrong = |body: &Value| {
        let is_wrong = |task: &&Value| task["ClusterId"].as_str().unwrap().ends_with("-of-another");
        body["Tasks"].as_array().unwrap().iter().filter(is_wrong).count()
    };
    assert!(wrong(&of(false)) > 1 && wrong(&of(true)) == 1);
    assert!(struck(r#"{"kind": "bom"}"#).response.body().starts_with(b"\xEF\xBB\xBF{"));
    let packed = struck(r#"{"kind": "gzip"}"#);
    assert!(packed.response.body().starts_with(&[0x1f, 0x8b]));
    assert_eq!(packed.response.headers()["content-encoding"], "gzip");
    assert!(
        !struck(r#"{"kind": "gzip", "untold": true}"#)
            .response
            .headers()
            .contains_key("content-encoding")
    );
}

#[test]
fn a_proxy_answers_html_and_an_outage_asks_nobody_who_he_is() {
    for (fault, status) in [(r#"{"kind": "html"}"#, 502), (r#"{"kind": "outage"}"#, 503)] {
        let reply = struck(fault);
        assert_eq!(reply.response.status(), status);
        assert!(reply.response.body().starts_with(b"<html>"));
        assert_eq!(reply.response.headers()["content-type"], "text/html");
    }
    let mut simulator = living();
    let nobody = Draft { secret: "wrong", ..Draft::new(Operation::ListClusters, &[], at(0.0)) };
    simulator.add_faults(r#"[{"fault": {"kind": "html"}}]"#).unwrap();
    assert_eq!(
        simulator.handle(&nobody.request(), at(0.0)).response.status(),
        400,
        "the gateway comes first"
    );
    simulator.add_faults(r#"[{"fault": {"kind": "outage"}}]"#).unwrap();
    assert_eq!(simulator.handle(&nobody.request(), at(0.0)).response.status(), 503);
}

#[test]
fn faults_are_posted_shown_and_deleted() {
    let mut simulator = living();
    let mut control = |method: &str, body: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/_sim/faults")
            .body(body.as_bytes().to_vec())
            .unwrap();
        read(simulator.handle(&request, at(0.0)))
    };
    let rule = r#"[{"match": {"product": "EHPC", "parameters": {"PageNumber": "2"}}, "fault": {"kind": "reset"}, "times": 1}]"#;
    let (status, shown) = control("POST", rule);
    assert_eq!(
        (status, shown[0]["fault"]["kind"].as_str(), shown[0]["struck"].as_u64()),
        (200, Some("reset"), Some(0))
    );
    let (status, problem) = control("POST", r#"[{"fault": {"kind": "reset"}, "tiems": 1}]"#);
    assert_eq!(status, 400);
    assert!(problem["error"].as_str().unwrap().contains("unknown field `tiems`"), "{problem}");
    assert_eq!(control("GET", "").1.as_array().map(Vec::len), Some(1), "a bad list adds nothing");
    assert_eq!(control("DELETE", "").1, Value::Array(Vec::new()));
    assert_eq!(control("PUT", "").0, 405);
}
