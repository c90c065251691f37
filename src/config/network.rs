//! `accounts[].proxy`, `ca_file` and `insecure_http`: how the cloud is reached.

use http::Uri;
use serde::{Serialize, Serializer};

use super::credentials::{self, SecretSource};
use super::endpoint;
use super::no_proxy::NoProxy;
use super::reader::{Section, Value};

/// `accounts[].proxy`: an HTTP proxy that replaces the environment's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proxy {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// User name for proxy authentication.
    pub username: Option<String>,
    /// Password for proxy authentication; a file is read when the configuration is applied.
    pub password: Option<SecretSource>,
    /// Hosts to reach without it.
    pub no_proxy: NoProxy,
}

pub(super) const PROXY_KEYS: &[&str] = &["url", "username", "password", "no_proxy"];

/// Serialises a proxy; without one, the same keys are all null.
///
/// # Errors
/// Those of the serializer.
pub(super) fn write_proxy<S: Serializer>(
    proxy: &Option<Proxy>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match proxy {
        Some(proxy) => proxy.serialize(serializer),
        None => serializer.collect_map(PROXY_KEYS.iter().map(|key| (key, ()))),
    }
}

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
    let url = self::url(&url);
    let username = section.get("username").and_then(|value| username(&value));
    let password = section.get("password").and_then(|value| credentials::source(&value));
    let no_proxy = section.get("no_proxy").and_then(|value| no_proxy(&value)).unwrap_or_default();
    Some(Proxy { url: url?, username, password, no_proxy })
}

/// HTTP basic authentication ends the name at the first colon.
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

/// The URL may contain a password, so problems never show it.
fn url(value: &Value) -> Option<String> {
    let text = value.filled()?.value;
    match check(&text) {
        Ok(()) => Some(text.trim_end_matches('/').to_owned()),
        Err(message) => {
            value.problem(message);
            None
        }
    }
}

fn check(url: &str) -> Result<(), &'static str> {
    if url.split_once("://").is_some_and(|(_, rest)| rest.contains('@')) {
        return Err("must not hold a user name or password: write them into username and password");
    }
    match proxy_url(url)?.path() {
        "" | "/" => Ok(()),
        _ => Err("must not have a path"),
    }
}

/// The URL of a proxy, without user name and password.
///
/// # Errors
/// What is wrong with it, without its text.
pub fn proxy_url(url: &str) -> Result<Uri, &'static str> {
    let wanted = match url.get(..5) {
        Some(start) if start.eq_ignore_ascii_case("socks") => {
            "must start with http:// or https://, like http://proxy.example.com:3128; SOCKS proxies cannot be used"
        }
        _ => "must start with http:// or https://, like http://proxy.example.com:3128",
    };
    endpoint::base_url(url, wanted, "is not a URL: write one like http://proxy.example.com:3128")
}

/// A list as in the environment variable `NO_PROXY`, in which every entry must be valid.
fn no_proxy(value: &Value) -> Option<NoProxy> {
    let text = value.filled()?;
    let (list, unknown) = NoProxy::read(&text.value);
    if unknown.is_empty() {
        return Some(list);
    }
    let shown = text.shown();
    value.problem(format!("{shown} is not {NO_PROXY_FORM}"));
    None
}

/// Format of `no_proxy` and `NO_PROXY`.
pub const NO_PROXY_FORM: &str = "a comma list of hosts (example.com, example.com:443), domains (.example.com), addresses and \
                                 networks (10.0.0.0/8), or *";

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn proxies_have_a_host_and_nothing_else() {
        for url in [
            "http://proxy:3128",
            "https://proxy.example.com/",
            "http://[::1]:8080",
            "http://10.0.0.1:80",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in [
            "proxy:3128",
            "socks5://proxy",
            "http://u:p@proxy",
            "http://proxy/path",
            "http://proxy?a",
            "http://",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
        for url in ["socks5://proxy:1080", "SOCKS5H://proxy", "socks4a://proxy", "socks://proxy"] {
            assert!(check(url).unwrap_err().ends_with("SOCKS proxies cannot be used"), "{url}");
        }
    }
}
