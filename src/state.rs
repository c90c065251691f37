//! What must survive: what plans know of their targets. For now in memory, so it survives a reload but not a restart.

use std::collections::HashMap;

use crate::poll::Memory;
use crate::target::TargetId;

/// So many targets that are gone are remembered, in case they come back.
const MAX_PARKED: usize = 10_000;

/// What was known of targets that are not polled now.
#[derive(Debug, Default)]
pub struct State {
    parked: HashMap<TargetId, Memory>,
}

impl State {
    /// Keeps what is known of a target that is no longer polled.
    pub fn park(&mut self, target: TargetId, memory: Memory) {
        if self.parked.len() < MAX_PARKED {
            self.parked.insert(target, memory);
        }
    }

    /// Gives back what was known of a target that is polled again.
    pub fn restore(&mut self, target: &TargetId) -> Option<Memory> {
        self.parked.remove(target)
    }
}
