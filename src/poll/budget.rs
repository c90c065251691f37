//! One budget of calls per minute, and how it follows the cloud's unstated limit. Pure.
//!
//! docs/design.md has the arithmetic, and its results over simulated days.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::time::{after, later};
use crate::model::{BudgetState, Lowered, Resting};

/// Window in which calls are counted: a minute, plus a second for the time between sending a call
/// and the cloud counting it.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_secs(61);
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// Maximum rest after a refusal, even if the cloud asks for more.
const MAX_REST: Duration = Duration::from_secs(300);
/// A refusal lowers the budget to this fraction of the calls that got through.
const LOWERED: f64 = 0.6;
/// In [`CLIMB_MINUTES`] the budget climbs to this fraction of the calls that got through.
const REGAINED: f64 = 0.9;
/// Number of clean minutes in which a budget climbs from [`LOWERED`] to [`REGAINED`].
const CLIMB_MINUTES: u32 = 5;
/// A refusal teaches nothing if fewer calls got through than this fraction of the recent best:
/// others have used up the quota.
const LITTLE: f64 = 0.5;
/// Maximum age of the clean minutes that define the recent best.
const LATELY: SignedDuration = SignedDuration::from_secs(300);
/// How long a refused limit, or a lesson taken back, counts as recent.
const RECENTLY: SignedDuration = SignedDuration::from_secs(900);
/// Factor by which a probe exceeds what got through before.
const PROBE: f64 = 1.25;
/// Factor by which a probe grows after each minute in which it got through.
const PROBE_ON: f64 = 1.5;
/// If at least this fraction of a known limit gets through, it is the same limit, also used by
/// others or slightly moved. Below that a smaller, maybe temporary limit is learned beside it.
const SAME: f64 = 0.7;
/// Time to the first probe; each refused one doubles it.
const FIRST_PROBE: Duration = Duration::from_secs(300);
/// Maximum time between two probes, and the time without refusal after which a probe ends the
/// lesson.
const MAX_PROBE: Duration = Duration::from_secs(24 * 3600);
/// Maximum number of calls in flight beyond what has ever got through in a minute: all may be
/// refused.
const MAX_UNPROVEN: u32 = 2;

/// One budget of calls per minute.
#[derive(Debug)]
pub(super) struct Budget {
    /// Calls per minute that the user allows.
    configured: u32,
    /// Send times of the calls of the last [`WINDOW`], at most `configured`.
    sent: VecDeque<Timestamp>,
    /// Whether a call was ever sent.
    is_used: bool,
    /// When calls got through, in the last minute.
    passed: VecDeque<Timestamp>,
    in_flight: u32,
    /// Maximum number of calls that have got through in a minute.
    proven: u32,
    minute: Minute,
    /// Recent minutes in which calls got through and none was refused.
    clean: VecDeque<Minute>,
    rest: Option<Rest>,
    lesson: Option<Lesson>,
    /// When a lesson was last taken back.
    taken_back: Option<Timestamp>,
}

/// Outcomes of the calls of a calendar minute.
#[derive(Clone, Copy, Debug)]
struct Minute {
    start: Timestamp,
    passed: u32,
    refused: u32,
}

/// The cloud has refused a call, and no later one has been answered.
#[derive(Debug)]
struct Rest {
    since: Timestamp,
    until: Timestamp,
    code: Arc<str>,
    /// The one call that is tried after the rest.
    trial: Option<u64>,
    /// What this refusal has taught, if anything: taken back if nothing gets through.
    taught: Option<Taught>,
}

/// What a refusal has taught.
#[derive(Debug)]
struct Taught {
    /// The previous lesson.
    before: Option<Lesson>,
    /// Calls that had got through in the last 60 seconds.
    passed: u32,
    /// Number of refused trials that take the lesson back.
    trials: u32,
}

/// What refusals have taught so far.
#[derive(Clone, Debug)]
struct Lesson {
    since: Timestamp,
    code: Arc<str>,
    /// Rates that were refused, the smallest last. A smaller one is probed more often than a larger
    /// one.
    limits: Vec<Limit>,
    /// Calls per minute after the last refusal.
    base: u32,
    /// Minimum calls per minute, once one has got through.
    floor: u32,
    /// Clean minutes since then.
    clean_minutes: u32,
    /// Calls per minute now.
    per_minute: u32,
    /// When the current probe beyond the last limit began.
    probing: Option<Timestamp>,
}

