//! Answers from something in front of the API: a gateway, a firewall, a proxy, a login page.

use http::header::{
    CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, PROXY_AUTHENTICATE, RETRY_AFTER,
};
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An answer that is not the API's own, or not in its usual form.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) status: u16,
    body: Body,
    /// `Code`, in the bodies that have one.
    #[serde(default = "default_code")]
    code: String,
    /// Sent in `Retry-After`, if set.
    #[serde(default)]
    retry_after_s: Option<i64>,
    /// `Retry-After` is a date.
    #[serde(default)]
    retry_after_date: bool,
    /// `Location`, if set.
    #[serde(default)]
    location: Option<String>,
}

/// Forms of a body.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    /// No body.
    Empty,
    /// A page with only the status.
    Html,
    /// The page of a portal that requires a login.
    Login,
    /// The block page of a firewall.
    BlockPage,
    /// A line of text.
    Text,
    /// The documented JSON.
    Json,
    /// The documented JSON with lower-case keys.
    LowerCase,
    /// The documented JSON with a `Code` of 200 before the real one.
    RepeatedKey,
    /// The documented JSON inside another object.
    Nested,
    /// Other JSON, without a `Code`.
    OtherJson,
    /// The documented XML.
    Xml,
    /// The documented XML with a namespace, attributes, CDATA and entities.
    OddXml,
}

fn default_code() -> String {
    "ServiceUnavailable".to_owned()
}

const MESSAGE: &str = "The request was not let through.";

impl Gateway {
    /// The answer as HTTP.
    pub(crate) fn response(&self, request_id: &str, now: Timestamp) -> Response<Vec<u8>> {
        let (content_type, body) = self.body(request_id);
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let challenge = (self.status == 407).then(|| "Basic realm=\"proxy\"".to_owned());
        let headers = [
            (CONTENT_TYPE, Some(content_type.to_owned())),
            (DATE, Some(http_date(now))),
            (LOCATION, self.location.clone()),
            (PROXY_AUTHENTICATE, challenge),
            (RETRY_AFTER, self.retry_after(now)),
        ];
        for (name, value) in headers {
            set(&mut response, name, value);
        }
        response
    }

    fn retry_after(&self, now: Timestamp) -> Option<String> {
        let seconds = self.retry_after_s?;
        let date = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        Some(if self.retry_after_date { http_date(date) } else { seconds.to_string() })
    }

    fn body(&self, request_id: &str) -> (&'static str, String) {
        let Self { status, code, .. } = self;
        let error = json!({"RequestId": request_id, "Code": code, "Message": MESSAGE});
        match self.body {
            Body::Empty => ("application/octet-stream", String::new()),
            Body::Html => ("text/html", page(&status.to_string(), "")),
            Body::Login => (
                "text/html; charset=utf-8",
                page("Sign in", "<form><input name=\"password\"></form>"),
            ),
            Body::BlockPage => {
                ("text/html", page("Blocked", "<code>WAF-7</code> by policy of 10.1.2.3"))
            }
            Body::Text => ("text/plain", "upstream request timeout\n".to_owned()),
            Body::Json => (JSON, error.to_string()),
            Body::LowerCase => (
                JSON,
                json!({"requestId": request_id, "code": code, "message": MESSAGE}).to_string(),
            ),
            Body::RepeatedKey => (
                JSON,
                format!(
                    r#"{{"Code": "200", "RequestId": "{request_id}", "Code": "{code}", "Message": "m"}}"#
                ),
            ),
            Body::Nested => (JSON, json!({"requestId": request_id, "error": error}).to_string()),
            Body::OtherJson => (JSON, json!({"error": {"reason": "denied by policy"}}).to_string()),
            Body::Xml => ("text/xml;charset=utf-8", xml(request_id, code)),
            Body::OddXml => ("application/xml", odd_xml(request_id, code)),
        }
    }
}

const JSON: &str = "application/json;charset=utf-8";

fn page(title: &str, more: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>{more}</body></html>\n"
    )
}

fn xml(request_id: &str, code: &str) -> String {
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    format!(
        "{head}<Error><RequestId>{request_id}</RequestId><HostId>gateway</HostId><Code>{code}</Code>\
         <Message>{MESSAGE}</Message></Error>"
    )
}

/// The first letter of the code is written as an entity.
fn odd_xml(request_id: &str, code: &str) -> String {
    let (first, rest) = code.split_at(code.chars().next().map_or(0, char::len_utf8));
    let entity: String = first.chars().map(|first| format!("&#{};", u32::from(first))).collect();
    format!(
        "\u{feff}<!-- <Code>200</Code> --><g:Fault xmlns:g=\"urn:a>b\" kind='x'><g:RequestId>{request_id}</g:RequestId>\
         <g:Code type=\"text\">{entity}<![CDATA[{rest}]]></g:Code><g:Message>a &lt; b</g:Message></g:Fault>"
    )
}

fn set(response: &mut Response<Vec<u8>>, name: HeaderName, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(name, value);
    }
}

/// A time in HTTP's date format.
pub(crate) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
