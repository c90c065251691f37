//! What trackers report.

use smol_str::SmolStr;

use super::ListChange;
use crate::model::GivenUp;

/// Something that a tracker has noticed.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// It was seen to end.
    Ended {
        /// TaskId, CommandId or InvokeId.
        id: SmolStr,
        /// Its last status, as sent.
        status: String,
        /// Its exit code, if it has one.
        exit_code: Option<i64>,
        /// Whether that status is a failure.
        is_failure: bool,
    },
    /// It was open, and its end could not be determined.
    Lost {
        /// TaskId, CommandId or InvokeId.
        id: SmolStr,
    },
    /// It was seen to end, and its result is no longer requested.
    GivenUp {
        /// CommandId or InvokeId.
        id: SmolStr,
        /// Cause.
        cause: GivenUp,
    },
    /// A list was longer than `poll.history_max_pages`.
    Truncated,
    /// A list has become incomplete or complete, or its total was found wrong.
    List(ListChange),
    /// A directory has changed: the targets must be recomputed.
    Discovered,
}
