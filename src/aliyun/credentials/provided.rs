//! What a provider returns: a credential and how long it lasts.

use jiff::Timestamp;
use serde::Deserialize;

use super::Credential;
use super::failure::Failure;
use crate::files::WatchedFile;
use crate::secret::Secret;

/// A credential as the provider returned it.
#[derive(Clone, Debug)]
pub(super) struct ProvidedCredential {
    pub(super) credential: Credential,
    /// When it expires; `None` if unknown, or never.
    pub(super) expires: Option<Timestamp>,
    /// The files it depends on.
    pub(super) watched: Vec<WatchedFile>,
    /// Whether a preferred place may soon provide one instead.
    pub(super) fallback: bool,
}

impl ProvidedCredential {
    /// A credential that does not expire and depends on no file.
    pub(super) fn lasting(credential: Credential) -> Self {
        Self { credential, expires: None, watched: Vec::new(), fallback: false }
    }

    /// The same credential, which also depends on these files.
    pub(super) fn with_files(mut self, watched: impl IntoIterator<Item = WatchedFile>) -> Self {
        self.watched.extend(watched);
        self
    }
}

/// Temporary credentials as STS, the metadata server and a credentials URI write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Wire {
    code: Option<String>,
    access_key_id: Option<String>,
    access_key_secret: Option<Secret>,
    security_token: Option<Secret>,
    expiration: Option<String>,
}

impl Wire {
    /// The credential.
    ///
    /// # Errors
    /// What is missing or wrong in it, without its text.
    pub(super) fn provided(self) -> Result<ProvidedCredential, String> {
        if let Some(code) = self.code.filter(|code| code != "Success") {
            let shown: String = code.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            return Err(format!("the answer's Code is {shown}, not Success"));
        }
        let lacking = |field: &str| format!("the answer has no {field}");
        let filled = |secret: &Secret| !secret.expose().is_empty();
        let id =
            self.access_key_id.filter(|id| !id.is_empty()).ok_or_else(|| lacking("AccessKeyId"))?;
        let secret =
            self.access_key_secret.filter(filled).ok_or_else(|| lacking("AccessKeySecret"))?;
        let token = self.security_token.filter(filled).ok_or_else(|| lacking("SecurityToken"))?;
        let expires = self.expiration.ok_or_else(|| lacking("Expiration"))?;
        let expires =
            expires.parse().map_err(|_| "the answer's Expiration is no time".to_owned())?;
        let credential = Credential::new(&id, secret, Some(token))
            .map_err(|problem| format!("the answer: {problem}"))?;
        Ok(ProvidedCredential { expires: Some(expires), ..ProvidedCredential::lasting(credential) })
    }
}

/// Reports an unsupported word, such as a mistyped mode. It is shown only if it looks like a word:
/// anything else may be a secret in the wrong place.
pub(super) fn unsupported(what: &str, word: &str, supported: &str) -> Failure {
    let is_word =
        word.len() <= LONGEST_WORD && word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    let shown = if is_word { format!("{what} {word:?}") } else { what.to_owned() };
    Failure::failed(format!("its {shown} is not supported: use {supported}"))
}

/// Maximum length of a word to show. No mode of a profile and no type of a section is longer; a
/// real AccessKeySecret has 30 characters.
const LONGEST_WORD: usize = 24;

/// Parses JSON whose text must not be shown.
///
/// # Errors
/// Where it is invalid.
pub(super) fn json<'a, T: Deserialize<'a>>(text: &'a [u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| {
        let line = error.line();
        let column = error.column();
        format!(
            "{what} is not the documented JSON (line {line} column {column}, {} bytes)",
            text.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{Wire, json, unsupported};

    #[test]
    fn a_word_is_shown_and_what_may_be_a_secret_is_not() {
        let told = |word: &str| unsupported("mode", word, "AK").text().to_owned();
        for word in ["CloudSSO", "ramrolearn", "rsa_key_pair"] {
            assert_eq!(told(word), format!("its mode {word:?} is not supported: use AK"));
        }
        for secret in [
            "LTAI5tSomeKeyId",
            "hunter2",
            "pass word",
            "Passwort\u{e4}",
            "AbcdefghijklmnopqrstuvwxyzAbcd",
        ] {
            assert_eq!(told(secret), "its mode is not supported: use AK");
        }
    }

    #[test]
    fn the_documented_answer_is_read() {
        let text = include_bytes!("../../../tests/fixtures/api/imds_security_credentials.json");
        let provided = json::<Wire>(text, "it").unwrap().provided().unwrap();
        assert_eq!(provided.credential.access_key_id, "STS.exampleAccessKeyId01");
        assert_eq!(provided.expires.unwrap().to_string(), "2024-11-21T08:00:00Z");
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_of_the_text_is_shown() {
        let problem = |text: &str| match json::<Wire>(text.as_bytes(), "it") {
            Ok(wire) => wire.provided().map(|_| ()).unwrap_err(),
            Err(problem) => problem,
        };
        for (text, wanted) in [
            (r#"{"Code": "Failed"}"#, "the answer's Code is Failed, not Success"),
            (r#"{"AccessKeyId": ""}"#, "the answer has no AccessKeyId"),
            (r#"{"AccessKeyId": "hunter2"}"#, "the answer has no AccessKeySecret"),
            (
                r#"{"AccessKeyId": "hunter2", "AccessKeySecret": "hunter2"}"#,
                "the answer has no SecurityToken",
            ),
            (
                r#"{"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "c"}"#,
                "the answer has no Expiration",
            ),
            (
                r#"{"AccessKeyId": "a", "AccessKeySecret": "b", "SecurityToken": "c", "Expiration": "hunter2"}"#,
                "the answer's Expiration is no time",
            ),
            (
                r#"{"AccessKeyId": "hunter2"#,
                "it is not the documented JSON (line 1 column 24, 24 bytes)",
            ),
        ] {
            assert_eq!(problem(text), wanted, "{text}");
        }
    }
}
