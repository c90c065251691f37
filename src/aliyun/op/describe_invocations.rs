//! SWAS DescribeInvocations: a server's command runs. Source: "DescribeInvocations" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;

use super::wire::{List, Scalar, UnknownWords, cut};
use super::{Decoded, PAGE_SIZE, Parameters};
use crate::model::{COMMAND_NAME_BYTES, CommandType, Invocation, InvocationStatus, InvokeStatus, Page};

/// Asks for a page of a server's command runs. `CommandContent` and `Parameters` are not read.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeInvocations {
    /// InstanceId.
    pub instance_id: Arc<str>,
    /// PageNumber, from 1.
    pub page: u32,
}

impl DescribeInvocations {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![
            ("InstanceId", (&*self.instance_id).into()),
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", PAGE_SIZE.to_string().into()),
        ]
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Page<Invocation>>> {
        let wire: Body = serde_json::from_slice(body)?;
        let mut unknown = UnknownWords::default();
        let total = wire.total.count();
        let items = wire.invocations.0.iter().filter_map(|run| run.to_model(&mut unknown)).collect();
        Ok(unknown.with(Page::new(items, total)))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "Invocations")]
    invocations: List<WireInvocation<'a>>,
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
    invocation_status: Scalar<'a>,
    #[serde(borrow, default)]
    invoke_status: Scalar<'a>,
    #[serde(borrow, default)]
    creation_time: Scalar<'a>,
}

impl WireInvocation<'_> {
    fn to_model(&self, unknown: &mut UnknownWords) -> Option<Invocation> {
        let Some(id) = self.invoke_id.text() else {
            unknown.note("InvokeId", Some(""));
            return None;
        };
        let command_type = CommandType::parse(self.command_type.text().unwrap_or_default());
        let status = InvocationStatus::parse(self.invocation_status.text().unwrap_or_default());
        let record = self.invoke_status.text().map(InvokeStatus::parse);
        unknown.note("CommandType", command_type.unknown_word());
        unknown.note("InvocationStatus", status.unknown_word());
        unknown.note("InvokeStatus", record.as_ref().and_then(InvokeStatus::unknown_word));
        let command_name = cut(self.command_name.text().unwrap_or_default(), COMMAND_NAME_BYTES).into();
        Some(Invocation {
            id: id.into(),
            command_name,
            command_type,
            status,
            record,
            created: self.creation_time.time(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::DescribeInvocations;
    use crate::model::{CommandType, InvocationStatus, InvokeStatus};

    #[test]
    fn the_samples_decode_to_what_they_say() {
        let operation = DescribeInvocations { instance_id: "s".into(), page: 1 };
        let body = include_bytes!("../../../tests/fixtures/api/swas_DescribeInvocations.json");
        let decoded = operation.decode(body).unwrap();
        let words: Vec<_> = decoded.value.items.iter().map(|run| run.status.clone()).collect();
        assert_eq!(words, InvocationStatus::KNOWN[..11]);
        assert_eq!(decoded.unknown, []);
        let failed = &decoded.value.items[5];
        assert_eq!((&failed.status, &failed.record), (&InvocationStatus::Failed, &Some(InvokeStatus::Finished)));
        assert_eq!((&*failed.command_name, &failed.command_type), ("cmd-5", &CommandType::RunBatScript));
        assert_eq!(failed.created, "2024-07-11T06:05:16Z".parse().ok());
        let seed = include_bytes!("../../../tests/fixtures/api/swas_DescribeInvocations.seed_no_parameters.json");
        assert_eq!(operation.decode(seed).unwrap().value.items.len(), 1);
        let empty = include_bytes!("../../../tests/fixtures/api/swas_DescribeInvocations.empty.json");
        assert_eq!(operation.decode(empty).unwrap().value.items, []);
    }

    #[test]
    fn open_and_ended_are_told_apart_also_for_words_nobody_knows() {
        let operation = DescribeInvocations { instance_id: "s".into(), page: 1 };
        let body = br#"{"Invocations": [
            {"InvokeId": "a", "InvocationStatus": "Stopping"}, {"InvokeId": "b", "InvocationStatus": "cancelled"},
            {"InvokeId": "c", "InvocationStatus": "Paused", "InvokeStatus": "Running"},
            {"InvokeId": "d", "InvocationStatus": "Paused", "InvokeStatus": "Stopped"}]}"#;
        let open: Vec<_> = operation.decode(body).unwrap().value.items.iter().map(|run| run.is_open()).collect();
        assert_eq!(open, [true, false, true, false]);
    }
}
