//! The cost of a scrape over loopback, compared with a static body of the same bytes from the same
//! stack.
//!
//! `cargo bench --bench scrape` prints a table; each world is measured in a separate process. `--
//! TARGETS` measures one world.

#![allow(clippy::print_stdout, clippy::unwrap_used, unreachable_pub)]

mod fleet;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::web::{self, Front, Site};
use axum::Router;
use axum::body::Body;
use axum::http::header;
use axum::routing;
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use fleet::{Exporter, Fleet, THINGS};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// About a hundred thousand and a million series; the smallest shows the fixed cost.
const WORLDS: [usize; 3] = [100, 1_100, 11_000];
const ROUNDS: usize = 21;
const SCRAPERS: usize = 50;

const OPENMETRICS: &str = "Accept: application/openmetrics-text;version=1.0.0\r\n";
const GZIP: &str = "Accept-Encoding: gzip\r\n";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let targets = arguments.iter().find_map(|argument| argument.parse().ok());
    match targets {
        Some(targets) if arguments.iter().any(|argument| argument == "memory") => memory(targets),
        Some(targets) => measure(targets),
        None => WORLDS.into_iter().for_each(|targets| {
            again(&[&targets.to_string()]);
            again(&[&targets.to_string(), "memory"]);
        }),
    }
}

/// Measures in a separate process.
fn again(arguments: &[&str]) {
    let program = std::env::current_exe().unwrap();
    assert!(std::process::Command::new(program).args(arguments).status().unwrap().success());
}

fn measure(targets: usize) {
    let mut fleet = Fleet::new(targets, THINGS);
    let (rendered, polled) = timed(|| fleet.exporter());
    println!("\n## {targets} targets\n");
    let exporter = exporter(&polled);
    let (cold, plain) = timed(|| get(exporter, ""));
    let (cold_gzip, packed) = timed(|| get(exporter, GZIP));
    let plain_om = get(exporter, OPENMETRICS);
    let series = plain
        .split(|byte| *byte == b'\n')
        .filter(|line| line.first().is_some_and(|byte| *byte != b'#'))
        .count();
    let text = plain.len() as f64 / 1e6;
    println!(
        "{series} series, {text:.1} MB; rendered in {rendered:?}; first scrape {cold:?}, first with gzip {cold_gzip:?}"
    );

    let (whole, whole_bytes) = compress_whole(&plain);
    println!(
        "gzip: {} bytes, {:.3} of the whole at once ({whole:?})",
        packed.len(),
        packed.len() as f64 / whole_bytes as f64
    );

    let fixed = fixed(&[("/text", &plain), ("/openmetrics", &plain_om), ("/gzip", &packed)]);
    println!(
        "\n| scrape | median | static | ratio | over 1.2 x static |\n| --- | --- | --- | --- | --- |"
    );
    let mut base_lines = Vec::new();
    for (name, headers, path) in [
        ("text", "", "/text"),
        ("openmetrics", OPENMETRICS, "/openmetrics"),
        ("gzip", GZIP, "/gzip"),
    ] {
        let mut mine = Vec::new();
        let mut theirs = Vec::new();
        for _ in 0..ROUNDS {
            mine.push(timed(|| scrape(exporter, "/metrics", headers)).0);
            theirs.push(timed(|| scrape(fixed, path, "")).0);
        }
        row(&format!("warm, {name}"), &mut mine, &mut theirs);
        base_lines.push(median(&mut theirs));
    }
    changed(&mut fleet, &polled, exporter, &base_lines, whole);
    many(exporter);
}

fn changed(
    fleet: &mut Fleet,
    polled: &Exporter,
    exporter: SocketAddr,
    fixed: &[Duration],
    whole: Duration,
) {
    for (name, headers, fixed) in [("text", "", fixed[0]), ("gzip", GZIP, fixed[2])] {
        let mut times = Vec::new();
        let mut all_times = Vec::new();
        for round in 0..ROUNDS as i64 {
            for index in fleet.some(1) {
                fleet.change(index, 60 * round);
                fleet.poll(polled, index, 60 * round);
            }
            times.push(timed(|| scrape(exporter, "/metrics", headers)).0);
        }
        for round in ROUNDS as i64..2 * ROUNDS as i64 {
            for index in fleet.some(1) {
                fleet.change(index, 60 * round);
            }
            for index in 0..fleet.targets.len() {
                fleet.poll(polled, index, 60 * round);
            }
            all_times.push(timed(|| scrape(exporter, "/metrics", headers)).0);
        }
        for (what, times) in
            [("1 % changed", &mut times), ("all polled, 1 % changed", &mut all_times)]
        {
            let time = median(times);
            let ratio = time.as_secs_f64() / fixed.as_secs_f64();
            let share = 100.0 * time.as_secs_f64() / whole.as_secs_f64();
            println!(
                "| {what}, {name} | {time:.2?} | {fixed:.2?} | {ratio:.2} | {share:.0} % of compressing the whole |"
            );
        }
    }
}

