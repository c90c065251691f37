//! How long this process may call the cloud.
//!
//! Measured by the clock since boot, which runs while the process is stopped and while the machine
//! sleeps: a process that wakes up late knows it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::SignedDuration;

use crate::clock::Moment;

/// A time up to which calls may be made; its copies share it.
#[derive(Clone, Debug)]
pub struct Term {
    /// Nanoseconds since boot; `None` without end.
    until: Option<Arc<AtomicI64>>,
}

impl Term {
    /// A term without end, for a process that needs no Lease.
    pub fn unlimited() -> Self {
        Self { until: None }
    }

    /// A term that is over until it is extended.
    pub fn over() -> Self {
        Self { until: Some(Arc::new(AtomicI64::new(i64::MIN))) }
    }

    /// Sets the end to this time since boot.
    pub fn extend(&self, until: SignedDuration) {
        self.set(i64::try_from(until.as_nanos()).unwrap_or(i64::MAX));
    }

    /// Ends it now.
    pub fn end(&self) {
        self.set(i64::MIN);
    }

    fn set(&self, nanoseconds: i64) {
        if let Some(until) = &self.until {
            until.store(nanoseconds, Ordering::SeqCst);
        }
    }

    /// Whether no call may be made any more.
    pub fn is_over(&self) -> bool {
        let Some(until) = &self.until else { return false };
        Moment::now().boot.as_nanos() >= i128::from(until.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::Term;
    use crate::clock::Moment;

    #[test]
    fn it_lasts_until_it_is_over_for_every_copy() {
        let term = Term::over();
        let copy = term.clone();
        assert!(copy.is_over());
        let now = Moment::now().boot;
        term.extend(now + SignedDuration::from_secs(60));
        assert!(!copy.is_over());
        term.extend(now);
        assert!(copy.is_over());
        term.extend(now + SignedDuration::from_secs(60));
        term.end();
        assert!(copy.is_over());
        Term::unlimited().end();
        assert!(!Term::unlimited().is_over());
    }
}
