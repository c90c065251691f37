//! Commands that run at a fixed interval, a limited number of times.

use jiff::SignedDuration;

use super::InvocationSpec;

/// A command that is started repeatedly on a server.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// The first invocation. Each one has its own creation time, and an id of `first.id`, a dash
    /// and its number, from 0.
    pub first: InvocationSpec,
    /// Time from one invocation to the next.
    pub every: SignedDuration,
    /// Total number of invocations.
    pub invocations: u32,
}

impl JobSpec {
    /// All invocations.
    pub(crate) fn runs(&self) -> impl Iterator<Item = InvocationSpec> {
        let Self { first, every, invocations } = self;
        (0..*invocations).scan(first.born, |next, number| {
            let born = *next;
            *next = next.saturating_add(*every);
            Some(InvocationSpec { id: format!("{}-{number}", first.id), born, ..first.clone() })
        })
    }
}
