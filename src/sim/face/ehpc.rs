//! E-HPC: tasks and commands of a cluster.

use serde_json::{Value, json};

use super::View;
use super::page::Page;
use crate::sim::failure::Failure;
use crate::sim::fault::Shown;
use crate::sim::parameters;
use crate::sim::world::ids;
use crate::sim::world::noise::Noise;
use crate::sim::world::{Cluster, CommandSpec, Life, NodeState, TaskSpec};

/// `ListTasks`. With `TaskId`, finds a task whatever `Archived` says; otherwise ended tasks are
/// listed only with `Archived=true`.
pub(super) fn list_tasks(view: &View<'_>) -> Result<Value, Failure> {
    let cluster = cluster(view)?;
    let page = Page::ehpc(view)?;
    let archived = parameters::boolean(view.parameters, "Archived")?;
    let (total, tasks) = match view.optional("TaskId") {
        Some(id) => one_task(view, cluster, id, &page),
        None if archived => all_tasks(view, cluster, &page),
        None => open_tasks(view, cluster, &page),
    };
    let mut body = page.body(total);
    body["Tasks"] = tasks.into();
    Ok(body)
}

fn one_task(view: &View<'_>, cluster: &Cluster, id: &str, page: &Page) -> (usize, Vec<Value>) {
    let found: Vec<_> = cluster.tasks.find(id, view.at).into_iter().collect();
    (found.len(), page.slice(&found).iter().map(|task| task_json(view, cluster, task)).collect())
}

fn all_tasks(view: &View<'_>, cluster: &Cluster, page: &Page) -> (usize, Vec<Value>) {
    let members = cluster.tasks.listed(view.at, view.order);
    let tasks = page.slice(&members).iter().filter_map(|member| cluster.tasks.get(*member));
    (members.len(), tasks.map(|task| task_json(view, cluster, &task)).collect())
}

fn open_tasks(view: &View<'_>, cluster: &Cluster, page: &Page) -> (usize, Vec<Value>) {
    let open: Vec<_> =
        cluster.tasks.all(view.at, view.order).filter(|task| task.at(view.at).open).collect();
    (open.len(), page.slice(&open).iter().map(|task| task_json(view, cluster, task)).collect())
}

fn task_json(view: &View<'_>, cluster: &Cluster, task: &TaskSpec) -> Value {
    let state = task.at(view.at);
    let noise = Noise::of_word(&task.id);
    json!({
        "TaskId": task.id,
        "ClusterId": cluster.spec.id,
        "TaskType": task.task_type,
        "Status": state.status,
        "TotalSteps": task.steps,
        "CurrentStep": state.current_step,
        "Result": result_text(task, state.nodes, noise),
        "Errors": errors_text(state.errors, noise),
        "Request": json!({
            "requestId": ids::uuid(noise.with(1).bits(), noise.with(2).bits()),
            "uid": "1609982529920001",
            "bid": "26842",
            "clusterId": cluster.spec.id,
        }).to_string(),
    })
}

/// JSON in a string: the nodes so far, for the two task types that create nodes.
fn result_text(task: &TaskSpec, nodes: u32, noise: Noise) -> String {
    if !matches!(task.task_type.as_str(), "CreateCluster" | "AddComputes") {
        return "{}".to_owned();
    }
    let instance = |index: u32| {
        json!({
            "InstanceId": ids::ecs_instance(noise.with(3).with(u64::from(index))),
            "Ip": format!("192.168.{}.{}", noise.with(4).between(0, 255), index % 250 + 2),
            "Hostname": format!("compute{index}"),
            "role": "compute",
        })
    };
    json!({"Instances": (0..nodes).map(instance).collect::<Vec<_>>()}).to_string()
}

/// JSON in a string: what went wrong.
fn errors_text(errors: u32, noise: Noise) -> String {
    let error = |index: u32| {
        json!({
            "InstanceId": ids::ecs_instance(noise.with(5).with(u64::from(index))),
            "Code": "AgentError",
            "Message": "The agent service request failed.",
        })
    };
    Value::from((0..errors).map(error).collect::<Vec<_>>()).to_string()
}

/// `ListCommands`.
pub(super) fn list_commands(view: &View<'_>) -> Result<Value, Failure> {
    let cluster = cluster(view)?;
    let page = Page::ehpc(view)?;
    let wanted = view.optional("CommandId");
    let is_wanted = |command: &CommandSpec| wanted.is_none_or(|id| id == command.id);
    let commands: Vec<_> =
        cluster.commands.all(view.at, view.order).filter(|command| is_wanted(command)).collect();
    let mut body = page.body(commands.len());
    body["Commands"] = json!({
        "Command": page.slice(&commands).iter().map(|command| command_json(command)).collect::<Vec<_>>(),
    });
    Ok(body)
}

