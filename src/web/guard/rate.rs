//! `rate_limit`: a token bucket for all requests.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::config::RateLimit;

/// A bucket that holds as many tokens as a burst may have, and gains one each interval.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        Self { limit, state: Mutex::new(State { tokens: f64::from(limit.burst), at: now }) }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(state.at).as_secs_f64()
            / self.limit.interval.as_secs_f64();
        state.tokens = (state.tokens + gained).min(f64::from(self.limit.burst));
        state.at = state.at.max(now);
        let has_one = state.tokens >= 1.0;
        if has_one {
            state.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Bucket;
    use crate::config::RateLimit;

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let limit = RateLimit { interval: Duration::from_millis(100), burst: 3 };
        let start = Instant::now();
        let bucket = Bucket::new(limit, start);
        let passed = |milliseconds: u64| {
            let now = start + Duration::from_millis(milliseconds);
            (0..10).filter(|_| bucket.take(now)).count()
        };
        assert_eq!([0, 50, 100, 150, 10_000].map(passed), [3, 0, 1, 0, 3]);
    }
}
