//! The exporter's own view of a target -> sample lines.

use super::limits::{Limits, Part, PerPart};
use super::lines::{Lines, SampleLines};
use super::reading::{Info, info_of, parts};
use crate::catalog::*;
use crate::config::StatusStyle;
use crate::store::TargetState;
use crate::target::{Kind, Target};

/// Series of a target's last good reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetSeries {
    /// Number of series shown.
    pub shown: usize,
    /// Number of series left out, by part.
    pub dropped: PerPart,
}

impl TargetSeries {
    /// The reasons for leaving out series of a kind of target, with the number left out for each.
    pub fn dropped_by(&self, kind: Kind) -> impl Iterator<Item = (&'static str, usize)> {
        parts(kind).iter().map(|part| (part.label(), self.dropped[*part as usize]))
    }

    /// Whether anything open is left out.
    pub fn lacks_open(&self) -> bool {
        self.dropped[Part::Open as usize] > 0
    }
}

/// Renders the exporter's own lines about a target.
pub fn target_lines(target: &Target, state: &TargetState, series: &TargetSeries) -> SampleLines {
    let mut lines = Lines::new(Limits::NONE, StatusStyle::Current);
    let labels = [
        ("account", &*target.account),
        ("kind", target.id.kind.label()),
        ("target", &*target.id.id),
    ];
    info(target, &mut lines);
    let mut own = lines.of(&labels);
    own.optional(&TARGET_UP, &[], state.up.map(u64::from));
    if let Some(reason) = state.failing {
        own.sample(&TARGET_FAILING, &[("reason", reason.label())], 1u64);
    }
    own.optional(&TARGET_MISSING_ENTRIES, &[], state.up.map(|_| state.lists.missing));
    let excess = Some(state.lists.total_excess).filter(|excess| *excess > 0);
    own.optional(&TARGET_TOTAL_EXCESS, &[], excess);
    own.optional(&TARGET_LAST_SUCCESS, &[], state.last_success);
    own.optional(&TARGET_LAST_READ, &[], state.last_read);
    own.optional(&TARGET_NEXT_POLL, &[], state.next_poll);
    own.optional(&TARGET_POLL_DURATION, &[], state.took.map(|took| took.as_secs_f64()));
    own.optional(&TARGET_STALE_AFTER, &[], state.stale_after.map(|age| age.as_secs_f64()));
    own.sample(&TARGET_SERIES, &[], series.shown as u64);
    for (reason, count) in series.dropped_by(target.id.kind) {
        own.sample(&TARGET_SERIES_DROPPED, &[("reason", reason)], count as u64);
    }
    lines.finish()
}

fn info(target: &Target, lines: &mut Lines) {
    let Some(Info { family, id, name }) = info_of(target.id.kind) else { return };
    let account = ("account", &*target.account);
    let region = ("region_id", &*target.region);
    let labels = [account, region, (id, &*target.id.id), (name, &*target.name)];
    lines.of(&labels).sample(family, &[], 1u64);
}
