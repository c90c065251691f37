//! Error responses: status, code, message, and the documented body.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Operation, Product};

/// An error response of the API.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    /// Details of RAM's refusal, for products that send them.
    pub(crate) access_denied: Option<Value>,
    /// Additional headers.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Failure {
    /// A failure without details or additional headers.
    pub(crate) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            access_denied: None,
            headers: Vec::new(),
        }
    }

    /// A required parameter is missing.
    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            400,
            format!("Missing{parameter}"),
            format!("{parameter} is mandatory for this action."),
        )
    }

    /// A parameter has an invalid value.
    pub(crate) fn invalid(parameter: &str) -> Self {
        Self::new(400, "InvalidParams", format!("The specified parameter {parameter} is invalid."))
    }

    /// There is no operation with this Version and Action.
    pub(crate) fn no_such_api() -> Self {
        Self::new(
            404,
            "InvalidApi.NotFound",
            "Specified api is not found, please check your url and method.",
        )
    }

    /// The quota for this minute is used up.
    pub(crate) fn throttled() -> Self {
        Self::new(400, "Throttling.User", "Request was denied due to user flow control.")
    }

    /// RAM denies the operation. Each product words that differently.
    pub(crate) fn forbidden(operation: Operation) -> Self {
        match operation.product() {
            Product::Ehpc => {
                Self::new(407, "NotAuthorized", "You are not authorized by RAM for this request.")
            }
            _ => Self {
                access_denied: Some(access_denied_detail(operation)),
                ..Self::new(403, "NoPermission", "You are not authorized to perform this action.")
            },
        }
    }

    /// The documented body.
    pub(crate) fn body(&self, request_id: &str, host_id: &str, product: &str) -> Value {
        let mut body = json!({
            "RequestId": request_id,
            "HostId": host_id,
            "Code": self.code,
            "Message": self.message,
            "Recommend": format!(
                "https://api.aliyun.com/troubleshoot?q={}&product={product}&requestId={request_id}", self.code
            ),
        });
        if let Some(detail) = &self.access_denied {
            body["AccessDeniedDetail"] = detail.clone();
        }
        body
    }
}

fn access_denied_detail(operation: Operation) -> Value {
    json!({
        "AuthAction": operation.ram_action(),
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": "216959339000001",
        "AuthPrincipalOwnerId": "1234567890123456",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "NoPermissionType": "ImplicitDeny",
        "EncodedDiagnosticMessage": "AQIBIAAAAGxvcmVtLWlwc3VtLWRvbG9yLXNpdC1hbWV0",
    })
}
