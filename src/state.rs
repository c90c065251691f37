//! What must survive: what plans know of their targets. For now in memory, so it survives a reload but not a restart.

use std::collections::HashMap;

use crate::target::TargetId;

/// So many targets that are gone are remembered, in case they come back.
const MAX_PARKED: usize = 10_000;

/// What was known of targets that are not polled now. `M` is what a plan knows of its target.
#[derive(Debug)]
pub struct State<M> {
    parked: HashMap<TargetId, M>,
}

impl<M> State<M> {
    /// A state that knows nothing yet and is gone with the process.
    pub fn in_memory() -> Self {
        Self { parked: HashMap::new() }
    }

    /// Keeps what is known of a target that is no longer polled.
    pub fn park(&mut self, target: TargetId, memory: M) {
        if self.parked.len() < MAX_PARKED {
            self.parked.insert(target, memory);
        }
    }

    /// Gives back what was known of a target that is polled again.
    pub fn restore(&mut self, target: &TargetId) -> Option<M> {
        self.parked.remove(target)
    }
}
