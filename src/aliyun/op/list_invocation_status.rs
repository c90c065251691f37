//! E-HPC ListInvocationStatus: a command on its nodes. Source: "ListInvocationStatus" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;

use super::wire::{List, Scalar, UnknownWords};
use super::{Decoded, Parameters};
use crate::model::{InvokeStatus, NodeStatuses};

/// Asks how a command stands on each of its nodes. The list has no pages.
#[derive(Clone, Debug, PartialEq)]
pub struct ListInvocationStatus {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// CommandId.
    pub command_id: Arc<str>,
}

impl ListInvocationStatus {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![("ClusterId", (&*self.cluster_id).into()), ("CommandId", (&*self.command_id).into())]
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<NodeStatuses>> {
        let wire: Body = serde_json::from_slice(body)?;
        let mut unknown = UnknownWords::default();
        let status = InvokeStatus::parse(wire.status.text().unwrap_or_default());
        unknown.note("InvokeStatus", status.unknown_word());
        let mut run = NodeStatuses { status, nodes: Default::default() };
        for node in wire.nodes.0 {
            let Some(id) = node.instance_id.text() else {
                unknown.note("InstanceId", Some(""));
                continue;
            };
            let status = InvokeStatus::parse(node.status.text().unwrap_or_default());
            unknown.note("InstanceInvokeStatus", status.unknown_word());
            run.nodes.insert(id.into(), status);
        }
        Ok(unknown.with(run))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "InvokeStatus", default)]
    status: Scalar<'a>,
    #[serde(borrow, rename = "InvokeInstances")]
    nodes: List<Node<'a>>,
}

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow, rename = "InstanceId", default)]
    instance_id: Scalar<'a>,
    #[serde(borrow, rename = "InstanceInvokeStatus", default)]
    status: Scalar<'a>,
}

#[cfg(test)]
mod tests {
    use super::ListInvocationStatus;
    use crate::model::InvokeStatus::{self, Failed, Finished, Running, Stopped};
    use crate::model::NodeStatuses;

    fn decode(body: &str) -> super::Decoded<NodeStatuses> {
        let operation = ListInvocationStatus { cluster_id: "c".into(), command_id: "d".into() };
        operation.decode(body.as_bytes()).unwrap()
    }

    fn nodes(run: &NodeStatuses) -> Vec<InvokeStatus> {
        run.nodes.values().cloned().collect()
    }

    #[test]
    fn the_samples_decode_to_what_they_say() {
        let all =
            decode(include_str!("../../../tests/fixtures/api/ehpc_ListInvocationStatus.all_node_states.json")).value;
        assert_eq!((all.status.clone(), nodes(&all)), (Running, vec![Finished, Running, Failed, Stopped]));
        let failed = decode(include_str!("../../../tests/fixtures/api/ehpc_ListInvocationStatus.Failed.json")).value;
        assert_eq!((failed.status.clone(), nodes(&failed)), (Failed, vec![Finished, Failed]));
        let stopped = decode(include_str!("../../../tests/fixtures/api/ehpc_ListInvocationStatus.Stopped.json")).value;
        assert_eq!((stopped.status.clone(), nodes(&stopped)), (Stopped, vec![Stopped, Stopped]));
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
