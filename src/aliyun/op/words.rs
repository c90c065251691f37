//! The unknown words in an answer: text of the cloud that the status page and the log show.

use std::sync::Arc;

use crate::model::{
    Command, CommandInvocation, DirectoryEntry, Invocation, InvocationResult, NodeResult,
    NodeStatuses, Page, ResourceListing, Task,
};

/// What may hold unknown words.
pub(super) trait Words {
    /// Replaces each by what `clean` makes of it.
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String);
}

impl<T: Words> Words for Page<T> {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        for item in &mut self.items {
            item.clean_words(clean);
        }
    }
}

impl Words for Task {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        self.task_type.clean(clean);
        self.status.clean(clean);
    }
}

impl Words for NodeStatuses {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        self.status.clean(clean);
        for status in self.nodes.values_mut() {
            status.clean(clean);
        }
    }
}

impl Words for NodeResult {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        self.status.clean(clean);
    }
}

impl Words for Invocation {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        self.command_type.clean(clean);
        self.status.clean(clean);
        if let Some(record) = &mut self.record {
            record.clean(clean);
        }
    }
}

impl Words for InvocationResult {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        self.status.clean(clean);
        if let Some(record) = &mut self.record {
            record.clean(clean);
        }
        if let Some(error) = &mut self.error {
            error.clean(clean);
        }
    }
}

impl Words for CommandInvocation {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        for server in &mut self.servers {
            server.invocation.clean_words(clean);
            server.result.clean_words(clean);
        }
    }
}

impl Words for DirectoryEntry {
    fn clean_words(&mut self, clean: &dyn Fn(&str) -> String) {
        match &mut self.listing {
            Some(ResourceListing::Cluster(listing)) => {
                if let Some(status) = &mut listing.status {
                    status.clean(clean);
                }
            }
            Some(ResourceListing::Server(listing)) => {
                if let Some(status) = &mut listing.status {
                    status.clean(clean);
                }
                if let Some(status) = &mut listing.business_status {
                    status.clean(clean);
                }
            }
            None => {}
        }
    }
}

impl Words for Command {
    fn clean_words(&mut self, _: &dyn Fn(&str) -> String) {}
}

/// Ids.
impl Words for Arc<str> {
    fn clean_words(&mut self, _: &dyn Fn(&str) -> String) {}
}