/// As in the real API, `Timeout` is a number in a string and the content is plain text.
fn command_json(command: &CommandSpec) -> Value {
    json!({
        "CommandId": command.id,
        "CommandContent": command.content,
        "WorkingDir": command.working_dir,
        "Timeout": command.timeout.to_string(),
    })
}

/// `ListInvocationStatus`, which has no pages.
pub(super) fn list_invocation_status(view: &View<'_>) -> Result<Value, Failure> {
    let cluster = cluster(view)?;
    let command = command(view, cluster)?;
    let nodes = command.nodes_at(view.at);
    let node = |node: &NodeState<'_>| json!({"InstanceId": node.instance_id, "InstanceInvokeStatus": node.status});
    Ok(json!({
        "CommandId": command.id,
        "InvokeStatus": command.overall(view.at),
        "InvokeInstances": {"InvokeInstance": nodes.iter().map(node).collect::<Vec<_>>()},
    }))
}

/// `ListInvocationResults`, of all nodes, of the named ones or of those in one status. Results
/// outlive the entry in the list.
pub(super) fn list_invocation_results(view: &View<'_>) -> Result<Value, Failure> {
    let cluster = cluster(view)?;
    let page = Page::ehpc(view)?;
    let command =
        cluster.commands.kept(view.required("CommandId")?, view.at).ok_or_else(no_command)?;
    if view.late(command.ended()).is_some_and(|late| late.shown == Shown::NotFound) {
        return Err(no_command());
    }
    let instances = named_instances(view);
    let status = record_status(view)?;
    let is_wanted = |node: &NodeState<'_>| {
        (instances.is_empty() || instances.contains(&node.instance_id))
            && status.is_none_or(|word| word == node.status)
    };
    let nodes = command.nodes_at(view.at).into_iter().filter_map(|node| told(view, node));
    let nodes: Vec<_> = nodes.filter(is_wanted).collect();
    let mut body = page.body(nodes.len());
    body["InvocationResults"] = json!({
        "InvocationResult": page.slice(&nodes).iter().map(|node| node_json(view, &command, node)).collect::<Vec<_>>(),
    });
    Ok(body)
}

/// A node as the results show it; `None` if they leave it out.
fn told<'a>(view: &View<'_>, node: NodeState<'a>) -> Option<NodeState<'a>> {
    match node.finished.and_then(|ended| view.late(ended)).map(|late| late.shown) {
        Some(Shown::LeftOut) => None,
        Some(Shown::Running) => Some(node.still_running()),
        Some(Shown::NotFound) | None => Some(node),
    }
}

fn node_json(view: &View<'_>, command: &CommandSpec, node: &NodeState<'_>) -> Value {
    json!({
        "CommandId": command.id,
        "InstanceId": node.instance_id,
        "InvokeRecordStatus": node.status,
        "Success": node.success,
        "ExitCode": node.exit_code,
        "Message": node.message,
        "FinishedTime": view.stamp_or_empty(node.finished),
    })
}

/// The values of `Instance.N.Id`.
fn named_instances<'a>(view: &'a View<'_>) -> Vec<&'a str> {
    let is_name = |name: &str| name.starts_with("Instance.") && name.ends_with(".Id");
    view.parameters
        .iter()
        .filter(|(name, _)| is_name(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

fn record_status<'a>(view: &'a View<'_>) -> Result<Option<&'a str>, Failure> {
    match view.optional("InvokeRecordStatus") {
        Some(word) if !["Finished", "Running", "Failed", "Stopped"].contains(&word) => {
            Err(Failure::invalid("InvokeRecordStatus"))
        }
        word => Ok(word),
    }
}

fn cluster<'a>(view: &View<'a>) -> Result<&'a Cluster, Failure> {
    let not_found =
        || Failure::new(404, "ClusterNotFound", "The specified cluster does not exist.");
    view.world.cluster(view.required("ClusterId")?).ok_or_else(not_found)
}

fn command<'a>(
    view: &View<'_>,
    cluster: &'a Cluster,
) -> Result<std::borrow::Cow<'a, CommandSpec>, Failure> {
    cluster.commands.find(view.required("CommandId")?, view.at).ok_or_else(no_command)
}

fn no_command() -> Failure {
    Failure::new(404, "ObjectNotFound", "The specified object is not found.")
}
