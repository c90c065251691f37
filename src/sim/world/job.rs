//! Commands that run at a fixed interval, until they run no more.

use jiff::SignedDuration;

use super::RunSpec;

/// A command that something starts again and again on a server.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// Its first run. Each later one has a birth and an id of its own: `first.id`, a dash and its number, from 0 on.
    pub first: RunSpec,
    /// From one run to the next.
    pub every: SignedDuration,
    /// Number of runs after which it runs no more.
    pub runs: u32,
}

impl JobSpec {
    /// Each run.
    pub(crate) fn runs(&self) -> impl Iterator<Item = RunSpec> {
        let Self { first, every, runs } = self;
        (0..*runs).scan(first.born, |next, number| {
            let born = *next;
            *next = next.saturating_add(*every);
            Some(RunSpec { id: format!("{}-{number}", first.id), born, ..first.clone() })
        })
    }
}
