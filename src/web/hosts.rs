//! Host names under which the server answers requests whose responses a browser could leak.
//!
//! Another site can make its own name resolve to this server's address (DNS rebinding); a browser
//! then lets its pages read the responses. Such a name is not one of ours.

use std::net::IpAddr;

use axum::http::uri::Authority;

/// The names of this machine.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<String>);

impl Default for Hosts {
    fn default() -> Self {
        Self::with([])
    }
}

impl Hosts {
    /// `localhost`, this machine's name, and `others`: those of `--web.external-url` and of the
    /// listeners.
    pub fn with(others: impl IntoIterator<Item = String>) -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let short = machine.split('.').next().unwrap_or_default().to_owned();
        let names = ["localhost".to_owned(), machine, short].into_iter().chain(others);
        Self(names.map(|name| name.to_lowercase()).filter(|name| !name.is_empty()).collect())
    }

    /// Whether it is an address, or one of the names.
    pub(super) fn holds(&self, authority: &Authority) -> bool {
        let host = authority.host().trim_end_matches('.').to_lowercase();
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        literal.unwrap_or(&host).parse::<IpAddr>().is_ok() || self.0.contains(&host)
    }
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn addresses_and_own_names_are_taken_and_no_other_name() {
        let hosts = Hosts::with(["Exporter.example.com".to_owned()]);
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let holds = |text: &str| hosts.holds(&text.parse().unwrap());
        for name in [
            "localhost",
            "LOCALHOST:10977",
            "localhost.",
            "127.0.0.1:10977",
            "10.1.2.3",
            "[::1]:10977",
            "exporter.example.com:443",
            &machine,
        ] {
            assert!(holds(name), "{name}");
        }
        for name in
            ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io", "0x7f000001"]
        {
            assert!(!holds(name), "{name}");
        }
    }
}
