//! Targets named on the command line.

use super::problem::{Problem, Problems};
use super::{Cluster, Commands, Config, RunWindow, Server, TaskWindow, names};

const CLUSTER: &str = "--ehpc.cluster";
const SERVER: &str = "--swas.server";

/// The configuration with the targets of `--ehpc.cluster` and `--swas.server`, each `REGION/ID`, added to those of the
/// file. They are polled with the first account and with the default windows. Without a file, there is one account,
/// whose credentials come from the environment.
///
/// Nothing to poll is a problem.
pub fn with_targets(config: Option<Config>, clusters: &[String], servers: &[String]) -> Result<Config, Problems> {
    let has_file = config.is_some();
    let mut config = config.unwrap_or_default();
    let account = config.accounts.first().map_or_else(String::new, |account| account.name.clone());
    let mut problems = Vec::new();
    for flag in clusters {
        match target(flag, "cluster", |id| config.clusters.iter().any(|known| known.id == id)) {
            Ok((region, id)) => config.clusters.push(cluster(region, id, &account)),
            Err(message) => problems.push(problem(CLUSTER, message)),
        }
    }
    for flag in servers {
        match target(flag, "server", |id| config.servers.iter().any(|known| known.id == id)) {
            Ok((region, id)) => config.servers.push(server(region, id, &account)),
            Err(message) => problems.push(problem(SERVER, message)),
        }
    }
    if problems.is_empty() && !config.has_targets() {
        problems.push(problem("", nothing(has_file)));
    }
    Problems::or(problems, config)
}

/// `cn-hangzhou/ehpc-hz-1` -> its parts.
fn target<'a>(flag: &'a str, kind: &str, known: impl Fn(&str) -> bool) -> Result<(&'a str, &'a str), String> {
    let (region, id) = flag.split_once('/').ok_or_else(|| format!("{flag:?} is not REGION/ID"))?;
    if !names::is_region(region) {
        return Err(format!("{region:?} in {flag:?} is not a region id: write REGION/ID"));
    }
    if !names::is_id(id) {
        return Err(format!("{id:?} in {flag:?} is not a {kind} id: write REGION/ID"));
    }
    if known(id) {
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
        window: RunWindow::default(),
    }
}

fn nothing(has_file: bool) -> String {
    let file = if has_file {
        "list targets under ehpc.clusters or swas.servers in the configuration file, or where to look for them under \
         ehpc.discovery or swas.discovery"
    } else {
        "give a configuration file with --config.file"
    };
    format!("nothing to poll: {file}, or name targets with {CLUSTER} REGION/ID or {SERVER} REGION/ID")
}

fn problem(path: &str, message: String) -> Problem {
    Problem { file: String::new(), line: None, path: path.to_owned(), message }
}
