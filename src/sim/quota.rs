//! Quotas: how many calls a minute lets through, for each operation in each region.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::{Operation, QuotaWindow, Quotas, failure::Failure};

/// The calls let through lately.
#[derive(Debug, Default)]
pub(crate) struct QuotaLedger {
    passed: HashMap<(Operation, String), VecDeque<Timestamp>>,
}

impl QuotaLedger {
    /// Lets a call through and remembers it, or says that the minute is used up.
    pub(crate) fn admit(
        &mut self,
        quotas: &Quotas,
        operation: Operation,
        region: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let limit = quotas.operations.get(&operation).copied().unwrap_or(quotas.per_minute);
        let passed = self.passed.entry((operation, region.to_owned())).or_default();
        while passed.front().is_some_and(|&call| !counts(quotas.window, call, now)) {
            passed.pop_front();
        }
        if passed.len() < limit as usize {
            passed.push_back(now);
            return Ok(());
        }
        let wait = time_left(quotas.window, passed.front().copied(), now);
        Err(throttled(quotas.headers, limit, wait, now))
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
        QuotaWindow::Calendar => SignedDuration::from_millis((minute(now) + 1) * 60_000 - now.as_millisecond()),
        QuotaWindow::Sliding => {
            SignedDuration::from_secs(60) - oldest.map_or(SignedDuration::ZERO, |call| now.duration_since(call))
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
        let mut ledger = QuotaLedger::default();
        let admit = |second: &i64| {
            let now = Timestamp::from_second(*second).unwrap();
            ledger.admit(&quotas, Operation::ListTasks, "cn-hangzhou", now).is_ok()
        };
        seconds.iter().map(admit).collect()
    }

    #[test]
    fn a_calendar_minute_starts_anew_at_the_full_minute() {
        assert_eq!(admitted(QuotaWindow::Calendar, &[58, 59, 59, 60, 61, 62]), [true, true, false, true, true, false]);
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
        let mut ledger = QuotaLedger::default();
        let now = Timestamp::from_second(30).unwrap();
        for (operation, region) in [
            (Operation::ListTasks, "cn-hangzhou"),
            (Operation::ListTasks, "cn-shanghai"),
            (Operation::ListCommands, ""),
        ] {
            assert!(ledger.admit(&quotas, operation, region, now).is_ok());
        }
        let failure = ledger.admit(&quotas, Operation::ListTasks, "cn-shanghai", now).unwrap_err();
        assert_eq!(failure.headers, [("x-ratelimit-user-api", "Limit:1,Remain:0,TimeLeft:30000,Reset:60".to_owned())]);
    }
}
