//! SWAS DescribeCommandInvocations: the command invocations of all servers of a region, with their
//! results. Source: "DescribeCommandInvocations" in `docs/alibaba-cloud-api.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::texts::error_text;
use super::wire::{Entry, Oddities, Unreadable, error_code, page};
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::aliyun::json::Object;
use crate::model::{
    CommandInvocation, CommandType, ErrorCode, Invocation, InvocationResult, InvocationStatus,
    Page, ServerInvocation,
};

/// A CreationTime without a zone is trusted only if the invocation started within this time of it.
const NEAR_START: SignedDuration = SignedDuration::from_hours(1);

/// Requests a page of a region's command invocations, or a single invocation. `CommandContent`,
/// `Output` and `Parameters` are not read.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeCommandInvocations {
    /// InvokeId: only this one.
    pub invoke_id: Option<SmolStr>,
    /// PageNumber, from 1.
    pub page: u32,
}

impl DescribeCommandInvocations {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        let page = [
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", PAGE_SIZE.to_string().into()),
        ];
        self.invoke_id.iter().map(|id| ("InvokeId", (&**id).into())).chain(page).collect()
    }

    pub(super) fn decode(
        &self,
        body: &[u8],
    ) -> Result<Decoded<Page<CommandInvocation>>, Undecoded> {
        let asked: Vec<_> = self.invoke_id.iter().map(|id| ("InvokeId", &**id)).collect();
        page(body, ("CommandInvocations", "InvokeId"), &asked, invocation)
    }
}

fn invocation(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<CommandInvocation> {
    let id: SmolStr = (*entry.id("InvokeId")?).into();
    // An entry without servers says nothing about any server.
    let servers = entry.entries("InvokeInstances", "InstanceId").ok_or(Unreadable)?;
    let command = Invocation {
        id: id.clone(),
        command_name: entry.name("CommandName").into(),
        command_type: CommandType::parse(&entry.word("CommandType")),
        status: InvocationStatus::parse(&entry.word("InvocationStatus")),
        record: None,
        created: None,
    };
    oddities.note("CommandType", command.command_type.unknown_word());
    oddities.note("InvocationStatus", command.status.unknown_word());
    let read = |server: &Object<'_>, oddities: &mut Oddities| {
        server_invocation(&command, entry, server, oddities)
    };
    let servers = servers.filter_map(|server| oddities.read(server, read));
    // If a server is listed twice, the last entry counts.
    let servers: BTreeMap<_, _> =
        servers.map(|server| (Arc::clone(&server.instance_id), server)).collect();
    Ok(CommandInvocation { id, servers: servers.into_values().collect() })
}

fn server_invocation(
    command: &Invocation,
    entry: &Object<'_>,
    server: &Object<'_>,
    oddities: &mut Oddities,
) -> Entry<ServerInvocation> {
    let instance_id = (*server.id("InstanceId")?).into();
    let result = result(server, &command.status);
    oddities.note("InvokeInstances.InvocationStatus", result.status.unknown_word());
    oddities.note("ErrorCode", result.error.as_ref().and_then(ErrorCode::unknown_word));
    let status = result.status.clone();
    let created = created(entry, result.started);
    let invocation = Invocation { status, created, ..command.clone() };
    let timeout = entry.count("Timeout");
    Ok(ServerInvocation { instance_id, invocation, timeout, result })
}

/// CreationTime. Without a zone it may be in any zone, so it counts only if the invocation started
/// about then.
fn created(entry: &Object<'_>, started: Option<Timestamp>) -> Option<Timestamp> {
    let created = entry.time("CreationTime")?;
    let near = |started: Timestamp| started.duration_since(created).abs() <= NEAR_START;
    (entry.has_zone("CreationTime") || started.is_some_and(near)).then_some(created)
}

