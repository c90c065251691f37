//! The clients of the configured accounts, and warnings about the routes they use.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::tracker::operations;
use crate::action::Product;
use crate::aliyun::{Client, SetupError, endpoint};
use crate::config::{Account, Config};
use crate::target::{Findings, Target, polled, targets};

/// The client of each account, by its name.
pub type Clients = HashMap<Arc<str>, Client>;

/// Creates the client of each account.
///
/// # Errors
/// If a file that an account names, or a proxy that the environment sets for a polled endpoint,
/// cannot be used.
pub fn clients(config: &Config) -> Result<Clients, SetupError> {
    // The last call of a term must not arrive when the Lease may be another process's.
    let patience = config.state.lease.as_ref().map(|lease| lease.duration / 3);
    let client = |account: &Account| {
        let client = Client::new(account, &config.poll, patience)?;
        let client = client.keeping_error_texts(config.web.error_texts);
        Ok((Arc::from(account.name.as_str()), client))
    };
    let clients: Clients = config.accounts.iter().map(client).collect::<Result<_, SetupError>>()?;
    for (product, account, region) in places(&polled(targets(config, &Findings::new()))) {
        clients.get(account).map_or(Ok(()), |client| client.check_route(product, region))?;
    }
    Ok(clients)
}

/// Warnings about the routes to `asked`: regions without a known endpoint, requests without TLS,
/// variables without effect.
pub fn route_warnings(
    config: &Config,
    clients: &Clients,
    asked: &[Arc<Target>],
) -> BTreeSet<String> {
    let mut warnings = endpoint::warnings(config, places(asked));
    warnings.extend(clients.values().filter_map(Client::warning).map(str::to_owned));
    warnings
}

/// Descriptions of the proxies used for `asked`.
pub fn route_notes(clients: &Clients, asked: &[Arc<Target>]) -> BTreeSet<String> {
    let note = |(product, account, region): (Product, &str, &str)| {
        let proxy = clients.get(account)?.proxy(product, region)?;
        Some(format!("account {account:?} asks {} through {proxy}", product.label()))
    };
    places(asked).into_iter().filter_map(note).collect()
}

/// Each product, account and region that is polled.
fn places<'a>(asked: &'a [Arc<Target>]) -> BTreeSet<(Product, &'a str, &'a str)> {
    let of = |target: &'a Arc<Target>| {
        operations(target)
            .iter()
            .map(|action| (action.product(), &*target.account, &*target.region))
    };
    asked.iter().flat_map(of).collect()
}
