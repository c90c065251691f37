//! Words in the cloud's answers that this version does not know.

use maud::{Markup, html};

use super::context::Context;
use super::parts::{bounded, elsewhere, heading, id};
use crate::store::UnknownWord;

/// Maximum number of words that are shown.
const FIRST: usize = 20;

/// The section of the unknown words.
pub(super) fn section(cx: &Context<'_>) -> Markup {
    let t = cx.t;
    let shown = bounded(&cx.facts.unknown_words, FIRST, 0);
    html! {
        section #words aria-labelledby="words-title" {
            (heading("words", t.unknown_words, None, t.unknown_words_are))
            table.words {
                caption.sr { (t.unknown_words) }
                thead { tr { th scope="col" { (t.unknown_words_word) } th scope="col" { (t.operation) } th scope="col" { (t.field) } } }
                tbody { @for word in shown.first { (row(cx, word)) } }
            }
            (elsewhere(cx, shown.hidden))
        }
    }
}

fn row(cx: &Context<'_>, word: &UnknownWord) -> Markup {
    html! {
        tr {
            th scope="row" { @if word.word.is_empty() { (cx.t.missing_word) } @else { (id(&word.word)) } }
            td data-label=(cx.t.operation) { (word.operation) span.sub { (word.product) } }
            td data-label=(cx.t.field) { (word.field) }
        }
    }
}
