//! What may be kept of the cloud's own words, and of its texts about failures.
//!
//! The documented texts are those of SWAS (DescribeInvocationResult), those of Cloud Assistant,
//! which runs the invocations of SWAS, and the messages in the error tables of E-HPC's operations:
//! see "Texts of failures" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use super::name::cut;
use crate::aliyun::json::Object;
use crate::model::{ERROR_TEXT_CHARS, ErrorText};

/// The sentences that the vendor documents, without their full stops.
const SENTENCES: &[&str] = &[
    // ErrorInfo of SWAS, and in most SDKs that of Cloud Assistant.
    "the specified instance does not exists",
    "the instance has released when create task",
    "the instance is not running when create task",
    "the command is not applicable",
    "the specified account does not exists",
    "the specified directory does not exists",
    "the cron job expression is invalid",
    "the aliyun service is not running on the instance",
    "the aliyun service in the instance does not response",
    "the aliyun service in the instance is upgrading now",
    "the aliyun service in the instance need upgrade",
    "the command delivery has been timeout",
    "the command execution has been timeout",
    "the command execution got an exception",
    "the command execution has been interrupted",
    "the command execution exit code is not zero",
    "the specified instance has been released",
    // ErrorInfo of Cloud Assistant in its newer documents.
    "the specified instance does not exist",
    "the specified instance was released during task execution",
    "the specified instance was not running during task execution",
    "the os type of the instance does not support the specified command type",
    "the specified account does not exist",
    "the specified directory does not exist",
    "the cron expression is invalid",
    "the aliyun service in the instance is upgrading during task execution",
    "the aliyun service in the instance need to be upgraded to at least {version} version to support the {feature} feature",
    "the security group rules denied access to the aliyun service",
    // Messages of E-HPC.
    "a database service error occurred",
    "a redis service error occurred",
    "an error occurred while calling the ecs api operation",
    "the agent service request failed",
    "an alibaba cloud product error occurred",
    "part of the batch operation failed",
];

/// Maximum length of a code, in bytes.
const MAX_CODE_BYTES: usize = 64;
/// Maximum length of an unknown word, in bytes; no known one is longer.
const MAX_WORD_BYTES: usize = 64;

/// What may be kept of words and texts. They are cleaned and then cut, in this order: cutting first
/// could leave half a secret.
pub(super) struct Texts<'a> {
    /// Removes secrets.
    pub(super) clean: &'a dyn Fn(&str) -> String,
    /// Whether texts that are not documented are kept, too.
    pub(super) keeps_all: bool,
}

impl Texts<'_> {
    /// What is kept of an unknown word.
    pub(super) fn word(&self, word: &str) -> String {
        cut(&(self.clean)(word), MAX_WORD_BYTES).to_owned()
    }

    /// Leaves what may be kept of a text.
    pub(super) fn text(&self, text: &mut Option<Arc<ErrorText>>) {
        let Some(sent) = text.take() else { return };
        let shown: String = (self.clean)(sent.text()).chars().take(ERROR_TEXT_CHARS).collect();
        let is_documented = is_documented(&shown);
        *text = (is_documented || self.keeps_all)
            .then(|| Arc::new(ErrorText::new(shown, is_documented)));
    }

    /// Drops a code with a secret in it.
    pub(super) fn code(&self, code: &mut Option<Box<str>>) {
        code.take_if(|code| (self.clean)(code) != **code);
    }
}

/// A text about a failure, if there is one; some documents show the text "null" for none.
pub(super) fn error_text(object: &Object<'_>, fields: &[&str]) -> Option<Arc<ErrorText>> {
    let text = fields.iter().find_map(|field| object.text(field))?;
    let is_documented = is_documented(&text);
    (text != "null").then(|| Arc::new(ErrorText::new(&*text, is_documented)))
}

