//! RPC signature V1 (HMAC-SHA1): everything is in the parameters.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;

use super::{encode, mac};
use crate::secret::Secret;

/// The signature of a request with `method` and a canonical query that has every parameter but
/// `Signature`.
pub(in crate::aliyun) fn signature(
    method: &str,
    canonical_query: &str,
    access_key_secret: &Secret,
) -> String {
    let key = Secret::new(format!("{}&", access_key_secret.expose()));
    STANDARD.encode(mac::<Sha1>(&key, &string_to_sign(method, canonical_query)))
}

fn string_to_sign(method: &str, canonical_query: &str) -> String {
    format!("{method}&%2F&{}", encode(canonical_query))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{signature, string_to_sign};
    use crate::aliyun::sign::canonical_query;
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
        string_to_sign: String,
        signature: String,
    }

    #[test]
    fn every_vector_of_the_vendors_signers_is_reproduced() {
        let text = include_str!("../../../tests/fixtures/signatures/rpc_v1.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert_eq!(vectors.cases.len(), 24);
        for case in vectors.cases {
            let parameters: Vec<(&str, String)> =
                case.params.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            let query = canonical_query(&parameters);
            assert_eq!(query, case.canonicalized_query_string, "{}", case.name);
            assert_eq!(string_to_sign(&case.method, &query), case.string_to_sign, "{}", case.name);
            let made = signature(&case.method, &query, &Secret::new(case.access_key_secret));
            assert_eq!(made, case.signature, "{}", case.name);
        }
    }
}
