//! SWAS: the command runs of a server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Page, View, instances};
use crate::sim::failure::Failure;
use crate::sim::fault::Shown;
use crate::sim::world::{BEFORE, Life, RunSpec, Server, error_info};

/// `DescribeInvocations`.
pub(super) fn describe_invocations(view: &View<'_>) -> Result<Value, Failure> {
    let server = server(view)?;
    let page = Page::swas(view, 50)?;
    let (total, runs) = match invoke_status(view)? {
        None => all_runs(view, server, &page),
        Some(status) => runs_with(view, server, &page, status),
    };
    let mut body = page.body(total);
    body["Invocations"] = runs.into();
    Ok(body)
}

fn all_runs(view: &View<'_>, server: &Server, page: &Page) -> (usize, Vec<Value>) {
    let members = server.runs.listed(view.at, view.order);
    let runs = page.slice(&members).iter().filter_map(|member| server.runs.get(*member));
    (members.len(), runs.map(|run| run_json(view, &run)).collect())
}

fn runs_with(view: &View<'_>, server: &Server, page: &Page, status: &str) -> (usize, Vec<Value>) {
    let has_status = |run: &RunSpec| run.at(view.at).record_status == status;
    let runs: Vec<_> = server.runs.all(view.at, view.order).filter(|run| has_status(run)).collect();
    (runs.len(), page.slice(&runs).iter().map(|run| run_json(view, run)).collect())
}

fn run_json(view: &View<'_>, run: &RunSpec) -> Value {
    let state = run.at(view.at);
    json!({
        "InvokeId": run.id,
        "CommandName": run.command_name,
        "CommandType": run.command_type,
        "CommandContent": STANDARD.encode(&run.content),
        "CreationTime": view.stamp(run.born),
        "InvocationStatus": state.status,
        "InvokeStatus": state.record_status,
        "Parameters": run.parameters,
    })
}

/// The filter has three words; answers have `Stopped` too.
fn invoke_status<'a>(view: &'a View<'_>) -> Result<Option<&'a str>, Failure> {
    match view.optional("InvokeStatus") {
        Some(word) if !["Running", "Finished", "Failed"].contains(&word) => Err(Failure::invalid("InvokeStatus")),
        word => Ok(word),
    }
}

/// `DescribeInvocationResult`. Results are kept whatever the lists show.
pub(super) fn describe_invocation_result(view: &View<'_>) -> Result<Value, Failure> {
    let server = server(view)?;
    let not_found = || Failure::new(404, "InvalidInvokeId.NotFound", "The specified InvokeId does not exist.");
    let run = server.runs.kept(view.required("InvokeId")?, view.at).ok_or_else(not_found)?;
    let state = match view.late(run.ended()).map(|late| late.shown) {
        None => run.at(view.at),
        Some(Shown::Running) => run.at(run.ended() - BEFORE),
        Some(Shown::NotFound | Shown::LeftOut) => return Err(not_found()),
    };
    Ok(json!({"InvocationResult": {
        "InvokeId": run.id,
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
    let not_found = || Failure::new(404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist.");
    view.world.server(region, view.required("InstanceId")?).ok_or_else(not_found)
}
