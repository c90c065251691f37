//! What every part of a page needs: the facts, the language, the addresses, the time.

use jiff::{SignedDuration, Timestamp};
use maud::Markup;

use super::address::Address;
use super::time;
use crate::web::status::Facts;
use crate::web::text::Texts;

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// What is known.
    pub(super) facts: &'a Facts,
    /// The texts of its language.
    pub(super) t: &'static Texts,
    /// Addresses, as seen from it.
    pub(super) to: Address,
    /// When it is made.
    pub(super) now: Timestamp,
}

impl Context<'_> {
    /// How long ago something was.
    pub(super) fn ago(&self, at: Timestamp) -> Markup {
        time::ago(self.t, at, self.now)
    }

    /// How long something has lasted.
    pub(super) fn since(&self, at: Timestamp) -> Markup {
        time::since(self.t, at, self.now)
    }

    /// When something is planned.
    pub(super) fn planned(&self, at: Timestamp) -> Markup {
        time::planned(self.t, at, self.now)
    }

    /// A duration that no longer changes.
    pub(super) fn exact(&self, duration: SignedDuration) -> String {
        time::exact(self.t, duration)
    }
}
