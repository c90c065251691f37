//! The effective configuration as YAML, without its secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::units::{format_duration, format_size};
use super::{
    Account, AssumeRole, Cluster, Commands, Config, Credentials, Discovery, Network, Pattern, Poll, Proxy, Regions,
    SecretSource, Server, Signature, StatusStyle, SwasStrategy, TaskWindow,
};
use crate::secret::Secret;

/// The effective configuration as YAML, every default filled in. In place of access keys, their ids included, it says
/// `<secret>`; where a file holds one, its path is shown.
pub fn redacted_yaml(config: &Config) -> String {
    let view = Root {
        poll: poll(&config.poll),
        accounts: config.accounts.iter().map(account).collect(),
        ehpc: ehpc(config),
        swas: swas(config),
        metrics: Metrics {
            status_style: match config.metrics.status_style {
                StatusStyle::Current => "current",
                StatusStyle::Full => "full",
            },
            max_series: config.metrics.max_series,
            max_series_per_target: config.metrics.max_series_per_target,
        },
        state: State {
            path: config.state.path.as_ref().map(|path| path.display().to_string()),
            wait: config.state.wait,
            keep_gone: format_duration(config.state.keep_gone),
        },
    };
    // Strings, numbers and lists of them can always be written.
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    serde_yaml::to_string_with_options(&view, options).unwrap_or_default()
}

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
    insecure_http: bool,
    proxy: ProxyView<'a>,
    ca_file: Option<String>,
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

#[derive(Default, Serialize)]
struct ProxyView<'a> {
    url: Option<&'a str>,
    username: Option<&'a str>,
    password: Option<String>,
    no_proxy: Option<&'a str>,
}

#[derive(Serialize)]
struct Ehpc<'a> {
    clusters: Vec<ClusterView<'a>>,
    discovery: Vec<DiscoveryView<'a>>,
    /// What of found clusters is followed; nothing else hangs on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<Tasks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<CommandsView<'a>>,
}

#[derive(Serialize)]
struct DiscoveryView<'a> {
    account: &'a str,
    regions: Vec<&'a str>,
    include: Option<String>,
    exclude: Option<String>,
    interval: String,
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
    discovery: Vec<DiscoveryView<'a>>,
    /// What of found servers is shown; nothing else hangs on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_invocations: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<String>,
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
    wait: bool,
    keep_gone: String,
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
        signature: match account.signature {
            Signature::V1 => "v1",
            Signature::V3 => "v3",
        },
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
        insecure_http: account.insecure_http,
        proxy: account.proxy.as_ref().map_or_else(ProxyView::default, proxy),
        ca_file: account.ca_file.as_ref().map(|path| path.display().to_string()),
        quotas: account.quotas.iter().map(quota).collect(),
    }
}

fn proxy(proxy: &Proxy) -> ProxyView<'_> {
    ProxyView {
        url: Some(&proxy.url),
        username: proxy.username.as_deref(),
        password: proxy.password.as_ref().map(hidden),
        no_proxy: Some(proxy.no_proxy.as_str()).filter(|list| !list.is_empty()),
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

fn ehpc(config: &Config) -> Ehpc<'_> {
    let found = Some(&config.cluster_discovery).filter(|found| !found.entries.is_empty());
    Ehpc {
        clusters: config.clusters.iter().map(cluster).collect(),
        discovery: config.cluster_discovery.entries.iter().map(discovery).collect(),
        tasks: found.map(|found| tasks(&found.tasks)),
        commands: found.map(|found| commands(&found.commands)),
    }
}

fn swas(config: &Config) -> Swas<'_> {
    let found = Some(&config.server_discovery).filter(|found| !found.entries.is_empty());
    Swas {
        strategy: match config.swas_strategy {
            SwasStrategy::PerServer => "per_server",
            SwasStrategy::PerRegion => "per_region",
        },
        servers: config.servers.iter().map(server).collect(),
        discovery: config.server_discovery.entries.iter().map(discovery).collect(),
        max_invocations: found.map(|found| found.window.max_invocations),
        max_age: found.map(|found| format_duration(found.window.max_age)),
    }
}

fn discovery(entry: &Discovery) -> DiscoveryView<'_> {
    // A dollar is doubled where a configuration is read.
    let written = |pattern: &Pattern| pattern.as_str().replace('$', "$$");
    DiscoveryView {
        account: &entry.account,
        regions: match &entry.regions {
            Regions::All => vec!["all"],
            Regions::Named(regions) => regions.iter().map(String::as_str).collect(),
        },
        include: entry.filter.include.as_ref().map(written),
        exclude: entry.filter.exclude.as_ref().map(written),
        interval: format_duration(entry.interval),
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
        tasks: tasks(&cluster.tasks),
        commands: commands(&cluster.commands),
    }
}

fn tasks(window: &TaskWindow) -> Tasks {
    Tasks { max_tasks: window.max_tasks, max_age: format_duration(window.max_age) }
}

fn commands(commands: &Commands) -> CommandsView<'_> {
    CommandsView { ids: &commands.ids, discover: commands.discover, per_node: commands.per_node }
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
