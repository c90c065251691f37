//! Quotas: calls per minute, for each operation in each region.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Operation, QuotaWindow, Quotas, failure::Failure};

/// Recently admitted calls.
#[derive(Debug, Default)]
pub(crate) struct QuotaWindows {
    windows: HashMap<(Operation, String), Window>,
}

/// The calls of one operation in one region.
#[derive(Debug, Default)]
struct Window {
    passed: VecDeque<Timestamp>,
    /// When the last call arrived, admitted or not.
    last: Option<Timestamp>,
}

/// How faults change a quota.
#[derive(Debug, Default)]
pub(crate) struct Strain {
    /// Overrides the limit in the settings.
    pub(crate) limit: Option<u32>,
    /// Other programs that use the quota.
    pub(crate) others: Vec<Others>,
}

/// Another program that uses the same quota.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Others {
    /// Its calls per minute.
    pub(crate) per_minute: u32,
    /// Its calls come all at the start of each minute; otherwise evenly spread.
    #[serde(default)]
    pub(crate) at_once: bool,
}

impl QuotaWindows {
    /// Admits and records a call, or fails if the minute's quota is used up.
    pub(crate) fn admit(
        &mut self,
        quotas: &Quotas,
        strain: &Strain,
        (operation, region): (Operation, &str),
        now: Timestamp,
    ) -> Result<(), Failure> {
        let settled = quotas.operations.get(&operation).copied().unwrap_or(quotas.per_minute);
        let limit = strain.limit.unwrap_or(settled);
        let window = self.windows.entry((operation, region.to_owned())).or_default();
        // Other programs' calls matter only for the quota left when one of ours arrives.
        let from = (now - SignedDuration::from_secs(60)).max(window.last.unwrap_or(Timestamp::MIN));
        let mut others: Vec<Timestamp> =
            strain.others.iter().flat_map(|others| others.calls(from, now)).collect();
        others.sort_unstable();
        for call in others {
            // Other programs' calls can be refused, too.
            window.passes(limit, quotas.window, call);
        }
        window.last = Some(now);
        if window.passes(limit, quotas.window, now) {
            return Ok(());
        }
        let wait = time_left(quotas.window, window.passed.front().copied(), now);
        Err(throttled(quotas.headers, limit, wait, now))
    }
}

impl Window {
    /// Whether a call is admitted.
    fn passes(&mut self, limit: u32, window: QuotaWindow, now: Timestamp) -> bool {
        while self.passed.front().is_some_and(|&call| !counts(window, call, now)) {
            self.passed.pop_front();
        }
        let passes = self.passed.len() < limit as usize;
        if passes {
            self.passed.push_back(now);
        }
        passes
    }
}

impl Others {
    /// When it calls after `from`, up to `to`.
    fn calls(self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        // Times are counted from the epoch, so they do not depend on other calls.
        let (rounds, each) =
            if self.at_once { (1, self.per_minute) } else { (i64::from(self.per_minute), 1) };
        if self.per_minute == 0 {
            return Vec::new();
        }
        let first = from.as_millisecond() * rounds / 60_000 + 1;
        let last = to.as_millisecond() * rounds / 60_000;
        let times = (first..=last).filter_map(|round| {
            // Rounded up, so that it falls into the minute it is counted for.
            let millisecond = (round * 60_000 + rounds - 1) / rounds;
            Timestamp::from_millisecond(millisecond).ok()
        });
        times.flat_map(|time| std::iter::repeat_n(time, each as usize)).collect()
    }
}

fn counts(window: QuotaWindow, call: Timestamp, now: Timestamp) -> bool {
    match window {
        QuotaWindow::Calendar => minute(call) == minute(now),
        QuotaWindow::Sliding => now.duration_since(call) < SignedDuration::from_secs(60),
    }
}

