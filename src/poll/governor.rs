//! Budgets of calls per minute, pure.
//!
//! One budget per (quota group, region, product, operation), because that is how the cloud counts. In no window of a
//! minute, sliding or calendar, are more calls allowed than the budget says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{after, later};
use crate::aliyun::op::Product;
use crate::config::Quotas;
use crate::model::{BudgetState, Lowered, Resting};

/// The window that calls are counted in: a minute, and a second for what may pass between sending a call and the
/// cloud counting it.
pub(super) const WINDOW: SignedDuration = SignedDuration::from_secs(61);
/// No pause that the cloud asks for is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Of what has worked before the cloud refused, so much is asked for from then on: the rest is for the account's console
/// and other programs. It is the share of the published limits that the default budgets take, too.
const SHARE: f64 = 0.6;
/// One refusal, which others may have caused, never takes a larger budget below this. It is [`SHARE`] of the lowest limit
/// that was ever published, 10 per minute.
const CAUTIOUS: u32 = 6;
/// A learned budget is first raised a little after this time.
const FIRST_PROBE: Duration = Duration::from_secs(3600);
/// And at least this often, however often that was refused.
const LONGEST_PROBE: Duration = Duration::from_secs(24 * 3600);

/// What a budget is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey {
    /// One cloud account, whichever names it has in the configuration.
    pub group: Arc<str>,
    /// Region id.
    pub region: Arc<str>,
    /// Product.
    pub product: Product,
    /// Operation.
    pub operation: &'static str,
}

impl BudgetKey {
    /// Its label values: quota group, region, product, operation.
    pub fn labels(&self) -> [&str; 4] {
        [&self.group, &self.region, self.product.label(), self.operation]
    }
}

/// Every budget.
#[derive(Debug, Default)]
pub struct Governor {
    budgets: BTreeMap<BudgetKey, Budget>,
}

#[derive(Debug)]
struct Budget {
    /// Calls per minute that the user allows.
    quota: u32,
    /// What the cloud has taught.
    ceiling: Option<Ceiling>,
    taken: VecDeque<Timestamp>,
    refused: VecDeque<Timestamp>,
    paused_until: Option<Timestamp>,
    resting: Option<Timestamp>,
    lowered: Option<(Timestamp, u32)>,
}

/// A budget below the user's, learned from being refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Calls per minute.
    pub per_minute: u32,
    /// When a little more is tried.
    pub probe_at: Timestamp,
    /// Time between two tries; grows with each that is refused.
    pub probe_every: Duration,
}

impl Governor {
    /// Sets the budget of `key`, keeping what was already taken of it and what was learned.
    pub fn set(&mut self, key: BudgetKey, per_minute: u32) {
        self.budgets.entry(key).or_insert_with(Budget::new).quota = per_minute;
    }

    /// Gives back what was learned of `key` before a restart, if nothing was learned since.
    pub fn restore(&mut self, key: &BudgetKey, ceiling: Ceiling) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.ceiling.get_or_insert(ceiling);
        }
    }

    /// What was learned.
    pub fn ceilings(&self) -> impl Iterator<Item = (&BudgetKey, Ceiling)> {
        self.budgets.iter().filter_map(|(key, budget)| Some((key, budget.ceiling?)))
    }

    /// Forgets every budget that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&BudgetKey) -> bool) {
        self.budgets.retain(|key, _| keep(key));
    }

    /// Each budget with its calls per minute.
    pub fn quotas(&self) -> impl Iterator<Item = (&BudgetKey, u32)> {
        self.budgets.iter().map(|(key, budget)| (key, budget.per_minute()))
    }

    /// How each budget stands.
    pub fn states(&mut self, _now: Timestamp) -> Vec<(BudgetKey, BudgetState)> {
        self.budgets.iter().map(|(key, budget)| (key.clone(), budget.state())).collect()
    }

    /// How the budget of `key` stands.
    pub fn state(&self, key: &BudgetKey) -> Option<BudgetState> {
        self.budgets.get(key).map(Budget::state)
    }

    /// The cloud has answered a call of `key`.
    pub fn answered(&mut self, key: &BudgetKey) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.resting = None;
        }
    }

    /// When the next call of `key` is allowed; not after `now` means at once.
    pub fn ready_at(&self, key: &BudgetKey, now: Timestamp) -> Timestamp {
        self.blocked_until(key).unwrap_or(now)
    }

    /// Until when `key` was, or is, without a call to take.
    pub fn blocked_until(&self, key: &BudgetKey) -> Option<Timestamp> {
        self.budgets.get(key).and_then(Budget::blocked_until)
    }

    /// Takes one call out of the budget of `key`.
    pub fn take(&mut self, key: &BudgetKey, now: Timestamp) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.take(now);
        }
    }

    /// The cloud refused a call of `key`: it rests for `pause`, else until the next calendar minute, and asks for less from
    /// then on.
    pub fn throttled(&mut self, key: &BudgetKey, now: Timestamp, pause: Option<Duration>) {
        if let Some(budget) = self.budgets.get_mut(key) {
            budget.throttled(now, pause);
        }
    }

    /// Moves every time by `step`, after the clock of this machine was set back.
    pub fn shift(&mut self, step: SignedDuration) {
        self.budgets.values_mut().flat_map(Budget::times).for_each(|time| *time = later(*time, step));
    }
}

