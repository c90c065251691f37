//! A string that cannot be printed and is zeroed on drop.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

/// A secret: an access key secret, a security token. `Debug`, `Display` and `Serialize` show
/// `<secret>`. Its bytes are zeroed on drop.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides `value`. A `String` is moved, so no copy of it is left behind.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The secret itself, only for signing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use zeroize::{Zeroize, ZeroizeOnDrop};

    use super::Secret;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "<secret> <secret>");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"<secret>\"");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_secret_takes_its_text_without_a_copy_and_zeroes_it() {
        let mut text = String::with_capacity(100);
        text.push_str("hunter2");
        let place = text.as_ptr();
        let mut secret = Secret::new(text);
        assert_eq!(secret.expose().as_ptr(), place, "a copy would stay behind");
        fn zeroes_on_drop<T: ZeroizeOnDrop>(_: &T) {}
        zeroes_on_drop(&secret.0);
        secret.0.zeroize();
        assert_eq!(secret.expose(), "");
    }
}
