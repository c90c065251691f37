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
mod time;
mod tracker;

pub use budget::Hint;
pub use clients::{Clients, clients, route_notes, route_warnings};
pub use discovery_pass::{CallResult, DiscoveryPass, discovery_pass};
pub use engine::{Batch, Engine, Retargeted};
pub use journal::{Chores, Done, Entry, Recalled, Saved, SavedHint};
pub use planned_load::{budgets, first_pass, per_minute, per_poll};
pub use queue::Cadence;
pub use rate_limiter::{BudgetKey, RateLimiter, sustained, time_for};
pub use report::log_request;
pub use runner::{NewConfig, Runner, Standby};
pub use scheduler::{
    Attempt, Change, Event, MAX_ATTEMPTS, Next, Outcome, Scheduler, Throttling, spread,
};
pub use tracker::cost::refreshes;
pub use tracker::{ListChange, Load, MAX_NAMES, Memory, Notice, needed};
