//! Prometheus exporter for Alibaba Cloud E-HPC tasks and commands, and Simple Application Server command runs.

pub mod config;
pub mod secret;
pub mod sim;
mod wire_enum;
