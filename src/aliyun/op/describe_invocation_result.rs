//! SWAS DescribeInvocationResult: how a run went. Source: "DescribeInvocationResult" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;

use super::wire::{Scalar, UnknownWords};
use super::{Decoded, Parameters};
use crate::model::{ErrorCode, InvocationResult, InvocationStatus, InvokeStatus};

/// Asks how a run went. `Output`, `InvokeUser` and `ErrorInfo` are not read.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeInvocationResult {
    /// InstanceId.
    pub instance_id: Arc<str>,
    /// InvokeId.
    pub invoke_id: Arc<str>,
}

impl DescribeInvocationResult {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![("InstanceId", (&*self.instance_id).into()), ("InvokeId", (&*self.invoke_id).into())]
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<InvocationResult>> {
        let wire = serde_json::from_slice::<Body>(body)?.result;
        let status = InvocationStatus::parse(wire.invocation_status.text().unwrap_or_default());
        let record = wire.invoke_record_status.text().map(InvokeStatus::parse);
        // Some documents print the text "null" where there is no error.
        let error = wire.error_code.text().filter(|code| *code != "null").map(ErrorCode::parse);
        let mut unknown = UnknownWords::default();
        unknown.note("InvocationStatus", status.unknown_word());
        unknown.note("InvokeRecordStatus", record.as_ref().and_then(InvokeStatus::unknown_word));
        unknown.note("ErrorCode", error.as_ref().and_then(ErrorCode::unknown_word));
        Ok(unknown.with(InvocationResult {
            exit_code: status.exit_code(wire.exit_code.integer()),
            started: wire.start_time.time(),
            finished: wire.finished_time.time(),
            status,
            record,
            error,
        }))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "InvocationResult")]
    result: WireResult<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireResult<'a> {
    #[serde(borrow, default)]
    invocation_status: Scalar<'a>,
    #[serde(borrow, default)]
    invoke_record_status: Scalar<'a>,
    #[serde(borrow, default)]
    exit_code: Scalar<'a>,
    #[serde(borrow, default)]
    error_code: Scalar<'a>,
    #[serde(borrow, default)]
    start_time: Scalar<'a>,
    #[serde(borrow, default)]
    finished_time: Scalar<'a>,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::DescribeInvocationResult;
    use crate::model::{ErrorCode, InvocationResult};

    fn decode(body: &[u8]) -> super::Decoded<InvocationResult> {
        DescribeInvocationResult { instance_id: "s".into(), invoke_id: "r".into() }.decode(body).unwrap()
    }

    #[test]
    fn every_case_decodes_to_what_it_says() {
        let text = include_str!("../../../tests/fixtures/api/swas_DescribeInvocationResult.cases.json");
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 23);
        for case in cases {
            let said = &case["body"]["InvocationResult"];
            let decoded = decode(case["body"].to_string().as_bytes());
            let result = decoded.value;
            assert_eq!(decoded.unknown, [], "{}", case["name"]);
            assert_eq!(result.status.label(), said["InvocationStatus"]);
            assert_eq!(result.record.unwrap().label(), said["InvokeRecordStatus"]);
            assert_eq!(result.error.as_ref().map_or("", ErrorCode::label), said["ErrorCode"]);
            assert_eq!(result.started.is_some(), said["StartTime"] != "");
            let exited = ["Success", "Failed"].contains(&result.status.label());
            assert_eq!(result.exit_code, said["ExitCode"].as_i64().filter(|_| exited), "{}", case["name"]);
        }
    }

    #[test]
    fn a_null_error_code_is_none() {
        let body = br#"{"InvocationResult": {"InvocationStatus": "Success", "ErrorCode": "null", "ExitCode": "0"}}"#;
        let result = decode(body).value;
        assert_eq!((result.error, result.exit_code), (None, Some(0)));
    }
}