/// Calls per minute that a budget lets through in the long run: its window is a little longer than a minute.
pub fn sustained(per_minute: u32) -> f64 {
    f64::from(per_minute) * 60.0 / WINDOW.as_secs_f64()
}

/// How long `calls` take out of a fresh budget: as many as it allows at once, then as many again after each window.
pub fn time_for(calls: f64, per_minute: u32) -> Duration {
    let windows = ((calls.ceil() - 1.0).max(0.0) / f64::from(per_minute.max(1))).floor();
    Duration::from_secs_f64(windows * WINDOW.as_secs_f64())
}

/// Calls per minute that the user allows for an operation, else the product's default.
pub(super) fn quota(quotas: &Quotas, product: Product, operation: &str) -> u32 {
    let set = |operation: Option<&str>| quotas.get(&(product.label().to_owned(), operation.map(str::to_owned)));
    set(Some(operation)).or_else(|| set(None)).copied().unwrap_or_else(|| product.default_quota())
}

impl Budget {
    fn new() -> Self {
        Self {
            quota: 0,
            ceiling: None,
            taken: VecDeque::new(),
            refused: VecDeque::new(),
            paused_until: None,
            resting: None,
            lowered: None,
        }
    }

    fn state(&self) -> BudgetState {
        let code: Arc<str> = "Throttling.User".into();
        let resting = self.resting.zip(self.paused_until);
        let resting = resting.map(|(since, until)| Resting { since, until, code: Arc::clone(&code) });
        let lowered = self.ceiling.zip(self.lowered).map(|(ceiling, (since, refused_at))| Lowered {
            since,
            code,
            refused_at,
            retry_at: ceiling.probe_at,
        });
        BudgetState { configured: self.quota, in_force: self.per_minute(), resting, lowered }
    }

    fn per_minute(&self) -> u32 {
        self.ceiling.map_or(self.quota, |ceiling| ceiling.per_minute.min(self.quota))
    }

    fn blocked_until(&self) -> Option<Timestamp> {
        let oldest = self.taken.len().checked_sub(self.per_minute() as usize).and_then(|index| self.taken.get(index));
        oldest.map(|oldest| later(*oldest, WINDOW)).max(self.paused_until)
    }

    fn take(&mut self, now: Timestamp) {
        self.probe(now);
        self.taken.push_back(now);
        while self.taken.len() > self.quota as usize {
            self.taken.pop_front();
        }
    }

    fn throttled(&mut self, now: Timestamp, pause: Option<Duration>) {
        let next_minute = 60 - now.as_second().rem_euclid(60).unsigned_abs();
        let pause = pause.unwrap_or(Duration::from_secs(next_minute)).min(LONGEST_PAUSE);
        // Calls that were on their way together are refused together: they teach one lesson.
        let lesson = self.paused_until.is_none_or(|until| until <= now);
        self.paused_until = self.paused_until.max(Some(after(now, pause)));
        self.resting.get_or_insert(now);
        self.refused.push_back(now);
        self.refused.retain(|time| later(*time, WINDOW) > now);
        let sent = self.taken.iter().filter(|time| later(**time, WINDOW) > now).count();
        let worked = sent.saturating_sub(self.refused.len());
        let share = (worked as f64 * SHARE) as u32;
        let least = if self.per_minute() > CAUTIOUS { CAUTIOUS } else { 1 };
        let most = self.per_minute().saturating_sub(u32::from(lesson));
        let learned = share.min(most).max(least);
        let probe_every = match self.ceiling {
            Some(ceiling) if lesson => (ceiling.probe_every * 2).min(LONGEST_PROBE),
            Some(ceiling) => ceiling.probe_every,
            None => FIRST_PROBE,
        };
        self.lowered.get_or_insert((now, worked as u32));
        self.ceiling = Some(Ceiling { per_minute: learned, probe_at: after(now, probe_every), probe_every });
    }

