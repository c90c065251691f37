//! SWAS DescribeCommandInvocations: the command runs of all servers of a region, with their results.
//! Source: "DescribeCommandInvocations" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::wire::{List, Scalar, UnknownWords, cut};
use super::{Decoded, PAGE_SIZE, Parameters};
use crate::model::{
    COMMAND_NAME_BYTES, CommandInvocation, CommandType, ErrorCode, Invocation, InvocationResult, InvocationStatus,
    Page, ServerRun,
};

/// A CreationTime without a zone is believed if the run started no further from it than this.
const NEAR_START: SignedDuration = SignedDuration::from_hours(1);

/// Asks for a page of a region's command runs, or for one of them. `CommandContent`, `Output` and `Parameters` are not read.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeCommandInvocations {
    /// InvokeId: only this one.
    pub invoke_id: Option<Arc<str>>,
    /// PageNumber, from 1.
    pub page: u32,
}

impl DescribeCommandInvocations {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        let page = [("PageNumber", self.page.to_string().into()), ("PageSize", PAGE_SIZE.to_string().into())];
        self.invoke_id.iter().map(|id| ("InvokeId", (&**id).into())).chain(page).collect()
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Page<CommandInvocation>>> {
        let wire: Body = serde_json::from_slice(body)?;
        let mut unknown = UnknownWords::default();
        let total = wire.total.count();
        let items = wire.list.0.iter().filter_map(|run| run.to_model(&mut unknown)).collect();
        Ok(unknown.with(Page::new(items, total)))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "CommandInvocations")]
    list: List<WireInvocation<'a>>,
    #[serde(borrow, rename = "TotalCount", default)]
    total: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireInvocation<'a> {
    #[serde(borrow, default)]
    invoke_id: Scalar<'a>,
    #[serde(borrow, default)]
    command_name: Scalar<'a>,
    #[serde(borrow, default)]
    command_type: Scalar<'a>,
    #[serde(borrow, default)]
    creation_time: Scalar<'a>,
    #[serde(borrow, default)]
    invocation_status: Scalar<'a>,
    #[serde(borrow, default)]
    invoke_instances: List<WireServer<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireServer<'a> {
    #[serde(borrow, default)]
    instance_id: Scalar<'a>,
    #[serde(borrow, default)]
    invocation_status: Scalar<'a>,
    #[serde(borrow, default)]
    exit_code: Scalar<'a>,
    #[serde(borrow, default)]
    error_code: Scalar<'a>,
    #[serde(borrow, default)]
    start_time: Scalar<'a>,
    /// The other operations say FinishedTime.
    #[serde(borrow, default, alias = "FinishedTime")]
    finish_time: Scalar<'a>,
}

impl WireInvocation<'_> {
    fn to_model(&self, unknown: &mut UnknownWords) -> Option<CommandInvocation> {
        let Some(id) = self.invoke_id.text() else {
            unknown.note("InvokeId", Some(""));
            return None;
        };
        let overall = InvocationStatus::parse(self.invocation_status.text().unwrap_or_default());
        let command = Invocation {
            id: id.into(),
            command_name: cut(self.command_name.text().unwrap_or_default(), COMMAND_NAME_BYTES).into(),
            command_type: CommandType::parse(self.command_type.text().unwrap_or_default()),
            status: overall,
            record: None,
            created: None,
        };
        unknown.note("CommandType", command.command_type.unknown_word());
        unknown.note("InvocationStatus", command.status.unknown_word());
        let runs = self.invoke_instances.0.iter().filter_map(|server| self.run(&command, server));
        let servers: Vec<ServerRun> = runs.collect();
        for server in &servers {
            unknown.note("InvokeInstances.InvocationStatus", server.run.status.unknown_word());
            unknown.note("ErrorCode", server.result.error.as_ref().and_then(ErrorCode::unknown_word));
        }
        Some(CommandInvocation { id: command.id, servers })
    }

    fn run(&self, command: &Invocation, server: &WireServer) -> Option<ServerRun> {
        let result = server.result(&command.status);
        let (status, created) = (result.status.clone(), self.created(result.started));
        let run = Invocation { status, created, ..command.clone() };
        Some(ServerRun { instance_id: server.instance_id.text()?.into(), run, result })
    }

    /// CreationTime; one without a zone may be in anybody's, unless the run started soon after.
    fn created(&self, started: Option<Timestamp>) -> Option<Timestamp> {
        let created = self.creation_time.time()?;
        let near = |started: Timestamp| started.duration_since(created).abs() <= NEAR_START;
        (self.creation_time.has_zone() || started.is_some_and(near)).then_some(created)
    }
}

