//! An API request in progress, and its outcome as HTTP.

use std::net::IpAddr;

use http::header::{CONTENT_TYPE, DATE, HeaderValue};
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::envelope::Envelope;
use super::failure::Failure;
use super::gateway::{Gateway, http_date};
use super::{Operation, Product, odd};

/// Outcome of an operation, before it is turned into HTTP.
pub(crate) enum Outcome {
    Answer(Value),
    Failure(Failure),
    Html(u16),
    Gateway(Gateway),
    /// JSON that does not come from the gateway.
    Bare(Value),
    /// Plain text.
    Text(String),
}

/// An API request in progress.
pub(crate) struct Exchange {
    pub(crate) source: Option<IpAddr>,
    pub(crate) envelope: Envelope,
    pub(crate) operation: Option<Operation>,
    pub(crate) region: String,
    pub(crate) request_id: String,
    pub(crate) now: Timestamp,
}

impl Exchange {
    /// The outcome as HTTP.
    pub(crate) fn response(&self, outcome: Outcome) -> Response<Vec<u8>> {
        match outcome {
            Outcome::Answer(body) => self.json(200, &body, &[]),
            Outcome::Failure(failure) => {
                let product = self.operation.map_or(Product::Ehpc, Operation::product);
                let region = if self.region.is_empty() { "cn-hangzhou" } else { &self.region };
                let host = format!("{}.{region}.aliyuncs.com", product.host_prefix());
                let body = failure.body(&self.request_id, &host, product.code());
                self.json(failure.status, &body, &failure.headers)
            }
            Outcome::Html(status) => self.html(status),
            Outcome::Gateway(gateway) => gateway.response(&self.request_id, self.now),
            Outcome::Bare(body) => self.bare(200, "application/json", body.to_string()),
            Outcome::Text(text) => self.bare(200, "text/plain", text),
        }
    }

    fn json(
        &self,
        status: u16,
        body: &Value,
        headers: &[(&'static str, String)],
    ) -> Response<Vec<u8>> {
        let mut response = self.bare(status, "application/json;charset=utf-8", odd::written(body));
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            response.headers_mut().insert("x-acs-request-id", id);
        }
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(*name, value);
            }
        }
        response
    }

    /// A page as sent by a proxy or load balancer in front of the API.
    fn html(&self, status: u16) -> Response<Vec<u8>> {
        let reason = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error");
        let title = format!("{status} {reason}");
        let page = format!(
            "<html>\n<head><title>{title}</title></head>\n<body><h1>{title}</h1><hr>Tengine</body>\n</html>\n"
        );
        self.bare(status, "text/html", page)
    }

    fn bare(
        &self,
        status: u16,
        content_type: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        let mut response = Response::new(body.into());
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(date) = HeaderValue::from_str(&http_date(self.now)) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }
}
