//! What the exporter asks of the cloud, read back from its own metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::proto::{Metric, MetricFamily};
use serde::Serialize;

use crate::catalog::{API_PLANNED, API_QUOTA, API_QUOTA_WAIT, API_REQUESTS, Family};

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
    /// Calls per minute that the exporter allows itself.
    pub(super) quota_per_minute: f64,
    /// Calls per minute that the targets need now.
    pub(super) planned_per_minute: f64,
    /// Seconds that calls have waited for their turn since the start.
    pub(super) waited_seconds: f64,
    /// Requests since the start, by outcome.
    pub(super) requests: BTreeMap<String, u64>,
}

impl Budget {
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

/// Every budget of the gathered `families`; `groups` tells the quota group of an account, since requests are counted by
/// account and budgets by group.
pub(super) fn budgets(families: &[MetricFamily], groups: &BTreeMap<&Arc<str>, &Arc<str>>) -> Vec<Budget> {
    let mut budgets = BTreeMap::new();
    for metric in metrics(families, &API_QUOTA) {
        budget(&mut budgets, metric, label(metric, "account")).quota_per_minute = metric.get_gauge().get_value();
    }
    for metric in metrics(families, &API_PLANNED) {
        budget(&mut budgets, metric, label(metric, "account")).planned_per_minute = metric.get_gauge().get_value();
    }
    for metric in metrics(families, &API_QUOTA_WAIT) {
        budget(&mut budgets, metric, label(metric, "account")).waited_seconds = metric.get_counter().get_value();
    }
    for metric in metrics(families, &API_REQUESTS) {
        let account = label(metric, "account");
        let group = groups.get(&Arc::from(account)).map_or(account, |group| group.as_ref());
        let requests = &mut budget(&mut budgets, metric, group).requests;
        *requests.entry(label(metric, "outcome").to_owned()).or_default() += metric.get_counter().get_value() as u64;
    }
    budgets.into_values().collect()
}

/// Quota group, region, product and operation.
type Key = [String; 4];

fn budget<'a>(budgets: &'a mut BTreeMap<Key, Budget>, metric: &Metric, group: &str) -> &'a mut Budget {
    let [region, product, operation] = ["region_id", "product", "operation"].map(|name| label(metric, name).to_owned());
    let key = [group.to_owned(), region.clone(), product.clone(), operation.clone()];
    budgets.entry(key).or_insert_with(|| Budget {
        group: group.to_owned(),
        region,
        product,
        operation,
        ..Budget::default()
    })
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

    use super::{Budget, budgets};
    use crate::model::SeriesUse;
    use crate::self_metrics::SelfMetrics;

    #[test]
    fn the_plan_stands_beside_the_quota() {
        let metrics = SelfMetrics::new().unwrap();
        metrics.budgets([(["g", "cn-hangzhou", "SWAS", "DescribeInvocations"], 600, 150.0)].into_iter());
        metrics.waited(["g", "cn-hangzhou", "SWAS", "DescribeInvocations"], std::time::Duration::from_millis(2500));
        let found = budgets(&metrics.gather(SeriesUse::default()), &BTreeMap::new());
        assert_eq!((found.len(), found[0].waited_seconds), (1, 2.5));
        assert_eq!((found[0].group.as_str(), found[0].region.as_str()), ("g", "cn-hangzhou"));
        assert_eq!((found[0].share(), found[0].asked()), (0.25, (0, 0)));
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
        let found = budgets(&registry.gather(), &[(&a, &group), (&b, &group)].into());
        assert_eq!((found.len(), found[0].asked()), (1, (9, 2)));
        assert_eq!(found[0].requests["throttled"], 2);
    }

    #[test]
    fn a_quota_that_is_not_there_is_not_divided_by() {
        assert_eq!(Budget { planned_per_minute: 3.0, ..Budget::default() }.share(), 0.0);
    }
}
