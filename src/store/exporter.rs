//! What is known about this instance, and the words that this version does not know.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// What this instance does, and what does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Whether it polls; otherwise it is on standby.
    pub leads: bool,
    /// Why nothing can be saved, if that is so.
    pub unsaved: Option<String>,
    /// What is wrong with the configuration that the last reload refused, if it did.
    pub reload_refused: Option<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self { leads: true, unsaved: None, reload_refused: None }
    }
}

/// A word in the cloud's answers that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnknownWord {
    /// Product.
    pub product: &'static str,
    /// Operation that was answered.
    pub operation: &'static str,
    /// Field of the answer.
    pub field: &'static str,
    /// The word as sent; empty if it is missing.
    pub word: String,
}

/// Maximum number of unknown words that are remembered.
pub const MAX_WORDS: usize = 100;

/// What is known about this instance.
#[derive(Debug, Default)]
pub struct Exporter {
    role: Mutex<Role>,
    words: Mutex<BTreeSet<UnknownWord>>,
}

impl Exporter {
    /// Records whether this instance polls; otherwise it is on standby.
    pub fn leads(&self, leads: bool) {
        self.lock_role().leads = leads;
    }

    /// Records why the last attempt to save failed; `None` if it succeeded, or nothing is to be
    /// saved.
    pub fn unsaved(&self, why: Option<String>) {
        self.lock_role().unsaved = why;
    }

    /// Records what is wrong with the configuration that the last reload refused; `None` if it was
    /// taken.
    pub fn reload_refused(&self, problems: Option<String>) {
        self.lock_role().reload_refused = problems;
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
