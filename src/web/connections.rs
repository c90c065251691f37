//! The open connections, and which of them must be closed: a table without clock or sockets.
//!
//! No client can lock others out. A connection that makes no progress is cut. If no place is left,
//! the one that has been idle longest is cut for a new one. If one address has a quarter of all
//! places, its own slowest one is cut for its next.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::Cut;

/// Timeout of a connection's first request head, handshake included.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time between two requests of a connection; longer than the usual scrape interval.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Maximum time without progress in sending a response.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Like [`STALL_TIMEOUT`], while many different responses are in memory.
const SHORT_STALL_TIMEOUT: Duration = Duration::from_secs(1);
/// Minimum rate at which a client reads a response, in bytes per second.
const MIN_READ_RATE: u64 = 16 << 10;
/// Maximum number of bytes that a client may send per request, and before its first one: two
/// buffers, so that a head that is too large is still answered, plus what TLS and HTTP/2 add.
const REQUEST_BYTES: u64 = 160 << 10;
/// Divisor: a client may send this part of a response's size while it reads it. In HTTP/2 it
/// reports how much more it accepts.
const READER_SHARE: u64 = 4;
/// Places beyond the limit, for health checks only.
pub(super) const RESERVE: usize = 16;

/// Time since the server was started, in milliseconds.
pub(super) type Millis = u64;

/// One open connection. Its own task records what it does; any other may cut it.
#[derive(Debug)]
pub(super) struct Connection {
    peer: IpAddr,
    opened: Millis,
    /// Whether it takes a place beyond the limit, where only health is served.
    pub(super) is_reserve: bool,
    has_asked: AtomicBool,
    /// Number of requests whose response is being made.
    computing: AtomicU32,
    /// Number of requests whose response is being made or sent.
    answering: AtomicU32,
    /// When the last response was sent whole.
    idle_since: AtomicU64,
    /// When a byte was last written.
    progress: AtomicU64,
    /// When the responses under way must have been sent.
    deadline: AtomicU64,
    /// Number of bytes read from it.
    received: AtomicU64,
    /// Number of bytes that its requests may take.
    needed: AtomicU64,
    cut: AtomicBool,
    /// Woken when it is cut.
    pub(super) ended: Notify,
    /// Woken when it is to end after the request in flight.
    pub(super) retired: Notify,
}

impl Connection {
    fn new(peer: IpAddr, opened: Millis, is_reserve: bool) -> Self {
        Self {
            peer,
            opened,
            is_reserve,
            has_asked: AtomicBool::new(false),
            computing: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            idle_since: AtomicU64::new(opened),
            progress: AtomicU64::new(opened),
            deadline: AtomicU64::new(0),
            received: AtomicU64::new(0),
            needed: AtomicU64::new(REQUEST_BYTES),
            cut: AtomicBool::new(false),
            ended: Notify::new(),
            retired: Notify::new(),
        }
    }

