//! The pure chain in virtual time: whatever the cloud does and whenever, what is shown is true, and little is asked.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod budgets;
mod change;
mod disk;
mod estimate;
mod fleet;
mod living;
mod planned;
mod random;
mod restart;
mod trouble;