/// A rate that was refused.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// Calls that got through in that minute.
    per_minute: u32,
    learned: Timestamp,
    probe_at: Timestamp,
    probe_every: Duration,
}

/// Outcome of a call, as far as a budget is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The cloud let it through.
    Passed,
    /// The cloud refused it.
    Refused {
        /// Pause that the cloud asks for.
        pause: Option<Duration>,
        /// Its `Code`, or the HTTP status.
        code: Arc<str>,
    },
    /// It is unknown whether the cloud counted it.
    Nothing,
}

/// What is kept across a restart: only a hint, which is corrected within minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The user's figure at that time; if it has changed, the hint is ignored.
    pub configured: u32,
    /// Maximum number of calls that have got through in a minute.
    pub proven: u32,
    /// What refusals have taught.
    pub lowered: Option<SavedLesson>,
}

/// Saved form of what refusals have taught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLesson {
    /// When the budget was first lowered.
    pub since: Timestamp,
    /// The cloud's `Code`, or the HTTP status.
    pub code: String,
    /// Calls that got through in the minute in which others were refused.
    pub refused_at: u32,
    /// When a higher rate is tried again.
    pub retry_at: Timestamp,
}

impl Budget {
    pub(super) fn new(configured: u32) -> Self {
        Self {
            configured,
            sent: VecDeque::new(),
            is_used: false,
            passed: VecDeque::new(),
            in_flight: 0,
            proven: 0,
            minute: Minute { start: Timestamp::UNIX_EPOCH, passed: 0, refused: 0 },
            clean: VecDeque::new(),
            rest: None,
            lesson: None,
            taken_back: None,
        }
    }

    /// Sets the user's figure. If it differs from the one before, the lesson is forgotten.
    pub(super) fn configure(&mut self, per_minute: u32) {
        if self.configured != per_minute {
            self.configured = per_minute;
            self.lesson = None;
        }
    }

    /// Calls per minute allowed now.
    pub(super) fn in_force(&self) -> u32 {
        self.lesson
            .as_ref()
            .map_or(self.configured, |lesson| lesson.per_minute.clamp(1, self.configured.max(1)))
    }

    /// Current state.
    pub(super) fn state(&self) -> BudgetState {
        let resting = self.rest.as_ref().map(|rest| Resting {
            since: rest.since,
            until: rest.until,
            code: Arc::clone(&rest.code),
        });
        let in_force = self.in_force();
        let lesson = self.lesson.as_ref().filter(|_| in_force < self.configured);
        let lowered = lesson.zip(self.limit()).map(|(lesson, limit)| Lowered {
            since: lesson.since,
            code: Arc::clone(&lesson.code),
            refused_at: limit.per_minute,
            retry_at: lesson.probing.unwrap_or(limit.probe_at),
        });
        BudgetState { configured: self.configured, in_force, resting, lowered }
    }

    /// What to keep across a restart: nothing that may still be taken back.
    pub(super) fn hint(&self) -> Hint {
        let taught = self.rest.as_ref().and_then(|rest| rest.taught.as_ref());
        let lesson = match taught {
            Some(taught) => taught.before.as_ref(),
            None => self.lesson.as_ref(),
        };
        let lowered = lesson.and_then(|lesson| {
            let limit = lesson.limits.last()?;
            Some(SavedLesson {
                since: lesson.since,
                code: lesson.code.to_string(),
                refused_at: limit.per_minute,
                retry_at: lesson.probing.unwrap_or(limit.probe_at),
            })
        });
        Hint { configured: self.configured, proven: self.proven, lowered }
    }

    /// Restores what was known before a restart, unless the budget is already in use.
    pub(super) fn restore(&mut self, hint: &Hint, now: Timestamp) {
        if self.is_used || hint.configured != self.configured {
            return;
        }
        self.proven = self.proven.max(hint.proven);
        let Some(saved) = &hint.lowered else { return };
        let per_minute = saved.refused_at.clamp(1, self.configured.max(1));
        let regained = share(per_minute, REGAINED);
        let mut limit = Limit::new(per_minute, now);
        // Keep an earlier saved probe time: a program that is restarted often would never probe.
        limit.probe_at = limit.probe_at.min(saved.retry_at);
        self.lesson = Some(Lesson {
            since: saved.since.min(now),
            code: saved.code.as_str().into(),
            limits: vec![limit],
            base: regained,
            floor: 1,
            clean_minutes: CLIMB_MINUTES,
            per_minute: regained,
            probing: None,
        });
    }

