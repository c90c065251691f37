//! Configuration -> what is polled.

use std::sync::Arc;

use crate::config::{Commands, Config, RunWindow, TaskWindow};

/// What kind of thing a target is: the `kind` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The tasks of an E-HPC cluster.
    EhpcTasks,
    /// The commands of an E-HPC cluster.
    EhpcInvocations,
    /// The command runs of a Simple Application Server.
    SwasInvocations,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::EhpcTasks, Self::EhpcInvocations, Self::SwasInvocations];

    /// The kind as a label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::EhpcTasks => "ehpc_tasks",
            Self::EhpcInvocations => "ehpc_invocations",
            Self::SwasInvocations => "swas_invocations",
        }
    }
}

/// What tells a target from every other: ids are unique within a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// Its kind.
    pub kind: Kind,
    /// Cluster id or instance id: the `target` label.
    pub id: Arc<str>,
}

/// Something that is polled on its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its identity.
    pub id: TargetId,
    /// Name of the account that asks for it.
    pub account: Arc<str>,
    /// Whose budgets its calls use.
    pub quota_group: Arc<str>,
    /// Region id.
    pub region: Arc<str>,
    /// The user's name for it; may be empty.
    pub name: Arc<str>,
    /// What of it is followed.
    pub scope: Scope,
}

/// What of a target is followed, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// Of a cluster's tasks.
    Tasks(TaskWindow),
    /// Of a cluster's commands.
    Commands(Commands),
    /// Of a server's runs.
    Runs(RunWindow),
}

/// Every target of a configuration, in its order.
pub fn targets(config: &Config) -> Vec<Target> {
    let group = |account: &str| {
        let found = config.accounts.iter().find(|known| known.name == account);
        Arc::from(found.map_or(account, |known| known.quota_group.as_str()))
    };
    let target = |kind, id: &str, account: &str, region: &str, name: &str, scope| Target {
        id: TargetId { kind, id: id.into() },
        account: account.into(),
        quota_group: group(account),
        region: region.into(),
        name: name.into(),
        scope,
    };
    let mut targets = Vec::new();
    for cluster in &config.clusters {
        let of = |kind, scope| target(kind, &cluster.id, &cluster.account, &cluster.region, &cluster.name, scope);
        targets.push(of(Kind::EhpcTasks, Scope::Tasks(cluster.tasks.clone())));
        if !cluster.commands.ids.is_empty() || cluster.commands.discover > 0 {
            targets.push(of(Kind::EhpcInvocations, Scope::Commands(cluster.commands.clone())));
        }
    }
    for server in &config.servers {
        let scope = Scope::Runs(server.window.clone());
        targets.push(target(Kind::SwasInvocations, &server.id, &server.account, &server.region, &server.name, scope));
    }
    targets
}
