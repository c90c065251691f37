//! The state of a target, and what makes a list of targets the worst first.

use crate::store::View;

/// State of a target; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// It fails and has no values to show.
    FailsWithout,
    /// It fails; its last good values are not stale yet.
    Fails,
    /// It has not failed, but its values are too old.
    Withdrawn,
    /// It has not been polled yet.
    Waiting,
    /// All is well.
    Fresh,
}

/// The state of a target.
pub(super) fn condition(view: &View) -> Condition {
    match (view.failure.is_some(), view.reading.is_some()) {
        (true, false) => Condition::FailsWithout,
        (true, true) => Condition::Fails,
        (false, true) => Condition::Fresh,
        (false, false) if view.is_withdrawn() => Condition::Withdrawn,
        (false, false) => Condition::Waiting,
    }
}

/// Those of a condition, the longest failing first.
pub(super) fn those<'a>(views: &[&'a View], wanted: &[Condition]) -> Vec<&'a View> {
    let is_wanted = |view: &&&View| wanted.contains(&condition(view));
    let mut those: Vec<&View> = views.iter().filter(is_wanted).copied().collect();
    those.sort_by_key(|view| (condition(view), view.failing_since));
    those
}
