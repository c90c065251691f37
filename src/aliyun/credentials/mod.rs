//! Where the key comes from: one file per provider. Asked anew for each attempt, so a rotation needs no restart.

mod environment;
mod fixed;

use crate::aliyun::Error;
use crate::config::Credentials;
use crate::secret::Secret;

/// What signs a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// AccessKeyId: no secret, but shown nowhere.
    pub access_key_id: String,
    /// AccessKeySecret.
    pub access_key_secret: Secret,
    /// SecurityToken of temporary credentials.
    pub security_token: Option<Secret>,
}

impl Credential {
    /// Replaces every part of the credential that occurs in `text`, plain or percent-encoded. A part of a few letters, which
    /// no real key has, stays: it would be found in the middle of words.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let token = self.security_token.as_ref().map_or("", Secret::expose);
        let parts = [self.access_key_id.as_str(), self.access_key_secret.expose(), token];
        let forms = parts.into_iter().flat_map(|part| [part.to_owned(), super::sign::encode(part)]);
        let mut forms: Vec<String> = forms.filter(|form| form.len() >= SHORTEST_PART).collect();
        forms.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
        forms.iter().fold(text.to_owned(), |clean, form| clean.replace(form.as_str(), "<secret>"))
    }
}

/// No part of a real credential is shorter.
const SHORTEST_PART: usize = 6;

/// A provider of credentials.
#[derive(Clone, Debug)]
pub struct Provider(Credentials);

impl Provider {
    /// The provider that the configuration names.
    pub fn new(credentials: Credentials) -> Self {
        Self(credentials)
    }

    /// The credential to sign the next attempt with.
    ///
    /// # Errors
    /// [`Error::Credentials`], saying what is missing and where it was looked for.
    pub async fn credential(&self) -> Result<Credential, Error> {
        match &self.0 {
            Credentials::Environment => environment::credential(|name| std::env::var(name).ok()),
            Credentials::Static { access_key_id, access_key_secret, security_token } => {
                fixed::credential(access_key_id, access_key_secret, security_token.as_ref()).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Credential;
    use crate::secret::Secret;

    #[test]
    fn a_message_is_scrubbed_of_every_part_in_both_forms() {
        let credential = Credential {
            access_key_id: "LTAI5t".into(),
            access_key_secret: Secret::new("s/cret-key"),
            security_token: Some(Secret::new("CAIS+token=")),
        };
        let clean = credential.scrub("id LTAI5t, s/cret-key s%2Fcret-key, token CAIS+token= CAIS%2Btoken%3D");
        assert_eq!(clean, "id <secret>, <secret> <secret>, token <secret> <secret>");
    }
}
