//! What is known about the invocations of each command name of a server, whether or not the window
//! still holds them: how the newest ended one went, and how regularly they are created.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::model::{Invocation, InvocationResult, InvocationStatus, Job, LastInvocation};

/// Maximum number of command names remembered for a server; the oldest go first.
pub const MAX_NAMES: usize = 50;

/// Maximum number of invocations of a name, the newest ones, that determine its interval.
const MAX_INVOCATIONS: usize = 8;
/// Minimum number of invocations that determine an interval.
const MIN_INVOCATIONS: usize = 4;

/// What is known about a server's command names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Jobs {
    names: BTreeMap<SmolStr, Past>,
    /// What is shown for each name, since the last invocation was recorded.
    #[serde(skip)]
    shown: OnceLock<Arc<Vec<Job>>>,
}

/// An invocation, as far as known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting<'a> {
    pub(super) invocation: &'a Invocation,
    pub(super) result: Option<&'a InvocationResult>,
    /// When it was created, or the nearest known time.
    pub(super) at: Timestamp,
}

/// The invocations of one name so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Past {
    /// Its newest invocations, oldest first.
    created: Vec<Created>,
    last: Option<Ended>,
    /// When the newest successful run ended.
    succeeded: Option<Timestamp>,
}

/// Creation time of an invocation, in seconds since 1970, and a hash of its id, so that it is
/// counted once. Eight bytes, since a server has up to 400 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Created(u32, u32);

/// The newest ended invocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ended {
    at: Timestamp,
    id: SmolStr,
    invocation: LastInvocation,
}

impl Jobs {
    /// Records invocations, in any order and however often they were seen. Returns whether a last
    /// one is older than it seemed: then another one, seen before, may be the last.
    pub(super) fn see<'a>(
        &mut self,
        invocations: impl Iterator<Item = Sighting<'a>> + Clone,
    ) -> bool {
        let mut is_older = false;
        // A result may show that the current last invocation is older than it seemed: its time is
        // corrected before others are compared.
        for invocation in invocations.clone().filter(|invocation| !invocation.invocation.is_open())
        {
            if let Some(past) = self.names.get_mut(&invocation.invocation.command_name) {
                is_older |= past.learn(invocation);
            }
        }
        for invocation in invocations {
            self.shown.take();
            self.names
                .entry(invocation.invocation.command_name.clone())
                .or_default()
                .see(invocation);
        }
        self.forget();
        is_older
    }

    fn forget(&mut self) {
        while self.names.len() > MAX_NAMES {
            let oldest = self.names.iter().min_by_key(|(_, past)| past.newest());
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { return };
            self.names.remove(&name);
        }
    }

    /// What is shown for each name, by name. Readings share it until another invocation is
    /// recorded.
    pub(super) fn shown(&self) -> Arc<Vec<Job>> {
        let shown = || self.names.iter().map(|(name, past)| past.shown(name)).collect();
        Arc::clone(self.shown.get_or_init(|| Arc::new(shown())))
    }
}

impl Past {
    /// Records the result of an invocation, if it is the current last one. Returns whether that is
    /// older than it seemed.
    fn learn(&mut self, invocation: Sighting<'_>) -> bool {
        let id = &invocation.invocation.id;
        let Some(last) = self.last.as_mut().filter(|last| last.id == *id) else { return false };
        let seemed = last.at;
        last.learn(Ended::of(invocation));
        last.at < seemed
    }

    fn see(&mut self, invocation: Sighting<'_>) {
        self.count(invocation.invocation);
        if invocation.invocation.is_open() {
            return;
        }
        let ended = Ended::of(invocation);
        if invocation.result.is_some() && ended.invocation.status == InvocationStatus::Success {
            self.succeeded = self.succeeded.max(ended.invocation.finished);
        }
        match &self.last {
            Some(last) if last.id == ended.id || last.order() > ended.order() => {}
            _ => self.last = Some(ended),
        }
    }

    /// Keeps the newest of all that were seen, in whatever order they came.
    fn count(&mut self, invocation: &Invocation) {
        let Some(created) = Created::of(invocation) else { return };
        if self.created.iter().any(|known| known.1 == created.1) {
            return;
        }
        let place = self.created.partition_point(|known| *known < created);
        if self.created.len() < MAX_INVOCATIONS {
            self.created.insert(place, created);
        } else if place > 0 {
            self.created[..place].rotate_left(1);
            self.created[place - 1] = created;
        }
    }

    fn newest(&self) -> Option<Timestamp> {
        self.newest_created().max(self.last.as_ref().map(|last| last.at))
    }

    fn newest_created(&self) -> Option<Timestamp> {
        self.created
            .last()
            .and_then(|Created(second, _)| Timestamp::from_second(i64::from(*second)).ok())
    }

    fn shown(&self, name: &SmolStr) -> Job {
        Job {
            name: name.clone(),
            last: self.last.as_ref().map(|last| last.invocation.clone()),
            succeeded: self.succeeded,
            created: self.newest_created(),
            interval: interval(&self.created),
        }
    }
}

