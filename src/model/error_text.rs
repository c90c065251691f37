//! What the cloud says about a failure, in its own words.

use std::fmt;
use std::sync::Arc;

/// Maximum length of a text, in characters; longer ones are cut.
pub const ERROR_TEXT_CHARS: usize = 200;

/// Number of newest failures of a target whose texts are kept.
pub const ERROR_TEXTS: usize = 10;

/// A sentence about a failure. It is held in memory only: it never enters a label, a log line or
/// the state, and `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorText {
    text: Box<str>,
    documented: bool,
}

impl ErrorText {
    /// A text, and whether the vendor documents this sentence.
    pub fn new(text: impl Into<Box<str>>, documented: bool) -> Self {
        Self { text: text.into(), documented }
    }

    /// The text itself, only for the status page's data.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is one of the sentences that the vendor documents.
    pub fn is_documented(&self) -> bool {
        self.documented
    }
}

impl fmt::Debug for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorText").field("documented", &self.documented).finish_non_exhaustive()
    }
}

/// Errors of a task with the same code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    /// Code, if it looks like one.
    pub code: Option<Box<str>>,
    /// Message, as far as it may be kept.
    pub text: Option<Arc<ErrorText>>,
    /// Number of such errors.
    pub count: u64,
}

/// Keeps the texts of the newest [`ERROR_TEXTS`] of the things that have any: `forget` is called
/// with each older one. `newest` is larger for newer things.
pub fn keep_newest_texts<T, K: Ord>(
    with_texts: impl Iterator<Item = T>,
    newest: impl Fn(&T) -> K,
    mut forget: impl FnMut(T),
) {
    let mut things: Vec<T> = with_texts.collect();
    let Some(surplus) = things.len().checked_sub(ERROR_TEXTS).filter(|surplus| *surplus > 0) else {
        return;
    };
    things.sort_unstable_by_key(|thing| newest(thing));
    for thing in things.into_iter().take(surplus) {
        forget(thing);
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorText, keep_newest_texts};

    #[test]
    fn a_text_is_not_printed() {
        let text = ErrorText::new("hunter2", false);
        assert_eq!((text.text(), text.is_documented()), ("hunter2", false));
        assert!(!format!("{text:?}").contains("hunter2"));
    }

    #[test]
    fn the_newest_keep_their_texts() {
        let forgotten = |count: usize| {
            let mut forgotten: Vec<usize> = Vec::new();
            keep_newest_texts((0..count).rev(), |number| *number, |number| forgotten.push(number));
            forgotten
        };
        assert_eq!(forgotten(10), [0; 0]);
        assert_eq!(forgotten(12), [0, 1]);
    }
}
