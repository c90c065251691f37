//! A pretend Alibaba Cloud: E-HPC 2018-04-12 and SWAS-OPEN 2020-06-01 with a living world behind
//! them, and what callers log in with: STS, the metadata server of ECS, a credentials URI.
//!
//! [`Simulator::handle`] is pure: a request and the time in, a [`Reply`] out. The state of the
//! world is a function of the seed and of the time since the world's start; only what a real
//! gateway remembers as well (nonces, quota windows, credentials handed out) and the log of calls
//! are written by a request. [`serve`] puts HTTP in front of it, and is the only part with a clock.
//!
//! The simulator shares no types with the client, so that neither can hide a mistake of the other.

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
