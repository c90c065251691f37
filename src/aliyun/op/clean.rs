//! Cleans the cloud's own words and texts in an answer: the status page and the log show them.

use std::sync::Arc;

use super::Texts;
use crate::model::{
    Command, CommandInvocation, DirectoryEntry, Invocation, InvocationResult, NodeResult,
    NodeStatuses, Page, ResourceListing, Task,
};

/// What may hold unknown words, or texts about failures.
pub(super) trait Clean {
    /// Cleans each unknown word, and leaves only what may be kept of the texts.
    fn clean(&mut self, texts: &Texts<'_>);
}

impl<T: Clean> Clean for Page<T> {
    fn clean(&mut self, texts: &Texts<'_>) {
        for item in &mut self.items {
            item.clean(texts);
        }
    }
}

impl Clean for Task {
    fn clean(&mut self, texts: &Texts<'_>) {
        let word = |word: &str| texts.word(word);
        self.task_type.clean(&word);
        self.status.clean(&word);
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

impl Clean for NodeStatuses {
    fn clean(&mut self, texts: &Texts<'_>) {
        let word = |word: &str| texts.word(word);
        self.status.clean(&word);
        for status in self.nodes.values_mut() {
            status.clean(&word);
        }
    }
}

impl Clean for NodeResult {
    fn clean(&mut self, texts: &Texts<'_>) {
        self.status.clean(&|word| texts.word(word));
    }
}

impl Clean for Invocation {
    fn clean(&mut self, texts: &Texts<'_>) {
        let word = |word: &str| texts.word(word);
        self.command_type.clean(&word);
        self.status.clean(&word);
        if let Some(record) = &mut self.record {
            record.clean(&word);
        }
    }
}

impl Clean for InvocationResult {
    fn clean(&mut self, texts: &Texts<'_>) {
        let word = |word: &str| texts.word(word);
        self.status.clean(&word);
        if let Some(record) = &mut self.record {
            record.clean(&word);
        }
        if let Some(error) = &mut self.error {
            error.clean(&word);
        }
        texts.text(&mut self.error_text);
    }
}

impl Clean for CommandInvocation {
    fn clean(&mut self, texts: &Texts<'_>) {
        for server in &mut self.servers {
            server.invocation.clean(texts);
            server.result.clean(texts);
        }
    }
}

impl Clean for DirectoryEntry {
    fn clean(&mut self, texts: &Texts<'_>) {
        let word = |word: &str| texts.word(word);
        match &mut self.listing {
            Some(ResourceListing::Cluster(listing)) => {
                if let Some(status) = &mut listing.status {
                    status.clean(&word);
                }
            }
            Some(ResourceListing::Server(listing)) => {
                if let Some(status) = &mut listing.status {
                    status.clean(&word);
                }
                if let Some(status) = &mut listing.business_status {
                    status.clean(&word);
                }
            }
            None => {}
        }
    }
}

impl Clean for Command {
    fn clean(&mut self, _: &Texts<'_>) {}
}

/// Ids need no cleaning: they hold only letters, digits and a few marks.
impl Clean for Arc<str> {
    fn clean(&mut self, _: &Texts<'_>) {}
}
