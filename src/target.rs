//! Configuration and findings of discovery -> what is polled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Cluster, Commands, Config, Filter, InvocationWindow, Regions, Server, SwasStrategy, TaskWindow,
};
use crate::model::{DiscoveredResource, ResourceListing};
use crate::shard::Units;

/// The region in which a product's regions are requested. ListRegions answers the same everywhere,
/// and this region has every product.
const REGION_OF_REGIONS: &str = "cn-hangzhou";

/// Kind of target: the `kind` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The tasks of an E-HPC cluster.
    EhpcTasks,
    /// The commands of an E-HPC cluster.
    EhpcInvocations,
    /// The command invocations of a Simple Application Server.
    SwasInvocations,
    /// The command invocations of all servers of a region, read together. It has no values of its
    /// own; its servers have.
    SwasRegion,
    /// Which clusters, servers or regions there are.
    Discovery,
}

impl Kind {
    /// Every kind that has values.
    pub const ALL: [Self; 4] =
        [Self::EhpcTasks, Self::EhpcInvocations, Self::SwasInvocations, Self::Discovery];

    /// The kind as a label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::EhpcTasks => "ehpc_tasks",
            Self::EhpcInvocations => "ehpc_invocations",
            Self::SwasInvocations | Self::SwasRegion => "swas_invocations",
            Self::Discovery => "discovery",
        }
    }

    /// What its targets belong to.
    pub fn owner(self) -> Owner {
        match self {
            Self::EhpcTasks | Self::EhpcInvocations => Owner::Cluster,
            Self::SwasInvocations | Self::SwasRegion => Owner::Server,
            Self::Discovery => Owner::Region,
        }
    }
}

/// What a target belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An E-HPC cluster.
    Cluster,
    /// A Simple Application Server.
    Server,
    /// The region where discovery looks.
    Region,
}

/// Identity of a target: ids are unique within a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// Its kind.
    pub kind: Kind,
    /// Cluster id, instance id, or where to look, as in `swas/default/cn-hangzhou`: the `target`
    /// label.
    pub id: Arc<str>,
}

impl TargetId {
    /// The target of a server's invocations.
    pub fn server(instance_id: &Arc<str>) -> Self {
        Self { kind: Kind::SwasInvocations, id: Arc::clone(instance_id) }
    }

    /// The one target with which `listing` of a cluster or server is shown, like its name.
    pub fn listed(listing: &ResourceListing, id: Arc<str>) -> Self {
        let kind = match listing {
            ResourceListing::Cluster(_) => Kind::EhpcTasks,
            ResourceListing::Server(_) => Kind::SwasInvocations,
        };
        Self { kind, id }
    }
}

/// Something that has values and is polled.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its identity.
    pub id: TargetId,
    /// Name of the account that it is polled with.
    pub account: Arc<str>,
    /// The quota group whose budgets its calls use.
    pub quota_group: Arc<str>,
    /// Region id.
    pub region: Arc<str>,
    /// The user's name for it, else the cloud's; may be empty.
    pub name: Arc<str>,
    /// Which part of it is followed.
    pub scope: Scope,
}

/// Which part of a target is followed, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// A window of a cluster's tasks.
    EhpcTasks(TaskWindow),
    /// Some of a cluster's commands.
    EhpcInvocations(Commands),
    /// A window of a server's invocations.
    SwasInvocations(InvocationWindow),
    /// The same window, if the invocations are read together with those of the region's other
    /// servers.
    SwasRegionServer(InvocationWindow),
    /// These servers of a region.
    SwasRegion(Vec<Arc<Target>>),
    /// What discovery looks for.
    Discovery(DiscoveryQuery),
}

impl Scope {
    /// The kind of its target.
    pub fn kind(&self) -> Kind {
        match self {
            Self::EhpcTasks(_) => Kind::EhpcTasks,
            Self::EhpcInvocations(_) => Kind::EhpcInvocations,
            Self::SwasInvocations(_) | Self::SwasRegionServer(_) => Kind::SwasInvocations,
            Self::SwasRegion(_) => Kind::SwasRegion,
            Self::Discovery(_) => Kind::Discovery,
        }
    }
}

