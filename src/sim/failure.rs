//! Error answers: status, code and message, and the documented body around them.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Operation, Product};

/// What the API says instead of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    /// Explains a refusal of RAM, where the product does.
    pub(crate) access_denied: Option<Value>,
    /// Headers beside those of every answer.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Failure {
    /// A failure with nothing beside its words.
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

    /// A required parameter is not there.
    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            400,
            format!("Missing{parameter}"),
            format!("{parameter} is mandatory for this action."),
        )
    }

    /// A parameter has a value that is not allowed.
    pub(crate) fn invalid(parameter: &str) -> Self {
        Self::new(400, "InvalidParams", format!("The specified parameter {parameter} is invalid."))
    }

    /// The Version and Action of the request name nothing.
    pub(crate) fn no_such_api() -> Self {
        Self::new(
            404,
            "InvalidApi.NotFound",
            "Specified api is not found, please check your url and method.",
        )
    }

    /// The caller's calls of this minute are used up.
    pub(crate) fn throttled() -> Self {
        Self::new(400, "Throttling.User", "Request was denied due to user flow control.")
    }

    /// RAM does not allow the operation. Each product has its own way to say so.
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
