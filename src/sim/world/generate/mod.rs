//! Generated worlds: what exists in them and what each creation brings, all as a function of the
//! seed.

use jiff::SignedDuration;

use super::noise::Noise;
use super::owner::RUN_RETENTION;
use super::{Cluster, ClusterSpec, Lineage, Server, ServerSpec, ids, region};
use crate::sim::Settings;

mod commands;
mod invocations;
mod tasks;
mod timing;

pub(crate) use commands::CommandStream;
pub(crate) use invocations::InvocationStream;
pub(crate) use tasks::TaskStream;

/// Branches of an owner's noise.
const TASKS: u64 = 1;
const COMMANDS: u64 = 2;
const RUNS: u64 = 3;
const NODES: u64 = 4;
const EXPIRY: u64 = 5;

/// The n-th cluster.
pub(super) fn cluster(settings: &Settings, index: usize) -> Cluster {
    let noise = Noise::new(settings.seed).with(1).with(index as u64);
    let home = region::home(index);
    let spec = ClusterSpec {
        id: format!("ehpc-{}-{}", home.code, ids::cluster_suffix(noise)),
        name: format!("cluster-{}", index + 1),
        region: home.id.to_owned(),
        status: "running".to_owned(),
        nodes: settings.nodes,
        ..ClusterSpec::default()
    };
    let tasks = (settings.tasks > 0).then(|| TaskStream::new(settings, noise.with(TASKS)));
    let nodes = (0..settings.nodes)
        .map(|node| ids::ecs_instance(noise.with(NODES).with(node as u64)))
        .collect();
    let commands = (settings.commands > 0).then(|| {
        CommandStream::new(settings, noise.with(COMMANDS), format!("c-{}0", home.code), nodes)
    });
    Cluster { spec, tasks: Lineage::new(tasks, None), commands: Lineage::new(commands, None) }
}

/// Days until a server expires; one in eight must be renewed within days.
fn expires_in_days(noise: Noise, index: usize) -> i64 {
    match index % 8 {
        1 => 2,
        _ => noise.with(EXPIRY).between(20, 365) as i64,
    }
}

/// The n-th server.
pub(super) fn server(settings: &Settings, index: usize) -> Server {
    let noise = Noise::new(settings.seed).with(2).with(index as u64);
    let home = region::home(index);
    let spec = ServerSpec {
        id: ids::swas_instance(noise),
        name: format!("web-{}", index + 1),
        region: home.id.to_owned(),
        status: "Running".to_owned(),
        expires: Some(SignedDuration::from_hours(24 * expires_in_days(noise, index))),
    };
    let invocations = (settings.invocations > 0).then(|| {
        InvocationStream::new(settings, noise.with(RUNS), format!("t-{}0", home.code), index)
    });
    Server { spec, invocations: Lineage::new(invocations, Some(RUN_RETENTION)) }
}