impl Target {
    /// The targets it stands for: the servers of a region, else itself.
    pub fn members(&self) -> impl Iterator<Item = &Self> {
        let (itself, servers) = match &self.scope {
            Scope::SwasRegion(servers) => (None, &**servers),
            _ => (Some(self), &[][..]),
        };
        itself.into_iter().chain(servers.iter().map(|server| &**server))
    }

    /// Whether both lead to the same calls to the same place: everything but names is compared.
    pub fn is_asked_like(&self, other: &Self) -> bool {
        let place = |target: &Self| {
            let Self { id, account, quota_group, region, .. } = target;
            (id.clone(), Arc::clone(account), Arc::clone(quota_group), Arc::clone(region))
        };
        let same_scope = match (&self.scope, &other.scope) {
            (Scope::SwasRegion(mine), Scope::SwasRegion(theirs)) => {
                mine.len() == theirs.len()
                    && mine.iter().zip(theirs).all(|(mine, its)| mine.is_asked_like(its))
            }
            (mine, theirs) => mine == theirs,
        };
        same_scope && place(self) == place(other)
    }
}

/// What a discovery target looks for.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoveryQuery {
    /// Kind of resource.
    pub kind: DiscoveryKind,
    /// Which of the resources found are taken.
    pub filter: Filter,
    /// Time between two readings.
    pub interval: Duration,
}

/// What can be discovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryKind {
    /// E-HPC clusters of a region.
    Clusters,
    /// Simple Application Servers of a region.
    Servers,
    /// The regions of E-HPC.
    ClusterRegions,
    /// The regions of Simple Application Server.
    ServerRegions,
}

impl DiscoveryKind {
    /// Whether it looks for regions, in which discovery then looks for other things.
    pub fn finds_regions(self) -> bool {
        matches!(self, Self::ClusterRegions | Self::ServerRegions)
    }

    /// What it looks for, in words.
    pub fn things(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Servers => "servers",
            Self::ClusterRegions | Self::ServerRegions => "regions",
        }
    }
}

impl DiscoveryQuery {
    /// Whether it takes a resource that it has found. Regions are all taken: the filter is for what
    /// is in them.
    pub fn takes(&self, found: &DiscoveredResource) -> bool {
        match self.kind {
            DiscoveryKind::Clusters | DiscoveryKind::Servers => {
                self.filter.takes(&found.id, &found.name)
            }
            DiscoveryKind::ClusterRegions | DiscoveryKind::ServerRegions => true,
        }
    }
}

/// What each discovery target found last.
pub type Findings = BTreeMap<TargetId, Vec<DiscoveredResource>>;

/// All targets of this process, for a configuration with these findings: the configured ones in
/// their order, then the discovery targets, then what was found and is not configured. A configured
/// target without a name gets the cloud's.
///
/// Regions that were found become places to look in; then this must be called again, with what is
/// found there. That ends, since nothing found there adds places.
pub fn targets(config: &Config, findings: &Findings) -> Vec<Arc<Target>> {
    let accounts = Accounts::of(config);
    let searches = searches_of(config, findings, &accounts);
    let found = |kind: DiscoveryKind| {
        searches.iter().filter_map(move |target| finds(target, kind, findings)).flatten()
    };
    let (clusters, servers): (Vec<_>, Vec<_>) =
        (found(DiscoveryKind::Clusters).collect(), found(DiscoveryKind::Servers).collect());
    let mut all = Vec::new();
    let names = names(&clusters);
    for cluster in &config.clusters {
        accounts.cluster(cluster, name(&cluster.id, &cluster.name, &names), &mut all);
    }
    let names = self::names(&servers);
    for server in &config.servers {
        all.push(accounts.server(server, name(&server.id, &server.name, &names)));
    }
    let mut known: HashSet<Arc<str>> =
        all.iter().map(|target: &Arc<Target>| Arc::clone(&target.id.id)).collect();
    all.extend(searches.iter().cloned());
    // A cluster and a server never have the same id: their formats differ.
    for (search, thing) in clusters.iter().filter(|(search, thing)| takes(search, thing)) {
        if known.insert(Arc::clone(&thing.id)) {
            let cluster = found_cluster(config, search, thing);
            accounts.cluster(&cluster, &cluster.name, &mut all);
        }
    }
    for (search, thing) in servers.iter().filter(|(search, thing)| takes(search, thing)) {
        if known.insert(Arc::clone(&thing.id)) {
            let server = found_server(config, search, thing);
            all.push(accounts.server(&server, &server.name));
        }
    }
    all.retain(|target| accounts.polls(target));
    all
}