fn minute(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

fn time_left(window: QuotaWindow, oldest: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    match window {
        QuotaWindow::Calendar => {
            SignedDuration::from_millis((minute(now) + 1) * 60_000 - now.as_millisecond())
        }
        QuotaWindow::Sliding => {
            SignedDuration::from_secs(60)
                - oldest.map_or(SignedDuration::ZERO, |call| now.duration_since(call))
        }
    }
}

fn throttled(headers: bool, limit: u32, wait: SignedDuration, now: Timestamp) -> Failure {
    let mut failure = Failure::throttled();
    if headers {
        let reset = now.as_second() + wait.as_secs();
        let value = format!("Limit:{limit},Remain:0,TimeLeft:{},Reset:{reset}", wait.as_millis());
        failure.headers.push(("x-ratelimit-user-api", value));
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(window: QuotaWindow, seconds: &[i64]) -> Vec<bool> {
        let quotas = Quotas { per_minute: 2, window, headers: true, ..Quotas::default() };
        let mut quota_windows = QuotaWindows::default();
        let admit = |second: &i64| {
            let now = Timestamp::from_second(*second).unwrap();
            quota_windows
                .admit(&quotas, &Strain::default(), (Operation::ListTasks, "cn-hangzhou"), now)
                .is_ok()
        };
        seconds.iter().map(admit).collect()
    }

    #[test]
    fn a_calendar_minute_starts_anew_at_the_full_minute() {
        assert_eq!(
            admitted(QuotaWindow::Calendar, &[58, 59, 59, 60, 61, 62]),
            [true, true, false, true, true, false]
        );
    }

    #[test]
    fn a_sliding_minute_frees_a_call_sixty_seconds_after_it() {
        assert_eq!(
            admitted(QuotaWindow::Sliding, &[58, 59, 60, 118, 118, 119]),
            [true, true, false, true, false, true]
        );
    }

    #[test]
    fn regions_and_operations_have_their_own_quota_and_headers_tell_the_wait() {
        let quotas = Quotas { per_minute: 1, headers: true, ..Quotas::default() };
        let mut quota_windows = QuotaWindows::default();
        let now = Timestamp::from_second(30).unwrap();
        for (operation, region) in [
            (Operation::ListTasks, "cn-hangzhou"),
            (Operation::ListTasks, "cn-shanghai"),
            (Operation::ListCommands, ""),
        ] {
            assert!(
                quota_windows.admit(&quotas, &Strain::default(), (operation, region), now).is_ok()
            );
        }
        let failure = quota_windows
            .admit(&quotas, &Strain::default(), (Operation::ListTasks, "cn-shanghai"), now)
            .unwrap_err();
        assert_eq!(
            failure.headers,
            [("x-ratelimit-user-api", "Limit:1,Remain:0,TimeLeft:30000,Reset:60".to_owned())]
        );
    }

    /// Which calls are admitted, at one per second for two minutes, with 60 per calendar minute
    /// shared with another program.
    fn beside(per_minute: u32, at_once: bool) -> Vec<bool> {
        let strain = Strain { limit: Some(60), others: vec![Others { per_minute, at_once }] };
        let mut quota_windows = QuotaWindows::default();
        let admit = |second: i64| {
            let now = Timestamp::from_second(1_700_000_040 + second).unwrap();
            quota_windows
                .admit(&Quotas::default(), &strain, (Operation::ListTasks, "cn-hangzhou"), now)
                .is_ok()
        };
        (0..120).map(admit).collect()
    }

    #[test]
    fn another_program_uses_up_what_it_calls_evenly_or_as_the_minute_begins() {
        let passed = |calls: &[bool]| calls.iter().filter(|passes| **passes).count();
        assert!(beside(0, false).iter().all(|passes| *passes));
        let evenly = beside(60, false);
        assert!((29..=31).contains(&passed(&evenly[60..])), "both call as often: {evenly:?}");
        assert!(
            evenly[60..80].iter().all(|passes| *passes),
            "it is used up towards the end of the minute"
        );
        let early = beside(45, true);
        assert_eq!((passed(&early[60..]), passed(&early[60..75])), (15, 15), "{early:?}");
        let all = beside(600, true);
        assert_eq!(passed(&all[60..]), 0, "{all:?}");
    }

    #[test]
    fn another_program_is_counted_from_a_minute_before_the_first_call_and_never_twice() {
        let strain =
            Strain { limit: Some(100), others: vec![Others { per_minute: 40, at_once: false }] };
        let quotas = Quotas { window: QuotaWindow::Sliding, ..Quotas::default() };
        let mut quota_windows = QuotaWindows::default();
        let key = (Operation::ListTasks, "cn-hangzhou");
        for second in [0, 1, 1, 30, 59] {
            let now = Timestamp::from_second(1_700_000_000 + second).unwrap();
            quota_windows.admit(&quotas, &strain, key, now).unwrap();
            let own = [1, 2, 3, 4, 5]
                [[0, 1, 1, 30, 59].iter().position(|other| *other == second).unwrap()];
            let held =
                quota_windows.windows.values().map(|window| window.passed.len()).sum::<usize>();
            assert!((40 + own - 1..=40 + own + 1).contains(&held), "{held} at {second}");
        }
    }
}
