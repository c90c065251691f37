//! The effective configuration as YAML. Each type writes itself, a secret as `<secret>`; here is only which section
//! holds what.

use serde::{Serialize, Serializer};

use super::Config;
use super::account::Account;
use super::discovery::Discovery;
use super::ehpc::{Cluster, Commands, TaskWindow};
use super::metrics::Metrics;
use super::poll::Poll;
use super::state::State;
use super::swas::{RunWindow, Server, SwasStrategy};

/// The effective configuration as YAML, every default filled in. In place of access keys, their ids included, it says
/// `<secret>`; where a file holds one, its path is shown.
pub fn redacted_yaml(config: &Config) -> String {
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    match serde_yaml::to_string_with_options(config, options) {
        // A dollar is doubled where a configuration is read.
        Ok(yaml) => yaml.replace('$', "$$"),
        Err(error) => format!("# The configuration cannot be written as YAML: {error}\n"),
    }
}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let clusters_are_found = !self.cluster_discovery.entries.is_empty();
        let servers_are_found = !self.server_discovery.entries.is_empty();
        let root = Root {
            poll: &self.poll,
            accounts: &self.accounts,
            ehpc: Ehpc {
                clusters: &self.clusters,
                discovery: &self.cluster_discovery.entries,
                tasks: clusters_are_found.then_some(&self.cluster_discovery.tasks),
                commands: clusters_are_found.then_some(&self.cluster_discovery.commands),
            },
            swas: Swas {
                strategy: self.swas_strategy,
                servers: &self.servers,
                discovery: &self.server_discovery.entries,
                window: servers_are_found.then_some(&self.server_discovery.window),
            },
            metrics: &self.metrics,
            state: &self.state,
        };
        root.serialize(serializer)
    }
}

#[derive(Serialize)]
struct Root<'a> {
    poll: &'a Poll,
    accounts: &'a [Account],
    ehpc: Ehpc<'a>,
    swas: Swas<'a>,
    metrics: &'a Metrics,
    state: &'a State,
}

#[derive(Serialize)]
struct Ehpc<'a> {
    clusters: &'a [Cluster],
    discovery: &'a [Discovery],
    /// For discovered clusters; each listed one has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a TaskWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<&'a Commands>,
}

#[derive(Serialize)]
struct Swas<'a> {
    strategy: SwasStrategy,
    servers: &'a [Server],
    discovery: &'a [Discovery],
    /// For discovered servers; each listed one has its own.
    #[serde(flatten)]
    window: Option<&'a RunWindow>,
}
