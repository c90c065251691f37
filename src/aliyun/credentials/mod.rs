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
    /// Replaces every part of the credential that occurs in `text`, plain or percent-encoded.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let token = self.security_token.as_ref().map_or("", Secret::expose);
        let mut clean = text.to_owned();
        for part in [self.access_key_id.as_str(), self.access_key_secret.expose(), token] {
            for form in [part.to_owned(), super::sign::encode(part)].into_iter().filter(|form| !form.is_empty()) {
                clean = clean.replace(&form, "<secret>");
            }
        }
        clean
    }
}

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
            access_key_secret: Secret::new("s/cret"),
            security_token: Some(Secret::new("CAIS+x=")),
        };
        let clean = credential.scrub("id LTAI5t, s/cret s%2Fcret, token CAIS+x= CAIS%2Bx%3D");
        assert_eq!(clean, "id <secret>, <secret> <secret>, token <secret> <secret>");
    }
}
