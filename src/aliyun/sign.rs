//! RPC signature V1 (HMAC-SHA1), pure. Source: "Signature method V1" in `docs/alibaba-cloud-api.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;

use crate::secret::Secret;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encodes as the signature wants it: everything but `A-Za-z0-9-_.~`.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Joins `k=v` by `&`, encoded, in byte order of the keys.
pub(crate) fn canonical_query(parameters: &[(&str, String)]) -> String {
    let mut sorted: Vec<&(&str, String)> = parameters.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let pairs: Vec<String> = sorted.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

/// The signature of a request with `method` and a canonical query that holds every parameter but `Signature`.
pub(crate) fn signature(method: &str, canonical_query: &str, access_key_secret: &Secret) -> String {
    let text = format!("{method}&%2F&{}", encode(canonical_query));
    let key = Secret::new(format!("{}&", access_key_secret.expose()));
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.expose().as_bytes()) else {
        unreachable!("HMAC takes keys of any length (RFC 2104)")
    };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{canonical_query, signature};
    use crate::secret::Secret;

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        method: String,
        access_key_secret: String,
        params: BTreeMap<String, String>,
        canonicalized_query_string: String,
        signature: String,
    }

    #[test]
    fn every_vector_of_the_vendors_signers_is_reproduced() {
        let text = include_str!("../../tests/fixtures/signatures/rpc_v1.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert_eq!(vectors.cases.len(), 24);
        for case in vectors.cases {
            let parameters: Vec<(&str, String)> = case.params.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            let query = canonical_query(&parameters);
            assert_eq!(query, case.canonicalized_query_string, "{}", case.name);
            let made = signature(&case.method, &query, &Secret::new(case.access_key_secret));
            assert_eq!(made, case.signature, "{}", case.name);
        }
    }
}