/// CPU time of a scrape, alone and among fifty. All of it is in this process, including the
/// reader's part.
fn many(exporter: SocketAddr) {
    let scrapes =
        |count: usize| -> usize { (0..count).map(|_| scrape(exporter, "/metrics", GZIP)).sum() };
    let alone = cpu(|| assert!(scrapes(SCRAPERS * ROUNDS) > 0));
    let together = cpu(|| {
        std::thread::scope(|scope| {
            (0..SCRAPERS).for_each(|_| {
                scope.spawn(|| scrapes(ROUNDS));
            });
        });
    });
    let each = |sum: Duration| sum / (SCRAPERS * ROUNDS) as u32;
    println!(
        "\nCPU of a scrape, gzip: {:?} alone, {:?} among {SCRAPERS}",
        each(alone),
        each(together)
    );
}

/// Memory of the whole process after all bodies were requested, and again after all targets were
/// polled.
fn memory(targets: usize) {
    let fleet = Fleet::new(targets, THINGS);
    let polled = Exporter::new();
    fleet.give(&polled);
    let exporter = exporter(&polled);
    let mut text = 0;
    for turn in 0..3 {
        for headers in ["", OPENMETRICS, GZIP] {
            text = text.max(scrape(exporter, "/metrics", headers));
        }
        let allowed = 2.5 * text as f64 + 12e6;
        let resident = resident() as f64;
        println!(
            "resident with {targets} targets, turn {turn}: {:.1} MB, {:.2} x the text, {:.2} of what is allowed",
            resident / 1e6,
            resident / text as f64,
            resident / allowed
        );
        let views = polled.store.views(fleet::moment(0));
        for view in &views {
            fleet::poll_again(&polled, view, 60 * (turn + 1));
        }
    }
}

fn row(name: &str, mine: &mut [Duration], fixed: &mut [Duration]) {
    let mine = median(mine);
    let fixed = median(fixed);
    let over = (mine.as_secs_f64() - 1.2 * fixed.as_secs_f64()) * 1e3;
    let ratio = mine.as_secs_f64() / fixed.as_secs_f64();
    println!("| {name} | {mine:.2?} | {fixed:.2?} | {ratio:.2} | {over:+.2} ms |");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}

fn compress_whole(text: &[u8]) -> (Duration, usize) {
    let mut times = Vec::new();
    let mut packed = vec![0; text.len() / 2 + 1024];
    let mut bytes = 0;
    for _ in 0..5 {
        let mut compress = Compress::new(Compression::new(2), false);
        times
            .push(timed(|| compress.compress(text, &mut packed, FlushCompress::Finish).unwrap()).0);
        bytes = compress.total_out() as usize;
    }
    (median(&mut times), bytes)
}

/// The routes of an exporter.
fn exporter(Exporter { store, exposition }: &Exporter) -> SocketAddr {
    let metrics = Arc::new(SelfMetrics::new().unwrap());
    let site = Site::new(
        Arc::clone(store),
        Arc::clone(exposition),
        metrics,
        Arc::default(),
        Moment::now(),
    );
    serve(web::router(Arc::new(site)))
}

/// Bodies that never change.
fn fixed(bodies: &[(&'static str, &[u8])]) -> SocketAddr {
    let mut router = Router::new();
    for (path, body) in bodies {
        let body = Bytes::copy_from_slice(body);
        router = router.route(
            path,
            routing::get(move || async move {
                ([(header::CONTENT_TYPE, "text/plain")], Body::from(body))
            }),
        );
    }
    serve(router)
}

fn serve(router: Router) -> SocketAddr {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let (_stop, stopped) = watch::channel(false);
            let metrics = Arc::new(SelfMetrics::new().unwrap());
            web::serve(vec![listener], Front::open(router, metrics), stopped).await;
        });
    });
    address.recv().unwrap()
}

/// Makes a request and drops the body as it arrives.
fn scrape(address: SocketAddr, path: &str, headers: &str) -> usize {
    let mut stream = ask(address, path, headers);
    let mut buffer = vec![0; 256 * 1024];
    std::iter::from_fn(|| Some(stream.read(&mut buffer).unwrap()))
        .take_while(|read| *read > 0)
        .sum()
}

/// Requests `/metrics` and keeps the body.
fn get(address: SocketAddr, headers: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    ask(address, "/metrics", headers).read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    answer.split_off(head + 4)
}

fn ask(address: SocketAddr, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
        .unwrap();
    stream
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// CPU time that this process spends on `work`, in ticks of 10 ms.
fn cpu(work: impl FnOnce()) -> Duration {
    let spent = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<i64> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split(' ')
            .filter_map(|field| field.parse().ok())
            .collect();
        // After the state: ppid, ..., utime is the 11th number and stime the 12th.
        Duration::from_millis(10 * (fields[10] + fields[11]) as u64)
    };
    let before = spent();
    work();
    spent() - before
}
