//! HTTP in front of a simulator: the only part that reads a clock.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};

use super::delivery::Delivered;
use super::{Reply, Simulator, Transfer};

/// Maximum size of a request body; neither the API nor `/_sim` needs more.
const LARGEST_BODY: usize = 1 << 20;

/// Timeout for in-flight answers at shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// Serves a simulator on a bound listener until `shutdown` is done.
///
/// # Errors
/// If the listener fails for good; a failed connection affects only itself.
pub async fn serve(
    listener: TcpListener,
    simulator: Arc<Mutex<Simulator>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    spawn_connection((stream, peer.ip()), Arc::clone(&simulator), &connections);
                }
                Err(error) if is_passing(&error) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => return Err(error),
            },
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    // Connections that are still open then end with the runtime.
    let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
    Ok(())
}

/// Whether accepting may work again: a connection died before it was accepted, or too many files
/// are open.
fn is_passing(error: &io::Error) -> bool {
    const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24];
    let kinds = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ];
    kinds.contains(&error.kind())
        || error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN_FILES.contains(&code))
}

fn spawn_connection(
    (stream, source): (TcpStream, IpAddr),
    simulator: Arc<Mutex<Simulator>>,
    connections: &GracefulShutdown,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(source);
        answer(Arc::clone(&simulator), request)
    });
    // A request that has arrived is a call, even if its sender is gone.
    let connection =
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // A caller that disconnects, or a connection closed by a fault, is not an error.
        let _ = connection.await;
    });
}

/// An error closes the connection without an answer.
async fn answer(
    simulator: Arc<Mutex<Simulator>>,
    request: Request<Incoming>,
) -> io::Result<Response<Delivered>> {
    let (head, body) = request.into_parts();
    let body: Bytes =
        axum::body::to_bytes(Body::new(body), LARGEST_BODY).await.map_err(io::Error::other)?;
    let request = Request::from_parts(head, body);
    let reply =
        simulator.lock().unwrap_or_else(PoisonError::into_inner).handle(&request, Timestamp::now());
    deliver(reply).await
}

async fn deliver(reply: Reply) -> io::Result<Response<Delivered>> {
    let Reply { response, delivery } = reply;
    if !delivery.delay.is_zero() {
        tokio::time::sleep(delivery.delay).await;
    }
    if delivery.transfer == Transfer::Reset {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(response.map(|body| Delivered::new(body, &delivery.transfer)))
}