    /// When the next call is allowed; a time not after `now` means at once. `None`: only after a
    /// call in flight is answered.
    pub(super) fn ready_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.advance(now);
        let is_trying = self.rest.as_ref().is_some_and(|rest| rest.trial.is_some());
        // Calls beyond a rate that got through may all be refused.
        let (rate, most) =
            self.limit().map_or((self.proven, MAX_UNPROVEN), |limit| (limit.per_minute, 1));
        let is_full = self.in_flight >= most && self.has_sent_in_a_minute(rate, now);
        if is_trying || is_full {
            return None;
        }
        Some(self.blocked_until().unwrap_or(now))
    }

    /// Whether at least `calls` were sent in the last minute.
    fn has_sent_in_a_minute(&self, calls: u32, now: Timestamp) -> bool {
        let first = self
            .sent
            .len()
            .checked_sub(calls.max(1) as usize)
            .and_then(|index| self.sent.get(index));
        first.is_some_and(|first| later(*first, WINDOW) > now)
    }

    /// When a call becomes, or became, available again.
    pub(super) fn blocked_until(&self) -> Option<Timestamp> {
        // The trial is a single call, due when the rest is over.
        let in_force = if self.rest.is_some() { self.configured } else { self.in_force() };
        let full =
            self.sent.len().checked_sub(in_force as usize).and_then(|index| self.sent.get(index));
        let full = full.map(|oldest| later(*oldest, WINDOW));
        // Programs that share a limit share it evenly only if none takes its part in one burst.
        let even = self.lesson.as_ref().filter(|_| self.rest.is_none()).and(self.sent.back());
        let even = even.map(|last| after(*last, Duration::from_secs(60) / in_force));
        full.max(even).max(self.rest.as_ref().map(|rest| rest.until))
    }

    /// Whether a call was sent in the last minute.
    pub(super) fn was_used_lately(&self, now: Timestamp) -> bool {
        self.sent.back().is_some_and(|last| later(*last, WINDOW) > now)
    }

    /// Takes one call, identified by its `ticket`.
    pub(super) fn take(&mut self, ticket: u64, now: Timestamp) {
        self.in_flight += 1;
        self.is_used = true;
        self.sent.push_back(now);
        while self.sent.len() > self.configured as usize
            || self.sent.front().is_some_and(|oldest| later(*oldest, WINDOW) <= now)
        {
            self.sent.pop_front();
        }
        if let Some(rest) = &mut self.rest {
            rest.trial = Some(ticket);
        }
    }

    /// Handles the outcome of a call. `idle_need` returns how many calls per minute the plan needs
    /// when all targets are idle.
    pub(super) fn heard(
        &mut self,
        ticket: u64,
        heard: Heard,
        now: Timestamp,
        idle_need: impl FnOnce() -> f64,
    ) {
        self.advance(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        let is_trial = self.rest.as_ref().is_some_and(|rest| rest.trial == Some(ticket));
        match heard {
            Heard::Passed => {
                self.minute.passed += 1;
                self.passed.push_back(now);
                if is_trial {
                    self.rest = None;
                    if let Some(lesson) = &mut self.lesson {
                        lesson.base = lesson.base.max(lesson.floor);
                        lesson.per_minute = lesson.per_minute.max(lesson.base);
                    }
                }
            }
            Heard::Refused { pause, code } => self.refused(is_trial, pause, code, now, idle_need),
            // Whatever failed, it was not a limit.
            Heard::Nothing if is_trial => self.rest = None,
            Heard::Nothing => {}
        }
    }

    fn refused(
        &mut self,
        is_trial: bool,
        pause: Option<Duration>,
        code: Arc<str>,
        now: Timestamp,
        idle_need: impl FnOnce() -> f64,
    ) {
        self.minute.refused += 1;
        let until = pause
            .map_or_else(|| later(minute(now), MINUTE), |pause| after(now, pause.min(MAX_REST)));
        if let Some(rest) = &mut self.rest {
            rest.until = rest.until.max(until);
            // Calls in flight together are refused together: they teach one lesson.
            if is_trial {
                rest.trial = None;
                rest.code = code;
                self.take_back(now);
            }
            return;
        }
        let passed = self.passed_in_a_minute(now);
        let lately = self.clean.iter().map(|minute| minute.passed).max().unwrap_or(0);
        let is_lesson = passed > 0 && f64::from(passed) >= f64::from(lately) * LITTLE;
        // Two programs that burst in turns would keep taking their lessons back.
        let again = self.taken_back.is_some_and(|time| later(time, RECENTLY) > now);
        let trials = if again { 2 } else { 1 };
        let taught = is_lesson.then(|| Taught { before: self.lesson.clone(), passed, trials });
        self.rest = Some(Rest { since: now, until, code: Arc::clone(&code), trial: None, taught });
        if is_lesson {
            self.learn(passed, code, now, idle_need());
        }
    }

    /// Handles a refused trial. If fewer calls got through in the last minute than the lesson says,
    /// the limit was not ours.
    fn take_back(&mut self, now: Timestamp) {
        let passed = self.passed_in_a_minute(now);
        let Some(taught) = self.rest.as_mut().and_then(|rest| rest.taught.as_mut()) else { return };
        if passed >= taught.passed {
            return;
        }
        taught.trials -= 1;
        if taught.trials == 0 {
            self.lesson = taught.before.take();
            self.taken_back = Some(now);
            if let Some(rest) = &mut self.rest {
                rest.taught = None;
            }
        }
    }

    /// Calls that got through in the last 60 seconds.
    fn passed_in_a_minute(&self, now: Timestamp) -> u32 {
        self.passed.iter().filter(|time| later(**time, MINUTE) > now).count() as u32
    }

    /// Learns that the cloud let `passed` calls through in a minute, and refused more.
    fn learn(&mut self, passed: u32, code: Arc<str>, now: Timestamp, idle_need: f64) {
        let in_force = self.in_force();
        let fresh = || Lesson {
            since: now,
            code: Arc::clone(&code),
            limits: Vec::new(),
            base: in_force,
            floor: 1,
            clean_minutes: 0,
            per_minute: in_force,
            probing: None,
        };
        let lesson = self.lesson.get_or_insert_with(fresh);
        let idle_need = (idle_need.ceil() as u32).min(in_force);
        // A limit that was learned recently, or is below what is needed, is known to be that low.
        let is_known =
            |limit: &Limit| limit.per_minute <= idle_need || later(limit.learned, RECENTLY) > now;
        lesson.floor = if lesson.limits.last().is_some_and(is_known) { 1 } else { idle_need };
        let mut passed = passed;
        match lesson.limits.last_mut() {
            Some(limit) if lesson.probing.is_some() => {
                limit.probe_every = (limit.probe_every * 2).min(MAX_PROBE);
                limit.probe_at = after(now, limit.probe_every);
                passed = passed.min(limit.per_minute);
            }
            // Others may have started to use it, too: that is the limit now.
            Some(limit) if f64::from(passed) >= f64::from(limit.per_minute) * SAME => {
                limit.per_minute = limit.per_minute.min(passed);
                limit.learned = now;
            }
            _ => lesson.limits.push(Limit::new(passed, now)),
        }
        lesson.merge();
        lesson.code = code;
        lesson.base = share(passed, LOWERED);
        lesson.per_minute = lesson.base;
        lesson.clean_minutes = 0;
        lesson.probing = None;
    }

    /// Counts completed minutes, and starts a probe that is due.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let start = minute(now);
        if start != self.minute.start {
            let over = std::mem::replace(&mut self.minute, Minute { start, passed: 0, refused: 0 });
            self.clean.retain(|minute| later(minute.start, LATELY) >= start);
            self.passed.retain(|time| later(*time, WINDOW) > now);
            if over.passed > 0 && over.refused == 0 {
                self.clean.push_back(over);
                self.proven = self.proven.max(over.passed);
                if let Some(lesson) = self.lesson.as_mut().filter(|_| self.rest.is_none()) {
                    lesson.clean_minute(over.passed, now);
                }
            }
        }
        if self.rest.is_none()
            && let Some(lesson) = &mut self.lesson
        {
            lesson.probe(now);
            // No call was refused in all that time, and no more were needed.
            if lesson.probing.is_some_and(|since| after(since, MAX_PROBE) <= now) {
                lesson.per_minute = self.configured;
            }
        }
    }

    fn limit(&self) -> Option<&Limit> {
        self.lesson.as_ref().and_then(|lesson| lesson.limits.last())
    }

    /// Moves every time by `step`, after this machine's clock was set back.
    pub(super) fn shift(&mut self, step: SignedDuration) {
        self.minute.start = later(self.minute.start, step);
        let minutes = self.clean.iter_mut().map(|minute| &mut minute.start);
        let times = self.sent.iter_mut().chain(&mut self.passed).chain(minutes);
        for time in times {
            *time = later(*time, step);
        }
        if let Some(time) = &mut self.taken_back {
            *time = later(*time, step);
        }
        if let Some(rest) = &mut self.rest {
            rest.until = later(rest.until, step);
            rest.since = later(rest.since, step);
            if let Some(lesson) = rest.taught.as_mut().and_then(|taught| taught.before.as_mut()) {
                lesson.shift(step);
            }
        }
        if let Some(lesson) = &mut self.lesson {
            lesson.shift(step);
        }
    }
}

