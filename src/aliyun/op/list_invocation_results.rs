//! E-HPC ListInvocationResults: exit codes by node. Source: "ListInvocationResults" in
//! `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use smol_str::SmolStr;

use super::wire::{Entry, Oddities, page};
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::aliyun::json::Object;
use crate::model::{InvokeStatus, NodeResult, Page};

/// Requests a page of a command's results by node. `Message`, the command's output, is not read.
#[derive(Clone, Debug, PartialEq)]
pub struct ListInvocationResults {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// CommandId.
    pub command_id: SmolStr,
    /// PageNumber, from 1.
    pub page: u32,
}

impl ListInvocationResults {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![
            ("ClusterId", (&*self.cluster_id).into()),
            ("CommandId", (&*self.command_id).into()),
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", PAGE_SIZE.to_string().into()),
        ]
    }

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<NodeResult>>, Undecoded> {
        let asked = [("ClusterId", &*self.cluster_id), ("CommandId", &*self.command_id)];
        page(body, ("InvocationResults", "InstanceId"), &asked, result)
    }
}

fn result(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<NodeResult> {
    let id = entry.id("InstanceId")?;
    let status = InvokeStatus::parse(&entry.word("InvokeRecordStatus"));
    oddities.note("InvokeRecordStatus", status.unknown_word());
    Ok(NodeResult {
        instance_id: (*id).into(),
        exit_code: status.exit_code(entry.integer("ExitCode")),
        finished: entry.time("FinishedTime"),
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::ListInvocationResults;
    use crate::aliyun::op::samples::{CLUSTER, COMMAND};

    impl ListInvocationResults {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self { cluster_id: CLUSTER.into(), command_id: COMMAND.into(), page: 1 },
                r#""InvocationResults": {"InvocationResult":
               [{"InstanceId": "i", "InvokeRecordStatus": "Finished"}]}"#,
            )
        }
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListInvocationResults.json");
        let operation = ListInvocationResults {
            cluster_id: "c".into(),
            command_id: "c-hz01v8x80o30002".into(),
            page: 1,
        };
        let page = operation.decode(body).unwrap().value;
        let codes: Vec<_> =
            page.items.iter().map(|node| (node.status.label(), node.exit_code)).collect();
        assert_eq!(
            codes,
            [("Finished", Some(0)), ("Running", None), ("Failed", Some(127)), ("Stopped", None)]
        );
        let finished: Vec<_> = page.items.iter().map(|node| node.finished.is_some()).collect();
        assert_eq!(finished, [true, false, true, true]);
    }
}
