//! What the sections of tasks and of commands share: one part per cluster, the busiest first.

use jiff::Timestamp;
use maud::{Markup, html};

use super::counts::Counts;
use super::parts::{Tone, bounded, counted_word, elsewhere, grouped, pill};
use super::time::ago;
use super::verdict::{Condition, called, condition};
use crate::store::View;

/// Maximum clusters shown.
const CLUSTERS: usize = 10;
/// Maximum rows of a cluster shown at first.
const FIRST: usize = 20;
/// Maximum further ones, shown on demand.
const MORE: usize = 40;

/// A cluster with its rows, open ones first.
#[derive(Debug)]
pub(super) struct Cluster<'a, T> {
    view: &'a View,
    rows: Vec<&'a T>,
    counts: Counts,
}

impl<'a, T> Cluster<'a, T> {
    /// Moves what `judge` calls open to the front, otherwise keeping the order.
    pub(super) fn new(view: &'a View, rows: &'a [T], judge: impl Fn(&T) -> (bool, Tone)) -> Self {
        let (mut sorted, ended): (Vec<&T>, Vec<&T>) = rows.iter().partition(|row| judge(row).0);
        sorted.extend(ended);
        Self { view, rows: sorted, counts: Counts::of(rows.iter().map(judge)) }
    }
}

/// The texts of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// HTML id of the section.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// Singular of its things.
    pub(super) singular: &'static str,
    /// Plural of its things.
    pub(super) plural: &'static str,
}

/// A section over `views` (those of its kind), with `table` rendering rows under a caption.
pub(super) fn section<T>(
    words: Words,
    views: &[&View],
    mut clusters: Vec<Cluster<'_, T>>,
    now: Timestamp,
    table: impl Fn(&str, &[&T]) -> Markup,
) -> Markup {
    clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.counts.running));
    let shown = bounded(&clusters, CLUSTERS, 0);
    html! {
        section id=(words.id) aria-labelledby={ (words.id) "-title" } {
            h2 id={ (words.id) "-title" } { (words.title) }
            @for cluster in shown.first { (part(words, cluster, now, &table)) }
            (elsewhere(shown.hidden, "cluster", "clusters"))
            (absent(views, "cluster", "clusters"))
        }
    }
}

fn part<T>(
    words: Words,
    cluster: &Cluster<'_, T>,
    now: Timestamp,
    table: &impl Fn(&str, &[&T]) -> Markup,
) -> Markup {
    let target = &cluster.view.target;
    let rows = bounded(&cluster.rows, FIRST, MORE);
    let id = format!("{}-{}", words.id, target.id.id);
    let caption = format!("{} of {}", words.title, called(cluster.view));
    html! {
        article id=(id) {
            h3 {
                (called(cluster.view))
                span.sub { @if !target.name.is_empty() { code { (target.id.id) } " · " } (target.region) }
                span.aside { (cluster.counts) (kept(cluster.view, now)) }
            }
            @if rows.first.is_empty() { p.empty { "No " (words.plural) "." } } @else { (table(&caption, rows.first)) }
            @if !rows.more.is_empty() {
                details id={ (id) "-more" } {
                    summary { "and " (grouped(rows.more.len())) " more" }
                    (table(&format!("More {caption}"), rows.more))
                }
            }
            (elsewhere(rows.hidden, words.singular, words.plural))
        }
    }
}

/// Warns if the values are the last good ones of a failing target.
pub(super) fn kept(view: &View, now: Timestamp) -> Markup {
    html! {
        @if let (Condition::Fails, Some(at)) = (condition(view), view.read_at) {
            " " (pill(Tone::Warn, "not current")) " as of " (ago(at, now))
        }
    }
}

/// Says how many targets have nothing to show, and why.
pub(super) fn absent(views: &[&View], singular: &str, plural: &str) -> Markup {
    let count = |wanted: &[Condition]| {
        views.iter().filter(|view| wanted.contains(&condition(view))).count()
    };
    let without = count(&[Condition::FailsWithout, Condition::Withdrawn]);
    let waiting = count(&[Condition::Waiting]);
    html! {
        @if without > 0 {
            p.absent { (grouped(without)) " " (counted_word(without, singular, plural)) " left out: no fresh values." }
        }
        @if waiting > 0 {
            p.absent { (grouped(waiting)) " " (counted_word(waiting, singular, plural)) " not polled yet." }
        }
    }
}
