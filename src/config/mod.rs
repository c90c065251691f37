//! The configuration: what the user may say, its defaults, and every problem found in it at once.
//!
//! A YAML text dies in [`parse()`]; what leaves is [`Config`], in which every reference resolves and every value is in
//! range. Nothing below this module sees YAML.

mod account;
mod assume_role;
mod credentials;
mod discovery;
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
mod redact;
mod scalar;
mod state;
mod swas;
mod target;
mod units;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use assume_role::{SESSION_NAME, is_role_arn, is_session_name};
pub use discovery::{Discovery, Filter, Pattern, Regions};
pub use endpoint::is_loopback;
pub use flags::{with_endpoint, with_targets};
pub(crate) use names::{is_id, is_region};
pub use network::{NO_PROXY_FORM, proxy_url};
pub use no_proxy::NoProxy;
pub use parse::parse;
pub use problem::{Problem, Problems};
pub use quota::OPERATIONS;
pub use redact::redacted_yaml;

use crate::secret::Secret;

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

/// `poll`: how often and how patiently the cloud is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// Time between two polls of a target.
    pub interval: Duration,
    /// The same while the target has open work.
    pub active_interval: Duration,
    /// The same once the target had no open work for `idle_after`.
    pub idle_interval: Duration,
    /// How long a target must be without open work to be idle.
    pub idle_after: Duration,
    /// Time between two readings of what is not read at each poll: archived tasks, whole lists whose order is known,
    /// with `per_region` the servers of a region.
    pub history_interval: Duration,
    /// At most so many pages of a list are read in one poll.
    pub history_max_pages: u32,
    /// Limit of one HTTP request; a poll without an answer for three times that ends.
    pub timeout: Duration,
    /// Values older than this are withdrawn (at least three planned periods).
    pub stale_after: Duration,
    /// At most so many requests are under way at once.
    pub concurrency: usize,
    /// A larger answer is refused.
    pub max_response_bytes: u64,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            active_interval: Duration::from_secs(10),
            idle_interval: Duration::from_secs(120),
            idle_after: Duration::from_secs(30 * 60),
            history_interval: Duration::from_secs(30 * 60),
            history_max_pages: 20,
            timeout: Duration::from_secs(10),
            stale_after: Duration::from_secs(10 * 60),
            concurrency: 32,
            max_response_bytes: 16 << 20,
        }
    }
}

/// An entry of `accounts`: one identity at Alibaba Cloud.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The name by which targets refer to it, and the `account` label.
    pub name: String,
    /// Accounts with the same quota group share their budgets. By default the account's name.
    pub quota_group: String,
    /// How to log in, before `assume_role`.
    pub credentials: Credentials,
    /// `assume_role`: the RAM role that those credentials are exchanged for.
    pub assume_role: Option<AssumeRole>,
    /// How requests are signed.
    pub signature: Signature,
    /// Which of the vendor's endpoints are used.
    pub network: Network,
    /// Endpoints that replace the vendor's.
    pub endpoints: Endpoints,
    /// Whether endpoints without TLS may lie beyond this machine.
    pub insecure_http: bool,
    /// What stands between here and the endpoints; `None` leaves it to the environment.
    pub proxy: Option<Proxy>,
    /// A PEM file of certificate authorities that are trusted beside the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// Calls per minute by operation, as set by the user; the defaults are [`crate::aliyun::op::Product::default_quota`].
    pub quotas: Quotas,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            name: "default".into(),
            quota_group: "default".into(),
            credentials: Credentials::Default,
            assume_role: None,
            signature: Signature::V1,
            network: Network::Public,
            endpoints: Endpoints::default(),
            insecure_http: false,
            proxy: None,
            ca_file: None,
            quotas: Quotas::default(),
        }
    }
}

/// `accounts[].quotas`: calls per minute, by `(product, operation)` as in `SWAS.DescribeInvocations`; an operation of
/// `None` (`SWAS` alone) sets every operation of the product.
pub type Quotas = BTreeMap<(String, Option<String>), u32>;

/// `accounts[].credentials`.
#[derive(Clone, Debug, PartialEq)]
pub enum Credentials {
    /// `default`: the first of the vendor's places that has one.
    Default,
    /// `env`: the vendor's own environment variables.
    Environment,
    /// `access_key` and, with a token, `sts`: written in the file, expanded from `${ENV}` or read from `file:`.
    Static {
        /// AccessKeyId.
        access_key_id: SecretSource,
        /// AccessKeySecret.
        access_key_secret: SecretSource,
        /// SecurityToken of temporary credentials.
        security_token: Option<SecretSource>,
    },
    /// `profile`: a profile of the `aliyun` command line or, without its file, a section of the vendor's credentials file.
    Profile {
        /// Its name; else that of the environment, else the file's own default.
        name: Option<String>,
    },
    /// `ecs_ram_role`: the RAM role of the ECS instance, from its metadata server.
    EcsRamRole {
        /// Its name; else that of the environment, else the one that the metadata server names.
        role_name: Option<String>,
    },
    /// `oidc`: a RAM role for an OpenID Connect token, as RRSA of Container Service (ACK) hands them out.
    Oidc(Oidc),
    /// `credentials_uri`: an address that answers with temporary credentials.
    Uri {
        /// The address, which may hold a secret; else that of the environment.
        uri: Option<Secret>,
    },
}

/// The keys of `provider: oidc`; what is not given comes from the environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oidc {
    /// ARN of the role.
    pub role_arn: Option<String>,
    /// ARN of the identity provider in RAM.
    pub oidc_provider_arn: Option<String>,
    /// The file with the token, read anew for each request for credentials.
    pub oidc_token_file: Option<PathBuf>,
    /// Name of the session.
    pub role_session_name: Option<String>,
}

