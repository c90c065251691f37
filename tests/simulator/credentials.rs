//! Who can log in with what: STS, the metadata server, the credentials URI, and what they issue.

use std::time::Duration;

use aliyun_task_exporter::sim::{Metadata, Operation, Role, Settings, Simulator};
use http::Request;
use jiff::SignedDuration;
use serde_json::Value;

use super::caller::{Draft, at, code, living, read, start};

const ROLE: &str = "acs:ram::1234567890123456:role/exporter";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001";
const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

fn assume(second: f64) -> Draft {
    let own = [("RoleArn", ROLE), ("RoleSessionName", "test")];
    Draft { method: "POST", ..Draft::new(Operation::AssumeRole, &own, at(second)) }
}

fn answer(simulator: &mut Simulator, draft: &Draft, second: f64) -> (u16, Value) {
    read(simulator.handle(&draft.request(), at(second)))
}

fn refusal(simulator: &mut Simulator, name: &str, value: &str) -> (u16, String) {
    code(answer(
        simulator,
        &assume(0.0).set(name, value).set("SignatureNonce", &format!("{name}{value}")),
        0.0,
    ))
}

fn raw(
    simulator: &mut Simulator,
    method: &str,
    path: &str,
    header: Option<(&str, &str)>,
    second: f64,
) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let response = simulator.handle(&request.body(Vec::new()).unwrap(), at(second)).response;
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
}

/// The outcome of a call signed with issued credentials.
fn use_at(simulator: &mut Simulator, given: &Value, second: f64) -> String {
    let secret: &'static str = String::leak(given["AccessKeySecret"].as_str().unwrap().to_owned());
    let draft = Draft::new(Operation::ListClusters, &[], at(second));
    let draft =
        Draft { secret, ..draft }.set("AccessKeyId", given["AccessKeyId"].as_str().unwrap());
    let draft = draft.set("SecurityToken", given["SecurityToken"].as_str().unwrap_or_default());
    code(answer(simulator, &draft, second)).1
}

#[test]
fn what_a_role_hands_out_signs_until_it_ends_or_is_revoked() {
    let mut simulator = living();
    let (status, body) = answer(&mut simulator, &assume(0.0), 0.0);
    assert_eq!(status, 200, "{body}");
    let given = &body["Credentials"];
    assert_eq!(given["Expiration"], "2024-05-06T08:00:30Z");
    assert_eq!(body["AssumedRoleUser"]["Arn"], format!("{ROLE}/test"));
    assert_eq!(use_at(&mut simulator, given, 1.0), "ok");
    assert_eq!(use_at(&mut simulator, given, 3599.0), "ok");
    assert_eq!(use_at(&mut simulator, given, 3600.0), "InvalidSecurityToken.Expired");
    let mut bare = given.clone();
    bare["SecurityToken"] = "".into();
    assert_eq!(use_at(&mut simulator, &bare, 2.0), "MissingSecurityToken");
    bare["SecurityToken"] = "other".into();
    assert_eq!(use_at(&mut simulator, &bare, 3.0), "InvalidSecurityToken.MismatchWithAccessKey");
    simulator.revoke_credentials();
    assert_eq!(use_at(&mut simulator, given, 4.0), "InvalidSecurityToken.Expired");
}

#[test]
fn a_role_is_refused_in_the_documented_words() {
    let mut simulator = living();
    simulator.settings_mut().roles.insert(
        "acs:ram::1:role/other".to_owned(),
        Role {
            external_id: Some("e-1".to_owned()),
            longest_session: Duration::from_secs(7200),
            ..Role::default()
        },
    );
    for (name, value, wanted) in [
        ("RoleArn", "", (400, "MissingRoleArn")),
        ("RoleArn", "exporter", (400, "InvalidParameter.RoleArn")),
        ("RoleArn", "acs:ram::1:role/nobody", (404, "EntityNotExist.Role")),
        ("RoleSessionName", "a", (400, "InvalidParameter.RoleSessionName")),
        ("DurationSeconds", "899", (400, "InvalidParameter.DurationSeconds")),
        ("DurationSeconds", "3601", (400, "InvalidParameter.DurationSeconds")),
        ("DurationSeconds", "x", (400, "InvalidParameter.DurationSeconds")),
        ("DurationSeconds", "900", (200, "ok")),
        ("RoleArn", "acs:ram::1:role/other", (403, "NoPermission")),
    ] {
        assert_eq!(
            refusal(&mut simulator, name, value),
            (wanted.0, wanted.1.to_owned()),
            "{name} {value}"
        );
    }
    for (second, id, wanted) in [(1.0, "e-2", "NoPermission"), (2.0, "e-1", "ok")] {
        let other =
            assume(second).set("RoleArn", "acs:ram::1:role/other").set("DurationSeconds", "7200");
        assert_eq!(code(answer(&mut simulator, &other.set("ExternalId", id), second)).1, wanted);
    }
    simulator.settings_mut().permitted = Some([].into());
    assert_eq!(refusal(&mut simulator, "Policy", "x"), (403, "NoPermission".to_owned()));
    let wrong = Draft { secret: "wrong", ..assume(3.0) };
    assert_eq!(code(answer(&mut simulator, &wrong, 3.0)).1, "SignatureDoesNotMatch");
}

fn with_oidc(simulator: &mut Simulator, provider: &str, token: &str) -> String {
    let now = start().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let query = format!("Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON&Timestamp={now}");
    let form =
        format!("RoleArn={ROLE}&RoleSessionName=pod&OIDCProviderArn={provider}&OIDCToken={token}");
    let request = Request::post(format!("/?{query}"))
        .header("content-type", "application/x-www-form-urlencoded");
    code(read(simulator.handle(&request.body(form.into_bytes()).unwrap(), at(0.0)))).1
}

