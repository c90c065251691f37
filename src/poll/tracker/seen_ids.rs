//! Ids that have been seen, so that nothing is counted twice, or shown again after it has left the
//! window.

use std::collections::HashMap;

use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;

/// The ids that were seen in a list.
///
/// An id is forgotten when two whole readings in a row have not shown it. One is not enough: when
/// an entry leaves an earlier page between two requests, another one slips past, although as many
/// were shown as exist. If no reading is whole, and between whole ones, [`SeenIds::bound`] limits
/// the ids by the number of the list's entries.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Saved")]
pub(super) struct SeenIds {
    /// Number of the reading that last showed each id.
    last_shown: HashMap<SmolStr, u64>,
    /// Number of the current or last reading.
    reading: u64,
    /// Number of ids that it has shown.
    fresh: usize,
    /// Numbers of the last whole reading, and of the whole one before it.
    whole: u64,
    whole_before: u64,
    /// Readings since the last whole one that reached the last page but showed less than exists.
    gaps: u8,
}

/// Whether an id is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// It was not known.
    Unseen,
    /// It was known, and this reading has not shown it before.
    Known,
    /// This reading has shown it before.
    Again,
}

/// Number of readings with gaps after which ids that none of them showed count as gone: the total
/// is wrong.
const MAX_GAPS: u8 = 8;

/// An id may still be in the list only while fewer others than this multiple of the list's entries
/// were shown after it: entries leave a list roughly in the order in which they came.
const TURNOVERS: usize = 4;

/// Number of ids that are kept however short a list is.
const SPARE: usize = 1000;

/// Saved form: `absent` are the ids that the last whole reading did not show, `lately` those that
/// readings with gaps have shown since. Ids that only other pages have shown since are saved with
/// the `ids`, or each reading of a page would need a write. An earlier version wrote all of them to
/// `ids` as well.
#[derive(Serialize, Deserialize)]
struct Saved<I = Vec<SmolStr>> {
    ids: I,
    gaps: u8,
    lately: I,
    #[serde(default)]
    absent: I,
}

impl From<Saved> for SeenIds {
    fn from(saved: Saved) -> Self {
        let aged = [(saved.ids, 2), (saved.absent, 1), (saved.lately, 3)];
        let last_shown =
            aged.into_iter().flat_map(|(ids, last)| ids.into_iter().map(move |id| (id, last)));
        Self {
            last_shown: last_shown.collect(),
            reading: 4,
            fresh: 0,
            whole: 2,
            whole_before: 1,
            gaps: saved.gaps,
        }
    }
}

impl Serialize for SeenIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |from: u64, to: u64| {
            let shown = self.last_shown.iter().filter(move |(_, last)| (from..to).contains(*last));
            shown.map(|(id, _)| id).collect::<Vec<&SmolStr>>()
        };
        let absent = self.whole_before + 1;
        let lately = if self.gaps > 0 { self.whole + 1 } else { u64::MAX };
        let saved = Saved {
            ids: shown(absent, lately),
            gaps: self.gaps,
            lately: shown(lately, u64::MAX),
            absent: shown(0, absent),
        };
        saved.serialize(serializer)
    }
}

impl SeenIds {
    /// Starts a reading of the list.
    pub(super) fn begin(&mut self) {
        self.reading += 1;
        self.fresh = 0;
    }

    /// Records an id.
    pub(super) fn note(&mut self, id: &SmolStr) -> Noted {
        let noted = match self.last_shown.get_mut(id) {
            Some(shown) if *shown == self.reading => return Noted::Again,
            Some(shown) => {
                *shown = self.reading;
                Noted::Known
            }
            None => {
                self.last_shown.insert(id.clone(), self.reading);
                Noted::Unseen
            }
        };
        self.fresh += 1;
        noted
    }

    /// Number of the current reading.
    pub(super) fn reading(&self) -> u64 {
        self.reading
    }

    /// Whether `id` is known.
    pub(super) fn has(&self, id: &str) -> bool {
        self.last_shown.contains_key(id)
    }

    /// Number of ids that the current reading has shown.
    pub(super) fn fresh_count(&self) -> usize {
        self.fresh
    }

    /// Notes that the list was read to its last page, and showed everything if `shows_all`. Ids
    /// missing for the second time are forgotten, unless `keep` wants them. Returns whether the
    /// reading counts as whole, like every [`MAX_GAPS`]th in a row with gaps; if not, nothing is
    /// forgotten.
    pub(super) fn complete(&mut self, shows_all: bool, keep: impl Fn(&str) -> bool) -> bool {
        let whole = self.is_whole(shows_all);
        self.end(whole, keep);
        whole
    }

    /// Like `complete`, but forgets missing ids at once: one that was only missed between two pages
    /// is back after the next reading.
    pub(super) fn complete_at_once(&mut self, shows_all: bool) -> bool {
        let whole = self.is_whole(shows_all);
        if whole {
            // With gaps, an id counts as shown if any reading since the last whole one showed it.
            let last = if shows_all { self.reading.saturating_sub(1) } else { self.whole };
            self.forget(last, |_| false);
            self.end(true, |_| false);
        }
        whole
    }

    fn is_whole(&mut self, shows_all: bool) -> bool {
        self.gaps = self.gaps.saturating_add(1);
        self.gaps >= MAX_GAPS || shows_all
    }

    /// Like `complete`, if the caller knows whether the reading was `whole` because these ids are
    /// only a part of the list.
    pub(super) fn end(&mut self, whole: bool, keep: impl Fn(&str) -> bool) {
        if whole {
            self.forget(self.whole_before, keep);
            self.whole_before = self.whole;
            self.whole = self.reading;
            self.gaps = 0;
        }
    }

