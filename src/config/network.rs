//! `accounts[].proxy`, `ca_file` and `insecure_http`: how the cloud is reached.

use std::net::IpAddr;

use super::reader::{Section, Value};
use super::{Proxy, credentials, endpoint};

pub(super) const PROXY_KEYS: &[&str] = &["url", "username", "password", "no_proxy"];

/// The proxy; `None` leaves it to the environment.
pub(super) fn proxy(section: &Section) -> Option<Proxy> {
    let Some(url) = section.get("url") else {
        for key in ["username", "password", "no_proxy"] {
            refuse(
                section,
                key,
                "is not used without url: a proxy of the environment has its own in HTTPS_PROXY and NO_PROXY",
            );
        }
        return None;
    };
    if section.get("username").is_none() {
        refuse(section, "password", "is not used without username");
    }
    let url = proxy_url(&url);
    let username = section.get("username").and_then(|value| username(&value));
    let password = section.get("password").and_then(|value| credentials::source(&value));
    let no_proxy = section.get("no_proxy").and_then(|value| no_proxy(&value)).unwrap_or_default();
    Some(Proxy { url: url?, username, password, no_proxy })
}

/// HTTP's basic authentication ends the name at the first colon.
fn username(value: &Value) -> Option<String> {
    let text = value.filled()?.value;
    if text.contains(':') {
        value.problem("must not hold a colon: the password has a key of its own");
        return None;
    }
    Some(text)
}

fn refuse(section: &Section, key: &str, why: &str) {
    if let Some(value) = section.get(key) {
        value.problem(why);
    }
}

/// The URL may hold a password, so no problem repeats it.
fn proxy_url(value: &Value) -> Option<String> {
    let text = value.filled()?.value;
    match check_proxy(&text) {
        Ok(()) => Some(text.trim_end_matches('/').to_owned()),
        Err(message) => {
            value.problem(message);
            None
        }
    }
}

fn check_proxy(url: &str) -> Result<(), &'static str> {
    if url.split_once("://").is_some_and(|(_, rest)| rest.contains('@')) {
        return Err("must not hold a user name or password: write them into username and password");
    }
    let uri = endpoint::base_url(url, "must start with http:// or https://, like http://proxy.example.com:3128")?;
    match uri.path() {
        "" | "/" => Ok(()),
        _ => Err("must not have a path"),
    }
}

/// A comma list, as in the environment variable `NO_PROXY`.
fn no_proxy(value: &Value) -> Option<String> {
    let text = value.filled()?;
    if text.value.split(',').all(|entry| is_excepted(entry.trim())) {
        return Some(text.value);
    }
    let shown = text.shown();
    value.problem(format!(
        "{shown} is not a comma list of hosts, domains (.example.com), addresses and networks (10.0.0.0/8), or *"
    ));
    None
}

fn is_excepted(entry: &str) -> bool {
    let address = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_network = |(base, bits): (&str, &str)| {
        let most = address(base).map(|base| if base.is_ipv4() { 32 } else { 128 });
        bits.parse::<u8>().is_ok_and(|bits| most.is_ok_and(|most| bits <= most))
    };
    let is_host = || !entry.is_empty() && entry.chars().all(|c| c.is_alphanumeric() || ".-_".contains(c));
    entry == "*" || address(entry).is_ok() || entry.split_once('/').is_some_and(is_network) || is_host()
}

#[cfg(test)]
mod tests {
    use super::{check_proxy, is_excepted};

    #[test]
    fn proxies_have_a_host_and_nothing_else() {
        for url in ["http://proxy:3128", "https://proxy.example.com/", "http://[::1]:8080", "http://10.0.0.1:80"] {
            assert_eq!(check_proxy(url), Ok(()), "{url}");
        }
        for url in
            ["proxy:3128", "socks5://proxy", "http://u:p@proxy", "http://proxy/path", "http://proxy?a", "http://"]
        {
            assert!(check_proxy(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_the_proxy_is_not_used_for() {
        for entry in ["*", "localhost", ".example.com", "10.0.0.0/8", "fd00::/8", "::1", "[::1]", "192.168.0.1"] {
            assert!(is_excepted(entry), "{entry}");
        }
        for entry in ["", "*.example.com", "http://host", "host:80", "10.0.0.0/33", "host/8", "a b"] {
            assert!(!is_excepted(entry), "{entry}");
        }
    }
}
