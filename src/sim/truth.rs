//! The truth about the world: what a client should have understood from the API.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ListOrder;
use super::face::stamp;
use super::world::{
    Cluster, CommandSpec, InvocationSpec, NodeState, NodeStates, Server, TaskSpec, World,
};

/// A moment of the world.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) started: Timestamp,
    pub(crate) at: SignedDuration,
}

/// Everything that is listed at a moment.
pub(crate) fn truth(world: &World, moment: Moment) -> Value {
    json!({
        "started": moment.started.to_string(),
        "now": moment.started.saturating_add(moment.at).unwrap_or(moment.started).to_string(),
        "clusters": world.clusters.iter().map(|cluster| moment.cluster(cluster)).collect::<Vec<_>>(),
        "servers": world.servers.iter().map(|server| moment.server(server)).collect::<Vec<_>>(),
    })
}

impl Moment {
    fn cluster(self, cluster: &Cluster) -> Value {
        let tasks = cluster.tasks.all(self.at, ListOrder::NewestFirst);
        let commands = cluster.commands.all(self.at, ListOrder::NewestFirst);
        json!({
            "id": cluster.spec.id,
            "name": cluster.spec.name,
            "region": cluster.spec.region,
            "status": cluster.spec.status,
            "managers": self.node_states(cluster.managers()),
            "computes": self.node_states(cluster.computes(self.at)),
            "tasks": tasks.map(|task| self.task(&task)).collect::<Vec<_>>(),
            "commands": commands.map(|command| self.command(&command)).collect::<Vec<_>>(),
        })
    }

    fn task(self, task: &TaskSpec) -> Value {
        let state = task.at(self.at);
        json!({
            "id": task.id,
            "type": task.task_type,
            "status": state.status,
            "current_step": state.current_step,
            "total_steps": task.steps,
            "errors": state.errors,
            "nodes": state.nodes,
            "archived": !state.open,
            "created_time": self.stamp(Some(task.born)),
        })
    }

    fn node_states(self, nodes: NodeStates) -> Value {
        json!({
            "total": nodes.total,
            "normal": nodes.normal(),
            "operating": nodes.operating,
            "stopped": nodes.stopped,
            "exception": nodes.exception,
        })
    }

    fn command(self, command: &CommandSpec) -> Value {
        json!({
            "id": command.id,
            "status": command.status(self.at),
            "created_time": self.stamp(Some(command.born)),
            "nodes": command.nodes_at(self.at).iter().map(|node| self.node(node)).collect::<Vec<_>>(),
        })
    }

    fn node(self, node: &NodeState<'_>) -> Value {
        json!({
            "instance_id": node.instance_id,
            "status": node.status,
            "exit_code": node.exit_code,
            "finished_time": self.stamp(node.finished),
            "success": node.success,
        })
    }

    fn server(self, server: &Server) -> Value {
        let runs = server.invocations.all(self.at, ListOrder::NewestFirst);
        json!({
            "id": server.spec.id,
            "name": server.spec.name,
            "region": server.spec.region,
            "status": server.spec.status,
            "business_status": server.business_status(self.at),
            "expired_time": self.stamp(server.spec.expires),
            "invocations": runs.map(|run| self.invocation(&run)).collect::<Vec<_>>(),
        })
    }

    fn invocation(self, run: &InvocationSpec) -> Value {
        let state = run.at(self.at);
        json!({
            "id": run.id,
            "command_name": run.command_name,
            "command_type": run.command_type,
            "parameters": run.parameters,
            "status": state.status,
            "record_status": state.record_status,
            "exit_code": state.exit_code,
            "error_code": state.error_code,
            "created_time": self.stamp(Some(run.born)),
            "start_time": self.stamp(state.started),
            "finished_time": self.stamp(state.finished),
        })
    }

    fn stamp(self, time: Option<SignedDuration>) -> Option<String> {
        time.map(|time| stamp(self.started, time))
    }
}
