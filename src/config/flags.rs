//! What flags can configure instead of a file.

use std::collections::HashSet;

use super::ehpc::{Cluster, Commands, TaskWindow};
use super::endpoint::Endpoints;
use super::problem::{Problem, Problems};
use super::schema::Config;
use super::shard::Shard;
use super::swas::{InvocationWindow, Server};
use super::{endpoint, names};

const CLUSTER: &str = "--ehpc.cluster";
const SERVER: &str = "--swas.server";
const ENDPOINT: &str = "--account.endpoint";
const SHARD: &str = "--shard.index";

/// The configuration with the targets of `--ehpc.cluster` and `--swas.server`, each `REGION/ID`,
/// added to those of the file. They use the first account and the default windows. Without a file,
/// there is one account, whose credentials come from the environment.
///
/// # Errors
/// If a flag is not such a target, names one that is polled already, or there is nothing to poll.
pub fn with_targets(
    config: Option<Config>,
    clusters: &[String],
    servers: &[String],
) -> Result<Config, Problems> {
    let has_file = config.is_some();
    let mut config = config.unwrap_or_default();
    let account = config.accounts.first().map_or_else(String::new, |account| account.name.clone());
    let mut problems = Vec::new();
    let mut known: HashSet<String> =
        config.clusters.iter().map(|cluster| cluster.id.clone()).collect();
    for flag in clusters {
        match target(flag, "cluster", &mut known) {
            Ok((region, id)) => config.clusters.push(cluster(region, id, &account)),
            Err(message) => problems.push(Problem::outside_files(CLUSTER, message)),
        }
    }
    let mut known: HashSet<String> =
        config.servers.iter().map(|server| server.id.clone()).collect();
    for flag in servers {
        match target(flag, "server", &mut known) {
            Ok((region, id)) => config.servers.push(server(region, id, &account)),
            Err(message) => problems.push(Problem::outside_files(SERVER, message)),
        }
    }
    if problems.is_empty() && !config.has_targets() {
        problems.push(Problem::outside_files("", nothing(has_file)));
    }
    Problems::or(problems, config)
}

/// The configuration with the URL of `--account.endpoint` for all endpoints of the first account
/// except that of the metadata server.
///
/// # Errors
/// What is wrong with the URL, without its text, which may contain a password.
pub fn with_endpoint(mut config: Config, url: &str) -> Result<Config, Problems> {
    let Some(account) = config.accounts.first_mut() else { return Ok(config) };
    match endpoint::url(url, account.insecure_http) {
        Ok(url) => {
            let Endpoints { ehpc, swas, sts, .. } = &mut account.endpoints;
            for endpoint in [ehpc, swas, sts] {
                *endpoint = Some(url.clone());
            }
            Ok(config)
        }
        Err(message) => Err(Problems(vec![Problem::outside_files(ENDPOINT, message.to_owned())])),
    }
}

/// The configuration of shard `index` of `count`; `index` is a number, or `ordinal`: the number at
/// the end of the `hostname`, as Kubernetes names the pods of a StatefulSet.
///
/// # Errors
/// If there is no such shard.
pub fn with_shard(
    config: Config,
    index: Option<&str>,
    count: u32,
    hostname: Option<&str>,
) -> Result<Config, Problems> {
    let problem = |message: String| Problems(vec![Problem::outside_files(SHARD, message)]);
    let index = match (index, count) {
        (None, ..=1) => Ok(0),
        (None, _) => {
            Err("is missing: with --shard.count, each process has a number of its own, from 0"
                .into())
        }
        (Some("ordinal"), _) => ordinal(hostname.unwrap_or_default()),
        (Some(number), _) => number
            .parse()
            .map_err(|_| format!("{number:?} is neither a number nor the word ordinal")),
    };
    match index.map_err(problem)? {
        index if index < count => Ok(Config { shard: Shard { index, count }, ..config }),
        index => Err(problem(format!("{index} is not below --shard.count, which is {count}"))),
    }
}

/// `exporter-2` -> 2.
fn ordinal(hostname: &str) -> Result<u32, String> {
    let number = hostname.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    number.ok_or_else(|| {
        format!(
            "ordinal: HOSTNAME is {hostname:?}, which does not end in a hyphen and a number, as that of a pod of a \
             StatefulSet does"
        )
    })
}

/// `cn-hangzhou/ehpc-hz-1` -> its parts; `known` are the ids that are already polled.
fn target<'a>(
    flag: &'a str,
    kind: &str,
    known: &mut HashSet<String>,
) -> Result<(&'a str, &'a str), String> {
    let (region, id) = flag.split_once('/').ok_or_else(|| format!("{flag:?} is not REGION/ID"))?;
    if !names::is_region(region) {
        return Err(format!("{region:?} in {flag:?} is not a region id: write REGION/ID"));
    }
    if !names::is_id(id) {
        return Err(format!("{id:?} in {flag:?} is not a {kind} id: write REGION/ID"));
    }
    if !known.insert(id.to_owned()) {
        return Err(format!("the {kind} {id} is polled already"));
    }
    Ok((region, id))
}

fn cluster(region: &str, id: &str, account: &str) -> Cluster {
    Cluster {
        id: id.to_owned(),
        region: region.to_owned(),
        account: account.to_owned(),
        name: String::new(),
        tasks: TaskWindow::default(),
        commands: Commands::default(),
    }
}

fn server(region: &str, id: &str, account: &str) -> Server {
    Server {
        id: id.to_owned(),
        region: region.to_owned(),
        account: account.to_owned(),
        name: String::new(),
        window: InvocationWindow::default(),
    }
}

fn nothing(has_file: bool) -> String {
    let file = if has_file {
        "list targets under ehpc.clusters or swas.servers in the configuration file, or where to look for them under \
         ehpc.discovery or swas.discovery"
    } else {
        "give a configuration file with --config.file"
    };
    format!(
        "nothing to poll: {file}, or name targets with {CLUSTER} REGION/ID or {SERVER} REGION/ID"
    )
}