/// The result on this server. A server without a status of its own has the overall one.
fn result(server: &Object<'_>, overall: &InvocationStatus) -> InvocationResult {
    let own = server.text("InvocationStatus");
    let status = own.map_or_else(|| overall.clone(), |word| InvocationStatus::parse(&word));
    InvocationResult {
        exit_code: status.exit_code(server.integer("ExitCode")),
        started: server.time("StartTime"),
        // The other operations call it FinishedTime.
        finished: server.time("FinishTime").or_else(|| server.time("FinishedTime")),
        status,
        record: None,
        error: error_code(server),
        error_text: error_text(server, &["ErrorInfo"]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    impl DescribeCommandInvocations {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self { invoke_id: None, page: 1 },
                r#""CommandInvocations": [{"InvokeId": "r", "CommandType": "RunShellScript",
               "InvocationStatus": "Running", "InvokeInstances": [{"InstanceId": "s"}]}]"#,
            )
        }
    }

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
        for (said, invocation) in said.iter().zip(&decoded.value.items) {
            let servers = said["InvokeInstances"].as_array().unwrap();
            assert_eq!(
                (&*invocation.id, invocation.servers.len()),
                (said["InvokeId"].as_str().unwrap(), servers.len())
            );
            for (said, server) in servers.iter().zip(&invocation.servers) {
                let exited = ["Success", "Failed"].contains(&server.invocation.status.label());
                assert_eq!(&*server.instance_id, said["InstanceId"]);
                assert_eq!(server.timeout, Some(60));
                assert_eq!(server.invocation.status.label(), said["InvocationStatus"]);
                assert_eq!(server.result.exit_code, said["ExitCode"].as_i64().filter(|_| exited));
                assert_eq!(
                    server.result.error.as_ref().map_or("", ErrorCode::label),
                    said["ErrorCode"]
                );
                let finished =
                    server.result.finished.map(|time| time.to_string()).unwrap_or_default();
                assert_eq!(finished, said["FinishTime"]);
                assert_eq!(
                    server.invocation.created.unwrap().to_string(),
                    "2024-04-27T10:11:58Z",
                    "a second before its start"
                );
            }
        }
    }

    fn one(mut invocation: Value) -> CommandInvocation {
        invocation["InvokeId"] = "t".into();
        let mut items =
            decode(&json!({"CommandInvocations": [invocation]}).to_string()).value.items;
        items.pop().unwrap()
    }

    #[test]
    fn a_creation_time_without_a_zone_is_believed_only_near_the_start() {
        let created = |created: &str, started: &str| {
            let invocation = json!({"CreationTime": created, "InvokeInstances": [{"InstanceId": "s", "StartTime": started}]});
            one(invocation).servers[0].invocation.created.map(|time| time.to_string())
        };
        let utc = Some("2024-04-27T10:11:58Z".to_owned());
        assert_eq!(created("2024-04-27T10:11:58", "2024-04-27T10:30:00Z"), utc);
        assert_eq!(
            created("2024-04-27T18:11:58", "2024-04-27T10:11:59Z"),
            None,
            "Chinese time, perhaps"
        );
        assert_eq!(created("2024-04-27T10:11:58", ""), None);
        assert_eq!(created("2024-04-27T10:11:58Z", ""), utc);
        assert_eq!(created("2024-04-27T18:11:58+08:00", ""), utc);
    }

    #[test]
    fn a_server_without_a_word_has_that_of_the_whole_and_one_without_an_id_is_left_out() {
        let invocation = one(
            json!({"InvocationStatus": "Timeout", "InvokeInstances": [{"InstanceId": "s"}, {"ExitCode": 0}]}),
        );
        let found: Vec<_> = invocation
            .servers
            .iter()
            .map(|server| (&*server.instance_id, &server.invocation.status))
            .collect();
        assert_eq!(found, [("s", &InvocationStatus::Timeout)]);
    }

    #[test]
    fn a_server_that_is_listed_twice_is_one_and_odd_ones_harm_no_other() {
        let servers = json!([{"InstanceId": "s", "ExitCode": 1}, 7, {"InstanceId": "r"}, null, {"InstanceId": "s"}]);
        let body = json!({"CommandInvocations": [
            {"InvokeId": "a", "InvokeInstances": {"InvokeInstance": servers}},
            {"InvokeId": "b", "InvokeInstances": null},
            {"InvokeId": "c", "InvokeInstances": []},
        ]});
        let decoded = decode(&body.to_string());
        let found = |invocation: &CommandInvocation| {
            invocation
                .servers
                .iter()
                .map(|server| server.instance_id.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let found: Vec<_> = decoded
            .value
            .items
            .iter()
            .map(|invocation| (&*invocation.id, found(invocation)))
            .collect();
        assert_eq!(found, [("a", "r s".to_owned()), ("c", String::new())]);
        assert_eq!(
            (decoded.value.entries, decoded.unreadable),
            (3, 3),
            "of b it is not known where it runs"
        );
    }

    #[test]
    fn the_answer_about_another_run_is_not_believed() {
        let operation = DescribeCommandInvocations { invoke_id: Some("a".into()), page: 1 };
        let body = br#"{"CommandInvocations": [{"InvokeId": "b", "InvokeInstances": []}]}"#;
        let decoded = operation.decode(body).unwrap();
        assert_eq!((decoded.value.items.len(), decoded.unreadable), (0, 1));
    }
}
