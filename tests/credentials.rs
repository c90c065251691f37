//! Ways to log in, over TCP: what Prometheus sees of them, of their rotation and of their failures.

use std::time::{Duration, Instant};

use crate::support::exporter::Exporter;
use crate::support::folder::Folder;
use crate::support::page::Page;
use crate::support::worlds;
use aliyun_task_exporter::aliyun::credentials::Credential;
use aliyun_task_exporter::config::{AssumeRole, Config, Credentials, Oidc, SecretSource};
use aliyun_task_exporter::secret::Secret;
use aliyun_task_exporter::sim::{Role, Settings, Simulator};
use jiff::{SignedDuration, Timestamp};

const ROLE: &str = "acs:ram::1234567890123456:role/exporter";
const EXPIRY: &str = "aliyun_task_exporter_credentials_expiry_timestamp_seconds";

fn start(settings: Settings, change: impl FnOnce(&mut Config)) -> Exporter {
    let mut world = worlds::servers(2, 3);
    worlds::add_cluster(&mut world, "c");
    world.add_task("c", worlds::task("t", -10, 10_000)).unwrap();
    Exporter::start(Simulator::with_world(settings, world, Timestamp::now()), change)
}

fn with(credentials: Credentials) -> impl FnOnce(&mut Config) {
    move |config| config.accounts[0].credentials = credentials
}

fn ecs() -> Credentials {
    Credentials::EcsRamRole { role_name: None }
}

fn oidc(folder: &Folder, token: &str) -> Credentials {
    Credentials::Oidc(Oidc {
        role_arn: Some(ROLE.into()),
        oidc_provider_arn: Some("acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001".into()),
        oidc_token_file: Some(folder.write("token", token).into()),
        role_session_name: None,
    })
}

fn role() -> AssumeRole {
    AssumeRole {
        arn: ROLE.into(),
        external_id: None,
        session_name: "test".into(),
        duration: Duration::from_secs(3600),
    }
}

fn polls(page: &Page) -> f64 {
    page.sum("aliyun_task_exporter_polls_total", &[])
}

