//! The section `ehpc`.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use super::account::Accounts;
use super::discovery::{self, Discovery};
use super::names;
use super::reader::{Section, Value};
use super::target::{Ids, MAX_AGE, Place};
use super::units::write_duration;

/// An entry of `ehpc.clusters`.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskWindow {
    /// Maximum number; the newest are kept.
    pub max_tasks: usize,
    /// Maximum time since the end.
    #[serde(serialize_with = "write_duration")]
    pub max_age: Duration,
}

impl Default for TaskWindow {
    fn default() -> Self {
        Self { max_tasks: 200, max_age: Duration::from_secs(24 * 3600) }
    }
}

/// `ehpc.clusters[].commands`: which commands are followed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Commands {
    /// Only these commands, if any are named.
    pub ids: Vec<String>,
    /// Otherwise, how many of the newest commands in ListCommands are followed; 0 for none.
    pub discover: usize,
    /// Whether to add one series per node.
    pub per_node: bool,
}

impl Default for Commands {
    fn default() -> Self {
        Self { ids: Vec::new(), discover: 20, per_node: false }
    }
}

/// `ehpc.discovery`, and what is followed of the clusters found: the section's defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterDiscovery {
    /// Where to look.
    pub entries: Vec<Discovery>,
    /// Which of their tasks are shown.
    pub tasks: TaskWindow,
    /// Which of their commands are followed.
    pub commands: Commands,
}

pub(super) const KEYS: &[&str] =
    &["clusters", "discovery", "region", "account", "tasks", "commands"];
pub(super) const CLUSTER_KEYS: &[&str] = &["id", "region", "account", "name", "tasks", "commands"];
pub(super) const TASK_KEYS: &[&str] = &["max_tasks", "max_age"];
pub(super) const COMMAND_KEYS: &[&str] = &["ids", "discover", "per_node"];

pub(super) fn read(section: &Section, accounts: &Accounts) -> (Vec<Cluster>, ClusterDiscovery) {
    let place = Place::defaults(section, accounts);
    let tasks = tasks(section, TaskWindow::default());
    let commands = commands(section, &Commands::default());
    let found_tasks = tasks.clone();
    let found_commands = commands.clone();
    let mut ids = Ids::new("cluster");
    let clusters = section.items("clusters").into_iter().filter_map(|item| {
        let own = item.section(CLUSTER_KEYS);
        let id = ids.read(&own);
        let (region, account) = place.of(&own, "ehpc.region", accounts);
        let name = own.get("name").and_then(|value| names::label(&value, true)).unwrap_or_default();
        let tasks = self::tasks(&own, tasks.clone());
        let commands = self::commands(&own, &commands);
        Some(Cluster { id: id?, region: region?, account: account?, name, tasks, commands })
    });
    let clusters = clusters.collect();
    let entries = discovery::read(section, place.account(), accounts);
    (clusters, ClusterDiscovery { entries, tasks: found_tasks, commands: found_commands })
}

/// The key `tasks`, with `otherwise` as defaults.
fn tasks(section: &Section, otherwise: TaskWindow) -> TaskWindow {
    let own = section.section("tasks", TASK_KEYS);
    TaskWindow {
        max_tasks: own.count("max_tasks", 0..=1_000_000).unwrap_or(otherwise.max_tasks),
        max_age: own.duration("max_age", MAX_AGE).unwrap_or(otherwise.max_age),
    }
}

/// The key `commands`, with `otherwise` as defaults.
fn commands(section: &Section, otherwise: &Commands) -> Commands {
    let own = section.section("commands", COMMAND_KEYS);
    Commands {
        ids: own.get("ids").map_or_else(|| otherwise.ids.clone(), |value| command_ids(&value)),
        discover: own.count("discover", 0..=10_000).unwrap_or(otherwise.discover),
        per_node: own.boolean("per_node").unwrap_or(otherwise.per_node),
    }
}

fn command_ids(value: &Value) -> Vec<String> {
    let mut known = HashSet::new();
    let mut ids: Vec<String> = Vec::new();
    for item in value.items() {
        match names::id(&item, "command") {
            Some(id) if !known.insert(id.clone()) => {
                item.problem("the same command is named twice")
            }
            Some(id) => ids.push(id),
            None => {}
        }
    }
    ids
}
