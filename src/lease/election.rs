//! Decides who may take the Lease, and when. Pure.
//!
//! As in Kubernetes' own client, the times in a Lease are only compared with what they were: a
//! Lease is over once it has not changed for its duration by this machine's clock since boot. So no
//! two clocks need to agree.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::config::Lease;

/// The annotation with the URL of the process that has the Lease.
const URL: &str = "aliyun-task-exporter/url";
/// Maximum duration of a Lease that is believed, in seconds: the configuration allows no more.
const LONGEST: u64 = 300;

/// What is known of a Lease.
#[derive(Debug)]
pub(super) struct Election {
    /// Name of the Lease.
    name: String,
    identity: String,
    url: String,
    duration: Duration,
    /// What it was when it last changed, and since when.
    seen: Option<(Value, SignedDuration)>,
}

/// When the Lease was asked for and when the answer was there, as time since boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) asked: SignedDuration,
    pub(super) answered: SignedDuration,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Another process has the Lease, or may have it.
    Wait,
    /// There is none: make this one.
    Create(Value),
    /// Replace it by this one.
    Replace(Value),
    /// Another process has the Lease that this one had; its name.
    Lost(String),
}

impl Election {
    pub(super) fn new(identity: String, settings: &Lease) -> Self {
        let Lease { name, url, duration, .. } = settings.clone();
        Self { name, identity, url, duration, seen: None }
    }

    /// How this process is named in the Lease.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// What to do about the Lease as it was `found`. `leads` is whether this process has had it,
    /// and `knows` whether it has any state: one that has none lets the others go first.
    pub(super) fn step(
        &mut self,
        found: Option<Value>,
        read: Read,
        wall: Timestamp,
        leads: bool,
        knows: bool,
    ) -> Step {
        let holder = found.as_ref().and_then(holder);
        match holder {
            Some(holder) if holder == self.identity => {}
            Some(holder) if leads => return Step::Lost(holder.to_owned()),
            _ if leads => {}
            _ => {
                let spec = found.as_ref().map_or(Value::Null, |lease| lease["spec"].clone());
                if self.waits(&spec, read, knows) {
                    return Step::Wait;
                }
            }
        }
        let taken = self.taken(found.as_ref(), wall);
        if found.is_some() { Step::Replace(taken) } else { Step::Create(taken) }
    }

    /// Whether the Lease must be left to others for now.
    fn waits(&mut self, spec: &Value, read: Read, knows: bool) -> bool {
        // Counts from an answer to the sending of a later request: never too much.
        let since = match &self.seen {
            Some((before, since)) if before == spec => *since,
            _ => {
                self.seen = Some((spec.clone(), read.answered));
                read.answered
            }
        };
        let others_first = if knows { Duration::ZERO } else { self.duration * 2 };
        let patience = self.good_for(spec) + others_first;
        let passed = read.asked.saturating_sub(since);
        passed < SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX)
    }

    /// How long a Lease lasts after its last change. The holder of a deleted one may still poll.
    fn good_for(&self, spec: &Value) -> Duration {
        let is_released = spec.is_object() && holder_of(spec).is_none();
        let told = spec["leaseDurationSeconds"].as_u64();
        match told.filter(|seconds| (1..=LONGEST).contains(seconds)) {
            _ if is_released => Duration::ZERO,
            Some(seconds) => Duration::from_secs(seconds),
            None => self.duration,
        }
    }

    /// The Lease, renewed or taken by this process.
    fn taken(&self, found: Option<&Value>, wall: Timestamp) -> Value {
        let mut lease = found.cloned().unwrap_or_else(|| {
            json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self.name},
            })
        });
        let is_ours = holder(&lease) == Some(self.identity.as_str());
        let now = time(wall);
        let spec = map(&mut lease, "spec");
        spec.insert("holderIdentity".into(), json!(self.identity));
        spec.insert("leaseDurationSeconds".into(), json!(self.duration.as_secs()));
        spec.insert("renewTime".into(), json!(now));
        if !is_ours {
            let before = spec.get("leaseTransitions").and_then(Value::as_u64);
            let transitions = before.map_or(0, |before| before.saturating_add(1));
            spec.insert("acquireTime".into(), json!(now));
            spec.insert("leaseTransitions".into(), json!(transitions));
        }
        let mut metadata = Value::Object(std::mem::take(map(&mut lease, "metadata")));
        map(&mut metadata, "annotations").insert(URL.into(), json!(self.url));
        lease["metadata"] = metadata;
        lease
    }

    /// The Lease given back, so that another process may take it at once; `None` if this one does
    /// not have it.
    pub(super) fn released(&self, mut lease: Value, wall: Timestamp) -> Option<Value> {
        if holder(&lease) != Some(self.identity.as_str()) {
            return None;
        }
        let spec = map(&mut lease, "spec");
        spec.remove("holderIdentity");
        spec.insert("leaseDurationSeconds".into(), json!(1));
        spec.insert("renewTime".into(), json!(time(wall)));
        Some(lease)
    }
}

