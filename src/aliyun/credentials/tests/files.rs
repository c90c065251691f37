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
    assert!(
        bench
            .with("CONFIG_FILE", &elsewhere)
            .problem()
            .await
            .contains("its mode \"X\" is not supported")
    );
}

#[tokio::test]
async fn profiles_that_cannot_be_used_say_why() {
    let bench = Bench::new(profile(Some("sso"))).await;
    bench.file(".aliyun/config.json", &cli_config(&bench));
    let problem = |name: &'static str| {
        let mut named = bench.account.clone();
        named.credentials = profile(Some(name));
        let variables = bench.variables.clone();
        let home = bench.home.display().to_string();
        let environment = Arc::new(move |name: &str| variables.get(name).cloned());
        let transport = Transport { client: Http::new_plain().unwrap(), proxies: Proxies::none() };
        let provider =
            Provider::with_environment(&named, transport, Duration::from_secs(2), environment)
                .unwrap();
        async move {
            provider
                .credential(Timestamp::now())
                .await
                .unwrap_err()
                .to_string()
                .replace(&home, "HOME")
        }
    };
    let file = "HOME/.aliyun/config.json";
    let modes =
        "use AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn or CredentialsURI";
    assert_eq!(
        problem("sso").await,
        format!("{file}: profile \"sso\": its mode \"CloudSSO\" is not supported: {modes}")
    );
    assert_eq!(problem("none").await, format!("{file}: there is no profile \"none\""));
    assert_eq!(
        problem("lacking").await,
        format!("{file}: profile \"lacking\" has no access_key_secret")
    );
    assert_eq!(
        problem("loop").await,
        format!("{file}: profile \"loop\": its source_profile leads back to itself")
    );
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
    let role =
        format!("access_key_id = testid\naccess_key_secret = testsecret\nrole_arn = {ROLE}\n");
    let section = |kind: &str, more: &str| format!("[default]\ntype = {kind}\n{more}");
    for (text, calls) in [
        (
            section("ram_role_arn", &format!("{role}role_session_name = s-1\n")),
            vec!["AssumeRole ok"],
        ),
        (
            section("ecs_ram_role", "role_name = exporter\n"),
            vec!["MetadataToken ok", "MetadataCredentials ok"],
        ),
        (
            section(
                "oidc_role_arn",
                &format!("oidc_token_file_path = TOKEN\noidc_provider_arn={PROVIDER}\n{role}"),
            ),
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
    let wanted =
        format!("{file}: section [default]: its type \"rsa_key_pair\" is not supported: {types}");
    assert_eq!(bench.problem().await, wanted);
    bench.account.credentials = profile(Some("y"));
    assert_eq!(bench.problem().await, format!("{file}: there is no section [y]"));
}

#[tokio::test]
async fn a_byte_order_mark_and_quotation_marks_are_no_part_of_what_a_file_holds() {
    let mark = "\u{feff}";
    let bench = Bench::new(profile(Some("ak"))).await;
    let key = r#""access_key_id": "'testid'", "access_key_secret": " \"testsecret\" ""#;
    bench.file(
        ".aliyun/config.json",
        &format!(r#"{mark}{{"profiles": [{{"name": "ak", "mode": "AK", {key}}}]}}"#),
    );
    assert_eq!(
        *bench.credential().await,
        Credential::new("testid", Secret::new("testsecret"), None).unwrap()
    );

    let bench = Bench::new(profile(None)).await;
    let text = "[default]\r\ntype = \"access_key\"\r\naccess_key_id = 'testid' # mine\r\naccess_key_secret=\"testsecret\"\r\n";
    bench.file(".alibabacloud/credentials.ini", &format!("{mark}{text}"));
    assert_eq!(
        *bench.credential().await,
        Credential::new("testid", Secret::new("testsecret"), None).unwrap()
    );

    let mut bench = Bench::new(Credentials::Default).await;
    let part =
        |bench: &Bench, name: &str, text: &str| SecretSource::File(bench.file(name, text).into());
    let access_key_id = part(&bench, "id", &format!("{mark}\"testid\"\r\n"));
    let access_key_secret = part(&bench, "secret", &format!("{mark} testsecret\n\n"));
    bench.account.credentials = Credentials::AccessKey { access_key_id, access_key_secret };
    assert_eq!(
        *bench.credential().await,
        Credential::new("testid", Secret::new("testsecret"), None).unwrap()
    );
    std::fs::write(bench.home.join("secret"), b"\xff\xfet\0").unwrap();
    let wanted =
        "reading the credentials: HOME/secret cannot be read: it is UTF-16: save it as UTF-8";
    assert_eq!(bench.problem().await, wanted);
}

#[tokio::test]
async fn a_part_of_a_key_that_holds_what_none_has_is_told_before_the_cloud_is_asked() {
    let environment = "the environment (ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN)";
    for (id, secret, wanted) in [
        ("\"testid\"", "testsecret", "the AccessKeyId holds a quotation mark: write it without"),
        ("test id", "testsecret", "the AccessKeyId holds white space: write it without"),
        ("testid", "'testsecret'", "the AccessKeySecret holds a quotation mark: write it without"),
        ("testid", "test\u{b}secret", "the AccessKeySecret holds white space: write it without"),
        (
            "testid",
            "test\u{200b}secret",
            "the AccessKeySecret holds a character beyond ASCII: write it without",
        ),
    ] {
        let bench = Bench::new(Credentials::Environment).await.with_role(|_| {});
        let bench = bench.with("ACCESS_KEY_ID", id).with("ACCESS_KEY_SECRET", secret);
        assert_eq!(bench.problem().await, format!("{environment}: {wanted}"));
        assert!(bench.calls().is_empty(), "nothing was asked");
    }
    let bench = Bench::new(profile(Some("ak"))).await;
    let key = r#""access_key_id": "LTAI \"x\"", "access_key_secret": "testsecret""#;
    bench.file(
        ".aliyun/config.json",
        &format!(r#"{{"profiles": [{{"name": "ak", "mode": "AK", {key}}}]}}"#),
    );
    let wanted = "HOME/.aliyun/config.json: profile \"ak\": the AccessKeyId holds white space: write it without";
    assert_eq!(bench.problem().await, wanted);
}

#[tokio::test]
async fn a_file_without_end_is_not_read_for_ever() {
    let mut bench = Bench::new(Credentials::Default).await;
    let access_key_id = SecretSource::File("/dev/zero".into());
    let access_key_secret = SecretSource::File("/dev/zero".into());
    bench.account.credentials = Credentials::AccessKey { access_key_id, access_key_secret };
    let wanted =
        "reading the credentials: /dev/zero cannot be read: it is a device, not a regular file";
    assert_eq!(bench.problem().await, wanted);
    let bench = Bench::new(profile(None)).await.with("CONFIG_FILE", "/dev/zero");
    assert_eq!(
        bench.problem().await,
        "/dev/zero cannot be read: it is a device, not a regular file"
    );
}
