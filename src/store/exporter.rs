//! What is known of this instance itself, and of words that this version does not know.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What this instance does, and what of that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Whether it polls; else it stands by.
    pub leads: bool,
    /// Why what is known cannot be saved, if that is so.
    pub unsaved: Option<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self { leads: true, unsaved: None }
    }
}

/// A word in the cloud's answers that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnknownWord {
    /// Whose answer it was in.
    pub product: &'static str,
    /// In the answer to what.
    pub operation: &'static str,
    /// In which field.
    pub field: &'static str,
    /// The word, as it was sent; empty if it is missing.
    pub word: String,
}

/// Maximum number of unknown words that are remembered.
pub const MAX_WORDS: usize = 100;

/// This instance.
#[derive(Debug, Default)]
pub struct Exporter {
    role: Mutex<Role>,
    words: Mutex<BTreeSet<UnknownWord>>,
}

impl Exporter {
    /// Records whether this instance polls; else it stands by.
    pub fn leads(&self, leads: bool) {
        self.lock_role().leads = leads;
    }

    /// Records why what is known could not be saved when that was last tried; `None` if it could,
    /// or is not to be.
    pub fn unsaved(&self, why: Option<String>) {
        self.lock_role().unsaved = why;
    }

    /// What this instance does.
    pub fn role(&self) -> Role {
        self.lock_role().clone()
    }

    /// Remembers a word, up to [`MAX_WORDS`] of them.
    pub fn unknown_word(&self, word: UnknownWord) {
        let mut words = self.lock_words();
        if words.len() < MAX_WORDS {
            words.insert(word);
        }
    }

    /// The unknown words so far.
    pub fn unknown_words(&self) -> Vec<UnknownWord> {
        self.lock_words().iter().cloned().collect()
    }

    fn lock_role(&self) -> MutexGuard<'_, Role> {
        self.role.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_words(&self) -> MutexGuard<'_, BTreeSet<UnknownWord>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Exporter, MAX_WORDS, UnknownWord};

    #[test]
    fn each_unknown_word_is_remembered_once_and_no_more_than_the_maximum() {
        let exporter = Exporter::default();
        for number in (0..2 * MAX_WORDS).flat_map(|number| [number, number]) {
            let word = number.to_string();
            exporter.unknown_word(UnknownWord {
                product: "EHPC",
                operation: "ListTasks",
                field: "Status",
                word,
            });
        }
        assert_eq!(exporter.unknown_words().len(), MAX_WORDS);
    }
}
