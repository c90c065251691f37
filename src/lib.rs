//! Prometheus exporter for Alibaba Cloud E-HPC tasks and commands, and Simple Application Server command runs.

mod secret;
pub mod sim;
mod wire_enum;