impl WireServer<'_> {
    /// How it went on this server. A server without a word of its own has that of the whole.
    fn result(&self, overall: &InvocationStatus) -> InvocationResult {
        let status = self.invocation_status.text().map_or_else(|| overall.clone(), InvocationStatus::parse);
        InvocationResult {
            exit_code: status.exit_code(self.exit_code.integer()),
            started: self.start_time.time(),
            finished: self.finish_time.time(),
            status,
            record: None,
            error: self.error_code.text().filter(|code| *code != "null").map(ErrorCode::parse),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::DescribeCommandInvocations;
    use crate::aliyun::op::Decoded;
    use crate::model::{CommandInvocation, ErrorCode, InvocationStatus, Page};

    fn decode(body: &str) -> Decoded<Page<CommandInvocation>> {
        DescribeCommandInvocations { invoke_id: None, page: 1 }.decode(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_str!("../../../tests/fixtures/api/swas_DescribeCommandInvocations.json");
        let said: Value = serde_json::from_str(body).unwrap();
        let decoded = decode(body);
        assert_eq!(decoded.unknown, []);
        let said = said["CommandInvocations"].as_array().unwrap();
        assert_eq!((decoded.value.items.len(), decoded.value.total), (said.len(), Some(8)));
        for (said, run) in said.iter().zip(&decoded.value.items) {
            let servers = said["InvokeInstances"].as_array().unwrap();
            assert_eq!((&*run.id, run.servers.len()), (said["InvokeId"].as_str().unwrap(), servers.len()));
            for (said, server) in servers.iter().zip(&run.servers) {
                let exited = ["Success", "Failed"].contains(&server.run.status.label());
                assert_eq!(&*server.instance_id, said["InstanceId"]);
                assert_eq!(server.run.status.label(), said["InvocationStatus"]);
                assert_eq!(server.result.exit_code, said["ExitCode"].as_i64().filter(|_| exited));
                assert_eq!(server.result.error.as_ref().map_or("", ErrorCode::label), said["ErrorCode"]);
                let finished = server.result.finished.map(|time| time.to_string()).unwrap_or_default();
                assert_eq!(finished, said["FinishTime"]);
                assert_eq!(
                    server.run.created.unwrap().to_string(),
                    "2024-04-27T10:11:58Z",
                    "a second before its start"
                );
            }
        }
    }

    fn one(mut run: Value) -> CommandInvocation {
        run["InvokeId"] = "t".into();
        let mut items = decode(&json!({"CommandInvocations": [run]}).to_string()).value.items;
        items.pop().unwrap()
    }

    #[test]
    fn a_creation_time_without_a_zone_is_believed_only_near_the_start() {
        let created = |created: &str, started: &str| {
            let run = json!({"CreationTime": created, "InvokeInstances": [{"InstanceId": "s", "StartTime": started}]});
            one(run).servers[0].run.created.map(|time| time.to_string())
        };
        let utc = Some("2024-04-27T10:11:58Z".to_owned());
        assert_eq!(created("2024-04-27T10:11:58", "2024-04-27T10:30:00Z"), utc);
        assert_eq!(created("2024-04-27T18:11:58", "2024-04-27T10:11:59Z"), None, "Chinese time, perhaps");
        assert_eq!(created("2024-04-27T10:11:58", ""), None);
        assert_eq!(created("2024-04-27T10:11:58Z", ""), utc);
        assert_eq!(created("2024-04-27T18:11:58+08:00", ""), utc);
    }

    #[test]
    fn a_server_without_a_word_has_that_of_the_whole_and_one_without_an_id_is_left_out() {
        let run =
            one(json!({"InvocationStatus": "Timeout", "InvokeInstances": [{"InstanceId": "s"}, {"ExitCode": 0}]}));
        let found: Vec<_> = run.servers.iter().map(|server| (&*server.instance_id, &server.run.status)).collect();
        assert_eq!(found, [("s", &InvocationStatus::Timeout)]);
    }
}
