//! Ids that have been seen, so that nothing is counted twice or shown again after it has left the window.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The ids of a list that were seen in it.
///
/// It forgets what two whole readings of the list in a row no longer show, so it never grows much beyond what the list can
/// hold. A list that changes its order between two pages is not read whole, though its last page was; and when an entry
/// leaves an earlier page between two pages, another one slips past, though as many were shown as there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Known {
    ids: HashSet<Arc<str>>,
    /// Ids seen since the present reading of the list began.
    #[serde(skip)]
    fresh: HashSet<Arc<str>>,
    /// Readings since the last whole one that have come to the last page and have shown less than there is.
    gaps: u8,
    /// What they have shown.
    lately: HashSet<Arc<str>>,
    /// What the last whole reading has not shown.
    #[serde(default)]
    absent: HashSet<Arc<str>>,
}

/// What so many readings with gaps have not shown is not there: it is the total that is wrong.
const MAX_GAPS: u8 = 8;

impl Known {
    /// A reading of the list begins.
    pub(super) fn begin(&mut self) {
        self.fresh.clear();
    }

    /// Notes an id; whether it was not known before.
    pub(super) fn note(&mut self, id: &Arc<str>) -> bool {
        self.fresh.insert(Arc::clone(id));
        self.ids.insert(Arc::clone(id))
    }

    /// Whether the present reading of the list has shown `id`.
    pub(super) fn is_fresh(&self, id: &str) -> bool {
        self.fresh.contains(id)
    }

    /// Whether `id` is known.
    pub(super) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// How many ids the present reading has shown.
    pub(super) fn fresh_count(&self) -> usize {
        self.fresh.len()
    }

    /// The list was read to its last page, and has shown all of it if it `shows_all`: what it did not show for the second
    /// time is forgotten, but for what `keep` wants. Whether it was whole, or has long shown as much as it ever will; if
    /// not, nothing is forgotten yet.
    pub(super) fn complete(&mut self, shows_all: bool, keep: impl Fn(&str) -> bool) -> bool {
        let whole = self.is_whole(shows_all);
        self.end(whole, keep);
        whole
    }

    /// The same, but what was not shown is forgotten at once: where it only slipped past, it is back after the next reading.
    pub(super) fn complete_at_once(&mut self, shows_all: bool) -> bool {
        let whole = self.is_whole(shows_all);
        if whole {
            self.absent.clone_from(&self.ids);
        }
        self.end(whole, |_| false);
        whole
    }

    fn is_whole(&mut self, shows_all: bool) -> bool {
        self.gaps += 1;
        self.gaps >= MAX_GAPS || shows_all
    }

    /// The same where somebody else knows whether the reading was `whole`: these are but a part of what the list shows.
    pub(super) fn end(&mut self, whole: bool, keep: impl Fn(&str) -> bool) {
        self.lately.extend(self.fresh.iter().cloned());
        if whole {
            let shown = std::mem::take(&mut self.lately);
            let before = std::mem::take(&mut self.absent);
            self.ids.retain(|id| {
                let absent = !shown.contains(id) && !keep(id);
                if absent && !before.contains(id) {
                    self.absent.insert(Arc::clone(id));
                }
                !absent || !before.contains(id)
            });
            self.gaps = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Known, MAX_GAPS};

    /// Reads a list that shows `ids` and says it has `total` entries; those not known before, and whether it was whole.
    fn read(known: &mut Known, ids: &[&str], total: u64) -> (Vec<String>, bool) {
        known.begin();
        let new = ids.iter().filter(|id| known.note(&Arc::from(**id))).map(|id| (*id).to_owned()).collect();
        let shows_all = known.fresh_count() as u64 >= total;
        (new, known.complete(shows_all, |_| false))
    }

    #[test]
    fn what_two_whole_readings_do_not_show_is_forgotten_and_what_one_with_gaps_does_not_show_is_not() {
        let mut known = Known::default();
        read(&mut known, &["a", "b", "c"], 3);
        assert_eq!(read(&mut known, &["a"], 3), (vec![], false));
        assert_eq!(read(&mut known, &["a", "b", "c"], 3), (vec![], true));
        assert_eq!(read(&mut known, &["a", "b"], 2), (vec![], true));
        assert_eq!(read(&mut known, &["a", "b", "c"], 3), (vec![], true), "another entry had left, and c slipped past");
        for _ in 0..2 {
            assert_eq!(read(&mut known, &["a", "b"], 2), (vec![], true));
        }
        assert_eq!(read(&mut known, &["a", "b", "c"], 3), (vec!["c".to_owned()], true));
    }

    #[test]
    fn a_total_that_is_always_wrong_does_not_make_it_grow_for_ever() {
        let mut known = Known::default();
        let whole = (0..100).filter(|number| read(&mut known, &[&format!("n{number}")], 99).1).count();
        assert_eq!(whole, 100 / usize::from(MAX_GAPS));
        assert!(known.ids.len() <= 3 * usize::from(MAX_GAPS));
    }
}
