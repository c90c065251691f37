//! ONE state machine over all targets: who is due, who may ask, what an answer leads to. No I/O, no clock.
//!
//! A target is waiting for its tick or for a retry (a timer), waiting for its budget (a queue), or being answered (in
//! flight). It has one call at a time, so a slow poll never stacks; those longest overdue are served first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::demand::{self, budget_key};
use super::governor::{BudgetKey, Ceiling, Governor};
use super::plan::{self, Memory, MemoryRef, Notice, Plan, Verdict};
use super::queue::{Pace, Queue};
use super::{after, later, since};
use crate::aliyun::op::{Answer, Operation};
use crate::aliyun::{Error, Retry};
use crate::config::{Config, Poll};
use crate::model::{Failure, Reading, Reason};
use crate::target::{Target, TargetId, targets};

/// A call that fails for a passing reason is attempted so many times in all.
const MAX_ATTEMPTS: u32 = 4;
/// A poll in which so many questions could not be answered ends: it is not the questions.
const MAX_FAILED_PARTS: u32 = 3;
/// The first retry waits up to this long, each further one up to twice as long.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// No retry waits longer.
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// First polls follow each other at this distance, all within one `interval`.
const SPREAD: Duration = Duration::from_millis(100);

/// All targets, and where each stands.
#[derive(Debug)]
pub struct Scheduler {
    settings: Poll,
    slots: HashMap<TargetId, Slot>,
    timers: BTreeSet<(Timestamp, TargetId)>,
    queues: BTreeMap<BudgetKey, Queue>,
    governor: Governor,
    in_flight: usize,
    tickets: u64,
    random: SmallRng,
    last_now: Timestamp,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Slot {
    target: Target,
    plan: Plan,
    /// The tick that the present or the next poll belongs to.
    due: Timestamp,
    /// When it last had open work.
    last_open: Timestamp,
    /// The reason of the last failure, while it fails.
    failing: Option<Reason>,
    /// The next tick came before the last poll had asked for any of its details.
    cut_short: bool,
    poll: Option<Polling>,
    phase: Phase,
}

/// A poll under way.
#[derive(Debug)]
struct Polling {
    started: Timestamp,
    /// Attempts of the present call.
    attempts: u32,
    /// Time spent in attempts and pauses, but not in waiting for budgets.
    spent: Duration,
    /// What went wrong with a part of it.
    failure: Option<Failure>,
    /// Questions that could not be answered.
    failed_parts: u32,
    published: bool,
    /// At least one of its details was asked for.
    detailed: bool,
}

#[derive(Debug)]
enum Phase {
    Timer(Timestamp),
    Queued { operation: Operation, key: BudgetKey, pace: Pace, since: Timestamp, until: Option<Timestamp> },
    InFlight { ticket: u64, sent: Timestamp },
}

/// One HTTP request to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// For whom.
    pub target: TargetId,
    /// Which account asks.
    pub account: Arc<str>,
    /// In which region.
    pub region: Arc<str>,
    /// What.
    pub operation: Operation,
    /// From which budget.
    pub key: BudgetKey,
    ticket: u64,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Make this attempt, then report it by [`Scheduler::done`].
    Call(Box<Attempt>),
    /// Nothing before this time.
    WakeAt(Timestamp),
    /// Nothing before an attempt under way is done.
    Wait,
}

/// What came of an attempt.
pub type Outcome = Result<Answer, Error>;

/// Something that others should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A followed thing ended or was lost, or a list was cut off.
    Notice(TargetId, Notice),
    /// What is now known of a target.
    Reading(TargetId, Reading, Timestamp),
    /// A poll has ended.
    PollEnded {
        /// Of which target.
        target: TargetId,
        /// Why it failed, if it did.
        failure: Option<Failure>,
        /// When it ended.
        ended: Timestamp,
        /// How long it took, waiting for budgets included.
        took: Duration,
        /// When the next one is planned.
        next: Timestamp,
        /// Age at which values are withdrawn.
        stale_after: Duration,
    },
    /// A call has waited for its budget.
    Waited(BudgetKey, Duration),
}

impl Scheduler {
    /// A scheduler without targets. `seed` spreads retries.
    pub fn new(settings: Poll, seed: u64, now: Timestamp) -> Self {
        Self {
            settings,
            slots: HashMap::new(),
            timers: BTreeSet::new(),
            queues: BTreeMap::new(),
            governor: Governor::default(),
            in_flight: 0,
            tickets: 0,
            random: SmallRng::seed_from_u64(seed),
            last_now: now,
            events: Vec::new(),
        }
    }

