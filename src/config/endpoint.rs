//! `accounts[].endpoints`: URLs that replace the vendor's.

use std::net::IpAddr;

use http::Uri;

use super::Endpoints;
use super::reader::{Section, Value};

pub(super) const KEYS: &[&str] = &["ehpc", "swas", "sts", "metadata"];

/// The vendor's own; it is reached without leaving the machine.
const METADATA: &str = "http://100.100.100.200";

pub(super) fn read(section: &Section) -> Endpoints {
    let url = |key: &str| section.get(key).and_then(|value| endpoint(&value));
    Endpoints { ehpc: url("ehpc"), swas: url("swas"), sts: url("sts"), metadata: metadata(section) }
}

/// The metadata server has no region.
fn metadata(section: &Section) -> Option<String> {
    let value = section.get("metadata")?;
    if value.filled()?.value == METADATA {
        return Some(METADATA.to_owned());
    }
    let url = endpoint(&value)?;
    if url.contains("{region}") {
        value.problem("must not hold {region}: the metadata server is the one of this machine");
        return None;
    }
    Some(url)
}

/// The URL without a slash at its end. It may hold a password, so no problem repeats it.
fn endpoint(value: &Value) -> Option<String> {
    let text = value.filled()?.value;
    match check(&text.replace("{region}", "cn-hangzhou")) {
        Ok(()) => Some(text.trim_end_matches('/').to_owned()),
        Err(message) => {
            value.problem(message);
            None
        }
    }
}

fn check(url: &str) -> Result<(), &'static str> {
    if url.contains(['{', '}']) {
        return Err("only {region} is replaced in an endpoint, no other word in braces");
    }
    if url.contains(['?', '#']) {
        return Err("must not have a query or a fragment");
    }
    let uri: Uri = url.parse().map_err(|_| "is not a URL: write one like https://ehpc.{region}.aliyuncs.com")?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let scheme = scheme.ok_or("must start with https://")?;
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("must not hold a user name or password");
    }
    let host = authority.host();
    if host.is_empty() || !is_port(&authority.as_str()[host.len()..]) {
        return Err("has no valid host and port");
    }
    if scheme == "http" && !is_loopback(host) {
        return Err("must start with https://: over http:// the answers could be read and forged on the way \
                    (http:// is possible on localhost only)");
    }
    Ok(())
}

/// Nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
            assert_eq!(check(url), Ok(()), "{url}");
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
            assert!(check(url).is_err(), "{url}");
        }
    }
}
