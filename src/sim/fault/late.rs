//! Results that come later than the end they speak of.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What shows in place of a result that is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    /// There is no such thing.
    #[default]
    NotFound,
    /// It still runs.
    Running,
    /// A node is not among the results; an invocation is not found.
    LeftOut,
}

/// Keeps results back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    /// For how long after the end; for ever, if it is not said.
    pub(crate) by: Option<SignedDuration>,
    pub(crate) shown: Shown,
}

impl Late {
    /// Whether the result of what has ended then is kept back at a time.
    pub(crate) fn holds(self, ended: SignedDuration, at: SignedDuration) -> bool {
        ended <= at && self.by.is_none_or(|by| at - ended < by)
    }
}