    /// Notes that a request's head has arrived.
    pub(super) fn asked(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        self.needed.fetch_add(REQUEST_BYTES, Ordering::Relaxed);
        self.computing.fetch_add(1, Ordering::Relaxed);
        self.answering.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that its response of `bytes` is made and is now being sent.
    pub(super) fn answered(&self, bytes: u64, now: Millis) {
        self.computed();
        self.needed.fetch_add(bytes / READER_SHARE, Ordering::Relaxed);
        self.progress.fetch_max(now, Ordering::Relaxed);
        let time = millis(STALL_TIMEOUT) + bytes.saturating_mul(1000) / MIN_READ_RATE;
        self.deadline.fetch_max(now.saturating_add(time), Ordering::Relaxed);
    }

    /// Notes that its response is made, or no longer wanted.
    pub(super) fn computed(&self) {
        self.computing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that it was sent, or is no longer wanted.
    pub(super) fn sent(&self, now: Millis) {
        self.idle_since.fetch_max(now, Ordering::Relaxed);
        if self.answering.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.deadline.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that bytes were written.
    pub(super) fn progressed(&self, now: Millis) {
        self.progress.fetch_max(now, Ordering::Relaxed);
    }

    /// Notes that bytes were read.
    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether it has sent more than its requests can need. HTTP/2 has frames that cost their
    /// sender nothing and belong to no request.
    pub(super) fn floods(&self) -> bool {
        self.received.load(Ordering::Relaxed) > self.needed.load(Ordering::Relaxed)
    }

    /// Time since it last took a part of a response; 0 while it waits for the server.
    fn idle(&self, now: Millis) -> Millis {
        if self.computing.load(Ordering::Relaxed) > 0 {
            return 0;
        }
        let is_sending = self.answering.load(Ordering::Relaxed) > 0;
        let since = if is_sending { &self.progress } else { &self.idle_since };
        now.saturating_sub(since.load(Ordering::Relaxed))
    }

    /// Why it must be cut, if it must.
    fn overdue(&self, now: Millis, stall: Millis) -> Option<Cut> {
        let idle = self.idle(now);
        if !self.has_asked.load(Ordering::Relaxed) {
            let late = now.saturating_sub(self.opened) > millis(FIRST_HEAD_TIMEOUT);
            return late.then_some(Cut::FirstHead);
        }
        if self.answering.load(Ordering::Relaxed) == 0 {
            return (idle > millis(IDLE_TIMEOUT)).then_some(Cut::Idle);
        }
        if self.computing.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let is_slow = idle > stall || now > self.deadline.load(Ordering::Relaxed);
        is_slow.then_some(Cut::Slow)
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.ended.notify_one();
    }
}

/// Every open connection.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// In the order in which they were opened. A cut one stays until its task ends, but takes no
    /// place.
    open: BTreeMap<u64, Arc<Connection>>,
}

/// The outcome for a new connection.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) id: u64,
    pub(super) connection: Arc<Connection>,
    /// Why another connection was cut for it, if one was.
    pub(super) cut: Option<Cut>,
}

impl Connections {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), table: Mutex::default() }
    }

    /// Takes a new connection, and cuts another one if necessary.
    pub(super) fn admit(&self, peer: IpAddr, now: Millis) -> Admitted {
        let peer = network(peer);
        let mut table = self.lock();
        let mut cut = None;
        let own = || table.serving().filter(|connection| connection.peer == peer);
        if own().count() >= (self.max / 4).max(1) {
            // The slowest one of this address, even if it is busy.
            if let Some(slowest) = own().min_by_key(|it| (Reverse(it.idle(now)), it.opened)) {
                slowest.end();
            }
            cut = Some(Cut::Slow);
        }
        let mut is_reserve = false;
        if table.serving().count() >= self.max {
            let idlest = table.serving().max_by_key(|it| it.idle(now));
            match idlest.filter(|it| it.idle(now) > 0) {
                Some(idlest) => {
                    idlest.end();
                    cut = Some(Cut::Short);
                }
                None => is_reserve = true,
            }
        }
        if is_reserve
            && table.reserved().count() >= RESERVE
            && let Some(oldest) = table.reserved().next()
        {
            oldest.end();
            cut = Some(Cut::Short);
        }
        let connection = Arc::new(Connection::new(peer, now, is_reserve));
        let id = table.next;
        table.next += 1;
        table.open.insert(id, Arc::clone(&connection));
        Admitted { id, connection, cut }
    }

    /// Notes that a connection's task has ended.
    pub(super) fn closed(&self, id: u64) {
        self.lock().open.remove(&id);
    }

    /// Cuts connections that are overdue, earlier while room for responses is short. Returns why,
    /// for each.
    pub(super) fn sweep(&self, now: Millis, is_room_short: bool) -> Vec<Cut> {
        let stall = millis(if is_room_short { SHORT_STALL_TIMEOUT } else { STALL_TIMEOUT });
        let table = self.lock();
        let mut cut = Vec::new();
        for connection in table.open.values().filter(|connection| !connection.is_cut()) {
            if let Some(why) = connection.overdue(now, stall) {
                connection.end();
                cut.push(why);
            }
        }
        cut
    }

    /// Makes each one end after the request in flight.
    pub(super) fn retire(&self) {
        for connection in self.lock().open.values() {
            connection.retired.notify_one();
        }
    }

    /// Number of connections.
    pub(super) fn count(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The connections that take a place, oldest first.
    fn serving(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.open.values().filter(|connection| !connection.is_cut() && !connection.is_reserve)
    }

    fn reserved(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.open.values().filter(|connection| !connection.is_cut() && connection.is_reserve)
    }
}

