//! The effective configuration as YAML, without its secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::units::{format_duration, format_size};
use super::{Account, AssumeRole, Cluster, Config, Credentials, Network, Poll, SecretSource, Server, StatusStyle};
use crate::secret::Secret;

/// The effective configuration as YAML, every default filled in. In place of access keys, their ids included, it says
/// `<secret>`; where a file holds one, its path is shown.
pub fn redacted_yaml(config: &Config) -> String {
    let view = Root {
        poll: poll(&config.poll),
        accounts: config.accounts.iter().map(account).collect(),
        ehpc: Ehpc { clusters: config.clusters.iter().map(cluster).collect(), discovery: [] },
        swas: Swas { strategy: "per_server", servers: config.servers.iter().map(server).collect(), discovery: [] },
        metrics: Metrics {
            status_style: match config.metrics.status_style {
                StatusStyle::Current => "current",
                StatusStyle::Full => "full",
            },
            max_series: config.metrics.max_series,
            max_series_per_target: config.metrics.max_series_per_target,
        },
        state: State { path: config.state_path.as_ref().map(|path| path.display().to_string()) },
    };
    // Strings, numbers and lists of them can always be written.
    serde_yaml::to_string(&view).unwrap_or_default()
}

/// Names nothing: features this version does not have.
type Nothing = [(); 0];

#[derive(Serialize)]
struct Root<'a> {
    poll: PollView,
    accounts: Vec<AccountView<'a>>,
    ehpc: Ehpc<'a>,
    swas: Swas<'a>,
    metrics: Metrics,
    state: State,
}

#[derive(Serialize)]
struct PollView {
    interval: String,
    active_interval: String,
    idle_interval: String,
    idle_after: String,
    history_interval: String,
    history_max_pages: u32,
    timeout: String,
    stale_after: String,
    concurrency: usize,
    max_response_bytes: String,
}

#[derive(Serialize)]
struct AccountView<'a> {
    name: &'a str,
    quota_group: &'a str,
    credentials: CredentialsView<'a>,
    assume_role: Option<AssumeRoleView<'a>>,
    signature: &'static str,
    network: &'static str,
    endpoints: EndpointsView<'a>,
    quotas: BTreeMap<String, u32>,
}

#[derive(Default, Serialize)]
struct CredentialsView<'a> {
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_session_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc_provider_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc_token_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
}

#[derive(Serialize)]
struct AssumeRoleView<'a> {
    arn: &'a str,
    external_id: Option<String>,
    session_name: &'a str,
    duration: String,
}

#[derive(Serialize)]
struct EndpointsView<'a> {
    ehpc: Option<&'a str>,
    swas: Option<&'a str>,
    sts: Option<&'a str>,
    metadata: Option<&'a str>,
}

#[derive(Serialize)]
struct Ehpc<'a> {
    clusters: Vec<ClusterView<'a>>,
    discovery: Nothing,
}

#[derive(Serialize)]
struct ClusterView<'a> {
    id: &'a str,
    region: &'a str,
    account: &'a str,
    name: &'a str,
    tasks: Tasks,
    commands: CommandsView<'a>,
}

#[derive(Serialize)]
struct Tasks {
    max_tasks: usize,
    max_age: String,
}

#[derive(Serialize)]
struct CommandsView<'a> {
    ids: &'a [String],
    discover: usize,
    per_node: bool,
}

#[derive(Serialize)]
struct Swas<'a> {
    strategy: &'static str,
    servers: Vec<ServerView<'a>>,
    discovery: Nothing,
}

#[derive(Serialize)]
struct ServerView<'a> {
    id: &'a str,
    region: &'a str,
    account: &'a str,
    name: &'a str,
    max_invocations: usize,
    max_age: String,
}

#[derive(Serialize)]
struct Metrics {
    status_style: &'static str,
    max_series: usize,
    max_series_per_target: usize,
}

#[derive(Serialize)]
struct State {
    path: Option<String>,
}

