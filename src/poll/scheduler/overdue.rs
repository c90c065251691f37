//! How operations become throttled and recover, and which targets are overdue meanwhile.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Scheduler;
use super::event::{Event, Throttling};
use super::scheduled::Phase;
use super::throttled::{CHECK_INTERVAL, Spell};
use crate::aliyun::THROTTLED_ADVICE;
use crate::model::{BudgetState, Failure, Reason};
use crate::poll::budget::WINDOW;
use crate::poll::rate_limiter::BudgetKey;
use crate::poll::time::{after, later};
use crate::target::TargetId;

/// Time without refusal, rest or lowered budget after which an operation counts as recovered: one
/// whose quota others use up is refused in each calendar minute and answered in between.
const RECOVERY: SignedDuration = SignedDuration::from_secs(120);
/// Minimum delay that counts as overdue, however short the period is.
const MIN_OVERDUE: Duration = Duration::from_secs(60);
/// How long the plan's needs are cached: computing them takes a walk over all targets.
const NEEDS_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

impl Scheduler {
    /// Notes that an operation was answered or refused.
    pub(super) fn note_answer(&mut self, key: &BudgetKey, is_refused: bool, now: Timestamp) {
        if is_refused || self.throttled.operations.contains_key(key) {
            self.look_at(key, is_refused, now);
        }
    }

    /// Reports what has changed about an operation.
    pub(super) fn look_at(&mut self, key: &BudgetKey, is_refused: bool, now: Timestamp) {
        let Some(state) = self.rate_limiter.state(key, now) else {
            self.throttled.operations.remove(key);
            return;
        };
        let is_resting = state.resting.is_some();
        let is_lowered = state.lowered.is_some();
        let is_throttled = is_refused || is_resting || is_lowered;
        let Some(spell) = self.throttled.operations.get_mut(key) else {
            if is_throttled {
                self.begin(key, state, now);
            }
            return;
        };
        if is_throttled {
            spell.last = now;
        }
        let was_lowered = std::mem::replace(&mut spell.is_lowered, is_lowered);
        let change = match (was_lowered, is_lowered) {
            (false, true) => Throttling::Lowered,
            (true, false) if is_resting => Throttling::TakenBack,
            _ if later(spell.last, RECOVERY) <= now => {
                let since = spell.since;
                self.throttled.operations.remove(key);
                Throttling::Over { since }
            }
            _ => return,
        };
        self.events.push(Event::Throttling(key.clone(), change, state));
    }

    fn begin(&mut self, key: &BudgetKey, state: BudgetState, now: Timestamp) {
        let spell = Spell { since: now, last: now, is_lowered: state.lowered.is_some() };
        self.throttled.operations.insert(key.clone(), spell);
        self.throttled.check_at.get_or_insert(after(now, CHECK_INTERVAL));
        self.events.push(Event::Throttling(key.clone(), Throttling::Began, state));
        let waiting: Vec<TargetId> =
            self.queues.get(key).into_iter().flat_map(|queue| queue.ids()).cloned().collect();
        for id in &waiting {
            self.watch(id, now);
        }
    }

    /// Reports which operations have recovered, and which targets are overdue.
    pub(super) fn check_throttled(&mut self, now: Timestamp) {
        if self.throttled.check_at.is_some_and(|time| time <= now) {
            let keys: Vec<BudgetKey> = self.throttled.operations.keys().cloned().collect();
            for key in &keys {
                self.look_at(key, false, now);
            }
            self.throttled.check_at =
                (!self.throttled.operations.is_empty()).then(|| after(now, CHECK_INTERVAL));
        }
        while let Some((time, id)) =
            self.throttled.overdue.first().cloned().filter(|(time, _)| *time <= now)
        {
            self.throttled.overdue.remove(&(time, id.clone()));
            if let Some(Phase::Queued { overdue_at, .. }) =
                self.targets.get_mut(&id).map(|scheduled| &mut scheduled.phase)
            {
                *overdue_at = None;
            }
            self.watch(&id, now);
        }
    }

