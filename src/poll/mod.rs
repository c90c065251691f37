//! Polling: which targets are due, what to request, how much quota that may use, and making the
//! requests.

mod budget;
mod clients;
mod discovery_pass;
mod disk;
mod engine;
mod journal;
mod planned_load;
mod queue;
mod rate_limiter;
mod report;
mod runner;
mod scheduler;
mod tracker;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use budget::Hint;
pub use clients::{Clients, clients, route_notes, route_warnings};
pub use discovery_pass::{Asked, DiscoveryPass, discovery_pass};
pub use engine::{Batch, Engine, Retargeted};
pub use journal::{Chores, Done, Entry, Recalled, Saved, SavedHint};
pub use planned_load::{budgets, first_pass, per_minute, per_poll};
pub use queue::Cadence;
pub use rate_limiter::{BudgetKey, RateLimiter, sustained, time_for};
pub use report::log_request;
pub use runner::{NewConfig, Runner};
pub use scheduler::{
    Attempt, Change, Event, MAX_ATTEMPTS, Next, Outcome, Scheduler, Throttling, spread,
};
pub use tracker::cost::refreshes;
pub use tracker::{ListChange, Load, MAX_NAMES, Memory, MemoryRef, Notice, needed};

/// `time` moved by `step`, clamped to the range of a timestamp.
fn later(time: Timestamp, step: SignedDuration) -> Timestamp {
    let limit = if step.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(step).unwrap_or(limit)
}

/// `time` plus `wait`.
fn after(time: Timestamp, wait: Duration) -> Timestamp {
    later(time, SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX))
}

/// Time from `earlier` to `later`; zero if `later` comes first.
fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}
