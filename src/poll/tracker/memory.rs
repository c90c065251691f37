//! What trackers keep from one poll to the next.

use serde::{Deserialize, Serialize};

use super::{discovery, ehpc_invocations, ehpc_tasks, swas_invocations};

/// What a tracker keeps from one poll to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Memory {
    /// A cluster's tasks.
    EhpcTasks(ehpc_tasks::Memory),
    /// A cluster's commands.
    EhpcInvocations(ehpc_invocations::Memory),
    /// A server's invocations.
    SwasInvocations(swas_invocations::Memory),
    /// What discovery has found.
    Discovery(discovery::Memory),
}

impl Memory {
    pub(super) fn ehpc_tasks(self) -> Option<ehpc_tasks::Memory> {
        if let Self::EhpcTasks(memory) = self { Some(memory) } else { None }
    }

    pub(super) fn ehpc_invocations(self) -> Option<ehpc_invocations::Memory> {
        if let Self::EhpcInvocations(memory) = self { Some(memory) } else { None }
    }

    pub(super) fn swas_invocations(self) -> Option<swas_invocations::Memory> {
        if let Self::SwasInvocations(memory) = self { Some(memory) } else { None }
    }

    pub(super) fn discovery(self) -> Option<discovery::Memory> {
        if let Self::Discovery(memory) = self { Some(memory) } else { None }
    }

    /// The memory after a gap in watching. (When a [`super::history::History`] is due is not saved at
    /// all.)
    pub(in crate::poll) fn after_a_gap(self) -> Self {
        match self {
            Self::EhpcTasks(memory) => Self::EhpcTasks(memory.after_a_gap()),
            other => other,
        }
    }
}

/// A borrowed [`Memory`] that serialises the same way.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum MemoryRef<'a> {
    /// A cluster's tasks.
    EhpcTasks(&'a ehpc_tasks::Memory),
    /// A cluster's commands.
    EhpcInvocations(&'a ehpc_invocations::Memory),
    /// A server's invocations.
    SwasInvocations(&'a swas_invocations::Memory),
    /// What discovery has found.
    Discovery(&'a discovery::Memory),
}
