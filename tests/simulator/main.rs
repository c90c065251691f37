//! The simulator as its callers see it: requests in, answers out, and the truth to compare them with.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod alive;
mod api;
mod caller;
mod credentials;
mod faults;
mod gateway;
mod late;
mod script;
mod shapes;
mod tcp;
