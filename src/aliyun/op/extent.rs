//! How much an answer holds, whichever operation it is of.

use crate::model::{InvocationResult, NodeStatuses, Page};

/// What an operation answers.
pub(super) trait Extent {
    /// Whether the operation's own list or object is there and not empty.
    fn holds_something(&self) -> bool;

    /// Notes that what the answer does not show may be there all the same.
    fn set_partial(&mut self);
}

impl<T> Extent for Page<T> {
    fn holds_something(&self) -> bool {
        self.entries > 0
    }

    fn set_partial(&mut self) {
        self.is_partial = true;
    }
}

// The others speak of one thing, which is there: no part of it is missing.

impl Extent for NodeStatuses {
    fn holds_something(&self) -> bool {
        !self.nodes.is_empty()
    }

    fn set_partial(&mut self) {}
}

impl Extent for InvocationResult {
    fn holds_something(&self) -> bool {
        !self.status.word().is_empty() || self.record.is_some()
    }

    fn set_partial(&mut self) {}
}
