//! Configuration -> what is polled.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Commands, Config, RunWindow, SwasStrategy, TaskWindow};

/// What kind of thing a target is: the `kind` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The tasks of an E-HPC cluster.
    EhpcTasks,
    /// The commands of an E-HPC cluster.
    EhpcInvocations,
    /// The command runs of a Simple Application Server.
    SwasInvocations,
    /// The same of all servers of a region that are asked for at once. It has no values of its own; its servers have.
    SwasRegion,
}

impl Kind {
    /// Every kind that has values.
    pub const ALL: [Self; 3] = [Self::EhpcTasks, Self::EhpcInvocations, Self::SwasInvocations];

    /// The kind as a label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::EhpcTasks => "ehpc_tasks",
            Self::EhpcInvocations => "ehpc_invocations",
            Self::SwasInvocations | Self::SwasRegion => "swas_invocations",
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

impl TargetId {
    /// The target of a server's runs.
    pub fn server(instance_id: &Arc<str>) -> Self {
        Self { kind: Kind::SwasInvocations, id: Arc::clone(instance_id) }
    }
}

/// Something that has values, and is polled.
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
    /// The same, where they are asked for together with those of the other servers of its region.
    RegionRuns(RunWindow),
    /// Of a region: these servers.
    Region(Vec<Target>),
}

impl Target {
    /// The targets that it stands for: the servers of a region, else itself.
    pub fn members(&self) -> &[Self] {
        match &self.scope {
            Scope::Region(servers) => servers,
            _ => std::slice::from_ref(self),
        }
    }
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
        let scope = match config.swas_strategy {
            SwasStrategy::PerServer => Scope::Runs(server.window.clone()),
            SwasStrategy::PerRegion => Scope::RegionRuns(server.window.clone()),
        };
        targets.push(target(Kind::SwasInvocations, &server.id, &server.account, &server.region, &server.name, scope));
    }
    targets
}

/// What is polled on its own of these: each target, but for servers that are asked for by account and region.
pub fn polled(targets: Vec<Target>) -> Vec<Target> {
    let (together, mut polled): (Vec<Target>, Vec<Target>) =
        targets.into_iter().partition(|target| matches!(target.scope, Scope::RegionRuns(_)));
    let mut regions: BTreeMap<(Arc<str>, Arc<str>), Vec<Target>> = BTreeMap::new();
    for server in together {
        regions.entry((Arc::clone(&server.account), Arc::clone(&server.region))).or_default().push(server);
    }
    polled.extend(regions.into_iter().filter_map(|((account, region), servers)| {
        Some(Target {
            id: TargetId { kind: Kind::SwasRegion, id: format!("{account}/{region}").into() },
            quota_group: Arc::clone(&servers.first()?.quota_group),
            account,
            region,
            name: "".into(),
            scope: Scope::Region(servers),
        })
    }));
    polled
}

#[cfg(test)]
mod tests {
    use super::{Kind, polled, targets};
    use crate::config::parse;

    #[test]
    fn servers_are_asked_for_by_account_and_region_if_the_user_says_so() {
        let of = |strategy: &str| {
            let yaml = format!(
                "accounts: [{{name: a}}, {{name: b, quota_group: g}}]\n\
                 ehpc: {{clusters: [{{id: c, region: r}}]}}\n\
                 swas: {{strategy: {strategy}, region: r, servers: [{{id: s1}}, {{id: s2, account: b}}, {{id: s3}}, \
                 {{id: s4, region: q}}]}}"
            );
            polled(targets(&parse("test.yaml", &yaml, &|_| None).unwrap()))
        };
        assert_eq!(of("per_server").iter().filter(|target| target.id.kind == Kind::SwasInvocations).count(), 4);
        let regions = of("per_region").split_off(2);
        let found: Vec<(&str, &str, Vec<&str>)> = regions
            .iter()
            .map(|target| (&*target.id.id, &*target.quota_group, target.members().iter().map(|s| &*s.id.id).collect()))
            .collect();
        assert_eq!(found, [("a/q", "a", vec!["s4"]), ("a/r", "a", vec!["s1", "s3"]), ("b/r", "g", vec!["s2"])]);
    }
}
