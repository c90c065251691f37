//! Parts that all tables of the page share: pills, marks, bounds.

use maud::{Markup, html};

use super::context::Context;
use crate::store::View;
use crate::web::place::Place;
use crate::web::status::{Listed, Query, Show, called};
use crate::web::text::{Texts, grouped};

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// In progress.
    Active,
    /// Needs attention.
    Warn,
    /// Wrong.
    Bad,
    /// Neutral.
    Quiet,
    /// Unknown to this version.
    Unknown,
}

impl Tone {
    /// Its class in page.css.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Active => "active",
            Self::Warn | Self::Unknown => "warn",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// A word in its tone.
pub(super) fn pill(tone: Tone, word: &str) -> Markup {
    html! { span.pill.(tone.class()) { (word) } }
}

/// A status word of the cloud in its tone; an unknown one is shown as it was sent, and marked.
pub(super) fn status(t: &Texts, tone: Tone, word: &str) -> Markup {
    html! {
        @if tone == Tone::Unknown {
            span.pill.warn.unknown { (marked(t, word, false)) }
        } @else {
            span.pill.(tone.class()) title=(word) { ((t.word)(word)) }
        }
    }
}

/// A word as it was sent; marked unless it is known.
pub(super) fn marked(t: &Texts, word: &str, known: bool) -> Markup {
    html! {
        @if known {
            ((t.word)(word))
        } @else {
            (word) " " abbr title=(t.unknown_word) { "?" } span.sr { " (" (t.unknown_word) ")" }
        }
    }
}

/// Ids up to this length stay on one line however narrow the page is.
const SHORT: usize = 24;

/// An id.
pub(super) fn id(text: &str) -> Markup {
    html! { code class=(if text.len() <= SHORT { "whole" } else { "long" }) { (text) } }
}

/// A missing value.
pub(super) fn nothing(t: &Texts) -> Markup {
    html! { span.nothing { span aria-hidden="true" { "–" } span.sr { (t.none) } } }
}

/// A list in three parts: shown at once, shown on demand, and how many are only in the API.
#[derive(Debug)]
pub(super) struct Bounded<'a, T> {
    /// Shown at once.
    pub(super) first: &'a [T],
    /// Shown on demand.
    pub(super) more: &'a [T],
    /// Not on the page.
    pub(super) hidden: usize,
}

/// The first `first` entries, the next `more`, and the number of the rest.
pub(super) fn bounded<T>(all: &[T], first: usize, more: usize) -> Bounded<'_, T> {
    let (first, rest) = all.split_at(first.min(all.len()));
    let (more, hidden) = rest.split_at(more.min(rest.len()));
    Bounded { first, more, hidden: hidden.len() }
}

/// Says that `hidden` things are not on the page, and where they are.
pub(super) fn elsewhere(cx: &Context<'_>, hidden: usize) -> Markup {
    html! {
        @if hidden > 0 {
            p.elsewhere { ((cx.t.not_shown)(hidden)) " " a href=(cx.to.of("api/v1/status")) { "/api/v1/status" } }
        }
    }
}

/// A heading with a count, and what is said beside it.
pub(super) fn heading(id: &str, title: &str, count: Option<usize>, aside: &str) -> Markup {
    html! {
        h2 id={ (id) "-title" } {
            (title)
            @if let Some(count) = count { " " span.count { (grouped(count)) } }
            @if !aside.is_empty() { span.aside { (aside) } }
        }
    }
}

/// A link to the page of a cluster or server, and below it the region.
pub(super) fn place_of(cx: &Context<'_>, view: &View) -> Markup {
    html! {
        a href=(cx.to.target(view)) { (called(view)) }
        span.sub.whole { (view.target.region) }
    }
}

/// The ways to the other pages of a list.
pub(super) fn pager<T>(
    cx: &Context<'_>,
    listed: &Listed<T>,
    place: &Place,
    query: &Query,
    show: Option<Show>,
) -> Markup {
    let link = |page: usize, relation: &'static str, text: &str| {
        let query = Query { page: Some(page), ..query.clone() };
        html! { a href=(cx.to.place(place, &query, show)) rel=[(!relation.is_empty()).then_some(relation)] { (text) } }
    };
    html! {
        @if listed.pages > 1 {
            nav.pager aria-label=(cx.t.pages) {
                @if listed.page > 1 { (link(1, "", cx.t.first_page)) " " (link(listed.page - 1, "prev", cx.t.previous_page)) }
                span { ((cx.t.page_of)(listed.page, listed.pages)) }
                @if listed.page < listed.pages { (link(listed.page + 1, "next", cx.t.next_page)) " " (link(listed.pages, "", cx.t.last_page)) }
            }
        }
    }
}

/// Turns a text in lower case and without a full stop into a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), rest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{bounded, marked};
    use crate::web::text::Lang;

    #[test]
    fn a_list_is_cut_in_three_and_nothing_is_lost() {
        let all: Vec<u32> = (0..10).collect();
        let parts = bounded(&all, 3, 4);
        assert_eq!((parts.first, parts.more, parts.hidden), (&all[..3], &all[3..7], 3));
        let parts = bounded(&all, 20, 4);
        assert_eq!((parts.first.len(), parts.more.len(), parts.hidden), (10, 0, 0));
    }

    #[test]
    fn an_unknown_word_is_shown_as_sent_and_marked() {
        for lang in [Lang::English, Lang::Chinese] {
            let t = lang.texts();
            let html = marked(t, "Hibernating<b>", false).into_string();
            assert!(html.contains("Hibernating&lt;b&gt;") && html.contains(t.unknown_word));
        }
        assert_eq!(marked(Lang::English.texts(), "Running", true).into_string(), "Running");
        assert_eq!(marked(Lang::Chinese.texts(), "Running", true).into_string(), "执行中");
    }
}
