//! ACS3-HMAC-SHA256: operation, time, nonce and signature are in the headers.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Request};
use sha2::{Digest, Sha256};

use super::pairs;
use crate::sim::failure::Failure;
use crate::sim::parameters::{self, Parameters};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The parts of a request that its signature covers.
#[derive(Debug)]
pub(crate) struct Acs3 {
    method: Method,
    path: String,
    query: Parameters,
    headers: HeaderMap,
    hashed_body: String,
}

/// The parsed `Authorization` header.
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl Acs3 {
    /// Parses the signed parts of a request; `None` if it is not signed with this method.
    pub(crate) fn read<B: AsRef<[u8]>>(request: &Request<B>) -> Option<Self> {
        let authorization = request.headers().get(AUTHORIZATION)?.as_bytes();
        authorization.starts_with(b"ACS3-").then(|| Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: parameters::of_query(request),
            headers: request.headers().clone(),
            hashed_body: hex(&Sha256::digest(request.body().as_ref())),
        })
    }

    /// The value of a required header; `name` is what the gateway calls the value.
    pub(crate) fn required(&self, header: &str, name: &str) -> Result<&str, Failure> {
        self.header(header).ok_or_else(|| Failure::missing(name))
    }

    /// The value of a header, unless missing or empty.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }

    /// The id of the key that signed.
    pub(crate) fn access_key_id(&self) -> Result<&str, Failure> {
        Ok(self.authorization()?.credential)
    }

    /// Verifies the signature with the key's secret.
    pub(crate) fn verify(&self, secret: &str) -> Result<(), Failure> {
        let Authorization { signed_headers, signature, .. } = self.authorization()?;
        self.required("x-acs-content-sha256", "ContentSha256")?;
        let canonical = self.canonical_request(&self.signed(signed_headers)?, signed_headers);
        let text = format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let sent_hash = self.header("x-acs-content-sha256");
        if sign(secret, &text) == signature && sent_hash == Some(&self.hashed_body) {
            return Ok(());
        }
        let message = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text} \
             server canonical request is:{canonical}"
        );
        Err(Failure::new(400, "SignatureDoesNotMatch", message))
    }

    fn authorization(&self) -> Result<Authorization<'_>, Failure> {
        let text = self.header(AUTHORIZATION.as_str()).unwrap_or_default();
        let Some((ALGORITHM, fields)) = text.split_once(' ') else {
            let message = format!("The signature method is not supported, only: {ALGORITHM}.");
            return Err(Failure::new(400, "UnsupportedSignatureMethod", message));
        };
        let fields: BTreeMap<&str, &str> =
            fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().filter(|value| !value.is_empty());
        let read = || {
            Some(Authorization {
                credential: field("Credential")?,
                signed_headers: field("SignedHeaders")?,
                signature: field("Signature")?,
            })
        };
        read().ok_or_else(|| {
            incomplete("Authorization must hold Credential, SignedHeaders and Signature")
        })
    }

    /// The signed headers with their values. `host` and every `x-acs-` header must be signed, or
    /// anyone on the way could change them.
    fn signed<'a>(&'a self, list: &'a str) -> Result<BTreeMap<&'a str, &'a str>, Failure> {
        let names: Vec<&str> = list.split(';').collect();
        if !names.is_sorted()
            || names.iter().any(|name| name.contains(|c: char| c.is_ascii_uppercase()))
        {
            return Err(incomplete("SignedHeaders must be in lower case and sorted"));
        }
        let own = self
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| name.starts_with("x-acs-"));
        if let Some(unsigned) = own.chain(["host"]).find(|name| !names.contains(name)) {
            return Err(incomplete(&format!("this header is not signed: {unsigned}")));
        }
        let value = |name: &'a str| Some((name, self.headers.get(name)?.to_str().ok()?.trim()));
        let found: Option<BTreeMap<&str, &str>> = names.into_iter().map(value).collect();
        found.ok_or_else(|| incomplete("a signed header is not there"))
    }

    fn canonical_request(&self, headers: &BTreeMap<&str, &str>, signed_headers: &str) -> String {
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let method = &self.method;
        let path = &self.path;
        let query = pairs(&self.query, "");
        let hash = &self.hashed_body;
        format!("{method}\n{path}\n{query}\n{lines}\n{signed_headers}\n{hash}")
    }
}

