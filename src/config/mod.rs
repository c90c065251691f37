//! The configuration: its keys, their defaults, and every problem in a file, reported at once.
//!
//! [`parse()`] turns YAML into a [`Config`], in which every reference resolves and every value is
//! in range. Nothing outside this module sees YAML.

mod account;
mod assume_role;
mod credentials;
mod discovery;
mod ehpc;
mod endpoint;
mod expand;
mod flags;
mod lease;
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
mod schema;
mod shard;
mod state;
mod swas;
mod target;
mod units;
mod web;
mod web_file;
mod yaml;

pub use account::{Account, Network, Signature};
pub use assume_role::{AssumeRole, SESSION_NAME, is_role_arn, is_session_name};
pub use credentials::{Credentials, Oidc, SecretSource};
pub use discovery::{Discovery, Filter, Pattern, Regions};
pub use ehpc::{Cluster, ClusterDiscovery, Commands, TaskWindow};
pub use endpoint::{Endpoints, is_loopback};
pub use flags::{with_endpoint, with_shard, with_targets};
pub use lease::Lease;
pub(crate) use lease::MIN_SECRET;
pub use metrics::{Metrics, StatusStyle};
pub(crate) use names::{is_id, is_region};
pub use network::{NO_PROXY_FORM, Proxy, proxy_url};
pub use no_proxy::NoProxy;
pub use parse::parse;
pub use poll::Poll;
pub use problem::{Problem, Problems};
pub use quota::{QuotaScope, Quotas};
pub use schema::{Config, redacted_yaml};
pub use shard::Shard;
pub use state::State;
pub use swas::{InvocationWindow, Server, ServerDiscovery, SwasStrategy};
pub use web::Web;
pub use web_file::{
    CipherSuite, ClientAuth, Curve, Pem, RateLimit, Tls, TlsVersion, WebConfig, parse_web_config,
};

/// Maximum size of a configuration file, in bytes: enough for more than 50,000 servers.
pub const MAX_FILE: u64 = 8 << 20;
