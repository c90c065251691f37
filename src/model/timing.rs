//! How long something open has run, and how long it may.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A command of an E-HPC cluster, from ListCommands.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// CommandId.
    pub id: SmolStr,
    /// Timeout in seconds, if it was sent.
    pub timeout: Option<u64>,
}

/// Since when something open has been running, and after how many seconds the cloud should stop it.
/// What is not known is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// When it started. For E-HPC, which sends no time: when it was first seen running.
    pub since: Option<Timestamp>,
    /// Timeout in seconds. 0 counts as none: it would stop everything at once.
    pub timeout: Option<u64>,
}

impl Timing {
    /// A timing, unless nothing of it is known.
    pub fn of(since: Option<Timestamp>, timeout: Option<u64>) -> Option<Box<Self>> {
        let timeout = timeout.filter(|seconds| *seconds > 0);
        (since.is_some() || timeout.is_some()).then(|| Box::new(Self { since, timeout }))
    }
}
