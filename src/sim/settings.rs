//! Settings of a simulated cloud.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::Operation;

/// Size and behaviour of a simulated cloud. Counts are what a caller sees listed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides every id, duration and outcome of a generated world.
    pub seed: u64,
    /// E-HPC clusters.
    pub clusters: usize,
    /// Tasks running at once in each cluster, on average.
    pub tasks: usize,
    /// Ended tasks each cluster still lists with `Archived=true`.
    pub task_history: usize,
    /// Commands each cluster lists; about half of them run at any time.
    pub commands: usize,
    /// Compute nodes of each cluster; every command runs on all of them.
    pub nodes: usize,
    /// Simple Application Servers.
    pub servers: usize,
    /// Command invocations each server lists; about one in six is open at any time.
    pub invocations: usize,
    /// Latency of every API answer.
    pub latency: Duration,
    /// Speed of the world relative to the default; the clock itself stays real.
    pub time_scale: f64,
    /// Calls per minute that are admitted.
    pub quotas: Quotas,
    /// Order of the lists.
    pub order: ListOrder,
    /// Access key ids and their secrets.
    pub access_keys: BTreeMap<String, String>,
    /// The security token every request must carry; if `None`, requests must not carry one.
    pub security_token: Option<String>,
    /// The allowed RAM actions, such as `ehpc:ListTasks`; all if `None`.
    pub permitted: Option<BTreeSet<String>>,
    /// The RAM roles that can be assumed, by their ARN.
    pub roles: BTreeMap<String, Role>,
    /// OpenID Connect tokens, each with its expiry, if it has one.
    pub oidc_tokens: BTreeMap<String, Option<Timestamp>>,
    /// Which metadata server the caller's machine has.
    pub metadata: Metadata,
    /// The RAM role of the machine.
    pub ecs_role: Option<String>,
    /// How long credentials of the machine's role, and of the credentials URI, are valid.
    pub ecs_session: Duration,
}

/// A RAM role.
#[derive(Clone, Debug)]
pub struct Role {
    /// The external id required to assume it.
    pub external_id: Option<String>,
    /// The identity provider whose tokens it trusts.
    pub oidc_provider_arn: Option<String>,
    /// Maximum session length that may be requested.
    pub longest_session: Duration,
    /// Actual session length, if not the requested one; for tests that cannot wait.
    pub session: Option<Duration>,
}

impl Default for Role {
    fn default() -> Self {
        let oidc_provider_arn =
            Some("acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001".to_owned());
        Self {
            external_id: None,
            oidc_provider_arn,
            longest_session: Duration::from_secs(3600),
            session: None,
        }
    }
}

/// Which versions of the metadata server answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// None: every address is unknown.
    Off,
    /// Only the version without tokens.
    V1,
    /// Both, as on most instances.
    Both,
    /// Only the version with tokens.
    V2,
}

/// Calls per minute for each operation in each region.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// Limit of operations without one of their own.
    pub per_minute: u32,
    /// Limits of single operations.
    pub operations: BTreeMap<Operation, u32>,
    /// How a minute is counted.
    pub window: QuotaWindow,
    /// Whether a throttled answer carries `x-ratelimit-user-api`. The vendor says that not all
    /// operations do.
    pub headers: bool,
}

/// How the quota's minute is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaWindow {
    /// From one full minute of the clock to the next.
    Calendar,
    /// The sixty seconds before the call.
    Sliding,
}

/// The order in which the API lists things. No document states one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListOrder {
    /// The newest first.
    NewestFirst,
    /// The oldest first.
    OldestFirst,
    /// In no order, reshuffled every minute.
    Reordering,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            clusters: 2,
            tasks: 6,
            task_history: 24,
            commands: 4,
            nodes: 8,
            servers: 4,
            invocations: 12,
            latency: Duration::ZERO,
            time_scale: 1.0,
            quotas: Quotas::default(),
            order: ListOrder::NewestFirst,
            access_keys: BTreeMap::from([("testid".to_owned(), "testsecret".to_owned())]),
            security_token: None,
            permitted: None,
            roles: BTreeMap::from([(
                "acs:ram::1234567890123456:role/exporter".to_owned(),
                Role::default(),
            )]),
            oidc_tokens: BTreeMap::from([("testtoken".to_owned(), None)]),
            metadata: Metadata::Both,
            ecs_role: Some("exporter".to_owned()),
            ecs_session: Duration::from_secs(6 * 3600),
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            per_minute: 1000,
            operations: BTreeMap::new(),
            window: QuotaWindow::Calendar,
            headers: false,
        }
    }
}
