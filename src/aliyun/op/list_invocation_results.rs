//! E-HPC ListInvocationResults: exit codes by node. Source: "ListInvocationResults" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;

use super::wire::{List, Scalar, UnknownWords};
use super::{Decoded, PAGE_SIZE, Parameters};
use crate::model::{InvokeStatus, NodeResult, Page};

/// Asks for a page of a command's results by node. `Message`, the command's output, is not read.
#[derive(Clone, Debug, PartialEq)]
pub struct ListInvocationResults {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// CommandId.
    pub command_id: Arc<str>,
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

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Page<NodeResult>>> {
        let wire: Body = serde_json::from_slice(body)?;
        let mut unknown = UnknownWords::default();
        let total = wire.total.count();
        let items = wire.results.0.iter().filter_map(|result| result.to_model(&mut unknown)).collect();
        Ok(unknown.with(Page::new(items, total)))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "InvocationResults")]
    results: List<WireResult<'a>>,
    #[serde(borrow, rename = "TotalCount", default)]
    total: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireResult<'a> {
    #[serde(borrow, default)]
    instance_id: Scalar<'a>,
    #[serde(borrow, default)]
    invoke_record_status: Scalar<'a>,
    #[serde(borrow, default)]
    exit_code: Scalar<'a>,
    #[serde(borrow, default)]
    finished_time: Scalar<'a>,
}

impl WireResult<'_> {
    fn to_model(&self, unknown: &mut UnknownWords) -> Option<NodeResult> {
        let Some(id) = self.instance_id.text() else {
            unknown.note("InstanceId", Some(""));
            return None;
        };
        let status = InvokeStatus::parse(self.invoke_record_status.text().unwrap_or_default());
        unknown.note("InvokeRecordStatus", status.unknown_word());
        Some(NodeResult {
            instance_id: id.into(),
            exit_code: status.exit_code(self.exit_code.integer()),
            finished: self.finished_time.time(),
            status,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ListInvocationResults;

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let body = include_bytes!("../../../tests/fixtures/api/ehpc_ListInvocationResults.json");
        let operation = ListInvocationResults { cluster_id: "c".into(), command_id: "d".into(), page: 1 };
        let page = operation.decode(body).unwrap().value;
        let codes: Vec<_> = page.items.iter().map(|node| (node.status.label(), node.exit_code)).collect();
        assert_eq!(codes, [("Finished", Some(0)), ("Running", None), ("Failed", Some(127)), ("Stopped", None)]);
        let finished: Vec<_> = page.items.iter().map(|node| node.finished.is_some()).collect();
        assert_eq!(finished, [true, false, true, true]);
    }
}
