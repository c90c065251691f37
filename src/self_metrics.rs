//! The exporter's own metrics, in a Registry of the `prometheus` crate, never the global one.

#[cfg(target_os = "linux")]
mod process;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::action::Action;
use crate::aliyun::op::Operation;
use crate::catalog::{self, Family};
use crate::config::Shard;
use crate::model::{
    ApiLabels, Cut, GivenUp, Login, PermissionChange, PlannedBudget, Reason, SeriesUse,
};
use crate::target::{Kind, Target};

/// Counters and gauges of the process. Names, help and labels come from the catalog.
#[derive(Debug)]
pub struct SelfMetrics {
    registry: Registry,
    polls: IntCounterVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    quota: IntGaugeVec,
    budget: IntGaugeVec,
    planned: GaugeVec,
    resting: GaugeVec,
    lowered: GaugeVec,
    next_try: GaugeVec,
    quota_wait: CounterVec,
    authorized: IntGaugeVec,
    lost: IntCounterVec,
    given_up: IntCounterVec,
    truncated: IntCounterVec,
    unknown: IntCounterVec,
    unreadable: IntCounterVec,
    clock_skew: GaugeVec,
    credentials_expiry: GaugeVec,
    series: IntGaugeVec,
    series_limit: IntGaugeVec,
    series_floor: IntGaugeVec,
    targets_above_limit: IntGaugeVec,
    reload_successful: IntGaugeVec,
    reload_time: GaugeVec,
    connections: IntGaugeVec,
    connections_cut: IntCounterVec,
    leader: IntGaugeVec,
    state_copied: GaugeVec,
    shard: IntGaugeVec,
    shards: IntGaugeVec,
    shard_units: IntGaugeVec,
    state_saved: IntGaugeVec,
}

/// An attempt to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Account that made it.
    pub account: &'a Arc<str>,
    /// Region it was made in.
    pub region: &'a Arc<str>,
    /// The operation.
    pub operation: &'a Operation,
}