fn poll(poll: &Poll) -> PollView {
    PollView {
        interval: format_duration(poll.interval),
        active_interval: format_duration(poll.active_interval),
        idle_interval: format_duration(poll.idle_interval),
        idle_after: format_duration(poll.idle_after),
        history_interval: format_duration(poll.history_interval),
        history_max_pages: poll.history_max_pages,
        timeout: format_duration(poll.timeout),
        stale_after: format_duration(poll.stale_after),
        concurrency: poll.concurrency,
        max_response_bytes: format_size(poll.max_response_bytes),
    }
}

fn account(account: &Account) -> AccountView<'_> {
    let endpoints = &account.endpoints;
    let quota = |((product, operation), calls): (&(String, Option<String>), &u32)| match operation {
        Some(operation) => (format!("{product}.{operation}"), *calls),
        None => (product.clone(), *calls),
    };
    AccountView {
        name: &account.name,
        quota_group: &account.quota_group,
        credentials: credentials(&account.credentials),
        assume_role: account.assume_role.as_ref().map(assume_role),
        signature: "v1",
        network: match account.network {
            Network::Public => "public",
            Network::Vpc => "vpc",
        },
        endpoints: EndpointsView {
            ehpc: endpoints.ehpc.as_deref(),
            swas: endpoints.swas.as_deref(),
            sts: endpoints.sts.as_deref(),
            metadata: endpoints.metadata.as_deref(),
        },
        quotas: account.quotas.iter().map(quota).collect(),
    }
}

fn credentials(credentials: &Credentials) -> CredentialsView<'_> {
    let provider = |provider| CredentialsView { provider, ..CredentialsView::default() };
    match credentials {
        Credentials::Default => provider("default"),
        Credentials::Environment => provider("env"),
        Credentials::Static { access_key_id, access_key_secret, security_token } => CredentialsView {
            access_key_id: Some(hidden(access_key_id)),
            access_key_secret: Some(hidden(access_key_secret)),
            security_token: security_token.as_ref().map(hidden),
            ..provider(if security_token.is_some() { "sts" } else { "access_key" })
        },
        Credentials::Profile { name } => CredentialsView { profile: name.as_deref(), ..provider("profile") },
        Credentials::EcsRamRole { role_name } => {
            CredentialsView { role_name: role_name.as_deref(), ..provider("ecs_ram_role") }
        }
        Credentials::Oidc(oidc) => CredentialsView {
            role_arn: oidc.role_arn.as_deref(),
            role_session_name: oidc.role_session_name.as_deref(),
            oidc_provider_arn: oidc.oidc_provider_arn.as_deref(),
            oidc_token_file: oidc.oidc_token_file.as_ref().map(|path| path.display().to_string()),
            ..provider("oidc")
        },
        Credentials::Uri { uri } => {
            CredentialsView { uri: uri.as_ref().map(without_path), ..provider("credentials_uri") }
        }
    }
}

/// The host of an address whose path may hold a secret.
fn without_path(uri: &Secret) -> String {
    let uri: http::Uri = uri.expose().parse().unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}/...", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
}

fn assume_role(role: &AssumeRole) -> AssumeRoleView<'_> {
    AssumeRoleView {
        arn: &role.arn,
        external_id: role.external_id.as_ref().map(ToString::to_string),
        session_name: &role.session_name,
        duration: format_duration(role.duration),
    }
}

fn hidden(source: &SecretSource) -> String {
    match source {
        SecretSource::Value(secret) => secret.to_string(),
        SecretSource::File(path) => format!("file:{}", path.display()),
    }
}

fn cluster(cluster: &Cluster) -> ClusterView<'_> {
    ClusterView {
        id: &cluster.id,
        region: &cluster.region,
        account: &cluster.account,
        name: &cluster.name,
        tasks: Tasks { max_tasks: cluster.tasks.max_tasks, max_age: format_duration(cluster.tasks.max_age) },
        commands: CommandsView {
            ids: &cluster.commands.ids,
            discover: cluster.commands.discover,
            per_node: cluster.commands.per_node,
        },
    }
}

fn server(server: &Server) -> ServerView<'_> {
    ServerView {
        id: &server.id,
        region: &server.region,
        account: &server.account,
        name: &server.name,
        max_invocations: server.window.max_invocations,
        max_age: format_duration(server.window.max_age),
    }
}