impl Created {
    /// A time that does not fit into `u32` seconds is ignored.
    fn of(invocation: &Invocation) -> Option<Self> {
        let second = u32::try_from(invocation.created?.as_second()).ok()?;
        Some(Self(second, hash(&invocation.id)))
    }
}

/// FNV-1a: it is saved, so it must be the same in every version.
fn hash(id: &str) -> u32 {
    id.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Ended {
    fn of(invocation: Sighting<'_>) -> Self {
        let Sighting { invocation, result, at } = invocation;
        let last = LastInvocation {
            status: invocation.status.clone(),
            exit_code: result.and_then(|result| result.exit_code),
            finished: result.map(|result| result.finished.unwrap_or(at)),
        };
        Self { at, id: invocation.id.clone(), invocation: last }
    }

    /// Larger is newer. Invocations of the same second are ordered by their ids: arbitrary, but
    /// always the same.
    fn order(&self) -> (Timestamp, &str) {
        (self.at, &self.id)
    }

    /// Merges another sighting of the same invocation: what is known is never lost, and if its time
    /// is only guessed, the earliest is the best.
    fn learn(&mut self, again: Self) {
        self.at = self.at.min(again.at);
        self.invocation.status = again.invocation.status;
        self.invocation.exit_code = again.invocation.exit_code.or(self.invocation.exit_code);
        self.invocation.finished = again.invocation.finished.or(self.invocation.finished);
    }
}

/// Median gap between invocations, the oldest first; `None` if there are too few, or if they are
/// too irregular to expect a next one.
fn interval(created: &[Created]) -> Option<Duration> {
    if created.len() < MIN_INVOCATIONS {
        return None;
    }
    let mut gaps: Vec<u64> =
        created.windows(2).map(|pair| u64::from(pair[1].0 - pair[0].0)).collect();
    gaps.sort_unstable();
    let middle = gaps.len() / 2;
    let twice_the_median = gaps[middle] + gaps[gaps.len() - 1 - middle];
    let largest = gaps[gaps.len() - 1];
    (twice_the_median > 0 && 4 * largest <= 3 * twice_the_median)
        .then(|| Duration::from_millis(500 * twice_the_median))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::rngs::SmallRng;
    use rand::seq::SliceRandom;
    use rand::{RngExt, SeedableRng};

    use super::{Jobs, MAX_NAMES, Sighting};
    use crate::model::{Invocation, InvocationResult, InvocationStatus, Job, LastInvocation};
    use crate::poll::tracker::samples::{at, invocation};
    use InvocationStatus::{Failed, Running, Success, Timeout};

    fn result(
        status: InvocationStatus,
        exit_code: Option<i64>,
        finished: Option<i64>,
    ) -> InvocationResult {
        InvocationResult {
            status,
            record: None,
            exit_code,
            error: None,
            error_text: None,
            started: None,
            finished: finished.map(at),
        }
    }

    fn see(jobs: &mut Jobs, invocation: &Invocation, result: Option<&InvocationResult>) {
        jobs.see(std::iter::once(Sighting {
            invocation,
            result,
            at: invocation.created.unwrap_or(at(999_999)),
        }));
    }

    fn shown(jobs: &Jobs, name: &str) -> Option<Job> {
        jobs.shown().iter().find(|job| job.name == name).cloned()
    }

    fn backup(jobs: &Jobs) -> Job {
        shown(jobs, "backup").unwrap()
    }

    /// What is known after runs at these times.
    fn after(times: &[i64]) -> Job {
        let mut jobs = Jobs::default();
        for (number, time) in times.iter().enumerate() {
            see(&mut jobs, &invocation(&format!("r{number}"), Running, *time), None);
        }
        backup(&jobs)
    }

    #[test]
    fn the_interval_is_the_median_gap_of_the_newest_eight_runs_if_there_are_four_and_they_are_regular()
     {
        let seconds = |times: &[i64]| after(times).interval.map(|interval| interval.as_secs_f64());
        assert_eq!(seconds(&[0, 100, 200]), None, "three runs");
        assert_eq!(seconds(&[0, 100, 200, 300]), Some(100.0));
        assert_eq!(
            seconds(&[0, 100, 201, 301, 402]),
            Some(100.5),
            "between the two gaps in the middle"
        );
        assert_eq!(seconds(&[0, 100, 200, 350]), Some(100.0), "half as much again");
        assert_eq!(seconds(&[0, 100, 200, 351]), None, "one second more");
        let late = [0, 500, 600, 700, 800, 900, 1000, 1100, 1200];
        assert_eq!(
            (seconds(&late[..8]), seconds(&late)),
            (None, Some(100.0)),
            "the odd gap has left"
        );
        assert_eq!(seconds(&[7, 7, 7, 7, 7]), None, "all at once");
        assert_eq!(seconds(&[-1_800_000_000, 0, 100, 200]), None, "before 1970 is no time");
    }

    #[test]
    fn runs_seen_again_and_in_any_order_come_to_the_same() {
        let mut random = SmallRng::seed_from_u64(1);
        for _ in 0..200 {
            let status = [Success, Failed, Running, Timeout];
            let invocations: Vec<Invocation> = (0..random.random_range(1..30))
                .map(|number| {
                    let created = random.random_range(0..20) * 60;
                    invocation(
                        &format!("r{number}"),
                        status[random.random_range(0..4)].clone(),
                        created,
                    )
                })
                .collect();
            let told = |invocations: &[Invocation]| {
                let mut jobs = Jobs::default();
                for invocation in invocations {
                    see(&mut jobs, invocation, None);
                }
                backup(&jobs)
            };
            let mut shuffled = [invocations.clone(), invocations.clone()].concat();
            shuffled.shuffle(&mut random);
            assert_eq!(told(&shuffled), told(&invocations));
        }
    }

    #[test]
    fn the_last_run_is_the_newest_that_has_ended_and_its_code_is_absent_until_it_is_known() {
        let mut jobs = Jobs::default();
        let old = invocation("old", Success, 0);
        let new = invocation("new", Timeout, 100);
        see(&mut jobs, &old, Some(&result(Success, Some(0), Some(9))));
        see(&mut jobs, &invocation("new", Running, 100), None);
        let last = |status, exit_code, finished: Option<i64>| {
            Some(LastInvocation { status, exit_code, finished: finished.map(at) })
        };
        assert_eq!(
            (backup(&jobs).last, backup(&jobs).created),
            (last(Success, Some(0), Some(9)), Some(at(100)))
        );
        see(&mut jobs, &new, None);
        assert_eq!(
            backup(&jobs).last,
            last(Timeout, None, None),
            "the list says it before the result does"
        );
        see(&mut jobs, &old, Some(&result(Success, Some(0), Some(9))));
        assert_eq!(backup(&jobs).last, last(Timeout, None, None));
        see(&mut jobs, &new, Some(&result(Timeout, None, Some(130))));
        see(&mut jobs, &new, None);
        assert_eq!(
            backup(&jobs).last,
            last(Timeout, None, Some(130)),
            "what is known is not forgotten"
        );
        assert_eq!(backup(&jobs).succeeded, Some(at(9)));
    }

    #[test]
    fn of_runs_created_in_the_same_second_it_is_always_the_same_one() {
        for order in [["a", "b"], ["b", "a"]] {
            let mut jobs = Jobs::default();
            for id in order {
                see(&mut jobs, &invocation(id, if id == "a" { Failed } else { Success }, 0), None);
            }
            assert_eq!(backup(&jobs).last.unwrap().status, Success, "{order:?}");
        }
    }

    #[test]
    fn a_run_whose_age_is_only_guessed_gives_way_once_its_result_tells_it() {
        let mut jobs = Jobs::default();
        let dateless = Invocation { created: None, ..invocation("dateless", Failed, 0) };
        let dated = invocation("dated", Success, 50);
        let told = result(Failed, Some(1), Some(9));
        let guess = Sighting { invocation: &dateless, result: None, at: at(100) };
        let other = Sighting { invocation: &dated, result: None, at: at(50) };
        jobs.see([other, guess].into_iter());
        assert_eq!(backup(&jobs).last.unwrap().status, Failed);
        let known = Sighting { result: Some(&told), at: at(9), ..guess };
        for order in [[other, known], [known, other]] {
            let mut jobs = jobs.clone();
            jobs.see(order.into_iter());
            assert_eq!(backup(&jobs).last.unwrap().status, Success);
        }
    }

    #[test]
    fn of_too_many_names_the_oldest_go_first_and_open_runs_count() {
        let mut jobs = Jobs::default();
        let count = MAX_NAMES as i64 + 3;
        let invocations: Vec<Invocation> = (0..count)
            .map(|number| {
                let status = if number % 2 == 0 { Running } else { Success };
                Invocation {
                    command_name: format!("n{number}").into(),
                    ..invocation("r", status, count - number)
                }
            })
            .collect();
        jobs.see(invocations.iter().map(|invocation| Sighting {
            invocation,
            result: None,
            at: at(0),
        }));
        let shown = jobs.shown();
        assert_eq!(shown.len(), MAX_NAMES);
        assert!(
            (count - 3..count)
                .all(|number| !shown.iter().any(|job| job.name == format!("n{number}")))
        );
    }

    #[test]
    fn what_is_known_of_fifty_names_takes_few_bytes() {
        let mut jobs = Jobs::default();
        for number in 0..50 * 12 {
            let name = format!("command-{:02}", number % 50);
            let invocation =
                invocation(&format!("t-hz0{number:013}"), Failed, i64::from(number) * 3600);
            let result = result(Failed, Some(1), Some(i64::from(number) * 3600));
            see(&mut jobs, &Invocation { command_name: name.into(), ..invocation }, Some(&result));
        }
        assert!(
            jobs.names.values().all(|past| past.created.len() == 8 && past.created.capacity() == 8)
        );
        let saved = rmp_serde::to_vec_named(&jobs).unwrap();
        assert!(saved.len() < 16_000, "{} bytes", saved.len());
        let restored: Jobs = rmp_serde::from_slice(&saved).unwrap();
        assert_eq!(restored.shown(), jobs.shown());
        assert_eq!(Duration::from_hours(50), shown(&jobs, "command-00").unwrap().interval.unwrap());
    }
}
