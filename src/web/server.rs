//! Listeners -> connections -> requests.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::access::{Access, Paths};
use super::connections::{Admitted, Connection, Connections, Millis, RESERVE};
use super::descriptors;
use super::guard::{Guard, Visitor};
use super::hosts::Hosts;
use super::room::Room;
use crate::config::Web;
use crate::model::Cut;
use crate::self_metrics::SelfMetrics;

/// Maximum number of connections.
const MAX_CONNECTIONS: u64 = 512;
/// Interval at which overdue connections are looked for.
const SWEEP: Duration = Duration::from_millis(500);
/// Maximum size of a request's head, in bytes; responses are written in portions of that size.
const BUFFER_BYTES: usize = 64 * 1024;
/// Maximum number of bytes of a response that the kernel buffers beyond what the client's own
/// buffers take. By default it buffers up to 4 MiB: copying that for many clients that read nothing
/// would delay all others, and the slow progress of a client that does read would not be seen.
const UNSENT_BYTES: u32 = 64 * 1024;
/// Maximum size of a request's headers in HTTP/2, in bytes: many requests may wait at once.
const HEADERS_BYTES: u32 = 16 * 1024;
/// Maximum number of streams of an HTTP/2 connection.
const MAX_STREAMS: u32 = 8;
/// Maximum number of streams that an HTTP/2 client has reset and that are still being cleaned up.
const MAX_RESETS: usize = 16;
/// Timeout for in-flight requests at shutdown: half of the time after which docker kills.
const DRAIN: Duration = Duration::from_secs(5);
/// Minimum time between two log lines about a shortage of connections.
const SHORTAGE: Duration = Duration::from_secs(60);

/// What is served, to which clients, and under which names.
#[derive(Debug)]
pub struct Front {
    /// The routes.
    pub routes: Router,
    /// Who is let in.
    pub guard: Arc<ArcSwap<Guard>>,
    /// Host names under which the server may be asked.
    pub hosts: Hosts,
    /// Paths of the routes.
    pub paths: Paths,
    /// Counts connections.
    pub metrics: Arc<SelfMetrics>,
    /// How much is in memory for clients that are slow to read.
    pub room: Arc<Room>,
}

impl Front {
    /// Serves `routes` to everybody, under any address or name of this machine.
    pub fn open(routes: Router, metrics: Arc<SelfMetrics>) -> Self {
        let guard = Arc::new(ArcSwap::from_pointee(Guard::open(Web::default())));
        let room = Arc::default();
        Self { routes, guard, hosts: Hosts::with([]), paths: Paths::default(), metrics, room }
    }
}

/// State shared by all connections.
#[derive(Debug)]
struct Server {
    access: Access,
    connections: Connections,
    /// One permit for each socket: a cut connection keeps its descriptor until its task ends.
    sockets: Arc<Semaphore>,
    metrics: Arc<SelfMetrics>,
    room: Arc<Room>,
    clock: Clock,
}

/// Time since the start.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Millis {
        self.0.elapsed().as_millis() as Millis
    }
}

/// Serves on every listener until `stop`, then lets in-flight requests finish.
pub async fn serve(listeners: Vec<TcpListener>, front: Front, stop: watch::Receiver<bool>) {
    let Front { routes, guard, hosts, paths, metrics, room } = front;
    let max = max_connections(descriptors::limit());
    let server = Arc::new(Server {
        access: Access { routes, guard, hosts, paths },
        connections: Connections::new(max),
        // Each listener holds one for its next connection, for which another one is then cut.
        sockets: Arc::new(Semaphore::new(max + RESERVE + listeners.len())),
        metrics,
        room,
        clock: Clock(Instant::now()),
    });
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(accept(listener, Arc::clone(&server), stop.clone()));
    }
    tasks.spawn(sweep(server, stop));
    while let Some(task) = tasks.join_next().await {
        if let Err(error) = task {
            warn!(%error, "a listener has stopped");
        }
    }
}

/// Leaves half of the file descriptors to polling, however many connections there are.
fn max_connections(descriptors: u64) -> usize {
    let all = (descriptors / 2).min(MAX_CONNECTIONS + RESERVE as u64);
    usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(RESERVE).max(1)
}

