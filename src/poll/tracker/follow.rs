//! What is asked for one by one: how often, and when it is given up.
//!
//! An open thing that the lists do not show, and a result that is late, are asked for at once.
//! After an answer that it is not there the next question waits 10 s, then 20 s, 40 s and so on. A
//! failed call says nothing of the thing: it is asked for again in the next poll, after the others.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::GivenUp;
use crate::poll::{later, since};

/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_secs(10);

/// No pause of something open is longer.
const LONGEST: Duration = Duration::from_secs(600);

/// No pause of a result is longer: it may be late for days.
const LONGEST_OF_RESULTS: Duration = Duration::from_secs(3600);

/// Something open is looked for at least so long before it is lost.
pub(super) const LOOKED_FOR: Duration = Duration::from_secs(600);

/// Minimum number of answers that say it is not there.
const MAX_MISSES: u32 = 3;

/// Maximum number that a poll asks for one by one; the others wait for the next one.
pub(super) const MAX_ASKS: usize = 50;

/// How the search for one thing stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Follow {
    /// Answers in a row that said it is not there.
    misses: u32,
    /// How long it was looked for. Of a time between two questions no more counts than the pause:
    /// a clock that is set forward ends no search.
    looked_for: Duration,
    /// When it was last asked for or seen. After a restart everything is asked for at once.
    #[serde(skip)]
    asked_at: Option<Timestamp>,
    /// The last question has failed.
    #[serde(skip)]
    failed: bool,
}

/// Which of two is asked for first: the larger. What has failed comes last, before it what was
/// asked for most recently.
pub(super) type Turn = (Reverse<bool>, Reverse<Option<Timestamp>>);

impl Follow {
    /// Of something that is there, and may have to be asked for again.
    pub(super) fn found(now: Timestamp) -> Self {
        Self { asked_at: Some(now), ..Self::default() }
    }

    /// Whether nothing of it need be remembered over a restart.
    pub(super) fn is_plain(&self) -> bool {
        self.misses == 0
    }

    /// Whether it was asked for at all.
    pub(super) fn was_asked(&self) -> bool {
        self.misses > 0 || self.failed || self.asked_at.is_some()
    }

    /// Whether the last question was in vain.
    pub(super) fn is_again(&self) -> bool {
        self.misses > 0 || self.failed
    }

    /// Why its result is given up, if that was not there until now.
    pub(super) fn cause(&self) -> GivenUp {
        if self.was_asked() { GivenUp::NeverAnswered } else { GivenUp::PushedOut }
    }

    /// How long it was looked for in vain.
    pub(super) fn looked_for(&self) -> Duration {
        self.looked_for
    }

    /// Which is asked for first.
    pub(super) fn turn(&self) -> Turn {
        (Reverse(self.failed), Reverse(self.asked_at))
    }

    /// Whether something open is to be asked for now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.has_waited(now, LONGEST)
    }

    /// Whether a result is to be asked for now.
    pub(super) fn is_result_due(&self, now: Timestamp) -> bool {
        self.has_waited(now, LONGEST_OF_RESULTS)
    }

    fn has_waited(&self, now: Timestamp, longest: Duration) -> bool {
        self.failed || self.asked_at.is_none_or(|asked| since(asked, now) >= self.pause(longest))
    }

    /// It was asked for, and the call has failed.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    /// It was asked for, and is not there, or not yet.
    pub(super) fn missed(&mut self, now: Timestamp) {
        let pause = self.pause(LONGEST_OF_RESULTS);
        self.looked_for +=
            self.asked_at.map_or(Duration::ZERO, |asked| since(asked, now).min(pause));
        self.misses = self.misses.saturating_add(1);
        self.asked_at = Some(now);
        self.failed = false;
    }

    /// Whether something open has been looked for long enough.
    pub(super) fn is_lost(&self) -> bool {
        self.misses >= MAX_MISSES && self.looked_for >= LOOKED_FOR
    }

    /// This machine's clock was set back by `step`.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.asked_at = self.asked_at.map(|asked| later(asked, step));
    }

    fn pause(&self, longest: Duration) -> Duration {
        let Some(doublings) = self.misses.checked_sub(1) else { return Duration::ZERO };
        FIRST.saturating_mul(1 << doublings.min(16)).min(longest)
    }
}

/// What is asked for one by one in a poll: of `ids` with their urgency the most urgent, which are
/// last.
pub(super) fn turns<K: Ord>(ids: impl Iterator<Item = (K, Arc<str>)>) -> Vec<Arc<str>> {
    let mut ids: Vec<(K, Arc<str>)> = ids.collect();
    ids.sort_unstable();
    let surplus = ids.len().saturating_sub(MAX_ASKS);
    ids.into_iter().skip(surplus).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Follow, MAX_ASKS, turns};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

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
