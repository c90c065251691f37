//! The secret that the processes of one Lease share.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::small_file;
use crate::config::{MIN_SECRET, SecretSource};
use crate::secret::Secret;

/// The secret, read each time from the file that holds it, if one does.
#[derive(Clone, Debug)]
pub struct SharedSecret(SecretSource);

impl SharedSecret {
    /// The one that the configuration names.
    pub fn new(source: SecretSource) -> Self {
        Self(source)
    }

    /// The secret as it is now.
    pub(super) async fn read(&self) -> Result<Secret, String> {
        let path = match &self.0 {
            SecretSource::Value(secret) => return Ok(secret.clone()),
            SecretSource::File(path) => path,
        };
        let text = small_file::text(path).await;
        let text = text.map_err(|error| format!("state.lease.secret: {error}"))?;
        match text.trim() {
            text if text.len() < MIN_SECRET => Err(format!(
                "state.lease.secret: reading {}: it has fewer than {MIN_SECRET} characters",
                path.display()
            )),
            text => Ok(Secret::new(text)),
        }
    }

    /// Whether `presented` is the secret. How long that takes does not depend on how much of it is
    /// right.
    ///
    /// # Errors
    /// If the secret cannot be read.
    pub async fn is(&self, presented: &[u8]) -> Result<bool, String> {
        let secret = self.read().await?;
        let key: [u8; 32] = rand::random();
        let keyed = |text: &[u8]| {
            let Ok(mac) = Hmac::<Sha256>::new_from_slice(&key) else {
                unreachable!("a key of any length is taken")
            };
            mac.chain_update(text)
        };
        let wanted = keyed(secret.expose().as_bytes()).finalize().into_bytes();
        Ok(keyed(presented).verify(&wanted).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::SharedSecret;
    use crate::config::SecretSource;
    use crate::secret::Secret;

    #[tokio::test]
    async fn only_the_whole_secret_is_right() {
        let secret = SharedSecret::new(SecretSource::Value(Secret::new("0123456789abcdef")));
        assert!(secret.is(b"0123456789abcdef").await.unwrap());
        for wrong in [&b""[..], b"0123456789abcde", b"0123456789abcdef0", b"0123456789abcdeF"] {
            assert!(!secret.is(wrong).await.unwrap(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn one_in_a_file_is_read_each_time_and_never_too_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let secret = SharedSecret::new(SecretSource::File(path.clone()));
        assert!(secret.is(b"").await.unwrap_err().contains("No such file"));
        std::fs::write(&path, "\n").unwrap();
        assert!(secret.is(b"").await.unwrap_err().contains("fewer than 16"));
        for text in ["0123456789abcdef", "fedcba9876543210"] {
            std::fs::write(&path, format!("{text}\n")).unwrap();
            assert!(secret.is(text.as_bytes()).await.unwrap());
        }
        assert!(!secret.is(b"0123456789abcdef").await.unwrap());
    }
}
