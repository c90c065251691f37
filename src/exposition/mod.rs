//! From readings to the bytes of `/metrics`.
//!
//! A target's sample lines are rendered once, when its reading changes, into a [`Fragment`]. The [`Page`] holds the lines of all
//! targets in pieces, family by family; what a scraper gets is a [`Chain`] of pieces, deflated ones if it takes gzip.
//! Sample lines are the same in both formats.

mod checksum;
mod deflate;
mod discovery;
mod ehpc;
mod fragment;
mod limits;
mod negotiate;
mod own;
mod page;
mod piece;
mod process;
mod swas;

use crate::config::StatusStyle;
use crate::model::Reading;
use crate::target::Target;

pub use fragment::{Fragment, Lines};
pub use limits::{ALL, Demand, Limits, Part, PerPart, dropped};
pub use negotiate::{Encoding, Format};
pub use own::{TargetState, own_fragment};
pub use page::{Chain, Change, Page};
pub use process::process_metrics;

/// A reading, rendered.
#[derive(Debug)]
pub struct Rendered {
    /// What of it is shown.
    pub fragment: Fragment,
    /// All series that it has.
    pub demand: Demand,
    /// How many of them are left out.
    pub dropped: PerPart,
}

/// Renders all that a reading shows within `limits`.
pub fn reading_fragment(target: &Target, reading: &Reading, style: StatusStyle, limits: Limits) -> Rendered {
    let mut lines = Lines::new(limits, style);
    match reading {
        Reading::EhpcTasks(reading) => ehpc::tasks(target, reading, &mut lines),
        Reading::EhpcInvocations(reading) => ehpc::commands(target, reading, &mut lines),
        Reading::SwasInvocations(reading) => swas::invocations(target, reading, &mut lines),
        Reading::Discovery(reading) => discovery::found(target, reading, &mut lines),
    }
    let (demand, dropped) = lines.demand();
    Rendered { fragment: lines.finish(), demand, dropped }
}

/// The words of a status that are written, each with its value.
fn words(style: StatusStyle, labels: &'static [&'static str], current: &'static str) -> Vec<(&'static str, u64)> {
    let written = |word: &&&str| style == StatusStyle::Full || **word == current;
    labels.iter().filter(written).map(|word| (*word, u64::from(*word == current))).collect()
}

/// Each thing with its part, what is kept longest first.
fn kept_first<T>(things: &[T], is_open: impl Fn(&T) -> bool) -> impl Iterator<Item = (Part, &T)> {
    let (open, ended): (Vec<_>, Vec<_>) = things.iter().partition(|thing| is_open(thing));
    let open = open.into_iter().map(|thing| (Part::Open, thing));
    open.chain(ended.into_iter().map(|thing| (Part::Ended, thing)))
}
