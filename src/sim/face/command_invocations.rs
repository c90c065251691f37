//! SWAS: the command runs of a whole region, in a dialect of their own.

use std::borrow::Cow;
use std::cmp::Reverse;

use serde_json::{Value, json};

use super::{Page, View, instances};
use crate::sim::ListOrder;
use crate::sim::failure::Failure;
use crate::sim::world::noise::Noise;
use crate::sim::world::{RunSpec, Server, error_info, ids};

/// A run and the server it is on.
type Placed<'a> = (&'a Server, Cow<'a, RunSpec>);

/// `DescribeCommandInvocations`: needs no server, and tells results and all.
pub(super) fn describe_command_invocations(view: &View<'_>) -> Result<Value, Failure> {
    let region = instances::region(view)?;
    let page = Page::swas(view, 50)?;
    let servers = view.world.servers.iter().filter(|server| server.spec.region == region);
    let mut runs: Vec<Placed<'_>> = servers
        .flat_map(|server| server.runs.all(view.at, view.order).map(move |run| (server, run)))
        .filter(|(server, run)| is_wanted(view, server, run))
        .collect();
    match view.order {
        ListOrder::NewestFirst => runs.sort_by_key(|(_, run)| Reverse(run.born)),
        ListOrder::OldestFirst => runs.sort_by_key(|(_, run)| run.born),
        ListOrder::Reordering => {}
    }
    let mut body = page.body(runs.len());
    body["CommandInvocations"] = page.slice(&runs).iter().map(|placed| run_json(view, placed)).collect();
    Ok(body)
}

/// The filters; `CommandName` is ignored when a server is named.
fn is_wanted(view: &View<'_>, server: &Server, run: &RunSpec) -> bool {
    let is = |name: &str, value: &str| view.optional(name).is_none_or(|wanted| wanted == value);
    is("InstanceId", &server.spec.id)
        && is("InvokeId", &run.id)
        && is("CommandId", &command_id(run))
        && is("CommandType", &run.command_type)
        && is("InvocationStatus", run.at(view.at).status)
        && (view.optional("InstanceId").is_some() || is("CommandName", &run.command_name))
}

/// Here the creation has no zone, the command and its output are plain text, and the end is called `FinishTime`.
fn run_json(view: &View<'_>, (server, run): &Placed<'_>) -> Value {
    let state = run.at(view.at);
    json!({
        "InvokeId": run.id,
        "CommandId": command_id(run),
        "CommandName": run.command_name,
        "CommandType": run.command_type,
        "CommandDescription": "",
        "CommandContent": run.content,
        "CreationTime": view.stamp(run.born).trim_end_matches('Z'),
        "InvocationStatus": state.status,
        "Parameters": json!(run.parameters).to_string(),
        "Timeout": 60,
        "Username": "root",
        "WorkingDir": "/home/admin",
        "InvokeInstances": [{
            "InstanceId": server.spec.id,
            "InvocationStatus": state.status,
            "StartTime": view.stamp_or_empty(state.started),
            "FinishTime": view.stamp_or_empty(state.finished),
            "ExitCode": state.exit_code,
            "ErrorCode": state.error_code,
            "ErrorInfo": error_info(state.error_code),
            "Output": String::from_utf8_lossy(state.output),
        }],
    })
}

/// A command is the same wherever its name is met.
fn command_id(run: &RunSpec) -> String {
    ids::Numbering::new(Noise::of_word(&run.command_name)).word("c-hy0", 0)
}
