//! What the exporter asks of the cloud, read back from its own metrics, and how the cloud throttles that.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use prometheus::proto::{Metric, MetricFamily};
use serde::Serialize;

use crate::catalog::{API_PLANNED, API_QUOTA_WAIT, API_REQUESTS, Family};
use crate::model::BudgetState;

/// The budget of one operation in one region of one cloud account.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Budget {
    /// Whose budget it is: the quota group.
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
    pub(super) requests: BTreeMap<String, u64>,
    /// The cloud has refused a call, and has answered none since.
    pub(super) resting: Option<RestingStatus>,
    /// Fewer calls are made than `quotas` allows, because the cloud has refused more.
    pub(super) lowered: Option<LoweredStatus>,
}

/// An operation that the cloud has refused rests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RestingStatus {
    /// When the first call was refused.
    pub(super) since: Timestamp,
    /// When one call is tried.
    pub(super) until: Timestamp,
    /// The cloud's code, or the HTTP status.
    pub(super) code: Arc<str>,
}

/// A budget that is lower than `quotas` allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct LoweredStatus {
    /// When it was lowered first.
    pub(super) since: Timestamp,
    /// The cloud's code, or the HTTP status, of the last refusal.
    pub(super) code: Arc<str>,
    /// Calls that got through in the minute in which more were refused.
    pub(super) refused_at_per_minute: u32,
    /// When more than that is tried.
    pub(super) retry_at: Timestamp,
}

/// How much the cloud's refusals harm; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Throttling {
    /// There are none.
    Not,
    /// Nothing waits for what they have changed.
    Harmless,
    /// Fewer calls are made than the targets need.
    Short,
    /// No call is answered.
    Refused,
}

/// One that no call has tried for this long after its rest is needed by no target.
const UNTRIED: SignedDuration = SignedDuration::from_secs(120);

impl Budget {
    /// How much the cloud's refusals harm at `now`.
    pub(super) fn throttling(&self, now: Timestamp) -> Throttling {
        let is_refused = self.resting.as_ref().is_some_and(|resting| now.duration_since(resting.until) < UNTRIED);
        match (is_refused, &self.lowered) {
            (true, _) => Throttling::Refused,
            (false, Some(_)) if self.planned_per_minute > self.budget_per_minute => Throttling::Short,
            (false, Some(_)) => Throttling::Harmless,
            (false, None) if self.resting.is_some() => Throttling::Harmless,
            (false, None) => Throttling::Not,
        }
    }

    /// The one that is throttled worse at `now` first, else the one of which more is needed or was asked.
    pub(super) fn worse(&self, other: &Self, now: Timestamp) -> Ordering {
        let harm = other.throttling(now).cmp(&self.throttling(now));
        harm.then(other.share().total_cmp(&self.share())).then_with(|| other.asked().cmp(&self.asked()))
    }

