//! Expected series. They are counted, not computed: an empty reading and one with a single thing
//! are rendered as for `/metrics`, and the difference is the cost of a thing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Assumptions;
use super::kinds::{Examples, examples, listing, window};
use crate::config::{Config, Metrics};
use crate::exposition::{
    Demand, Limits, PerPart, TargetSeries, listing_lines, reading_lines, target_lines,
};
use crate::model::{ListState, Reading, Reason};
use crate::store::TargetState;
use crate::target::{DiscoveryKind, Findings, Kind, Scope, Target, targets};

/// Expected series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Polled series when nothing is listed.
    pub least: usize,
    /// Polled series when every window is full, after the cut by `metrics.max_series_per_target`.
    pub most: usize,
    /// The part of `most` that is never left out.
    pub floor: usize,
    /// `metrics.max_series`.
    pub limit: usize,
    /// Targets whose full window exceeds `metrics.max_series_per_target`.
    pub cut: usize,
    /// Targets that exceed it even when nothing is listed: by series that are never left out.
    pub above: usize,
    /// The exporter's own series about targets, which count towards no limit.
    pub own: usize,
}

/// Series of one target.
struct Cost {
    /// When nothing is listed.
    least: usize,
    /// The floor when things are listed, with the maximum number of command names.
    floor: usize,
    /// Series of one thing that has ended.
    item: PerPart,
    /// Series of what a directory says, if discovery reads one that has it.
    listing: usize,
    /// The exporter's own series.
    own: usize,
}

/// Series of all targets.
pub(super) fn series(
    targets: &[Arc<Target>],
    metrics: &Metrics,
    assumptions: &Assumptions,
) -> Series {
    let mut sum = Series { limit: metrics.max_series, ..Series::default() };
    let limits = Limits::alone(metrics);
    let covered: BTreeSet<_> = targets.iter().filter_map(|target| covers(target)).collect();
    let mut known: BTreeMap<(Kind, bool), Cost> = BTreeMap::new();
    for target in targets {
        let per_node =
            matches!(&target.scope, Scope::EhpcInvocations(commands) if commands.per_node);
        let kind = (target.id.kind, per_node);
        let cost = known.entry(kind).or_insert_with(|| cost(target, metrics, assumptions));
        let is_listed = covered.contains(&(target.id.kind, &target.account, &target.region));
        let floor = cost.floor + if is_listed { cost.listing } else { 0 };
        let full = Demand { floor, parts: cost.item.map(|item| item * window(target)) };
        let granted = limits.granted(&full);
        sum.least += cost.least;
        sum.floor += floor;
        sum.most += floor + whole(granted, cost.item);
        sum.cut += usize::from(granted != full.parts);
        sum.above += usize::from(cost.least > metrics.max_series_per_target);
        sum.own += cost.own;
    }
    sum
}

/// The targets about which a discovery target reads something: their kind, account and region.
fn covers(target: &Target) -> Option<(Kind, &Arc<str>, &Arc<str>)> {
    let Scope::Discovery(query) = &target.scope else { return None };
    let kind = match query.kind {
        DiscoveryKind::Clusters => Kind::EhpcTasks,
        DiscoveryKind::Servers => Kind::SwasInvocations,
        DiscoveryKind::ClusterRegions | DiscoveryKind::ServerRegions => return None,
    };
    Some((kind, &target.account, &target.region))
}

/// Number of series shown within a limit: a thing is shown whole or not at all.
fn whole(granted: PerPart, item: PerPart) -> usize {
    granted
        .into_iter()
        .zip(item)
        .map(|(granted, item)| granted - granted.checked_rem(item).unwrap_or_default())
        .sum()
}

/// Warnings about limits of series that cannot be kept whatever is listed, because what is never
/// left out exceeds them.
pub fn warnings(config: &Config) -> Vec<String> {
    let metrics = &config.metrics;
    let series = series(&targets(config, &Findings::new()), metrics, &Assumptions::default());
    let mut lines = Vec::new();
    if series.least > series.limit {
        lines.push(format!(
            "metrics.max_series, {}, cannot be kept: {} series are never left out (counters, counts by status)",
            series.limit, series.least
        ));
    }
    if series.above > 0 {
        let count = series.above;
        let limit = metrics.max_series_per_target;
        let targets = if count == 1 { "target" } else { "targets" };
        lines.push(format!(
            "metrics.max_series_per_target, {limit}, cannot be kept by {count} {targets}: more series than that are never left \
             out (counters, counts by status)"
        ));
    }
    lines
}

fn cost(target: &Target, metrics: &Metrics, assumptions: &Assumptions) -> Cost {
    let demand = |reading: Reading| {
        reading_lines(target, &reading, metrics.status_style, Limits::NONE).demand
    };
    let Examples { empty, one } = examples(target.id.kind, assumptions.nodes);
    let Demand { floor, parts } = demand(one);
    let listing = listing(target.id.kind)
        .map_or(0, |listing| listing_lines(target, &listing, metrics.status_style).series());
    let own = target_lines(target, &full_state(), &TargetSeries::default()).series();
    Cost { least: demand(empty).floor, floor, item: parts, listing, own }
}

fn full_state() -> TargetState {
    let time = Some(Timestamp::UNIX_EPOCH);
    let duration = Some(Duration::ZERO);
    TargetState {
        up: Some(false),
        failing: Some(Reason::Timeout),
        lists: ListState { missing: 1, missing_once: 1, total_excess: 1 },
        last_success: time,
        last_read: time,
        next_poll: time,
        took: duration,
        stale_after: duration,
    }
}
