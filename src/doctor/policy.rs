//! The smallest RAM policies for a configuration. Source: "Permissions" in
//! `docs/alibaba-cloud-api.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::action::Action;
use crate::config::{Account, Config, SwasStrategy};
use crate::poll::needed;
use crate::target::{
    DiscoveryKind, DiscoveryQuery, Findings, Scope, Target, TargetId, polled, targets,
};

/// A permission that an identity needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// Who needs it: the RAM user or role of the accounts, or a role that they assume.
    pub grantee: String,
    /// Names of the accounts that need exactly this.
    pub accounts: Vec<String>,
    /// The policy document.
    pub policy: Document,
}

/// A policy document of RAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// A statement of a policy document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: BTreeSet<String>,
    resource: String,
}

/// What each account needs for `config`, whatever discovery finds; accounts with the same needs
/// share a policy.
pub fn policies(config: &Config) -> Vec<Policy> {
    let mut actions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for target in polled(targets(config, &Findings::new())) {
        let all = found(config, &target).into_iter().chain([target.clone()]);
        let needed = all.flat_map(|target| needed(&target).collect::<Vec<_>>());
        let guarded = needed.filter(|action| is_guarded(*action));
        actions
            .entry(target.account.to_string())
            .or_default()
            .extend(guarded.map(Action::ram_action));
    }
    let mut needs: BTreeMap<(String, Document), Vec<String>> = BTreeMap::new();
    for account in &config.accounts {
        let Some(actions) = actions.remove(&account.name) else { continue };
        for need in needs_of(account, actions) {
            needs.entry(need).or_default().push(account.name.clone());
        }
    }
    let policy = |((grantee, policy), accounts)| Policy { grantee, accounts, policy };
    needs.into_iter().map(policy).collect()
}

/// Which permissions the user, and the role if there is one, need so that `account` can make its
/// calls. Most operations support no narrower resource than `*`.
fn needs_of(account: &Account, actions: BTreeSet<String>) -> Vec<(String, Document)> {
    let actions = document(actions, "*");
    let Some(role) = &account.assume_role else {
        return vec![("the user or role that asks".into(), actions)];
    };
    let assume = document(["sts:AssumeRole".to_owned()].into(), &role.arn);
    vec![
        (format!("the role {}", role.arn), actions),
        ("the user or role that assumes that role".into(), assume),
    ]
}

/// Targets that a discovery target can lead to: more places to look in, and what is found there.
fn found(config: &Config, search: &Target) -> Vec<Arc<Target>> {
    let Scope::Discovery(looks) = &search.scope else { return Vec::new() };
    let of = |scope: Scope| {
        let id = TargetId { kind: scope.kind(), id: "".into() };
        Arc::new(Target { id, scope, ..search.clone() })
    };
    let place = |kind| of(Scope::Discovery(DiscoveryQuery { kind, ..looks.clone() }));
    match looks.kind {
        DiscoveryKind::Clusters | DiscoveryKind::ClusterRegions => {
            let things = &config.cluster_discovery;
            let follows = !things.commands.ids.is_empty() || things.commands.discover > 0;
            let commands = follows.then(|| of(Scope::EhpcInvocations(things.commands.clone())));
            let tasks = of(Scope::EhpcTasks(things.tasks.clone()));
            [place(DiscoveryKind::Clusters), tasks].into_iter().chain(commands).collect()
        }
        DiscoveryKind::Servers | DiscoveryKind::ServerRegions => {
            let window = config.server_discovery.window.clone();
            let scope = match config.swas_strategy {
                SwasStrategy::PerServer => Scope::SwasInvocations(window),
                SwasStrategy::PerRegion => Scope::SwasRegionServer(window),
            };
            vec![place(DiscoveryKind::Servers), of(scope)]
        }
    }
}

/// Whether an operation needs a permission.
fn is_guarded(action: Action) -> bool {
    action != Action::SwasListRegions
}

fn document(action: BTreeSet<String>, resource: &str) -> Document {
    Document {
        version: "1",
        statement: vec![Statement { effect: "Allow", action, resource: resource.to_owned() }],
    }
}