    /// Starts, changes and stops targets so that they are those of `config`. A changed target keeps what is known of it, a
    /// new one takes it from `restore`, a removed one leaves it to the caller.
    pub fn apply(
        &mut self,
        config: &Config,
        mut restore: impl FnMut(&TargetId) -> Option<Memory>,
        now: Timestamp,
    ) -> Vec<(TargetId, Memory)> {
        let same_settings = self.settings == config.poll;
        self.settings = config.poll.clone();
        let wanted = targets(config);
        self.budget(config, &wanted);
        let ids: BTreeSet<&TargetId> = wanted.iter().map(|target| &target.id).collect();
        let gone: Vec<TargetId> = self.slots.keys().filter(|id| !ids.contains(id)).cloned().collect();
        let removed: Vec<_> =
            gone.into_iter().filter_map(|id| Some((id.clone(), self.remove(&id)?.plan.into_memory()))).collect();
        let spread = spread(&self.settings, wanted.len());
        let soonest = after(now, self.settings.interval);
        let mut first = now;
        for target in wanted {
            let same_target = self.slots.get(&target.id).is_some_and(|slot| slot.target == target);
            if same_target && same_settings {
                continue;
            }
            match self.remove(&target.id) {
                Some(old) => {
                    // No later than the new settings say, should they be the quicker ones.
                    let due = if same_target { old.due.min(soonest) } else { now };
                    let failing = old.failing.filter(|_| same_target);
                    self.insert(target, Some(old.plan.into_memory()), due, (old.last_open, failing));
                }
                None => {
                    let memory = restore(&target.id);
                    self.insert(target, memory, first, (now, None));
                    first = after(first, spread);
                }
            }
        }
        removed
    }

