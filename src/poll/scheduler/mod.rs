//! ONE state machine over all targets: which is due, which may make a call, and what an answer
//! leads to. No I/O, no clock.
//!
//! A target waits for its tick or for a retry (a timer), waits for its budget (a queue), or has a
//! call in flight. It has one call at a time, so slow polls never pile up; the most overdue targets
//! are served first.

mod apply;
mod event;
mod overdue;
mod scheduled;
mod throttled;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::budget::{Heard, Hint};
use super::planned_load::{self, budget_key};
use super::queue::{Queue, Turn};
use super::rate_limiter::{BudgetKey, RateLimiter};
use super::time::{after, later, since};
use super::tracker::{self, AfterFailure, Memory};
use crate::aliyun::op::Operation;
use crate::aliyun::{Error, Retry, error_of};
use crate::config::Poll;
use crate::model::{BudgetState, Failure, Reading, Reason};
use crate::target::{Findings, Kind, TargetId};

pub use apply::{Change, spread};
pub use event::{Attempt, Event, Next, Outcome, Throttling};
use scheduled::{Phase, Polling, ScheduledTarget};
use throttled::Throttled;

/// Maximum number of attempts of a call that fails for a transient reason.
pub const MAX_ATTEMPTS: u32 = 4;
/// Number of failed calls about single items after which a poll ends: the service is at fault.
const MAX_FAILED_PARTS: u32 = 3;
/// Maximum delay of the first retry; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// Maximum delay of any retry.
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// All targets, and the phase of each.
#[derive(Debug)]
pub struct Scheduler {
    settings: Poll,
    /// Maximum number of attempts of a call that fails for a transient reason.
    max_attempts: u32,
    /// Boxed: a map moves its values when it grows, and has room for up to twice as many.
    targets: HashMap<TargetId, Box<ScheduledTarget>>,
    /// Scheduled target of each server that is polled together with others.
    shared: HashMap<TargetId, TargetId>,
    timers: BTreeSet<(Timestamp, TargetId)>,
    queues: BTreeMap<BudgetKey, Queue>,
    rate_limiter: RateLimiter,
    throttled: Throttled,
    in_flight: usize,
    tickets: u64,
    random: SmallRng,
    last_now: Timestamp,
    events: Vec<Event>,
}

impl Scheduler {
    /// A scheduler without targets. `seed` randomises retry delays.
    pub fn new(settings: Poll, seed: u64, now: Timestamp) -> Self {
        Self {
            settings,
            max_attempts: MAX_ATTEMPTS,
            targets: HashMap::new(),
            shared: HashMap::new(),
            timers: BTreeSet::new(),
            queues: BTreeMap::new(),
            rate_limiter: RateLimiter::default(),
            throttled: Throttled::new(now),
            in_flight: 0,
            tickets: 0,
            random: SmallRng::seed_from_u64(seed),
            last_now: now,
            events: Vec::new(),
        }
    }

