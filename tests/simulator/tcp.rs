//! The simulator over TCP, with plain sockets on the caller's side.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use aliyun_task_exporter::sim::{Operation, Settings, Simulator, serve};
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::caller::Draft;

/// Sends a request, and reads until the simulator closes the connection.
fn exchange(address: SocketAddr, target: &str, method: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    // Reading from a connection that is cut may fail; what came before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn list_clusters(address: SocketAddr, nonce: &str) -> String {
    let draft =
        Draft::new(Operation::ListClusters, &[], Timestamp::now()).set("SignatureNonce", nonce);
    exchange(address, &format!("/?{}", draft.query()), "GET", "")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn set_fault(address: SocketAddr, fault: &str) {
    exchange(address, "/_sim/faults", "DELETE", "");
    let answer = exchange(address, "/_sim/faults", "POST", &format!("[{{\"fault\": {fault}}}]"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn talk(address: SocketAddr) {
    assert!(exchange(address, "/", "GET", "").contains("A pretend Alibaba Cloud"));
    assert!(exchange(address, "/_sim/nothing", "GET", "").starts_with("HTTP/1.1 404"));
    assert!(exchange(address, "/_sim/world?at=noon", "GET", "").starts_with("HTTP/1.1 400"));
    let frozen = exchange(address, "/_sim/time", "POST", "{\"frozen\": true}");
    assert!(frozen.contains("\"frozen\": true"), "{frozen}");
    let worlds = [(); 2].map(|()| exchange(address, "/_sim/world", "GET", ""));
    assert_eq!(body(&worlds[0]), body(&worlds[1]));
    let truth: Value = serde_json::from_str(body(&worlds[0])).unwrap();

    let answer = list_clusters(address, "whole");
    let clusters: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(clusters["Clusters"]["ClusterInfoSimple"][0]["Id"], truth["clusters"][0]["id"]);
    assert!(list_clusters(address, "whole").contains("SignatureNonceUsed"));

    set_fault(address, r#"{"kind": "drip", "bytes": 1000, "pause_ms": 1}"#);
    assert!(serde_json::from_str::<Value>(body(&list_clusters(address, "drip"))).is_ok());
    set_fault(address, r#"{"kind": "reset"}"#);
    assert_eq!(list_clusters(address, "reset"), "");
    set_fault(address, r#"{"kind": "truncated", "keep": 100}"#);
    let cut = list_clusters(address, "truncated");
    assert!(cut.starts_with("HTTP/1.1 200") && !cut.contains("content-length: 100\r\n"), "{cut}");
    assert_eq!(body(&cut).len(), 100);
}

#[tokio::test]
async fn the_simulator_serves_until_it_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let simulator = Arc::new(Mutex::new(Simulator::new(Settings::default(), Timestamp::now())));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, Arc::clone(&simulator), async {
        let _ = stopped.await;
    }));
    tokio::task::spawn_blocking(move || talk(address)).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
    let outcomes: Vec<_> =
        simulator.lock().unwrap().calls().map(|call| call.outcome.clone()).collect();
    assert_eq!(outcomes, ["ok", "SignatureNonceUsed", "ok", "fault:reset", "fault:truncated"]);
}