    /// How the cloud throttles it, in words.
    pub(super) fn throttled(&self, now: Timestamp) -> Option<String> {
        let clock = |at: Timestamp| clock(at, now);
        let rests = self.resting.as_ref().map(|RestingStatus { since, until, code }| {
            let next = if *until < now { "with the next call".to_owned() } else { format!("at {}", clock(*until)) };
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
        (!said.is_empty()).then(|| format!("{}; {} needed", said.join("; "), calls(self.planned_per_minute)))
    }

    /// The planned part of the quota; more than 1 if the quota is too small.
    pub(super) fn share(&self) -> f64 {
        if self.quota_per_minute > 0.0 { self.planned_per_minute / self.quota_per_minute } else { 0.0 }
    }

    /// Requests since the start, and how many of them were not answered with `ok`.
    pub(super) fn asked(&self) -> (u64, u64) {
        let all = self.requests.values().sum::<u64>();
        (all, all - self.requests.get("ok").copied().unwrap_or(0))
    }
}

/// A time of day, with its day unless that is `now`'s.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%F").to_string();
    let format = if day(at) == day(now) { "%H:%M UTC" } else { "%F %H:%M UTC" };
    at.strftime(format).to_string()
}

/// At most one digit after the point, and only where it says something.
pub(super) fn calls(per_minute: f64) -> String {
    let rounded = (per_minute * 10.0).round() / 10.0;
    if rounded == 0.0 && per_minute > 0.0 { "< 0.1".to_owned() } else { rounded.to_string() }
}

/// Every budget of the gathered `families`, which stands as `states` say; `groups` tells the quota group of an account, since requests are counted by
/// account and budgets by group.
pub(super) fn budgets(
    families: &[MetricFamily],
    groups: &BTreeMap<&Arc<str>, &Arc<str>>,
    states: &BTreeMap<Key, BudgetState>,
) -> Vec<Budget> {
    let mut budgets = BTreeMap::new();
    for (key, state) in states {
        stands(budget(&mut budgets, key.clone()), state);
    }
    for metric in metrics(families, &API_PLANNED) {
        budget(&mut budgets, key(metric, label(metric, "account"))).planned_per_minute = metric.get_gauge().get_value();
    }
    for metric in metrics(families, &API_QUOTA_WAIT) {
        budget(&mut budgets, key(metric, label(metric, "account"))).waited_seconds = metric.get_counter().get_value();
    }
    for metric in metrics(families, &API_REQUESTS) {
        let account = label(metric, "account");
        let group = groups.get(&Arc::from(account)).map_or(account, |group| group.as_ref());
        let requests = &mut budget(&mut budgets, key(metric, group)).requests;
        *requests.entry(label(metric, "outcome").to_owned()).or_default() += metric.get_counter().get_value() as u64;
    }
    budgets.into_values().collect()
}

/// Quota group, region, product and operation.
type Key = [String; 4];

fn key(metric: &Metric, group: &str) -> Key {
    let [region, product, operation] = ["region_id", "product", "operation"].map(|name| label(metric, name).to_owned());
    [group.to_owned(), region, product, operation]
}

fn budget(budgets: &mut BTreeMap<Key, Budget>, key: Key) -> &mut Budget {
    let [group, region, product, operation] = key.clone();
    budgets.entry(key).or_insert_with(|| Budget { group, region, product, operation, ..Budget::default() })
}

fn stands(budget: &mut Budget, state: &BudgetState) {
    budget.quota_per_minute = f64::from(state.configured);
    budget.budget_per_minute = f64::from(state.in_force);
    budget.resting = state.resting.as_ref().map(|resting| RestingStatus {
        since: resting.since,
        until: resting.until,
        code: Arc::clone(&resting.code),
    });
    budget.lowered = state.lowered.as_ref().map(|lowered| LoweredStatus {
        since: lowered.since,
        code: Arc::clone(&lowered.code),
        refused_at_per_minute: lowered.refused_at,
        retry_at: lowered.retry_at,
    });
}

fn metrics<'a>(families: &'a [MetricFamily], wanted: &Family) -> impl Iterator<Item = &'a Metric> {
    let name = wanted.name;
    families.iter().filter(move |family| family.name() == name).flat_map(MetricFamily::get_metric)
}

