//! All integration tests, in one program: it is linked once, and waits for sockets in one test
//! while it computes in another.
//!
//! So no test changes what belongs to the whole process (its environment, its directory, its
//! default log); one that must, runs itself in a process of its own, as `panics` does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on may panic")]

mod chain;
mod check;
mod config;
mod contract;
mod credentials;
mod doctor;
mod exposition;
mod failures;
mod http;
mod layering;
mod log;
mod network;
mod pages;
mod panics;
mod restart;
mod scrapers;
mod simulator;
mod support;
