//! A simulated Alibaba Cloud: E-HPC 2018-04-12 and SWAS-OPEN 2020-06-01 with a living world behind
//! them, and the services that provide credentials: STS, the ECS metadata server, a credentials
//! URI.
//!
//! [`Simulator::handle`] is pure: a request and the time in, a [`Reply`] out. The state of the
//! world is a function of the seed and of the time since the world's start; requests change only
//! the log of calls and what a real gateway remembers too (nonces, quota windows, issued
//! credentials). [`serve`] is HTTP in front of it, and the only part that reads a clock.
//!
//! The simulator shares no types with the client, so that neither can hide the other's mistakes.

mod coat;
mod control;
mod delivery;
mod distort;
mod envelope;
mod exchange;
mod face;
mod failure;
mod fault;
mod gate;
mod gateway;
mod issued;
mod log;
mod machine;
mod odd;
mod operation;
mod parameters;
mod quota;
mod reply;
mod server;
mod settings;
mod signature;
mod simulator;
mod sts;
mod truth;
mod world;

pub use log::Call;
pub use operation::{Operation, Product};
pub use reply::{Delivery, Reply, Transfer};
pub use server::serve;
pub use settings::{ListOrder, Metadata, QuotaWindow, Quotas, Role, Settings};
pub use simulator::Simulator;
pub use world::{
    ClusterSpec, CommandSpec, CommandWords, InvocationEnd, InvocationSpec, JobSpec, NodeEnd,
    NodeSpec, ServerSpec, TaskEnd, TaskSpec, UnknownOwner, World,
};
