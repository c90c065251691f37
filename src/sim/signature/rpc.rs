//! RPC V1 signatures (HMAC-SHA1): everything is in the parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::{encode, pairs};
use crate::sim::parameters::Parameters;

/// The string to sign: the method and all parameters except the signature.
pub(crate) fn string_to_sign(method: &str, parameters: &Parameters) -> String {
    format!("{method}&%2F&{}", encode(&pairs(parameters, "Signature")))
}

/// The signature of a text under the secret of an access key.
pub(crate) fn sign(secret: &str, text: &str) -> String {
    let key = format!("{secret}&");
    // HMAC takes keys of any length, so the constructor's error cannot occur; an empty signature
    // would match nothing.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use serde_json::Value;

    fn cases() -> Vec<Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/signatures/rpc_v1.json");
        let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        vectors["cases"].as_array().unwrap().clone()
    }

    #[test]
    fn every_vector_of_the_vendor_signers_is_reproduced() {
        for case in cases() {
            let parameters: Parameters = serde_json::from_value(case["params"].clone()).unwrap();
            let text = string_to_sign(case["method"].as_str().unwrap(), &parameters);
            assert_eq!(text, case["string_to_sign"].as_str().unwrap(), "{}", case["name"]);
            let secret = case["access_key_secret"].as_str().unwrap();
            assert_eq!(
                sign(secret, &text),
                case["signature"].as_str().unwrap(),
                "{}",
                case["name"]
            );
        }
    }

    #[test]
    fn what_the_vendor_sdks_put_on_the_wire_verifies() {
        let mut seen = 0;
        for case in cases() {
            let Some(target) = case["wire_path_and_query"].as_str() else { continue };
            let request = Request::builder()
                .method(case["method"].as_str().unwrap())
                .uri(target)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(case["wire_body"].as_str().unwrap_or_default().as_bytes().to_vec())
                .unwrap();
            let parameters = crate::sim::parameters::read(&request);
            let text = string_to_sign(request.method().as_str(), &parameters);
            let secret = case["access_key_secret"].as_str().unwrap();
            assert_eq!(sign(secret, &text), parameters["Signature"], "{}", case["name"]);
            seen += 1;
        }
        assert!(seen > 15, "the vectors carry wire forms");
    }
}
