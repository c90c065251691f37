//! The section `poll`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::reader::Section;
use super::units::{format_duration, hours, write_duration, write_size};

/// `poll`: intervals, timeouts and limits of polling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Poll {
    /// Time between two polls of a target.
    #[serde(serialize_with = "write_duration")]
    pub interval: Duration,
    /// Time between two polls of a target with open work.
    #[serde(serialize_with = "write_duration")]
    pub active_interval: Duration,
    /// Time between two polls of a target without open work for `idle_after`.
    #[serde(serialize_with = "write_duration")]
    pub idle_interval: Duration,
    /// How long a target must have no open work to be idle.
    #[serde(serialize_with = "write_duration")]
    pub idle_after: Duration,
    /// Time between two readings of what is not read at each poll: archived tasks, whole lists
    /// whose order is known, and with `per_region` the servers of a region.
    #[serde(serialize_with = "write_duration")]
    pub history_interval: Duration,
    /// Maximum number of pages of a list that are read in one poll.
    pub history_max_pages: u32,
    /// Timeout for one HTTP request; a poll that gets no answer for three times as long ends.
    #[serde(serialize_with = "write_duration")]
    pub timeout: Duration,
    /// Values older than this are withdrawn (at least three planned periods).
    #[serde(serialize_with = "write_duration")]
    pub stale_after: Duration,
    /// Maximum number of concurrent requests.
    pub concurrency: usize,
    /// Maximum size of an answer, in bytes.
    #[serde(serialize_with = "write_size")]
    pub max_response_bytes: u64,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            active_interval: Duration::from_secs(10),
            idle_interval: Duration::from_secs(120),
            idle_after: Duration::from_secs(30 * 60),
            history_interval: Duration::from_secs(30 * 60),
            history_max_pages: 20,
            timeout: Duration::from_secs(10),
            stale_after: Duration::from_secs(10 * 60),
            concurrency: 32,
            max_response_bytes: 16 << 20,
        }
    }
}

pub(super) const KEYS: &[&str] = &[
    "interval",
    "active_interval",
    "idle_interval",
    "idle_after",
    "history_interval",
    "history_max_pages",
    "timeout",
    "stale_after",
    "concurrency",
    "max_response_bytes",
];

const PERIOD: RangeInclusive<Duration> = Duration::from_millis(1)..=hours(30 * 24);
const PATIENCE: RangeInclusive<Duration> = Duration::from_millis(1)..=hours(365 * 24);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);

/// Keys that are not set keep their defaults, but `active_interval` is at most and `idle_interval`
/// at least `interval`.
pub(super) fn read(section: &Section) -> Poll {
    let default = Poll::default();
    let given = section.duration("interval", PERIOD);
    let interval = given.unwrap_or(default.interval);
    let comparable = given.is_some() || section.get("interval").is_none();
    let active = section.duration("active_interval", PERIOD);
    let idle = section.duration("idle_interval", PERIOD);
    let refuse = |key: &str, than: &str| {
        if let Some(value) = section.get(key) {
            value.problem(format!(
                "must not be {than} than poll.interval ({})",
                format_duration(interval)
            ));
        }
    };
    if comparable && active.is_some_and(|active| active > interval) {
        refuse("active_interval", "longer");
    }
    if comparable && idle.is_some_and(|idle| idle < interval) {
        refuse("idle_interval", "shorter");
    }
    Poll {
        interval,
        active_interval: active.unwrap_or(default.active_interval.min(interval)),
        idle_interval: idle.unwrap_or(default.idle_interval.max(interval)),
        idle_after: section.duration("idle_after", PATIENCE).unwrap_or(default.idle_after),
        history_interval: section
            .duration("history_interval", PATIENCE)
            .unwrap_or(default.history_interval),
        history_max_pages: section
            .small("history_max_pages", 1..=999)
            .unwrap_or(default.history_max_pages),
        timeout: section.duration("timeout", TIMEOUT).unwrap_or(default.timeout),
        stale_after: section.duration("stale_after", PATIENCE).unwrap_or(default.stale_after),
        concurrency: section.count("concurrency", 1..=1024).unwrap_or(default.concurrency),
        max_response_bytes: section
            .size("max_response_bytes", 64 << 10..=1 << 30)
            .unwrap_or(default.max_response_bytes),
    }
}
