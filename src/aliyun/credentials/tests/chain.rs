#![cfg(test)]
//! The default chain.

use super::*;

#[tokio::test]
async fn when_nobody_has_one_everything_is_named_in_order() {
    let bench = Bench::new(Credentials::Default)
        .await
        .settings(|settings| settings.metadata = Metadata::Off);
    bench.file(
        ".aliyun/config.json",
        r#"{"current": "a", "profiles": [{"name": "a", "mode": "OAuth"}]}"#,
    );
    let wanted = "no credentials anywhere: \
        (1) environment: the environment has no ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET; \
        (2) OIDC: the environment has no ALIBABA_CLOUD_ROLE_ARN and no ALIBABA_CLOUD_OIDC_PROVIDER_ARN and no \
        ALIBABA_CLOUD_OIDC_TOKEN_FILE; \
        (3) aliyun profile: HOME/.aliyun/config.json: profile \"a\": its mode \"OAuth\" is not supported: use AK, StsToken, \
        RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn or CredentialsURI; \
        (4) credentials file: there is no file ~/.alibabacloud/credentials.ini and no ~/.alibabacloud/credentials; \
        (5) ECS RAM role: the ECS metadata server: the instance has no RAM role (HTTP 404); \
        (6) credentials URI: the environment has no ALIBABA_CLOUD_CREDENTIALS_URI";
    assert_eq!(bench.problem().await, wanted);
}

#[tokio::test]
async fn the_chain_takes_the_first_that_has_one() {
    let bench = Bench::new(Credentials::Default).await;
    let uri = format!("{}/credentials", bench.url);
    let bench =
        bench.settings(|settings| settings.metadata = Metadata::Off).with("CREDENTIALS_URI", &uri);
    bench.credential().await;
    assert_eq!(bench.calls().last().unwrap(), "CredentialsUri ok");
    let bench = bench.settings(|settings| settings.metadata = Metadata::Both);
    bench.credential().await;
    assert_eq!(bench.calls().last().unwrap(), "MetadataCredentials ok");
    bench.file(
        ".alibabacloud/credentials",
        "[default]\ntype=access_key\naccess_key_id=ini\naccess_key_secret=x\n",
    );
    assert_eq!(bench.credential().await.access_key_id, "ini");
    bench.file(".aliyun/config.json", &cli_config(&bench));
    assert_eq!(bench.credential().await.access_key_id, "testid");
    let bench = bench.with("CLI_PROFILE_DISABLED", "true");
    assert_eq!(bench.credential().await.access_key_id, "ini");
    let bench = bench.with_rrsa("testtoken");
    assert!(is_temporary(&bench.credential().await));
    assert_eq!(bench.calls().last().unwrap(), "AssumeRoleWithOIDC ok");
    let bench = bench.with("ACCESS_KEY_ID", "env").with("ACCESS_KEY_SECRET", "x");
    assert_eq!(bench.credential().await.access_key_id, "env");
}

#[tokio::test]
async fn the_chain_stays_with_what_worked_and_does_not_become_somebody_else() {
    let bench = Bench::new(Credentials::Default).await.with_rrsa("testtoken");
    let provider = bench.provider();
    let first = provider.credential(Timestamp::now()).await.unwrap();
    provider.accepted(&first);
    bench.fault("AssumeRoleWithOIDC", r#"{"kind": "html", "status": 502}"#);
    let later = Timestamp::now() + SignedDuration::from_mins(61);
    let problem = provider.credential(later).await.unwrap_err().to_string();
    assert!(problem.starts_with("AssumeRoleWithOIDC of "), "{problem}");
    assert!(
        bench.calls().iter().all(|call| call.starts_with("AssumeRoleWithOIDC ")),
        "{:?}",
        bench.calls()
    );
}

#[tokio::test]
async fn what_comes_after_something_broken_is_used_for_a_few_minutes_only() {
    let bench = Bench::new(Credentials::Default).await.with_rrsa(SECRET);
    let provider = bench.provider();
    let fallback = provider.credential(Timestamp::now()).await.unwrap();
    provider.accepted(&fallback);
    assert_eq!(bench.calls().last().unwrap(), "MetadataCredentials ok");
    bench.file("token", "testtoken");
    let later = Timestamp::now() + SignedDuration::from_mins(5);
    assert_eq!(provider.credential(later).await.unwrap(), fallback, "no attempt waits");
    until(|| async { provider.credential(later).await.unwrap() != fallback }).await;
}

#[tokio::test]
async fn a_broken_place_is_not_asked_for_each_attempt() {
    let bench = Bench::new(Credentials::Default).await.with_rrsa(SECRET);
    bench.file(
        ".alibabacloud/credentials",
        "[default]\ntype=access_key\naccess_key_id=ini\naccess_key_secret=x\n",
    );
    let provider = bench.provider();
    for _ in 0..100 {
        assert_eq!(provider.credential(Timestamp::now()).await.unwrap().access_key_id, "ini");
    }
    assert_eq!(bench.calls(), ["AssumeRoleWithOIDC AuthenticationFail.OIDCToken.Invalid"]);
}
