//! SWAS: the command invocations of a whole region, in a format of their own.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::page::Page;
use super::{View, instances};
use crate::sim::ListOrder;
use crate::sim::failure::Failure;
use crate::sim::world::noise::Noise;
use crate::sim::world::{InvocationSpec, Server, error_info, ids};

/// An invocation and its server.
type Placed<'a> = (&'a Server, Cow<'a, InvocationSpec>);

/// `DescribeCommandInvocations`: needs no server and includes the results.
pub(super) fn describe_command_invocations(view: &View<'_>) -> Result<Value, Failure> {
    let region = instances::region(view)?;
    let page = Page::swas(view, 50)?;
    let servers = view.world.servers.iter().filter(|server| server.spec.region == region);
    let mut invocations: Vec<Placed<'_>> = servers
        .flat_map(|server| {
            server.invocations.all(view.at, view.order).map(move |invocation| (server, invocation))
        })
        .filter(|(server, invocation)| is_wanted(view, server, invocation))
        .collect();
    match view.order {
        ListOrder::NewestFirst => {
            invocations.sort_by_key(|(_, invocation)| Reverse(invocation.born))
        }
        ListOrder::OldestFirst => invocations.sort_by_key(|(_, invocation)| invocation.born),
        ListOrder::Reordering => {}
    }
    let invocations = by_id(&invocations);
    let mut body = page.body(invocations.len());
    body["CommandInvocations"] = page
        .slice(&invocations)
        .iter()
        .filter_map(|invocations| invocation_json(view, invocations))
        .collect();
    Ok(body)
}

/// A command that was sent to several servers is one entry, at the place of its first invocation.
fn by_id<'a>(all: &'a [Placed<'_>]) -> Vec<Vec<&'a Placed<'a>>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut entries: Vec<Vec<&Placed<'_>>> = Vec::new();
    for placed in all {
        let place = *places.entry(&placed.1.id).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(entry) => entry.push(placed),
            None => entries.push(vec![placed]),
        }
    }
    entries
}

/// Applies the filters; `CommandName` is ignored if a server is given.
fn is_wanted(view: &View<'_>, server: &Server, invocation: &InvocationSpec) -> bool {
    let is = |name: &str, value: &str| view.optional(name).is_none_or(|wanted| wanted == value);
    is("InstanceId", &server.spec.id)
        && is("InvokeId", &invocation.id)
        && view.optional("CommandId").is_none_or(|wanted| wanted == command_id(invocation))
        && is("CommandType", &invocation.command_type)
        && is("InvocationStatus", invocation.at(view.at).status)
        && (view.optional("InstanceId").is_some() || is("CommandName", &invocation.command_name))
}

/// In this list, the creation time has no zone and the command is plain text.
fn invocation_json(view: &View<'_>, invocations: &[&Placed<'_>]) -> Option<Value> {
    let (_, invocation) = invocations.first()?;
    let statuses: Vec<&str> =
        invocations.iter().map(|(_, invocation)| invocation.at(view.at).status).collect();
    Some(json!({
        "InvokeId": invocation.id,
        "CommandId": command_id(invocation),
        "CommandName": invocation.command_name,
        "CommandType": invocation.command_type,
        "CommandDescription": "",
        "CommandContent": invocation.content,
        "CreationTime": view.stamp(invocation.born).trim_end_matches('Z'),
        "InvocationStatus": overall(&statuses),
        "Parameters": json!(invocation.parameters).to_string(),
        "Timeout": invocation.timeout_seconds(),
        "Username": "root",
        "WorkingDir": "/home/admin",
        "InvokeInstances": invocations.iter().map(|placed| server_json(view, placed)).collect::<Vec<_>>(),
    }))
}

/// In this list, the end is called `FinishTime` and the output is plain text.
fn server_json(view: &View<'_>, (server, invocation): &Placed<'_>) -> Value {
    let state = invocation.at(view.at);
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

/// The status over all servers: open while any of them is open; `PartialFailed` if they ended
/// differently.
fn overall<'a>(statuses: &[&'a str]) -> &'a str {
    let open = ["Running", "Stopping", "Pending"].into_iter().find(|word| statuses.contains(word));
    let first = statuses.first().copied().unwrap_or_default();
    let alike = statuses.iter().all(|status| *status == first);
    open.unwrap_or(if alike { first } else { "PartialFailed" })
}

/// The same command name always has the same id.
fn command_id(invocation: &InvocationSpec) -> String {
    ids::Numbering::new(Noise::of_word(&invocation.command_name)).word("c-hy0", 0)
}
