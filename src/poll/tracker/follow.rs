//! Items requested one by one: how often, and when they are given up.
//!
//! An open item that the lists do not show, and a late result, are requested at once. After an
//! answer that it is not there the next request waits 10 s, then 20 s, 40 s and so on. A failed
//! call says nothing about the item: it is requested again in the next poll, after the others.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::model::GivenUp;
use crate::poll::time::{later, since};

/// First pause between requests; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(10);

/// Maximum pause for an open item.
const LONGEST: Duration = Duration::from_secs(600);

/// Maximum pause for a result, which may be late for days.
const LONGEST_OF_RESULTS: Duration = Duration::from_secs(3600);

/// Minimum search time before an open item is lost.
pub(super) const LOOKED_FOR: Duration = Duration::from_secs(600);

/// Minimum number of answers that it is not there before an open item is lost.
const MAX_NOT_FOUND: u32 = 3;

/// Maximum number of items requested one by one in a poll; the others wait for the next poll.
const MAX_ASKS: usize = 50;

/// State of the search for one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Follow {
    /// Consecutive answers that it is not there.
    not_found_count: u32,
    /// Search time so far. Between two requests no more than the pause counts, so a clock set
    /// forward ends no search.
    looked_for: Duration,
    /// When it was last requested or seen. After a restart everything is requested at once.
    #[serde(skip)]
    asked_at: Option<Timestamp>,
    /// The last request failed.
    #[serde(skip)]
    failed: bool,
}

/// Request priority, larger first. Failed items come last, preceded by those requested most
/// recently.
pub(super) type Turn = (Reverse<bool>, Reverse<Option<Timestamp>>);

impl Follow {
    /// An item that is there, and may have to be requested again.
    pub(super) fn found(now: Timestamp) -> Self {
        Self { asked_at: Some(now), ..Self::default() }
    }

    /// Whether nothing about it needs to survive a restart.
    pub(super) fn is_plain(&self) -> bool {
        self.not_found_count == 0
    }

    /// Whether it was ever requested.
    pub(super) fn was_asked(&self) -> bool {
        self.not_found_count > 0 || self.failed || self.asked_at.is_some()
    }

    /// Whether the last request failed or did not find it.
    pub(super) fn is_again(&self) -> bool {
        self.not_found_count > 0 || self.failed
    }

    /// Why its result is given up, if it was not there until now.
    pub(super) fn cause(&self) -> GivenUp {
        if self.was_asked() { GivenUp::NeverAnswered } else { GivenUp::PushedOut }
    }

    /// How long it has been searched for.
    pub(super) fn looked_for(&self) -> Duration {
        self.looked_for
    }

    /// Its request priority.
    pub(super) fn turn(&self) -> Turn {
        (Reverse(self.failed), Reverse(self.asked_at))
    }

    /// Whether a request for an open item is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.has_waited(now, LONGEST)
    }

    /// Whether a request for a result is due.
    pub(super) fn is_result_due(&self, now: Timestamp) -> bool {
        self.has_waited(now, LONGEST_OF_RESULTS)
    }

    fn has_waited(&self, now: Timestamp, longest: Duration) -> bool {
        self.failed || self.asked_at.is_none_or(|asked| since(asked, now) >= self.pause(longest))
    }

    /// Records that the call for it failed.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// Records that it was requested, and is not there, or not yet.
    pub(super) fn missed(&mut self, now: Timestamp) {
        let pause = self.pause(LONGEST_OF_RESULTS);
        self.looked_for +=
            self.asked_at.map_or(Duration::ZERO, |asked| since(asked, now).min(pause));
        self.not_found_count = self.not_found_count.saturating_add(1);
        self.asked_at = Some(now);
        self.failed = false;
    }

    /// Whether an open item has been searched for long enough.
    pub(super) fn is_lost(&self) -> bool {
        self.not_found_count >= MAX_NOT_FOUND && self.looked_for >= LOOKED_FOR
    }

    /// Moves its time by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.asked_at = self.asked_at.map(|asked| later(asked, step));
    }

    fn pause(&self, longest: Duration) -> Duration {
        let Some(doublings) = self.not_found_count.checked_sub(1) else { return Duration::ZERO };
        FIRST.saturating_mul(1 << doublings.min(16)).min(longest)
    }
}

