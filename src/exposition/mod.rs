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
mod negotiate;
mod own;
mod page;
mod piece;
mod process;
mod swas;

use crate::config::{Metrics, StatusStyle};
use crate::model::Reading;
use crate::target::Target;

pub use fragment::{Fragment, Lines};
pub use negotiate::{Encoding, Format};
pub use own::{TargetState, own_fragment};
pub use page::{Chain, Change, Page};
pub use process::process_metrics;

/// Renders all that a reading shows, in at most `budget` series; beyond it ended things are left out, oldest first.
/// Gives the fragment and the number of series left out.
pub fn reading_fragment(target: &Target, reading: &Reading, metrics: &Metrics, budget: usize) -> (Fragment, usize) {
    let mut lines = Lines::new(budget, metrics.status_style);
    match reading {
        Reading::Tasks(reading) => ehpc::tasks(target, reading, &mut lines),
        Reading::Commands(reading) => ehpc::commands(target, reading, &mut lines),
        Reading::Runs(reading) => swas::runs(target, reading, &mut lines),
        Reading::Discovery(reading) => discovery::found(target, reading, &mut lines),
    }
    let dropped = lines.dropped();
    (lines.finish(), dropped)
}

/// The words of a status that are written, each with its value.
fn words(style: StatusStyle, labels: &'static [&'static str], current: &'static str) -> Vec<(&'static str, u64)> {
    let written = |word: &&&str| style == StatusStyle::Full || **word == current;
    labels.iter().filter(written).map(|word| (*word, u64::from(*word == current))).collect()
}