/// Closes overdue connections, and those accepted under TLS settings that are no longer in force.
async fn sweep(server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    let tls_in_force = || server.access.guard.load().tls.clone();
    let mut tls = tls_in_force();
    let mut ticks = interval(SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = ticks.tick() => {
                let is_short = server.room.is_short();
                for cut in server.connections.sweep(server.clock.now(), is_short) {
                    server.metrics.connection_cut(cut);
                }
                server.metrics.connections(server.connections.count());
                let now = tls_in_force();
                if tls.as_ref().map(Arc::as_ptr) != now.as_ref().map(Arc::as_ptr) {
                    server.connections.retire();
                    tls = now;
                }
            }
            _ = stop.changed() => {}
        }
    }
}

async fn accept(listener: TcpListener, server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    let mut open = JoinSet::new();
    let mut told = None;
    while !*stop.borrow() {
        tokio::select! {
            accepted = accept_one(&listener, &server) => match accepted {
                Ok((socket, stream, peer)) => {
                    let admitted = server.admit(peer.ip(), &mut told);
                    let connection =
                        connect(stream, peer.ip(), Arc::clone(&server), admitted, stop.clone());
                    open.spawn(async move {
                        connection.await;
                        drop(socket);
                    });
                }
                Err(error) => refused(&error).await,
            },
            Some(_) = open.join_next() => {}
            _ = stop.changed() => {}
        }
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if timeout(DRAIN, drained).await.is_err() {
        warn!(seconds = DRAIN.as_secs(), "cut off requests that had not finished");
    }
}

/// Waits until a socket may be opened, then for a client.
async fn accept_one(
    listener: &TcpListener,
    server: &Server,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let socket = Arc::clone(&server.sockets).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((socket, stream, peer))
}

impl Server {
    /// A place for a new connection; `told` is when a shortage was last logged.
    fn admit(&self, peer: IpAddr, told: &mut Option<Instant>) -> Admitted {
        let admitted = self.connections.admit(peer, self.clock.now());
        if let Some(cut) = admitted.cut {
            self.metrics.connection_cut(cut);
        }
        let is_short = admitted.cut.is_some() || admitted.connection.is_reserve;
        if is_short && told.is_none_or(|time| time.elapsed() >= SHORTAGE) {
            *told = Some(Instant::now());
            let open = self.connections.count();
            warn!(open, %peer, "too many connections: closing those that have been idle longest");
        }
        admitted
    }
}

/// Pauses after a failed accept: if file descriptors have run out, others must end first.
async fn refused(error: &io::Error) {
    warn!(%error, "could not accept a connection");
    sleep(Duration::from_millis(200)).await;
}

/// Serves a connection until it ends, or is cut.
async fn connect(
    stream: TcpStream,
    peer: IpAddr,
    server: Arc<Server>,
    admitted: Admitted,
    stop: watch::Receiver<bool>,
) {
    let Admitted { id, connection, .. } = admitted;
    let _place = Place { server: Arc::clone(&server), id };
    // Otherwise the last part of a response may wait for the scraper's delayed acknowledgement,
    // 40 ms. A connection that is closed already fails when it is read.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
    let stream = Progress {
        stream,
        connection: Arc::clone(&connection),
        clock: server.clock,
        has_read: false,
    };
    tokio::select! {
        () = converse(stream, peer, &server, Arc::clone(&connection), stop) => {}
        () = connection.ended.notified() => {}
    }
    if connection.floods() {
        server.metrics.connection_cut(Cut::Flood);
    }
}

/// A connection's place, until its task ends.
struct Place {
    server: Arc<Server>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.connections.closed(self.id);
    }
}

async fn converse(
    stream: Progress,
    peer: IpAddr,
    server: &Arc<Server>,
    connection: Arc<Connection>,
    stop: watch::Receiver<bool>,
) {
    let server = Arc::clone(server);
    let Some(tls) = server.access.guard.load().tls.clone() else {
        let visitor = Visitor { peer, has_certificate: false };
        return speak_http1(stream, Link { server, connection, visitor }, stop).await;
    };
    let stream = match TlsAcceptor::from(tls).accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return debug!(%peer, %error, "TLS handshake failed"),
    };
    let session = stream.get_ref().1;
    let has_certificate = session.peer_certificates().is_some_and(|chain| !chain.is_empty());
    let visitor = Visitor { peer, has_certificate };
    let link = Link { server, connection, visitor };
    if session.alpn_protocol() == Some(b"h2") {
        speak_http2(stream, link, stop).await;
    } else {
        speak_http1(stream, link, stop).await;
    }
}

