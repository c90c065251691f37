//! What a body is when it is not the expected answer.

use std::fmt;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::IgnoredAny;

use super::error_body::unmarked;
use super::op::Undecoded;

/// What a body is, without any of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is no body.
    Empty,
    /// Compressed, although that was not requested.
    Compressed,
    /// A page for a browser.
    Html,
    /// XML.
    Xml,
    /// JSON, but not as documented; where parsing stopped.
    Json {
        /// Line, from 1; 0 if unknown.
        line: usize,
        /// Column.
        column: usize,
    },
    /// JSON without this expected list or object.
    Lacks(&'static str),
    /// An answer about something other than requested, judging by this field.
    OfAnother(&'static str),
    /// JSON that is cut off or invalid.
    BrokenJson,
    /// Anything else.
    Other,
}

impl Content {
    /// Classifies a body; `why` is the reason that it could not be decoded, if that was tried.
    pub(super) fn of(headers: &HeaderMap, body: &[u8], why: Option<Undecoded>) -> Self {
        let body = unmarked(body).trim_ascii_start();
        let encoding =
            headers.get(CONTENT_ENCODING).map(|encoding| encoding.as_bytes().trim_ascii());
        let starts = |with: &[u8]| {
            body.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        match body.first() {
            None => Self::Empty,
            Some(b'{' | b'[') if serde_json::from_slice::<IgnoredAny>(&valid(body)).is_ok() => {
                Self::json(why)
            }
            Some(b'{' | b'[') => Self::BrokenJson,
            Some(b'<') if starts(b"<?xml") && !is_html(body) => Self::Xml,
            Some(b'<') if is_html(body) || is_called(headers, "html") => Self::Html,
            Some(b'<') => Self::Xml,
            Some(_) if body.starts_with(&[0x1f, 0x8b]) => Self::Compressed,
            Some(_)
                if encoding.is_some_and(|word| {
                    !word.is_empty() && !word.eq_ignore_ascii_case(b"identity")
                }) =>
            {
                Self::Compressed
            }
            Some(_) => Self::Other,
        }
    }
}

impl Content {
    fn json(why: Option<Undecoded>) -> Self {
        match why {
            Some(Undecoded::Missing(field)) => Self::Lacks(field),
            Some(Undecoded::Other(field)) => Self::OfAnother(field),
            Some(Undecoded::Malformed { line, column }) => Self::Json { line, column },
            None => Self::Json { line: 0, column: 0 },
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty body"),
            Self::Compressed => f.write_str("a compressed body, which was not asked for"),
            Self::Html => f.write_str("an HTML page"),
            Self::Xml => f.write_str("XML without an error code"),
            Self::Json { line: 0, .. } => f.write_str("JSON without an error code"),
            Self::Json { line, column } => {
                write!(f, "not the documented JSON at line {line} column {column}")
            }
            Self::Lacks(field) => write!(f, "JSON without {field}"),
            Self::OfAnother(field) => {
                write!(f, "an answer about another {field} than was asked for")
            }
            Self::BrokenJson => f.write_str("JSON that breaks off or has a mistake"),
            Self::Other => f.write_str("a body that is not JSON"),
        }
    }
}

/// The body with invalid UTF-8 replaced, as the decoder reads it.
fn valid(body: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(body).into_owned().into_bytes()
}

/// Whether a body is an HTML page: its first 1024 bytes contain an HTML tag.
fn is_html(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    ["<html", "<!doctype html", "<head", "<body", "<title", "<script", "<center"]
        .iter()
        .any(|tag| start.contains(tag))
}

fn is_called(headers: &HeaderMap, kind: &str) -> bool {
    content_type(headers).contains(kind)
}

/// The media type, such as `text/html`, without its parameters.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let Some(value) = headers.get(CONTENT_TYPE) else { return "no content type".into() };
    let kind =
        value.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    match !kind.is_empty() && kind.len() <= 60 && kind.bytes().all(is_plain) {
        true => kind.to_ascii_lowercase(),
        false => "an odd content type".into(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Content, Undecoded, content_type};

    fn of(body: impl AsRef<[u8]>, headers: &[(&'static str, &str)]) -> Content {
        let why = Undecoded::Malformed { line: 1, column: 2 };
        Content::of(&map(headers), body.as_ref(), Some(why))
    }

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_body_is_called_what_it_is() {
        for (body, wanted) in [
            ("", Content::Empty),
            ("\u{feff} \r\n", Content::Empty),
            ("{}", Content::Json { line: 1, column: 2 }),
            ("\u{feff}[1]", Content::Json { line: 1, column: 2 }),
            ("{\"a\": ", Content::BrokenJson),
            ("<!DOCTYPE html><title>Log in</title>", Content::Html),
            ("<?xml version='1.0'?><html>", Content::Html),
            ("<HTML>", Content::Html),
            ("<Error><Code/></Error>", Content::Xml),
            ("Bad Gateway", Content::Other),
            ("7", Content::Other),
        ] {
            assert_eq!(of(body, &[]), wanted, "{body}");
        }
        assert_eq!(
            of("<p>Blocked</p>", &[("content-type", "text/html; charset=gbk")]),
            Content::Html
        );
        assert_eq!(of(b"\x1f\x8b\x08\x00", &[]), Content::Compressed);
        assert_eq!(of(b"\x8b\x00", &[("content-encoding", "br")]), Content::Compressed);
        assert_eq!(of("Bad", &[("content-encoding", "identity")]), Content::Other);
        assert_eq!(of(b"{\"a\": \"\xc4\xfa\"}", &[]), Content::Json { line: 1, column: 2 });
    }

    #[test]
    fn of_a_content_type_only_the_type_itself_is_told() {
        for (value, wanted) in [
            ("Text/HTML; charset=utf-8", "text/html"),
            ("application/json", "application/json"),
            ("<script>", "an odd content type"),
            ("", "an odd content type"),
        ] {
            assert_eq!(content_type(&map(&[("content-type", value)])), wanted);
        }
        assert_eq!(content_type(&HeaderMap::new()), "no content type");
    }
}