    /// Replaces [`MAX_ATTEMPTS`].
    pub fn attempting(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// What to do now. Call it again until it is not [`Next::Call`].
    pub fn next(&mut self, now: Timestamp) -> Next {
        self.notice_clock(now);
        while let Some((time, id)) = self.timers.first().cloned().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, id.clone()));
            self.fire(&id, now);
        }
        self.check_throttled(now);
        if self.in_flight >= self.settings.concurrency {
            return Next::Wait;
        }
        let ready = |(key, queue): (&BudgetKey, &Queue)| {
            let (due, id) = queue.first(&self.settings, now)?;
            let ready_at = self.rate_limiter.ready_at(key, now)?;
            (ready_at <= now).then(|| (*due, id.clone()))
        };
        match self.queues.iter().filter_map(ready).min() {
            Some((_, id)) => self.send(&id, now),
            None => self.wake_at(now),
        }
    }

    /// Handles the outcome of an attempt.
    pub fn done(&mut self, attempt: &Attempt, outcome: Outcome, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let idle_need = || idle_need(&self.targets, &self.settings, &attempt.key, now);
        let heard = heard(&outcome);
        let is_refused = matches!(heard, Heard::Refused { .. });
        self.rate_limiter.heard(&attempt.key, attempt.ticket, heard, now, idle_need);
        self.note_answer(&attempt.key, is_refused, now);
        // The target may be gone, or be another one with the same id.
        let Some(scheduled) = self.targets.get_mut(&attempt.target) else { return };
        let Phase::InFlight { ticket, sent } = scheduled.phase else { return };
        let Some(poll) = scheduled.poll.as_mut().filter(|_| ticket == attempt.ticket) else {
            return;
        };
        poll.spent += since(sent, now);
        poll.detailed |= scheduled.tracker.is_readable();
        match outcome {
            Ok(decoded) => {
                poll.attempts = 0;
                poll.spent = Duration::ZERO;
                // The answer is shown despite its error: a retry would bring no more.
                if let Some(error) = &decoded.error {
                    poll.failure = Some(failure(&attempt.operation, error));
                }
                scheduled.tracker.answer(decoded.value, now);
                self.publish(&attempt.target, now);
                self.go_on(&attempt.target, now);
            }
            Err(error) => self.failed(attempt, &error, now),
        }
    }

    /// Returns what has happened since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Memory of a target, to be saved.
    pub fn memory(&self, id: &TargetId) -> Option<Memory<'_>> {
        self.scheduled_of(id)?.tracker.memory(id)
    }

    /// Reading of a target, to be shown.
    pub fn reading(&self, id: &TargetId) -> Option<Reading> {
        self.scheduled_of(id)?.tracker.reading(id)
    }

    fn scheduled_of(&self, id: &TargetId) -> Option<&ScheduledTarget> {
        self.targets.get(self.shared.get(id).unwrap_or(id)).map(|scheduled| &**scheduled)
    }

    /// When the current or next poll of each target is, or was, due.
    pub fn planned_polls(&self) -> impl Iterator<Item = (&TargetId, Timestamp)> {
        self.targets.iter().map(|(id, scheduled)| (id, scheduled.due))
    }

    /// What each discovery target last found.
    pub fn findings(&self) -> Findings {
        let searches =
            self.targets.values().filter(|scheduled| scheduled.target.id.kind == Kind::Discovery);
        searches.map(|scheduled| (scheduled.target.id.clone(), scheduled.tracker.found())).collect()
    }

    /// Whether every directory was read whole at least once, before or after a restart.
    pub fn has_found_all(&self) -> bool {
        self.targets.values().all(|scheduled| scheduled.tracker.has_found_all())
    }

    /// What to keep of each budget across a restart.
    pub fn hints(&self) -> impl Iterator<Item = (&BudgetKey, Hint)> {
        self.rate_limiter.hints()
    }

    /// Restores what was learned before a restart.
    pub fn restore_hint(&mut self, labels: [&str; 4], hint: &Hint) {
        let key = self.rate_limiter.keys().find(|key| key.labels() == labels).cloned();
        if let Some(key) = key {
            self.rate_limiter.restore(&key, hint, self.last_now);
            self.look_at(&key, false, self.last_now);
        }
    }

    /// State of each budget.
    pub fn budgets(&mut self, now: Timestamp) -> Vec<(BudgetKey, BudgetState)> {
        self.rate_limiter.states(now)
    }

    /// Calls per minute that the targets need at their current cadence, by budget.
    pub fn planned(&self) -> BTreeMap<BudgetKey, f64> {
        let mut planned: BTreeMap<BudgetKey, f64> =
            self.rate_limiter.keys().map(|key| (key.clone(), 0.0)).collect();
        for scheduled in self.targets.values() {
            let period = scheduled.period(&self.settings, self.last_now);
            let load = scheduled.load(self.last_now);
            let history_interval = self.settings.history_interval;
            for (key, calls) in
                planned_load::per_poll(&scheduled.target, &load, period, history_interval)
            {
                *planned.entry(key).or_default() += calls * planned_load::per_minute(period);
            }
        }
        planned
    }

    /// Removes a target from the timers and queues of its phase.
    fn leave(&mut self, id: &TargetId, due: Timestamp, phase: &Phase) {
        match phase {
            Phase::Timer(time) => {
                self.timers.remove(&(*time, id.clone()));
            }
            Phase::Queued { key, turn, until, overdue_at, .. } => {
                self.throttled.forget(id, *overdue_at);
                if let Some(queue) = self.queues.get_mut(key) {
                    queue.remove(*turn, due, id);
                }
                self.queues.retain(|_, queue| !queue.is_empty());
                if let Some(until) = until {
                    self.timers.remove(&(*until, id.clone()));
                }
            }
            Phase::InFlight { .. } => {}
        }
    }

    /// Handles an expired timer: the target's tick has come, its retry is due, or its details have
    /// waited long enough.
    fn fire(&mut self, id: &TargetId, now: Timestamp) {
        let Some(scheduled) = self.targets.get_mut(id) else {
            return debug_assert!(false, "{id:?} has a timer, and is gone");
        };
        match (&scheduled.phase, &scheduled.poll) {
            (Phase::Timer(_), None) => {
                scheduled.tracker.begin(now);
                scheduled.poll = Some(Polling::new(now));
                self.go_on(id, now);
            }
            (Phase::Timer(_), Some(_)) => self.go_on(id, now),
            (Phase::Queued { .. }, _) => self.finish(id, None, now),
            (Phase::InFlight { .. }, _) => {
                debug_assert!(false, "{id:?} has a call under way, and a timer")
            }
        }
    }

    /// Queues the tracker's next call, or ends the poll.
    fn go_on(&mut self, id: &TargetId, now: Timestamp) {
        let period = self.period(id);
        let limit = self.settings.timeout * 3;
        let Some(scheduled) = self.targets.get_mut(id) else {
            return debug_assert!(false, "{id:?} goes on, and is gone");
        };
        let cadence = scheduled.cadence(&self.settings, self.last_now);
        let Some(poll) = &scheduled.poll else {
            return debug_assert!(false, "{id:?} goes on without a poll");
        };
        let next_tick = after(scheduled.due, period).max(now);
        // If lists and details share a budget, lists alone could always use it up.
        let is_patient = scheduled.cut_short
            && !poll.detailed
            && tracker::details_share_the_budget(scheduled.target.id.kind);
        let is_over = next_tick <= now && poll.published && !is_patient;
        if scheduled.tracker.is_readable() && (poll.spent >= limit || is_over) {
            return self.finish(id, None, now);
        }
        let Some(operation) = scheduled.tracker.ask() else { return self.finish(id, None, now) };
        if poll.spent >= limit {
            let failure = failure(&operation, &Error::Timeout(limit));
            return self.finish(id, Some(failure), now);
        }
        let key = budget_key(&scheduled.target, operation.action());
        if self.rate_limiter.ready_at(&key, now).is_none_or(|time| time > now) {
            scheduled.tracker.about_to_wait(now);
            self.publish(id, now);
        }
        let Some(scheduled) = self.targets.get_mut(id) else {
            return debug_assert!(false, "publishing has removed {id:?}");
        };
        let until = (scheduled.tracker.is_readable() && !is_patient).then_some(next_tick);
        self.timers.extend(until.map(|until| (until, id.clone())));
        let shares = tracker::details_share_the_budget(scheduled.target.id.kind);
        let turn = if shares && scheduled.tracker.is_readable() {
            Turn::OneByOne
        } else {
            Turn::Poll(cadence)
        };
        self.queues.entry(key.clone()).or_default().insert(turn, scheduled.due, id.clone());
        scheduled.phase =
            Phase::Queued { operation, key, turn, since: now, until, overdue_at: None };
        self.watch(id, now);
    }

    fn send(&mut self, id: &TargetId, now: Timestamp) -> Next {
        self.tickets += 1;
        let ticket = self.tickets;
        let Some(scheduled) = self.targets.get_mut(id) else {
            debug_assert!(false, "{id:?} is in a queue, and is gone");
            return Next::WakeAt(now);
        };
        let phase = std::mem::replace(&mut scheduled.phase, Phase::InFlight { ticket, sent: now });
        let due = scheduled.due;
        let account = Arc::clone(&scheduled.target.account);
        let region = Arc::clone(&scheduled.target.region);
        self.leave(id, due, &phase);
        let Phase::Queued { operation, key, turn, since: queued, .. } = phase else {
            debug_assert!(false, "{id:?} is in a queue, and in the phase {phase:?}");
            // Polling it twice is better than never again.
            self.finish(id, None, now);
            return Next::WakeAt(now);
        };
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.served(turn);
        }
        let waited = self
            .rate_limiter
            .blocked_until(&key)
            .map(|until| since(queued, until))
            .unwrap_or_default();
        if waited > Duration::ZERO {
            self.events.push(Event::Waited(key.clone(), waited));
        }
        self.rate_limiter.take(&key, ticket, now);
        self.in_flight += 1;
        Next::Call(Box::new(Attempt {
            target: id.clone(),
            account,
            region,
            operation,
            key,
            ticket,
        }))
    }

    fn failed(&mut self, attempt: &Attempt, error: &Error, now: Timestamp) {
        let pause = self.pause(&attempt.target, error);
        let Some(scheduled) = self.targets.get_mut(&attempt.target) else {
            return debug_assert!(false, "{:?} has failed, and is gone", attempt.target);
        };
        let Some(poll) = scheduled.poll.as_mut() else {
            return debug_assert!(false, "{:?} has failed without a poll", attempt.target);
        };
        if let Some(pause) = pause {
            poll.attempts += 1;
            poll.spent += pause;
            let time = after(now, pause);
            scheduled.phase = Phase::Timer(time);
            self.timers.insert((time, attempt.target.clone()));
            return;
        }
        poll.attempts = 0;
        let rest = wanted_rest(error);
        poll.rests_until = poll.rests_until.max(rest.map(|rest| after(now, rest)));
        let failure = failure(&attempt.operation, error);
        match scheduled.tracker.fail(error, &failure) {
            _ if rest.is_some_and(|rest| rest > MAX_BACKOFF) => {
                return self.finish(&attempt.target, Some(failure), now);
            }
            AfterFailure::Stop => return self.finish(&attempt.target, Some(failure), now),
            AfterFailure::GoOnFailed => {
                poll.failed_parts += u32::from(error.is_of_one_question());
                if poll.failed_parts >= MAX_FAILED_PARTS {
                    return self.finish(&attempt.target, Some(failure), now);
                }
                poll.failure = Some(failure);
            }
            AfterFailure::GoOn => {}
        }
        self.publish(&attempt.target, now);
        self.go_on(&attempt.target, now);
    }

    /// Delay before this call is retried in this poll; `None` if it is not.
    fn pause(&mut self, id: &TargetId, error: &Error) -> Option<Duration> {
        let poll = self.targets.get(id)?.poll.as_ref()?;
        let attempts = poll.attempts + 1;
        let again = match error.retry() {
            Retry::Never => false,
            Retry::Once => attempts < 2,
            Retry::Backoff => {
                attempts < self.max_attempts && poll.spent < self.settings.timeout * 3
            }
        };
        // A poll does not wait for a longer rest: it ends, and the next one waits.
        let rest = wanted_rest(error).unwrap_or_default();
        let longest = MAX_BACKOFF.min(FIRST_BACKOFF * 2u32.saturating_pow(attempts - 1));
        (again && rest <= MAX_BACKOFF)
            .then(|| longest.mul_f64(self.random.random_range(0.0..1.0)).max(rest))
    }

    /// Publishes a reading as soon as it is true; details follow.
    fn publish(&mut self, id: &TargetId, now: Timestamp) {
        let period = self.period(id);
        let Some(scheduled) = self.targets.get_mut(id) else {
            return debug_assert!(false, "{id:?} publishes, and is gone");
        };
        let has_news = scheduled.tracker.has_news();
        // Publish again only if there is something new.
        let Some(poll) = scheduled.poll.as_mut().filter(|poll| has_news || !poll.published) else {
            return;
        };
        if scheduled.tracker.is_readable() {
            poll.published = true;
            // A poll that comes later than its next tick starts a new rhythm, or there would never
            // be time for details.
            if after(scheduled.due, period) <= now {
                scheduled.due = now;
            }
            // A poll with nothing left to request ends at once, and its end publishes all of this.
            if scheduled.tracker.ask().is_some() {
                self.events.extend(scheduled.told(now));
            }
        }
    }

    fn finish(&mut self, id: &TargetId, failure: Option<Failure>, now: Timestamp) {
        let Some(scheduled) = self.targets.get_mut(id) else {
            return debug_assert!(false, "the poll of {id:?} ends, and it is gone");
        };
        let phase = std::mem::replace(&mut scheduled.phase, Phase::Timer(now));
        let Some(poll) = scheduled.poll.take() else {
            return debug_assert!(false, "a poll of {id:?} ends that has not begun");
        };
        let failure = failure.or(poll.failure);
        let is_cut_off = failure.is_none() && scheduled.tracker.ask().is_some();
        scheduled.cut_short = is_cut_off && !poll.detailed;
        scheduled.failing = failure.as_ref().map(|failure| failure.reason);
        scheduled.is_overdue = false;
        if scheduled.tracker.has_open() {
            scheduled.last_open = now;
        }
        let is_refused = scheduled.failing == Some(Reason::Throttled);
        let due = scheduled.due;
        let told = scheduled.told(now);
        let lists = scheduled.tracker.list_state();
        let members = scheduled.members_ended(failure);
        self.leave(id, due, &phase);
        self.events.extend(told);
        let period = self.period(id);
        // Details that the next tick has cut off must not delay it.
        let earliest = if is_cut_off { now } else { after(now, period) };
        let next = Some(after(due, period)).filter(|next| *next > now).unwrap_or(earliest);
        let next = poll.rests_until.map_or(next, |until| next.max(until));
        // Refused before it has read anything: it keeps its place, or one refusal would cost it two
        // turns.
        let keeps_its_turn = is_refused && !poll.published;
        let next = if keeps_its_turn { now } else { next };
        if let Some(scheduled) = self.targets.get_mut(id) {
            scheduled.due = if keeps_its_turn { due } else { next };
            scheduled.phase = Phase::Timer(next);
            self.timers.insert((next, id.clone()));
        }
        let took = since(poll.started, now);
        // With small budgets a target's turn comes less often than its cadence says.
        let scheduled = self.targets.get(id);
        let rhythm = scheduled.and_then(|scheduled| scheduled.own_period()).unwrap_or(period);
        let stale_after = self.settings.stale_after.max(rhythm.max(took) * 3);
        let ended = |(target, failure)| Event::PollEnded {
            target,
            failure,
            lists,
            ended: now,
            took,
            next,
            stale_after,
        };
        self.events.extend(members.into_iter().map(ended));
    }

    /// Current time between two polls of a target.
    fn period(&self, id: &TargetId) -> Duration {
        self.targets
            .get(id)
            .map(|scheduled| scheduled.period(&self.settings, self.last_now))
            .unwrap_or_default()
    }

    fn wake_at(&mut self, now: Timestamp) -> Next {
        let timer = self.timers.first().map(|(time, _)| *time);
        // A budget without a time waits for the answer to a call in flight.
        let budget =
            self.queues.keys().filter_map(|key| self.rate_limiter.ready_at(key, now)).min();
        match timer.into_iter().chain(budget).chain(self.throttled.wake_at()).min() {
            Some(time) => Next::WakeAt(time),
            None => Next::Wait,
        }
    }

    /// If this machine's clock was set back, moves all planned times with it; otherwise nothing
    /// would happen for that long.
    fn notice_clock(&mut self, now: Timestamp) {
        let step = now.duration_since(self.last_now);
        self.throttled.notice_silence(self.last_now, now);
        self.last_now = now;
        if step > SignedDuration::from_secs(-2) {
            return;
        }
        self.rate_limiter.shift(step);
        self.throttled.shift(step);
        self.timers = std::mem::take(&mut self.timers)
            .into_iter()
            .map(|(time, id)| (later(time, step), id))
            .collect();
        for queue in self.queues.values_mut() {
            queue.shift(step);
        }
        for scheduled in self.targets.values_mut() {
            scheduled.shift(step);
        }
    }
}

