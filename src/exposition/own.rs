//! The exporter's own view of a target -> sample lines.

use std::time::Duration;

use jiff::Timestamp;

use super::fragment::{Fragment, Lines};
use super::limits::{Limits, PerPart, dropped};
use crate::catalog::*;
use crate::config::StatusStyle;
use crate::model::{ListState, Reason};
use crate::target::{Kind, Target};

/// What the exporter itself knows of a target.
#[derive(Clone, Debug, Default)]
pub struct TargetState {
    /// Whether the last poll succeeded; none has ended yet if absent.
    pub up: Option<bool>,
    /// Why it failed.
    pub failing: Option<Reason>,
    /// Whether its lists have shown all that they must.
    pub lists: ListState,
    /// When the last successful poll ended.
    pub last_success: Option<Timestamp>,
    /// When the shown values were read.
    pub last_read: Option<Timestamp>,
    /// When the next poll is planned.
    pub next_poll: Option<Timestamp>,
    /// How long the last poll took.
    pub took: Option<Duration>,
    /// Age at which values are withdrawn.
    pub stale_after: Option<Duration>,
    /// Series of the last good reading.
    pub series: usize,
    /// How many of each part are left out.
    pub dropped: PerPart,
}

/// Renders the exporter's own lines about a target.
pub fn own_fragment(target: &Target, state: &TargetState) -> Fragment {
    let mut lines = Lines::new(Limits::NONE, StatusStyle::Current);
    let labels = [("account", &*target.account), ("kind", target.id.kind.label()), ("target", &*target.id.id)];
    let [account, kind, id] = labels;
    info(target, &mut lines);
    lines.optional(&TARGET_UP, &labels, state.up.map(u64::from));
    if let Some(reason) = state.failing {
        lines.sample(&TARGET_FAILING, &[account, kind, id, ("reason", reason.label())], 1u64);
    }
    lines.optional(&TARGET_MISSING_ENTRIES, &labels, state.up.map(|_| state.lists.missing));
    let excess = Some(state.lists.total_excess).filter(|excess| *excess > 0);
    lines.optional(&TARGET_TOTAL_EXCESS, &labels, excess);
    lines.optional(&TARGET_LAST_SUCCESS, &labels, state.last_success);
    lines.optional(&TARGET_LAST_READ, &labels, state.last_read);
    lines.optional(&TARGET_NEXT_POLL, &labels, state.next_poll);
    lines.optional(&TARGET_POLL_DURATION, &labels, state.took.map(|took| took.as_secs_f64()));
    lines.optional(&TARGET_STALE_AFTER, &labels, state.stale_after.map(|age| age.as_secs_f64()));
    lines.sample(&TARGET_SERIES, &labels, state.series as u64);
    for (reason, series) in dropped(target, state.dropped) {
        lines.sample(&TARGET_SERIES_DROPPED, &[account, kind, id, ("reason", reason)], series as u64);
    }
    lines.finish()
}

/// A cluster's name comes with its tasks, so that it stands once.
fn info(target: &Target, lines: &mut Lines) {
    let (family, id, name) = match target.id.kind {
        Kind::EhpcTasks => (&EHPC_CLUSTER_INFO, "cluster_id", "cluster_name"),
        Kind::SwasInvocations => (&SWAS_SERVER_INFO, "instance_id", "instance_name"),
        Kind::EhpcInvocations | Kind::SwasRegion | Kind::Discovery => return,
    };
    let place = [("account", &*target.account), ("region_id", &*target.region)];
    let [account, region] = place;
    lines.sample(family, &[account, region, (id, &*target.id.id), (name, &*target.name)], 1u64);
}