#[test]
fn an_oidc_token_needs_no_signature_and_must_be_known_trusted_and_valid() {
    let mut simulator = living();
    simulator.settings_mut().oidc_tokens.insert("old".to_owned(), Some(at(0.0)));
    assert_eq!(with_oidc(&mut simulator, PROVIDER, "testtoken"), "ok");
    assert_eq!(
        with_oidc(&mut simulator, PROVIDER, "guess"),
        "AuthenticationFail.OIDCToken.Invalid"
    );
    assert_eq!(with_oidc(&mut simulator, PROVIDER, "old"), "AuthenticationFail.OIDCToken.Expired");
    assert_eq!(
        with_oidc(&mut simulator, "acs:ram::1:oidc-provider/x", "testtoken"),
        "AuthenticationFail.NoPermission"
    );
    let logged = format!("{:?}", simulator.calls().collect::<Vec<_>>());
    assert!(!logged.contains("testtoken"), "{logged}");
}

#[test]
fn the_metadata_server_has_both_versions_or_one_or_none() {
    let ttl = Some(("X-aliyun-ecs-metadata-token-ttl-seconds", "60"));
    let mut simulator = living();
    assert_eq!(raw(&mut simulator, "GET", ROLES, None, 0.0), (200, "exporter".to_owned()));
    for (settings, token_status, role_without) in [
        (Metadata::Off, 404, 404),
        (Metadata::V1, 404, 200),
        (Metadata::Both, 200, 200),
        (Metadata::V2, 200, 403),
    ] {
        simulator.settings_mut().metadata = settings;
        assert_eq!(
            raw(&mut simulator, "PUT", "/latest/api/token", ttl, 0.0).0,
            token_status,
            "{settings:?}"
        );
        assert_eq!(raw(&mut simulator, "GET", ROLES, None, 0.0).0, role_without, "{settings:?}");
    }
    let (_, token) = raw(&mut simulator, "PUT", "/latest/api/token", ttl, 0.0);
    let header = Some(("X-aliyun-ecs-metadata-token", token.as_str()));
    let role = format!("{ROLES}exporter");
    assert_eq!(raw(&mut simulator, "GET", &role, header, 59.0).0, 200);
    assert_eq!(raw(&mut simulator, "GET", &role, header, 60.0).0, 403, "the token has ended");
    let (_, token) = raw(&mut simulator, "PUT", "/latest/api/token", ttl, 60.0);
    let header = Some(("X-aliyun-ecs-metadata-token", token.as_str()));
    assert_eq!(raw(&mut simulator, "GET", &format!("{ROLES}other"), header, 60.0).0, 404);
    assert_eq!(raw(&mut simulator, "PUT", "/latest/api/token", None, 60.0).0, 400);
    assert_eq!(raw(&mut simulator, "GET", "/latest/api/token", ttl, 60.0).0, 405);
    simulator.settings_mut().ecs_role = None;
    assert_eq!(raw(&mut simulator, "GET", ROLES, header, 60.0).0, 404);
}

#[test]
fn the_machine_gives_the_same_credentials_until_they_near_their_end_or_are_revoked() {
    let settings = Settings { ecs_session: Duration::from_secs(100), ..Settings::default() };
    let mut simulator = Simulator::new(settings, start());
    let given = |simulator: &mut Simulator, path: &str, second| -> Value {
        let (status, text) = raw(simulator, "GET", path, None, second);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let role = format!("{ROLES}exporter");
    let first = given(&mut simulator, &role, 0.0);
    assert_eq!(
        (first["Code"].as_str(), first["LastUpdated"].as_str()),
        (Some("Success"), Some("2024-05-06T07:00:30Z"))
    );
    assert_eq!(given(&mut simulator, "/credentials?any=thing", 74.0), first);
    let second = given(&mut simulator, &role, 76.0);
    assert_ne!(second["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!(
        [use_at(&mut simulator, &first, 99.0), use_at(&mut simulator, &second, 99.5)],
        ["ok", "ok"]
    );
    simulator.revoke_credentials();
    assert_ne!(given(&mut simulator, &role, 77.0)["AccessKeyId"], second["AccessKeyId"]);
}

#[test]
fn what_was_handed_out_is_listed_without_secrets_and_can_be_revoked() {
    let mut simulator = living();
    let (_, body) = answer(&mut simulator, &assume(0.0), 0.0);
    let given = &body["Credentials"];
    let (_, list) = raw(&mut simulator, "GET", "/_sim/credentials", None, 1.0);
    assert!(
        list.contains(given["AccessKeyId"].as_str().unwrap())
            && list.contains("\"revoked\": false"),
        "{list}"
    );
    assert!(!list.contains(given["AccessKeySecret"].as_str().unwrap()), "{list}");
    assert!(!list.contains(given["SecurityToken"].as_str().unwrap()), "{list}");
    assert_eq!(raw(&mut simulator, "DELETE", "/_sim/credentials", None, 1.0).0, 200);
    assert_eq!(use_at(&mut simulator, given, 2.0), "InvalidSecurityToken.Expired");
    assert_eq!(raw(&mut simulator, "POST", "/_sim/credentials", None, 1.0).0, 405);
}

#[test]
fn faults_strike_the_metadata_server_too() {
    let mut simulator = living();
    simulator
        .add_faults(
            r#"[{"match": {"product": "machine"}, "fault": {"kind": "latency", "ms": 1500}}]"#,
        )
        .unwrap();
    let request = Request::get(ROLES).body(Vec::new()).unwrap();
    assert_eq!(
        SignedDuration::try_from(simulator.handle(&request, at(0.0)).delivery.delay)
            .unwrap()
            .as_millis(),
        1500
    );
    assert_eq!(simulator.calls().last().unwrap().action, "MetadataRole");
}
