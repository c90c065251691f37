//! A reading -> sample lines, by the kind of its target.

use super::limits::{Demand, Limits, PerPart};
use super::lines::{Lines, SampleLines};
use super::{discovery, ehpc, swas};
use crate::config::StatusStyle;
use crate::model::Reading;
use crate::target::Target;

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
