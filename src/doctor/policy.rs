//! The smallest RAM policy for a configuration. Source: "Credentials" in `docs/alibaba-cloud-api.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::aliyun::op::Product;
use crate::config::Config;
use crate::poll::needed;
use crate::target::targets;

/// What the user or role of some accounts must be allowed to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// Names of the accounts that need just this.
    pub accounts: Vec<String>,
    /// The policy document.
    pub policy: Document,
}

/// A policy document of RAM.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// A statement of a policy document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: BTreeSet<String>,
    resource: &'static str,
}

/// What each account needs for `config`; accounts with the same needs share a policy.
pub fn policies(config: &Config) -> Vec<Policy> {
    let mut actions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for target in targets(config) {
        let needed = needed(&target).filter(|(product, operation)| is_guarded(*product, operation));
        let needed = needed.map(|(product, operation)| format!("{}:{operation}", product.ram_prefix()));
        actions.entry(target.account.to_string()).or_default().extend(needed);
    }
    let mut accounts: BTreeMap<BTreeSet<String>, Vec<String>> = BTreeMap::new();
    actions.into_iter().for_each(|(account, actions)| accounts.entry(actions).or_default().push(account));
    accounts.into_iter().map(|(action, accounts)| Policy { accounts, policy: document(action) }).collect()
}

/// SWAS' ListRegions needs no permission.
fn is_guarded(product: Product, operation: &str) -> bool {
    (product, operation) != (Product::Swas, "ListRegions")
}

/// Most of these operations know no narrower resource than `*`.
fn document(action: BTreeSet<String>) -> Document {
    Document { version: "1", statement: vec![Statement { effect: "Allow", action, resource: "*" }] }
}
