#![cfg(test)]
//! The command line's profiles and the credentials file.

use super::*;

#[tokio::test]
async fn every_mode_of_a_profile_that_a_server_can_use_works() {
    for (name, calls) in [
        ("ak", vec![]),
        ("sts", vec![]),
        ("role", vec!["AssumeRole ok"]),
        ("ecs", vec!["MetadataToken ok", "MetadataRole ok", "MetadataCredentials ok"]),
        ("oidc", vec!["AssumeRoleWithOIDC ok"]),
        ("chain", vec!["AssumeRole ok", "AssumeRole ok"]),
        ("uri", vec!["CredentialsUri ok"]),
    ] {
        let bench = Bench::new(profile(Some(name))).await;
        bench.file(".aliyun/config.json", &cli_config(&bench));
        let credential = bench.credential().await;
        assert_eq!(is_temporary(&credential), name != "ak" && name != "sts", "{name}");
        assert_eq!(credential.security_token.is_some(), name != "ak", "{name}");
        assert_eq!(bench.calls(), calls, "{name}");
    }
}

#[tokio::test]
async fn the_profile_is_the_one_named_else_of_the_environment_else_the_current() {
    let bench = Bench::new(profile(None)).await;
    bench.file(".aliyun/config.json", &cli_config(&bench));
    assert!(bench.credential().await.security_token.is_none());
    let bench = bench.with("PROFILE", "sts");
    assert!(bench.credential().await.security_token.is_some());
    let mut bench = bench;
    bench.account.credentials = profile(Some("ak"));
    assert!(bench.credential().await.security_token.is_none());
    let elsewhere = bench.file("elsewhere.json", r#"{"profiles": [{"name": "ak", "mode": "X"}]}"#);
    assert!(bench.with("CONFIG_FILE", &elsewhere).problem().await.contains("its mode \"X\" is not supported"));
}

#[tokio::test]
async fn profiles_that_cannot_be_used_say_why() {
    let bench = Bench::new(profile(Some("sso"))).await;
    bench.file(".aliyun/config.json", &cli_config(&bench));
    let problem = |name: &'static str| {
        let mut named = bench.account.clone();
        named.credentials = profile(Some(name));
        let (variables, home) = (bench.variables.clone(), bench.home.display().to_string());
        let environment = Arc::new(move |name: &str| variables.get(name).cloned());
        let http = Http::new_plain().unwrap();
        let provider = Provider::with_environment(&named, http, Duration::from_secs(2), environment).unwrap();
        async move { provider.credential(Timestamp::now()).await.unwrap_err().to_string().replace(&home, "HOME") }
    };
    let file = "HOME/.aliyun/config.json";
    let modes = "use AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn or CredentialsURI";
    assert_eq!(
        problem("sso").await,
        format!("{file}: profile \"sso\": its mode \"CloudSSO\" is not supported: {modes}")
    );
    assert_eq!(problem("none").await, format!("{file}: there is no profile \"none\""));
    assert_eq!(problem("lacking").await, format!("{file}: profile \"lacking\" has no access_key_secret"));
    assert_eq!(problem("loop").await, format!("{file}: profile \"loop\": its source_profile leads back to itself"));
    bench.file(".aliyun/config.json", &format!(r#"{{"profiles": [{{"name": "{SECRET}"#));
    let wanted = format!("{file} is not the documented JSON (line 1 column 38, 38 bytes)");
    assert_eq!(problem("sso").await, wanted, "half of it is written, and nothing of it is shown");
}

#[tokio::test]
async fn the_credentials_file_is_found_in_both_of_its_places() {
    for (place, other) in [("credentials.ini", "credentials"), ("credentials", "credentials.ini")] {
        let bench = Bench::new(profile(None)).await;
        let text = "[default]\ntype = access_key\naccess_key_id = foo # a comment\naccess_key_secret = bar\n";
        bench.file(&format!(".alibabacloud/{place}"), text);
        assert_eq!(bench.credential().await.access_key_id, "foo", "{place} without {other}");
    }
}

#[tokio::test]
async fn every_type_of_the_credentials_file_works_and_others_are_named() {
    let role = format!("access_key_id = testid\naccess_key_secret = testsecret\nrole_arn = {ROLE}\n");
    let section = |kind: &str, more: &str| format!("[default]\ntype = {kind}\n{more}");
    for (text, calls) in [
        (section("ram_role_arn", &format!("{role}role_session_name = s-1\n")), vec!["AssumeRole ok"]),
        (section("ecs_ram_role", "role_name = exporter\n"), vec!["MetadataToken ok", "MetadataCredentials ok"]),
        (
            section("oidc_role_arn", &format!("oidc_token_file_path = TOKEN\noidc_provider_arn={PROVIDER}\n{role}")),
            vec!["AssumeRoleWithOIDC ok"],
        ),
    ] {
        let bench = Bench::new(profile(None)).await;
        let token = bench.file("token", "testtoken");
        let path = bench.file("elsewhere", &text.replace("TOKEN", &token));
        let bench = bench.with("CREDENTIALS_FILE", &path);
        assert!(is_temporary(&bench.credential().await), "{text}");
        assert_eq!(bench.calls(), calls, "{text}");
    }
    let bench = Bench::new(profile(Some("x"))).await;
    bench.file(".alibabacloud/credentials", "[default]\ntype = rsa_key_pair\n[x]\n");
    let file = "HOME/.alibabacloud/credentials";
    assert_eq!(bench.problem().await, format!("{file}: section [x] has no type"));
    let mut bench = bench;
    bench.account.credentials = profile(Some("default"));
    let types = "use access_key, ram_role_arn, oidc_role_arn or ecs_ram_role";
    let wanted = format!("{file}: section [default]: its type \"rsa_key_pair\" is not supported: {types}");
    assert_eq!(bench.problem().await, wanted);
    bench.account.credentials = profile(Some("y"));
    assert_eq!(bench.problem().await, format!("{file}: there is no section [y]"));
}
