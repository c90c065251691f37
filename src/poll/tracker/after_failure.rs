//! What a failed call means.

/// What a failed call means for the rest of the poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::poll) enum AfterFailure {
    /// It concerns one item only, which the tracker has noted: the poll goes on.
    GoOn,
    /// It concerns one item only, but the user should know: the poll goes on, and counts as failed.
    GoOnFailed,
    /// The poll has failed.
    Stop,
}

/// Scope of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureScope {
    /// The requested item does not exist.
    Gone,
    /// The requested item cannot be read, but others may be.
    One,
    /// Any other call would fail now, too.
    All,
}
