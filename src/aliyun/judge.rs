//! What an answer is: the one order in which that is judged, for every operation.
//!
//! 1. A `Code`, whatever the status. In an answer that went well only one that stands beside what was asked for counts: as
//!    an error if it is known, or if nothing else is there; else as a word that nobody knows.
//! 2. Without one, the status.
//! 3. The body of the operation.

use http::HeaderMap;
use http::header::LOCATION;
use jiff::Timestamp;

use super::content::{self, Content};
use super::error::{Came, Error};
use super::op::{Answer, Decoded, Operation};
use super::said::{self, Depth, Said};
use super::{codes, hints};

/// An answer as it is judged.
pub(super) struct Heard<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// When its head came, by this machine's clock.
    pub(super) received: Option<Timestamp>,
    /// It came through a proxy that the user has named.
    pub(super) is_proxied: bool,
}

/// Reads the answer of an operation. What the cloud says of an error is to be [cleaned](Error::cleaned).
pub(super) fn judged(operation: &Operation, heard: &Heard) -> Result<Decoded<Answer>, Error> {
    if !(200..300).contains(&heard.status) {
        return Err(refused(heard));
    }
    let read = operation.decode(said::unmarked(heard.body));
    let Some(said) = said::said(heard.body, Depth::Top) else {
        return read.map_err(|error| heard.unread((error.line(), error.column())));
    };
    match (codes::known(&said.code).is_some(), read) {
        (is_known, Ok(decoded)) if decoded.value.holds_something() => match is_known {
            true => beside(decoded, heard.service(said)),
            false => Ok(with_unknown_code(decoded, &said.code)),
        },
        _ => Err(heard.service(said)),
    }
}

/// What is there is shown, and the error is told. Where that is impossible, the last good answer holds.
fn beside(mut decoded: Decoded<Answer>, error: Error) -> Result<Decoded<Answer>, Error> {
    match decoded.value.set_partial() {
        true => Ok(Decoded { error: Some(error), ..decoded }),
        false => Err(error),
    }
}

fn with_unknown_code(mut decoded: Decoded<Answer>, code: &str) -> Decoded<Answer> {
    decoded.unknown.push(("Code", presentable(code).chars().take(LONGEST_WORD).collect()));
    decoded
}

/// The error of an answer whose status is not a success.
pub(super) fn refused(heard: &Heard) -> Error {
    if let Some(said) = said::said(heard.body, Depth::Any) {
        return heard.service(said);
    }
    match heard.status {
        // E-HPC's own 407 has a Code.
        407 if heard.is_proxied => Error::ProxyLogin("the proxy wants a user name and a password (HTTP 407)".into()),
        300..400 => heard.by_status(format!("redirected to {}", host(heard.headers))),
        status if codes::by_status(status).is_some() => heard.by_status(heard.content((0, 0)).to_string()),
        _ => heard.unread((0, 0)),
    }
}

impl Heard<'_> {
    fn service(&self, said: Said) -> Error {
        let request_id = said.request_id.map(|id| presentable(&id)).filter(|id| !id.is_empty());
        Error::Service {
            status: self.status,
            code: presentable(&said.code),
            message: presentable(said.message.as_deref().unwrap_or("no message")),
            request_id: request_id.unwrap_or_else(|| request_id_of(self.headers)),
            pause: hints::pause(self.headers, self.received),
            clock_skew: None,
        }
    }

    fn by_status(&self, detail: String) -> Error {
        Error::Status { came: self.came(), detail, pause: hints::pause(self.headers, self.received) }
    }

    fn unread(&self, place: (usize, usize)) -> Error {
        Error::Decode { came: self.came(), content: self.content(place) }
    }

    fn content(&self, place: (usize, usize)) -> Content {
        Content::of(self.headers, self.body, place)
    }

    fn came(&self) -> Came {
        let content_type = content::content_type(self.headers);
        Came { status: self.status, content_type, request_id: request_id_of(self.headers) }
    }
}

/// Of a code that is no known one, so many characters are told.
const LONGEST_WORD: usize = 64;

/// `x-acs-request-id`, or `unknown`.
fn request_id_of(headers: &HeaderMap) -> String {
    headers.get("x-acs-request-id").and_then(|id| id.to_str().ok()).map_or_else(|| "unknown".into(), presentable)
}

/// Where a redirect leads. Only the host is told: the rest may hold the request with its signature.
fn host(headers: &HeaderMap) -> String {
    let Some(location) = headers.get(LOCATION) else { return "nowhere".into() };
    let text = location.to_str().unwrap_or_default();
    let after_scheme = text.split_once("//").filter(|(scheme, _)| !scheme.contains(['/', '?', '#']));
    let Some((_, rest)) = after_scheme else { return "another path of the same host".into() };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    match !host.is_empty() && host.len() <= 253 && host.bytes().all(is_plain) {
        true => host.to_owned(),
        false => "a host that cannot be shown".into(),
    }
}

/// Where a message begins to repeat the request; the two methods of signing have words of their own.
const REPEATED: [&str; 4] = ["server string to sign", "stringtosign", "canonical request", "canonicalrequest"];

/// One line of the cloud's text, without the request that some messages repeat.
fn presentable(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let end = REPEATED.iter().filter_map(|words| lower.find(words)).min().unwrap_or(text.len());
    let line: String = text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}
