//! Which requests are answered: names of the server, bodies, methods, pages of the API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::exporter::Exporter;
use aliyun_task_exporter::config::{Config, Server};
use aliyun_task_exporter::sim::{Settings, Simulator};
use jiff::Timestamp;
use serde_json::Value;

const PAGES: [&str; 6] =
    ["/", "/?show=failed", "/config", "/api/v1/status", "/static/page.css", "/static/page.js"];
const FOR_ALL: [&str; 3] = ["/metrics", "/-/healthy", "/-/ready"];

fn start(change: impl FnOnce(&mut Config)) -> Exporter {
    let mut sim = Simulator::new(Settings::default(), Timestamp::now());
    sim.freeze(Timestamp::now());
    let exporter = Exporter::start(sim, change);
    exporter.wait("all is up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 8.0);
    exporter
}

/// The status and the body of the response to a request, written as it is.
fn raw(exporter: &Exporter, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(exporter.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    // A server that closes early may reset what it has not read.
    let _ = stream.read_to_end(&mut response);
    let response = String::from_utf8_lossy(&response).into_owned();
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}

fn get(exporter: &Exporter, path: &str, host: &str) -> (u16, String) {
    raw(exporter, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

fn json(exporter: &Exporter, query: &str) -> Value {
    let answer = exporter.get(&format!("/api/v1/status{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn what_a_browser_could_carry_elsewhere_is_only_served_under_an_own_name() {
    let exporter = start(|_| {});
    for path in PAGES {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "10.9.8.7:80", "[::1]:10977"] {
            assert_eq!(get(&exporter, path, host).0, 200, "{path} {host}");
        }
        for host in ["evil.example.com", "localhost.example.com", "127.0.0.1.example.com:10977"] {
            let (status, line) = get(&exporter, path, host);
            assert_eq!(status, 403, "{path} {host}");
            assert!(line.contains("--web.external-url") && line.lines().count() == 1, "{line}");
        }
    }
    for path in FOR_ALL {
        assert_eq!(get(&exporter, path, "evil.example.com").0, 200, "{path}");
    }
    let post = "POST /-/reload HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n";
    let (status, line) = raw(&exporter, post);
    assert_eq!((status, line.contains("--web.external-url")), (403, true), "{line}");
}

#[test]
fn a_request_names_one_host_and_has_no_body() {
    let exporter = start(|_| {});
    let end = "Connection: close\r\n\r\n";
    for head in [
        "GET /metrics HTTP/1.1\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a b\r\n",
        "GET /metrics HTTP/1.1\r\nHost:\r\n",
        "GET http://localhost/metrics HTTP/1.1\r\nHost: example.com\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n",
        "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let (status, line) = raw(&exporter, &format!("{head}{end}"));
        assert_eq!((status, line.is_empty()), (400, false), "{head}: {line}");
    }
    let empty = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n";
    assert_eq!(raw(&exporter, &format!("{empty}{end}")).0, 200, "none at all");
    let large = format!("X-Large: {}\r\n", "a".repeat(128 << 10));
    let head = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
    assert_eq!(raw(&exporter, &format!("{head}{large}{end}")).0, 431);
    let fair = format!("X-Fair: {}\r\n", "a".repeat(32 << 10));
    assert_eq!(raw(&exporter, &format!("{head}{fair}{end}")).0, 200);
}

#[test]
fn what_is_not_there_is_told_in_a_line() {
    let exporter = start(|_| {});
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/", 405),
        ("GET", "/-/reload", 405),
        ("POST", "/-/reload", 403),
    ] {
        let answer = exporter.request(method, path, &[]);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.text().lines().count(), 1, "{method} {path}: {}", answer.text());
    }
}

#[test]
fn without_pages_there_are_metrics_and_health() {
    let exporter = start(|config| config.web.pages = false);
    for path in PAGES {
        assert_eq!(exporter.get(path).status, 404, "{path}");
    }
    for path in FOR_ALL {
        assert_eq!(exporter.get(path).status, 200, "{path}");
    }
}

#[test]
fn the_api_shows_a_page_of_what_fits_the_query() {
    let exporter = start(|_| {});
    let all = json(&exporter, "");
    assert_eq!((&all["targets_total"], &all["targets_matching"]), (&8.into(), &8.into()));
    assert_eq!((&all["page"], &all["pages"]), (&1.into(), &1.into()));
    let ids = |status: &Value| -> Vec<String> {
        let targets = status["targets"].as_array().unwrap().iter();
        targets.map(|target| format!("{}{}", target["kind"], target["id"])).collect()
    };
    let mut pages = Vec::new();
    for page in 1..=4 {
        let status = json(&exporter, &format!("?per_page=3&page={page}"));
        assert_eq!(status["pages"], 3);
        pages.extend(ids(&status));
    }
    assert_eq!(pages, ids(&all), "each once, in the same order");
    let servers = json(&exporter, "?kind=swas_invocations");
    assert_eq!(servers["targets_matching"], 4);
    let first = servers["targets"][0].clone();
    let region = first["region"].as_str().unwrap();
    let some = json(&exporter, &format!("?kind=swas_invocations&region={region}&state=up"));
    assert!(some["targets"].as_array().unwrap().iter().all(|target| target["region"] == region));
    let id = first["id"].as_str().unwrap();
    let found = json(&exporter, &format!("?q={}", id[2..].to_uppercase()));
    assert_eq!((&found["targets_matching"], &found["targets"][0]["id"]), (&1.into(), &id.into()));
    assert_eq!(json(&exporter, "?state=down")["targets_matching"], 0);
    assert_eq!(json(&exporter, "?account=none")["targets"], Value::Array(Vec::new()));
    for wrong in ["?page=x", "?state=good", "?order=name", "?sort=best", "?per_page=-1"] {
        let answer = exporter.get(&format!("/api/v1/status{wrong}"));
        assert_eq!((answer.status, answer.text().lines().count()), (400, 1), "{wrong}");
    }
}

#[test]
fn marks_that_turn_text_round_are_shown_and_not_obeyed() {
    let name = "web\u{202e}1";
    let exporter = start(|config| {
        let named = |server: Server| Server { name: name.into(), ..server };
        config.servers = config.servers.drain(..).map(named).collect();
    });
    let page = exporter.get("/");
    assert!(!page.text().contains('\u{202e}') && page.text().contains("web\\u202e1"));
    let answer = exporter.get("/api/v1/status?kind=swas_invocations");
    assert!(!answer.text().contains('\u{202e}'));
    let status: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(status["targets"][0]["name"], name, "in JSON it is the same character");
}
