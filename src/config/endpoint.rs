//! `accounts[].endpoints`: URLs that replace the vendor's.

use std::net::IpAddr;

use http::Uri;
use serde::Serialize;

use super::reader::{Section, Value};

/// `accounts[].endpoints`: base URLs that replace the vendor's; `{region}` in them is replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Endpoints {
    /// For E-HPC.
    pub ehpc: Option<String>,
    /// For Simple Application Server.
    pub swas: Option<String>,
    /// For Security Token Service.
    pub sts: Option<String>,
    /// For the metadata server of ECS.
    pub metadata: Option<String>,
}

pub(super) const KEYS: &[&str] = &["ehpc", "swas", "sts", "metadata"];

/// The vendor's own; requests to it do not leave the machine.
const METADATA: &str = "http://100.100.100.200";

/// `insecure_http` allows URLs without TLS beyond this machine.
pub(super) fn read(section: &Section, insecure_http: bool) -> Endpoints {
    let url = |key: &str| section.get(key).and_then(|value| endpoint(&value, insecure_http));
    let metadata = metadata(section, insecure_http);
    Endpoints { ehpc: url("ehpc"), swas: url("swas"), sts: url("sts"), metadata }
}

/// The metadata server has no region.
fn metadata(section: &Section, insecure_http: bool) -> Option<String> {
    let value = section.get("metadata")?;
    if value.filled()?.value == METADATA {
        return Some(METADATA.to_owned());
    }
    let url = endpoint(&value, insecure_http)?;
    if url.contains("{region}") {
        value.problem("must not hold {region}: the metadata server is the one of this machine");
        return None;
    }
    Some(url)
}

/// The URL without a slash at its end. It may contain a password, so problems never show it.
fn endpoint(value: &Value, insecure_http: bool) -> Option<String> {
    let text = value.filled()?.value;
    url(&text, insecure_http).map_err(|message| value.problem(message)).ok()
}

/// The URL of an endpoint without a slash at its end.
///
/// # Errors
/// What is wrong with it, without its text.
pub(super) fn url(text: &str, insecure_http: bool) -> Result<String, &'static str> {
    check(&text.replace("{region}", "cn-hangzhou"), insecure_http)?;
    Ok(text.trim_end_matches('/').to_owned())
}

fn check(url: &str, insecure_http: bool) -> Result<(), &'static str> {
    if url.contains(['{', '}']) {
        return Err("only {region} is replaced in an endpoint, no other word in braces");
    }
    let uri = base_url(
        url,
        "must start with https://",
        "is not a URL: write one like https://ehpc.{region}.aliyuncs.com",
    )?;
    if uri.scheme_str() == Some("http") && !insecure_http && !uri.host().is_some_and(is_loopback) {
        return Err(
            "must start with https://: over http:// the answers could be read and forged on the way \
                    (http:// is possible on localhost, and elsewhere only with insecure_http: true)",
        );
    }
    Ok(())
}

/// A URL of scheme, host, port and path. The error is `wanted` if the scheme is neither http nor
/// https, `malformed` if it is not a URL.
pub(super) fn base_url(
    url: &str,
    wanted: &'static str,
    malformed: &'static str,
) -> Result<Uri, &'static str> {
    if url.contains(['?', '#']) {
        return Err("must not have a query or a fragment");
    }
    let uri: Uri = url.parse().map_err(|_| malformed)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wanted);
    }
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("must not hold a user name or password");
    }
    let host = authority.host();
    if host.is_empty() || !is_port(&authority.as_str()[host.len()..]) {
        return Err("has no valid host and port");
    }
    Ok(uri)
}

/// Whether it is empty, or a colon and a port.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .and_then(|port| port.parse::<u16>().ok())
            .is_some_and(|port| port > 0)
}

/// Whether the host of a URL is this machine.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn good_endpoints() {
        for url in [
            "https://ehpc.cn-hangzhou.aliyuncs.com",
            "https://proxy.example:8443/aliyun/",
            "http://localhost:9000",
            "http://127.0.0.53",
            "http://[::1]:80",
        ] {
            assert_eq!(check(url, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn bad_endpoints() {
        for url in [
            "",
            "ehpc.aliyuncs.com",
            "ftp://ehpc.aliyuncs.com",
            "/path",
            "https://",
            "https://:443",
            "https://host:",
            "https://host:99999",
            "https://user:pw@host",
            "https://host/?a=b",
            "https://host/#x",
            "https://{zone}.host",
            "http://host",
            "http://localhost.example",
            "http://[::2]",
            "https://a b",
        ] {
            assert!(check(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn who_says_so_may_do_without_tls() {
        assert_eq!(check("http://host:8080", true), Ok(()));
        assert!(check("http://user@host", true).is_err() && check("ftp://host", true).is_err());
    }
}
