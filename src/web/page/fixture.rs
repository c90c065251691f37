//! What the tests of the page's parts need.

#![cfg(test)]

use super::address::Address;
use super::context::Context;
use crate::web::fixture::at;
use crate::web::place::Place;
use crate::web::status::Facts;
use crate::web::text::Lang;

/// The English page of `facts`, nine seconds after the tests' start.
pub(super) fn context(facts: &Facts) -> Context<'_> {
    let to = Address::seen_from(&Place::Overview, None);
    Context { facts, t: Lang::English.texts(), to, now: at(9) }
}
