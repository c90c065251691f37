//! The whole configuration, and how it is serialised: each type serialises itself, a secret as
//! `<secret>`.

use serde::{Serialize, Serializer};

use super::account::Account;
use super::discovery::Discovery;
use super::ehpc::{Cluster, ClusterDiscovery, Commands, TaskWindow};
use super::metrics::Metrics;
use super::poll::Poll;
use super::shard::Shard;
use super::state::State;
use super::swas::{InvocationWindow, Server, ServerDiscovery, SwasStrategy};
use super::web::Web;

/// A whole, valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Intervals, timeouts and limits of polling.
    pub poll: Poll,
    /// The cloud accounts, at least one.
    pub accounts: Vec<Account>,
    /// The E-HPC clusters to poll.
    pub clusters: Vec<Cluster>,
    /// The Simple Application Servers to poll.
    pub servers: Vec<Server>,
    /// `swas.strategy`: how their invocations are read.
    pub swas_strategy: SwasStrategy,
    /// Where to look for more clusters.
    pub cluster_discovery: ClusterDiscovery,
    /// Where to look for more servers.
    pub server_discovery: ServerDiscovery,
    /// What `/metrics` looks like and how large it may grow.
    pub metrics: Metrics,
    /// What must survive a restart.
    pub state: State,
    /// What is served, and which clients need to log in.
    pub web: Web,
    /// Which share of the targets this process polls; set by flags only.
    pub shard: Shard,
}

impl Config {
    /// Whether there is anything to poll or to discover.
    pub fn has_targets(&self) -> bool {
        !(self.clusters.is_empty() && self.servers.is_empty()) || self.discovers()
    }

    /// Whether there is anything to discover.
    pub fn discovers(&self) -> bool {
        !(self.cluster_discovery.entries.is_empty() && self.server_discovery.entries.is_empty())
    }
}

impl Default for Config {
    /// One account, whose credentials come from where the vendor's SDKs look, and nothing to poll.
    fn default() -> Self {
        Self {
            poll: Poll::default(),
            accounts: vec![Account::default()],
            clusters: Vec::new(),
            servers: Vec::new(),
            swas_strategy: SwasStrategy::PerServer,
            cluster_discovery: ClusterDiscovery::default(),
            server_discovery: ServerDiscovery::default(),
            metrics: Metrics::default(),
            state: State::default(),
            web: Web::default(),
            shard: Shard::default(),
        }
    }
}

/// The effective configuration as YAML, with every default. Access keys, their ids included, are
/// shown as `<secret>`; for one in a file, the path is shown.
pub fn redacted_yaml(config: &Config) -> String {
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    match serde_yaml::to_string_with_options(config, options) {
        // In a configuration file, two dollars stand for one.
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
            web: &self.web,
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
    web: &'a Web,
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
    window: Option<&'a InvocationWindow>,
}