/// `accounts[].assume_role`.
#[derive(Clone, Debug, PartialEq)]
pub struct AssumeRole {
    /// ARN of the role, such as `acs:ram::1234567890123456:role/exporter`.
    pub arn: String,
    /// What a role of somebody else's account may want to be told.
    pub external_id: Option<Secret>,
    /// Name of the session, as the cloud's audit log shows it.
    pub session_name: String,
    /// How long the credentials are to be valid.
    pub duration: Duration,
}

/// Where a part of the credentials comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretSource {
    /// The value itself.
    Value(Secret),
    /// A file that holds it, read anew for each request, trailing white space cut.
    File(PathBuf),
}

/// `accounts[].signature`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// RPC signature V1, HMAC-SHA1.
    V1,
    /// ACS3-HMAC-SHA256.
    V3,
}

/// `accounts[].network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Endpoints on the internet.
    Public,
    /// Endpoints inside a VPC.
    Vpc,
}

/// `accounts[].endpoints`: base URLs in place of the vendor's; `{region}` is replaced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoints {
    /// For E-HPC.
    pub ehpc: Option<String>,
    /// For Simple Application Server.
    pub swas: Option<String>,
    /// For Security Token Service.
    pub sts: Option<String>,
    /// For the metadata server of ECS.
    pub metadata: Option<String>,
}

/// `accounts[].proxy`: an HTTP proxy, in place of that of the environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// User name for proxy authentication.
    pub username: Option<String>,
    /// Password for proxy authentication; a file is read when the configuration is applied.
    pub password: Option<SecretSource>,
    /// What is reached without it.
    pub no_proxy: NoProxy,
}

/// An entry of `ehpc.clusters`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Cluster id, such as `ehpc-hz-FYUr32aaaa`.
    pub id: String,
    /// Region id, such as `cn-hangzhou`.
    pub region: String,
    /// Name of an entry of `accounts`.
    pub account: String,
    /// The `cluster_name` label; empty if the user gave none.
    pub name: String,
    /// Which tasks are shown.
    pub tasks: TaskWindow,
    /// Which commands are followed.
    pub commands: Commands,
}

/// `ehpc.clusters[].tasks`: which ended tasks are shown; open ones always are.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskWindow {
    /// At most so many of the newest.
    pub max_tasks: usize,
    /// None that ended longer ago.
    pub max_age: Duration,
}

impl Default for TaskWindow {
    fn default() -> Self {
        Self { max_tasks: 200, max_age: Duration::from_secs(24 * 3600) }
    }
}

/// `ehpc.clusters[].commands`: which commands are followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Commands {
    /// These commands and no others, if any is named.
    pub ids: Vec<String>,
    /// Else the newest so many of ListCommands; 0 follows none.
    pub discover: usize,
    /// Also one series per node.
    pub per_node: bool,
}

impl Default for Commands {
    fn default() -> Self {
        Self { ids: Vec::new(), discover: 20, per_node: false }
    }
}

/// `swas.strategy`: how the invocations of servers are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwasStrategy {
    /// DescribeInvocations for each server.
    PerServer,
    /// DescribeCommandInvocations for all servers of an account in a region at once.
    PerRegion,
}

/// An entry of `swas.servers`.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Instance id: 32 hexadecimal digits.
    pub id: String,
    /// Region id.
    pub region: String,
    /// Name of an entry of `accounts`.
    pub account: String,
    /// The `instance_name` label; empty if the user gave none.
    pub name: String,
    /// Which command invocations are shown; running ones always are.
    pub window: InvocationWindow,
}

/// `swas.servers[].max_invocations` and `.max_age`.
#[derive(Clone, Debug, PartialEq)]
pub struct InvocationWindow {
    /// Maximum number: all that are under way, and in the places left the newest that have ended.
    pub max_invocations: usize,
    /// None that was created longer ago. The cloud keeps results for two weeks.
    pub max_age: Duration,
}

impl Default for InvocationWindow {
    fn default() -> Self {
        Self { max_invocations: 50, max_age: Duration::from_secs(336 * 3600) }
    }
}

/// `ehpc.discovery`, and what of the found clusters is followed: the defaults of the section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterDiscovery {
    /// Where to look.
    pub entries: Vec<Discovery>,
    /// Which of their tasks are shown.
    pub tasks: TaskWindow,
    /// Which of their commands are followed.
    pub commands: Commands,
}

/// `swas.discovery`, and what of the found servers is shown: the defaults of the section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerDiscovery {
    /// Where to look.
    pub entries: Vec<Discovery>,
    /// Which of their command invocations are shown.
    pub window: InvocationWindow,
}

/// `metrics`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// How a status is written.
    pub status_style: StatusStyle,
    /// The most polled series of the whole exporter; what goes beyond is left out, but for the floor.
    pub max_series: usize,
    /// The same of one target.
    pub max_series_per_target: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { status_style: StatusStyle::Current, max_series: 200_000, max_series_per_target: 5_000 }
    }
}

/// `state`: what must survive a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The file that it is kept in; else in memory. The path may be relative to where the exporter is started.
    pub path: Option<PathBuf>,
    /// Whether to stand by while another process holds the file, in place of ending.
    pub wait: bool,
    /// How long what is known of a target that is gone is kept, in time that exporters run on this state.
    pub keep_gone: Duration,
}

impl Default for State {
    fn default() -> Self {
        Self { path: None, wait: false, keep_gone: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// `metrics.status_style`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusStyle {
    /// Only the current word, with value 1.
    Current,
    /// The current word with 1, the others with 0.
    Full,
}