    /// Limits the number of ids by that of the list's entries, at most `entries`: those shown
    /// longest ago are forgotten, unless `keep` wants them.
    pub(super) fn bound(&mut self, entries: usize, keep: impl Fn(&str) -> bool) {
        let most = entries.saturating_mul(TURNOVERS).saturating_add(SPARE);
        if self.last_shown.len() <= most.saturating_mul(2) {
            return;
        }
        let mut shown: Vec<u64> = self.last_shown.values().copied().collect();
        let surplus = shown.len() - most;
        // Ids of the same reading as the oldest one that stays are kept, too.
        let (_, oldest, _) = shown.select_nth_unstable(surplus);
        let last = oldest.saturating_sub(1);
        self.forget(last, keep);
    }

    /// Forgets ids that no reading after `last` has shown, unless `keep` wants them.
    fn forget(&mut self, last: u64, keep: impl Fn(&str) -> bool) {
        self.last_shown.retain(|id, shown| *shown > last || keep(id));
        if self.last_shown.capacity() > 4 * self.last_shown.len() {
            self.last_shown.shrink_to(2 * self.last_shown.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use smol_str::SmolStr;

    use super::{MAX_GAPS, Noted, SPARE, SeenIds};

    /// Reads a list that shows `ids` and claims `total` entries. Returns the ids not known before,
    /// and whether it was whole.
    fn read(known: &mut SeenIds, ids: &[&str], total: u64) -> (Vec<String>, bool) {
        known.begin();
        let new = ids
            .iter()
            .filter(|id| known.note(&SmolStr::new(id)) == Noted::Unseen)
            .map(|id| (*id).to_owned())
            .collect();
        let shows_all = known.fresh_count() as u64 >= total;
        (new, known.complete(shows_all, |_| false))
    }

    #[test]
    fn what_two_whole_readings_do_not_show_is_forgotten_and_what_one_with_gaps_does_not_show_is_not()
     {
        let mut known = SeenIds::default();
        read(&mut known, &["a", "b", "c"], 3);
        assert_eq!(read(&mut known, &["a"], 3), (vec![], false));
        assert_eq!(read(&mut known, &["a", "b", "c"], 3), (vec![], true));
        assert_eq!(read(&mut known, &["a", "b"], 2), (vec![], true));
        assert_eq!(
            read(&mut known, &["a", "b", "c"], 3),
            (vec![], true),
            "another entry had left, and c slipped past"
        );
        for _ in 0..2 {
            assert_eq!(read(&mut known, &["a", "b"], 2), (vec![], true));
        }
        assert_eq!(read(&mut known, &["a", "b", "c"], 3), (vec!["c".to_owned()], true));
    }

    #[test]
    fn a_total_that_is_always_wrong_does_not_make_it_grow_for_ever() {
        let mut known = SeenIds::default();
        let whole =
            (0..100).filter(|number| read(&mut known, &[&format!("n{number}")], 99).1).count();
        assert_eq!(whole, 100 / usize::from(MAX_GAPS));
        assert!(known.last_shown.len() <= 3 * usize::from(MAX_GAPS));
    }

    #[test]
    fn what_is_saved_is_known_again_and_is_forgotten_at_the_same_reading() {
        let mut known = SeenIds::default();
        read(&mut known, &["a", "b", "c"], 3);
        read(&mut known, &["a", "b"], 2);
        read(&mut known, &["a"], 1);
        read(&mut known, &["a", "d"], 9);
        let saved = rmp_serde::to_vec_named(&known).unwrap();
        let mut restored: SeenIds = rmp_serde::from_slice(&saved).unwrap();
        assert_eq!(rmp_serde::to_vec_named(&restored).unwrap().len(), saved.len());
        for known in [&mut known, &mut restored] {
            assert!(!known.has("c") && known.has("b"));
            known.begin();
            assert!(known.last_shown["d"] < known.reading() && known.fresh_count() == 0);
            assert_eq!(read(known, &["a"], 1), (vec![], true));
            assert!(known.has("d") && !known.has("b"), "b was not shown twice, d once");
        }
    }

    #[test]
    fn what_an_earlier_version_has_saved_is_known() {
        #[derive(serde::Serialize)]
        struct Earlier<'a> {
            ids: [&'a str; 3],
            gaps: u8,
            lately: [&'a str; 1],
            absent: [&'a str; 1],
        }
        let saved = Earlier { ids: ["a", "b", "c"], gaps: 1, lately: ["a"], absent: ["c"] };
        let mut known: SeenIds =
            rmp_serde::from_slice(&rmp_serde::to_vec_named(&saved).unwrap()).unwrap();
        assert!(["a", "b", "c"].into_iter().all(|id| known.last_shown[id] < known.reading()));
        read(&mut known, &["a"], 1);
        assert_eq!((known.has("b"), known.has("c")), (true, false), "c was absent before");
        read(&mut known, &["a"], 1);
        assert!(!known.has("b"));
    }

    #[test]
    fn where_no_reading_ends_ids_are_bounded_by_the_entries_and_the_last_ones_stay() {
        let mut known = SeenIds::default();
        for first in 0..20_000_usize {
            known.begin();
            for number in (first..first + 50).chain([0]) {
                known.note(&number.to_string().into());
            }
            known.bound(200, |id| id == "1");
            assert!(known.last_shown.len() <= 2 * (4 * 200 + SPARE));
        }
        let newest = 20_049;
        assert!(
            (newest - 4 * 200..newest).all(|number| known.has(&number.to_string())),
            "four times the entries"
        );
        assert!(
            known.has("0") && known.has("1") && !known.has("2"),
            "0 was shown each time, and 1 is wanted"
        );
        assert!(known.last_shown.capacity() < 10_000);
    }
}
