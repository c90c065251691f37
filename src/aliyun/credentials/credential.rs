//! What signs a request, and how it is kept out of every text.

use std::fmt;

use crate::aliyun::sign::encode;
use crate::secret::Secret;

/// What signs a request.
#[derive(Clone, PartialEq)]
pub struct Credential {
    /// AccessKeyId: not a secret, but never shown.
    pub access_key_id: String,
    /// AccessKeySecret.
    pub access_key_secret: Secret,
    /// SecurityToken of temporary credentials.
    pub security_token: Option<Secret>,
}

/// Prints nothing of it: not even the id belongs in a log.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").finish_non_exhaustive()
    }
}

impl Credential {
    /// Builds a credential from its parts.
    ///
    /// # Errors
    /// Names the part that contains an invalid character, but not its text. Without this check, the
    /// cloud would only report an unknown key.
    pub(in crate::aliyun) fn new(
        id: &str,
        access_key_secret: Secret,
        security_token: Option<Secret>,
    ) -> Result<Self, String> {
        let token = security_token.as_ref().map_or("", Secret::expose);
        let parts = [
            ("AccessKeyId", id),
            ("AccessKeySecret", access_key_secret.expose()),
            ("SecurityToken", token),
        ];
        for (name, part) in parts {
            if let Some(character) = part.chars().find_map(odd) {
                return Err(format!("the {name} holds {character}: write it without"));
            }
        }
        Ok(Self { access_key_id: id.to_owned(), access_key_secret, security_token })
    }

    /// Replaces every part of the credential that occurs in `text`.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let token = self.security_token.as_ref().map_or("", Secret::expose);
        scrub(text, &[&self.access_key_id, self.access_key_secret.expose(), token])
    }
}

/// Describes a character that is not allowed in any part of a credential; `None` if it is allowed.
fn odd(character: char) -> Option<&'static str> {
    match character {
        '"' | '\'' | '`' => Some("a quotation mark"),
        c if c.is_whitespace() => Some("white space"),
        c if c.is_control() => Some("a control character"),
        c if !c.is_ascii() => Some("a character beyond ASCII"),
        _ => None,
    }
}

/// Replaces all `secrets` that occur in `text`, plain or percent-encoded. Strings of a few letters,
/// too short for a real key, stay: they would match inside words.
pub(super) fn scrub(text: &str, secrets: &[&str]) -> String {
    let forms = secrets.iter().flat_map(|secret| [(*secret).to_owned(), encode(secret)]);
    let mut forms: Vec<String> = forms.filter(|form| form.len() >= SHORTEST_PART).collect();
    forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
    forms.iter().fold(text.to_owned(), |clean, form| clean.replace(form.as_str(), "<secret>"))
}

/// Minimum length of a part of a real credential.
const SHORTEST_PART: usize = 6;
