//! E-HPC ListInvocationStatus: the status of a command on its nodes. Source: "ListInvocationStatus"
//! in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use smol_str::SmolStr;

use super::wire::{Entry, Oddities, object};
use super::{Decoded, Parameters, Undecoded};
use crate::aliyun::json::Object;
use crate::model::{InvokeStatus, NodeStatuses};

/// Requests the status of a command on each of its nodes. The list has no pages.
#[derive(Clone, Debug, PartialEq)]
pub struct ListInvocationStatus {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// CommandId.
    pub command_id: SmolStr,
}

impl ListInvocationStatus {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![("ClusterId", (&*self.cluster_id).into()), ("CommandId", (&*self.command_id).into())]
    }

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<NodeStatuses>, Undecoded> {
        let answer =
            object(body, &[("ClusterId", &self.cluster_id), ("CommandId", &self.command_id)])?;
        let entries = answer.entries("InvokeInstances", "InstanceId");
        let status = answer.text("InvokeStatus").map(|word| InvokeStatus::parse(&word));
        // Before a command starts on any node, none need be listed.
        if entries.is_none() && !status.as_ref().is_some_and(InvokeStatus::is_open) {
            return Err(Undecoded::Missing("InvokeInstances"));
        }
        let status = status.unwrap_or_else(|| InvokeStatus::parse(""));
        let mut oddities = Oddities::of(&answer);
        oddities.note("InvokeStatus", status.unknown_word());
        let nodes =
            entries.into_iter().flatten().filter_map(|entry| oddities.read(entry, node)).collect();
        Ok(oddities.with(NodeStatuses { status, nodes }))
    }
}

fn node(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<(SmolStr, InvokeStatus)> {
    let id = entry.id("InstanceId")?;
    let status = InvokeStatus::parse(&entry.word("InstanceInvokeStatus"));
    oddities.note("InstanceInvokeStatus", status.unknown_word());
    Ok(((*id).into(), status))
}

#[cfg(test)]
mod tests {
    use super::{ListInvocationStatus, Undecoded};
    use crate::aliyun::op::samples::{CLUSTER, COMMAND};
    use crate::model::InvokeStatus::{self, Failed, Finished, Running, Stopped};
    use crate::model::NodeStatuses;

    impl ListInvocationStatus {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self { cluster_id: CLUSTER.into(), command_id: COMMAND.into() },
                r#""InvokeStatus": "Running", "InvokeInstances": {"InvokeInstance":
               [{"InstanceId": "i", "InstanceInvokeStatus": "Running"}]}"#,
            )
        }
    }

    fn decode(body: &str) -> super::Decoded<NodeStatuses> {
        let operation =
            ListInvocationStatus { cluster_id: "c".into(), command_id: "c-hz01v8x80o30002".into() };
        operation.decode(body.as_bytes()).unwrap()
    }

    fn nodes(invocation: &NodeStatuses) -> Vec<InvokeStatus> {
        invocation.nodes.values().cloned().collect()
    }

    #[test]
    fn the_samples_decode_to_what_they_say() {
        let all = decode(include_str!(
            "../../../tests/fixtures/api/ehpc_ListInvocationStatus.all_node_states.json"
        ))
        .value;
        assert_eq!(
            (all.status.clone(), nodes(&all)),
            (Running, vec![Finished, Running, Failed, Stopped])
        );
        let failed = decode(include_str!(
            "../../../tests/fixtures/api/ehpc_ListInvocationStatus.Failed.json"
        ))
        .value;
        assert_eq!((failed.status.clone(), nodes(&failed)), (Failed, vec![Finished, Failed]));
        let stopped = decode(include_str!(
            "../../../tests/fixtures/api/ehpc_ListInvocationStatus.Stopped.json"
        ))
        .value;
        assert_eq!((stopped.status.clone(), nodes(&stopped)), (Stopped, vec![Stopped, Stopped]));
    }

    #[test]
    fn without_a_list_only_what_has_not_ended_is_believed_and_never_the_answer_about_another() {
        let operation = ListInvocationStatus { cluster_id: "c".into(), command_id: "d".into() };
        let read =
            |body: &str| operation.decode(body.as_bytes()).map(|decoded| decoded.value.nodes.len());
        assert_eq!(read(r#"{"InvokeStatus": "Pending", "InvokeInstances": null}"#), Ok(0));
        assert_eq!(read(r#"{"InvokeStatus": "Finished", "InvokeInstances": []}"#), Ok(0));
        let missing = Err(Undecoded::Missing("InvokeInstances"));
        assert_eq!(read(r#"{"InvokeStatus": "Finished", "InvokeInstances": null}"#), missing);
        assert_eq!(read(r#"{"RequestId": "7"}"#), missing);
        let other = r#"{"CommandId": "e", "InvokeStatus": "Finished", "InvokeInstances": []}"#;
        assert_eq!(read(other), Err(Undecoded::Other("CommandId")));
    }

    #[test]
    fn a_node_that_is_listed_twice_is_one_and_an_odd_one_harms_no_other() {
        let decoded = decode(
            r#"{"InvokeStatus": "Running", "InvokeInstances": {"InvokeInstance": [7, {"InstanceId": "i-1"}, null, "x",
                {"InstanceId": "i-1", "InstanceInvokeStatus": "Failed"}, [], {"InstanceInvokeStatus": "Failed"}]}}"#,
        );
        assert_eq!((nodes(&decoded.value), decoded.unreadable), (vec![Failed], 5));
    }

    #[test]
    fn a_bare_list_an_unknown_word_and_any_letter_case_are_read() {
        let decoded = decode(
            r#"{"InvokeStatus": "finished", "InvokeInstances": [{"InstanceId": "i-1", "InstanceInvokeStatus": "Paused"}]}"#,
        );
        assert_eq!(decoded.value.status, Finished);
        assert_eq!(decoded.unknown, [("InstanceInvokeStatus", "Paused".to_owned())]);
        assert!(!decoded.value.is_open(), "the record says that it has ended");
    }
}
