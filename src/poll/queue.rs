//! Who waits for one budget, and who is served next. Pure.
//!
//! Whoever is longest overdue for its own pace comes first, so that when a budget is too small for the plan, everybody's
//! period grows by the same factor. Running work is served first, but gets at most half of the budget while anything else is
//! overdue, and never counts as more than [`MAX_WEIGHT`] idle targets: it cannot starve a fleet.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{later, since};
use crate::config::Poll;
use crate::target::TargetId;

/// A running target is at most so many times as urgent as an idle one.
const MAX_WEIGHT: u32 = 8;

/// How often a target is to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It has open work.
    Active,
    /// It had some lately.
    Base,
    /// It had none for long, or cannot succeed.
    Idle,
}

impl Pace {
    const ALL: [Self; 3] = [Self::Active, Self::Base, Self::Idle];

    /// Time between two polls.
    pub fn period(self, settings: &Poll) -> Duration {
        match self {
            Self::Active => settings.active_interval,
            Self::Base => settings.interval,
            Self::Idle => settings.idle_interval,
        }
    }
}

/// Those who wait for one budget.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: [BTreeSet<(Timestamp, TargetId)>; 3],
    /// Whether running work was served last.
    served_active: bool,
}

impl Queue {
    pub(super) fn insert(&mut self, pace: Pace, due: Timestamp, id: TargetId) {
        self.waiting[pace as usize].insert((due, id));
    }

    pub(super) fn remove(&mut self, pace: Pace, due: Timestamp, id: &TargetId) {
        self.waiting[pace as usize].remove(&(due, id.clone()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(BTreeSet::is_empty)
    }

    /// Who is to be served next, and since when it is due.
    pub(super) fn first(&self, settings: &Poll, now: Timestamp) -> Option<&(Timestamp, TargetId)> {
        let others_wait = Pace::ALL[1..].iter().any(|pace| !self.waiting[*pace as usize].is_empty());
        let skip_active = self.served_active && others_wait;
        let classes = Pace::ALL.into_iter().filter(|pace| !(skip_active && *pace == Pace::Active));
        let heads = classes.filter_map(|pace| Some((pace, self.waiting[pace as usize].first()?)));
        let overdue = |(pace, (due, _)): &(Pace, &(Timestamp, TargetId))| {
            let least = settings.idle_interval / MAX_WEIGHT;
            since(*due, now).as_secs_f64() / pace.period(settings).max(least).as_secs_f64()
        };
        // Of those equally overdue, running work comes first: `max_by` keeps the last.
        heads
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .max_by(|a, b| overdue(a).total_cmp(&overdue(b)))
            .map(|(_, head)| head)
    }

    /// A target of this pace was served.
    pub(super) fn served(&mut self, pace: Pace) {
        self.served_active = pace == Pace::Active;
    }

    /// Moves every time by `step`.
    pub(super) fn shift(&mut self, step: jiff::SignedDuration) {
        for class in &mut self.waiting {
            *class = std::mem::take(class).into_iter().map(|(due, id)| (later(due, step), id)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Pace, Queue};
    use crate::config::Poll;
    use crate::poll::after;
    use crate::target::{Kind, TargetId};

    fn id(name: &str) -> TargetId {
        TargetId { kind: Kind::SwasInvocations, id: name.into() }
    }

    /// Serves one target every ten seconds, `rounds` times; each waits again one period after it was served.
    fn serve(targets: &[(&str, Pace)], rounds: i64) -> Vec<(String, i64)> {
        let (settings, start) = (Poll::default(), Timestamp::from_second(1_700_000_000).unwrap());
        let mut queue = Queue::default();
        let mut resting: Vec<(Timestamp, &str, Pace)> =
            targets.iter().map(|(name, pace)| (start, *name, *pace)).collect();
        let mut served = Vec::new();
        for round in 0..rounds {
            let now = after(start, std::time::Duration::from_secs(round as u64 * 10));
            let (due, rest) = resting.into_iter().partition(|(due, ..)| *due <= now);
            resting = rest;
            let due: Vec<(Timestamp, &str, Pace)> = due;
            due.into_iter().for_each(|(due, name, pace)| queue.insert(pace, due, id(name)));
            let Some((due, next)) = queue.first(&settings, now).cloned() else { continue };
            let (name, pace) = *targets.iter().find(|(name, _)| *next.id == **name).unwrap();
            queue.remove(pace, due, &next);
            queue.served(pace);
            resting.push((after(now, pace.period(&settings)), name, pace));
            served.push((name.to_owned(), round * 10));
        }
        served
    }

    fn longest_gap(served: &[(String, i64)], name: &str) -> i64 {
        let times: Vec<i64> = served.iter().filter(|(served, _)| served == name).map(|(_, time)| *time).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(i64::MAX)
    }

    #[test]
    fn a_fleet_too_large_for_its_budget_is_served_in_turn() {
        let names: Vec<String> = (0..100).map(|n| format!("s{n:02}")).collect();
        let fleet: Vec<(&str, Pace)> = names.iter().map(|name| (name.as_str(), Pace::Idle)).collect();
        let served = serve(&fleet, 1000);
        let gaps: Vec<i64> = names.iter().map(|name| longest_gap(&served, name)).collect();
        assert!(gaps.iter().all(|gap| (990..=1010).contains(gap)), "{gaps:?}");
    }

    #[test]
    fn running_work_is_served_more_often_and_starves_nobody() {
        let names: Vec<String> = (0..100).map(|n| format!("s{n:02}")).collect();
        let pace = |n: usize| if n == 7 { Pace::Active } else { Pace::Idle };
        let fleet: Vec<(&str, Pace)> = names.iter().enumerate().map(|(n, name)| (name.as_str(), pace(n))).collect();
        let served = serve(&fleet, 2000);
        assert!(longest_gap(&served, "s07") <= 200, "{}", longest_gap(&served, "s07"));
        assert!(longest_gap(&served, "s50") <= 1100, "{}", longest_gap(&served, "s50"));
    }

    #[test]
    fn running_work_gets_at_most_half_while_others_are_overdue() {
        let names: Vec<String> = (0..40).map(|n| format!("s{n:02}")).collect();
        let pace = |n: usize| if n < 39 { Pace::Active } else { Pace::Idle };
        let fleet: Vec<(&str, Pace)> = names.iter().enumerate().map(|(n, name)| (name.as_str(), pace(n))).collect();
        let served = serve(&fleet, 500);
        assert!(longest_gap(&served, "s39") <= 450, "{}", longest_gap(&served, "s39"));
    }
}
