//! Prometheus exporter for Alibaba Cloud E-HPC tasks and commands, and Simple Application Server command runs.
//!
//! Data flows one way: [`config`] -> [`target`] -> [`poll`] -> [`aliyun`]; `poll` -> [`snapshot`] -> [`exposition`] ->
//! [`web`].

pub mod aliyun;
pub mod catalog;
pub mod config;
pub mod model;
pub mod poll;
pub mod secret;
pub mod sim;
pub mod target;
mod wire_enum;
