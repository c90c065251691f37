//! SWAS: the command invocations of a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::page::Page;
use super::{View, instances};
use crate::sim::failure::Failure;
use crate::sim::fault::Shown;
use crate::sim::world::{BEFORE, InvocationSpec, Life, Server, error_info};

/// `DescribeInvocations`.
pub(super) fn describe_invocations(view: &View<'_>) -> Result<Value, Failure> {
    let server = server(view)?;
    let page = Page::swas(view, 50)?;
    let (total, invocations) = match invoke_status(view)? {
        None => all_invocations(view, server, &page),
        Some(status) => runs_with(view, server, &page, status),
    };
    let mut body = page.body(total);
    body["Invocations"] = invocations.into();
    Ok(body)
}

fn all_invocations(view: &View<'_>, server: &Server, page: &Page) -> (usize, Vec<Value>) {
    let members = server.invocations.listed(view.at, view.order);
    let invocations =
        page.slice(&members).iter().filter_map(|member| server.invocations.get(*member));
    (members.len(), invocations.map(|invocation| invocation_json(view, &invocation)).collect())
}

fn runs_with(view: &View<'_>, server: &Server, page: &Page, status: &str) -> (usize, Vec<Value>) {
    let has_status = |invocation: &InvocationSpec| invocation.at(view.at).record_status == status;
    let invocations: Vec<_> = server
        .invocations
        .all(view.at, view.order)
        .filter(|invocation| has_status(invocation))
        .collect();
    (
        invocations.len(),
        page.slice(&invocations)
            .iter()
            .map(|invocation| invocation_json(view, invocation))
            .collect(),
    )
}

fn invocation_json(view: &View<'_>, invocation: &InvocationSpec) -> Value {
    let state = invocation.at(view.at);
    json!({
        "InvokeId": invocation.id,
        "CommandName": invocation.command_name,
        "CommandType": invocation.command_type,
        "CommandContent": STANDARD.encode(&invocation.content),
        "CreationTime": view.stamp(invocation.born),
        "InvocationStatus": state.status,
        "InvokeStatus": state.record_status,
        "Parameters": invocation.parameters,
    })
}

/// The filter takes three values; answers also have `Stopped`.
fn invoke_status<'a>(view: &'a View<'_>) -> Result<Option<&'a str>, Failure> {
    match view.optional("InvokeStatus") {
        Some(word) if !["Running", "Finished", "Failed"].contains(&word) => {
            Err(Failure::invalid("InvokeStatus"))
        }
        word => Ok(word),
    }
}

/// `DescribeInvocationResult`. Results outlive the entry in the list.
pub(super) fn describe_invocation_result(view: &View<'_>) -> Result<Value, Failure> {
    let server = server(view)?;
    let not_found =
        || Failure::new(404, "InvalidInvokeId.NotFound", "The specified InvokeId does not exist.");
    let invocation =
        server.invocations.kept(view.required("InvokeId")?, view.at).ok_or_else(not_found)?;
    let state = match view.late(invocation.ended()).map(|late| late.shown) {
        None => invocation.at(view.at),
        Some(Shown::Running) => invocation.at(invocation.ended() - BEFORE),
        Some(Shown::NotFound | Shown::LeftOut) => return Err(not_found()),
    };
    Ok(json!({"InvocationResult": {
        "InvokeId": invocation.id,
        "InstanceId": server.spec.id,
        "InvokeUser": "root",
        "InvocationStatus": state.status,
        "InvokeRecordStatus": state.record_status,
        "StartTime": view.stamp_or_empty(state.started),
        "FinishedTime": view.stamp_or_empty(state.finished),
        "ExitCode": state.exit_code,
        "ErrorCode": state.error_code,
        "ErrorInfo": error_info(state.error_code),
        "Output": STANDARD.encode(state.output),
    }}))
}

fn server<'a>(view: &View<'a>) -> Result<&'a Server, Failure> {
    let region = instances::region(view)?;
    let not_found = || {
        Failure::new(404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist.")
    };
    view.world.server(region, view.required("InstanceId")?).ok_or_else(not_found)
}
