//! However many clients scrape, and however they disconnect: all are sent the same bytes, and none
//! leaves anything behind.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{InvocationWindow, Metrics};
use aliyun_task_exporter::exposition::{Encoding, Exposition, Format, PageBody};
use aliyun_task_exporter::model::*;
use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::store::{PollEnd, Store};
use aliyun_task_exporter::target::{Kind, Scope, Target, TargetId};
use aliyun_task_exporter::web::{self, Front, Room, Site};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower::ServiceExt;

const SCRAPERS: usize = 200;
/// Enough for a page that is deflated in pieces.
const TARGETS: usize = 300;

fn target(index: usize) -> Target {
    Target {
        id: TargetId {
            kind: Kind::SwasInvocations,
            id: format!("{:032x}", index * 0x9E37_79B9).into(),
        },
        account: "a".into(),
        quota_group: "a".into(),
        region: "r".into(),
        name: "n".into(),
        scope: Scope::SwasInvocations(InvocationWindow::default()),
    }
}

/// A server whose last invocation exited with `code`.
fn read(store: &Store, index: usize, code: i64) {
    let invocation = |invocation: usize| Invocation {
        id: format!("t-hz0{:x}", (index * 1000 + invocation) * 0x9E37_79B9).into(),
        command_name: "backup".into(),
        command_type: CommandType::RunShellScript,
        status: InvocationStatus::Success,
        record: Some(InvokeStatus::Finished),
        created: Some(Timestamp::UNIX_EPOCH),
    };
    let result = InvocationResult {
        status: InvocationStatus::Success,
        record: Some(InvokeStatus::Finished),
        exit_code: Some(code),
        error: None,
        error_text: None,
        started: Some(Timestamp::UNIX_EPOCH),
        finished: Some(Timestamp::UNIX_EPOCH),
    };
    let seen = |number| SeenSwasInvocation {
        timing: None,
        invocation: Arc::new(invocation(number)),
        result: Some(Arc::new(result.clone())),
    };
    let reading = SwasInvocationsReading {
        invocations: (0..20).map(seen).collect(),
        ..SwasInvocationsReading::default()
    };
    let id = target(index).id;
    let now = Moment::now();
    store.record(&id, Reading::SwasInvocations(reading), now);
    let stale_after = Duration::from_secs(86_400);
    store.poll_ended(
        &id,
        PollEnd {
            failure: None,
            lists: ListState::default(),
            ended: now,
            took: Duration::ZERO,
            next: now.wall,
            stale_after,
        },
    );
}

fn site() -> (Arc<Store>, Arc<Exposition>, Router) {
    site_with(Room::default())
}

fn site_with(room: Room) -> (Arc<Store>, Arc<Exposition>, Router) {
    let metrics = Metrics { max_series: usize::MAX, ..Metrics::default() };
    let store = Arc::new(Store::default());
    let exposition = Arc::new(Exposition::new(Arc::clone(&store), metrics));
    store.retarget((0..TARGETS).map(target).map(Arc::new).collect());
    for index in 0..TARGETS {
        read(&store, index, 0);
    }
    let own = Arc::new(SelfMetrics::new().unwrap());
    let mut site =
        Site::new(Arc::clone(&store), Arc::clone(&exposition), own, Arc::default(), Moment::now());
    site.room = Arc::new(room);
    (store, exposition, web::router(Arc::new(site)))
}

fn request(format: Format, encoding: Encoding) -> Request<Body> {
    let encoding = if encoding == Encoding::Gzip { "gzip" } else { "identity" };
    let request = Request::get("/metrics").header("Accept", format.content_type());
    request.header("Accept-Encoding", encoding).body(Body::empty()).unwrap()
}

