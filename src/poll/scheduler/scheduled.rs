//! State of one target.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::event::Event;
use crate::aliyun::op::Operation;
use crate::config::Poll;
use crate::model::{Failure, Reason};
use crate::poll::queue::{Cadence, Turn};
use crate::poll::rate_limiter::BudgetKey;
use crate::poll::time::{later, since};
use crate::poll::tracker::{Load, Notice, Tracker};
use crate::target::{Scope, Target, TargetId};

/// A target, its tracker, and its current poll.
#[derive(Debug)]
pub(super) struct ScheduledTarget {
    pub(super) target: Arc<Target>,
    pub(super) tracker: Tracker,
    /// Tick of the current or next poll.
    pub(super) due: Timestamp,
    /// When it last had open work.
    pub(super) last_open: Timestamp,
    /// Reason of the last failure, while it fails.
    pub(super) failing: Option<Reason>,
    /// Whether its poll was reported as overdue because an operation is throttled.
    pub(super) is_overdue: bool,
    /// The next tick came before the last poll had requested any details.
    pub(super) cut_short: bool,
    /// How often its items end.
    pub(super) ends: EndRate,
    pub(super) poll: Option<Polling>,
    pub(super) phase: Phase,
}

/// A poll in progress.
#[derive(Debug)]
pub(super) struct Polling {
    pub(super) started: Timestamp,
    /// Attempts of the current call.
    pub(super) attempts: u32,
    /// Time spent in attempts and pauses since the last answer, without waits for budgets.
    pub(super) spent: Duration,
    /// Failure of a part of it.
    pub(super) failure: Option<Failure>,
    /// Number of failed calls about single items.
    pub(super) failed_parts: u32,
    /// The cloud asks for no calls before this time.
    pub(super) rests_until: Option<Timestamp>,
    pub(super) published: bool,
    /// At least one detail was requested.
    pub(super) detailed: bool,
}

/// How often items end: a rate that decays over an hour.
#[derive(Debug)]
pub(super) struct EndRate {
    since: Timestamp,
    faded: f64,
    at: Timestamp,
}

#[derive(Debug)]
pub(super) enum Phase {
    Timer(Timestamp),
    Queued {
        operation: Operation,
        key: BudgetKey,
        turn: Turn,
        since: Timestamp,
        /// When the poll ends without this answer.
        until: Option<Timestamp>,
        /// When to check whether the poll is overdue because the operation is throttled.
        overdue_at: Option<Timestamp>,
    },
    InFlight {
        ticket: u64,
        sent: Timestamp,
    },
}

impl ScheduledTarget {
    /// Current cadence. A target that cannot succeed before a person acts is polled as rarely as an
    /// idle one.
    pub(super) fn cadence(&self, settings: &Poll, now: Timestamp) -> Cadence {
        let hopeless =
            matches!(self.failing, Some(Reason::NotFound | Reason::Permission | Reason::Account));
        // Discovery never has open work, but is not idle because of that.
        let idle = since(self.last_open, now) >= settings.idle_after && self.own_period().is_none();
        match (hopeless, self.tracker.has_open(), idle) {
            (true, ..) | (false, false, true) => Cadence::Idle,
            (false, true, _) => Cadence::Active,
            (false, false, false) => Cadence::Base,
        }
    }

    /// The notices of its targets and, once there are any that can be shown, their readings.
    pub(super) fn told(&mut self, now: Timestamp) -> Vec<Event> {
        let notices = self.tracker.notices(&self.target.id);
        self.ends.note(
            notices.iter().filter(|(_, notice)| matches!(notice, Notice::Ended { .. })).count(),
            now,
        );
        let mut events: Vec<Event> =
            notices.into_iter().map(|(id, notice)| Event::Notice(id, notice)).collect();
        if self.tracker.is_readable() {
            let has_failed = |member: &&Target| self.tracker.failure(&member.id).is_some();
            let there = self.target.members().filter(|member| !has_failed(member));
            events.extend(there.filter_map(|member| {
                Some(Event::Reading(member.id.clone(), self.tracker.reading(&member.id)?, now))
            }));
        }
        events
    }