fn all_up(exporter: &Exporter) -> Page {
    exporter.wait("everything is up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 4.0)
}

/// Waits for many more polls, and asserts that no poll at all has failed.
fn assert_no_poll_lost(exporter: &Exporter) -> Page {
    let before = polls(&exporter.metrics());
    let page = exporter.wait("many more polls", |page| polls(page) >= before + 40.0);
    let good = page.sum("aliyun_task_exporter_polls_total", &[("outcome", "ok")]);
    assert_eq!(good, polls(&page), "{:?}", failed(&page));
    page
}

fn failed(page: &Page) -> Vec<String> {
    let all = page
        .samples
        .iter()
        .filter(|sample| sample.name == "aliyun_task_exporter_polls_total" && sample.value != "0");
    all.map(ToString::to_string).collect()
}

/// Number of calls of an action with an outcome.
fn calls(exporter: &Exporter, action: &str, outcome: &str) -> usize {
    exporter.sim().calls().filter(|call| call.action == action && call.outcome == outcome).count()
}

fn refused(exporter: &Exporter) -> usize {
    exporter
        .sim()
        .calls()
        .filter(|call| call.outcome.starts_with("Invalid") || call.outcome.starts_with("Sign"))
        .count()
}

/// Asserts that every target fails because of the credentials, that the status page says why, and
/// that it shows no secret.
fn assert_failing(exporter: &Exporter, wanted: &str) {
    let page = exporter.wait("everything fails", |page| {
        page.sum("aliyun_task_exporter_target_failing", &[]) == 4.0
    });
    assert_eq!(page.sum("aliyun_task_exporter_target_failing", &[("reason", "credentials")]), 4.0);
    let status = exporter.get("/api/v1/status");
    let text = status.text().replace(&exporter.cloud.to_string(), "CLOUD");
    assert!(text.contains(wanted), "{text}");
    assert!(
        !text.contains("testsecret") && !text.contains("testtoken") && !text.contains("CAIS"),
        "{text}"
    );
}

#[test]
fn every_way_to_log_in_polls_and_tells_when_it_ends() {
    let folder = Folder::new();
    let key = || {
        let read = |name: &str, text: &str| SecretSource::File(folder.write(name, text).into());
        let access_key_id = read("id", "testid\n");
        let access_key_secret = read("secret", "testsecret\n");
        Credentials::AccessKey { access_key_id, access_key_secret }
    };
    let exporter = start(Settings::default(), with(key()));
    assert_eq!(all_up(&exporter).all(EXPIRY, &[]).count(), 0, "a lasting key does not end");
    let is_temporary = |exporter: &Exporter, seconds: f64| {
        let page = all_up(exporter);
        let left = page.value(EXPIRY, &[("account", "demo")]).unwrap()
            - Timestamp::now().as_second() as f64;
        assert!((seconds - 120.0..=seconds).contains(&left), "{left}");
        assert_no_poll_lost(exporter);
    };
    is_temporary(&start(Settings::default(), with(ecs())), 6.0 * 3600.0);
    is_temporary(&start(Settings::default(), with(oidc(&folder, "testtoken\n"))), 3600.0);
    let uri = |config: &mut Config| {
        let url = config.accounts[0].endpoints.sts.clone().unwrap();
        config.accounts[0].credentials =
            Credentials::Uri { uri: Some(Secret::new(format!("{url}/credentials"))) };
    };
    is_temporary(&start(Settings::default(), uri), 6.0 * 3600.0);
    for base in [key(), ecs(), oidc(&folder, "testtoken")] {
        let exporter = start(Settings::default(), |config| {
            config.accounts[0].credentials = base;
            config.accounts[0].assume_role = Some(role());
        });
        is_temporary(&exporter, 3600.0);
        assert_eq!(calls(&exporter, "AssumeRole", "ok"), 1, "all targets share it");
    }
}

#[test]
fn what_is_revoked_is_replaced_without_losing_a_poll() {
    let folder = Folder::new();
    for (credentials, action) in
        [(ecs(), "MetadataCredentials"), (oidc(&folder, "testtoken"), "AssumeRoleWithOIDC")]
    {
        let exporter = start(Settings::default(), with(credentials));
        all_up(&exporter);
        for revoked in 1..4 {
            exporter.sim().revoke_credentials();
            assert_no_poll_lost(&exporter);
            assert_eq!(calls(&exporter, action, "ok"), revoked + 1);
        }
        assert!(refused(&exporter) >= 3, "each time an attempt had to find out");
    }
}

#[test]
fn what_ends_is_renewed_before_it_does() {
    let mut settings = Settings::default();
    settings
        .roles
        .insert(ROLE.into(), Role { session: Some(Duration::from_secs(4)), ..Role::default() });
    let exporter = start(settings, |config| config.accounts[0].assume_role = Some(role()));
    let first = all_up(&exporter).value(EXPIRY, &[]).unwrap();
    exporter.wait("it is renewed and renewed again", |page| {
        page.value(EXPIRY, &[]) > Some(first + 5.0)
    });
    assert_no_poll_lost(&exporter);
    assert_eq!(refused(&exporter), 0, "none was used after its end");
}

#[test]
fn a_key_that_is_rotated_file_by_file_loses_no_poll() {
    let folder = Folder::new();
    let part = |name: &str, text: &str| SecretSource::File(folder.write(name, text).into());
    let access_key_id = part("id", "testid");
    let access_key_secret = part("secret", "testsecret");
    let exporter = start(
        Settings::default(),
        with(Credentials::AccessKey { access_key_id, access_key_secret }),
    );
    all_up(&exporter);
    exporter.sim().settings_mut().access_keys.insert("newid".into(), "newsecret".into());
    folder.write("id", "newid");
    assert_no_poll_lost(&exporter);
    let tried = refused(&exporter);
    assert!(
        (1..=8).contains(&tried),
        "the half was tried by those under way, and then left alone: {tried}"
    );
    folder.write("secret", "");
    assert_no_poll_lost(&exporter);
    folder.write("secret", "newsecret");
    exporter.sim().settings_mut().access_keys.remove("testid");
    assert_no_poll_lost(&exporter);
    std::fs::remove_file(folder.path().join("id")).unwrap();
    assert_no_poll_lost(&exporter);
}

#[test]
fn an_oidc_token_that_ends_is_told_and_a_new_one_taken_without_a_restart() {
    let folder = Folder::new();
    let mut settings = Settings::default();
    settings
        .oidc_tokens
        .insert("oldtoken".into(), Some(Timestamp::now() - SignedDuration::from_secs(1)));
    let exporter = start(settings, with(oidc(&folder, "oldtoken")));
    assert_failing(
        &exporter,
        "CLOUD: AuthenticationFail.OIDCToken.Expired: This JsonWebToken is expired.",
    );
    let asked = calls(&exporter, "AssumeRoleWithOIDC", "AuthenticationFail.OIDCToken.Expired");
    assert!(asked <= 2, "it does not hammer: {asked}");
    folder.write("token", "testtoken");
    all_up(&exporter);
}

#[test]
fn what_sts_and_the_metadata_server_refuse_is_told_on_the_status_page() {
    let wrong = |config: &mut Config| {
        config.accounts[0].assume_role = Some(AssumeRole { arn: format!("{ROLE}2"), ..role() })
    };
    assert_failing(
        &start(Settings::default(), wrong),
        "CLOUD: EntityNotExist.Role: The role not exists.",
    );
    let unpermitted = Settings { permitted: Some([].into()), ..Settings::default() };
    let exporter = start(unpermitted, |config| config.accounts[0].assume_role = Some(role()));
    assert_failing(&exporter, "CLOUD: NoPermission: ");
    let without_role = Settings { ecs_role: None, ..Settings::default() };
    assert_failing(
        &start(without_role, with(ecs())),
        "the ECS metadata server: the instance has no RAM role (HTTP 404)",
    );
    let exporter = start(Settings::default(), |config| {
        config.accounts[0].credentials = ecs();
        config.accounts[0].endpoints.metadata = Some("http://127.0.0.1:1".into());
    });
    assert_failing(&exporter, "there is no ECS metadata server: 127.0.0.1:1");
    let sent = exporter.metrics().sum("aliyun_task_exporter_api_requests_total", &[]);
    assert_eq!(sent, 0.0, "nothing was sent to the cloud, and nothing is counted");
}

#[test]
fn credentials_that_are_refused_however_new_they_are_do_not_make_the_exporter_hammer() {
    let exporter =
        start(Settings::default(), |config| config.accounts[0].assume_role = Some(role()));
    all_up(&exporter);
    exporter.fault(r#"{"match": {"product": "EHPC"}, "fault": {"kind": "expired_token"}}"#);
    exporter.fault(r#"{"match": {"product": "SWAS"}, "fault": {"kind": "expired_token"}}"#);
    assert_failing(&exporter, "InvalidSecurityToken.Expired: Specified SecurityToken is expired.");
    let before = polls(&exporter.metrics());
    exporter.wait("many more polls", |page| polls(page) >= before + 40.0);
    let asked = calls(&exporter, "AssumeRole", "ok");
    assert!((2..8).contains(&asked), "{asked}");
    exporter.clear_faults();
    all_up(&exporter);
}

#[test]
fn credentials_that_had_ended_before_they_came_are_told_and_not_asked_for_at_each_call() {
    let started = Instant::now();
    let exporter =
        start(Settings { ecs_session: Duration::ZERO, ..Settings::default() }, with(ecs()));
    assert_failing(&exporter, "InvalidSecurityToken.Expired");
    exporter.wait("many polls", |page| polls(page) >= 80.0);
    let status = exporter.get("/api/v1/status");
    assert!(
        status.text().contains("before they came, by this machine's clock"),
        "{}",
        status.text()
    );
    let asked = calls(&exporter, "MetadataCredentials", "ok");
    // At most one in the five seconds after the one before.
    let most = 5 + started.elapsed().as_secs() as usize / 5;
    assert!(asked <= most, "{asked} of at most {most}");
}

#[test]
fn one_account_that_cannot_log_in_harms_no_other() {
    let exporter = start(Settings::default(), |config| {
        let mut lost = config.accounts[0].clone();
        lost.name = "lost".into();
        lost.credentials = oidc_without_file();
        config.servers[1].account = "lost".into();
        config.accounts.push(lost);
    });
    let page = exporter
        .wait("one fails", |page| page.sum("aliyun_task_exporter_target_failing", &[]) == 1.0);
    assert_eq!(
        page.value(
            "aliyun_task_exporter_target_failing",
            &[("account", "lost"), ("reason", "credentials")]
        ),
        Some(1.0)
    );
    exporter
        .wait("the others are up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 3.0);
}

fn oidc_without_file() -> Credentials {
    Credentials::Oidc(Oidc {
        role_arn: Some(ROLE.into()),
        oidc_provider_arn: Some("acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001".into()),
        oidc_token_file: Some("/nonexistent/token".into()),
        role_session_name: None,
    })
}

#[test]
fn a_credential_prints_nothing_of_itself() {
    let credential = Credential {
        access_key_id: "LTAI5tId".into(),
        access_key_secret: Secret::new("hunter2"),
        security_token: Some(Secret::new("CAISToken")),
    };
    assert_eq!(format!("{credential:?}"), "Credential { .. }");
}
