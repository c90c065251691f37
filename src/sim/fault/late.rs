//! Results that become available only some time after the end.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What is shown while a result is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// The command or invocation is not found.
    #[default]
    NotFound,
    /// It is still running.
    Running,
    /// A node is missing from the results; an invocation is not found.
    LeftOut,
}

/// A delay of results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    /// How long after the end; forever if `None`.
    pub(crate) by: Option<SignedDuration>,
    pub(crate) shown: Shown,
}

impl Late {
    /// Whether the result of something that ended at `ended` is still withheld at `at`.
    pub(crate) fn holds(self, ended: SignedDuration, at: SignedDuration) -> bool {
        ended <= at && self.by.is_none_or(|by| at - ended < by)
    }
}
