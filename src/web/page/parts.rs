//! Parts that all tables of the page share: pills, marks, bounds.

use maud::{Markup, html};

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

/// A status word; an unknown one is shown as it was sent, and marked.
pub(super) fn status(tone: Tone, word: &str) -> Markup {
    html! { @if tone != Tone::Unknown { (pill(tone, word)) } @else { span.pill.warn.unknown { (marked(word, false)) } } }
}

/// A word as it was sent; marked unless it is known.
pub(super) fn marked(word: &str, known: bool) -> Markup {
    html! {
        (word)
        @if !known {
            " " abbr title="This version of the exporter does not know this word." { "?" }
            span.sr { " (a word this version does not know)" }
        }
    }
}

/// A missing value.
pub(super) fn nothing() -> Markup {
    html! { span.nothing { span aria-hidden="true" { "–" } span.sr { "none" } } }
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
pub(super) fn elsewhere(hidden: usize, singular: &str, plural: &str) -> Markup {
    html! {
        @if hidden > 0 {
            p.elsewhere {
                (grouped(hidden)) " more " (counted_word(hidden, singular, plural)) " not shown here: "
                a href="api/v1/status" { "/api/v1/status" } " has all of them."
            }
        }
    }
}

/// `singular` for one, else `plural`.
pub(super) fn counted_word<'a>(count: usize, singular: &'a str, plural: &'a str) -> &'a str {
    if count == 1 { singular } else { plural }
}

/// A number with its thousands separated by thin spaces.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Turns a text in lower case and without a full stop into a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), rest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{bounded, elsewhere, grouped, marked};

    #[test]
    fn a_list_is_cut_in_three_and_nothing_is_lost() {
        let all: Vec<u32> = (0..10).collect();
        let parts = bounded(&all, 3, 4);
        assert_eq!((parts.first, parts.more, parts.hidden), (&all[..3], &all[3..7], 3));
        let parts = bounded(&all, 20, 4);
        assert_eq!((parts.first.len(), parts.more.len(), parts.hidden), (10, 0, 0));
        assert!(elsewhere(0, "invocation", "invocations").into_string().is_empty());
        assert!(
            elsewhere(1, "invocation", "invocations")
                .into_string()
                .contains("1 more invocation not shown")
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn a_word_nobody_has_heard_of_is_shown_as_sent_and_marked() {
        let html = marked("Hibernating<b>", false).into_string();
        assert!(html.contains("Hibernating&lt;b&gt;") && html.contains("does not know"));
        assert_eq!(marked("Running", true).into_string(), "Running");
    }
}
