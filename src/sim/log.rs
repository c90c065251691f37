//! The log of calls: requests and their outcomes.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::parameters::Parameters;

/// Maximum number of calls kept one by one; the totals count all calls.
const CALLS_KEPT: usize = 10_000;

/// An API request.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it arrived.
    pub time: Timestamp,
    /// From which address; `None` if it came by no network.
    pub source: Option<IpAddr>,
    /// When it was signed, by the client's clock.
    pub signed: Option<String>,
    /// The product's code; empty if the request named no operation.
    pub product: String,
    /// The operation; empty if the request named none.
    pub action: String,
    /// The region whose quota it used.
    pub region: String,
    /// The parameters of the operation, without those of the signature.
    pub parameters: BTreeMap<String, String>,
    /// `ok`, the error's code, or `fault:` and the kind of the fault that left no readable answer.
    pub outcome: String,
    /// The HTTP status; 0 if the connection was closed without one.
    pub status: u16,
}

/// The newest calls, and totals of all.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    pub(crate) calls: VecDeque<Call>,
    totals: BTreeMap<(String, String, String), u64>,
}

impl CallLog {
    /// Adds a call.
    pub(crate) fn record(&mut self, call: Call) {
        let key = (call.product.clone(), call.action.clone(), call.outcome.clone());
        *self.totals.entry(key).or_default() += 1;
        self.calls.push_back(call);
        if self.calls.len() > CALLS_KEPT {
            self.calls.pop_front();
        }
    }

    /// The log as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let total = |((product, action, outcome), count): (&(String, String, String), &u64)| json!({"product": product, "action": action, "outcome": outcome, "count": count});
        json!({
            "total": self.totals.values().sum::<u64>(),
            "totals": self.totals.iter().map(total).collect::<Vec<_>>(),
            "calls": self.calls.iter().map(call_json).collect::<Vec<_>>(),
        })
    }
}

fn call_json(call: &Call) -> Value {
    json!({
        "time": call.time.to_string(),
        "source": call.source,
        "signed": call.signed,
        "product": call.product,
        "action": call.action,
        "region": call.region,
        "parameters": call.parameters,
        "outcome": call.outcome,
        "status": call.status,
    })
}

/// The operation's own parameters.
pub(crate) fn own_parameters(parameters: &Parameters) -> BTreeMap<String, String> {
    let own = parameters
        .iter()
        .filter(|(name, _)| !super::envelope::is_common(name) && *name != "OIDCToken");
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}
