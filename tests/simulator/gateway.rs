//! Which requests are admitted: signatures, clocks, nonces, tokens, permissions, quotas.

use std::collections::{BTreeMap, BTreeSet};

use aliyun_task_exporter::sim::{Operation, QuotaWindow, Quotas, Settings, Simulator};
use http::Request;

use super::caller::{Acs3, Draft, ask, at, code, get, living, read, start};

fn draft() -> Draft {
    Draft::new(Operation::ListClusters, &[], at(0.0))
}

fn answer(simulator: &mut Simulator, draft: &Draft) -> (u16, String) {
    code(read(simulator.handle(&draft.request(), at(0.0))))
}

#[test]
fn a_request_lacks_nothing_and_says_nothing_else() {
    for name in [
        "Action",
        "Version",
        "AccessKeyId",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ] {
        assert_eq!(answer(&mut living(), &draft().set(name, "")), (400, format!("Missing{name}")));
    }
    assert_eq!(
        answer(&mut living(), &draft().set("Action", "ListBeans")),
        (404, "InvalidApi.NotFound".to_owned())
    );
    assert_eq!(answer(&mut living(), &draft().set("Format", "XML")).1, "UnsupportedFormat");
    assert_eq!(answer(&mut living(), &draft().set("SignatureVersion", "2.0")).1, "InvalidParams");
    assert_eq!(
        answer(&mut living(), &draft().set("Timestamp", "yesterday")).1,
        "InvalidTimeStamp.Format"
    );
    let elsewhere = Request::get(format!("/tasks?{}", draft().query())).body(Vec::new()).unwrap();
    assert_eq!(code(read(living().handle(&elsewhere, at(0.0)))).1, "InvalidApi.NotFound");
    let unsigned = Request::get(
        "/?Action=ListClusters&Version=2018-04-12&Format=JSON&Timestamp=2024-05-06T07:00:30Z&AccessKeyId=testid&SignatureNonce=1&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0",
    );
    let reply = living().handle(&unsigned.body(Vec::new()).unwrap(), at(0.0));
    assert_eq!(code(read(reply)), (400, "MissingSignature".to_owned()));
}

#[test]
fn keys_and_secrets_are_checked() {
    assert_eq!(answer(&mut living(), &draft()), (200, "ok".to_owned()));
    let unknown = draft().set("AccessKeyId", "nobody");
    assert_eq!(answer(&mut living(), &unknown), (404, "InvalidAccessKeyId.NotFound".to_owned()));
    let wrong = Draft { secret: "wrong", ..draft() };
    let (status, body) = read(living().handle(&wrong.request(), at(0.0)));
    assert_eq!((status, body["Code"].as_str()), (400, Some("SignatureDoesNotMatch")));
    let message = body["Message"].as_str().unwrap();
    let signed = "server string to sign is:GET&%2F&AccessKeyId%3Dtestid%26Action%3DListClusters%26Format%3DJSON";
    assert!(message.contains(signed), "{message}");
}

#[test]
fn the_clock_may_not_be_far_off_and_a_nonce_serves_once() {
    let late = Draft::new(Operation::ListClusters, &[], at(-901.0));
    assert_eq!(answer(&mut living(), &late), (400, "InvalidTimeStamp.Expired".to_owned()));
    let mut simulator = living();
    assert_eq!(answer(&mut simulator, &draft()).0, 200);
    assert_eq!(answer(&mut simulator, &draft()), (400, "SignatureNonceUsed".to_owned()));
    let rejected = Draft { secret: "wrong", ..draft().set("SignatureNonce", "fresh") };
    assert_eq!(answer(&mut simulator, &rejected).1, "SignatureDoesNotMatch");
    assert_eq!(
        answer(&mut simulator, &draft().set("SignatureNonce", "fresh")).0,
        200,
        "only a valid request spends it"
    );
}

fn answer_acs3(simulator: &mut Simulator, draft: Draft) -> (u16, String) {
    code(read(simulator.handle(&Acs3::new(draft, false).request(), at(0.0))))
}

