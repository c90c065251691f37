#![cfg(test)]
//! Keys, and the roles assumed with them.

use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test]
async fn the_environment_with_and_without_a_token() {
    let bench = Bench::new(Credentials::Environment).await;
    let bench = bench
        .with("ACCESS_KEY_ID", " id ")
        .with("ACCESS_KEY_SECRET", "secret")
        .with("SECURITY_TOKEN", "");
    let credential = bench.credential().await;
    assert_eq!(
        (credential.access_key_id.as_str(), credential.security_token.is_none()),
        ("id", true)
    );
    assert!(bench.with("SECURITY_TOKEN", "t").credential().await.security_token.is_some());
}

#[tokio::test]
async fn half_an_environment_says_which_half() {
    let bench = Bench::new(Credentials::Environment).await.with("ACCESS_KEY_SECRET", SECRET);
    let wanted = "the environment has no ALIBABA_CLOUD_ACCESS_KEY_ID, though it has ALIBABA_CLOUD_ACCESS_KEY_SECRET";
    assert_eq!(bench.problem().await, wanted);
}

#[tokio::test]
async fn a_role_is_taken_on_with_everything_the_trust_policy_wants() {
    let bench = Bench::new(key("testsecret")).await.settings(|settings| {
        settings
            .roles
            .insert(ROLE.into(), Role { external_id: Some("e-1".into()), ..Role::default() });
    });
    let bench = bench.with_role(|role| role.external_id = Some(Secret::new("e-1")));
    assert!(is_temporary(&bench.credential().await));
    let sim = bench.sim.lock().unwrap();
    let call = sim.calls().next().unwrap();
    let sent = |name: &str| call.parameters[name].as_str();
    assert_eq!(
        (sent("RoleSessionName"), sent("DurationSeconds"), sent("ExternalId")),
        ("test", "3600", "e-1")
    );
}