/// Only the discovery targets.
pub fn searches(config: &Config, findings: &Findings) -> Vec<Arc<Target>> {
    searches_of(config, findings, &Accounts::of(config))
}

fn searches_of(config: &Config, findings: &Findings, accounts: &Accounts<'_>) -> Vec<Arc<Target>> {
    let products = [
        (
            "ehpc",
            &config.cluster_discovery.entries,
            DiscoveryKind::ClusterRegions,
            DiscoveryKind::Clusters,
        ),
        (
            "swas",
            &config.server_discovery.entries,
            DiscoveryKind::ServerRegions,
            DiscoveryKind::Servers,
        ),
    ];
    let mut searches = Vec::new();
    for (product, entries, regions, things) in products {
        for entry in entries {
            let search = |kind| DiscoveryQuery {
                kind,
                filter: entry.filter.clone(),
                interval: entry.interval,
            };
            let target = |place: &str, region: &str, kind| {
                let id = format!("{product}/{}/{place}", entry.account);
                accounts.target(&id, &entry.account, (region, ""), Scope::Discovery(search(kind)))
            };
            let named = match &entry.regions {
                Regions::Named(named) => named.clone(),
                Regions::All => {
                    let all = target("all", REGION_OF_REGIONS, regions);
                    let found = findings.get(&all.id).into_iter().flatten();
                    searches.push(all);
                    // That id is taken by the target above.
                    found
                        .map(|region| region.id.to_string())
                        .filter(|region| region != "all")
                        .collect()
                }
            };
            searches.extend(named.iter().map(|region| target(region, region, things)));
        }
    }
    searches.retain(|search| accounts.polls(search));
    searches
}

/// What a discovery target found, paired with that target; `None` if it looks for something else.
fn finds<'a>(
    target: &'a Target,
    wanted: DiscoveryKind,
    findings: &'a Findings,
) -> Option<impl Iterator<Item = (&'a Target, &'a DiscoveredResource)>> {
    let Scope::Discovery(DiscoveryQuery { kind, .. }) = &target.scope else { return None };
    let found = findings.get(&target.id).filter(|_| *kind == wanted)?;
    Some(found.iter().map(move |thing| (target, thing)))
}

fn takes(target: &Target, thing: &DiscoveredResource) -> bool {
    matches!(&target.scope, Scope::Discovery(search) if search.takes(thing))
}

/// The cloud's name of each resource.
fn names<'a>(found: &[(&Target, &'a DiscoveredResource)]) -> HashMap<&'a str, &'a str> {
    found.iter().map(|(_, thing)| (&*thing.id, &*thing.name)).collect()
}

/// The user's name for a resource, else the cloud's.
fn name<'a>(id: &str, own: &'a str, names: &HashMap<&str, &'a str>) -> &'a str {
    if own.is_empty() { names.get(id).copied().unwrap_or_default() } else { own }
}

fn found_cluster(config: &Config, search: &Target, found: &DiscoveredResource) -> Cluster {
    Cluster {
        id: found.id.to_string(),
        region: search.region.to_string(),
        account: search.account.to_string(),
        name: found.name.to_string(),
        tasks: config.cluster_discovery.tasks.clone(),
        commands: config.cluster_discovery.commands.clone(),
    }
}

fn found_server(config: &Config, search: &Target, found: &DiscoveredResource) -> Server {
    Server {
        id: found.id.to_string(),
        region: search.region.to_string(),
        account: search.account.to_string(),
        name: found.name.to_string(),
        window: config.server_discovery.window.clone(),
    }
}

