//! ACS3-HMAC-SHA256: the signature and what it signs, except the query, are headers.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::mac;
use crate::secret::Secret;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The signed parts of a request. The path of an RPC request is always `/`.
pub(in crate::aliyun) struct Signable<'a> {
    /// The HTTP method of the request.
    pub(in crate::aliyun) method: &'a str,
    /// From [`super::canonical_query`].
    pub(in crate::aliyun) query: &'a str,
    /// Names in lower case and in byte order, and values without white space around them.
    pub(in crate::aliyun) headers: &'a [(&'a str, String)],
    /// `x-acs-content-sha256`: the [`hash`] of the body.
    pub(in crate::aliyun) hashed_body: &'a str,
}

impl Signable<'_> {
    /// The value of the `Authorization` header.
    pub(in crate::aliyun) fn authorization(
        &self,
        access_key_id: &str,
        access_key_secret: &Secret,
    ) -> String {
        let signature = hex(&mac::<Sha256>(access_key_secret, &self.string_to_sign()));
        let headers = self.signed_headers();
        format!(
            "{ALGORITHM} Credential={access_key_id},SignedHeaders={headers},Signature={signature}"
        )
    }

    fn string_to_sign(&self) -> String {
        format!("{ALGORITHM}\n{}", hash(self.canonical_request().as_bytes()))
    }

    fn canonical_request(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        [self.method, "/", self.query, &headers, &self.signed_headers(), self.hashed_body]
            .join("\n")
    }

    fn signed_headers(&self) -> String {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        names.join(";")
    }
}

/// SHA-256 in hexadecimal digits.
pub(in crate::aliyun) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{Signable, hash};
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
        path: String,
        query: BTreeMap<String, String>,
        headers: BTreeMap<String, String>,
        body: String,
        access_key_id: String,
        access_key_secret: String,
        hashed_payload: String,
        canonical_query_string: String,
        canonical_request: String,
        string_to_sign: String,
        authorization: String,
    }

    #[test]
    fn every_vector_of_the_vendors_signers_is_reproduced() {
        let text = include_str!("../../../tests/fixtures/signatures/acs3.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert_eq!(vectors.cases.len(), 21);
        for case in vectors.cases {
            let parameters: Vec<(&str, String)> =
                case.query.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            let query = canonical_query(&parameters);
            assert_eq!((&query, &*case.path), (&case.canonical_query_string, "/"), "{}", case.name);
            let hashed_body = hash(case.body.as_bytes());
            assert_eq!(hashed_body, case.hashed_payload, "{}", case.name);
            let headers: Vec<(&str, String)> =
                case.headers.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            let signable = Signable {
                method: &case.method,
                query: &query,
                headers: &headers,
                hashed_body: &hashed_body,
            };
            assert_eq!(signable.canonical_request(), case.canonical_request, "{}", case.name);
            assert_eq!(signable.string_to_sign(), case.string_to_sign, "{}", case.name);
            let made =
                signable.authorization(&case.access_key_id, &Secret::new(case.access_key_secret));
            assert_eq!(made, case.authorization, "{}", case.name);
        }
    }
}
