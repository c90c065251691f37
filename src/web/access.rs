//! Every request passes here first: is it allowed, for this client, under this host name?

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::http::uri::{Authority, PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Redirect, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::ServiceExt;

use super::guard::{Door, Guard, Visitor};
use super::headers;
use super::hosts::Hosts;
use crate::lease::STATE_PATH;

/// Where things are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `--web.route-prefix`: what every path begins with, such as `/exporter`; empty for none.
    pub prefix: String,
    /// `--web.telemetry-path`: where the metrics are, under the prefix.
    pub telemetry: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self { prefix: String::new(), telemetry: "/metrics".into() }
    }
}

/// Checks requests before they reach the routes.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) routes: Router,
    pub(super) guard: Arc<ArcSwap<Guard>>,
    pub(super) hosts: Hosts,
    pub(super) paths: Paths,
}

impl Access {
    /// Answers a request. A connection of the reserve is served only health.
    pub(super) async fn answer(
        &self,
        request: axum::http::Request<Incoming>,
        visitor: Visitor,
        is_reserve: bool,
    ) -> Response {
        let guard = self.guard.load_full();
        let mut response = match self.refused(&request, &guard, visitor, is_reserve).await {
            Some(refused) => refused,
            None => self.routed(request).await,
        };
        headers::secure(response.headers_mut());
        guard.put_headers(response.headers_mut());
        response
    }

    async fn refused(
        &self,
        request: &axum::http::Request<Incoming>,
        guard: &Guard,
        visitor: Visitor,
        is_reserve: bool,
    ) -> Option<Response> {
        let Some(host) = host(request) else {
            return Some(closing(StatusCode::BAD_REQUEST, "one Host header is required\n"));
        };
        if !request.body().is_end_stream() {
            return Some(closing(StatusCode::BAD_REQUEST, "a request here has no body\n"));
        }
        let path = self.own_path(request.uri().path()).unwrap_or_default();
        let is_health = matches!(path, "/-/healthy" | "/-/ready");
        let is_state = path == STATE_PATH;
        if is_reserve && !is_health {
            let line = "too many connections: only health is served\n";
            return Some(closing(StatusCode::SERVICE_UNAVAILABLE, line));
        }
        let door = match () {
            () if is_health => Door::Health,
            () if is_state => Door::State,
            () => Door::Other,
        };
        if let Some(refusal) = guard.refusal(visitor, request.headers(), door).await {
            let mut response = (refusal.status, refusal.line).into_response();
            if refusal.status == StatusCode::UNAUTHORIZED {
                let realm = HeaderValue::from_static("Basic realm=\"restricted\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
            }
            return Some(response);
        }
        let is_metrics = path == self.paths.telemetry;
        if !(is_health || is_state || is_metrics || path == "/-/reload" || guard.has_pages()) {
            return Some(not_found().await.into_response());
        }
        let is_for_all = is_health || is_state || (is_metrics && is_read(request.method()));
        if is_for_all || guard.knows_visitors() || self.hosts.holds(&host) {
            return None;
        }
        let line = format!(
            "{} is not a name of this server: use its address, or name it in --web.external-url\n",
            host.host()
        );
        Some((StatusCode::FORBIDDEN, line).into_response())
    }

    /// The path without the prefix; `None` if it does not begin with that.
    fn own_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.paths.prefix.as_str()).filter(|rest| rest.starts_with('/'))
    }

    async fn routed(&self, request: axum::http::Request<Incoming>) -> Response {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path == "/" && !self.paths.prefix.is_empty() || path == self.paths.prefix {
            return Redirect::temporary(&format!("{}/", self.paths.prefix)).into_response();
        }
        let Some(own) = self.own_path(path) else { return not_found().await.into_response() };
        let target = match parts.uri.query() {
            Some(query) => format!("{own}?{query}"),
            None => own.to_owned(),
        };
        // A part of a valid URI, so this does not fail.
        let Ok(target) = target.parse::<PathAndQuery>() else {
            return not_found().await.into_response();
        };
        parts.uri = Uri::from(target);
        let request = axum::http::Request::from_parts(parts, Body::new(body));
        match self.routes.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The response for a path without a route.
pub(super) async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found: / links to all there is\n")
}

/// The response for a method that a route does not take.
pub(super) async fn method_not_allowed() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "method not allowed here\n")
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// A refusal after which the connection is closed, and nothing more is read from it.
fn closing(status: StatusCode, line: &'static str) -> Response {
    let mut response = (status, line).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The host that is asked for: from exactly one Host header, or from its counterpart in HTTP/2.
fn host<B>(request: &axum::http::Request<B>) -> Option<Authority> {
    let named = only(request.headers())?;
    match (request.uri().authority(), named) {
        (Some(asked), None) if request.version() == Version::HTTP_2 => Some(asked.clone()),
        (Some(asked), Some(named)) => (*asked == named).then_some(named),
        (None, Some(named)) => Some(named),
        (_, None) => None,
    }
}

/// The value of the Host header, if there is one; `None` if there are several, or it is not a host.
fn only(headers: &HeaderMap) -> Option<Option<Authority>> {
    let mut values = headers.get_all(header::HOST).iter();
    let Some(value) = values.next() else { return Some(None) };
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()?.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, Version};

    use super::host;

    fn asked(uri: &str, hosts: &[&str], version: Version) -> Option<String> {
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        host(&request.body(()).unwrap()).map(|authority| authority.to_string())
    }

    #[test]
    fn there_is_one_host() {
        for (uri, hosts, version, wanted) in [
            ("/", &["a:1"][..], Version::HTTP_11, Some("a:1")),
            ("/", &[], Version::HTTP_11, None),
            ("/", &[], Version::HTTP_10, None),
            ("/", &["a", "b"], Version::HTTP_11, None),
            ("/", &["a", "a"], Version::HTTP_11, None),
            ("/", &[""], Version::HTTP_11, None),
            ("/", &["a b"], Version::HTTP_11, None),
            ("http://a/", &["a"], Version::HTTP_11, Some("a")),
            ("http://a/", &["b"], Version::HTTP_11, None),
            ("http://a/", &[], Version::HTTP_11, None),
            ("https://a/", &[], Version::HTTP_2, Some("a")),
            ("https://a/", &["b"], Version::HTTP_2, None),
        ] {
            assert_eq!(
                asked(uri, hosts, version).as_deref(),
                wanted,
                "{uri} {hosts:?} {version:?}"
            );
        }
    }
}
