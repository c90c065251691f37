//! Why a request got no complete answer, by the types of the HTTP client's errors.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::time::Duration;

use humantime::format_duration as shown;
use rustls::CertificateError;

use super::Error;
use super::http::{Unresolved, connect_limit};
use super::proxy::Proxy;
use crate::causes::chain;

/// What was requested, where and how.
pub(super) struct Route<'a> {
    /// The endpoint, with its scheme.
    pub(super) endpoint: &'a str,
    /// The proxy it went through, if any.
    pub(super) proxy: Option<&'a Proxy>,
    /// Timeout for the request.
    pub(super) timeout: Duration,
}

/// The error of a request that got no complete answer. The URL is left out: it contains the
/// signature.
pub(super) fn trouble(route: &Route, error: reqwest::Error) -> Error {
    let Route { endpoint, proxy, timeout } = route;
    let host = endpoint.split("://").last().unwrap_or(endpoint);
    let place = proxy.map_or_else(|| host.to_owned(), |proxy| format!("{host} through {proxy}"));
    if error.is_timeout() {
        return match (error.is_connect(), proxy) {
            (true, Some(_)) => Error::Proxy(format!(
                "{place}: no connection within {}",
                shown(connect_limit(*timeout))
            )),
            (true, None) => Error::Timeout(connect_limit(*timeout)),
            (false, _) => Error::Timeout(*timeout),
        };
    }
    let error = error.without_url();
    let text = format!("{place}: {}", chain(&error));
    match first_of(&error, rustls_error) {
        Some(rustls::Error::InvalidCertificate(why)) if is_authority(why) => {
            return Error::AuthorityAsServer(text);
        }
        Some(rustls::Error::InvalidCertificate(_)) => return Error::Untrusted(text),
        Some(_) => return Error::Tls(text),
        None => {}
    }
    let is_tls = endpoint.starts_with("https");
    match (error.is_connect(), proxy) {
        (true, _) => {}
        // Without TLS there is no tunnel, so the other end of the connection is the proxy.
        (false, Some(_)) if !is_tls => return Error::Proxy(text),
        (false, _) => return Error::Transport(text),
    }
    // The text of the library that makes the tunnel; its errors have no type to check.
    if text.contains("proxy authorization required") {
        return Error::ProxyLogin(text);
    }
    let is_tunnel = text.contains("tunnel error");
    if is_tunnel || (proxy.is_some() && !(is_tls && is_cut_off(&error))) {
        return Error::Proxy(text);
    }
    if first_of(&error, |error| error.downcast_ref::<Unresolved>()).is_some() {
        return Error::Dns(text);
    }
    // TCP refuses at once or not at all; what is cut off later is cut off during the TLS handshake.
    match is_cut_off(&error) && is_tls {
        true => Error::Tls(text),
        false => Error::Connect(text),
    }
}

/// Whether a server used an authority's certificate as its own; the library has no error for that.
fn is_authority(why: &CertificateError) -> bool {
    matches!(why, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

fn rustls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref()
}

/// Whether the other side closed an established connection.
fn is_cut_off(error: &(dyn StdError + 'static)) -> bool {
    let ends = |error: &io::Error| {
        use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
    };
    // One I/O error may wrap another.
    first_of(error, |error| error.downcast_ref::<io::Error>().filter(|error| ends(error))).is_some()
}

/// The outermost error of a kind in the chain of causes.
fn first_of<'a, T>(
    error: &'a (dyn StdError + 'static),
    find: impl Fn(&'a (dyn StdError + 'static)) -> Option<T> + Copy,
) -> Option<T> {
    if let Some(found) = find(error) {
        return Some(found);
    }
    // The error inside an I/O error is not its source.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.and_then(|inner| first_of(inner as &(dyn StdError + 'static), find));
    inner.or_else(|| first_of(error.source()?, find))
}
