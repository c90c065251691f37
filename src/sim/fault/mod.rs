//! Faults: rules that say which calls go wrong, when, and how.

mod effects;
mod kind;
mod late;
mod paging;
mod rule;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::Operation;
use super::parameters::Parameters;
pub(crate) use effects::{Effects, Harm, Instead};
pub(crate) use late::{Late, Shown};
pub(crate) use paging::Paging;
use rule::Rule;

/// The rules, each with the number of calls it has affected.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(Rule, u64)>,
}

impl Faults {
    /// Adds rules from a JSON list: all of them, or none if one is bad.
    pub(crate) fn add(&mut self, text: &[u8]) -> Result<(), String> {
        let rules: Vec<Rule> = serde_json::from_slice(text)
            .map_err(|error| format!("not a list of faults: {error}"))?;
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|problem| format!("fault {index}: {problem}"))?;
        }
        self.rules.extend(rules.into_iter().map(|rule| (rule, 0)));
        Ok(())
    }

    /// Removes all rules.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules, and how many calls each has affected.
    pub(crate) fn to_json(&self) -> Value {
        let rule = |(rule, struck): &(Rule, u64)| {
            let mut value = json!(rule);
            value["struck"] = json!(struck);
            value
        };
        self.rules.iter().map(rule).collect()
    }

    /// The effects of all rules that apply to a call. Each of them counts the call.
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
                && rule.holds(at)
                && rule.fits(operation, region, parameters)
            {
                *struck += 1;
                rule.fault.apply(&mut effects);
            }
        }
        effects
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
        assert!(
            problem(r#"[{"fault": {"kind": "gremlin"}}]"#).contains("unknown variant `gremlin`")
        );
        assert!(
            problem(r#"[{"fault": {"kind": "reset", "soon": 1}}]"#)
                .contains("unknown field `soon`")
        );
        assert!(problem(r#"[{"fault": {"kind": "latency"}}]"#).contains("missing field `ms`"));
        assert!(
            problem(r#"[{"match": {"aktion": "X"}, "fault": {"kind": "reset"}}]"#)
                .contains("unknown field `aktion`")
        );
        assert_eq!(
            problem(r#"[{"fault": {"kind": "html", "status": 99}}]"#),
            "fault 0: status 99 is not between 200 and 599"
        );
        assert_eq!(
            problem(r#"[{"match": {"action": "X"}, "fault": {"kind": "reset"}}]"#),
            "fault 0: no operation is called \"X\""
        );
        assert!(
            problem(r#"[{"match": {"product": "ECS"}, "fault": {"kind": "reset"}}]"#)
                .contains("unknown product")
        );
    }

    #[test]
    fn a_rule_strikes_what_it_matches_as_often_and_as_long_as_it_says() {
        let mut faults = Faults::default();
        let rule = br#"[{"match": {"product": "ehpc", "cluster_id": "a"}, "fault": {"kind": "latency", "ms": 5},
                         "times": 2, "schedule": {"from": 10, "to": 20}}]"#;
        faults.add(rule).unwrap();
        let cluster = |id: &str| Parameters::from([("ClusterId".to_owned(), id.to_owned())]);
        let mut delay = |operation, id, second| {
            faults
                .strike(operation, "", &cluster(id), SignedDuration::from_secs(second))
                .delay
                .as_millis()
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
