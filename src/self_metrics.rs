//! What the exporter counts of its own work, in the `prometheus` crate's own Registry. Never global.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::aliyun::op::Operation;
use crate::catalog::{self, Family};
use crate::model::Reason;
use crate::target::{Kind, Target, TargetId};

/// Counters and gauges of the process. Names, help and labels come from the catalog.
#[derive(Debug)]
pub struct SelfMetrics {
    registry: Registry,
    polls: IntCounterVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    quota: IntGaugeVec,
    planned: GaugeVec,
    quota_wait: CounterVec,
    authorized: IntGaugeVec,
    lost: IntCounterVec,
    truncated: IntCounterVec,
    unknown: IntCounterVec,
    clock_skew: GaugeVec,
    credentials_expiry: GaugeVec,
    series: IntGaugeVec,
    series_limit: IntGaugeVec,
    reload_successful: IntGaugeVec,
    reload_time: GaugeVec,
    refused: Mutex<BTreeMap<Permission, BTreeSet<TargetId>>>,
}

/// An attempt, for counting.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which account has asked.
    pub account: &'a Arc<str>,
    /// In which region.
    pub region: &'a Arc<str>,
    /// For whom.
    pub target: &'a TargetId,
    /// What.
    pub operation: &'a Operation,
}

/// Quota group, region, product and operation of a budget.
pub type BudgetLabels<'a> = [&'a str; 4];

/// Account, product and operation.
type Permission = (Arc<str>, &'static str, &'static str);

