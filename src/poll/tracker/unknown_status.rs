//! How long the cloud has shown an item with no status but one that this version does not know.

use std::time::Duration;

use jiff::Timestamp;

use crate::poll::time::since;

/// Maximum time that counts between two answers. Before and after an outage the status may have
/// been known, and may soon be again.
const MAX_GAP: Duration = Duration::from_secs(300);

/// Whether an item's status is unknown, and how long that was seen. It is not saved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnknownStatus {
    shown_for: Duration,
    shown_at: Option<Timestamp>,
}

impl UnknownStatus {
    /// Records an answer that shows the item, with an unknown status or another one.
    pub(super) fn update(&mut self, is_unknown: bool, now: Timestamp) {
        if !is_unknown {
            *self = Self::default();
            return;
        }
        let gap = self.shown_at.map_or(Duration::ZERO, |shown| since(shown, now));
        self.shown_for += gap.min(MAX_GAP);
        self.shown_at = Some(now);
    }

    /// How long its status has been unknown; zero if it is known.
    pub(super) fn shown_for(&self) -> Duration {
        self.shown_for
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::UnknownStatus;
    use crate::poll::tracker::samples::at;

    #[test]
    fn what_was_seen_counts_and_neither_an_outage_nor_a_clock_that_is_set() {
        let mut unknown = UnknownStatus::default();
        for second in [0, 60, 300, 86_400, 86_460, 60, 120] {
            unknown.update(true, at(second));
        }
        assert_eq!(unknown.shown_for(), Duration::from_secs(300 + 300 + 60 + 60));
        unknown.update(false, at(180));
        unknown.update(true, at(240));
        assert_eq!(unknown.shown_for(), Duration::ZERO);
    }
}