impl Lesson {
    /// Counts a minute in which `passed` calls got through and none was refused.
    fn clean_minute(&mut self, passed: u32, now: Timestamp) {
        self.clean_minutes += 1;
        let ceiling = self.ceiling();
        let Some(limit) = self.limits.last_mut() else { return };
        let has_grown = passed > limit.per_minute;
        limit.per_minute = limit.per_minute.max(passed);
        if self.probing.is_none() {
            let regained = share(limit.per_minute, REGAINED);
            let climbed = f64::from(regained.saturating_sub(self.base))
                * f64::from(self.clean_minutes.min(CLIMB_MINUTES));
            self.per_minute = self.base + (climbed / f64::from(CLIMB_MINUTES)) as u32;
        } else if has_grown {
            self.per_minute = self.per_minute.max(more(passed, PROBE_ON));
        }
        let Some(ceiling) = ceiling else { return };
        self.per_minute = self.per_minute.min(ceiling);
        if f64::from(passed) >= f64::from(ceiling) * REGAINED {
            self.limits.pop();
            self.probing = None;
            self.base = ceiling;
            self.per_minute = ceiling;
            if let Some(limit) = self.limits.last_mut() {
                limit.probe_at = limit.probe_at.max(after(now, FIRST_PROBE));
            }
        }
    }

