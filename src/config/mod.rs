//! The configuration: what the user may say, its defaults, and every problem found in it at once.
//!
//! A YAML text dies in [`parse()`]; what leaves is [`Config`], in which every reference resolves and every value is in
//! range. Nothing below this module sees YAML.

mod account;
mod assume_role;
mod credentials;
mod discovery;
mod effective;
mod ehpc;
mod endpoint;
mod expand;
mod flags;
mod metrics;
mod names;
mod network;
mod no_proxy;
mod parse;
mod poll;
mod problem;
mod punctuation;
mod quota;
mod reader;
mod scalar;
mod state;
mod swas;
mod target;
mod units;
mod yaml;

pub use account::{Account, Network, Signature};
pub use assume_role::{AssumeRole, SESSION_NAME, is_role_arn, is_session_name};
pub use credentials::{Credentials, Oidc, SecretSource};
pub use discovery::{Discovery, Filter, Pattern, Regions};
pub use effective::redacted_yaml;
pub use ehpc::{Cluster, ClusterDiscovery, Commands, TaskWindow};
pub use endpoint::{Endpoints, is_loopback};
pub use flags::{with_endpoint, with_targets};
pub use metrics::{Metrics, StatusStyle};
pub(crate) use names::{is_id, is_region};
pub use network::{NO_PROXY_FORM, Proxy, proxy_url};
pub use no_proxy::NoProxy;
pub use parse::parse;
pub use poll::Poll;
pub use problem::{Problem, Problems};
pub use quota::{OPERATIONS, Quotas};
pub use state::State;
pub use swas::{RunWindow, Server, ServerDiscovery, SwasStrategy};

/// Maximum size of a configuration file, in bytes: room for 50,000 servers and more.
pub const MAX_FILE: u64 = 8 << 20;

/// A whole, valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How often and how patiently the cloud is asked.
    pub poll: Poll,
    /// The cloud accounts, at least one.
    pub accounts: Vec<Account>,
    /// The E-HPC clusters to poll.
    pub clusters: Vec<Cluster>,
    /// The Simple Application Servers to poll.
    pub servers: Vec<Server>,
    /// `swas.strategy`: how they are asked for.
    pub swas_strategy: SwasStrategy,
    /// Where to look for more clusters.
    pub cluster_discovery: ClusterDiscovery,
    /// Where to look for more servers.
    pub server_discovery: ServerDiscovery,
    /// What `/metrics` looks like and how large it may grow.
    pub metrics: Metrics,
    /// What must survive a restart.
    pub state: State,
}

impl Config {
    /// Whether there is anything to poll, or to look for.
    pub fn has_targets(&self) -> bool {
        !(self.clusters.is_empty() && self.servers.is_empty()) || self.discovers()
    }

    /// Whether there is anything to look for.
    pub fn discovers(&self) -> bool {
        !(self.cluster_discovery.entries.is_empty() && self.server_discovery.entries.is_empty())
    }
}

impl Default for Config {
    /// One account, whose credentials are looked for where the vendor's SDKs look, and nothing to poll.
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
        }
    }
}