/// Upper bounds of the request durations, in seconds.
const DURATION_BOUNDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl SelfMetrics {
    /// Everything at its start.
    ///
    /// # Errors
    /// If the catalog has a family that the Registry refuses.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let metrics = Self {
            polls: counters(&registry, &catalog::POLLS)?,
            requests: counters(&registry, &catalog::API_REQUESTS)?,
            request_duration: durations(&registry, &catalog::API_REQUEST_DURATION)?,
            quota: int_gauges(&registry, &catalog::API_QUOTA)?,
            planned: gauges(&registry, &catalog::API_PLANNED)?,
            quota_wait: float_counters(&registry, &catalog::API_QUOTA_WAIT)?,
            authorized: int_gauges(&registry, &catalog::OPERATION_AUTHORIZED)?,
            lost: counters(&registry, &catalog::LOST)?,
            truncated: counters(&registry, &catalog::HISTORY_TRUNCATED)?,
            unknown: counters(&registry, &catalog::UNKNOWN_VALUES)?,
            clock_skew: gauges(&registry, &catalog::CLOCK_SKEW)?,
            credentials_expiry: gauges(&registry, &catalog::CREDENTIALS_EXPIRY)?,
            series: int_gauges(&registry, &catalog::SERIES)?,
            series_limit: int_gauges(&registry, &catalog::SERIES_LIMIT)?,
            reload_successful: int_gauges(&registry, &catalog::CONFIG_LAST_RELOAD_SUCCESSFUL)?,
            reload_time: gauges(&registry, &catalog::CONFIG_LAST_RELOAD_SUCCESS)?,
            refused: Mutex::default(),
            registry,
        };
        let build = int_gauges(&metrics.registry, &catalog::BUILD_INFO)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), env!("BUILD_REVISION"), env!("BUILD_RUSTC")]).set(1);
        metrics.start_at_zero();
        #[cfg(target_os = "linux")]
        metrics.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Counters whose labels are known in advance exist from the start, so that `increase()` sees their first event.
    fn start_at_zero(&self) {
        for kind in Kind::ALL.map(Kind::label) {
            self.lost.with_label_values(&[kind]);
            self.truncated.with_label_values(&[kind]);
            let reasons = Reason::ALL.map(Reason::label);
            reasons
                .into_iter()
                .chain(["ok"])
                .for_each(|outcome| self.polls.with_label_values(&[kind, outcome]).inc_by(0));
        }
    }

    /// A poll has ended.
    pub fn poll_ended(&self, kind: Kind, failure: Option<Reason>) {
        self.polls.with_label_values(&[kind.label(), failure.map_or("ok", Reason::label)]).inc();
    }

    /// An attempt has ended.
    pub fn attempted(&self, request: &Request<'_>, failure: Option<Reason>, took: Duration) {
        let (product, name) = (request.operation.product().label(), request.operation.name());
        let outcome = failure.map_or("ok", Reason::label);
        self.requests.with_label_values(&[request.account, request.region, product, name, outcome]).inc();
        self.request_duration.with_label_values(&[product, name]).observe(took.as_secs_f64());
        let permission = (Arc::clone(request.account), product, name);
        match failure {
            None => self.permitted(permission, request.target, true),
            Some(Reason::Permission) => self.permitted(permission, request.target, false),
            Some(_) => {}
        }
    }

    /// 0 while the last answer to any target of the account was a refusal.
    fn permitted(&self, permission: Permission, target: &TargetId, allowed: bool) {
        let gauge = self.authorized.with_label_values(&[&permission.0, permission.1, permission.2]);
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let targets = refused.entry(permission).or_default();
        if allowed {
            targets.remove(target);
        } else {
            targets.insert(target.clone());
        }
        gauge.set(i64::from(targets.is_empty()));
    }

    /// The targets are now these: what was said of others is forgotten.
    pub fn retarget(&self, targets: &[Target]) {
        let ids: BTreeSet<&TargetId> = targets.iter().map(|target| &target.id).collect();
        let accounts: BTreeSet<&str> = targets.iter().map(|target| &*target.account).collect();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (permission, of) in refused.iter_mut() {
            of.retain(|id| ids.contains(id));
            let labels = [&*permission.0, permission.1, permission.2];
            self.authorized.with_label_values(&labels).set(i64::from(of.is_empty()));
            if !accounts.contains(&*permission.0) {
                // It is there: it was set just now.
                let _ = self.authorized.remove_label_values(&labels);
            }
        }
        refused.retain(|permission, _| accounts.contains(&*permission.0));
    }

    /// The accounts may no longer be the same: what was said of them is forgotten.
    pub fn forget_accounts(&self) {
        self.clock_skew.reset();
        self.credentials_expiry.reset();
    }

    /// An operation will be asked for `target`: its counters start at 0, so that `increase()` sees the first event.
    pub fn expect_requests(&self, target: &Target, product: &str, operation: &str) {
        for outcome in ["ok", Reason::Throttled.label()] {
            self.requests.with_label_values(&[&*target.account, &target.region, product, operation, outcome]).inc_by(0);
        }
    }

    /// Every budget with its calls per minute, and how many are planned.
    pub fn budgets<'a>(&self, budgets: impl Iterator<Item = (BudgetLabels<'a>, u32, f64)>) {
        self.quota.reset();
        self.planned.reset();
        for (labels, quota, planned) in budgets {
            self.quota.with_label_values(&labels).set(i64::from(quota));
            self.planned.with_label_values(&labels).set(planned);
            self.quota_wait.with_label_values(&labels);
        }
    }

    /// A call has waited for its budget.
    pub fn waited(&self, budget: BudgetLabels<'_>, wait: Duration) {
        self.quota_wait.with_label_values(&budget).inc_by(wait.as_secs_f64());
    }

    /// Something open was lost.
    pub fn lost(&self, kind: Kind) {
        self.lost.with_label_values(&[kind.label()]).inc();
    }

    /// A list was cut off.
    pub fn truncated(&self, kind: Kind) {
        self.truncated.with_label_values(&[kind.label()]).inc();
    }

    /// The cloud sent a word that nobody has heard of.
    pub fn unknown_value(&self, operation: &Operation, field: &str) {
        self.unknown.with_label_values(&[operation.product().label(), operation.name(), field]).inc();
    }

    /// How far the cloud's clock is ahead of this machine's.
    pub fn clock_skew(&self, account: &str, skew: SignedDuration) {
        self.clock_skew.with_label_values(&[account]).set(skew.as_secs_f64());
    }

    /// When the credentials of an account end, if they do.
    pub fn credentials_expire(&self, account: &str, time: Option<Timestamp>) {
        match time {
            Some(time) => {
                self.credentials_expiry.with_label_values(&[account]).set(time.as_millisecond() as f64 / 1000.0)
            }
            // Whether it was there does not matter.
            None => drop(self.credentials_expiry.remove_label_values(&[account])),
        }
    }

    /// The configuration was loaded, or could not be.
    pub fn reloaded(&self, success: bool, now: Timestamp) {
        self.reload_successful.with_label_values::<&str>(&[]).set(i64::from(success));
        if success {
            self.reload_time.with_label_values::<&str>(&[]).set(now.as_millisecond() as f64 / 1000.0);
        }
    }

    /// All families as they are now, with `series` of at most `limit` on the page.
    pub fn gather(&self, (series, limit): (usize, usize)) -> Vec<MetricFamily> {
        self.series.with_label_values::<&str>(&[]).set(i64::try_from(series).unwrap_or(i64::MAX));
        self.series_limit.with_label_values::<&str>(&[]).set(i64::try_from(limit).unwrap_or(i64::MAX));
        self.registry.gather()
    }
}

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

/// Makes a vector of a family and registers it.
macro_rules! registered {
    ($name:ident: $vector:ident, $opts:expr) => {
        fn $name(registry: &Registry, family: &Family) -> prometheus::Result<$vector> {
            let vector = $vector::new($opts(family), family.labels)?;
            registry.register(Box::new(vector.clone()))?;
            Ok(vector)
        }
    };
}

registered!(counters: IntCounterVec, opts);
registered!(float_counters: CounterVec, opts);
registered!(gauges: GaugeVec, opts);
registered!(int_gauges: IntGaugeVec, opts);
registered!(durations: HistogramVec, |family| HistogramOpts::from(opts(family)).buckets(DURATION_BOUNDS.to_vec()));
