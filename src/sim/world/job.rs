//! Commands that run at a fixed interval, until they run no more.

use jiff::SignedDuration;

use super::InvocationSpec;

/// A command that something starts again and again on a server.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// Its first run. Each later one has a birth and an id of its own: `first.id`, a dash and its
    /// number, from 0 on.
    pub first: InvocationSpec,
    /// From one invocation to the next.
    pub every: SignedDuration,
    /// Number of invocations after which it runs no more.
    pub invocations: u32,
}

impl JobSpec {
    /// Each invocation.
    pub(crate) fn runs(&self) -> impl Iterator<Item = InvocationSpec> {
        let Self { first, every, invocations } = self;
        (0..*invocations).scan(first.born, |next, number| {
            let born = *next;
            *next = next.saturating_add(*every);
            Some(InvocationSpec { id: format!("{}-{number}", first.id), born, ..first.clone() })
        })
    }
}
