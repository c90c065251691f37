//! What a standby and the process that polls agree on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Path of the state, below the URL of the process that polls.
pub const STATE_PATH: &str = "/-/state";
/// Header with the digest of a state (RFC 9530).
pub const DIGEST: &str = "repr-digest";

/// The value of [`DIGEST`] for a body.
pub fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // RFC 9530, appendix D.
        let body = b"{\"hello\": \"world\"}";
        assert_eq!(digest(body), "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    }
}