fn incomplete(why: &str) -> Failure {
    Failure::new(
        400,
        "IncompleteSignature",
        format!("The request signature does not conform to the standard: {why}."),
    )
}

fn sign(secret: &str, text: &str) -> String {
    // HMAC takes keys of any length, so the constructor's error cannot occur; an empty signature
    // would match nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn cases() -> Vec<Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/signatures/acs3.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        vectors["cases"].as_array().unwrap().clone()
    }

    /// The request of a case as it came over the wire.
    fn request(case: &Value) -> Request<Vec<u8>> {
        let target = case["wire_url"].as_str().map(str::to_owned).unwrap_or_else(|| {
            format!("https://host/?{}", case["canonical_query_string"].as_str().unwrap())
        });
        let mut request = Request::builder().method(case["method"].as_str().unwrap()).uri(target);
        for (name, value) in case["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request = request.header("authorization", case["authorization"].as_str().unwrap());
        request.body(case["body"].as_str().unwrap().as_bytes().to_vec()).unwrap()
    }

    fn verified(request: &Request<Vec<u8>>, case: &Value) -> Result<(), Failure> {
        Acs3::read(request).unwrap().verify(case["access_key_secret"].as_str().unwrap())
    }

    #[test]
    fn every_vector_of_the_vendor_signers_verifies_and_names_its_canonical_request() {
        assert_eq!(cases().len(), 21);
        for case in cases() {
            let request = request(&case);
            let acs3 = Acs3::read(&request).unwrap();
            assert_eq!(acs3.access_key_id().unwrap(), case["access_key_id"].as_str().unwrap());
            verified(&request, &case)
                .unwrap_or_else(|failure| panic!("{}: {failure:?}", case["name"]));
            let told = acs3.verify("another").unwrap_err().message;
            assert!(
                told.ends_with(case["canonical_request"].as_str().unwrap()),
                "{}: {told}",
                case["name"]
            );
            assert!(
                told.contains(case["string_to_sign"].as_str().unwrap()),
                "{}: {told}",
                case["name"]
            );
        }
    }

    #[test]
    fn nothing_that_is_signed_can_be_changed() {
        for case in cases() {
            let fine = request(&case);
            let changed = |change: &dyn Fn(&mut Request<Vec<u8>>)| {
                let mut request = fine.clone();
                change(&mut request);
                verified(&request, &case).expect_err("it was changed").code.into_owned()
            };
            assert_eq!(changed(&|request| request.body_mut().push(b'x')), "SignatureDoesNotMatch");
            assert_eq!(
                changed(&|request| *request.method_mut() = Method::PUT),
                "SignatureDoesNotMatch"
            );
            assert_eq!(
                changed(&|request| *request.uri_mut() = "/?A=1".parse().unwrap()),
                "SignatureDoesNotMatch"
            );
            for name in fine.headers().keys().filter(|name| *name != AUTHORIZATION) {
                let forged = changed(&|request| {
                    request.headers_mut().insert(name, "other".parse().unwrap());
                });
                assert_eq!(forged, "SignatureDoesNotMatch", "{name}");
            }
            let added = changed(&|request| {
                request.headers_mut().insert("x-acs-odd", "1".parse().unwrap());
            });
            assert_eq!(added, "IncompleteSignature");
        }
    }

    #[test]
    fn an_authorization_lacks_nothing() {
        let case = &cases()[0];
        let whole = case["authorization"].as_str().unwrap();
        for (odd, code) in [
            (whole.replace("HMAC-SHA256", "RSA-SHA256"), "UnsupportedSignatureMethod"),
            (whole.replace("Credential=", "Key="), "IncompleteSignature"),
            (whole.replace("SignedHeaders=host;", "SignedHeaders="), "IncompleteSignature"),
            (whole.replace("SignedHeaders=host", "SignedHeaders=Host"), "IncompleteSignature"),
            (whole.replace("SignedHeaders=host", "SignedHeaders=gone;host"), "IncompleteSignature"),
            (whole.replace("Signature=", "Signature=0"), "SignatureDoesNotMatch"),
        ] {
            let mut request = request(case);
            request.headers_mut().insert(AUTHORIZATION, odd.parse().unwrap());
            let failure = verified(&request, case).unwrap_err();
            assert_eq!((failure.status, &*failure.code), (400, code), "{odd}");
            assert!(failure.message.contains(':'), "{}", failure.message);
        }
    }
}