    /// Each of its targets with the failure of its poll: the shared one, or its own.
    pub(super) fn members_ended(
        &self,
        failure: Option<Failure>,
    ) -> Vec<(TargetId, Option<Failure>)> {
        let own = |id| failure.clone().or_else(|| self.tracker.failure(id));
        self.target.members().map(|member| (member.id.clone(), own(&member.id))).collect()
    }

    /// Current time between two polls. Discovery has its own; while it fails, the usual one applies
    /// if that is shorter.
    pub(super) fn period(&self, settings: &Poll, now: Timestamp) -> Duration {
        let usual = self.cadence(settings, now).period(settings);
        match (self.own_period(), self.failing) {
            (Some(own), None) => own,
            (Some(own), Some(_)) => own.min(usual),
            (None, _) => usual,
        }
    }

    /// Its own time between two polls, if `poll` does not set it.
    pub(super) fn own_period(&self) -> Option<Duration> {
        match &self.target.scope {
            Scope::Discovery(search) => Some(search.interval),
            _ => None,
        }
    }

    /// Inputs of the cost model: the current state and recent rates.
    pub(super) fn load(&self, now: Timestamp) -> Load {
        Load { ended_per_hour: self.ends.per_hour(now), ..self.tracker.load() }
    }

    /// Moves planned times by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.tracker.shift(step);
        let times = [&mut self.due, &mut self.last_open, &mut self.ends.since, &mut self.ends.at];
        let of_poll = self
            .poll
            .iter_mut()
            .flat_map(|poll| [Some(&mut poll.started), poll.rests_until.as_mut()]);
        for t in times.into_iter().chain(of_poll.flatten()) {
            *t = later(*t, step);
        }
        match &mut self.phase {
            Phase::Timer(time) | Phase::InFlight { sent: time, .. } => *time = later(*time, step),
            Phase::Queued { since, until, overdue_at, .. } => {
                for time in until.iter_mut().chain(overdue_at).chain([since]) {
                    *time = later(*time, step);
                }
            }
        }
    }
}

impl EndRate {
    /// Time after which an end counts for 1/e.
    const MEMORY: Duration = Duration::from_secs(3600);
    /// Minimum time over which ends are averaged.
    const LEAST: Duration = Duration::from_secs(600);

    pub(super) fn new(since: Timestamp) -> Self {
        Self { since, faded: 0.0, at: since }
    }

    pub(super) fn note(&mut self, ends: usize, now: Timestamp) {
        self.faded = self.left(now) + ends as f64;
        self.at = now;
    }

    /// Ends per hour.
    pub(super) fn per_hour(&self, now: Timestamp) -> f64 {
        self.left(now) / (1.0 - fading(since(self.since, now).max(Self::LEAST)))
    }

    fn left(&self, now: Timestamp) -> f64 {
        self.faded * fading(since(self.at, now))
    }
}

fn fading(time: Duration) -> f64 {
    (-time.as_secs_f64() / EndRate::MEMORY.as_secs_f64()).exp()
}

impl Polling {
    /// A poll that began at `started`.
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            started,
            attempts: 0,
            spent: Duration::ZERO,
            failure: None,
            failed_parts: 0,
            rests_until: None,
            published: false,
            detailed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::EndRate;
    use crate::poll::time::after;

    #[test]
    fn a_steady_rate_is_found_at_once_and_forgotten_within_hours() {
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let minute = |number: u64| after(start, Duration::from_secs(60 * number));
        let mut ends = EndRate::new(start);
        for number in 1..=300 {
            ends.note(1, minute(number));
            assert!(
                number < 20 || (55.0..65.0).contains(&ends.per_hour(minute(number))),
                "minute {number}"
            );
        }
        assert!(ends.per_hour(minute(300 + 240)) < 1.2);
        let mut first = EndRate::new(start);
        first.note(1, start);
        assert!(first.per_hour(start) < 7.0, "one end says little");
    }
}
