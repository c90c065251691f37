//! Words in the cloud's answers that this version does not know.

use maud::{Markup, html};

use super::parts::{bounded, elsewhere};
use crate::store::UnknownWord;

/// Maximum number of words that are shown.
const FIRST: usize = 20;

/// The section of `words`.
pub(super) fn section(words: &[UnknownWord]) -> Markup {
    let shown = bounded(words, FIRST, 0);
    html! {
        section #words aria-labelledby="words-title" {
            h2 #words-title { "Unknown words" span.aside { "in the cloud's answers; shown as unknown on /metrics" } }
            table.words {
                caption.sr { "Words that this version does not know" }
                thead { tr { th scope="col" { "Word" } th scope="col" { "Operation" } th scope="col" { "Field" } } }
                tbody { @for word in shown.first { (row(word)) } }
            }
            (elsewhere(shown.hidden, "word", "words"))
        }
    }
}

fn row(word: &UnknownWord) -> Markup {
    html! {
        tr {
            th scope="row" { @if word.word.is_empty() { "(missing or empty)" } @else { code { (word.word) } } }
            td data-label="Operation" { (word.operation) span.sub { (word.product) } }
            td data-label="Field" { (word.field) }
        }
    }
}
