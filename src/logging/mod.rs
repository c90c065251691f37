//! Log lines on standard error.
//!
//! Only this program's own lines follow `--log.level`. The HTTP libraries stay at `warn`: at lower
//! levels they may write URLs, and those hold signatures.
//!
//! Lines are ordinary `tracing` events. Some of their fields have a meaning here: lines with
//! different `kind` or `reason` are folded separately, and a summary names the lines with the
//! highest `rank`, which is itself not written.

mod fold;
mod line;

use std::io::Write;
use std::panic::{self, PanicHookInfo};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error};
use tracing_subscriber::filter::{self, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use self::fold::Folding;
use self::line::Line;
use crate::cli::{Log, LogFormat};

/// How often to check for minutes that have ended and need a summary.
const TICK: Duration = Duration::from_secs(5);

/// Writes pending summaries when dropped.
#[derive(Debug)]
#[must_use]
pub struct Logging {
    /// Dropping it stops the thread.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        drop(self.alive.take());
        // If the thread panicked, that is already in the log.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Starts logging as set on the command line. Panics are logged, too.
pub fn start(log: &Log) -> Logging {
    let to_stderr = |line: &str| {
        // There is nowhere else to report it.
        let _ = std::io::stderr().write_all(line.as_bytes());
    };
    let (subscriber, logging) = subscriber(log.level.into(), log.format, to_stderr);
    // If a subscriber was set before, it stays in place and gets those lines.
    let _ = tracing::subscriber::set_global_default(subscriber);
    panic::set_hook(Box::new(log_panic));
    logging
}

/// Discards the lines of threads that have no subscriber, for programs whose threads have
/// different ones.
///
/// `tracing` remembers for each line of code whether a subscriber wants it. While there is only one
/// subscriber, it asks only that of the current thread: without this function, a thread without one
/// would silence the line for the thread that has it.
pub fn discard_elsewhere() {
    let nothing = tracing_subscriber::registry().with(filter::dynamic_filter_fn(|_, _| false));
    // It fails if any subscriber was set before, which serves the same purpose.
    let _ = tracing::subscriber::set_global_default(nothing);
}

/// A subscriber that passes each line of at least `level`, with its line end, to `write`.
pub fn subscriber(
    level: LevelFilter,
    format: LogFormat,
    write: impl Fn(&str) + Send + Sync + 'static,
) -> (impl Subscriber + Send + Sync, Logging) {
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("aliyun_task_exporter", level);
    let is_debugging = level >= LevelFilter::DEBUG;
    let writer = Arc::new(Writer { folding: Mutex::default(), is_debugging, format, write });
    let (alive, ends) = mpsc::channel();
    let summing_up = Arc::clone(&writer);
    let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
        while ends.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            let over = summing_up.folding().over(Instant::now());
            summing_up.write_all(&over);
        }
        let rest = summing_up.folding().rest();
        summing_up.write_all(&rest);
    });
    // Without the thread, a minute's summary waits for the next line.
    let logging = Logging { alive: Some(alive), thread: thread.ok() };
    (tracing_subscriber::registry().with(filter).with(Lines(writer)), logging)
}

struct Lines<W>(Arc<Writer<W>>);

struct Writer<W> {
    folding: Mutex<Folding>,
    /// At level debug or below, folded lines are written, too.
    is_debugging: bool,
    format: LogFormat,
    write: W,
}

impl<W: Fn(&str)> Writer<W> {
    fn folding(&self) -> MutexGuard<'_, Folding> {
        self.folding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, line: Line) {
        if line.level > Level::INFO {
            return self.write(&line);
        }
        // A panic must be logged whatever was in progress when it occurred, even folding.
        let folding =
            if thread::panicking() { self.folding.try_lock().ok() } else { Some(self.folding()) };
        let now = Instant::now();
        let (over, is_told) = folding.map_or_else(
            || (Vec::new(), true),
            |mut folding| (folding.over(now), folding.admit(&line, now)),
        );
        self.write_all(&over);
        if is_told {
            self.write(&line);
        } else if self.is_debugging {
            self.write(&Line { level: Level::DEBUG, ..line });
        }
    }

    fn write_all(&self, lines: &[Line]) {
        for line in lines {
            self.write(line);
        }
    }

    fn write(&self, line: &Line) {
        (self.write)(&line.written(self.format, Timestamp::now()));
    }
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.tell(Line::of(event));
    }
}

/// Logs a panic's message only if it is a literal in the source. A formatted message may contain
/// anything the program was working on, including secrets.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let reason = panic
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("not shown, since it may hold secrets");
    error!(place, reason, "a bug in this program: it panicked; please report this line");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::level_filters::LevelFilter;

    use super::{LogFormat, discard_elsewhere, subscriber};

    #[test]
    fn a_thread_without_a_subscriber_silences_no_line_of_one_that_has_one() {
        let say = || tracing::info!("said");
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let write = move |line: &str| written.lock().unwrap().push_str(line);
        let (subscriber, logging) = subscriber(LevelFilter::INFO, LogFormat::Logfmt, write);
        discard_elsewhere();
        tracing::subscriber::with_default(subscriber, || {
            std::thread::spawn(say).join().unwrap();
            say();
        });
        drop(logging);
        assert_eq!(text.lock().unwrap().matches("msg=said").count(), 1);
    }
}