    /// Once in a while, a little more is tried; what the user allows is never exceeded.
    fn probe(&mut self, now: Timestamp) {
        let Some(ceiling) = self.ceiling.as_mut().filter(|ceiling| ceiling.probe_at <= now) else { return };
        ceiling.per_minute += (ceiling.per_minute / 2).max(1);
        ceiling.probe_at = after(now, ceiling.probe_every);
        if ceiling.per_minute >= self.quota {
            self.ceiling = None;
        }
    }

    fn times(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        let probe = self.ceiling.as_mut().map(|ceiling| &mut ceiling.probe_at);
        self.taken.iter_mut().chain(&mut self.refused).chain(&mut self.paused_until).chain(probe)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::{BudgetKey, Governor};
    use crate::aliyun::op::Product;

    fn key() -> BudgetKey {
        BudgetKey { group: "g".into(), region: "r".into(), product: Product::Swas, operation: "ListInstances" }
    }

    fn governor(per_minute: u32) -> Governor {
        let mut governor = Governor::default();
        governor.set(key(), per_minute);
        governor
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn no_window_of_a_minute_holds_more_calls_than_the_budget() {
        let mut governor = governor(6);
        let mut calls = Vec::new();
        for second in 0..600 {
            while governor.ready_at(&key(), at(second)) <= at(second) {
                governor.take(&key(), at(second));
                calls.push(second);
            }
        }
        assert!((55..=60).contains(&calls.len()), "{}", calls.len());
        assert!(calls.windows(7).all(|seven| seven[6] - seven[0] > 60));
    }

    #[test]
    fn a_throttled_operation_rests_until_the_next_calendar_minute_or_as_told() {
        let mut governor = governor(100);
        let now = Timestamp::from_second(1_700_000_000 / 60 * 60 + 17).unwrap();
        governor.throttled(&key(), now, None);
        assert_eq!(governor.ready_at(&key(), now).duration_since(now), SignedDuration::from_secs(43));
        governor.throttled(&key(), now, Some(Duration::from_secs(90)));
        assert_eq!(governor.ready_at(&key(), now).duration_since(now), SignedDuration::from_secs(90));
    }

    /// Sends whatever is allowed, each second, against a cloud that lets `limit` calls through in a calendar minute, for
    /// `hours`. Calls that worked and calls that were refused, by hour.
    fn live(governor: &mut Governor, limit: usize, hours: i64) -> Vec<(usize, usize)> {
        let mut by_hour = vec![(0, 0); hours as usize];
        let mut minute = (0, 0);
        for second in 0..hours * 3600 {
            let (hour, now) = (&mut by_hour[(second / 3600) as usize], at(second));
            if minute.0 != now.as_second() / 60 {
                minute = (now.as_second() / 60, 0);
            }
            while governor.ready_at(&key(), now) <= now {
                governor.take(&key(), now);
                minute.1 += 1;
                if minute.1 > limit {
                    governor.throttled(&key(), now, None);
                    hour.1 += 1;
                } else {
                    hour.0 += 1;
                }
            }
        }
        by_hour
    }

    #[test]
    fn a_limit_below_the_budget_is_learned_and_leaves_room_for_others() {
        let mut governor = governor(600);
        let by_hour = live(&mut governor, 10, 24);
        assert!(by_hour[0].1 <= 3, "{by_hour:?}");
        assert!(by_hour.iter().map(|hour| hour.1).sum::<usize>() <= 9, "{by_hour:?}");
        assert!(by_hour[1..].iter().all(|hour| (3 * 60..=10 * 60).contains(&hour.0)), "{by_hour:?}");
    }

    #[test]
    fn a_limit_that_is_gone_is_found_out_in_time() {
        let mut governor = governor(20);
        live(&mut governor, 5, 1);
        let before = governor.quotas().next().unwrap().1;
        assert!(before < 5, "{before}");
        live(&mut governor, 1000, 24);
        assert_eq!((governor.quotas().next().unwrap().1, governor.ceilings().count()), (20, 0));
    }

    #[test]
    fn what_was_learned_outlives_the_governor() {
        let mut old = governor(600);
        live(&mut old, 10, 1);
        let (_, learned) = old.ceilings().next().unwrap();
        let mut new = governor(600);
        new.restore(&key(), learned);
        assert_eq!(new.quotas().next().unwrap().1, learned.per_minute);
        assert!(learned.per_minute <= 6);
    }

    #[test]
    fn a_new_budget_keeps_what_was_taken() {
        let mut governor = governor(1);
        governor.take(&key(), at(0));
        governor.set(key(), 1);
        assert!(governor.ready_at(&key(), at(1)) > at(1));
        governor.retain(|_| false);
        assert_eq!(governor.quotas().count(), 0);
    }
}
