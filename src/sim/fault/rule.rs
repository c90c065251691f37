//! Rules as they are posted: which calls, how often, when.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::kind::Fault;
use crate::sim::parameters::Parameters;
use crate::sim::{Operation, Product};

/// A rule as it is posted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(rename = "match", default)]
    matches: Match,
    pub(super) fault: Fault,
    /// Number of calls it affects; all if absent.
    #[serde(default)]
    pub(super) times: Option<u64>,
    #[serde(default)]
    schedule: Schedule,
}

/// The calls a rule applies to: all given fields must match.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Match {
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, String>,
}

/// When a rule applies, in seconds since the world's start.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Schedule {
    from: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<f64>,
}

impl Rule {
    /// Checks what serde cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let product: Option<Product> =
            self.matches.product.as_deref().map(str::parse).transpose()?;
        let fits = |operation: &Operation| {
            product.is_none_or(|product| operation.product() == product)
                && self.matches.action.as_deref().is_none_or(|action| operation.action() == action)
        };
        if !Operation::ALL.iter().any(fits) {
            return Err(format!(
                "no operation is called {:?}",
                self.matches.action.as_deref().unwrap_or_default()
            ));
        }
        self.fault.check()
    }

    /// Whether the rule applies at this time since the world's start.
    pub(super) fn holds(&self, at: SignedDuration) -> bool {
        self.schedule.holds(at)
    }

    /// Whether the rule applies to a call.
    pub(super) fn fits(&self, operation: Operation, region: &str, parameters: &Parameters) -> bool {
        self.matches.fits(operation, region, parameters)
    }
}

impl Match {
    fn fits(&self, operation: Operation, region: &str, parameters: &Parameters) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == value
        };
        let parameter = |name: &str| parameters.get(name).map(String::as_str);
        self.product.as_ref().is_none_or(|product| product.parse() == Ok(operation.product()))
            && is(&self.action, Some(operation.action()))
            && is(&self.region, Some(region))
            && is(&self.cluster_id, parameter("ClusterId"))
            && is(&self.instance_id, parameter("InstanceId"))
            && self.parameters.iter().all(|(name, value)| parameter(name) == Some(value))
    }
}

impl Schedule {
    fn holds(self, at: SignedDuration) -> bool {
        let seconds = at.as_secs_f64();
        seconds >= self.from && self.to.is_none_or(|to| seconds < to)
    }
}
