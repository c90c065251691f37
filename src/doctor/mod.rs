//! `doctor`: tries each operation that a configuration needs, once for each account and region, and says what to do. What
//! discovery finds is looked for first, as a poll would, so its lists are asked for once more.
//!
//! Config -> trials -> findings -> report. One attempt of an operation is within any budget.

mod finding;
mod policy;
mod report;
mod trial;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::aliyun::{Client, SetupError};
use crate::config::Config;
use crate::poll::survey;
use crate::target::targets;

pub use finding::{Finding, State};
pub use policy::{Policy, policies};
pub use report::{Report, json, text};
use trial::{Known, Trial};

/// Tries all that `config` needs: accounts and regions at once, the operations of each in turn. What discovery finds is looked
/// for first.
///
/// # Errors
/// If an account's client cannot be made.
pub async fn examine(config: &Config) -> Result<Report, SetupError> {
    let targets = targets(config, &survey(config).await?.findings);
    let mut clients = HashMap::new();
    for account in &config.accounts {
        clients.insert(account.name.as_str(), Client::new(account, &config.poll)?);
    }
    let mut visits = JoinSet::new();
    for (position, trials) in trial::trials(targets).into_iter().enumerate() {
        if let Some(client) = trials.first().and_then(|trial| clients.get(&*trial.target.account)).cloned() {
            visits.spawn(async move { (position, visit(&client, trials).await) });
        }
    }
    let mut found: Vec<(usize, Vec<Finding>)> = visits.join_all().await;
    found.sort_unstable_by_key(|(position, _)| *position);
    Ok(Report { findings: found.into_iter().flat_map(|(_, findings)| findings).collect(), policies: policies(config) })
}

/// The operations of one account in one region, one after the other: a later question may need an earlier answer.
async fn visit(client: &Client, trials: Vec<Trial>) -> Vec<Finding> {
    let (mut known, mut findings) = (Known::default(), Vec::new());
    for trial in trials {
        let operation = known.question(&trial);
        let started = Instant::now();
        let attempted = client.attempt(&trial.target.region, &operation, None).await;
        let outcome = attempted.outcome.map(|said| known.learn(&said));
        let made_up = known.is_made_up(&operation);
        findings.push(Finding::new(trial, outcome, made_up, attempted.clock_skew, started.elapsed()));
    }
    findings
}

/// An account's name, as targets hold it.
type Name = Arc<str>;