async fn speak_http1<S>(stream: S, link: Link, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let connection = Arc::clone(&link.connection);
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        // The table of connections knows how long a head may take.
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(|request| link.clone().respond(request)),
        );
    until_stopped(conversation, &connection, stop).await;
}

async fn speak_http2<S>(stream: S, link: Link, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::clone(&link.connection);
    let conversation = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(HEADERS_BYTES)
        // Requests have no body, so this is enough; the default would buffer a mebibyte of one.
        .initial_stream_window_size(BUFFER_BYTES as u32)
        .initial_connection_window_size(BUFFER_BYTES as u32)
        .max_send_buf_size(BUFFER_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| link.clone().respond(request)),
        );
    until_stopped(conversation, &connection, stop).await;
}

/// Serves a connection to its end; when the server stops, or the connection is retired, that comes
/// after the in-flight request.
async fn until_stopped<C: GracefulConnection>(
    conversation: C,
    connection: &Connection,
    mut stop: watch::Receiver<bool>,
) where
    C::Error: std::fmt::Display,
{
    tokio::pin!(conversation);
    let mut is_stopping = *stop.borrow();
    if is_stopping {
        conversation.as_mut().graceful_shutdown();
    }
    loop {
        tokio::select! {
            ended = &mut conversation => {
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
                return;
            }
            _ = stop.changed(), if !is_stopping => {}
            () = connection.retired.notified(), if !is_stopping => {}
        }
        is_stopping = true;
        conversation.as_mut().graceful_shutdown();
    }
}

/// A connection, the server that it leads to, and what is known of its client.
#[derive(Clone)]
struct Link {
    server: Arc<Server>,
    connection: Arc<Connection>,
    visitor: Visitor,
}

impl Link {
    /// Responds to a request.
    async fn respond(self, request: Request<Incoming>) -> Result<Response<Tracked>, Infallible> {
        let Self { server, connection, visitor } = self;
        let is_reserve = connection.is_reserve;
        let mut exchange = Exchange::begin(connection, server.clock);
        let response = server.access.answer(request, visitor, is_reserve).await;
        exchange.answered(http_body::Body::size_hint(response.body()).lower());
        Ok(response.map(|body| Tracked { body, exchange: Some(exchange) }))
    }
}

/// A request and its response, until that was sent whole or is no longer wanted.
#[derive(Debug)]
struct Exchange {
    connection: Arc<Connection>,
    clock: Clock,
    is_answered: bool,
}

impl Exchange {
    fn begin(connection: Arc<Connection>, clock: Clock) -> Self {
        connection.asked();
        Self { connection, clock, is_answered: false }
    }

    fn answered(&mut self, bytes: u64) {
        self.is_answered = true;
        self.connection.answered(bytes, self.clock.now());
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.computed();
        }
        self.connection.sent(self.clock.now());
    }
}

/// A response's body; its end is the end of the exchange.
#[derive(Debug)]
struct Tracked {
    body: Body,
    exchange: Option<Exchange>,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that records when bytes were written, and how many were read.
#[derive(Debug)]
struct Progress {
    stream: TcpStream,
    connection: Arc<Connection>,
    clock: Clock,
    /// Whether it has read since it last gave way to other tasks.
    has_read: bool,
}

impl Progress {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.connection.progressed(self.clock.now());
        }
    }
}

impl AsyncRead for Progress {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Otherwise a client that sends without end would keep the thread from all others.
        if std::mem::take(&mut self.has_read) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.has_read = true;
        self.connection.received(buffer.filled().len() - before);
        if self.connection.floods() {
            return Poll::Ready(Err(io::Error::other("it sends more than its requests can need")));
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Progress {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::max_connections;

    #[test]
    fn polling_keeps_half_of_the_descriptors() {
        for (descriptors, wanted) in
            [(0, 1), (64, 16), (1024, 496), (1056, 512), (1 << 20, 512), (u64::MAX, 512)]
        {
            assert_eq!(max_connections(descriptors), wanted, "{descriptors}");
        }
    }
}
