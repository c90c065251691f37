//! `accounts[].quotas`: calls per minute, by `Product` or `Product.Operation`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::problem::hint;
use super::reader::{Section, Value};
use crate::action::{Action, Product};

/// `accounts[].quotas`: calls per minute.
pub type Quotas = BTreeMap<QuotaScope, u32>;

/// Which operations a quota is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuotaScope {
    /// Every operation of a product, each on its own: `SWAS`.
    Product(Product),
    /// One operation: `SWAS.DescribeInvocations`.
    Action(Action),
}

impl From<Product> for QuotaScope {
    fn from(product: Product) -> Self {
        Self::Product(product)
    }
}

impl From<Action> for QuotaScope {
    fn from(action: Action) -> Self {
        Self::Action(action)
    }
}

/// As in a file.
impl fmt::Display for QuotaScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(product) => formatter.write_str(product.label()),
            Self::Action(action) => action.fmt(formatter),
        }
    }
}

pub(super) fn read(account: &Section) -> Quotas {
    let Some(value) = account.get("quotas") else { return Quotas::new() };
    value.children().iter().filter_map(|(key, value)| quota(key, value)).collect()
}

/// Serialises quotas with the keys of a file, sorted.
///
/// # Errors
/// Those of the serializer.
pub(super) fn write<S: Serializer>(quotas: &Quotas, serializer: S) -> Result<S::Ok, S::Error> {
    let named: BTreeMap<String, u32> =
        quotas.iter().map(|(scope, calls)| (scope.to_string(), *calls)).collect();
    named.serialize(serializer)
}

fn quota(key: &str, value: &Value) -> Option<(QuotaScope, u32)> {
    let calls = value.integer(&(1..=1_000_000)).and_then(|calls| u32::try_from(calls).ok());
    match resolve(key) {
        Ok(scope) => calls.map(|calls| (scope, calls)),
        Err(message) => {
            value.problem(message);
            None
        }
    }
}

/// Parses `SWAS` or `SWAS.ListRegions`.
fn resolve(key: &str) -> Result<QuotaScope, String> {
    let (label, name) = match key.split_once('.') {
        Some((label, name)) => (label, Some(name)),
        None => (key, None),
    };
    let Some(product) = Product::ALL.into_iter().find(|product| product.label() == label) else {
        let hint = hint(label, Product::ALL.map(Product::label));
        let hint = if hint.is_empty() { ": EHPC or SWAS".to_owned() } else { hint };
        return Err(format!("unknown product{hint}"));
    };
    let Some(name) = name else { return Ok(product.into()) };
    match product.actions().find(|action| action.name() == name) {
        Some(action) => Ok(action.into()),
        None => {
            Err(format!("unknown operation{}", hint(name, product.actions().map(Action::name))))
        }
    }
}
