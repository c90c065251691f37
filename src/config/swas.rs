//! The section `swas`.

use std::time::Duration;

use serde::Serialize;

use super::account::Accounts;
use super::discovery::{self, Discovery};
use super::names;
use super::reader::Section;
use super::scalar::Choice;
use super::target::{Ids, MAX_AGE, Place};
use super::units::write_duration;

/// `swas.strategy`: how the invocations of servers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SwasStrategy {
    /// DescribeInvocations for each server.
    PerServer,
    /// DescribeCommandInvocations for all servers of an account in a region at once.
    PerRegion,
}

/// An entry of `swas.servers`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Server {
    /// Instance id: 32 hexadecimal digits.
    pub id: String,
    /// Region id.
    pub region: String,
    /// Name of an entry of `accounts`.
    pub account: String,
    /// The `instance_name` label; empty if the user gave none.
    pub name: String,
    /// Which command invocations are shown; open ones always are.
    #[serde(flatten)]
    pub window: InvocationWindow,
}

/// `swas.servers[].max_invocations` and `.max_age`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InvocationWindow {
    /// Maximum number: all open ones, then the newest ended ones.
    pub max_invocations: usize,
    /// Maximum time since creation. The cloud keeps results for two weeks.
    #[serde(serialize_with = "write_duration")]
    pub max_age: Duration,
}

impl Default for InvocationWindow {
    fn default() -> Self {
        Self { max_invocations: 50, max_age: Duration::from_secs(336 * 3600) }
    }
}

/// `swas.discovery`, and what is shown of the servers found: the section's defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerDiscovery {
    /// Where to look.
    pub entries: Vec<Discovery>,
    /// Which of their command invocations are shown.
    pub window: InvocationWindow,
}

pub(super) const KEYS: &[&str] =
    &["strategy", "servers", "discovery", "region", "account", "max_invocations", "max_age"];
pub(super) const SERVER_KEYS: &[&str] =
    &["id", "region", "account", "name", "max_invocations", "max_age"];

const STRATEGIES: &[Choice<SwasStrategy>] =
    &[("per_server", SwasStrategy::PerServer), ("per_region", SwasStrategy::PerRegion)];

pub(super) fn strategy(section: &Section) -> SwasStrategy {
    section.choice("strategy", STRATEGIES).unwrap_or(SwasStrategy::PerServer)
}

pub(super) fn read(section: &Section, accounts: &Accounts) -> (Vec<Server>, ServerDiscovery) {
    let place = Place::defaults(section, accounts);
    let window = window(section, InvocationWindow::default());
    let mut ids = Ids::new("server");
    let servers = section.items("servers").into_iter().filter_map(|item| {
        let own = item.section(SERVER_KEYS);
        let id = ids.read(&own);
        let (region, account) = place.of(&own, "swas.region", accounts);
        let name = own.get("name").and_then(|value| names::label(&value, true)).unwrap_or_default();
        let window = self::window(&own, window.clone());
        Some(Server { id: id?, region: region?, account: account?, name, window })
    });
    let servers = servers.collect();
    let entries = discovery::read(section, place.account(), accounts);
    (servers, ServerDiscovery { entries, window })
}

/// The window's keys, with `otherwise` as defaults.
fn window(section: &Section, otherwise: InvocationWindow) -> InvocationWindow {
    InvocationWindow {
        max_invocations: section
            .count("max_invocations", 0..=1_000_000)
            .unwrap_or(otherwise.max_invocations),
        max_age: section.duration("max_age", MAX_AGE).unwrap_or(otherwise.max_age),
    }
}
