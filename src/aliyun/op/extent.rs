//! How much an answer contains, for any operation.

use crate::model::{InvocationResult, NodeStatuses, Page};

/// The answer to an operation.
pub(super) trait Extent {
    /// Whether the operation's own list or object is present and not empty.
    fn holds_something(&self) -> bool;

    /// Notes that the answer may leave out things that exist.
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

// The other answers are about one thing: if it is present, no part of it is missing.

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
