//! What each kind of target shows: a reading -> sample lines, and what may be left out of it.

mod discovery;
mod ehpc;
mod swas;

use super::limits::{Demand, Limits, Part, PerPart};
use super::lines::{Lines, SampleLines};
use crate::catalog::{EHPC_CLUSTER_INFO, Family, SWAS_SERVER_INFO};
use crate::config::StatusStyle;
use crate::model::Reading;
use crate::target::{Kind, Target};

/// A rendered reading.
#[derive(Debug)]
pub struct ReadingLines {
    /// The part of it that is shown.
    pub lines: SampleLines,
    /// All series that it has.
    pub demand: Demand,
    /// Number of series left out.
    pub dropped: PerPart,
}

/// Renders all that a reading shows within `limits`.
pub fn reading_lines(
    target: &Target,
    reading: &Reading,
    style: StatusStyle,
    limits: Limits,
) -> ReadingLines {
    let mut lines = Lines::new(limits, style);
    match reading {
        Reading::EhpcTasks(reading) => ehpc::tasks(target, reading, &mut lines),
        Reading::EhpcInvocations(reading) => ehpc::commands(target, reading, &mut lines),
        Reading::SwasInvocations(reading) => swas::invocations(target, reading, &mut lines),
        Reading::Discovery(reading) => discovery::found(target, reading, &mut lines),
    }
    let (demand, dropped) = lines.demand();
    ReadingLines { lines: lines.finish(), demand, dropped }
}

/// The parts that a kind of target has.
pub(super) fn parts(kind: Kind) -> &'static [Part] {
    match kind {
        Kind::EhpcInvocations => &Part::ALL,
        Kind::EhpcTasks | Kind::SwasInvocations | Kind::SwasRegion => &[Part::Ended, Part::Open],
        Kind::Discovery => &[],
    }
}

/// The family with the names of a kind of target.
pub(super) struct Info {
    pub(super) family: &'static Family,
    /// Label with its id.
    pub(super) id: &'static str,
    /// Label with its name.
    pub(super) name: &'static str,
}

/// A cluster's name is exported with its tasks, so that it appears once.
pub(super) fn info_of(kind: Kind) -> Option<Info> {
    match kind {
        Kind::EhpcTasks => {
            Some(Info { family: &EHPC_CLUSTER_INFO, id: "cluster_id", name: "cluster_name" })
        }
        Kind::SwasInvocations => {
            Some(Info { family: &SWAS_SERVER_INFO, id: "instance_id", name: "instance_name" })
        }
        Kind::EhpcInvocations | Kind::SwasRegion | Kind::Discovery => None,
    }
}