/// Which process has a Lease.
pub(super) fn holder(lease: &Value) -> Option<&str> {
    holder_of(&lease["spec"])
}

fn holder_of(spec: &Value) -> Option<&str> {
    spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty())
}

/// Where the process that has a Lease can be reached.
pub(super) fn url(lease: &Value) -> Option<&str> {
    lease["metadata"]["annotations"][URL].as_str()
}

/// The mapping under `key`, made if there is none.
fn map<'a>(value: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    let inner = &mut value[key];
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    match inner {
        Value::Object(map) => map,
        _ => unreachable!("it was just made one"),
    }
}

/// A time as Kubernetes writes it in a Lease.
fn time(wall: Timestamp) -> String {
    wall.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};

    use super::{Election, Read, Step, holder, url};
    use crate::config::{Lease, SecretSource};
    use crate::secret::Secret;

    fn election(identity: &str) -> Election {
        let settings = Lease {
            name: "exporter".into(),
            namespace: None,
            url: format!("http://{identity}:10977"),
            secret: SecretSource::Value(Secret::new("0123456789abcdef")),
            ca_file: None,
            duration: Duration::from_secs(15),
            service_account: PathBuf::new(),
        };
        Election::new(identity.into(), &settings)
    }

    /// A candidate with a state, and the time since boot in seconds.
    struct Candidate(Election, i64);

    impl Candidate {
        fn new(identity: &str) -> Self {
            Self(election(identity), 1000)
        }

        /// What it does about a Lease, this many seconds later.
        fn after(&mut self, seconds: i64, found: Option<&Value>) -> Step {
            self.1 += seconds;
            let at = SignedDuration::from_secs(self.1);
            let read = Read { asked: at, answered: at };
            self.0.step(found.cloned(), read, Timestamp::UNIX_EPOCH, false, true)
        }
    }

    fn held(by: &str, renewed: &str) -> Value {
        json!({
            "metadata": {"resourceVersion": "7", "labels": {"kept": "yes"}},
            "spec": {
                "holderIdentity": by,
                "leaseDurationSeconds": 20,
                "renewTime": renewed,
                "leaseTransitions": 3,
            },
        })
    }

    fn written(step: Step) -> Value {
        match step {
            Step::Create(lease) | Step::Replace(lease) => lease,
            other => panic!("nothing is written: {other:?}"),
        }
    }

    #[test]
    fn a_lease_is_over_once_it_has_not_changed_for_as_long_as_it_says() {
        let mut candidate = Candidate::new("b");
        for (renewed, wait) in [("2999", 19), ("1970", 19), ("yesterday", 19), ("2999", 19)] {
            assert_eq!(candidate.after(0, Some(&held("a", renewed))), Step::Wait);
            assert_eq!(candidate.after(wait, Some(&held("a", renewed))), Step::Wait);
        }
        let taken = written(candidate.after(1, Some(&held("a", "2999"))));
        assert_eq!(holder(&taken), Some("b"));
        assert_eq!(url(&taken), Some("http://b:10977"));
        assert_eq!(taken["spec"]["leaseTransitions"], 4);
        assert_eq!(taken["spec"]["leaseDurationSeconds"], 15);
        assert_eq!(taken["spec"]["renewTime"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(taken["spec"]["acquireTime"], taken["spec"]["renewTime"]);
        assert_eq!(
            taken["metadata"]["resourceVersion"], "7",
            "it replaces what was read, or nothing"
        );
        assert_eq!(taken["metadata"]["labels"]["kept"], "yes");
    }

    #[test]
    fn an_answer_that_was_long_under_way_is_as_old_as_its_question() {
        let mut candidate = election("b");
        let read = |asked, answered| Read {
            asked: SignedDuration::from_secs(asked),
            answered: SignedDuration::from_secs(answered),
        };
        let lease = held("a", "");
        let mut step =
            |read| candidate.step(Some(lease.clone()), read, Timestamp::UNIX_EPOCH, false, true);
        assert_eq!(step(read(0, 100)), Step::Wait, "seen when the answer was there");
        assert_eq!(step(read(119, 900)), Step::Wait, "over when it was asked for");
        assert!(matches!(step(read(120, 900)), Step::Replace(_)));
    }

    #[test]
    fn one_without_a_state_lets_others_go_first() {
        let mut candidate = election("b");
        let mut step = |at, knows, found| {
            let at = SignedDuration::from_secs(at);
            let read = Read { asked: at, answered: at };
            candidate.step(found, read, Timestamp::UNIX_EPOCH, false, knows)
        };
        let released = || Some(json!({"metadata": {}, "spec": {"leaseDurationSeconds": 1}}));
        assert_eq!(step(0, false, released()), Step::Wait);
        assert_eq!(step(29, false, released()), Step::Wait);
        assert!(matches!(step(29, true, released()), Step::Replace(_)), "at once");
        assert!(matches!(step(30, false, released()), Step::Replace(_)));
        assert_eq!(step(31, false, None), Step::Wait);
        assert_eq!(step(31 + 44, false, None), Step::Wait);
        assert!(matches!(step(31 + 45, false, None), Step::Create(_)));
    }

    #[test]
    fn one_that_was_deleted_may_still_be_used() {
        let mut candidate = Candidate::new("b");
        assert_eq!(candidate.after(0, None), Step::Wait);
        assert_eq!(candidate.after(14, None), Step::Wait);
        let lease = written(candidate.after(1, None));
        assert_eq!((lease["kind"].as_str(), holder(&lease)), (Some("Lease"), Some("b")));
        assert_eq!(lease["spec"]["leaseTransitions"], 0);
        assert_eq!(lease["metadata"]["name"], "exporter");
        assert_eq!(lease["metadata"].get("resourceVersion"), None);
    }

    #[test]
    fn what_is_odd_about_a_lease_ends_nothing_early() {
        for odd in [
            json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 0}}),
            json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": -5}}),
            json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": u64::MAX}}),
            json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": "15"}}),
            json!({"spec": null, "metadata": null}),
            json!({}),
        ] {
            let mut candidate = Candidate::new("b");
            assert_eq!(candidate.after(0, Some(&odd)), Step::Wait, "{odd}");
            assert_eq!(candidate.after(14, Some(&odd)), Step::Wait, "{odd}");
            assert_eq!(holder(&written(candidate.after(1, Some(&odd)))), Some("b"), "{odd}");
        }
    }

    #[test]
    fn the_one_that_has_it_renews_it_or_learns_that_it_is_lost() {
        let mut ours = election("a");
        let read = Read { asked: SignedDuration::ZERO, answered: SignedDuration::ZERO };
        let mut step = |found| ours.step(found, read, Timestamp::UNIX_EPOCH, true, true);
        let renewed = written(step(Some(held("a", "1"))));
        assert_eq!(renewed["spec"]["leaseTransitions"], 3);
        assert_eq!(renewed["spec"].get("acquireTime"), None);
        assert_eq!(step(Some(held("b", "1"))), Step::Lost("b".into()));
        assert!(matches!(step(None), Step::Create(_)), "it was deleted");
        let ours = election("a");
        let released = ours.released(held("a", "1"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            (holder(&released), released["spec"]["leaseTransitions"].as_u64()),
            (None, Some(3))
        );
        assert_eq!(ours.released(held("b", "1"), Timestamp::UNIX_EPOCH), None);
    }
}
