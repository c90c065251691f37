//! The process metrics that Prometheus' client libraries define.
//!
//! The collector of the `prometheus` crate truncates CPU time to seconds, which turns `rate()` into
//! zeros and peaks, and needs files of /proc that a hardened service cannot see.

use std::fs;

use jiff::SignedDuration;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily};
use prometheus::{Counter, Gauge};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use crate::clock;

/// Collects the process metrics.
pub(super) struct Process {
    cpu: Counter,
    open_files: Gauge,
    max_files: Gauge,
    virtual_memory: Gauge,
    resident_memory: Gauge,
    /// Absent if it could not be read.
    start: Option<Gauge>,
    threads: Gauge,
}

impl Process {
    /// # Errors
    /// If the crate rejects a family's name.
    pub(super) fn new() -> prometheus::Result<Self> {
        // Computed once: clocks drift apart, and a start time that changes looks like a restart.
        let start =
            Stat::read().map(|stat| start_time(stat.start_ticks)).map(started).transpose()?;
        Ok(Self {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            open_files: Gauge::new("process_open_fds", "Number of open file descriptors.")?,
            max_files: Gauge::new("process_max_fds", "Maximum number of open file descriptors.")?,
            virtual_memory: Gauge::new(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            )?,
            resident_memory: Gauge::new(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            )?,
            start,
            threads: Gauge::new("process_threads", "Number of OS threads in the process.")?,
        })
    }

    fn gauges(&self) -> impl Iterator<Item = &Gauge> {
        let gauges = [
            &self.open_files,
            &self.max_files,
            &self.virtual_memory,
            &self.resident_memory,
            &self.threads,
        ];
        gauges.into_iter().chain(&self.start)
    }

    /// The CPU time, which is not a sum of what was seen before.
    fn cpu(&self) -> Vec<MetricFamily> {
        let mut families = self.cpu.collect();
        for metric in families.iter_mut().flat_map(|family| family.mut_metric()) {
            let mut counter = proto::Counter::default();
            counter.set_value(clock::cpu_time().as_secs_f64());
            metric.set_counter(counter);
        }
        families
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.cpu.desc().into_iter().chain(self.gauges().flat_map(Gauge::desc)).collect()
    }

    /// All families that can be read; one whose file is missing is absent.
    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.cpu();
        if let Some(count) = open_files() {
            self.open_files.set(count as f64);
            families.extend(self.open_files.collect());
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            self.max_files.set(limit as f64);
            families.extend(self.max_files.collect());
        }
        families.extend(self.start.iter().flat_map(Gauge::collect));
        if let Some(stat) = Stat::read() {
            self.virtual_memory.set(stat.virtual_bytes as f64);
            self.resident_memory.set(stat.resident_pages as f64 * page_size() as f64);
            self.threads.set(stat.threads as f64);
            for gauge in [&self.virtual_memory, &self.resident_memory, &self.threads] {
                families.extend(gauge.collect());
            }
        }
        families
    }
}

/// Number of open file descriptors, without the one that is used to count them.
fn open_files() -> Option<usize> {
    fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1))
}

fn started(at: f64) -> prometheus::Result<Gauge> {
    let help = "Start time of the process since unix epoch in seconds.";
    let start = Gauge::new("process_start_time_seconds", help)?;
    start.set(at);
    Ok(start)
}

/// The start of a process that was started this number of ticks after boot, in seconds since 1970;
/// as exact as ticks are.
fn start_time(ticks: u64) -> f64 {
    let per_second = clock_ticks_per_second() as f64;
    let since_boot = SignedDuration::try_from_secs_f64(ticks as f64 / per_second);
    let start = clock::after_boot(since_boot.unwrap_or_default()).as_duration().as_secs_f64();
    (start * per_second).round() / per_second
}

/// What is used of `/proc/self/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// proc_pid_stat(5) counts fields from 1; the second is the name, in parentheses, and may hold
    /// anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Self {
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use jiff::Timestamp;
    use prometheus::core::Collector;

    use super::{Process, Stat};
    use crate::clock;

    fn value(process: &Process, name: &str) -> f64 {
        let families = process.collect();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        match name.ends_with("_total") {
            true => metric.get_counter().get_value(),
            false => metric.get_gauge().get_value(),
        }
    }

    #[test]
    fn the_cpu_time_is_told_in_fractions_of_a_second() {
        let process = Process::new().unwrap();
        let before = value(&process, "process_cpu_seconds_total");
        let start = clock::cpu_time();
        while clock::cpu_time() - start < Duration::from_millis(30) {}
        let spent = value(&process, "process_cpu_seconds_total") - before;
        assert!(spent >= 0.03, "{spent}");
    }

    #[test]
    fn every_family_is_there_and_plausible() {
        let process = Process::new().unwrap();
        assert_eq!(process.collect().len(), process.desc().len());
        let resident = value(&process, "process_resident_memory_bytes");
        assert!((1e6..1e10).contains(&resident), "{resident}");
        assert!(value(&process, "process_virtual_memory_bytes") >= resident);
        let threads = value(&process, "process_threads");
        assert!((2.0..1000.0).contains(&threads), "a test has a thread of its own: {threads}");
        let now = Timestamp::now().as_duration().as_secs_f64();
        let start = value(&process, "process_start_time_seconds");
        assert!((-0.1..3600.0).contains(&(now - start)), "{start}");
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(start, value(&process, "process_start_time_seconds"), "it never changes");
        assert!(value(&process, "process_max_fds") >= value(&process, "process_open_fds"));
    }

    #[test]
    fn open_files_are_counted() {
        let process = Process::new().unwrap();
        let files: Vec<File> = (0..200).map(|_| File::open("/dev/null").unwrap()).collect();
        let many = value(&process, "process_open_fds");
        drop(files);
        // Other tests open and close files meanwhile.
        assert!(many - value(&process, "process_open_fds") > 100.0);
    }

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let after = "S 1 2 3 0 -1 4194560 1 0 0 0 7 8 0 0 20 0 5 0 1234 8192000 300 184 1 1";
        let stat =
            Stat { threads: 5, start_ticks: 1234, virtual_bytes: 8_192_000, resident_pages: 300 };
        for name in ["exporter", "a b", ") (", "x) 1 2"] {
            assert_eq!(
                Stat::parse(&format!("17 ({name}) {after}")).as_ref(),
                Some(&stat),
                "{name}"
            );
        }
        for odd in
            ["", "17 (x)", "17 (x) S 1 2 3", "17 (x) S a b c d e f g h i j k l m n o p q r s t u"]
        {
            assert_eq!(Stat::parse(odd), None, "{odd}");
        }
    }
}
