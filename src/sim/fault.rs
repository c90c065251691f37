//! Faults: rules that say which calls go wrong, when, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::distort::Distortion;
use super::failure::Failure;
use super::parameters::Parameters;
use super::{Operation, Product};

/// One rule as it is posted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(rename = "match", default)]
    matches: Match,
    fault: Fault,
    /// How many calls it strikes; all, if it is not said.
    #[serde(default)]
    times: Option<u64>,
    #[serde(default)]
    schedule: Schedule,
}

/// The calls a rule is about: all fields that are there must fit.
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

/// Seconds since the world's start between which a rule holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Schedule {
    from: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<f64>,
}

/// What goes wrong. The variants without fields are structs because only those refuse unknown fields.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Fault {
    /// The answer comes late.
    Latency { ms: u64 },
    /// The call is denied as over its quota.
    Throttle {
        #[serde(default = "throttle_code")]
        code: String,
        #[serde(default = "bad_request")]
        status: u16,
        /// Told in `x-ratelimit-user-api`, if it is there.
        #[serde(default)]
        time_left_ms: Option<u64>,
        /// Told in `x-acs-retry-after`, if it is there.
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    /// The call fails with this status and code.
    Error {
        status: u16,
        code: String,
        #[serde(default)]
        message: Option<String>,
    },
    /// A proxy in front answers a page of HTML.
    Html {
        #[serde(default = "bad_gateway")]
        status: u16,
    },
    /// The connection is closed in the middle of the body: after so many bytes, or half of them.
    Truncated {
        #[serde(default)]
        keep: Option<usize>,
    },
    /// The connection is closed without an answer.
    Reset {},
    /// The body comes in small pieces.
    Drip {
        #[serde(default = "drip_bytes")]
        bytes: usize,
        #[serde(default = "drip_pause")]
        pause_ms: u64,
    },
    /// Numbers come as strings, numbers in strings as numbers, empty strings as null.
    WrongTypes {},
    /// Statuses are a word nobody knows.
    UnknownWords {
        #[serde(default = "unknown_word")]
        word: String,
    },
    /// The security token has expired.
    ExpiredToken {},
    /// Every page is the first.
    RepeatedPage {},
    /// The service is down for everybody, whoever signs.
    Outage {},
}

fn throttle_code() -> String {
    "Throttling.User".to_owned()
}

fn bad_request() -> u16 {
    400
}

fn bad_gateway() -> u16 {
    502
}

fn drip_bytes() -> usize {
    16
}

fn drip_pause() -> u64 {
    500
}

fn unknown_word() -> String {
    "Hibernating".to_owned()
}

/// What faults do to one call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) delay: Duration,
    /// The service does not even look at the request.
    pub(crate) outage: bool,
    pub(crate) instead: Option<Instead>,
    pub(crate) only_first_page: bool,
    pub(crate) distortions: Vec<Distortion>,
    pub(crate) harm: Option<Harm>,
}

/// What comes instead of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Instead {
    Failure(Failure),
    Html(u16),
}

/// What becomes of the answer on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    Reset,
    Truncated(Option<usize>),
    Drip(usize, Duration),
}

/// The rules there are, each with the number of calls it has struck.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(Rule, u64)>,
}

impl Faults {
    /// Adds rules from a JSON list: all of them, or none if one is bad.
    pub(crate) fn add(&mut self, text: &[u8]) -> Result<(), String> {
        let rules: Vec<Rule> =
            serde_json::from_slice(text).map_err(|error| format!("not a list of faults: {error}"))?;
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|problem| format!("fault {index}: {problem}"))?;
        }
        self.rules.extend(rules.into_iter().map(|rule| (rule, 0)));
        Ok(())
    }

    /// Forgets all rules.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules, and how many calls each has struck.
    pub(crate) fn to_json(&self) -> Value {
        let rule = |(rule, struck): &(Rule, u64)| {
            let mut value = json!(rule);
            value["struck"] = json!(struck);
            value
        };
        self.rules.iter().map(rule).collect()
    }

    /// Everything that strikes a call. Each rule that does is counted.
    pub(crate) fn strike(
        &mut self,
        operation: Operation,
        region: &str,
        parameters: &Parameters,
        at: SignedDuration,
    ) -> Effects {
        let mut effects = Effects::default();
        for (rule, struck) in &mut self.rules {
            if rule.times.is_none_or(|times| *struck < times)
                && rule.schedule.holds(at)
                && rule.matches.fits(operation, region, parameters)
            {
                *struck += 1;
                rule.fault.apply(&mut effects);
            }
        }
        effects
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        let product: Option<Product> = self.matches.product.as_deref().map(str::parse).transpose()?;
        let fits = |operation: &Operation| {
            product.is_none_or(|product| operation.product() == product)
                && self.matches.action.as_deref().is_none_or(|action| operation.action() == action)
        };
        if !Operation::ALL.iter().any(fits) {
            return Err(format!("no operation is called {:?}", self.matches.action.as_deref().unwrap_or_default()));
        }
        self.fault.check()
    }
}