async fn scrape(router: &Router, format: Format, encoding: Encoding) -> Response {
    let response = router.clone().oneshot(request(format, encoding)).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

async fn frame(response: &mut Response) -> Bytes {
    response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap()
}

fn shown(exposition: &Exposition, format: Format, encoding: Encoding) -> Arc<PageBody> {
    exposition.ready_body(format, encoding, Moment::now()).unwrap().0
}

#[tokio::test]
async fn slow_scrapers_hold_one_page_together_and_whoever_leaves_lets_go_of_it() {
    for (format, encoding) in
        [(Format::Text, Encoding::Identity), (Format::OpenMetrics, Encoding::Gzip)]
    {
        let (store, exposition, router) = site();
        let mut scrapers = Vec::new();
        for _ in 0..SCRAPERS {
            let mut scraper = scrape(&router, format, encoding).await;
            let begun = frame(&mut scraper).await;
            scrapers.push((scraper, begun));
        }
        let body = shown(&exposition, format, encoding);
        assert!(body.frames().len() > 2 && body.bytes() > 100_000, "a page of many frames");
        let begun = body.frames()[0].as_ptr();
        assert!(
            scrapers.iter().all(|(_, frame)| frame.as_ptr() == begun),
            "the same bytes, not copies of them"
        );
        // One is the page's, one is ours.
        assert_eq!(Arc::strong_count(&body), SCRAPERS + 2);

        scrapers.truncate(SCRAPERS / 2);
        assert_eq!(Arc::strong_count(&body), SCRAPERS / 2 + 2, "the others have hung up");

        read(&store, 7, 1);
        scrape(&router, format, encoding).await;
        assert_eq!(Arc::strong_count(&body), SCRAPERS / 2 + 1, "the page is another one now");
        let (scraper, begun) = scrapers.pop().unwrap();
        let rest = scraper.into_body().collect().await.unwrap().to_bytes();
        assert!(
            [begun, rest].concat().starts_with(&body.frames().concat()),
            "who began with the old one gets the old one"
        );

        let old = Arc::downgrade(&body);
        drop(body);
        assert!(old.upgrade().is_some());
        drop(scrapers);
        assert!(old.upgrade().is_none(), "it is not held any more");
    }
}

#[tokio::test]
async fn views_that_slow_clients_keep_have_limited_room_and_scrapes_do_not_wait_for_it() {
    const ROOM_KIB: u64 = 2048;
    let (_store, _exposition, router) = site_with(Room::of(ROOM_KIB as u32));
    let view = |number: usize| {
        let path = format!("/api/v1/status?per_page={}", number + 1);
        router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap())
    };
    let mut slow = Vec::new();
    let late = loop {
        let mut asked = tokio::spawn(view(slow.len()));
        match tokio::time::timeout(Duration::from_secs(5), &mut asked).await {
            Ok(response) => slow.push(response.unwrap().unwrap()),
            Err(_) => break asked,
        }
    };
    assert!(slow.iter().all(|response| response.status() == 200));
    let bytes = |response: &Response| response.body().size_hint().exact().unwrap();
    let largest = slow.iter().map(bytes).max().unwrap();
    let taken = slow.iter().map(bytes).sum::<u64>();
    let room = ROOM_KIB * 1024;
    assert!(taken <= room && taken + 2 * largest > room, "{taken}, the largest {largest}");
    scrape(&router, Format::Text, Encoding::Identity).await;
    assert!(!late.is_finished(), "there is no room");
    drop(slow);
    assert_eq!(late.await.unwrap().unwrap().status(), 200);
}

#[test]
fn who_hangs_up_while_the_page_is_put_together_leaves_nothing_behind() {
    let format = Format::Text;
    let encoding = Encoding::Gzip;
    let (store, exposition, router) = site();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cut_off = runtime.block_on(async {
        let mut cut_off = 0;
        for round in 0..20 {
            read(&store, round, 1);
            for _ in 0..10 {
                let waiting = router.clone().oneshot(request(format, encoding));
                // Started, and dropped while it waits.
                cut_off +=
                    usize::from(tokio::time::timeout(Duration::ZERO, waiting).await.is_err());
            }
            scrape(&router, format, encoding).await;
        }
        cut_off
    });
    assert!(cut_off > 0);
    // By then, what was started on other threads has ended.
    drop(runtime);
    assert_eq!(Arc::strong_count(&shown(&exposition, format, encoding)), 2, "the page's, and ours");
}

/// Number of bytes that the kernel holds for a client, once it takes no more.
fn held(server: SocketAddr, client: SocketAddr) -> u64 {
    let ports = [server, client].map(|address| format!(":{:04X}", address.port()));
    let now = || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut sockets = sockets.lines().map(|line| fields(line.trim_start()));
        let socket = sockets.find(|it| it[1].ends_with(&ports[0]) && it[2].ends_with(&ports[1]));
        u64::from_str_radix(socket.unwrap()[4].split(':').next().unwrap(), 16).unwrap()
    };
    let mut last = 0;
    for _ in 0..500 {
        sleep(Duration::from_millis(20));
        let held = now();
        if held > 0 && held == last {
            return held;
        }
        last = held;
    }
    panic!("there is no end of it: {last}");
}

#[test]
fn of_a_response_that_is_not_read_the_kernel_takes_little_and_all_of_one_that_is() {
    const BYTES: usize = 32 << 20;
    let body = Bytes::from(vec![b'x'; BYTES]);
    let router = Router::new().route("/", get(|| async { body }));
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let front = Front::open(router, Arc::new(SelfMetrics::new().unwrap()));
    let serving = runtime.spawn(web::serve(vec![listener], front, stopped));
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let held = held(address, client.local_addr().unwrap());
    assert!(held < 256 << 10, "{held}");
    let mut response = Vec::new();
    client.read_to_end(&mut response).unwrap();
    assert!(response.len() > BYTES && response.ends_with(b"xxx"));
    stop.send_replace(true);
    runtime.block_on(serving).unwrap();
}
