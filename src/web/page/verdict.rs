//! How the targets are, in one line, the worst named.

use crate::snapshot::View;

use super::parts::{Tone, counted_word, grouped};

/// How a target is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// It fails and has no values that could be shown.
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

/// The condition of a target.
pub(super) fn condition(view: &View) -> Condition {
    match (view.failure.is_some(), view.reading.is_some()) {
        (true, false) => Condition::FailsWithout,
        (true, true) => Condition::Fails,
        (false, true) => Condition::Fresh,
        (false, false) if view.read_at.is_some() => Condition::Withdrawn,
        (false, false) => Condition::Waiting,
    }
}

/// Every target, the worst first, and those that fail longest before others.
pub(super) fn worst_first(views: &[View]) -> Vec<&View> {
    let mut sorted: Vec<&View> = views.iter().collect();
    sorted.sort_by_key(|view| (condition(view), view.failing_since));
    sorted
}

/// What a target is called: the user's name for it, else its id.
pub(super) fn called(view: &View) -> &str {
    if view.target.name.is_empty() { &view.target.id.id } else { &view.target.name }
}

/// The verdict on all targets.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// How bad it is.
    pub(super) tone: Tone,
    /// The verdict itself.
    pub(super) line: String,
    /// What else is not as it should be.
    pub(super) rest: Vec<String>,
}

/// So many targets are named.
const NAMED: usize = 3;

/// The verdict on `sorted` targets, the worst first.
pub(super) fn verdict(sorted: &[&View]) -> Verdict {
    let all = sorted.len();
    let count = |wanted: Condition| sorted.iter().filter(|view| condition(view) == wanted).count();
    let without = count(Condition::FailsWithout);
    let (failing, withdrawn, waiting) =
        (without + count(Condition::Fails), count(Condition::Withdrawn), count(Condition::Waiting));
    let said = [
        (
            failing,
            Tone::Bad,
            format!("{} {}: {}", of(failing, all), verb(failing, "fails", "fail"), named(sorted, failing)),
        ),
        (withdrawn, Tone::Bad, format!("{} {} too old to show", values(withdrawn, all), verb(withdrawn, "is", "are"))),
        (waiting, Tone::Warn, format!("{} {} for the first poll", of(waiting, all), verb(waiting, "waits", "wait"))),
    ];
    let mut said = said.into_iter().filter(|(count, ..)| *count > 0).map(|(_, tone, line)| (tone, line));
    let Some((tone, line)) = said.next() else { return calm(all) };
    let lost =
        (without > 0).then(|| format!("{} of them {} no fresh values", grouped(without), verb(without, "has", "have")));
    Verdict { tone, line, rest: lost.into_iter().chain(said.map(|(_, line)| line)).collect() }
}

fn calm(all: usize) -> Verdict {
    let (tone, line) = match all {
        0 => (Tone::Warn, "No targets: the configuration names none".to_owned()),
        1 => (Tone::Good, "The target is fresh".to_owned()),
        _ => (Tone::Good, format!("All {} targets are fresh", grouped(all))),
    };
    Verdict { tone, line, rest: Vec::new() }
}

fn of(count: usize, all: usize) -> String {
    format!("{} of {} {}", grouped(count), grouped(all), counted_word(all, "target", "targets"))
}

fn values(count: usize, all: usize) -> String {
    format!("What is known of {}", of(count, all))
}

fn verb<'a>(count: usize, singular: &'a str, plural: &'a str) -> &'a str {
    counted_word(count, singular, plural)
}

fn named(sorted: &[&View], failing: usize) -> String {
    let name = |view: &&View| {
        let reason = view.failure.as_ref().map_or("", |failure| failure.reason.label());
        format!("{} ({})", called(view), reason.replace('_', " "))
    };
    let mut text = sorted.iter().take(failing.min(NAMED)).map(name).collect::<Vec<_>>().join(", ");
    if failing > NAMED {
        text.push_str(&format!(" and {} more", grouped(failing - NAMED)));
    }
    text
}
