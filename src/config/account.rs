//! The section `accounts`.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use super::assume_role::{self, AssumeRole};
use super::credentials::{self, Credentials};
use super::endpoint::{self, Endpoints};
use super::names;
use super::network::{self, Proxy};
use super::quota::{self, Quotas};
use super::reader::{Section, Value};
use super::scalar::Choice;

/// An entry of `accounts`: one identity at Alibaba Cloud.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// The name by which targets refer to it, and the `account` label.
    pub name: String,
    /// Accounts with the same quota group share their budgets. By default the account's name.
    pub quota_group: String,
    /// How to log in, before `assume_role`.
    pub credentials: Credentials,
    /// `assume_role`: the RAM role to assume with those credentials.
    pub assume_role: Option<AssumeRole>,
    /// How requests are signed.
    pub signature: Signature,
    /// Which of the vendor's endpoints are used.
    pub network: Network,
    /// Endpoints that replace the vendor's.
    pub endpoints: Endpoints,
    /// Whether endpoints beyond this machine may be without TLS.
    pub insecure_http: bool,
    /// The proxy to the endpoints; `None` leaves it to the environment.
    #[serde(serialize_with = "network::write_proxy")]
    pub proxy: Option<Proxy>,
    /// A PEM file of certificate authorities to trust in addition to the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// Calls per minute by operation, as set by the user; the defaults are
    /// [`crate::action::Product::default_quota`].
    #[serde(serialize_with = "quota::write")]
    pub quotas: Quotas,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            name: "default".into(),
            quota_group: "default".into(),
            credentials: Credentials::Default,
            assume_role: None,
            signature: Signature::V1,
            network: Network::Public,
            endpoints: Endpoints::default(),
            insecure_http: false,
            proxy: None,
            ca_file: None,
            quotas: Quotas::default(),
        }
    }
}

/// `accounts[].signature`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// RPC signature V1, HMAC-SHA1.
    V1,
    /// ACS3-HMAC-SHA256.
    V3,
}

/// `accounts[].network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Endpoints on the internet.
    Public,
    /// Endpoints inside a VPC.
    Vpc,
}

pub(super) const KEYS: &[&str] = &[
    "name",
    "quota_group",
    "credentials",
    "assume_role",
    "signature",
    "network",
    "endpoints",
    "insecure_http",
    "proxy",
    "ca_file",
    "quotas",
];

const SIGNATURES: &[Choice<Signature>] = &[("v1", Signature::V1), ("v3", Signature::V3)];
const NETWORKS: &[Choice<Network>] = &[("public", Network::Public), ("vpc", Network::Vpc)];

/// The accounts, and whether all their names are known.
pub(super) struct Accounts {
    pub(super) all: Vec<Account>,
    /// Index of each name.
    places: HashMap<String, usize>,
    complete: bool,
}

impl Accounts {
    /// The account used where none is named.
    pub(super) fn first(&self) -> String {
        self.all.first().map_or_else(String::new, |account| account.name.clone())
    }

    /// The name of an account, which must exist.
    pub(super) fn reference(&self, value: &Value) -> Option<String> {
        let text = value.filled()?;
        if self.complete && !self.places.contains_key(&text.value) {
            let names = self.all.iter().map(|account| account.name.as_str());
            let near = value.reader.nearest(&text.value, names);
            let hint = near.map_or_else(String::new, |near| format!(", did you mean \"{near}\"?"));
            value.problem(format!("there is no account {}{hint}", text.shown()));
            return None;
        }
        Some(text.value)
    }
}

pub(super) fn read(root: &Section) -> Accounts {
    let Some(value) = root.get("accounts") else {
        let account = Account::default();
        return Accounts {
            places: [(account.name.clone(), 0)].into(),
            all: vec![account],
            complete: true,
        };
    };
    let items = value.items();
    let read: Vec<_> = items.iter().map(account).collect();
    let complete = !read.is_empty() && read.iter().all(Option::is_some);
    let mut all: Vec<Account> = Vec::new();
    let mut places = HashMap::new();
    for (value, account) in read.into_iter().flatten() {
        match places.get(&account.name) {
            Some(first) => value.problem(format!("accounts[{first}] has the same name")),
            None => drop(places.insert(account.name.clone(), all.len())),
        }
        all.push(account);
    }
    if items.is_empty() && value.is_list() {
        value.problem("must name at least one account, or be left out");
    }
    Accounts { all, places, complete }
}

/// An account, and where to report problems with its name; `None` if that is unknown.
fn account<'a>(item: &Value<'a>) -> Option<(Value<'a>, Account)> {
    let section = item.section(KEYS);
    let name = section.get("name").map(|value| names::label(&value, false));
    let quota_group = section.get("quota_group").and_then(|value| names::label(&value, false));
    let credentials = credentials::read(&section.section("credentials", credentials::KEYS));
    let assume_role = assume_role::read(&section);
    let signature = section.choice("signature", SIGNATURES).unwrap_or(Signature::V1);
    let network = section.choice("network", NETWORKS).unwrap_or(Network::Public);
    let insecure_http = section.boolean("insecure_http").unwrap_or(false);
    let endpoints = endpoint::read(&section.section("endpoints", endpoint::KEYS), insecure_http);
    let proxy = network::proxy(&section.section("proxy", network::PROXY_KEYS));
    let ca_file =
        section.get("ca_file").and_then(|value| Some(PathBuf::from(value.filled()?.value)));
    let quotas = quota::read(&section);
    let name = name.unwrap_or_else(|| Some(Account::default().name))?;
    let quota_group = quota_group.unwrap_or_else(|| name.clone());
    let place = section.get("name").unwrap_or_else(|| item.clone());
    let account = Account {
        name,
        quota_group,
        credentials,
        assume_role,
        signature,
        network,
        endpoints,
        insecure_http,
        proxy,
        ca_file,
        quotas,
    };
    Some((place, account))
}