/// The scheduled targets: each target, except that servers read together become one per account and
/// region.
pub fn polled(targets: Vec<Arc<Target>>) -> Vec<Arc<Target>> {
    let (together, mut polled): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| matches!(target.scope, Scope::SwasRegionServer(_)));
    let mut regions = BTreeMap::<_, Vec<Arc<Target>>>::new();
    for server in together {
        regions
            .entry((Arc::clone(&server.account), Arc::clone(&server.region)))
            .or_default()
            .push(server);
    }
    polled.extend(regions.into_iter().filter_map(|((account, region), servers)| {
        let quota_group = Arc::clone(&servers.first()?.quota_group);
        let scope = Scope::SwasRegion(servers);
        let id = TargetId { kind: scope.kind(), id: format!("{account}/{region}").into() };
        Some(Arc::new(Target { id, account, quota_group, region, name: "".into(), scope }))
    }));
    polled
}

/// The quota group of each account, how the invocations of servers are read, and what this process
/// polls.
struct Accounts<'a> {
    groups: HashMap<&'a str, &'a str>,
    strategy: SwasStrategy,
    units: Units,
}

impl<'a> Accounts<'a> {
    fn of(config: &'a Config) -> Self {
        let groups =
            config.accounts.iter().map(|account| (&*account.name, &*account.quota_group)).collect();
        Self { groups, strategy: config.swas_strategy, units: Units::of(config) }
    }

    /// Whether this process polls a target. Regions are looked for by each.
    fn polls(&self, target: &Target) -> bool {
        let finds_regions =
            matches!(&target.scope, Scope::Discovery(search) if search.kind.finds_regions());
        finds_regions || self.units.has(&target.quota_group, &target.region)
    }

    fn target(
        &self,
        id: &str,
        account: &str,
        (region, name): (&str, &str),
        scope: Scope,
    ) -> Arc<Target> {
        Arc::new(Target {
            id: TargetId { kind: scope.kind(), id: id.into() },
            account: account.into(),
            quota_group: self.groups.get(account).copied().unwrap_or(account).into(),
            region: region.into(),
            name: name.into(),
            scope,
        })
    }

    fn cluster(&self, cluster: &Cluster, name: &str, all: &mut Vec<Arc<Target>>) {
        let place = (&*cluster.region, name);
        let of = |scope| self.target(&cluster.id, &cluster.account, place, scope);
        all.push(of(Scope::EhpcTasks(cluster.tasks.clone())));
        if !cluster.commands.ids.is_empty() || cluster.commands.discover > 0 {
            all.push(of(Scope::EhpcInvocations(cluster.commands.clone())));
        }
    }

    fn server(&self, server: &Server, name: &str) -> Arc<Target> {
        let window = server.window.clone();
        let scope = match self.strategy {
            SwasStrategy::PerServer => Scope::SwasInvocations(window),
            SwasStrategy::PerRegion => Scope::SwasRegionServer(window),
        };
        let place = (&*server.region, name);
        self.target(&server.id, &server.account, place, scope)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Findings, Kind, Target, TargetId, polled, targets};
    use crate::config::{Config, parse};
    use crate::model::DiscoveredResource;

    fn config(yaml: &str) -> Config {
        parse("test.yaml", yaml, &|_| None).unwrap()
    }

    fn found(findings: &mut Findings, place: &str, things: &[(&str, &str)]) {
        let found = |(id, name): &(&str, &str)| DiscoveredResource {
            id: (*id).into(),
            name: (*name).into(),
            region: None,
        };
        let id = TargetId { kind: Kind::Discovery, id: place.into() };
        findings.insert(id, things.iter().map(found).collect());
    }

    /// Kind, id, region and name of each target.
    fn said(targets: &[Arc<Target>]) -> Vec<String> {
        let line =
            |t: &Target| format!("{} {} {} {}", t.id.kind.label(), t.id.id, t.region, t.name);
        targets.iter().map(|target| line(target).trim_end().to_owned()).collect()
    }

