//! Calls to the cloud, and how the cloud throttles them.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::{ApiLabels, BudgetState};
use crate::store::{BudgetStatus, Outcomes};

/// The budget of one operation in one region of one cloud account.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Budget {
    /// The quota group that shares it.
    pub(super) group: String,
    /// Region id.
    pub(super) region: String,
    /// Product.
    pub(super) product: String,
    /// Operation.
    pub(super) operation: String,
    /// Calls per minute that `quotas` allows.
    pub(super) quota_per_minute: f64,
    /// Calls per minute that the exporter allows itself now.
    pub(super) budget_per_minute: f64,
    /// Calls per minute that the targets need now.
    pub(super) planned_per_minute: f64,
    /// Seconds that calls have waited for their turn since the start.
    pub(super) waited_seconds: f64,
    /// Requests since the start, by outcome.
    pub(super) requests: Outcomes,
    /// The cloud has refused a call, and has answered none since.
    pub(super) resting: Option<RestingStatus>,
    /// Fewer calls are made than `quotas` allows, because the cloud has refused more.
    pub(super) lowered: Option<LoweredStatus>,
}

/// The rest of an operation after the cloud has refused a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RestingStatus {
    /// When the first call was refused.
    pub(super) since: Timestamp,
    /// When a single call is tried.
    pub(super) until: Timestamp,
    /// The cloud's code, or the HTTP status.
    pub(super) code: Arc<str>,
}

/// A budget that is lower than `quotas` allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct LoweredStatus {
    /// When it was first lowered.
    pub(super) since: Timestamp,
    /// The cloud's code, or the HTTP status, of the last refusal.
    pub(super) code: Arc<str>,
    /// Calls that got through in the minute in which more were refused.
    pub(super) refused_at_per_minute: u32,
    /// When more than that is tried.
    pub(super) retry_at: Timestamp,
}

/// How much harm the cloud's refusals do; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Throttling {
    /// There are no refusals.
    Not,
    /// The refusals delay nothing.
    Harmless,
    /// Fewer calls are made than the targets need.
    Short,
    /// No call is answered.
    Refused,
}

/// An operation that no call has tried for this long after its rest counts as needed by no target.
const UNTRIED: SignedDuration = SignedDuration::from_secs(120);

impl Budget {
    /// How much harm the cloud's refusals do at `now`.
    pub(super) fn throttling(&self, now: Timestamp) -> Throttling {
        let is_refused = self
            .resting
            .as_ref()
            .is_some_and(|resting| now.duration_since(resting.until) < UNTRIED);
        match (is_refused, &self.lowered) {
            (true, _) => Throttling::Refused,
            (false, Some(_)) if self.planned_per_minute > self.budget_per_minute => {
                Throttling::Short
            }
            (false, Some(_)) => Throttling::Harmless,
            (false, None) if self.resting.is_some() => Throttling::Harmless,
            (false, None) => Throttling::Not,
        }
    }

    /// Orders budgets that are throttled worse at `now` first, then those with a larger planned
    /// share, then those with more requests.
    pub(super) fn worse(&self, other: &Self, now: Timestamp) -> Ordering {
        let harm = other.throttling(now).cmp(&self.throttling(now));
        harm.then(other.share().total_cmp(&self.share()))
            .then_with(|| other.asked().cmp(&self.asked()))
    }

    /// How the cloud throttles it, as text.
    pub(super) fn throttled(&self, now: Timestamp) -> Option<String> {
        let clock = |at: Timestamp| clock(at, now);
        let rests = self.resting.as_ref().map(|RestingStatus { since, until, code }| {
            let next = if *until < now {
                "with the next call".to_owned()
            } else {
                format!("at {}", clock(*until))
            };
            format!("refused since {} ({code}); tried again {next}", clock(*since))
        });
        let lowered = self.lowered.as_ref().map(|LoweredStatus { since, code, retry_at, .. }| {
            let budget = self.budget_per_minute;
            let quota = self.quota_per_minute;
            let retry = match rests.is_some() {
                true => String::new(),
                false if *retry_at <= now => format!("; more is tried since {}", clock(*retry_at)),
                false => format!("; more is tried at {}", clock(*retry_at)),
            };
            format!("lowered to {budget} of {quota} a minute since {} after a refusal ({code}){retry}", clock(*since))
        });
        let said: Vec<String> = rests.into_iter().chain(lowered).collect();
        (!said.is_empty())
            .then(|| format!("{}; {} needed", said.join("; "), calls(self.planned_per_minute)))
    }

    /// The planned share of the quota; more than 1 if the quota is too small.
    pub(super) fn share(&self) -> f64 {
        if self.quota_per_minute > 0.0 {
            self.planned_per_minute / self.quota_per_minute
        } else {
            0.0
        }
    }

    /// Requests since the start, and how many of them did not have the outcome `ok`.
    pub(super) fn asked(&self) -> (u64, u64) {
        let all = self.requests.values().sum::<u64>();
        (all, all - self.requests.get("ok").copied().unwrap_or(0))
    }
}

/// A time of day, with its date unless that is the same as `now`'s.
pub(super) fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%F").to_string();
    let format = if day(at) == day(now) { "%H:%M UTC" } else { "%F %H:%M UTC" };
    at.strftime(format).to_string()
}

/// A number of calls with at most one decimal, and only if it matters.
pub(super) fn calls(per_minute: f64) -> String {
    let rounded = (per_minute * 10.0).round() / 10.0;
    if rounded == 0.0 && per_minute > 0.0 { "< 0.1".to_owned() } else { rounded.to_string() }
}