/// What counts as one address: for IPv6 the first 64 bits, since a client may use any address of
/// its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

fn millis(time: Duration) -> Millis {
    time.as_millis() as Millis
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::{Admitted, Connection, Connections, MIN_READ_RATE, Millis, REQUEST_BYTES, RESERVE};
    use crate::model::Cut;

    const SECOND: Millis = 1000;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    fn admit(connections: &Connections, peer: u8, now: Millis) -> Admitted {
        connections.admit(address(peer), now)
    }

    /// `max` connections, each from its own address, that wait for the server.
    fn full(max: usize) -> (Connections, Vec<Arc<Connection>>) {
        let connections = Connections::new(max);
        let open: Vec<_> =
            (0..max).map(|number| admit(&connections, number as u8, 0).connection).collect();
        for connection in &open {
            connection.asked();
        }
        (connections, open)
    }

    #[test]
    fn what_does_not_ask_reads_nothing_or_stays_idle_is_cut_in_time() {
        let connections = Connections::new(9);
        let silent = admit(&connections, 1, 0).connection;
        let stalled = admit(&connections, 2, 0).connection;
        stalled.asked();
        let trickling = admit(&connections, 3, 0).connection;
        trickling.asked();
        trickling.answered(MIN_READ_RATE * 10, 0);
        let idle = admit(&connections, 4, 0).connection;
        idle.asked();
        idle.answered(10, 0);
        idle.sent(0);
        assert_eq!(connections.sweep(10 * SECOND, false), []);
        assert_eq!(connections.sweep(10 * SECOND + 1, false), [Cut::FirstHead]);
        assert!(silent.is_cut());
        assert_eq!(connections.sweep(20 * SECOND, false), [], "once");
        // Nothing is late before the server itself has answered.
        stalled.answered(1 << 30, 20 * SECOND);
        for second in 20..=40 {
            trickling.progressed(second * SECOND);
            assert_eq!(connections.sweep(second * SECOND, false), []);
        }
        assert_eq!(
            connections.sweep(40 * SECOND + 1, false),
            [Cut::Slow],
            "30 s and 10 for its size"
        );
        assert!(trickling.is_cut());
        assert_eq!(connections.sweep(50 * SECOND + 1, false), [Cut::Slow], "30 s without a byte");
        assert!(stalled.is_cut());
        assert_eq!(connections.sweep(75 * SECOND, false), []);
        assert_eq!(connections.sweep(75 * SECOND + 1, false), [Cut::Idle]);
        assert_eq!(connections.count(), 4, "until their tasks are over");
    }

    #[test]
    fn who_reads_nothing_goes_early_while_room_is_short() {
        let connections = Connections::new(9);
        let stalled = admit(&connections, 1, 0).connection;
        let reading = admit(&connections, 2, 0).connection;
        let idle = admit(&connections, 3, 0).connection;
        for connection in [&stalled, &reading, &idle] {
            connection.asked();
            connection.answered(1 << 20, 0);
        }
        idle.sent(0);
        reading.progressed(SECOND);
        assert_eq!(connections.sweep(SECOND, true), []);
        assert_eq!(connections.sweep(SECOND + 1, true), [Cut::Slow]);
        assert!(stalled.is_cut() && !reading.is_cut() && !idle.is_cut());
        assert_eq!(connections.sweep(30 * SECOND, false), [], "there is room again");
    }

    #[test]
    fn what_sends_more_than_its_requests_can_need_floods() {
        let connections = Connections::new(2);
        let connection = admit(&connections, 1, 0).connection;
        connection.received(REQUEST_BYTES as usize);
        assert!(!connection.floods());
        connection.received(1);
        assert!(connection.floods(), "it has not asked");
        connection.asked();
        connection.received(REQUEST_BYTES as usize - 1);
        assert!(!connection.floods());
        connection.answered(400, 0);
        connection.received(100);
        assert!(!connection.floods(), "a reader of much says much");
        connection.received(1);
        assert!(connection.floods());
    }

    #[test]
    fn half_a_head_is_no_progress() {
        let connections = Connections::new(2);
        let connection = admit(&connections, 1, 0).connection;
        connection.asked();
        connection.answered(1, 0);
        connection.sent(SECOND);
        // Bytes do not count: it has not sent another request.
        connection.progressed(70 * SECOND);
        assert_eq!(connections.sweep(76 * SECOND + 1, false), [Cut::Idle]);
    }

    #[test]
    fn the_one_idle_longest_gives_way_to_a_new_one() {
        let (connections, open) = full(4);
        for (connection, sent) in open.iter().zip([3, 1, 2, 4]) {
            connection.answered(1, 0);
            connection.sent(sent * SECOND);
        }
        let admitted = admit(&connections, 9, 5 * SECOND);
        assert_eq!(admitted.cut, Some(Cut::Short));
        assert!(!admitted.connection.is_reserve);
        let cut: Vec<bool> = open.iter().map(|connection| connection.is_cut()).collect();
        assert_eq!(cut, [false, true, false, false]);
    }

    #[test]
    fn one_that_reads_nothing_gives_way_before_those_that_do() {
        let (connections, open) = full(4);
        for connection in &open {
            connection.answered(1 << 30, 0);
        }
        for (connection, progress) in open.iter().zip([9, 8, 2, 9]) {
            connection.progressed(progress * SECOND);
        }
        admit(&connections, 9, 10 * SECOND);
        assert!(open[2].is_cut());
    }

    #[test]
    fn when_all_are_busy_new_ones_get_health_and_the_oldest_of_those_gives_way() {
        let (connections, open) = full(4);
        let reserve: Vec<_> =
            (0..RESERVE).map(|number| admit(&connections, 100 + number as u8, SECOND)).collect();
        assert!(reserve.iter().all(|it| it.connection.is_reserve && it.cut.is_none()));
        let next = admit(&connections, 200, 2 * SECOND);
        assert!(next.connection.is_reserve && next.cut == Some(Cut::Short));
        assert!(reserve[0].connection.is_cut());
        assert!(open.iter().all(|connection| !connection.is_cut()), "they are being served");
        connections.closed(0);
        assert!(!admit(&connections, 201, 2 * SECOND).connection.is_reserve, "there is room again");
    }

    #[test]
    fn an_address_has_a_quarter_and_gives_up_one_of_its_own_for_its_next() {
        let connections = Connections::new(8);
        let [first, second] = [0, 1].map(|at| admit(&connections, 1, at * SECOND).connection);
        first.asked();
        second.asked();
        let third = admit(&connections, 1, 2 * SECOND);
        assert!(first.is_cut() && !second.is_cut(), "the oldest of those that are equally busy");
        assert_eq!(third.cut, Some(Cut::Slow));
        let other = admit(&connections, 2, 2 * SECOND);
        assert_eq!(other.cut, None);
        admit(&connections, 1, 3 * SECOND);
        assert!(third.connection.is_cut(), "it has sent nothing yet");
        let of_ipv6 = |text: &str| connections.admit(text.parse().unwrap(), 4 * SECOND);
        let [a, _, c] = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(of_ipv6);
        assert_eq!(c.cut, Some(Cut::Slow), "a network is one address");
        assert!(a.connection.is_cut());
        assert_eq!(of_ipv6("2001:db8:0:1::1").cut, None);
        assert_eq!(of_ipv6("::ffff:10.0.0.7").cut, None);
    }
}