    /// The regained rate of the next larger limit; at that rate the last limit is passed.
    fn ceiling(&self) -> Option<u32> {
        let before = self.limits.len().checked_sub(2).and_then(|index| self.limits.get(index));
        before.map(|limit| share(limit.per_minute, REGAINED))
    }

    /// Starts a probe beyond the last limit, if one is due.
    fn probe(&mut self, now: Timestamp) {
        let ceiling = self.ceiling().unwrap_or(u32::MAX);
        let Some(limit) = self.limits.last().filter(|limit| limit.probe_at <= now) else { return };
        if self.probing.is_none() {
            self.probing = Some(now);
            self.per_minute = more(limit.per_minute, PROBE).min(ceiling).max(self.per_minute);
        }
    }

    /// Drops the limits that the last one replaces: those that are not larger, or were not tried
    /// for longer.
    fn merge(&mut self) {
        let Some(last) = self.limits.pop() else { return };
        self.limits.retain(|limit| {
            limit.per_minute > last.per_minute && limit.probe_every > last.probe_every
        });
        self.limits.push(last);
    }

    fn shift(&mut self, step: SignedDuration) {
        let limits =
            self.limits.iter_mut().flat_map(|limit| [&mut limit.learned, &mut limit.probe_at]);
        let times = limits.chain([&mut self.since]).chain(&mut self.probing);
        for time in times {
            *time = later(*time, step);
        }
    }
}

impl Limit {
    fn new(per_minute: u32, now: Timestamp) -> Self {
        Self {
            per_minute,
            learned: now,
            probe_at: after(now, FIRST_PROBE),
            probe_every: FIRST_PROBE,
        }
    }
}

/// A fraction of `per_minute`, at least 1.
fn share(per_minute: u32, part: f64) -> u32 {
    ((f64::from(per_minute) * part) as u32).max(1)
}

/// Calls per minute times `factor`, at least one more.
fn more(per_minute: u32, factor: f64) -> u32 {
    ((f64::from(per_minute) * factor) as u32).max(per_minute.saturating_add(1))
}

/// Start of the calendar minute of `time`.
fn minute(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}

#[cfg(test)]
mod tests;
