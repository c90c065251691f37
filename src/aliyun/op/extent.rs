//! How much an answer contains, and which texts, for any operation.

use std::sync::Arc;

use super::Texts;
use crate::model::{
    Command, CommandInvocation, DirectoryEntry, Invocation, InvocationResult, NodeResult,
    NodeStatuses, Page, Task,
};

/// The answer to an operation.
pub(super) trait Extent {
    /// Whether the operation's own list or object is present and not empty.
    fn holds_something(&self) -> bool;

    /// Notes that the answer may leave out things that exist.
    fn set_partial(&mut self);

    /// Leaves only what may be kept of the cloud's texts about failures.
    fn clean(&mut self, texts: &Texts<'_>);
}

/// An entry of a list.
pub(super) trait Texted {
    /// Leaves only what may be kept of the cloud's texts about failures.
    fn clean(&mut self, _texts: &Texts<'_>) {}
}

impl Texted for Arc<str> {}
impl Texted for Command {}
impl Texted for DirectoryEntry {}
impl Texted for Invocation {}
impl Texted for NodeResult {}

impl Texted for Task {
    fn clean(&mut self, texts: &Texts<'_>) {
        if self.error_details.is_empty() {
            return;
        }
        let mut details = self.error_details.to_vec();
        for error in &mut details {
            texts.code(&mut error.code);
            texts.text(&mut error.text);
        }
        details.retain(|error| error.code.is_some() || error.text.is_some());
        self.error_details = details.into();
    }
}

impl Texted for CommandInvocation {
    fn clean(&mut self, texts: &Texts<'_>) {
        for server in &mut self.servers {
            server.result.clean(texts);
        }
    }
}

impl<T: Texted> Extent for Page<T> {
    fn holds_something(&self) -> bool {
        self.entries > 0
    }

    fn set_partial(&mut self) {
        self.is_partial = true;
    }

    fn clean(&mut self, texts: &Texts<'_>) {
        for item in &mut self.items {
            item.clean(texts);
        }
    }
}

// The other answers are about one thing: if it is present, no part of it is missing.

impl Extent for NodeStatuses {
    fn holds_something(&self) -> bool {
        !self.nodes.is_empty()
    }

    fn set_partial(&mut self) {}

    fn clean(&mut self, _: &Texts<'_>) {}
}

impl Extent for InvocationResult {
    fn holds_something(&self) -> bool {
        !self.status.word().is_empty() || self.record.is_some()
    }

    fn set_partial(&mut self) {}

    fn clean(&mut self, texts: &Texts<'_>) {
        texts.error_code(&mut self.error);
        texts.text(&mut self.error_text);
    }
}
