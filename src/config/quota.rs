//! `accounts[].quotas`: calls per minute, by `Product` or `Product.Operation`.

use std::collections::BTreeMap;

use serde::Serializer;

use super::problem::hint;
use super::reader::{Section, Value};

/// `accounts[].quotas`: calls per minute, by `(product, operation)` as in `SWAS.DescribeInvocations`; an operation of
/// `None` (`SWAS` alone) sets every operation of the product.
pub type Quotas = BTreeMap<(String, Option<String>), u32>;

/// The products and operations the exporter uses.
pub const OPERATIONS: [(&str, &[&str]); 2] = [
    (
        "EHPC",
        &["ListTasks", "ListInvocationStatus", "ListInvocationResults", "ListCommands", "ListClusters", "ListRegions"],
    ),
    (
        "SWAS",
        &[
            "DescribeInvocations",
            "DescribeInvocationResult",
            "DescribeCommandInvocations",
            "ListInstances",
            "ListRegions",
        ],
    ),
];

pub(super) fn read(account: &Section) -> Quotas {
    let Some(value) = account.get("quotas") else { return Quotas::new() };
    value.children().iter().filter_map(|(key, value)| quota(key, value)).collect()
}

/// Serialises quotas with the keys that a file has.
///
/// # Errors
/// Those of the serializer.
pub(super) fn write<S: Serializer>(quotas: &Quotas, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(quotas.iter().map(|((product, operation), calls)| match operation {
        Some(operation) => (format!("{product}.{operation}"), calls),
        None => (product.clone(), calls),
    }))
}

fn quota(key: &str, value: &Value) -> Option<((String, Option<String>), u32)> {
    let calls = value.integer(&(1..=1_000_000)).and_then(|calls| u32::try_from(calls).ok());
    match resolve(key) {
        Ok(name) => calls.map(|calls| (name, calls)),
        Err(message) => {
            value.problem(message);
            None
        }
    }
}

/// `SWAS.ListRegions` -> its parts, both known.
fn resolve(key: &str) -> Result<(String, Option<String>), String> {
    let (product, operation) = key.split_once('.').map_or((key, None), |(product, rest)| (product, Some(rest)));
    let Some((_, operations)) = OPERATIONS.iter().find(|(name, _)| *name == product) else {
        let hint = hint(product, OPERATIONS.map(|(name, _)| name));
        return Err(format!("unknown product{}", if hint.is_empty() { ": EHPC or SWAS".to_owned() } else { hint }));
    };
    match operation {
        Some(name) if !operations.contains(&name) => {
            Err(format!("unknown operation{}", hint(name, operations.iter().copied())))
        }
        _ => Ok((product.to_owned(), operation.map(str::to_owned))),
    }
}
