//! The section `ehpc`.

use std::collections::HashSet;

use super::account::Accounts;
use super::reader::{Section, Value};
use super::target::{Ids, MAX_AGE, Place};
use super::{Cluster, ClusterDiscovery, Commands, TaskWindow, discovery, names};

pub(super) const KEYS: &[&str] = &["clusters", "discovery", "region", "account", "tasks", "commands"];
pub(super) const CLUSTER_KEYS: &[&str] = &["id", "region", "account", "name", "tasks", "commands"];
pub(super) const TASK_KEYS: &[&str] = &["max_tasks", "max_age"];
pub(super) const COMMAND_KEYS: &[&str] = &["ids", "discover", "per_node"];

pub(super) fn read(section: &Section, accounts: &Accounts) -> (Vec<Cluster>, ClusterDiscovery) {
    let place = Place::defaults(section, accounts);
    let tasks = tasks(section, TaskWindow::default());
    let commands = commands(section, &Commands::default());
    let (found_tasks, found_commands) = (tasks.clone(), commands.clone());
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

/// The key `tasks` over what holds otherwise.
fn tasks(section: &Section, otherwise: TaskWindow) -> TaskWindow {
    let own = section.section("tasks", TASK_KEYS);
    TaskWindow {
        max_tasks: own.count("max_tasks", 0..=1_000_000).unwrap_or(otherwise.max_tasks),
        max_age: own.duration("max_age", MAX_AGE).unwrap_or(otherwise.max_age),
    }
}

/// The key `commands` over what holds otherwise.
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
            Some(id) if !known.insert(id.clone()) => item.problem("the same command is named twice"),
            Some(id) => ids.push(id),
            None => {}
        }
    }
    ids
}
