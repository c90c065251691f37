//! Which targets wait for a budget, and which is served next. Pure.
//!
//! The target most overdue for its own cadence comes first: when a budget is too small for the
//! plan, every target's period grows by the same factor. Running work is served first, but gets at
//! most half of the budget while anything else is overdue, and never counts as more than
//! [`MAX_WEIGHT`] idle targets, so it cannot starve a fleet.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::time::{later, since};
use crate::config::Poll;
use crate::target::TargetId;

/// Maximum urgency of a running target, as a multiple of an idle one's.
const MAX_WEIGHT: u32 = 8;

/// How often a target is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// It has open work.
    Active,
    /// It had open work recently.
    Base,
    /// It has had none for long, or cannot succeed.
    Idle,
}

impl Cadence {
    /// Time between two polls.
    pub fn period(self, settings: &Poll) -> Duration {
        match self {
            Self::Active => settings.active_interval,
            Self::Base => settings.interval,
            Self::Idle => settings.idle_interval,
        }
    }
}

/// What a target waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A call that its reading needs, at this cadence.
    Poll(Cadence),
    /// A call for one item that its lists did not show, from the budget of those lists.
    OneByOne,
}

impl Turn {
    const ALL: [Self; 4] = [
        Self::Poll(Cadence::Active),
        Self::Poll(Cadence::Base),
        Self::Poll(Cadence::Idle),
        Self::OneByOne,
    ];

    fn index(self) -> usize {
        match self {
            Self::Poll(cadence) => cadence as usize,
            Self::OneByOne => 3,
        }
    }

    /// Time between two polls; calls for single items belong to running work.
    fn period(self, settings: &Poll) -> Duration {
        match self {
            Self::Poll(cadence) => cadence.period(settings),
            Self::OneByOne => settings.active_interval,
        }
    }
}

/// The targets that wait for one budget.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: [BTreeSet<(Timestamp, TargetId)>; 4],
    /// The turn served last.
    served: Option<Turn>,
}

impl Queue {
    pub(super) fn insert(&mut self, turn: Turn, due: Timestamp, id: TargetId) {
        self.waiting[turn.index()].insert((due, id));
    }

    pub(super) fn remove(&mut self, turn: Turn, due: Timestamp, id: &TargetId) {
        self.waiting[turn.index()].remove(&(due, id.clone()));
    }

