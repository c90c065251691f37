//! Prometheus exporter for Alibaba Cloud E-HPC tasks and commands, and Simple Application Server
//! command runs.
//!
//! Imports: [`web`] -> [`exposition`] -> [`store`] -> [`target`] -> [`config`]; [`poll`] ->
//! `store`, and `poll` -> [`aliyun`] -> `config`. No arrow points back. All use [`action`],
//! [`model`], [`catalog`] and [`secret`]; [`app`] wires them together, and [`sim`] is reached only
//! by URL.
//!
//! Data: `config` says what to request, and an answer goes `aliyun` -> `poll` -> `store` ->
//! `exposition` -> `web`.

pub mod action;
pub mod aliyun;
pub mod app;
pub mod catalog;
mod causes;
pub mod check;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod estimate;
pub mod exposition;
mod files;
pub mod lease;
pub mod logging;
pub mod model;
mod pem;
pub mod poll;
mod regions;
pub mod reload;
pub mod secret;
pub mod self_metrics;
pub mod shard;
pub mod sim;
pub mod state;
pub mod store;
pub mod target;
pub mod term;
mod trust;
pub mod web;
mod wire_enum;