    /// Sets the time at which a target that waits for a throttled operation is overdue, or reports
    /// that it is.
    pub(super) fn watch(&mut self, id: &TargetId, now: Timestamp) {
        let Some(scheduled) = self.targets.get(id) else {
            return debug_assert!(false, "{id:?} is watched, and is gone");
        };
        if scheduled.is_overdue {
            return;
        }
        let Phase::Queued { key, .. } = &scheduled.phase else {
            return debug_assert!(false, "{id:?} is watched, and waits for nothing");
        };
        // Not throttled.
        let Some(spell) = self.throttled.operations.get(key) else { return };
        let period = scheduled.period(&self.settings, self.last_now);
        let from = scheduled.due.max(spell.since).max(self.throttled.counts_from);
        let mut overdue_at = after(from, period.max(MIN_OVERDUE));
        if overdue_at <= now {
            let key = key.clone();
            overdue_at = after(overdue_at, self.wait_of_quota(&key, period, now));
        }
        if overdue_at <= now {
            return self.tell_overdue(id, now);
        }
        if let Some(Phase::Queued { overdue_at: watched, .. }) =
            self.targets.get_mut(id).map(|scheduled| &mut scheduled.phase)
        {
            *watched = Some(overdue_at);
            self.throttled.overdue.insert((overdue_at, id.clone()));
        }
    }

    /// Delay of a target's turn because `quotas` allows less than the plan needs: that is not the
    /// cloud's doing.
    fn wait_of_quota(&mut self, key: &BudgetKey, period: Duration, now: Timestamp) -> Duration {
        let is_known =
            |(time, _): &(Timestamp, _)| now.duration_since(*time).abs() < NEEDS_INTERVAL;
        if !self.throttled.needs.as_ref().is_some_and(is_known) {
            self.throttled.needs = Some((now, self.planned()));
        }
        let needs = self
            .throttled
            .needs
            .as_ref()
            .and_then(|(_, needs)| needs.get(key))
            .copied()
            .unwrap_or_default();
        let configured =
            self.rate_limiter.state(key, now).map_or(1, |state| state.configured.max(1));
        let factor = needs / f64::from(configured) * WINDOW.as_secs_f64() / 60.0;
        Duration::try_from_secs_f64(period.as_secs_f64() * (factor - 1.0).max(0.0))
            .unwrap_or(Duration::MAX)
    }

    fn tell_overdue(&mut self, id: &TargetId, now: Timestamp) {
        let Some(scheduled) = self.targets.get_mut(id) else {
            return debug_assert!(false, "{id:?} is overdue, and is gone");
        };
        let Phase::Queued { operation, key, .. } = &scheduled.phase else {
            return debug_assert!(false, "{id:?} is overdue, and waits for nothing");
        };
        let Some(state) = self.rate_limiter.state(key, now) else {
            return debug_assert!(false, "{key:?} has no budget");
        };
        let failure = failure(operation.name(), scheduled.due, &state);
        scheduled.is_overdue = true;
        let overdue = |(target, failure): (TargetId, Option<Failure>)| {
            failure.map(|failure| Event::Overdue { target, failure, at: now })
        };
        self.events.extend(scheduled.members_ended(Some(failure)).into_iter().filter_map(overdue));
    }
}

/// Why a poll due at `due` has not been made.
fn failure(operation: &str, due: Timestamp, state: &BudgetState) -> Failure {
    let BudgetState { configured, in_force, resting, lowered } = state;
    let cause = match (resting, lowered) {
        (Some(resting), _) => format!("the cloud refuses this operation ({})", resting.code),
        (None, Some(lowered)) => {
            format!(
                "only {in_force} of {configured} calls a minute are made since the cloud refused more ({})",
                lowered.code
            )
        }
        (None, None) => "the cloud refused this operation until a moment ago".to_owned(),
    };
    Failure {
        reason: Reason::Throttled,
        message: format!("{operation}: due at {due:.0} and still waiting: {cause}"),
        advice: THROTTLED_ADVICE.into(),
    }
}
