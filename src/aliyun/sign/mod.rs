//! The cloud's two signature methods, one file each, pure. Source: "Signatures" in
//! `docs/alibaba-cloud-api.md`.

pub(super) mod v1;
pub(super) mod v3;

use hmac::digest::KeyInit;
use hmac::{EagerHash, Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::secret::Secret;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes as both signatures require: everything but `A-Za-z0-9-_.~`.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + text.len() / 2);
    encoded.extend(utf8_percent_encode(text, RESERVED));
    encoded
}

/// Joins `k=v` pairs with `&`, percent-encoded, in byte order of the keys.
pub(super) fn canonical_query(parameters: &[(&str, impl AsRef<str>)]) -> String {
    let mut sorted: Vec<&(&str, _)> = parameters.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let mut query = String::with_capacity(512);
    for (key, value) in sorted {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(key, RESERVED));
        query.push('=');
        query.extend(utf8_percent_encode(value.as_ref(), RESERVED));
    }
    query
}

/// The keyed hash of a text.
fn mac<D: EagerHash>(key: &Secret, text: &str) -> Vec<u8>
where
    Hmac<D>: Mac + KeyInit,
{
    let Ok(mut mac) = <Hmac<D> as KeyInit>::new_from_slice(key.expose().as_bytes()) else {
        unreachable!("HMAC takes keys of any length (RFC 2104)")
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
