//! Both signature methods, verified by the simulator's own implementation of the vendor's rules.

pub(crate) mod acs3;
pub(crate) mod rpc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::parameters::Parameters;

/// Everything but the unreserved characters of RFC 3986 is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encode(word: &str) -> String {
    utf8_percent_encode(word, RESERVED).to_string()
}

/// Encoded pairs sorted by name, except for one name.
fn pairs(parameters: &Parameters, without: &str) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| *name != without)
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}