#[test]
fn acs3_is_held_to_the_same() {
    assert_eq!(answer_acs3(&mut living(), draft()), (200, "ok".to_owned()));
    for name in ["Action", "Version", "SignatureNonce", "Timestamp"] {
        assert_eq!(
            answer_acs3(&mut living(), draft().set(name, "")),
            (400, format!("Missing{name}"))
        );
    }
    assert_eq!(
        answer_acs3(&mut living(), draft().set("Action", "ListBeans")),
        (404, "InvalidApi.NotFound".to_owned())
    );
    assert_eq!(answer_acs3(&mut living(), draft().set("Format", "")).1, "UnsupportedFormat");
    assert_eq!(
        answer_acs3(&mut living(), draft().set("Timestamp", "yesterday")).1,
        "InvalidTimeStamp.Format"
    );
    let late = Draft::new(Operation::ListClusters, &[], at(-901.0));
    assert_eq!(answer_acs3(&mut living(), late), (400, "InvalidTimeStamp.Expired".to_owned()));
    let unknown = draft().set("AccessKeyId", "nobody");
    assert_eq!(
        answer_acs3(&mut living(), unknown),
        (404, "InvalidAccessKeyId.NotFound".to_owned())
    );
    let wrong = Draft { secret: "wrong", ..draft() };
    assert_eq!(answer_acs3(&mut living(), wrong), (400, "SignatureDoesNotMatch".to_owned()));
}

#[test]
fn a_nonce_serves_once_whatever_the_signature() {
    let mut simulator = living();
    assert_eq!(answer(&mut simulator, &draft()).0, 200);
    assert_eq!(answer_acs3(&mut simulator, draft()), (400, "SignatureNonceUsed".to_owned()));
    assert_eq!(answer_acs3(&mut simulator, draft().set("SignatureNonce", "fresh")).0, 200);
    assert_eq!(
        answer_acs3(&mut simulator, draft().set("SignatureNonce", "fresh")).1,
        "SignatureNonceUsed"
    );
}

#[test]
fn acs3_signs_queries_forms_and_tokens() {
    let own = [("RegionId", "cn-hangzhou"), ("InstanceName", "a b*~/测试"), ("PageSize", "1")];
    for (method, in_form) in [("GET", false), ("POST", false), ("POST", true)] {
        let draft = Draft { method, ..Draft::new(Operation::ListInstances, &own, at(0.0)) }
            .set("SignatureNonce", "1");
        let settings =
            Settings { security_token: Some("a+b/c==".to_owned()), ..Settings::default() };
        let mut simulator = Simulator::new(settings, start());
        let request = Acs3::new(draft.set("SecurityToken", "a+b/c=="), in_form).request();
        assert_eq!(
            code(read(simulator.handle(&request, at(0.0)))),
            (200, "ok".to_owned()),
            "{method} {in_form}"
        );
        let parameters = &simulator.calls().next().unwrap().parameters;
        assert_eq!(parameters["InstanceName"], own[1].1);
        assert_eq!(parameters.len(), 3, "nothing else is a parameter: {parameters:?}");
        let mut forged = request.map(|body| [body, b"&PageSize=2".to_vec()].concat());
        forged.headers_mut().insert("x-acs-signature-nonce", "another".parse().unwrap());
        assert_eq!(code(read(simulator.handle(&forged, at(0.0)))).1, "SignatureDoesNotMatch");
    }
    let untold = draft().set("SecurityToken", "b");
    assert_eq!(answer_acs3(&mut living(), untold).1, "InvalidSecurityToken.MismatchWithAccessKey");
}

#[test]
fn a_frozen_world_still_wants_requests_of_today() {
    let mut simulator = living();
    simulator.freeze(at(0.0));
    let now = at(7200.0);
    assert_eq!(code(ask(&mut simulator, Operation::ListClusters, &[], now)).0, 200);
    let old = Draft::new(Operation::ListClusters, &[], at(0.0)).request();
    assert_eq!(code(read(simulator.handle(&old, now))).1, "InvalidTimeStamp.Expired");
    assert_eq!(simulator.truth(now), simulator.truth(at(0.0)));
    simulator.thaw();
    assert_ne!(simulator.truth(now), simulator.truth(at(0.0)));
}