    /// What to do now. Call it again until it is not [`Next::Call`].
    pub fn next(&mut self, now: Timestamp) -> Next {
        self.notice_clock(now);
        while let Some((time, id)) = self.timers.first().cloned().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, id.clone()));
            self.fire(&id, now);
        }
        if self.in_flight >= self.settings.concurrency {
            return Next::Wait;
        }
        let ready = |(key, queue): (&BudgetKey, &Queue)| {
            let (due, id) = queue.first(&self.settings, now)?;
            (self.governor.ready_at(key, now) <= now).then(|| (*due, id.clone()))
        };
        match self.queues.iter().filter_map(ready).min() {
            Some((_, id)) => self.send(&id, now),
            None => self.wake_at(now),
        }
    }

    /// Reports what came of an attempt.
    pub fn done(&mut self, attempt: &Attempt, outcome: Outcome, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Err(error) = &outcome
            && error.reason() == Reason::Throttled
        {
            self.governor.throttled(&attempt.key, now, error.pause());
        }
        let Some(slot) = self.slots.get_mut(&attempt.target) else { return };
        let Phase::InFlight { ticket, sent } = slot.phase else { return };
        let Some(poll) = slot.poll.as_mut().filter(|_| ticket == attempt.ticket) else { return };
        poll.spent += since(sent, now);
        poll.detailed |= slot.plan.is_readable();
        match outcome {
            Ok(answer) => {
                poll.attempts = 0;
                slot.plan.answer(answer, now);
                self.publish(&attempt.target, now);
                self.go_on(&attempt.target, now);
            }
            Err(error) => self.failed(attempt, &error, now),
        }
    }

    /// What has happened since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What is known of a target, to be saved.
    pub fn memory(&self, id: &TargetId) -> Option<MemoryRef<'_>> {
        self.slots.get(id).map(|slot| slot.plan.memory())
    }

    /// What is known of a target, to be shown.
    pub fn reading(&self, id: &TargetId) -> Option<Reading> {
        self.slots.get(id).map(|slot| slot.plan.reading())
    }

    /// Limits of the cloud that were learned.
    pub fn ceilings(&self) -> impl Iterator<Item = (&BudgetKey, Ceiling)> {
        self.governor.ceilings()
    }

    /// Gives back what was learned before a restart.
    pub fn restore_ceiling(&mut self, labels: [&str; 4], ceiling: Ceiling) {
        let key = self.governor.quotas().map(|(key, _)| key).find(|key| key.labels() == labels).cloned();
        key.iter().for_each(|key| self.governor.restore(key, ceiling));
    }

    /// Each budget with its calls per minute.
    pub fn quotas(&self) -> impl Iterator<Item = (&BudgetKey, u32)> {
        self.governor.quotas()
    }

    /// Calls per minute that the targets need at their present cadence, for each budget.
    pub fn planned(&self) -> BTreeMap<BudgetKey, f64> {
        let mut planned: BTreeMap<BudgetKey, f64> = self.quotas().map(|(key, _)| (key.clone(), 0.0)).collect();
        for slot in self.slots.values() {
            let period = self.period(slot);
            let calls = plan::per_poll(slot.target.id.kind, &slot.plan.load(), period, self.settings.history_interval);
            for (key, calls) in demand::by_budget(&slot.target, calls) {
                *planned.entry(key).or_default() += calls * demand::per_minute(period);
            }
        }
        planned
    }

    fn budget(&mut self, config: &Config, wanted: &[Target]) {
        let budgets = demand::budgets(config, wanted);
        self.governor.retain(|key| budgets.contains_key(key));
        budgets.into_iter().for_each(|(key, quota)| self.governor.set(key, quota));
    }

    fn insert(
        &mut self,
        target: Target,
        memory: Option<Memory>,
        due: Timestamp,
        (last_open, failing): (Timestamp, Option<Reason>),
    ) {
        let (id, plan) = (target.id.clone(), Plan::new(&target, &self.settings, memory));
        self.timers.insert((due, id.clone()));
        let phase = Phase::Timer(due);
        self.slots.insert(id, Slot { target, plan, due, last_open, failing, cut_short: false, poll: None, phase });
    }

    fn remove(&mut self, id: &TargetId) -> Option<Slot> {
        let slot = self.slots.remove(id)?;
        self.leave(id, slot.due, &slot.phase);
        Some(slot)
    }

    /// Takes a target out of the timers and queues that its phase has put it in.
    fn leave(&mut self, id: &TargetId, due: Timestamp, phase: &Phase) {
        match phase {
            Phase::Timer(time) => {
                self.timers.remove(&(*time, id.clone()));
            }
            Phase::Queued { key, pace, until, .. } => {
                if let Some(queue) = self.queues.get_mut(key) {
                    queue.remove(*pace, due, id);
                }
                self.queues.retain(|_, queue| !queue.is_empty());
                if let Some(until) = until {
                    self.timers.remove(&(*until, id.clone()));
                }
            }
            Phase::InFlight { .. } => {}
        }
    }

    /// A target's timer has run out: its tick has come, its retry is due, or its details have waited long enough.
    fn fire(&mut self, id: &TargetId, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        match (&slot.phase, &slot.poll) {
            (Phase::Timer(_), None) => {
                slot.plan.begin(now);
                slot.poll = Some(Polling::new(now));
                self.go_on(id, now);
            }
            (Phase::Timer(_), Some(_)) => self.go_on(id, now),
            (Phase::Queued { .. }, _) => self.finish(id, None, now),
            (Phase::InFlight { .. }, _) => {}
        }
    }

    /// Puts what the plan asks next into its queue, or ends the poll.
    fn go_on(&mut self, id: &TargetId, now: Timestamp) {
        let Some(pace) = self.slots.get(id).map(|slot| self.pace(slot)) else { return };
        let (period, limit) = (pace.period(&self.settings), self.settings.timeout * 3);
        let Some(slot) = self.slots.get_mut(id) else { return };
        let Some(poll) = &slot.poll else { return };
        let next_tick = after(slot.due, period).max(now);
        // Where lists and details share a budget, lists alone could use it up for ever.
        let is_patient = slot.cut_short && !poll.detailed && plan::operations(slot.target.id.kind).len() == 1;
        let is_over = next_tick <= now && poll.published && !is_patient;
        if slot.plan.is_readable() && (poll.spent >= limit || is_over) {
            return self.finish(id, None, now);
        }
        let Some(operation) = slot.plan.ask() else { return self.finish(id, None, now) };
        if poll.spent >= limit {
            let failure = failure(&operation, &Error::Timeout(limit));
            return self.finish(id, Some(failure), now);
        }
        let key = budget_key(&slot.target, operation.product(), operation.name());
        let until = (slot.plan.is_readable() && !is_patient).then_some(next_tick);
        self.timers.extend(until.map(|until| (until, id.clone())));
        self.queues.entry(key.clone()).or_default().insert(pace, slot.due, id.clone());
        slot.phase = Phase::Queued { operation, key, pace, since: now, until };
    }

    fn send(&mut self, id: &TargetId, now: Timestamp) -> Next {
        self.tickets += 1;
        let ticket = self.tickets;
        let Some(slot) = self.slots.get_mut(id) else { return Next::WakeAt(now) };
        let phase = std::mem::replace(&mut slot.phase, Phase::InFlight { ticket, sent: now });
        let due = slot.due;
        let (account, region) = (Arc::clone(&slot.target.account), Arc::clone(&slot.target.region));
        self.leave(id, due, &phase);
        let Phase::Queued { operation, key, pace, since: queued, .. } = phase else { return Next::WakeAt(now) };
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.served(pace);
        }
        let waited = self.governor.blocked_until(&key).map(|until| since(queued, until)).unwrap_or_default();
        if waited > Duration::ZERO {
            self.events.push(Event::Waited(key.clone(), waited));
        }
        self.governor.take(&key, now);
        self.in_flight += 1;
        Next::Call(Box::new(Attempt { target: id.clone(), account, region, operation, key, ticket }))
    }

    fn failed(&mut self, attempt: &Attempt, error: &Error, now: Timestamp) {
        let pause = self.pause(&attempt.target, error);
        let Some(slot) = self.slots.get_mut(&attempt.target) else { return };
        let Some(poll) = slot.poll.as_mut() else { return };
        if let Some(pause) = pause {
            poll.attempts += 1;
            poll.spent += pause;
            let time = after(now, pause);
            slot.phase = Phase::Timer(time);
            self.timers.insert((time, attempt.target.clone()));
            return;
        }
        poll.attempts = 0;
        let failure = failure(&attempt.operation, error);
        match slot.plan.fail(error) {
            Verdict::Stop => return self.finish(&attempt.target, Some(failure), now),
            Verdict::GoOnFailed => {
                poll.failed_parts += u32::from(error.is_of_one_question());
                if poll.failed_parts >= MAX_FAILED_PARTS {
                    return self.finish(&attempt.target, Some(failure), now);
                }
                poll.failure = Some(failure);
            }
            Verdict::GoOn => {}
        }
        self.publish(&attempt.target, now);
        self.go_on(&attempt.target, now);
    }

    /// How long to wait before the same call is attempted again in this poll, if it is.
    fn pause(&mut self, id: &TargetId, error: &Error) -> Option<Duration> {
        let poll = self.slots.get(id)?.poll.as_ref()?;
        let attempts = poll.attempts + 1;
        let again = match error.retry() {
            Retry::Never => false,
            Retry::Once => attempts < 2,
            Retry::Backoff => attempts < MAX_ATTEMPTS && poll.spent < self.settings.timeout * 3,
        };
        let longest = MAX_BACKOFF.min(FIRST_BACKOFF * 2u32.saturating_pow(attempts - 1));
        again.then(|| longest.mul_f64(self.random.random_range(0.0..1.0)))
    }

    /// Once a poll has read enough to be true, others may know at once; details follow.
    fn publish(&mut self, id: &TargetId, now: Timestamp) {
        let period = self.slots.get(id).map(|slot| self.period(slot)).unwrap_or_default();
        let Some(slot) = self.slots.get_mut(id) else { return };
        let Some(poll) = slot.poll.as_mut().filter(|poll| !poll.published) else { return };
        if slot.plan.is_readable() {
            poll.published = true;
            // A poll that comes later than its next tick begins a new rhythm, else there would never be time for details.
            if after(slot.due, period) <= now {
                slot.due = now;
            }
            let notices = slot.plan.notices().into_iter().map(|notice| Event::Notice(id.clone(), notice));
            self.events.extend(notices);
            self.events.push(Event::Reading(id.clone(), slot.plan.reading(), now));
        }
    }

    fn finish(&mut self, id: &TargetId, failure: Option<Failure>, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let phase = std::mem::replace(&mut slot.phase, Phase::Timer(now));
        let Some(poll) = slot.poll.take() else { return };
        let failure = failure.or(poll.failure);
        let is_cut_off = failure.is_none() && slot.plan.ask().is_some();
        slot.cut_short = is_cut_off && !poll.detailed;
        slot.failing = failure.as_ref().map(|failure| failure.reason);
        let notices: Vec<Notice> = slot.plan.notices();
        let reading = slot.plan.is_readable().then(|| slot.plan.reading());
        if slot.plan.has_open() {
            slot.last_open = now;
        }
        let due = slot.due;
        self.leave(id, due, &phase);
        self.events.extend(notices.into_iter().map(|notice| Event::Notice(id.clone(), notice)));
        self.events.extend(reading.map(|reading| Event::Reading(id.clone(), reading, now)));
        let period = self.slots.get(id).map(|slot| self.period(slot)).unwrap_or_default();
        // Details that the next tick has cut off must not delay it.
        let earliest = if is_cut_off { now } else { after(now, period) };
        let next = Some(after(due, period)).filter(|next| *next > now).unwrap_or(earliest);
        if let Some(slot) = self.slots.get_mut(id) {
            (slot.due, slot.phase) = (next, Phase::Timer(next));
            self.timers.insert((next, id.clone()));
        }
        let took = since(poll.started, now);
        // Where budgets are small, a target's turn comes more seldom than its cadence says.
        let stale_after = self.settings.stale_after.max(period.max(took) * 3);
        self.events.push(Event::PollEnded { target: id.clone(), failure, ended: now, took, next, stale_after });
    }

    /// Time between two polls of a target as it stands.
    fn period(&self, slot: &Slot) -> Duration {
        self.pace(slot).period(&self.settings)
    }

    /// How often a target is polled as it stands. One that cannot succeed until somebody changes something is asked as
    /// seldom as an idle one.
    fn pace(&self, slot: &Slot) -> Pace {
        let hopeless = matches!(slot.failing, Some(Reason::NotFound | Reason::Permission | Reason::Account));
        let idle = since(slot.last_open, self.last_now) >= self.settings.idle_after;
        match (hopeless, slot.plan.has_open(), idle) {
            (true, ..) | (false, false, true) => Pace::Idle,
            (false, true, _) => Pace::Active,
            (false, false, false) => Pace::Base,
        }
    }

    fn wake_at(&self, now: Timestamp) -> Next {
        let timer = self.timers.first().map(|(time, _)| *time);
        let budget = self.queues.keys().map(|key| self.governor.ready_at(key, now)).min();
        match timer.into_iter().chain(budget).min() {
            Some(time) => Next::WakeAt(time),
            None => Next::Wait,
        }
    }

    /// When this machine's clock was set back, all that is planned moves with it; else nothing would happen for as long.
    fn notice_clock(&mut self, now: Timestamp) {
        let step = now.duration_since(self.last_now);
        self.last_now = now;
        if step > SignedDuration::from_secs(-2) {
            return;
        }
        self.governor.shift(step);
        self.timers = std::mem::take(&mut self.timers).into_iter().map(|(time, id)| (later(time, step), id)).collect();
        self.queues.values_mut().for_each(|queue| queue.shift(step));
        self.slots.values_mut().for_each(|slot| slot.shift(step));
    }
}

impl Slot {
    fn shift(&mut self, step: SignedDuration) {
        self.plan.shift(step);
        let times = [&mut self.due, &mut self.last_open];
        times.into_iter().chain(self.poll.as_mut().map(|poll| &mut poll.started)).for_each(|t| *t = later(*t, step));
        match &mut self.phase {
            Phase::Timer(time) | Phase::InFlight { sent: time, .. } => *time = later(*time, step),
            Phase::Queued { since, until, .. } => {
                until.iter_mut().chain([since]).for_each(|time| *time = later(*time, step));
            }
        }
    }
}

impl Polling {
    fn new(started: Timestamp) -> Self {
        Self {
            started,
            attempts: 0,
            spent: Duration::ZERO,
            failure: None,
            failed_parts: 0,
            published: false,
            detailed: false,
        }
    }
}

/// Time between the first polls of two targets out of `targets`.
pub fn spread(settings: &Poll, targets: usize) -> Duration {
    SPREAD.min(settings.interval / u32::try_from(targets.max(1)).unwrap_or(u32::MAX))
}

fn failure(operation: &Operation, error: &Error) -> Failure {
    Failure { reason: error.reason(), message: format!("{}: {error}", operation.name()), advice: error.advice() }
}