/// Calls per minute of a budget that the targets need when all of them are idle.
fn idle_need(
    targets: &HashMap<TargetId, Box<ScheduledTarget>>,
    settings: &Poll,
    key: &BudgetKey,
    now: Timestamp,
) -> f64 {
    let period = settings.idle_interval;
    let of_scheduled = |scheduled: &ScheduledTarget| {
        let load = scheduled.load(now);
        let calls =
            planned_load::per_poll(&scheduled.target, &load, period, settings.history_interval);
        calls.filter(|(budget, _)| budget == key).map(|(_, calls)| calls).sum::<f64>()
    };
    targets.values().map(|scheduled| of_scheduled(scheduled)).sum::<f64>()
        * planned_load::per_minute(period)
}

/// What an outcome says about the cloud's limits.
fn heard(outcome: &Outcome) -> Heard {
    match error_of(outcome) {
        Some(error) if error.reason() == Reason::Throttled => {
            Heard::Refused { pause: error.pause(), code: error.code_or_status().into() }
        }
        // A gateway or a proxy may have answered before the call was counted.
        Some(Error::Status { .. }) => Heard::Nothing,
        Some(error) if !error.is_answer() => Heard::Nothing,
        _ => Heard::Passed,
    }
}

/// Pause that the cloud asks for because of a problem of its own. (While it throttles, the
/// operation rests.)
fn wanted_rest(error: &Error) -> Option<Duration> {
    error.pause().filter(|_| error.retry() == Retry::Backoff)
}

fn failure(operation: &Operation, error: &Error) -> Failure {
    Failure {
        reason: error.reason(),
        message: format!("{}: {error}", operation.name()),
        advice: error.advice(),
    }
}
