//! The section `swas`.

use super::account::Accounts;
use super::reader::Section;
use super::scalar::Choice;
use super::target::{Ids, MAX_AGE, Place};
use super::{InvocationWindow, Server, ServerDiscovery, SwasStrategy, discovery, names};

pub(super) const KEYS: &[&str] =
    &["strategy", "servers", "discovery", "region", "account", "max_invocations", "max_age"];
pub(super) const SERVER_KEYS: &[&str] = &["id", "region", "account", "name", "max_invocations", "max_age"];

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

/// The keys of the window over what holds otherwise.
fn window(section: &Section, otherwise: InvocationWindow) -> InvocationWindow {
    InvocationWindow {
        max_invocations: section.count("max_invocations", 0..=1_000_000).unwrap_or(otherwise.max_invocations),
        max_age: section.duration("max_age", MAX_AGE).unwrap_or(otherwise.max_age),
    }
}