    #[test]
    fn regions_are_found_first_then_what_is_in_them() {
        let config = config("swas: {max_invocations: 7, discovery: [{regions: [all]}]}");
        let mut findings = Findings::new();
        assert_eq!(said(&targets(&config, &findings)), ["discovery swas/default/all cn-hangzhou"]);
        found(&mut findings, "swas/default/all", &[("r1", ""), ("r2", ""), ("all", "")]);
        let places = said(&targets(&config, &findings));
        assert_eq!(places[1..], ["discovery swas/default/r1 r1", "discovery swas/default/r2 r2"]);
        found(&mut findings, "swas/default/r1", &[("s1", "web")]);
        found(&mut findings, "swas/default/r2", &[("s1", "web"), ("s2", "")]);
        let all = targets(&config, &findings);
        assert_eq!(
            said(&all)[3..],
            ["swas_invocations s1 r1 web", "swas_invocations s2 r2"],
            "each once"
        );
        let super::Scope::SwasInvocations(window) = &all[3].scope else { panic!() };
        assert_eq!(window.max_invocations, 7, "the section's default");
        found(&mut findings, "swas/default/all", &[("r2", "")]);
        assert_eq!(
            said(&targets(&config, &findings))[2..],
            ["swas_invocations s1 r2 web", "swas_invocations s2 r2"]
        );
    }

    #[test]
    fn what_is_configured_wins_and_has_the_clouds_name_if_it_has_none_of_its_own() {
        let config = config(
            "ehpc:\n  clusters: [{id: a, region: x}, {id: b, region: x, name: mine}]\n  \
             discovery: [{regions: [r], exclude: a}]\n  commands: {discover: 0}",
        );
        let mut findings = Findings::new();
        found(
            &mut findings,
            "ehpc/default/r",
            &[("a", "cloud-a"), ("b", "cloud-b"), ("c", "cloud-c")],
        );
        let expected = [
            "ehpc_tasks a x cloud-a",
            "ehpc_tasks b x mine",
            "discovery ehpc/default/r r",
            "ehpc_tasks c r cloud-c",
        ];
        assert_eq!(said(&targets(&config, &findings)), expected);
    }

    #[test]
    fn include_and_exclude_look_at_id_and_name() {
        let config = config(
            "swas: {discovery: [{regions: [r], include: 'web-.*|s9', exclude: '.*-test|s2'}]}",
        );
        let mut findings = Findings::new();
        let things = [
            ("s1", "web-1"),
            ("s2", "web-2"),
            ("s3", "web-test"),
            ("s4", "db"),
            ("s9", "db-9"),
            ("s10", "my-web-1"),
        ];
        found(&mut findings, "swas/default/r", &things);
        let taken: Vec<Arc<str>> =
            targets(&config, &findings)[1..].iter().map(|t| Arc::clone(&t.id.id)).collect();
        assert_eq!(taken, ["s1".into(), "s9".into()]);
    }

    #[test]
    fn servers_are_asked_for_by_account_and_region_if_the_user_says_so() {
        let of = |strategy: &str| {
            let yaml = format!(
                "accounts: [{{name: a}}, {{name: b, quota_group: g}}]\n\
                 ehpc: {{clusters: [{{id: c, region: r}}]}}\n\
                 swas: {{strategy: {strategy}, region: r, servers: [{{id: s1}}, {{id: s2, account: b}}, {{id: s3}}, \
                 {{id: s4, region: q}}]}}"
            );
            polled(targets(&config(&yaml), &Findings::new()))
        };
        assert_eq!(
            of("per_server")
                .iter()
                .filter(|target| target.id.kind == Kind::SwasInvocations)
                .count(),
            4
        );
        let regions = of("per_region").split_off(2);
        let found: Vec<(&str, &str, Vec<&str>)> = regions
            .iter()
            .map(|target| {
                (
                    &*target.id.id,
                    &*target.quota_group,
                    target.members().map(|s| &*s.id.id).collect(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [("a/q", "a", vec!["s4"]), ("a/r", "a", vec!["s1", "s3"]), ("b/r", "g", vec!["s2"])]
        );
    }
}
