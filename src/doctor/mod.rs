//! `doctor`: tries each operation that a configuration needs, once for each account and region, and
//! says what to do. Discovery runs first, and what its calls have shown is part of the report.
//!
//! Config -> trials -> findings -> report. One attempt of an operation is within any budget.

mod finding;
mod policy;
mod probe;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::aliyun::{Client, SetupError, error_of};
use crate::config::Config;
use crate::poll::{CallResult, clients, discovery_pass, log_request};
use crate::target::{Kind, TargetId, targets};
use crate::term::Term;

pub use finding::{Finding, State};
pub use policy::{Policy, policies};
use probe::{Name, SampleIds, Trial};
pub use report::{Report, json, text};

/// Tries everything that `config` needs: accounts and regions concurrently, the operations of each
/// one after the other. Discovery runs first, and each call is attempted once.
///
/// # Errors
/// If an account's client cannot be made.
pub async fn examine(config: &Config) -> Result<Report, SetupError> {
    let clients = clients(config)?;
    let discovery_pass = discovery_pass(config, &clients, 1).await;
    let targets = targets(config, &discovery_pass.findings);
    let mut visits = JoinSet::new();
    for trials in probe::trials(targets, &discovery_pass.calls) {
        if let Some(client) =
            trials.first().and_then(|trial| clients.get(&trial.target.account)).cloned()
        {
            visits.spawn(visit(client, trials));
        }
    }
    let visited = visits.join_all().await.into_iter().flatten();
    let mut places: BTreeMap<(Name, Arc<str>), Vec<Finding>> = BTreeMap::new();
    let missing = |result: &CallResult| {
        let place = TargetId { kind: Kind::Discovery, id: Arc::clone(&result.target) };
        discovery_pass.missing.get(&place).copied().filter(|_| result.error.is_none())
    };
    for result in discovery_pass.calls.iter().cloned().chain(visited) {
        let place = (Arc::clone(&result.account), Arc::clone(&result.region));
        let missing = missing(&result);
        let finding = Finding::new(result);
        let finding = match missing {
            Some(missing) => finding.lacking(missing),
            None => finding,
        };
        places.entry(place).or_default().push(finding);
    }
    Ok(Report { findings: places.into_values().flatten().collect(), policies: policies(config) })
}

/// Tries the operations of one account in one region one after the other: a later call may need an
/// earlier answer. If a made-up id is not found, the account is allowed to call the operation.
async fn visit(client: Client, trials: Vec<Trial>) -> Vec<CallResult> {
    let mut known = SampleIds::default();
    let mut all = Vec::new();
    for Trial { action, target } in trials {
        let question = known.question(action, &target);
        let started = Instant::now();
        let attempted = client.attempt(&target.region, &question, &Term::unlimited()).await;
        log_request((&*target).into(), &question, &attempted);
        let error = error_of(&attempted.outcome).cloned();
        if let Ok(decoded) = &attempted.outcome {
            known.learn(&decoded.value);
        }
        let made_up = known.is_made_up(&question);
        all.push(CallResult {
            account: Arc::clone(&target.account),
            region: Arc::clone(&target.region),
            action,
            target: Arc::clone(&target.id.id),
            error: error.filter(|error| !(made_up && error.is_one_thing_gone())),
            clock_skew: attempted.clock_skew,
            took: started.elapsed(),
        });
    }
    all
}