/// A code, if it looks like one: letters, digits, dots, hyphens and underscores.
pub(super) fn code(object: &Object<'_>, fields: &[&str]) -> Option<Box<str>> {
    let code = fields.iter().find_map(|field| object.text(field))?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (code.len() <= MAX_CODE_BYTES && code.bytes().all(fits)).then(|| (*code).into())
}

/// Whether a text is one of the documented sentences, in any letter case.
fn is_documented(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.');
    SENTENCES.iter().any(|sentence| {
        let mut words = text.split(' ');
        sentence.split(' ').all(|known| words.next().is_some_and(|word| is_word(word, known)))
            && words.next().is_none()
    })
}

/// Whether a word fits `known`, a word of a sentence or a placeholder. What fits a placeholder
/// cannot be a key: a version has no letters, a feature no digits and no capitals.
fn is_word(word: &str, known: &str) -> bool {
    let fits = |is_of: fn(&u8) -> bool| {
        (1..=24).contains(&word.len()) && word.bytes().all(|byte| is_of(&byte))
    };
    match known {
        "{version}" => fits(|byte| byte.is_ascii_digit() || *byte == b'.'),
        "{feature}" => fits(|byte| byte.is_ascii_lowercase() || *byte == b'-'),
        known => word.eq_ignore_ascii_case(known),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{SENTENCES, Texts, is_documented};
    use crate::model::{ErrorCode, ErrorText};

    #[test]
    fn documented_is_a_whole_sentence_in_any_case_with_or_without_its_full_stop() {
        for sentence in SENTENCES {
            let sentence =
                sentence.replace("{version}", "2.2.3.541").replace("{feature}", "session");
            for text in [sentence.clone(), sentence.to_uppercase(), format!(" {sentence}.")] {
                assert_eq!(
                    is_documented(&text),
                    text == sentence || !text.contains("SESSION"),
                    "{text}"
                );
            }
            assert!(!is_documented(&format!("{sentence} password=hunter2")));
            assert!(!is_documented(&format!("hunter2: {sentence}")));
        }
        for other in ["", ".", "the", "The agent  service request failed."] {
            assert!(!is_documented(other), "{other}");
        }
        let upgrade = |version: &str, feature: &str| {
            is_documented(&format!(
                "The aliyun service in the instance need to be upgraded to at least {version} version to support the {feature} feature."
            ))
        };
        assert!(upgrade("2.2.3", "container"));
        assert!(!upgrade("LTAI5tHunter2", "container") && !upgrade("2.2", "LTAI5tHunter2"));
    }

    fn kept(text: &str, keeps_all: bool) -> Option<String> {
        let clean = |text: &str| text.replace("hunter2", "<secret>");
        let mut text = Some(Arc::new(ErrorText::new(text, true)));
        Texts { clean: &clean, keeps_all }.text(&mut text);
        text.map(|text| text.text().to_owned())
    }

    #[test]
    fn a_text_is_cleaned_before_it_is_judged_and_cut() {
        let sentence = "The agent service request failed.";
        assert_eq!(kept(sentence, false).as_deref(), Some(sentence));
        assert_eq!(kept("no stock of hunter2", false), None);
        assert_eq!(kept("no stock of hunter2", true).as_deref(), Some("no stock of <secret>"));
        let long = format!("{}hunter2", "备".repeat(195));
        assert_eq!(kept(&long, true), Some(format!("{}<secr", "备".repeat(195))));
    }

    #[test]
    fn a_code_with_a_secret_in_it_is_none() {
        let clean = |text: &str| text.replace("hunter2", "<secret>");
        let texts = Texts { clean: &clean, keeps_all: true };
        for (sent, left) in [("EcsError", Some("EcsError")), ("hunter2.Error", None)] {
            let mut code = Some(sent.into());
            texts.code(&mut code);
            assert_eq!(code.as_deref(), left);
        }
        let mut code = ErrorCode::parse("Odd.hunter2");
        code.clean(&|word| texts.word(word));
        assert_eq!(code.word(), "Odd.<secret>");
    }
}
