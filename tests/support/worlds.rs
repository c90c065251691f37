//! Scripted worlds.

use aliyun_task_exporter::sim::{
    ClusterSpec, CommandSpec, InvocationEnd, InvocationSpec, JobSpec, NodeSpec, ServerSpec,
    TaskSpec, World,
};
use jiff::SignedDuration;

/// A cluster without tasks and commands.
pub fn add_cluster(world: &mut World, id: &str) {
    world.add_cluster(ClusterSpec { id: id.into(), ..ClusterSpec::default() });
}

/// A server without invocations.
pub fn add_server(world: &mut World, id: &str) {
    world.add_server(ServerSpec { id: id.into(), ..ServerSpec::default() });
}

/// A task of the default kind that runs from one second to another.
pub fn task(id: &str, from: i64, to: i64) -> TaskSpec {
    let born = SignedDuration::from_secs(from);
    let duration = SignedDuration::from_secs(to - from);
    TaskSpec { id: id.into(), born, duration, ..TaskSpec::default() }
}

/// A command that runs on some nodes from one second to another; odd nodes exit with 1.
pub fn command(id: &str, nodes: usize, from: i64, to: i64) -> CommandSpec {
    let node = |number: usize| NodeSpec {
        instance_id: format!("i-{number:03}"),
        duration: SignedDuration::from_secs(to - from),
        exit_code: (number % 2) as i32,
        ..NodeSpec::default()
    };
    let born = SignedDuration::from_secs(from);
    CommandSpec {
        id: id.into(),
        born,
        nodes: (0..nodes).map(node).collect(),
        ..CommandSpec::default()
    }
}

/// An invocation from one second to another that ends with this exit code.
pub fn invocation(id: &str, from: i64, to: i64, exit_code: i64) -> InvocationSpec {
    let failed = exit_code != 0;
    InvocationSpec {
        id: id.into(),
        born: SignedDuration::from_secs(from),
        pending: SignedDuration::ZERO,
        running: SignedDuration::from_secs(to - from),
        end: if failed { InvocationEnd::Failed } else { InvocationEnd::Success },
        error_code: if failed { "ExitCodeNonzero".into() } else { String::new() },
        exit_code,
        ..InvocationSpec::default()
    }
}

/// A command with this name that starts at this interval in seconds, runs for five seconds and
/// succeeds.
pub fn job(name: &str, from: i64, every: i64, invocations: u32) -> JobSpec {
    let first = InvocationSpec { command_name: name.into(), ..invocation(name, from, from + 5, 0) };
    JobSpec { first, every: SignedDuration::from_secs(every), invocations }
}

/// One cluster, `c`, with one task `t` that runs until second 100.
pub fn one_task() -> World {
    let mut world = World::empty();
    add_cluster(&mut world, "c");
    world.add_task("c", task("t", -10, 100)).unwrap();
    world
}

/// Servers `s00` and on, in one region, each with ended invocations `s00-r0` and on.
pub fn servers(count: usize, invocations: usize) -> World {
    let mut world = World::empty();
    for number in 0..count {
        let server = format!("s{number:02}");
        add_server(&mut world, &server);
        for index in 0..invocations {
            let from = -1000 - index as i64;
            world
                .add_invocation(
                    &server,
                    invocation(&format!("{server}-r{index}"), from, from + 5, index as i64 % 3),
                )
                .unwrap();
        }
    }
    world
}
