//! Listeners -> connections -> routes, within limits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{debug, warn};

/// Maximum concurrent connections; further ones wait.
const MAX_CONNECTIONS: u64 = 512;
/// A request's head must have arrived within this time; it is also how long a connection may idle,
/// and longer than the usual scrape interval.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Maximum size of a request's head; an answer is written in portions of about this size.
const BUFFER_BYTES: usize = 256 * 1024;
/// Requests under way at a shutdown have this long to finish: half of what docker waits before it
/// kills.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves `router` on every listener until `stop`, then lets requests under way finish.
pub async fn serve(listeners: Vec<TcpListener>, router: Router, stop: watch::Receiver<bool>) {
    let connections = Arc::new(Semaphore::new(max_connections()));
    let accepting = listeners.into_iter().map(|listener| {
        tokio::spawn(accept(listener, router.clone(), Arc::clone(&connections), stop.clone()))
    });
    for listener in accepting.collect::<Vec<_>>() {
        if let Err(error) = listener.await {
            warn!(%error, "a listener has stopped");
        }
    }
}

/// However many connections there are, half of the file descriptors are left to polling.
fn max_connections() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from((descriptors / 2).clamp(1, MAX_CONNECTIONS)).unwrap_or(1)
}

async fn accept(
    listener: TcpListener,
    router: Router,
    connections: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    while !*stop.borrow() {
        let next = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            (Ok(permit), accepted) = next => match accepted {
                Ok((stream, _)) => connect(stream, &router, permit, &graceful),
                Err(error) => refused(&error).await,
            },
            _ = stop.changed() => {}
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        warn!(seconds = DRAIN.as_secs(), "requests that had not finished were cut off");
    }
}

fn connect(
    stream: TcpStream,
    router: &Router,
    permit: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    // Else the last part of an answer may wait for the scraper's delayed acknowledgement, 40 ms. A
    // connection that is gone already tells when it is read.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "connection ended");
        }
        drop(permit);
    });
}

/// Accepting fails when, for one, file descriptors run out: others must end first.
async fn refused(error: &std::io::Error) {
    warn!(%error, "could not accept a connection");
    tokio::time::sleep(Duration::from_millis(200)).await;
}
