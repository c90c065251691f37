//! The status page over HTTP: permalinks, filters, languages, and what it costs with ten thousand
//! targets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::exporter::{Answer, Exporter};
use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{InvocationWindow, Metrics};
use aliyun_task_exporter::exposition::Exposition;
use aliyun_task_exporter::model::*;
use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::sim::{Settings, Simulator};
use aliyun_task_exporter::store::Store;
use aliyun_task_exporter::target::{Scope, Target, TargetId};
use aliyun_task_exporter::web::{Site, router};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tower::ServiceExt;

fn start() -> Exporter {
    let mut sim = Simulator::new(Settings::default(), Timestamp::now());
    sim.freeze(Timestamp::now());
    let exporter = Exporter::start(sim, |_| {});
    exporter.wait("all is up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 8.0);
    exporter
}

fn targets(exporter: &Exporter, query: &str) -> Vec<Value> {
    let answer = exporter.get(&format!("/api/v1/status?{query}"));
    let status: Value = serde_json::from_slice(&answer.body).unwrap();
    status["targets"].as_array().unwrap().clone()
}

fn in_language(exporter: &Exporter, path: &str, language: &str) -> Answer {
    exporter.request("GET", path, &[("Accept-Language", language)])
}

#[test]
fn each_thing_has_a_page_of_its_own_and_what_is_not_there_is_404() {
    let exporter = start();
    let id = |target: &Value| target["id"].as_str().unwrap().to_owned();
    let clusters = targets(&exporter, "kind=ehpc_invocations");
    let with_commands = clusters.iter().find(|target| target["commands"][0].is_object()).unwrap();
    let server = &targets(&exporter, "kind=swas_invocations")[0];
    let cluster = id(with_commands);
    let command = id(&with_commands["commands"][0]);
    let name = server["invocations"][0]["command"].as_str().unwrap();
    for (path, said) in [
        (format!("/cluster/{cluster}"), command.as_str()),
        (format!("/command/{cluster}/{command}"), "Exit code"),
        (format!("/server/{}", id(server)), name),
        (format!("/command?name={name}"), server["name"].as_str().unwrap()),
        (
            format!("/region/{}", server["region"].as_str().unwrap()),
            server["name"].as_str().unwrap(),
        ),
    ] {
        let answer = exporter.get(&path);
        assert_eq!((answer.status, answer.text().contains(said)), (200, true), "{path}: {said}");
    }
    for path in [
        "/cluster/none".to_owned(),
        format!("/cluster/{}", id(server)),
        format!("/server/{cluster}"),
        "/region/none".to_owned(),
        "/command".to_owned(),
        "/command?name=none".to_owned(),
        format!("/command/{cluster}/none"),
        format!("/command/none/{command}"),
    ] {
        let answer = exporter.get(&path);
        assert_eq!(
            (answer.status, answer.text().contains("Show everything")),
            (404, true),
            "{path}"
        );
    }
}

#[test]
fn the_page_and_the_api_find_the_same() {
    let exporter = start();
    let regions: Vec<String> =
        targets(&exporter, "").iter().map(|it| it["region"].as_str().unwrap().to_owned()).collect();
    let queries = [
        "kind=ehpc_tasks".to_owned(),
        "state=up&sort=age".to_owned(),
        "state=down".to_owned(),
        "work=running&sort=work".to_owned(),
        "q=WEB&sort=name".to_owned(),
        format!("region={}&account=demo&kind=swas_invocations&sort=region", regions[0]),
    ];
    for query in queries {
        let found = targets(&exporter, &query);
        let page = exporter.get(&format!("/?show=targets&{query}")).text().to_owned();
        let (_, list) = page.split_once("id=\"targets\"").unwrap();
        let places: Vec<Option<usize>> = found
            .iter()
            .map(|target| {
                let of = |it: &str| target[it].as_str().unwrap().to_owned();
                list.find(&format!("id=\"target-{}-{}\"", of("kind"), of("id")))
            })
            .collect();
        assert!(places.iter().all(Option::is_some), "{query}");
        assert_eq!(list.matches(" id=\"target-").count(), found.len(), "{query}");
        if query.contains("sort=") {
            assert!(places.is_sorted(), "in the same order: {query}");
        }
    }
    for wrong in ["/?state=good", "/?page=-1", "/cluster/none?sort=best", "/?show=all"] {
        let answer = exporter.get(wrong);
        assert_eq!((answer.status, answer.text().lines().count()), (400, 1), "{wrong}");
    }
    let empty = exporter.get("/?q=&kind=&state=&work=&region=&account=&sort=&utm=x");
    assert_eq!(empty.status, 200, "a form sends empty fields, and others may add their own");
}

#[test]
fn who_asks_in_the_same_second_gets_the_own_language() {
    let exporter = start();
    for _ in 0..2 {
        for (language, wanted) in
            [("zh-CN,zh;q=0.9", "zh-CN"), ("en-US,en;q=0.9,zh;q=0.8", "en"), ("fr", "en")]
        {
            for path in ["/", "/server/none"] {
                let answer = in_language(&exporter, path, language);
                let mark = format!("<html lang=\"{wanted}\">");
                assert!(answer.text().contains(&mark), "{language} {path}");
                assert_eq!(answer.header("vary"), Some("Accept-Language, Accept-Encoding"));
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
        let answer = in_language(&exporter, "/?lang=en", "zh");
        assert!(answer.text().contains("<html lang=\"en\">"), "what the URL says comes first");
        let json = in_language(&exporter, "/api/v1/status", "zh");
        assert_eq!(json.header("vary"), Some("Accept-Encoding"), "it has one language");
    }
}

/// Number of servers of a large fleet.
const SERVERS: usize = 10_000;
/// Invocations that each has.
const INVOCATIONS: usize = 5;

fn server(number: usize) -> Target {
    Target {
        id: TargetId::server(&format!("{number:032x}").into()),
        account: "account".into(),
        quota_group: "account".into(),
        region: format!("cn-region-{}", number % 20).into(),
        name: format!("web-frontend-{number:05}").into(),
        scope: Scope::SwasInvocations(InvocationWindow::default()),
    }
}

/// Tests are not optimised, and run beside each other: this finds what grows faster than the number
/// of targets, and says nothing of how long a page takes in a release.
const PATIENCE: Duration = Duration::from_secs(2);
/// Attempts within which one must be as fast as that.
const ATTEMPTS: usize = 10;

/// Every tenth invocation runs, and every tenth has failed.
fn invocation(now: Moment, number: usize) -> SeenSwasInvocation {
    let created = now.wall - SignedDuration::from_secs(60 * number as i64);
    let status = match number % 10 {
        0 => InvocationStatus::Running,
        1 => InvocationStatus::Failed,
        _ => InvocationStatus::Success,
    };
    let result = InvocationResult {
        status: status.clone(),
        record: None,
        exit_code: Some(i64::from(number % 10 == 1)),
        error: None,
        error_text: None,
        started: Some(created),
        finished: Some(created),
    };
    let invocation = Invocation {
        id: format!("t-hz{number:020}").into(),
        command_name: format!("backup-{}", number % 5).into(),
        command_type: CommandType::RunShellScript,
        status,
        record: None,
        created: Some(created),
    };
    let result = (!number.is_multiple_of(10)).then(|| Arc::new(result));
    SeenSwasInvocation { invocation: Arc::new(invocation), result, timing: None }
}

fn fleet() -> axum::Router {
    let now = Moment::now();
    let store = Arc::new(Store::default());
    store.retarget((0..SERVERS).map(server).map(Arc::new).collect());
    for number in 0..SERVERS {
        let invocations = (0..INVOCATIONS).map(|it| invocation(now, number + it)).collect();
        let job = |it| Job { name: format!("backup-{it}").into(), ..Job::default() };
        let jobs = Arc::new((0..5).map(job).collect());
        let reading =
            SwasInvocationsReading { invocations, jobs, ..SwasInvocationsReading::default() };
        store.record(&server(number).id, Reading::SwasInvocations(reading), now);
    }
    let exposition = Arc::new(Exposition::new(Arc::clone(&store), Metrics::default()));
    let own = Arc::new(SelfMetrics::new().unwrap());
    router(Arc::new(Site::new(store, exposition, own, Arc::default(), now)))
}

#[test]
fn with_ten_thousand_servers_a_page_is_small_and_does_not_take_forever() {
    let routes = fleet();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for path in [
        "/",
        "/?show=running",
        "/?show=failed&lang=zh",
        "/?q=frontend-0999&sort=work",
        "/region/cn-region-3",
        "/command?name=backup-1",
        "/server/00000000000000000000000000000007",
    ] {
        let mut best = Duration::MAX;
        let mut size = 0;
        for _ in 0..ATTEMPTS {
            // What another request has made in the same second would cost nothing.
            std::thread::sleep(Duration::from_millis(1001));
            let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
            let began = Instant::now();
            size = runtime.block_on(async {
                let response = routes.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status(), 200, "{path}");
                response.into_body().collect().await.unwrap().to_bytes().len()
            });
            best = best.min(began.elapsed());
            if best <= PATIENCE {
                break;
            }
        }
        println!("{path}: {size} bytes in {best:?}");
        assert!(size <= 200_000, "{path}: {size} bytes");
        assert!(best <= PATIENCE, "{path}: {best:?}");
    }
}
