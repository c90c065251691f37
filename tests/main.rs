//! All integration tests, as one program: it is linked once, and some tests compute while others
//! wait for sockets.
//!
//! So no test changes what belongs to the whole process (its environment, its directory, its
//! default log). A test that must do so runs itself in a separate process, as `panics` does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on may panic")]

mod access;
mod check;
mod config;
mod contract;
mod credentials;
mod doctor;
mod escaping;
mod exposition;
mod failures;
mod http;
mod languages;
mod layering;
mod log;
mod network;
mod pages;
mod panics;
mod polling;
mod restart;
mod scrapers;
mod simulator;
mod status_page;
mod support;