fn label<'a>(metric: &'a Metric, name: &str) -> &'a str {
    metric.get_label().iter().find(|label| label.name() == name).map_or("", |label| label.value())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::{Budget, Throttling, budgets};
    use crate::model::{BudgetState, Lowered, Resting, SeriesUse};
    use crate::self_metrics::SelfMetrics;

    const LABELS: [&str; 4] = ["g", "cn-hangzhou", "SWAS", "DescribeInvocations"];

    fn at(time: &str) -> Timestamp {
        format!("2026-11-26T{time}Z").parse().unwrap()
    }

    /// The budget that the page makes of one that stands like this.
    fn shown(state: &BudgetState, planned: f64) -> Budget {
        let metrics = SelfMetrics::new().unwrap();
        metrics.budgets([(LABELS, state, planned)].into_iter());
        let found = budgets(&metrics.gather(SeriesUse::default()), &BTreeMap::new(), &metrics.budget_states());
        assert_eq!(found.len(), 1);
        found[0].clone()
    }

    fn calm() -> BudgetState {
        BudgetState { configured: 900, in_force: 900, resting: None, lowered: None }
    }

    fn lowered() -> BudgetState {
        let code = "Throttling.User".into();
        let lowered = Lowered { since: at("21:35:02"), code, refused_at: 110, retry_at: at("21:40:02") };
        BudgetState { in_force: 66, lowered: Some(lowered), ..calm() }
    }

    fn resting() -> Option<Resting> {
        Some(Resting { since: at("21:38:00"), until: at("21:39:00"), code: "429".into() })
    }

    #[test]
    fn the_plan_stands_beside_the_quota() {
        let metrics = SelfMetrics::new().unwrap();
        metrics.budgets([(LABELS, &BudgetState { configured: 600, ..lowered() }, 150.0)].into_iter());
        metrics.waited(LABELS, std::time::Duration::from_millis(2500));
        let found = budgets(&metrics.gather(SeriesUse::default()), &BTreeMap::new(), &metrics.budget_states());
        assert_eq!((found.len(), found[0].waited_seconds), (1, 2.5));
        assert_eq!((found[0].group.as_str(), found[0].region.as_str()), ("g", "cn-hangzhou"));
        assert_eq!((found[0].share(), found[0].budget_per_minute, found[0].asked()), (0.25, 66.0, (0, 0)));
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
        assert_eq!(told(&BudgetState { resting: resting(), ..calm() }, 66.0), (Throttling::Refused, words.to_owned()));
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
    fn a_budget_that_is_gone_takes_its_gauges_with_it() {
        let metrics = SelfMetrics::new().unwrap();
        let series = |name: &str| {
            let families = metrics.gather(SeriesUse::default());
            families.iter().find(|family| family.name() == name).map_or(0, |family| family.get_metric().len())
        };
        let names = [
            "quota_calls_per_minute",
            "budget_calls_per_minute",
            "planned_calls_per_minute",
            "resting_since_timestamp_seconds",
            "lowered_since_timestamp_seconds",
            "next_try_timestamp_seconds",
        ];
        let counts = || names.map(|name| series(&format!("aliyun_task_exporter_api_{name}")));
        let other = ["g", "cn-beijing", "SWAS", "DescribeInvocations"];
        let state = BudgetState { resting: resting(), ..lowered() };
        metrics.budgets([(LABELS, &state, 1.0), (other, &calm(), 1.0)].into_iter());
        assert_eq!(counts(), [2, 2, 2, 1, 1, 1]);
        metrics.budgets([(LABELS, &calm(), 1.0), (other, &calm(), 1.0)].into_iter());
        assert_eq!(counts(), [2, 2, 2, 0, 0, 0]);
        metrics.budgets([(other, &state, 1.0)].into_iter());
        assert_eq!(counts(), [1, 1, 1, 1, 1, 1]);
        metrics.budgets([].into_iter());
        assert_eq!((counts(), metrics.budget_states().len()), ([0; 6], 0));
    }

    #[test]
    fn requests_of_an_account_count_for_its_quota_group() {
        let registry = prometheus::Registry::new();
        let family = &crate::catalog::API_REQUESTS;
        let opts = prometheus::Opts::new(family.name, family.help);
        let requests = prometheus::IntCounterVec::new(opts, family.labels).unwrap();
        registry.register(Box::new(requests.clone())).unwrap();
        for (account, outcome, count) in [("a", "ok", 3), ("b", "ok", 4), ("b", "throttled", 2)] {
            requests.with_label_values(&[account, "r", "EHPC", "ListTasks", outcome]).inc_by(count);
        }
        let (a, b, group) = (Arc::from("a"), Arc::from("b"), Arc::from("g"));
        let found = budgets(&registry.gather(), &[(&a, &group), (&b, &group)].into(), &BTreeMap::new());
        assert_eq!((found.len(), found[0].asked()), (1, (9, 2)));
        assert_eq!(found[0].requests["throttled"], 2);
    }

    #[test]
    fn a_quota_that_is_not_there_is_not_divided_by() {
        assert_eq!(Budget { planned_per_minute: 3.0, ..Budget::default() }.share(), 0.0);
    }
}