/// Upper bounds of the request durations, in seconds.
const DURATION_BOUNDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl SelfMetrics {
    /// All metrics at their initial values.
    ///
    /// # Errors
    /// If the Registry rejects a family of the catalog.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let metrics = Self {
            polls: counters(&registry, &catalog::POLLS)?,
            requests: counters(&registry, &catalog::API_REQUESTS)?,
            request_duration: durations(&registry, &catalog::API_REQUEST_DURATION)?,
            quota: int_gauges(&registry, &catalog::API_QUOTA)?,
            budget: int_gauges(&registry, &catalog::API_BUDGET)?,
            planned: gauges(&registry, &catalog::API_PLANNED)?,
            resting: gauges(&registry, &catalog::API_RESTING)?,
            lowered: gauges(&registry, &catalog::API_LOWERED)?,
            next_try: gauges(&registry, &catalog::API_NEXT_TRY)?,
            quota_wait: float_counters(&registry, &catalog::API_QUOTA_WAIT)?,
            authorized: int_gauges(&registry, &catalog::OPERATION_AUTHORIZED)?,
            lost: counters(&registry, &catalog::LOST)?,
            given_up: counters(&registry, &catalog::RESULTS_GIVEN_UP)?,
            truncated: counters(&registry, &catalog::HISTORY_TRUNCATED)?,
            unknown: counters(&registry, &catalog::UNKNOWN_VALUES)?,
            unreadable: counters(&registry, &catalog::UNREADABLE)?,
            clock_skew: gauges(&registry, &catalog::CLOCK_SKEW)?,
            credentials_expiry: gauges(&registry, &catalog::CREDENTIALS_EXPIRY)?,
            series: int_gauges(&registry, &catalog::SERIES)?,
            series_limit: int_gauges(&registry, &catalog::SERIES_LIMIT)?,
            series_floor: int_gauges(&registry, &catalog::SERIES_FLOOR)?,
            targets_above_limit: int_gauges(&registry, &catalog::TARGETS_ABOVE_LIMIT)?,
            reload_successful: int_gauges(&registry, &catalog::CONFIG_LAST_RELOAD_SUCCESSFUL)?,
            reload_time: gauges(&registry, &catalog::CONFIG_LAST_RELOAD_SUCCESS)?,
            connections: int_gauges(&registry, &catalog::HTTP_CONNECTIONS)?,
            connections_cut: counters(&registry, &catalog::HTTP_CONNECTIONS_CUT)?,
            leader: int_gauges(&registry, &catalog::LEADER)?,
            state_copied: gauges(&registry, &catalog::STATE_COPIED)?,
            shard: int_gauges(&registry, &catalog::SHARD)?,
            shards: int_gauges(&registry, &catalog::SHARDS)?,
            shard_units: int_gauges(&registry, &catalog::SHARD_UNITS)?,
            state_saved: int_gauges(&registry, &catalog::STATE_SAVED)?,
            registry,
        };
        let build = int_gauges(&metrics.registry, &catalog::BUILD_INFO)?;
        build
            .with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                env!("BUILD_REVISION"),
                env!("BUILD_RUSTC"),
            ])
            .set(1);
        metrics.start_at_zero();
        #[cfg(target_os = "linux")]
        metrics.registry.register(Box::new(process::Process::new()?))?;
        Ok(metrics)
    }

    /// Counters whose labels are known in advance exist from the start, so that `increase()` sees
    /// their first event.
    fn start_at_zero(&self) {
        for cut in Cut::ALL {
            self.connections_cut.with_label_values(&[cut.label()]);
        }
        for kind in [Kind::EhpcInvocations, Kind::SwasInvocations] {
            for cause in GivenUp::ALL {
                self.given_up.with_label_values(&[kind.label(), cause.label()]);
            }
        }
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

    /// Counts a poll that has ended.
    pub fn poll_ended(&self, kind: Kind, failure: Option<Reason>) {
        self.polls.with_label_values(&[kind.label(), failure.map_or("ok", Reason::label)]).inc();
    }

    /// Counts an attempt that has ended.
    pub fn attempted(&self, request: &Request<'_>, failure: Option<Reason>, took: Duration) {
        let product = request.operation.product().label();
        let name = request.operation.name();
        let outcome = failure.map_or("ok", Reason::label);
        self.requests
            .with_label_values(&[request.account, request.region, product, name, outcome])
            .inc();
        self.request_duration.with_label_values(&[product, name]).observe(took.as_secs_f64());
    }

    /// For each change, sets whether an account may call an operation.
    pub fn permissions(&self, changes: &[PermissionChange]) {
        for PermissionChange { account, action, is_granted } in changes {
            let labels = [&**account, action.product().label(), action.name()];
            match is_granted {
                Some(is_granted) => {
                    self.authorized.with_label_values(&labels).set(i64::from(*is_granted))
                }
                // The series exists: it was set with the first answer.
                None => drop(self.authorized.remove_label_values(&labels)),
            }
        }
    }

    /// Removes the series about logins and clocks.
    pub fn forget_logins(&self) {
        self.clock_skew.reset();
        self.credentials_expiry.reset();
    }

    /// Starts the counters of an operation that `target` needs at 0, so that `increase()` sees the
    /// first event.
    pub fn expect_requests(&self, target: &Target, action: Action) {
        let product = action.product().label();
        let operation = action.name();
        self.unreadable.with_label_values(&[product, operation]).inc_by(0);
        for outcome in ["ok", Reason::Throttled.label()] {
            self.requests
                .with_label_values(&[&*target.account, &target.region, product, operation, outcome])
                .inc_by(0);
        }
    }

    /// Sets the series of every budget and removes those of budgets that are `gone`.
    pub fn budgets(&self, budgets: &[PlannedBudget], gone: &[ApiLabels]) {
        for PlannedBudget { labels, state, per_minute } in budgets {
            let labels = labels.values();
            self.quota.with_label_values(&labels).set(i64::from(state.configured));
            self.budget.with_label_values(&labels).set(i64::from(state.in_force));
            self.planned.with_label_values(&labels).set(*per_minute);
            self.quota_wait.with_label_values(&labels);
            set_time(&self.resting, &labels, state.resting.as_ref().map(|resting| resting.since));
            set_time(&self.lowered, &labels, state.lowered.as_ref().map(|lowered| lowered.since));
            set_time(&self.next_try, &labels, state.next_try());
        }
        for labels in gone {
            let labels = labels.values();
            // It may be absent.
            drop(self.quota.remove_label_values(&labels));
            drop(self.budget.remove_label_values(&labels));
            for gauge in [&self.planned, &self.resting, &self.lowered, &self.next_try] {
                drop(gauge.remove_label_values(&labels));
            }
        }
    }

    /// Counts the time that a call waited for its budget.
    pub fn waited(&self, budget: &ApiLabels, wait: Duration) {
        self.quota_wait.with_label_values(&budget.values()).inc_by(wait.as_secs_f64());
    }

    /// Counts an open item that was lost.
    pub fn lost(&self, kind: Kind) {
        self.lost.with_label_values(&[kind.label()]).inc();
    }

    /// Counts a result that was given up, of something whose end was watched.
    pub fn given_up(&self, kind: Kind, cause: GivenUp) {
        self.given_up.with_label_values(&[kind.label(), cause.label()]).inc();
    }

    /// Counts a list that was cut off.
    pub fn truncated(&self, kind: Kind) {
        self.truncated.with_label_values(&[kind.label()]).inc();
    }

    /// Counts an unknown word from the cloud.
    pub fn unknown_value(&self, operation: &Operation, field: &'static str) {
        let product = operation.product().label();
        let operation = operation.name();
        self.unknown.with_label_values(&[product, operation, field]).inc();
    }

    /// Counts entries of an answer that could not be read.
    pub fn unreadable(&self, operation: &Operation, entries: u64) {
        self.unreadable
            .with_label_values(&[operation.product().label(), operation.name()])
            .inc_by(entries);
    }

    /// Sets how far the cloud's clock is ahead of this machine's.
    pub fn clock_skew(&self, account: &Arc<str>, skew: SignedDuration) {
        self.clock_skew.with_label_values(&[account]).set(skew.as_secs_f64());
    }

    /// Sets when an account's credentials expire.
    pub fn logged_in(&self, account: &Arc<str>, login: &Login) {
        set_time(&self.credentials_expiry, &[account], login.ends());
    }

    /// Sets whether this instance polls; otherwise it stands by.
    pub fn leads(&self, leads: bool) {
        self.leader.with_label_values::<&str>(&[]).set(i64::from(leads));
        if leads {
            // It may be absent.
            drop(self.state_copied.remove_label_values::<&str>(&[]));
        } else {
            self.saved(None);
        }
    }

    /// Sets when the state of the process that polls was last copied, or found to be the same.
    pub fn copied(&self, now: Timestamp) {
        let seconds = now.as_millisecond() as f64 / 1000.0;
        self.state_copied.with_label_values::<&str>(&[]).set(seconds);
    }

    /// Marks that this instance no longer polls and another one may start to.
    pub fn stops(&self) {
        self.leader.with_label_values::<&str>(&[]).set(0);
    }

    /// Sets whether the state could be saved; `None` without a file.
    pub fn saved(&self, saved: Option<bool>) {
        match saved {
            Some(saved) => self.state_saved.with_label_values::<&str>(&[]).set(i64::from(saved)),
            // It may be absent.
            None => drop(self.state_saved.remove_label_values::<&str>(&[])),
        }
    }

    /// Records whether the configuration could be loaded.
    pub fn reloaded(&self, success: bool, now: Timestamp) {
        self.reload_successful.with_label_values::<&str>(&[]).set(i64::from(success));
        if success {
            self.reload_time
                .with_label_values::<&str>(&[])
                .set(now.as_millisecond() as f64 / 1000.0);
        }
    }

    /// Sets which shard this is, of how many, and how many units it has.
    pub fn shard(&self, shard: Shard, units: usize) {
        self.shard.with_label_values::<&str>(&[]).set(i64::from(shard.index));
        self.shards.with_label_values::<&str>(&[]).set(i64::from(shard.count));
        self.shard_units.with_label_values::<&str>(&[]).set(units as i64);
    }

    /// Sets the number of open connections.
    pub fn connections(&self, open: usize) {
        self.connections
            .with_label_values::<&str>(&[])
            .set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Counts a client's connection that was cut.
    pub fn connection_cut(&self, cut: Cut) {
        self.connections_cut.with_label_values(&[cut.label()]).inc();
    }

    /// All families as they are now, with the number of series on the page.
    pub fn gather(&self, series: SeriesUse) -> Vec<MetricFamily> {
        for (gauge, value) in [
            (&self.series, series.shown),
            (&self.series_limit, series.limit),
            (&self.series_floor, series.floor),
            (&self.targets_above_limit, series.targets_above),
        ] {
            gauge.with_label_values::<&str>(&[]).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        self.registry.gather()
    }
}

/// Sets a gauge to a time, or removes it.
fn set_time(gauge: &GaugeVec, labels: &[&str], time: Option<Timestamp>) {
    match time {
        Some(time) => gauge.with_label_values(labels).set(time.as_millisecond() as f64 / 1000.0),
        // It may be absent.
        None => drop(gauge.remove_label_values(labels)),
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::SelfMetrics;
    use crate::model::{ApiLabels, BudgetState, Lowered, PlannedBudget, Resting, SeriesUse};

    fn budget(region: &str, state: &BudgetState) -> PlannedBudget {
        let product = "SWAS";
        let operation = "DescribeInvocations";
        let labels = ApiLabels { account: "g".into(), region: region.into(), product, operation };
        PlannedBudget { labels, state: state.clone(), per_minute: 1.0 }
    }

    #[test]
    fn a_budget_that_is_gone_takes_its_gauges_with_it() {
        let metrics = SelfMetrics::new().unwrap();
        let series = |name: &str| {
            let families = metrics.gather(SeriesUse::default());
            families
                .iter()
                .find(|family| family.name() == name)
                .map_or(0, |family| family.get_metric().len())
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
        let calm = BudgetState { configured: 900, in_force: 900, resting: None, lowered: None };
        let at = Timestamp::UNIX_EPOCH;
        let resting = Some(Resting { since: at, until: at, code: "429".into() });
        let lowered =
            Some(Lowered { since: at, code: "429".into(), refused_at: 110, retry_at: at });
        let throttled = BudgetState { configured: 900, in_force: 66, resting, lowered };
        let [hangzhou, beijing] = ["cn-hangzhou", "cn-beijing"];
        metrics.budgets(&[budget(hangzhou, &throttled), budget(beijing, &calm)], &[]);
        assert_eq!(counts(), [2, 2, 2, 1, 1, 1]);
        metrics.budgets(&[budget(hangzhou, &calm), budget(beijing, &calm)], &[]);
        assert_eq!(counts(), [2, 2, 2, 0, 0, 0]);
        metrics.budgets(&[budget(beijing, &throttled)], &[budget(hangzhou, &calm).labels]);
        assert_eq!(counts(), [1, 1, 1, 1, 1, 1]);
        metrics.budgets(&[], &[budget(beijing, &calm).labels]);
        assert_eq!(counts(), [0; 6]);
    }
}