/// The items to request one by one in a poll: the most urgent of `ids`, most urgent last.
pub(super) fn turns<K: Ord>(ids: impl Iterator<Item = (K, SmolStr)>) -> Vec<SmolStr> {
    let mut ids: Vec<(K, SmolStr)> = ids.collect();
    ids.sort_unstable();
    let surplus = ids.len().saturating_sub(MAX_ASKS);
    ids.into_iter().skip(surplus).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{Follow, MAX_ASKS, turns};
    use crate::poll::tracker::samples::at;

    #[test]
    fn pauses_grow_and_something_open_is_lost_after_ten_minutes() {
        let mut follow = Follow::default();
        let mut asked = Vec::new();
        for second in (0..7200).step_by(10).take_while(|second| *second < 1000) {
            if !follow.is_lost() && follow.is_due(at(second)) {
                follow.missed(at(second));
                asked.push(second);
            }
        }
        assert_eq!(asked, [0, 10, 30, 70, 150, 310, 630]);
    }

    #[test]
    fn rare_questions_are_no_long_search() {
        let mut rare = Follow::default();
        for second in [0, 900, 1800] {
            rare.missed(at(second));
        }
        assert!(!rare.is_lost(), "three questions in half an hour, with pauses of thirty seconds");
        for second in [2700, 3600, 4500] {
            rare.missed(at(second));
        }
        assert!(!rare.is_lost());
        rare.missed(at(5400));
        assert!(rare.is_lost());
    }

    #[test]
    fn a_failed_call_is_no_miss_and_is_made_again_in_the_next_poll_after_the_others() {
        let mut follow = Follow::default();
        follow.missed(at(0));
        follow.failed();
        assert!(follow.is_due(at(1)) && follow.was_asked());
        assert!(
            follow.turn() < Follow::found(at(9)).turn()
                && Follow::found(at(9)).turn() < Follow::default().turn()
        );
        for _ in 0..100 {
            follow.failed();
        }
        assert!(!follow.is_lost());
    }

    #[test]
    fn a_late_result_is_asked_for_at_least_each_hour_and_something_open_each_ten_minutes() {
        let mut follow = Follow::default();
        for number in 0..30 {
            follow.missed(at(number * 3600));
        }
        let last = 29 * 3600;
        assert!(!follow.is_due(at(last + 599)) && follow.is_due(at(last + 600)));
        assert!(!follow.is_result_due(at(last + 3599)) && follow.is_result_due(at(last + 3600)));
    }

    #[test]
    fn a_clock_that_is_set_moves_what_is_due_and_loses_nothing() {
        let mut back = Follow::default();
        for second in [0, 10, 30] {
            back.missed(at(second));
        }
        back.shift(SignedDuration::from_secs(-4200));
        assert!(!back.is_due(at(69 - 4200)) && back.is_due(at(70 - 4200)));
        let mut forward = Follow::default();
        for second in [0, 10, 30, 4000] {
            forward.missed(at(second));
        }
        assert!(!forward.is_lost(), "an hour that was none");
    }

    #[test]
    fn a_poll_asks_for_no_more_than_its_bound_and_each_gets_its_turn() {
        let mut all: Vec<Follow> = (0..120).map(|_| Follow::default()).collect();
        for poll in 0..3 {
            let ids = all
                .iter()
                .enumerate()
                .map(|(number, follow)| (follow.turn(), number.to_string().into()));
            let asked = turns(ids);
            assert_eq!(asked.len(), MAX_ASKS);
            for id in &asked {
                all[id.parse::<usize>().unwrap()] = Follow::found(at(poll));
            }
        }
        assert!(all.iter().all(Follow::was_asked));
    }
}