#[test]
fn tokens_are_compared() {
    let token = |token: Option<&str>, sent: &str| {
        let settings = Settings { security_token: token.map(str::to_owned), ..Settings::default() };
        answer(&mut Simulator::new(settings, start()), &draft().set("SecurityToken", sent))
    };
    assert_eq!(token(Some("a+b/c=="), "a+b/c=="), (200, "ok".to_owned()));
    assert_eq!(token(Some("a"), ""), (400, "MissingSecurityToken".to_owned()));
    assert_eq!(
        token(Some("a"), "b"),
        (400, "InvalidSecurityToken.MismatchWithAccessKey".to_owned())
    );
    assert_eq!(token(None, "b"), (400, "InvalidSecurityToken.MismatchWithAccessKey".to_owned()));
}

#[test]
fn each_product_refuses_permission_in_its_own_way() {
    let permitted = Some(BTreeSet::from(["ehpc:ListTasks".to_owned()]));
    let mut simulator = Simulator::new(Settings { permitted, ..Settings::default() }, start());
    let region = [("RegionId", "cn-hangzhou")];
    assert_eq!(code(ask(&mut simulator, Operation::ListTasks, &[], at(0.0))).1, "MissingClusterId");
    assert_eq!(
        code(ask(&mut simulator, Operation::ListClusters, &[], at(0.0))),
        (407, "NotAuthorized".to_owned())
    );
    let (status, body) = ask(&mut simulator, Operation::ListInstances, &region, at(0.0));
    assert_eq!((status, body["Code"].as_str()), (403, Some("NoPermission")));
    assert_eq!(body["AccessDeniedDetail"]["AuthAction"], "swas-open:ListInstances");
    assert_eq!(code(ask(&mut simulator, Operation::SwasListRegions, &[], at(0.0))).0, 200);
}

#[test]
fn quotas_hold_per_operation_and_minute() {
    let operations = BTreeMap::from([(Operation::ListClusters, 2)]);
    let quotas = Quotas { per_minute: 3, operations, window: QuotaWindow::Calendar, headers: true };
    let mut simulator = Simulator::new(Settings { quotas, ..Settings::default() }, start());
    let mut passed = |operation, from: f64| {
        let ok = |call: &u32| {
            code(ask(&mut simulator, operation, &[], at(from + f64::from(*call)))).0 == 200
        };
        (0..5).filter(ok).count()
    };
    // The world starts half a minute into a minute.
    assert_eq!(passed(Operation::ListClusters, 0.0), 2);
    assert_eq!(passed(Operation::EhpcListRegions, 10.0), 3);
    assert_eq!(passed(Operation::ListClusters, 20.0), 0);
    assert_eq!(passed(Operation::ListClusters, 30.0), 2);
    let reply =
        simulator.handle(&Draft::new(Operation::ListClusters, &[], at(40.0)).request(), at(40.0));
    assert_eq!(
        reply.response.headers()["x-ratelimit-user-api"],
        "Limit:2,Remain:0,TimeLeft:50000,Reset:1714978920"
    );
}

#[test]
fn answers_carry_the_headers_of_the_gateway() {
    let reply = living().handle(&draft().request(), at(0.0));
    let headers = reply.response.headers().clone();
    let (_, body) = read(reply);
    assert_eq!(headers["date"], "Mon, 06 May 2024 07:00:30 GMT");
    assert_eq!(headers["content-type"], "application/json;charset=utf-8");
    assert_eq!(headers["x-acs-request-id"].to_str().ok(), body["RequestId"].as_str());
}

#[test]
fn calls_are_logged_without_what_signs_them() {
    let mut simulator = living();
    get(&mut simulator, Operation::ListClusters, &[("PageSize", "5")], at(0.0));
    answer(&mut simulator, &Draft { secret: "wrong", ..draft() });
    let calls: Vec<_> = simulator
        .calls()
        .map(|call| (call.action.as_str(), call.outcome.as_str(), call.status))
        .collect();
    assert_eq!(
        calls,
        [("ListClusters", "ok", 200), ("ListClusters", "SignatureDoesNotMatch", 400)]
    );
    assert_eq!(
        simulator.calls().next().unwrap().parameters,
        BTreeMap::from([("PageSize".to_owned(), "5".to_owned())])
    );
    let (_, log) =
        read(simulator.handle(&Request::get("/_sim/calls").body(Vec::new()).unwrap(), at(0.0)));
    assert_eq!((log["total"].as_u64(), log["totals"][0]["count"].as_u64()), (Some(2), Some(1)));
}
