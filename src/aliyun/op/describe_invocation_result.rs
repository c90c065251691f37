//! SWAS DescribeInvocationResult: the result of an invocation. Source: "DescribeInvocationResult"
//! in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use smol_str::SmolStr;

use super::texts::error_text;
use super::wire::{Oddities, error_code, is_about, object};
use super::{Decoded, Parameters, Undecoded};
use crate::aliyun::json::Json;
use crate::model::{ErrorCode, InvocationResult, InvocationStatus, InvokeStatus};

/// Requests the result of an invocation. `Output`, `InvokeUser` and `ErrorInfo` are not read.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribeInvocationResult {
    /// InstanceId.
    pub instance_id: Arc<str>,
    /// InvokeId.
    pub invoke_id: SmolStr,
}

impl DescribeInvocationResult {
    pub(super) fn parameters(&self) -> Parameters<'_> {
        vec![("InstanceId", (&*self.instance_id).into()), ("InvokeId", (&*self.invoke_id).into())]
    }

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<InvocationResult>, Undecoded> {
        let asked = [("InstanceId", &*self.instance_id), ("InvokeId", &*self.invoke_id)];
        let answer = object(body, &asked)?;
        let result = answer
            .get("InvocationResult")
            .and_then(Json::object)
            .filter(|result| !result.is_empty());
        let result = result.ok_or(Undecoded::Missing("InvocationResult"))?;
        is_about(&result, &asked)?;
        let status = InvocationStatus::parse(&result.word("InvocationStatus"));
        let record = result.text("InvokeRecordStatus").map(|word| InvokeStatus::parse(&word));
        let error = error_code(&result);
        let mut oddities = Oddities::of(&answer);
        oddities.note("InvocationStatus", status.unknown_word());
        oddities.note("InvokeRecordStatus", record.as_ref().and_then(InvokeStatus::unknown_word));
        oddities.note("ErrorCode", error.as_ref().and_then(ErrorCode::unknown_word));
        Ok(oddities.with(InvocationResult {
            exit_code: status.exit_code(result.integer("ExitCode")),
            started: result.time("StartTime"),
            finished: result.time("FinishedTime"),
            status,
            record,
            error,
            error_text: error_text(&result, &["ErrorInfo"]),
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::aliyun::op::samples::{INVOCATION, SERVER};
    use serde_json::Value;

    impl DescribeInvocationResult {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self { instance_id: SERVER.into(), invoke_id: INVOCATION.into() },
                r#""InvocationResult": {"InvokeId": "t-bj02prjje650000",
               "InstanceId": "ace0706b2ac4454d984295a942130001", "InvocationStatus": "Success"}"#,
            )
        }
    }

    use super::{DescribeInvocationResult, Undecoded};
    use crate::model::{ErrorCode, InvocationResult};

    fn decode(body: &[u8]) -> super::Decoded<InvocationResult> {
        DescribeInvocationResult { instance_id: "s".into(), invoke_id: "r".into() }
            .decode(body)
            .unwrap()
    }

    #[test]
    fn every_case_decodes_to_what_it_says() {
        let text =
            include_str!("../../../tests/fixtures/api/swas_DescribeInvocationResult.cases.json");
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 23);
        for case in cases {
            let said = &case["body"]["InvocationResult"];
            let id = |field| said[field].as_str().unwrap();
            let operation = DescribeInvocationResult {
                instance_id: id("InstanceId").into(),
                invoke_id: id("InvokeId").into(),
            };
            let decoded = operation.decode(case["body"].to_string().as_bytes()).unwrap();
            let result = decoded.value;
            assert_eq!(decoded.unknown, [], "{}", case["name"]);
            assert_eq!(result.status.label(), said["InvocationStatus"]);
            assert_eq!(result.record.unwrap().label(), said["InvokeRecordStatus"]);
            assert_eq!(result.error.as_ref().map_or("", ErrorCode::label), said["ErrorCode"]);
            let text = result.error_text.as_ref();
            assert_eq!(text.map_or("", |text| text.text()), said["ErrorInfo"]);
            assert!(text.is_none_or(|text| text.is_documented()), "{}", case["name"]);
            assert_eq!(result.started.is_some(), said["StartTime"] != "");
            let exited = ["Success", "Failed"].contains(&result.status.label());
            assert_eq!(
                result.exit_code,
                said["ExitCode"].as_i64().filter(|_| exited),
                "{}",
                case["name"]
            );
        }
    }

    #[test]
    fn no_result_and_that_of_another_run_are_no_answer() {
        let operation = DescribeInvocationResult { instance_id: "s".into(), invoke_id: "r".into() };
        let read = |body: &str| operation.decode(body.as_bytes()).unwrap_err();
        for body in [
            "{}",
            r#"{"InvocationResult": null}"#,
            r#"{"InvocationResult": {}}"#,
            r#"{"InvocationResult": [7]}"#,
        ] {
            assert_eq!(read(body), Undecoded::Missing("InvocationResult"), "{body}");
        }
        let other = r#"{"InvocationResult": {"InvokeId": "q", "InvocationStatus": "Success", "ExitCode": 0}}"#;
        assert_eq!(read(other), Undecoded::Other("InvokeId"));
    }

    #[test]
    fn a_null_error_code_is_none() {
        let body = br#"{"InvocationResult": {"InvocationStatus": "Success", "ErrorCode": "null", "ExitCode": "0"}}"#;
        let result = decode(body).value;
        assert_eq!((result.error, result.exit_code), (None, Some(0)));
    }
}
