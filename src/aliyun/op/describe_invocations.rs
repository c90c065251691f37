//! SWAS DescribeInvocations: a server's command invocations. Source: "DescribeInvocations" in
//! `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use super::wire::{Entry, Oddities, page};
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::aliyun::json::Object;
use crate::model::{CommandType, Invocation, InvocationStatus, InvokeStatus, Page};

/// Requests a page of a server's command invocations. `CommandContent` and `Parameters` are not
/// read.
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

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<Invocation>>, Undecoded> {
        page(body, ("Invocations", "InvokeId"), &[("InstanceId", &self.instance_id)], invocation)
    }
}

fn invocation(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<Invocation> {
    let id = entry.id("InvokeId")?;
    let command_type = CommandType::parse(&entry.word("CommandType"));
    let status = InvocationStatus::parse(&entry.word("InvocationStatus"));
    let record = entry.text("InvokeStatus").map(|word| InvokeStatus::parse(&word));
    oddities.note("CommandType", command_type.unknown_word());
    oddities.note("InvocationStatus", status.unknown_word());
    oddities.note("InvokeStatus", record.as_ref().and_then(InvokeStatus::unknown_word));
    Ok(Invocation {
        id: (*id).into(),
        command_name: entry.name("CommandName").into(),
        command_type,
        status,
        record,
        created: entry.time("CreationTime"),
    })
}

#[cfg(test)]
mod tests {
    use super::DescribeInvocations;
    use crate::aliyun::op::samples::SERVER;
    use crate::model::{CommandType, InvocationStatus, InvokeStatus};

    impl DescribeInvocations {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self { instance_id: SERVER.into(), page: 1 },
                r#""Invocations": [{"InvokeId": "r", "InvocationStatus": "Running",
               "CommandType": "RunShellScript"}]"#,
            )
        }
    }

    #[test]
    fn the_samples_decode_to_what_they_say() {
        let operation = DescribeInvocations { instance_id: "s".into(), page: 1 };
        let body = include_bytes!("../../../tests/fixtures/api/swas_DescribeInvocations.json");
        let decoded = operation.decode(body).unwrap();
        let words: Vec<_> =
            decoded.value.items.iter().map(|invocation| invocation.status.clone()).collect();
        assert_eq!(words, InvocationStatus::KNOWN[..11]);
        assert_eq!(decoded.unknown, []);
        let failed = &decoded.value.items[5];
        assert_eq!(
            (&failed.status, &failed.record),
            (&InvocationStatus::Failed, &Some(InvokeStatus::Finished))
        );
        assert_eq!(
            (&*failed.command_name, &failed.command_type),
            ("cmd-5", &CommandType::RunBatScript)
        );
        assert_eq!(failed.created, "2024-07-11T06:05:16Z".parse().ok());
        let seed = include_bytes!(
            "../../../tests/fixtures/api/swas_DescribeInvocations.seed_no_parameters.json"
        );
        assert_eq!(operation.decode(seed).unwrap().value.items.len(), 1);
        let empty =
            include_bytes!("../../../tests/fixtures/api/swas_DescribeInvocations.empty.json");
        assert_eq!(operation.decode(empty).unwrap().value.items, []);
    }

    #[test]
    fn open_and_ended_are_told_apart_also_for_words_nobody_knows() {
        let operation = DescribeInvocations { instance_id: "s".into(), page: 1 };
        let body = br#"{"Invocations": [
            {"InvokeId": "a", "InvocationStatus": "Stopping"}, {"InvokeId": "b", "InvocationStatus": "cancelled"},
            {"InvokeId": "c", "InvocationStatus": "Paused", "InvokeStatus": "Running"},
            {"InvokeId": "d", "InvocationStatus": "Paused", "InvokeStatus": "Stopped"}]}"#;
        let open: Vec<_> = operation
            .decode(body)
            .unwrap()
            .value
            .items
            .iter()
            .map(|invocation| invocation.is_open())
            .collect();
        assert_eq!(open, [true, false, true, false]);
    }
}