impl Match {
    fn fits(&self, operation: Operation, region: &str, parameters: &Parameters) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
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

impl Fault {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Throttle { status, .. } | Self::Error { status, .. } | Self::Html { status }
                if !(200..600).contains(status) =>
            {
                Err(format!("status {status} is not between 200 and 599"))
            }
            Self::Drip { bytes: 0, .. } => Err("a drip of 0 bytes would never end".to_owned()),
            _ => Ok(()),
        }
    }

    /// Of two faults that exclude each other the rule that was posted first wins; delays add up.
    fn apply(&self, effects: &mut Effects) {
        match self {
            Self::Latency { ms } => effects.delay += Duration::from_millis(*ms),
            Self::Truncated { keep } => effects.set_harm(Harm::Truncated(*keep)),
            Self::Reset {} => effects.set_harm(Harm::Reset),
            Self::Drip { bytes, pause_ms } => effects.set_harm(Harm::Drip(*bytes, Duration::from_millis(*pause_ms))),
            Self::WrongTypes {} => effects.distortions.push(Distortion::WrongTypes),
            Self::UnknownWords { word } => effects.distortions.push(Distortion::UnknownWords(word.clone())),
            Self::RepeatedPage {} => effects.only_first_page = true,
            Self::Outage {} => effects.outage = true,
            Self::Throttle { .. } | Self::Error { .. } | Self::ExpiredToken {} | Self::Html { .. } => {
                effects.instead = effects.instead.take().or_else(|| self.instead());
            }
        }
    }

    fn instead(&self) -> Option<Instead> {
        match self {
            Self::Throttle { code, status, time_left_ms, retry_after_ms } => {
                Some(Instead::Failure(throttled(code, *status, *time_left_ms, *retry_after_ms)))
            }
            Self::Error { status, code, message } => {
                let message = message.clone().unwrap_or_else(|| format!("The request failed with {code}."));
                Some(Instead::Failure(Failure::new(*status, code.clone(), message)))
            }
            Self::ExpiredToken {} => Some(Instead::Failure(Failure::new(
                400,
                "InvalidSecurityToken.Expired",
                "Specified SecurityToken is expired.",
            ))),
            Self::Html { status } => Some(Instead::Html(*status)),
            _ => None,
        }
    }
}

fn throttled(code: &str, status: u16, time_left_ms: Option<u64>, retry_after_ms: Option<u64>) -> Failure {
    let mut failure = Failure::new(status, code.to_owned(), "Request was denied due to user flow control.");
    if let Some(ms) = time_left_ms {
        failure.headers.push(("x-ratelimit-user-api", format!("Limit:1,Remain:0,TimeLeft:{ms},Reset:0")));
    }
    if let Some(ms) = retry_after_ms {
        failure.headers.push(("x-acs-retry-after", ms.to_string()));
    }
    failure
}

impl Effects {
    fn set_harm(&mut self, harm: Harm) {
        self.harm.get_or_insert(harm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Faults::default().add(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn bad_faults_are_refused_with_a_reason() {
        assert!(problem("{}").starts_with("not a list of faults: "));
        assert!(problem(r#"[{"fault": {"kind": "gremlin"}}]"#).contains("unknown variant `gremlin`"));
        assert!(problem(r#"[{"fault": {"kind": "reset", "soon": 1}}]"#).contains("unknown field `soon`"));
        assert!(problem(r#"[{"fault": {"kind": "latency"}}]"#).contains("missing field `ms`"));
        assert!(
            problem(r#"[{"match": {"aktion": "X"}, "fault": {"kind": "reset"}}]"#).contains("unknown field `aktion`")
        );
        assert_eq!(
            problem(r#"[{"fault": {"kind": "html", "status": 99}}]"#),
            "fault 0: status 99 is not between 200 and 599"
        );
        assert_eq!(
            problem(r#"[{"match": {"action": "X"}, "fault": {"kind": "reset"}}]"#),
            "fault 0: no operation is called \"X\""
        );
        assert!(problem(r#"[{"match": {"product": "ECS"}, "fault": {"kind": "reset"}}]"#).contains("unknown product"));
    }

    #[test]
    fn a_rule_strikes_what_it_matches_as_often_and_as_long_as_it_says() {
        let mut faults = Faults::default();
        let rule = br#"[{"match": {"product": "ehpc", "cluster_id": "a"}, "fault": {"kind": "latency", "ms": 5},
                         "times": 2, "schedule": {"from": 10, "to": 20}}]"#;
        faults.add(rule).unwrap();
        let cluster = |id: &str| Parameters::from([("ClusterId".to_owned(), id.to_owned())]);
        let mut delay = |operation, id, second| {
            faults.strike(operation, "", &cluster(id), SignedDuration::from_secs(second)).delay.as_millis()
        };
        assert_eq!(delay(Operation::ListTasks, "a", 9), 0);
        assert_eq!(delay(Operation::ListTasks, "b", 10), 0);
        assert_eq!(delay(Operation::ListInstances, "a", 10), 0);
        assert_eq!(delay(Operation::ListTasks, "a", 10), 5);
        assert_eq!(delay(Operation::ListTasks, "a", 20), 0);
        assert_eq!(delay(Operation::ListCommands, "a", 19), 5);
        assert_eq!(delay(Operation::ListTasks, "a", 19), 0, "twice is enough");
        assert_eq!(faults.to_json()[0]["struck"], 2);
    }
}
