//! Arithmetic with times that never fails.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `time` moved by `step`, clamped to the range of a timestamp.
pub(super) fn later(time: Timestamp, step: SignedDuration) -> Timestamp {
    let limit = if step.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(step).unwrap_or(limit)
}

/// `time` plus `wait`.
pub(super) fn after(time: Timestamp, wait: Duration) -> Timestamp {
    later(time, SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX))
}

/// Time from `earlier` to `later`; zero if `later` comes first.
pub(super) fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}
