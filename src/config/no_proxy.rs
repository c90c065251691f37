//! Hosts to reach without a proxy: `proxy.no_proxy` and the environment's `NO_PROXY`, both parsed
//! as in Go's `golang.org/x/net/http/httpproxy`, which Prometheus and its exporters use. White
//! space separates entries as commas do.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::endpoint::is_loopback;

/// A list of hosts, domains, addresses and networks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoProxy {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    /// `*`
    All,
    /// `10.0.0.0/8`
    Network(IpNet),
    /// `10.0.0.1`, `[::1]:443`
    Address(IpAddr, Option<u16>),
    /// `example.com`, which includes its subdomains; `.example.com` and `*.example.com`, which are
    /// only the subdomains.
    Domain {
        /// With a leading dot.
        name: String,
        only_below: bool,
        port: Option<u16>,
    },
}

impl NoProxy {
    /// Parses a list. Invalid entries have no effect, and are returned.
    pub fn read(text: &str) -> (Self, Vec<String>) {
        let mut unknown = Vec::new();
        let mut entries = Vec::new();
        for word in
            text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
        {
            match entry(&word.to_ascii_lowercase()) {
                Some(entry) => entries.push(entry),
                None => unknown.push(word.to_owned()),
            }
        }
        (Self { text: text.to_owned(), entries }, unknown)
    }

    /// Whether the host of a URL is reached without the proxy at this port. This machine always is.
    pub fn excepts(&self, host: &str, port: u16) -> bool {
        is_loopback(host)
            || self.entries.iter().any(|entry| entry.matches(&host.to_ascii_lowercase(), port))
    }
}

/// As it was written; null if empty.
impl Serialize for NoProxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Some(&self.text).filter(|text| !text.is_empty()).serialize(serializer)
    }
}

impl Entry {
    fn matches(&self, host: &str, port: u16) -> bool {
        match (self, address(host)) {
            (Self::All, _) => true,
            (Self::Network(network), Some(address)) => network.contains(&address),
            (Self::Address(own, at), Some(address)) => {
                *own == address && at.is_none_or(|at| at == port)
            }
            (Self::Domain { name, only_below, port: at }, None) => {
                let is_itself = !only_below && host == &name[1..];
                (is_itself || host.ends_with(name)) && at.is_none_or(|at| at == port)
            }
            _ => false,
        }
    }
}

fn entry(word: &str) -> Option<Entry> {
    if word == "*" {
        return Some(Entry::All);
    }
    if let Ok(network) = word.parse::<IpNet>() {
        return Some(Entry::Network(network));
    }
    let (host, port) = host_and_port(word)?;
    if let Some(address) = address(host) {
        return Some(Entry::Address(address, port));
    }
    let domain = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
    let name = domain.strip_prefix('.').unwrap_or(domain);
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let is_name = !name.is_empty() && !name.starts_with('.') && name.chars().all(fits);
    is_name.then(|| Entry::Domain {
        name: format!(".{name}"),
        only_below: domain.starts_with('.'),
        port,
    })
}

/// `host:443` and `[::1]:443` -> their parts.
fn host_and_port(word: &str) -> Option<(&str, Option<u16>)> {
    // Several colons without a bracket: an IPv6 address.
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => return Some((word, None)),
    };
    match port {
        "" => Some((host, None)),
        port => Some((host, Some(port.parse().ok().filter(|port| *port > 0)?))),
    }
}

/// An address, with or without brackets; an IPv4 address written as IPv6 becomes IPv4.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::NoProxy;

    fn excepts(list: &str, host: &str, port: u16) -> bool {
        let (list, unknown) = NoProxy::read(list);
        assert_eq!(unknown, Vec::<String>::new());
        list.excepts(host, port)
    }

    /// The list matches host and port as `golang.org/x/net/http/httpproxy` does.
    #[test]
    fn a_list_is_read_as_go_reads_it() {
        for (list, host, port, wanted) in [
            ("", "example.com", 443, false),
            ("*", "example.com", 443, true),
            ("foo,*", "example.com", 443, true),
            ("example.com", "example.com", 443, true),
            ("example.com", "www.example.com", 443, true),
            ("EXAMPLE.com", "www.example.COM", 443, true),
            ("example.com", "notexample.com", 443, false),
            (".example.com", "www.example.com", 443, true),
            (".example.com", "example.com", 443, false),
            ("*.example.com", "a.b.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("example.com:443", "example.com", 443, true),
            ("example.com:443", "example.com", 8443, false),
            (".example.com:443", "www.example.com", 443, true),
            ("*.example.com:443", "www.example.com", 80, false),
            ("example.com:", "example.com", 80, true),
            (" foo , example.com ", "example.com", 443, true),
            ("foo example.com\tbar", "example.com", 443, true),
            ("foo,,example.com,", "example.com", 443, true),
            ("10.0.0.0/8", "10.1.2.3", 443, true),
            ("10.1.2.3/8", "10.200.0.1", 443, true),
            ("10.0.0.0/8", "11.1.2.3", 443, false),
            ("10.0.0.0/8", "10.example.com", 443, false),
            ("10.0.0.1", "10.0.0.1", 443, true),
            ("10.0.0.1", "10.0.0.10", 443, false),
            ("10.0.0.1:443", "10.0.0.1", 443, true),
            ("10.0.0.1:443", "10.0.0.1", 80, false),
            ("fd00::/8", "[fd12::1]", 443, true),
            ("fd12::1", "[fd12::1]", 443, true),
            ("[fd12::1]:443", "[fd12::1]", 443, true),
            ("[fd12::1]:443", "[fd12::1]", 80, false),
            ("[fd12::1]", "[fd12:0::1]", 443, true),
            ("::ffff:10.0.0.1", "10.0.0.1", 443, true),
            ("10.0.0.0/8", "[::ffff:10.0.0.1]", 443, true),
            ("0.1", "10.0.0.1", 443, false),
        ] {
            assert_eq!(excepts(list, host, port), wanted, "{list:?}: {host}:{port}");
        }
    }

    #[test]
    fn this_machine_is_never_reached_through_a_proxy() {
        for host in
            ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "[::1]", "[::ffff:127.0.0.1]"]
        {
            assert!(excepts("", host, 80), "{host}");
        }
        assert!(!excepts("", "localhost.example.com", 80) && !excepts("", "100.100.100.200", 80));
    }

    #[test]
    fn entries_that_mean_nothing_are_given_back() {
        let list = "http://host, host:x, host:0, 10.0.0.0/33, host/8, *example.com, a*.com, .., *, é.com, [host]:1, ok";
        let unknown =
            "http://host|host:x|host:0|10.0.0.0/33|host/8|*example.com|a*.com|..|é.com|[host]:1";
        assert_eq!(NoProxy::read(list).1.join("|"), unknown);
    }
}