#[tokio::test]
async fn what_sts_refuses_is_told_with_what_to_do() {
    let with_id = |settings: &mut Settings| {
        settings
            .roles
            .insert(ROLE.into(), Role { external_id: Some("e-1".into()), ..Role::default() });
    };
    let bench = Bench::new(key("testsecret")).await.settings(with_id).with_role(|_| {});
    let problem = bench.problem().await;
    let start = format!(
        "AssumeRole of {ROLE}: CLOUD: NoPermission: You are not authorized to do this action."
    );
    assert!(problem.starts_with(&start) && problem.contains("trust policy"), "{problem}");
    let bench = bench.with_role(|role| role.external_id = Some(Secret::new("wrong")));
    assert!(bench.problem().await.contains("NoPermission"));
    let bench = bench.with_role(|role| role.arn = format!("{ROLE}-2"));
    let problem = bench.problem().await;
    assert!(problem.contains("EntityNotExist.Role: The role not exists. (HTTP 404"), "{problem}");
    let bench = Bench::new(key("testsecret"))
        .await
        .with_role(|role| role.duration = Duration::from_secs(7200));
    let problem = bench.problem().await;
    assert!(
        problem.contains("InvalidParameter.DurationSeconds") && problem.contains("maximum session"),
        "{problem}"
    );
    let bench = Bench::new(key(SECRET)).await.with_role(|_| {});
    let problem = bench.problem().await;
    assert!(
        problem.contains("SignatureDoesNotMatch") && problem.contains("check both"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_user_without_permission_for_sts_is_told_so() {
    let bench = Bench::new(key("testsecret")).await.with_role(|_| {});
    let bench = bench.settings(|settings| settings.permitted = Some([].into()));
    assert!(bench.problem().await.contains("allow sts:AssumeRole"));
}

#[tokio::test]
async fn rrsa_reads_its_token_anew() {
    let bench = Bench::new(oidc()).await.with_rrsa("testtoken\n");
    let provider = bench.provider();
    let credential = provider.credential(Timestamp::now()).await.unwrap();
    assert!(is_temporary(&credential));
    provider.accepted(&credential);
    bench.file("token", "rotated");
    bench.sim.lock().unwrap().settings_mut().oidc_tokens.insert("rotated".into(), None);
    assert!(provider.rejected(&credential, Timestamp::now()).await);
    assert_eq!(bench.calls(), ["AssumeRoleWithOIDC ok", "AssumeRoleWithOIDC ok"]);
}

/// The head and the body of the next request.
async fn next_request(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.contains("RoleArn=") {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        text += std::str::from_utf8(&bytes[..length]).unwrap();
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn what_is_secret_goes_in_the_body_and_not_in_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut bench = Bench::new(oidc()).await.with_rrsa(SECRET);
    bench.account.endpoints.sts = Some(url.clone());
    let (problem, (head, body)) = tokio::join!(bench.problem(), next_request(&listener));
    assert!(head.starts_with("POST /?Action=AssumeRoleWithOIDC&Format=JSON&Timestamp="), "{head}");
    assert!(!head.contains(SECRET) && body.contains(&format!("OIDCToken={SECRET}")), "{head}");
    assert!(
        problem.starts_with("AssumeRoleWithOIDC of ") && !problem.contains("Action="),
        "{problem}"
    );
    let mut bench = Bench::new(key("testsecret"))
        .await
        .with_role(|role| role.external_id = Some(Secret::new(SECRET)));
    bench.account.endpoints.sts = Some(url);
    let (_, (head, body)) = tokio::join!(bench.problem(), next_request(&listener));
    assert!(head.starts_with("POST /?Action=AssumeRole&Format=JSON&Timestamp="), "{head}");
    assert!(!head.contains("testid") && !head.contains("Signature"), "{head}");
    assert!(body.contains("AccessKeyId=testid") && body.contains(&format!("ExternalId={SECRET}")));
}

#[tokio::test]
async fn a_bad_oidc_token_is_told_and_not_shown() {
    let bench = Bench::new(oidc()).await.with_rrsa(SECRET);
    let problem = bench.problem().await;
    let wanted =
        format!("AssumeRoleWithOIDC of {ROLE}: CLOUD: AuthenticationFail.OIDCToken.Invalid");
    assert!(problem.starts_with(&wanted), "{problem}");
    let past = Timestamp::now() - SignedDuration::from_secs(1);
    let bench = bench.settings(|settings| {
        settings.oidc_tokens.insert(SECRET.into(), Some(past));
    });
    let problem = bench.problem().await;
    assert!(problem.contains("OIDCToken.Expired") && problem.contains("still valid"), "{problem}");
    bench.file("token", "\n");
    assert_eq!(bench.problem().await, "reading the OIDC token: HOME/token is empty");
    std::fs::remove_file(bench.home.join("token")).unwrap();
    assert_eq!(bench.problem().await, "reading the OIDC token: there is no file HOME/token");
    let bench = Bench::new(oidc()).await.with("ROLE_ARN", ROLE);
    let wanted = "the environment has no ALIBABA_CLOUD_OIDC_PROVIDER_ARN and no ALIBABA_CLOUD_OIDC_TOKEN_FILE";
    assert_eq!(bench.problem().await, wanted);
}

#[tokio::test]
async fn sts_is_asked_where_the_account_or_the_environment_says() {
    use crate::aliyun::credentials::context::ProviderContext;
    use crate::aliyun::credentials::sts::{Role, endpoint};
    use crate::config::Network;
    let bench = Bench::new(oidc()).await;
    let context = |account: &Account, variables: &[(&str, &str)]| {
        let variables: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| (format!("ALIBABA_CLOUD_{name}"), (*value).to_owned()))
            .collect();
        let http = Http::new(
            Transport { client: Http::new_plain().unwrap(), proxies: Proxies::none() },
            Duration::from_secs(1),
        )
        .unwrap();
        ProviderContext::new(
            account,
            http,
            Arc::new(move |name: &str| variables.get(name).cloned()),
        )
    };
    let mut account = Account { endpoints: Endpoints::default(), ..bench.account.clone() };
    let at = |account: &Account, role: Role, variables: &[(&str, &str)]| {
        let at = endpoint(&role, &context(account, variables))
            .map_err(|failure| failure.text().to_owned());
        at.map(|(url, warning)| warning.map_or(url, |warning| format!("! {warning}")))
    };
    let region = ("STS_REGION", "cn-beijing");
    let url = |text: &str| Ok(format!("https://{text}.aliyuncs.com"));
    assert_eq!(at(&account, Role::default(), &[]), url("sts"));
    assert_eq!(at(&account, Role::default(), &[region]), url("sts.cn-beijing"));
    assert_eq!(
        at(&account, Role::default(), &[region, ("VPC_ENDPOINT_ENABLED", "TRUE")]),
        url("sts-vpc.cn-beijing")
    );
    let own = Role { region: Some("cn-hangzhou".into()), vpc: true, ..Role::default() };
    assert_eq!(at(&account, own, &[region]), url("sts-vpc.cn-hangzhou"));
    assert!(at(&account, Role::default(), &[("STS_REGION", "a/b")]).is_err());
    let unknown = at(&account, Role::default(), &[("STS_REGION", "xx-1")]).unwrap();
    assert!(unknown.starts_with("! STS has no public endpoint in region xx-1"), "{unknown}");
    account.network = Network::Vpc;
    assert_eq!(at(&account, Role::default(), &[region]), url("sts-vpc.cn-beijing"));
    account.endpoints.sts = Some("https://sts.{region}.example.com".into());
    assert_eq!(
        at(&account, Role::default(), &[region]).unwrap(),
        "https://sts.cn-beijing.example.com"
    );
    assert!(
        at(&account, Role::default(), &[])
            .unwrap_err()
            .contains("ALIBABA_CLOUD_STS_REGION is not set")
    );
}

#[test]
fn a_message_is_scrubbed_of_every_part_in_both_forms() {
    let credential = Credential {
        access_key_id: "LTAI5t".into(),
        access_key_secret: Secret::new("s/cret-key"),
        security_token: Some(Secret::new("CAIS+token=")),
    };
    let clean =
        credential.scrub("id LTAI5t, s/cret-key s%2Fcret-key, token CAIS+token= CAIS%2Btoken%3D");
    assert_eq!(clean, "id <secret>, <secret> <secret>, token <secret> <secret>");
}
