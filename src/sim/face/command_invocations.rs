//! SWAS: the command runs of a whole region, in a dialect of their own.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

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
    let invocations = by_id(&runs);
    let mut body = page.body(invocations.len());
    body["CommandInvocations"] = page.slice(&invocations).iter().filter_map(|runs| run_json(view, runs)).collect();
    Ok(body)
}

/// A command that was sent to several servers is one entry; it stands where its first run does.
fn by_id<'a>(runs: &'a [Placed<'_>]) -> Vec<Vec<&'a Placed<'a>>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut invocations: Vec<Vec<&Placed<'_>>> = Vec::new();
    for placed in runs {
        let place = *places.entry(&placed.1.id).or_insert(invocations.len());
        match invocations.get_mut(place) {
            Some(runs) => runs.push(placed),
            None => invocations.push(vec![placed]),
        }
    }
    invocations
}

/// The filters; `CommandName` is ignored when a server is named.
fn is_wanted(view: &View<'_>, server: &Server, run: &RunSpec) -> bool {
    let is = |name: &str, value: &str| view.optional(name).is_none_or(|wanted| wanted == value);
    is("InstanceId", &server.spec.id)
        && is("InvokeId", &run.id)
        && view.optional("CommandId").is_none_or(|wanted| wanted == command_id(run))
        && is("CommandType", &run.command_type)
        && is("InvocationStatus", run.at(view.at).status)
        && (view.optional("InstanceId").is_some() || is("CommandName", &run.command_name))
}

/// Here the creation has no zone, and the command is plain text.
fn run_json(view: &View<'_>, runs: &[&Placed<'_>]) -> Option<Value> {
    let (_, run) = runs.first()?;
    let statuses: Vec<&str> = runs.iter().map(|(_, run)| run.at(view.at).status).collect();
    Some(json!({
        "InvokeId": run.id,
        "CommandId": command_id(run),
        "CommandName": run.command_name,
        "CommandType": run.command_type,
        "CommandDescription": "",
        "CommandContent": run.content,
        "CreationTime": view.stamp(run.born).trim_end_matches('Z'),
        "InvocationStatus": overall(&statuses),
        "Parameters": json!(run.parameters).to_string(),
        "Timeout": 60,
        "Username": "root",
        "WorkingDir": "/home/admin",
        "InvokeInstances": runs.iter().map(|placed| server_json(view, placed)).collect::<Vec<_>>(),
    }))
}

/// Here the end is called `FinishTime`, and the output is plain text.
fn server_json(view: &View<'_>, (server, run): &Placed<'_>) -> Value {
    let state = run.at(view.at);
    json!({
        "InstanceId": server.spec.id,
        "InvocationStatus": state.status,
        "StartTime": view.stamp_or_empty(state.started),
        "FinishTime": view.stamp_or_empty(state.finished),
        "ExitCode": state.exit_code,
        "ErrorCode": state.error_code,
        "ErrorInfo": error_info(state.error_code),
        "Output": String::from_utf8_lossy(state.output),
    })
}

/// The status of the whole: open as long as any part is; `PartialFailed` if its parts have ended differently.
fn overall<'a>(statuses: &[&'a str]) -> &'a str {
    let open = ["Running", "Stopping", "Pending"].into_iter().find(|word| statuses.contains(word));
    let first = statuses.first().copied().unwrap_or_default();
    let alike = statuses.iter().all(|status| *status == first);
    open.unwrap_or(if alike { first } else { "PartialFailed" })
}

/// A command is the same wherever its name is met.
fn command_id(run: &RunSpec) -> String {
    ids::Numbering::new(Noise::of_word(&run.command_name)).word("c-hy0", 0)
}
