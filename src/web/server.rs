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
/// Timeout for a request's head, and thus for an idle connection; longer than the usual scrape
/// interval.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Maximum size of a request's head; responses are written in portions of about this size.
const BUFFER_BYTES: usize = 256 * 1024;
/// Timeout for in-flight requests at shutdown: half of what docker waits before it kills.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves `router` on every listener until `stop`, then lets in-flight requests finish.
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

/// Leaves half of the file descriptors to polling, however many connections there are.
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
    // Otherwise the last part of a response may wait 40 ms for the scraper's delayed
    // acknowledgement. An error means that the connection is closed, which reading it reports.
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

/// Accepting fails if, for example, file descriptors run out; then other connections must close
/// first.
async fn refused(error: &std::io::Error) {
    warn!(%error, "could not accept a connection");
    tokio::time::sleep(Duration::from_millis(200)).await;
}
