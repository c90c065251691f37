//! What an operation is answered from.

use jiff::{SignedDuration, Timestamp};

use crate::sim::ListOrder;
use crate::sim::failure::Failure;
use crate::sim::fault::Late;
use crate::sim::parameters::{self, Parameters};
use crate::sim::world::World;

/// The world at one moment, for one request.
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    /// Wall-clock time of the world's start.
    pub(crate) started: Timestamp,
    /// The moment, as time since the world's start.
    pub(crate) at: SignedDuration,
    pub(crate) order: ListOrder,
    pub(crate) parameters: &'a Parameters,
    /// What delays results, if anything.
    pub(crate) late: Option<Late>,
}

impl View<'_> {
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        parameters::required(self.parameters, name)
    }

    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        parameters::optional(self.parameters, name)
    }

    /// What still delays the result of something that ended at `ended`.
    pub(super) fn late(&self, ended: SignedDuration) -> Option<Late> {
        self.late.filter(|late| late.holds(ended, self.at))
    }

    /// A time of the world as the API writes it.
    pub(crate) fn stamp(&self, since_start: SignedDuration) -> String {
        stamp(self.started, since_start)
    }

    /// A time, or the empty string that the API sends while there is none.
    pub(super) fn stamp_or_empty(&self, since_start: Option<SignedDuration>) -> String {
        since_start.map_or_else(String::new, |time| self.stamp(time))
    }
}

/// A time of the world, in whole seconds.
pub(crate) fn stamp(started: Timestamp, since_start: SignedDuration) -> String {
    let time = started.saturating_add(since_start).unwrap_or(started);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
