//! The section `poll`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Poll;
use super::reader::Section;
use super::units::{format_duration, hours};

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

/// What is not given keeps its default, except that a longer or shorter `interval` takes the two others along.
pub(super) fn read(section: &Section) -> Poll {
    let default = Poll::default();
    let given = section.duration("interval", PERIOD);
    let interval = given.unwrap_or(default.interval);
    let comparable = given.is_some() || section.get("interval").is_none();
    let active = section.duration("active_interval", PERIOD);
    let idle = section.duration("idle_interval", PERIOD);
    let refuse = |key: &str, than: &str| {
        if let Some(value) = section.get(key) {
            value.problem(format!("must not be {than} than poll.interval ({})", format_duration(interval)));
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
        history_interval: section.duration("history_interval", PATIENCE).unwrap_or(default.history_interval),
        history_max_pages: section.small("history_max_pages", 1..=999).unwrap_or(default.history_max_pages),
        timeout: section.duration("timeout", TIMEOUT).unwrap_or(default.timeout),
        stale_after: section.duration("stale_after", PATIENCE).unwrap_or(default.stale_after),
        concurrency: section.count("concurrency", 1..=1024).unwrap_or(default.concurrency),
        max_response_bytes: section
            .size("max_response_bytes", 64 << 10..=1 << 30)
            .unwrap_or(default.max_response_bytes),
    }
}