impl Budget {
    /// The budget as shown on the page and in the API.
    pub(super) fn new(labels: ApiLabels, status: BudgetStatus) -> Self {
        let BudgetStatus { state, planned_per_minute, waited, requests } = status;
        let figure = |figure: fn(&BudgetState) -> u32| {
            state.as_ref().map_or(0.0, |state| f64::from(figure(state)))
        };
        let resting = state.as_ref().and_then(|state| state.resting.as_ref());
        let lowered = state.as_ref().and_then(|state| state.lowered.as_ref());
        Self {
            group: labels.account.to_string(),
            region: labels.region.to_string(),
            product: labels.product.to_owned(),
            operation: labels.operation.to_owned(),
            quota_per_minute: figure(|state| state.configured),
            budget_per_minute: figure(|state| state.in_force),
            planned_per_minute,
            waited_seconds: waited.as_secs_f64(),
            requests,
            resting: resting.map(|resting| RestingStatus {
                since: resting.since,
                until: resting.until,
                code: Arc::clone(&resting.code),
            }),
            lowered: lowered.map(|lowered| LoweredStatus {
                since: lowered.since,
                code: Arc::clone(&lowered.code),
                refused_at_per_minute: lowered.refused_at,
                retry_at: lowered.retry_at,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Budget, Throttling};
    use crate::model::{ApiLabels, BudgetState, Lowered, Resting};
    use crate::store::BudgetStatus;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-26T{time}Z").parse().unwrap()
    }

    fn labels() -> ApiLabels {
        let product = "SWAS";
        let operation = "DescribeInvocations";
        ApiLabels { account: "g".into(), region: "cn-hangzhou".into(), product, operation }
    }

    /// A budget in this state as the page shows it.
    fn shown(state: &BudgetState, planned_per_minute: f64) -> Budget {
        let state = Some(state.clone());
        Budget::new(labels(), BudgetStatus { state, planned_per_minute, ..BudgetStatus::default() })
    }

    fn calm() -> BudgetState {
        BudgetState { configured: 900, in_force: 900, resting: None, lowered: None }
    }

    fn lowered() -> BudgetState {
        let code = "Throttling.User".into();
        let lowered =
            Lowered { since: at("21:35:02"), code, refused_at: 110, retry_at: at("21:40:02") };
        BudgetState { in_force: 66, lowered: Some(lowered), ..calm() }
    }

    fn resting() -> Option<Resting> {
        Some(Resting { since: at("21:38:00"), until: at("21:39:00"), code: "429".into() })
    }

    #[test]
    fn the_plan_stands_beside_the_quota() {
        let status = BudgetStatus {
            state: Some(BudgetState { configured: 600, ..lowered() }),
            planned_per_minute: 150.0,
            waited: Duration::from_millis(2500),
            requests: [("ok", 7), ("throttled", 2)].into(),
        };
        let budget = Budget::new(labels(), status);
        assert_eq!((budget.group.as_str(), budget.region.as_str()), ("g", "cn-hangzhou"));
        assert_eq!(
            (budget.share(), budget.budget_per_minute, budget.waited_seconds),
            (0.25, 66.0, 2.5)
        );
        assert_eq!(budget.asked(), (9, 2));
        let gone = Budget::new(labels(), BudgetStatus::default());
        assert_eq!((gone.quota_per_minute, gone.budget_per_minute, gone.share()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn what_the_cloud_refuses_is_told_with_its_times_and_figures() {
        let now = at("21:38:30");
        let told = |state: &BudgetState, planned| {
            let budget = shown(state, planned);
            (budget.throttling(now), budget.throttled(now).unwrap_or_default())
        };
        assert_eq!(told(&calm(), 120.0), (Throttling::Not, String::new()));
        let words = "lowered to 66 of 900 a minute since 21:35 UTC after a refusal (Throttling.User); more is tried at \
                     21:40 UTC; 120 needed";
        assert_eq!(told(&lowered(), 120.0), (Throttling::Short, words.to_owned()));
        assert_eq!(told(&lowered(), 66.0).0, Throttling::Harmless);
        let probing = shown(&lowered(), 1.0).throttled(at("21:45:00")).unwrap();
        assert!(probing.contains("; more is tried since 21:40 UTC; 1 needed"), "{probing}");
        let words = "refused since 21:38 UTC (429); tried again at 21:39 UTC; 66 needed";
        assert_eq!(
            told(&BudgetState { resting: resting(), ..calm() }, 66.0),
            (Throttling::Refused, words.to_owned())
        );
        let words = "refused since 21:38 UTC (429); tried again at 21:39 UTC; lowered to 66 of 900 a minute since 21:35 \
                     UTC after a refusal (Throttling.User); 66 needed";
        let both = BudgetState { resting: resting(), ..lowered() };
        assert_eq!(told(&both, 66.0), (Throttling::Refused, words.to_owned()));
    }

    #[test]
    fn a_rest_after_which_nothing_is_asked_does_no_harm_and_another_day_is_named() {
        let budget = shown(&BudgetState { resting: resting(), ..calm() }, 0.02);
        let tomorrow: Timestamp = "2026-11-27T03:00:00Z".parse().unwrap();
        assert_eq!(budget.throttling(at("21:40:59")), Throttling::Refused);
        assert_eq!(budget.throttling(at("21:41:00")), Throttling::Harmless);
        let words = "refused since 2026-11-26 21:38 UTC (429); tried again with the next call; < 0.1 needed";
        assert_eq!(budget.throttled(tomorrow).as_deref(), Some(words));
    }

    #[test]
    fn a_quota_that_is_not_there_is_not_divided_by() {
        assert_eq!(Budget { planned_per_minute: 3.0, ..Budget::default() }.share(), 0.0);
    }
}
