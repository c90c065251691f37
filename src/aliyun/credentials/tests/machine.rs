#![cfg(test)]
//! The metadata server and the credentials URI.

use super::*;

fn ecs(role_name: Option<&str>) -> Credentials {
    Credentials::EcsRamRole { role_name: role_name.map(str::to_owned) }
}

#[tokio::test]
async fn the_metadata_server_is_asked_with_a_token_and_for_the_role_it_names() {
    let bench = Bench::new(ecs(None)).await.settings(|settings| settings.metadata = Metadata::V2);
    assert!(is_temporary(&bench.credential().await));
    assert_eq!(bench.calls(), ["MetadataToken ok", "MetadataRole ok", "MetadataCredentials ok"]);
    let named = Bench::new(ecs(Some("exporter"))).await;
    named.credential().await;
    let told = Bench::new(ecs(None)).await.with("ECS_METADATA", "exporter");
    told.credential().await;
    assert_eq!([named.calls(), told.calls()], [["MetadataToken ok", "MetadataCredentials ok"]; 2]);
}

#[tokio::test]
async fn a_metadata_server_without_tokens_is_asked_without_unless_that_is_off() {
    let bench = Bench::new(ecs(None)).await.settings(|settings| settings.metadata = Metadata::V1);
    assert!(is_temporary(&bench.credential().await));
    let wanted =
        "the ECS metadata server: HTTP 404 for a token, and ALIBABA_CLOUD_IMDSV1_DISABLED is true";
    assert_eq!(bench.with("IMDSV1_DISABLED", "True").problem().await, wanted);
}

#[tokio::test]
async fn what_the_metadata_server_cannot_give_is_named() {
    let bench = Bench::new(ecs(Some("other"))).await;
    assert_eq!(
        bench.problem().await,
        "the ECS metadata server: the instance has no RAM role other (HTTP 404)"
    );
    let bench = Bench::new(ecs(None)).await.settings(|settings| settings.ecs_role = None);
    assert_eq!(
        bench.problem().await,
        "the ECS metadata server: the instance has no RAM role (HTTP 404)"
    );
    let bench = Bench::new(ecs(None)).await.with("ECS_METADATA_DISABLED", "true");
    assert_eq!(bench.problem().await, "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true");
    assert!(bench.calls().is_empty());
    let mut bench = Bench::new(ecs(None)).await;
    bench.account.endpoints.metadata = Some("http://127.0.0.1:1".into());
    let problem = bench.problem().await;
    assert!(problem.starts_with("there is no ECS metadata server: 127.0.0.1:1: "), "{problem}");
}

#[tokio::test]
async fn a_metadata_server_in_trouble_is_told_as_it_is() {
    for (fault, wanted) in [
        (
            r#"{"kind": "latency", "ms": 2500}"#,
            "the ECS metadata server: CLOUD: no answer within 2s",
        ),
        (
            r#"{"kind": "html", "status": 500}"#,
            "the ECS metadata server: HTTP 500 for the RAM role exporter",
        ),
        (
            r#"{"kind": "html", "status": 200}"#,
            "the ECS metadata server: RAM role exporter: the answer is not the documented JSON (line 1 column 1, 90 bytes)",
        ),
        (r#"{"kind": "truncated", "keep": 40}"#, "the ECS metadata server: CLOUD: "),
        (
            r#"{"kind": "error", "status": 200, "code": "Failed"}"#,
            "the ECS metadata server: RAM role exporter: the answer's Code is Failed, not Success",
        ),
    ] {
        let bench = Bench::new(ecs(Some("exporter"))).await;
        bench.fault("MetadataCredentials", fault);
        let problem = bench.problem().await;
        assert!(problem.starts_with(wanted), "{fault}: {problem}");
    }
}

#[tokio::test]
async fn a_credentials_uri_is_asked_and_only_its_host_is_shown() {
    let bench = Bench::new(Credentials::Uri { uri: None }).await;
    let uri = format!("{}/credentials?token={SECRET}", bench.url);
    let bench = bench.with("CREDENTIALS_URI", &uri);
    assert!(is_temporary(&bench.credential().await));
    bench.fault("CredentialsUri", r#"{"kind": "html", "status": 403}"#);
    assert_eq!(bench.problem().await, "the credentials URI at CLOUD: HTTP 403");
    for gone in
        [format!("http://127.0.0.1:1/{SECRET}"), format!("http://user:{SECRET}@127.0.0.1:1/")]
    {
        let problem =
            Bench::new(Credentials::Uri { uri: Some(Secret::new(gone)) }).await.problem().await;
        assert!(
            problem.starts_with("the credentials URI: 127.0.0.1:1: ") && !problem.contains(SECRET),
            "{problem}"
        );
    }
    let problem = Bench::new(Credentials::Uri { uri: None }).await.problem().await;
    assert_eq!(problem, "the environment has no ALIBABA_CLOUD_CREDENTIALS_URI");
}

#[tokio::test]
async fn a_machine_without_a_metadata_server_is_found_out_with_one_connection() {
    // A listener whose queue is full never accepts a connection, like a network that silently drops
    // packets.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting: Vec<_> =
        (0..8).map(|_| tokio::spawn(tokio::net::TcpStream::connect(address))).collect();
    let mut bench = Bench::new(Credentials::Default).await;
    bench.account.endpoints.metadata = Some(format!("http://{address}"));
    let provider = bench.provider();
    let problem = provider.credential(Timestamp::now()).await.unwrap_err().to_string();
    let wanted = format!("(5) ECS RAM role: there is no ECS metadata server: {address}: ");
    assert!(problem.contains(&wanted), "{problem}");
    drop((waiting, listener));
}
