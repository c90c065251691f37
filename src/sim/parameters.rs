//! The parameters of a request, from its query and form body together.

use std::collections::BTreeMap;

use http::{Request, header::CONTENT_TYPE};
use percent_encoding::percent_decode;

use super::failure::Failure;

/// Decoded parameters, in byte order of their names as signatures require.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Reads the parameters of the query and of a form body, if there is one. Other bodies are ignored.
pub(crate) fn read<B: AsRef<[u8]>>(request: &Request<B>) -> Parameters {
    let mut parameters = of_query(request);
    let content_type =
        request.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if content_type.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded") {
        parameters.extend(decode(request.body().as_ref()));
    }
    parameters
}

/// Reads the parameters of the query alone.
pub(crate) fn of_query<B>(request: &Request<B>) -> Parameters {
    decode(request.uri().query().unwrap_or_default().as_bytes())
}

fn decode(text: &[u8]) -> Parameters {
    text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(decode_pair).collect()
}

fn decode_pair(pair: &[u8]) -> (String, String) {
    let mut halves = pair.splitn(2, |&byte| byte == b'=');
    let name = halves.next().unwrap_or_default();
    (decode_word(name), decode_word(halves.next().unwrap_or_default()))
}

fn decode_word(word: &[u8]) -> String {
    let spaced: Vec<u8> = word.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

/// The value of a required parameter; it must not be empty.
pub(crate) fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Failure> {
    optional(parameters, name).ok_or_else(|| Failure::missing(name))
}

/// The value of a parameter, unless missing or empty.
pub(crate) fn optional<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// An integer within limits, or its default.
pub(crate) fn integer(
    parameters: &Parameters,
    name: &str,
    default: usize,
    limits: std::ops::RangeInclusive<usize>,
) -> Result<usize, Failure> {
    let Some(text) = optional(parameters, name) else { return Ok(default) };
    let number = text.parse().map_err(|_| Failure::invalid(name))?;
    if limits.contains(&number) { Ok(number) } else { Err(Failure::invalid(name)) }
}

/// A boolean. Python's SDKs write `True`, those of Go and Java `true`.
pub(crate) fn boolean(parameters: &Parameters, name: &str) -> Result<bool, Failure> {
    match optional(parameters, name) {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Failure::invalid(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_form_come_together_and_decode_both_spaces() {
        let request = Request::post("/?a=x%20y&empty=")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(b"b=x+y%2B&c".to_vec())
            .unwrap();
        let parameters = read(&request);
        let pairs: Vec<_> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "x y"), ("b", "x y+"), ("c", ""), ("empty", "")]);
    }

    #[test]
    fn a_body_that_is_no_form_is_ignored() {
        let request = Request::post("/?a=1").body(b"b=2".to_vec()).unwrap();
        assert_eq!(read(&request).len(), 1);
    }

    #[test]
    fn numbers_and_truth_values_are_checked() {
        let parameters: Parameters = [("n", "51"), ("yes", "True"), ("odd", "1")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into();
        assert_eq!(integer(&parameters, "n", 10, 1..=50).unwrap_err().code, "InvalidParams");
        assert_eq!(integer(&parameters, "absent", 10, 1..=50).unwrap(), 10);
        assert!(boolean(&parameters, "yes").unwrap());
        assert!(boolean(&parameters, "odd").is_err());
    }
}
