#![cfg(test)]
//! What is requested again, when, and by how many attempts at once.

use super::*;

#[tokio::test]
async fn many_at_once_ask_once_and_share_a_failure() {
    let bench = Bench::new(key("testsecret")).await.with_role(|_| {});
    let provider = bench.provider();
    let now = Timestamp::now();
    let ask = |provider: &Provider| {
        let provider = provider.clone();
        tokio::spawn(
            async move { provider.credential(now).await.map_err(|error| error.to_string()) },
        )
    };
    let asked: Vec<_> = (0..50).map(|_| ask(&provider)).collect();
    for one in asked {
        assert!(is_temporary(&one.await.unwrap().unwrap()));
    }
    assert_eq!(bench.calls(), ["AssumeRole ok"]);
    bench.fault("AssumeRole", r#"{"kind": "html", "status": 502}"#);
    let provider = bench.provider();
    let asked: Vec<_> = (0..50).map(|_| ask(&provider)).collect();
    for one in asked {
        assert!(one.await.unwrap().unwrap_err().contains("HTTP 502"));
    }
    assert!(provider.credential(now).await.is_err());
    assert_eq!(bench.calls(), ["AssumeRole ok", "AssumeRole fault:html"]);
}

#[tokio::test]
async fn a_changed_file_renews_what_hangs_on_it() {
    let bench = Bench::new(profile(Some("role"))).await;
    let text = cli_config(&bench);
    bench.file(".aliyun/config.json", &text);
    let provider = bench.provider();
    let first = provider.credential(Timestamp::now()).await.unwrap();
    provider.accepted(&first);
    provider.credential(Timestamp::now()).await.unwrap();
    assert_eq!(bench.calls(), ["AssumeRole ok"]);
    bench.file(".aliyun/config.json", &text.replace("\"s-1\"", "\"session-2\""));
    until(|| async { provider.credential(Timestamp::now()).await.unwrap() != first }).await;
    let sim = bench.sim.lock().unwrap();
    assert_eq!(sim.calls().last().unwrap().parameters["RoleSessionName"], "session-2");
}

#[tokio::test]
async fn a_file_that_vanishes_or_is_empty_does_not_take_the_key_away() {
    let bench = Bench::new(Credentials::Default).await;
    let secret = SecretSource::File(bench.home.join("secret"));
    let id = SecretSource::File(bench.home.join("id"));
    let mut bench = bench;
    bench.account.credentials =
        Credentials::AccessKey { access_key_id: id, access_key_secret: secret };
    assert_eq!(bench.problem().await, "reading the credentials: there is no file HOME/id");
    bench.file("id", "one\n");
    bench.file("secret", "\n");
    assert_eq!(bench.problem().await, "reading the credentials: HOME/secret is empty");
    bench.file("secret", "secret");
    let provider = bench.provider();
    let now = Timestamp::now();
    let first = provider.credential(now).await.unwrap();
    std::fs::remove_file(bench.home.join("secret")).unwrap();
    assert_eq!(provider.credential(now).await.unwrap(), first);
    bench.file("secret", "secret-2");
    let later = now + SignedDuration::from_secs(5);
    assert_eq!(provider.credential(later).await.unwrap().access_key_secret.expose(), "secret-2");
}

#[tokio::test]
async fn what_had_ended_before_it_came_is_told_and_asked_for_at_growing_pauses() {
    let bench = Bench::new(Credentials::EcsRamRole { role_name: Some("exporter".into()) }).await;
    let provider = bench.provider();
    let given = || bench.calls().iter().filter(|call| *call == "MetadataCredentials ok").count();
    // This machine's clock is seven hours ahead, so credentials that last six have always expired.
    let start = Timestamp::now() + SignedDuration::from_hours(7);
    for is_accepted in [false, true] {
        for second in 0..5 {
            let now = start + SignedDuration::from_secs(second);
            let credential = provider.credential(now).await.unwrap();
            if is_accepted {
                provider.accepted(&credential);
            }
            let told = provider.keep(now).trouble.unwrap();
            assert!(
                told.starts_with("the credentials had ended ") && told.contains("before they came"),
                "{told}"
            );
        }
        assert_eq!(given(), 1, "{is_accepted}");
    }
    let later = start + SignedDuration::from_secs(5);
    provider.credential(later).await.unwrap();
    until(|| async { given() == 2 }).await;
}
