//! The exporter and its simulated cloud over TCP, each with its own port and threads, which log to
//! the same place as the test's thread.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aliyun_task_exporter::action::Product;
use aliyun_task_exporter::app::Options;
use aliyun_task_exporter::config::{Config, Poll};
use aliyun_task_exporter::sim::{self, Simulator};
use aliyun_task_exporter::{app, demo};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::dispatcher::{self, Dispatch};

use super::page::{Page, parse};

/// Timeout for a condition.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running exporter; stopped when dropped.
pub struct Exporter {
    pub address: SocketAddr,
    pub cloud: SocketAddr,
    sim: Arc<Mutex<Simulator>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// An HTTP response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The value of a header, if it occurs once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut values =
            lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }
}

/// A cadence that a test can wait for.
pub fn quick() -> Poll {
    Poll {
        interval: Duration::from_millis(60),
        active_interval: Duration::from_millis(40),
        idle_interval: Duration::from_millis(100),
        timeout: Duration::from_millis(500),
        ..Poll::default()
    }
}

impl Exporter {
    /// Polls everything in the simulator's world, with a configuration adjusted by `change`.
    pub fn start(sim: Simulator, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Arc::new(Mutex::new(sim)), change)
    }

    /// Stops it, changes the cloud, and starts another one that polls the same cloud.
    pub fn again(
        self,
        meanwhile: impl FnOnce(&mut Simulator),
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let sim = Arc::clone(&self.sim);
        drop(self);
        meanwhile(&mut sim.lock().unwrap_or_else(PoisonError::into_inner));
        Self::start_on(sim, change)
    }

    /// Starts another one that polls the same cloud while this one runs.
    pub fn beside(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Arc::clone(&self.sim), change)
    }

    fn start_on(sim: Arc<Mutex<Simulator>>, change: impl FnOnce(&mut Config)) -> Self {
        let truth = sim.lock().unwrap_or_else(PoisonError::into_inner).truth(Timestamp::now());
        let (stop, stopped) = watch::channel(false);
        let (sender, addresses) = mpsc::channel();
        let (configs, config) = mpsc::channel::<Config>();
        let world = Arc::clone(&sim);
        let log = dispatcher::get_default(Dispatch::clone);
        let thread = std::thread::spawn(move || {
            let _logging = dispatcher::set_default(&log);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                // The subscriber lasts until the thread ends.
                .on_thread_start(move || std::mem::forget(dispatcher::set_default(&log)))
                .build()
                .unwrap();
            runtime.block_on(async move {
                let cloud = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send((listener.local_addr().unwrap(), cloud.local_addr().unwrap())).unwrap();
                let config = config.recv().unwrap();
                let cloud = tokio::spawn(sim::serve(cloud, world, until(stopped.clone())));
                let options = Options::new(config, vec![listener]);
                app::serve(options, until(stopped)).await.unwrap();
                cloud.await.unwrap().unwrap();
            });
        });
        let (address, cloud) = addresses.recv().unwrap();
        let mut config = Config { poll: quick(), ..demo::config(&truth, cloud) };
        config.accounts[0].quotas =
            [(Product::Ehpc.into(), 60_000), (Product::Swas.into(), 60_000)].into();
        change(&mut config);
        configs.send(config).unwrap();
        Self { address, cloud, sim, stop, thread: Some(thread) }
    }

    /// The simulator itself.
    pub fn sim(&self) -> MutexGuard<'_, Simulator> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[])
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        exchange(self.address, method, path, headers, "")
    }

    /// What Prometheus sees.
    pub fn metrics(&self) -> Page {
        parse(self.get("/metrics").text())
    }

    /// Posts one fault to the simulator.
    pub fn fault(&self, json: &str) {
        let answer = exchange(self.cloud, "POST", "/_sim/faults", &[], &format!("[{json}]"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    pub fn clear_faults(&self) {
        assert_eq!(exchange(self.cloud, "DELETE", "/_sim/faults", &[], "").status, 200);
    }

    /// Waits until the page is as wanted, and returns it.
    pub fn wait(&self, what: &str, wanted: impl Fn(&Page) -> bool) -> Page {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.metrics();
            if wanted(&page) {
                return page;
            }
            if Instant::now() > deadline {
                let all: Vec<String> = page.samples.iter().map(ToString::to_string).collect();
                panic!("still not so: {what}\n{}", all.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the exporter panicked");
        }
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// One request on a connection of its own.
pub fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}"
    );
    write!(stream, "{head}\r\n{more}\r\n{body}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: answer[end + 4..].to_vec() }
}