    /// The waiting targets.
    pub(super) fn ids(&self) -> impl Iterator<Item = &TargetId> {
        self.waiting.iter().flatten().map(|(_, id)| id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(BTreeSet::is_empty)
    }

    /// The target to serve next, and when it was due.
    pub(super) fn first(&self, settings: &Poll, now: Timestamp) -> Option<&(Timestamp, TargetId)> {
        let turns = Turn::ALL.into_iter().filter(|turn| !self.gives_way(*turn));
        let heads = turns.filter_map(|turn| Some((turn, self.waiting[turn.index()].first()?)));
        let overdue = |(turn, (due, _)): &(Turn, &(Timestamp, TargetId))| {
            let least = settings.idle_interval / MAX_WEIGHT;
            since(*due, now).as_secs_f64() / turn.period(settings).max(least).as_secs_f64()
        };
        // Among equally overdue ones running work comes first: `max_by` keeps the last.
        heads
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .max_by(|a, b| overdue(a).total_cmp(&overdue(b)))
            .map(|(_, head)| head)
    }

    /// Whether `turn` lets others go first: it was just served, and gets at most half meanwhile.
    fn gives_way(&self, turn: Turn) -> bool {
        let waits = |other: &Turn| !self.waiting[other.index()].is_empty();
        let others = match turn {
            Turn::Poll(Cadence::Active) => &Turn::ALL[1..3],
            Turn::OneByOne => &Turn::ALL[..3],
            Turn::Poll(Cadence::Base | Cadence::Idle) => &[],
        };
        self.served == Some(turn) && others.iter().any(waits)
    }

    /// Records that a target was served.
    pub(super) fn served(&mut self, turn: Turn) {
        self.served = Some(turn);
    }

    /// Moves every time by `step`.
    pub(super) fn shift(&mut self, step: jiff::SignedDuration) {
        for class in &mut self.waiting {
            *class =
                std::mem::take(class).into_iter().map(|(due, id)| (later(due, step), id)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Cadence, Queue, Turn};
    use crate::config::Poll;
    use crate::poll::time::after;
    use crate::target::{Kind, TargetId};

    fn id(name: &str) -> TargetId {
        TargetId { kind: Kind::SwasInvocations, id: name.into() }
    }

    /// Serves one target every ten seconds, `rounds` times; each waits again one period after it
    /// was served.
    fn serve(targets: &[(&str, Cadence)], rounds: i64) -> Vec<(String, i64)> {
        let settings = Poll::default();
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let mut queue = Queue::default();
        let mut resting: Vec<(Timestamp, &str, Cadence)> =
            targets.iter().map(|(name, cadence)| (start, *name, *cadence)).collect();
        let mut served = Vec::new();
        for round in 0..rounds {
            let now = after(start, std::time::Duration::from_secs(round as u64 * 10));
            let (due, rest) = resting.into_iter().partition(|(due, ..)| *due <= now);
            resting = rest;
            let due: Vec<(Timestamp, &str, Cadence)> = due;
            for (due, name, cadence) in due {
                queue.insert(Turn::Poll(cadence), due, id(name));
            }
            let Some((due, next)) = queue.first(&settings, now).cloned() else { continue };
            let (name, cadence) = *targets.iter().find(|(name, _)| *next.id == **name).unwrap();
            queue.remove(Turn::Poll(cadence), due, &next);
            queue.served(Turn::Poll(cadence));
            resting.push((after(now, cadence.period(&settings)), name, cadence));
            served.push((name.to_owned(), round * 10));
        }
        served
    }

    fn longest_gap(served: &[(String, i64)], name: &str) -> i64 {
        let times: Vec<i64> =
            served.iter().filter(|(served, _)| served == name).map(|(_, time)| *time).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(i64::MAX)
    }

    #[test]
    fn a_fleet_too_large_for_its_budget_is_served_in_turn() {
        let names: Vec<String> = (0..100).map(|n| format!("s{n:02}")).collect();
        let fleet: Vec<(&str, Cadence)> =
            names.iter().map(|name| (name.as_str(), Cadence::Idle)).collect();
        let served = serve(&fleet, 1000);
        let gaps: Vec<i64> = names.iter().map(|name| longest_gap(&served, name)).collect();
        assert!(gaps.iter().all(|gap| (990..=1010).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn running_work_is_served_more_often_and_starves_nobody() {
        let names: Vec<String> = (0..100).map(|n| format!("s{n:02}")).collect();
        let cadence = |n: usize| if n == 7 { Cadence::Active } else { Cadence::Idle };
        let fleet: Vec<(&str, Cadence)> =
            names.iter().enumerate().map(|(n, name)| (name.as_str(), cadence(n))).collect();
        let served = serve(&fleet, 2000);
        assert!(longest_gap(&served, "s07") <= 200, "{}", longest_gap(&served, "s07"));
        assert!(longest_gap(&served, "s50") <= 1100, "{}", longest_gap(&served, "s50"));
    }

    #[test]
    fn running_work_gets_at_most_half_while_others_are_overdue() {
        let names: Vec<String> = (0..40).map(|n| format!("s{n:02}")).collect();
        let cadence = |n: usize| if n < 39 { Cadence::Active } else { Cadence::Idle };
        let fleet: Vec<(&str, Cadence)> =
            names.iter().enumerate().map(|(n, name)| (name.as_str(), cadence(n))).collect();
        let served = serve(&fleet, 500);
        assert!(longest_gap(&served, "s39") <= 450, "{}", longest_gap(&served, "s39"));
    }

    #[test]
    fn what_is_asked_one_by_one_gets_at_most_half_while_others_wait_and_all_of_it_else() {
        let settings = Poll::default();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let mut queue = Queue::default();
        let mut served = String::new();
        queue.insert(Turn::OneByOne, now, id("storm"));
        for name in ["a", "b", "c"] {
            queue.insert(
                Turn::Poll(Cadence::Idle),
                after(now, std::time::Duration::from_secs(60)),
                id(name),
            );
        }
        let later = after(now, std::time::Duration::from_secs(600));
        for _ in 0..8 {
            let (due, next) = queue.first(&settings, later).cloned().unwrap();
            let turn =
                if *next.id == *"storm" { Turn::OneByOne } else { Turn::Poll(Cadence::Idle) };
            queue.served(turn);
            served.push_str(&next.id);
            if turn != Turn::OneByOne {
                queue.remove(turn, due, &next);
            }
        }
        assert_eq!(served, "stormastormbstormcstormstorm");
    }
}
