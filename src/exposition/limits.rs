//! Which series of a reading may be left out, in which order, and how many of each may be shown.

use crate::config::Metrics;

/// What may be left out of a reading, in the order in which it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Series of the nodes of an E-HPC command: all of them, or none.
    PerNode,
    /// Ended tasks, commands and runs, the oldest first.
    Ended,
    /// Open ones, the oldest first.
    Open,
}

/// A number of series for each [`Part`].
pub type PerPart = [usize; Part::ALL.len()];

/// No limit.
pub const ALL: PerPart = [usize::MAX; Part::ALL.len()];

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::PerNode, Self::Ended, Self::Open];

    /// The `reason` label for leaving it out.
    pub fn label(self) -> &'static str {
        match self {
            Self::PerNode => "per_node",
            Self::Ended => "ended",
            Self::Open => "open",
        }
    }
}

/// The series that a reading has, shown or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Series that are never left out: what was counted, counts by status, the last invocation of
    /// each command name, and what a directory says.
    pub floor: usize,
    /// Series that may be left out.
    pub parts: PerPart,
}

/// Maximum number of series of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In total, the floor included.
    pub target: usize,
    /// Of each part.
    pub shares: PerPart,
}

impl Limits {
    /// Nothing is left out.
    pub const NONE: Self = Self { target: usize::MAX, shares: ALL };

    /// What the configuration allows a target that has the page to itself.
    pub fn alone(metrics: &Metrics) -> Self {
        Self { target: metrics.max_series_per_target, shares: ALL }
    }

    /// How many series of each part are allowed. If something is left out of a part, nothing is
    /// allowed of those that go before it.
    pub fn granted(&self, demand: &Demand) -> PerPart {
        let mut left = self.target.saturating_sub(demand.floor);
        let mut granted = PerPart::default();
        for part in (0..Part::ALL.len()).rev() {
            granted[part] = demand.parts[part].min(self.shares[part]).min(left);
            left = if granted[part] < demand.parts[part] { 0 } else { left - granted[part] };
        }
        granted
    }
}

/// Each item with its part, those kept longest first.
pub(super) fn kept_first<T>(
    things: &[T],
    is_open: impl Fn(&T) -> bool,
) -> impl Iterator<Item = (Part, &T)> {
    let (open, ended): (Vec<_>, Vec<_>) = things.iter().partition(|thing| is_open(thing));
    let open = open.into_iter().map(|thing| (Part::Open, thing));
    open.chain(ended.into_iter().map(|thing| (Part::Ended, thing)))
}

#[cfg(test)]
mod tests {
    use super::{ALL, Demand, Limits};

    #[test]
    fn open_things_are_kept_longest_and_what_is_per_node_goes_first() {
        let demand = Demand { floor: 10, parts: [100, 50, 20] };
        let granted = |target, shares| Limits { target, shares }.granted(&demand);
        for (target, wanted) in [
            (180, [100, 50, 20]),
            (179, [99, 50, 20]),
            (80, [0, 50, 20]),
            (79, [0, 49, 20]),
            (30, [0, 0, 20]),
            (29, [0, 0, 19]),
            (10, [0, 0, 0]),
            (3, [0, 0, 0]),
        ] {
            assert_eq!(granted(target, ALL), wanted, "{target}");
        }
        assert_eq!(granted(usize::MAX, [7, 50, 20]), [7, 50, 20]);
        assert_eq!(granted(usize::MAX, [7, 49, 20]), [0, 49, 20]);
        assert_eq!(granted(usize::MAX, [7, 50, 19]), [0, 0, 19]);
    }
}
