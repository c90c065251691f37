//! Judges answers: the one order of checks, for every operation.
//!
//! 1. A `Code`, whatever the status. In a successful answer only one at the top level counts: as an
//!    error if it is known, or if there is no data; otherwise as an unknown word.
//! 2. Without one, the status.
//! 3. The body of the operation.

use http::HeaderMap;
use http::header::LOCATION;
use jiff::Timestamp;

use super::content::{self, Content};
use super::error::{Came, Error};
use super::error_body::{self, Depth, ErrorBody};
use super::op::{Answer, Decoded, Operation, Undecoded};
use super::{codes, hints};

/// An answer to judge.
pub(super) struct Heard<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// When its head arrived, by this machine's clock.
    pub(super) received: Option<Timestamp>,
    /// Whether it came through a proxy that the user has configured.
    pub(super) is_proxied: bool,
}

/// Decodes the answer to an operation. The cloud's text in the answer or error must still be
/// [cleaned](Decoded::cleaned).
pub(super) fn judged(operation: &Operation, heard: &Heard) -> Result<Decoded<Answer>, Error> {
    if !(200..300).contains(&heard.status) {
        return Err(refused(heard));
    }
    let read = match operation.decode(error_body::unmarked(heard.body)) {
        // Nearly every answer ends here.
        Ok(decoded) if !decoded.has_code => return Ok(decoded),
        read => read,
    };
    let Some(error_body) = error_body::error_body(heard.body, Depth::Top) else {
        return read.map_err(|error| heard.unread(Some(error)));
    };
    match (codes::known(&error_body.code).is_some(), read) {
        (is_known, Ok(decoded)) if decoded.value.holds_something() => match is_known {
            true => Ok(beside(decoded, heard.service(error_body))),
            false => Ok(with_unknown_code(decoded, &error_body.code)),
        },
        _ => Err(heard.service(error_body)),
    }
}

/// Keeps the data, and reports the error with it.
fn beside(mut decoded: Decoded<Answer>, error: Error) -> Decoded<Answer> {
    decoded.value.set_partial();
    Decoded { error: Some(error), ..decoded }
}

fn with_unknown_code(mut decoded: Decoded<Answer>, code: &str) -> Decoded<Answer> {
    let word = shown(code).unwrap_or_else(|| "unknown".into());
    decoded.unknown.push(("Code", word));
    decoded
}

/// The error of an answer with a failure status.
pub(super) fn refused(heard: &Heard) -> Error {
    if let Some(error_body) = error_body::error_body(heard.body, Depth::Any) {
        return heard.service(error_body);
    }
    match heard.status {
        // E-HPC's own 407 has a Code, and was handled above.
        407 if heard.is_proxied => {
            Error::ProxyLogin("the proxy wants a user name and a password (HTTP 407)".into())
        }
        status @ 502..=504 if heard.is_proxied && is_of_proxy(heard.headers) => Error::Proxy(
            format!("the proxy has answered in the place of the cloud (HTTP {status})"),
        ),
        300..400 => heard.by_status(format!("redirected to {}", host(heard.headers))),
        status if codes::by_status(status).is_some() => {
            heard.by_status(heard.content(None).to_string())
        }
        _ => heard.unread(None),
    }
}

/// Whether an answer has headers that only a proxy writes: `Proxy-Status` (RFC 9209), Squid's own,
/// or that of a 407.
fn is_of_proxy(headers: &HeaderMap) -> bool {
    ["proxy-status", "x-squid-error", "proxy-authenticate"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

impl Error {
    /// Whether a body has an error code beside the requested data.
    pub(crate) fn has_code(body: &[u8]) -> bool {
        error_body::error_body(body, Depth::Top).is_some()
    }

    /// Reads the error of an answer with a failure status. The cloud's text in it must still be
    /// [cleaned](Self::cleaned).
    pub(crate) fn from_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        refused(&Heard { status, headers, body, received: None, is_proxied: false })
    }
}

impl Heard<'_> {
    fn service(&self, error_body: ErrorBody) -> Error {
        let ErrorBody { code, message, request_id } = error_body;
        let message = message.as_deref().and_then(shown);
        let request_id = request_id.as_deref().and_then(shown);
        Error::Service {
            status: self.status,
            code: shown(&code).unwrap_or_else(|| "unknown".into()),
            message: message.unwrap_or_else(|| "no message".into()),
            request_id: request_id.unwrap_or_else(|| request_id_of(self.headers)),
            pause: hints::pause(self.headers, self.received),
            clock_skew: None,
        }
    }

    fn by_status(&self, detail: String) -> Error {
        Error::Status {
            came: self.came(),
            detail,
            pause: hints::pause(self.headers, self.received),
        }
    }

    fn unread(&self, why: Option<Undecoded>) -> Error {
        Error::Decode { came: self.came(), content: self.content(why) }
    }

    fn content(&self, why: Option<Undecoded>) -> Content {
        Content::of(self.headers, self.body, why)
    }

    fn came(&self) -> Came {
        let content_type = content::content_type(self.headers);
        Came { status: self.status, content_type, request_id: request_id_of(self.headers) }
    }
}

/// `x-acs-request-id`, or `unknown`.
fn request_id_of(headers: &HeaderMap) -> String {
    header_request_id(headers).unwrap_or_else(|| "unknown".into())
}

fn header_request_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-acs-request-id").and_then(|id| id.to_str().ok()).and_then(shown)
}

/// The request id of any answer, from its headers or its body. Must still be cleaned of secrets.
pub(super) fn request_id(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let id = header_request_id(headers).or_else(|| shown(&error_body::request_id(body)?));
    id.filter(|id| id.len() <= LONGEST_REQUEST_ID)
}

/// Maximum length of a request id that is reported, in bytes. The vendor's have 36.
const LONGEST_REQUEST_ID: usize = 128;

/// Where a redirect leads. Only the host is shown: the rest may contain the signed request.
fn host(headers: &HeaderMap) -> String {
    let Some(location) = headers.get(LOCATION) else { return "nowhere".into() };
    let text = location.to_str().unwrap_or_default();
    let after_scheme =
        text.split_once("//").filter(|(scheme, _)| !scheme.contains(['/', '?', '#']));
    let Some((_, rest)) = after_scheme else { return "another path of the same host".into() };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
    match !host.is_empty() && host.len() <= 253 && host.bytes().all(is_plain) {
        true => host.to_owned(),
        false => "a host that cannot be shown".into(),
    }
}

/// Where a message begins to repeat the request; the two signature methods use different words.
const REPEATED: [&str; 4] =
    ["server string to sign", "stringtosign", "canonical request", "canonicalrequest"];

/// The cloud's text as it is shown, if anything of it is.
fn shown(text: &str) -> Option<String> {
    Some(presentable(text)).filter(|line| !line.is_empty())
}

/// The cloud's text as one line, without the request that some messages repeat.
fn presentable(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let end = REPEATED.iter().filter_map(|words| lower.find(words)).min().unwrap_or(text.len());
    let line: String = text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Heard, judged};
    use crate::action::Action;
    use crate::aliyun::Error;
    use crate::aliyun::op::samples::sample;
    use crate::aliyun::op::{Answer, Decoded, ListTasks, Operation};
    use crate::model::Reason;

    fn tasks() -> Operation {
        ListTasks::running("c", 1).into()
    }

    fn judge(
        operation: &Operation,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Decoded<Answer>, Error> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        judged(
            operation,
            &Heard { status, headers: &headers, body, received: None, is_proxied: false },
        )
    }

    fn reason(status: u16, body: &str) -> Option<Reason> {
        judge(&tasks(), status, &[], body.as_bytes()).err().map(|error| error.reason())
    }

    #[test]
    fn what_a_proxy_answers_in_the_place_of_the_cloud_is_the_proxys() {
        let reason = |status: u16, is_proxied: bool, header: &str| {
            let headers: HeaderMap =
                [(header.parse().unwrap(), "x".parse().unwrap())].into_iter().collect();
            judged(
                &tasks(),
                &Heard { status, headers: &headers, body: b"<html>", received: None, is_proxied },
            )
            .unwrap_err()
            .reason()
        };
        for header in ["proxy-status", "X-Squid-Error"] {
            assert_eq!(
                (reason(503, true, header), reason(503, false, header)),
                (Reason::Proxy, Reason::Service)
            );
        }
        assert_eq!(
            reason(503, true, "x-acs-request-id"),
            Reason::Service,
            "perhaps it is the cloud's"
        );
    }

    const THROTTLED_XML: &str =
        "<?xml version=\"1.0\"?><Error><Code>Throttling.User</Code></Error>";

    #[test]
    fn a_code_decides_whatever_the_status_and_the_form() {
        for (status, body, wanted) in [
            (200, r#"{"Code": "Throttling.User"}"#, Reason::Throttled),
            (200, r#"{"code": "throttling.user", "Tasks": null}"#, Reason::Throttled),
            (200, r#"{"Code": "UnknownError", "Tasks": null, "TotalCount": 0}"#, Reason::Service),
            (200, r#"{"Code": "UnknownError", "Tasks": [], "TotalCount": 0}"#, Reason::Service),
            (200, r#"{"Code": "NoPermission"}"#, Reason::Permission),
            (200, r#"{"Code": "SystemBusy", "Tasks": null}"#, Reason::Service),
            (200, r#"{"Code": "SystemBusy", "Tasks": {"Task": []}}"#, Reason::Service),
            (200, r#"{"Code": "Thing.NotFound", "Tasks": ""}"#, Reason::NotFound),
            (200, r#"{"Code": 500, "Tasks": null}"#, Reason::Service),
            (200, r#"{"Code": "429", "Tasks": null}"#, Reason::Throttled),
            (200, r#"{"Code": "403", "Tasks": null}"#, Reason::Blocked),
            (200, THROTTLED_XML, Reason::Throttled),
            (204, r#"{"Code": "InternalError"}"#, Reason::Service),
            (302, r#"{"Code": "Throttling.User"}"#, Reason::Throttled),
            (400, THROTTLED_XML, Reason::Throttled),
            (403, "<Error><Code>Forbidden.RAM</Code></Error>", Reason::Permission),
            (407, "<Error><Code>NotAuthorized</Code></Error>", Reason::Permission),
            (401, r#"{"error": {"code": "InvalidAccessKeyId.NotFound"}}"#, Reason::Credentials),
            (404, "<Error><Code>ClusterNotFound</Code></Error>", Reason::NotFound),
            (503, r#"{"data": {"Code": "Throttling"}, "code": 503}"#, Reason::Service),
            (503, r#"{"Code": "Throttling", "Code": "InDebt"}"#, Reason::Account),
        ] {
            assert_eq!(reason(status, body), Some(wanted), "{status} {body}");
        }
    }

    #[test]
    fn without_a_code_the_status_decides() {
        let html =
            "<html><head><title>Nothing for you</title></head><code>Throttling</code></html>";
        let fine = r#"{"Code": "200", "Message": "OK"}"#;
        for (status, wanted) in [
            (429, Reason::Throttled),
            (401, Reason::Blocked),
            (403, Reason::Blocked),
            (407, Reason::Blocked),
            (301, Reason::Blocked),
            (308, Reason::Blocked),
            (500, Reason::Service),
            (503, Reason::Service),
            (599, Reason::Service),
            (400, Reason::Decode),
            (404, Reason::Decode),
        ] {
            for body in
                ["", " \n", html, fine, r#"{"message": "no"}"#, "no", "<Error/>", "\u{1f}\u{8b}"]
            {
                assert_eq!(reason(status, body), Some(wanted), "{status} {body}");
                let error = judge(&tasks(), status, &[], body.as_bytes()).unwrap_err();
                assert!(
                    !error.advice().contains("report this as a bug"),
                    "{status} {body}: {}",
                    error.advice()
                );
                assert!(!error.to_string().contains("Nothing for you"), "{error}");
            }
        }
        assert_eq!(reason(403, r#"{"code": 403, "message": "blocked"}"#), Some(Reason::Blocked));
    }

    #[test]
    fn of_a_redirect_only_the_host_is_told() {
        for (location, wanted) in [
            (
                "https://login.example.com/?back=ehpc&Signature=secret",
                "redirected to login.example.com",
            ),
            ("//portal:8443/x", "redirected to portal:8443"),
            ("http://user:secret@10.0.0.1", "redirected to 10.0.0.1"),
            ("/login?Signature=secret", "redirected to another path of the same host"),
            ("/login?to=https://secret/", "redirected to another path of the same host"),
            ("https://<secret>/", "redirected to a host that cannot be shown"),
        ] {
            let error = judge(&tasks(), 302, &[("location", location)], b"").unwrap_err();
            let told = error.to_string();
            assert!(told.ends_with(wanted) && !told.contains("secret"), "{told}");
            assert!(error.advice().contains("never redirects"), "{}", error.advice());
        }
    }

    #[test]
    fn what_is_no_answer_of_the_api_is_told_as_what_it_is_and_is_no_bug() {
        let json = ("content-type", "application/json; charset=utf-8");
        for (headers, body, wanted, advice) in [
            (&[][..], &b""[..], "no content type, request id unknown: an empty body", "come whole"),
            (
                &[("content-type", "text/html")],
                b"<!doctype html><form>",
                "text/html, request id unknown: an HTML",
                "login",
            ),
            (&[json], b"<html>", "an HTML page", "login page"),
            (&[json], b"\x1f\x8b\x08", "a compressed body", "compress"),
            (&[json, ("content-encoding", "br")], b"\x8b\x02", "a compressed body", "compress"),
            (&[json], b"{\"Tasks\": [", "JSON that breaks off", "come whole"),
            (
                &[("content-type", "text/plain")],
                b"{\"Other\": 1}",
                "JSON without Tasks",
                "no answer of the API",
            ),
            (
                &[json],
                b"<ListTasksResponse><Tasks/></ListTasksResponse>",
                "XML without",
                "no answer of the API",
            ),
            (&[json], b"Welcome", "a body that is not JSON", "no answer of the API"),
        ] {
            let error = judge(&tasks(), 200, headers, body).unwrap_err();
            assert_eq!(error.reason(), Reason::Decode, "{error}");
            assert!(
                error.to_string().starts_with("HTTP 200, ") && error.to_string().contains(wanted),
                "{error}"
            );
            assert!(error.advice().contains(advice), "{}", error.advice());
            assert!(!error.advice().contains("bug"), "{}", error.advice());
        }
        let strange = judge(&tasks(), 200, &[json, ("x-acs-request-id", "R")], b"{\"Other\": 1}")
            .unwrap_err();
        assert!(
            strange
                .to_string()
                .contains("HTTP 200, application/json, request id R: JSON without Tasks")
        );
        assert!(strange.advice().contains("report this as a bug"));
    }

    #[test]
    fn a_byte_order_mark_and_a_code_that_says_that_all_is_well_change_nothing() {
        let task =
            r#""Tasks": [{"TaskId": "t", "Status": "Processing", "TaskType": "AddComputes"}]"#;
        for body in [
            format!("\u{feff}{{{task}}}"),
            format!(r#"{{"Code": "200", {task}}}"#),
            format!(r#"{{"code": 0, "Message": "success", {task}}}"#),
            format!(r#"{{"CODE": "ok", {task}}}"#),
            format!(r#"{{"Code": "", {task}}}"#),
            format!(r#"{{"Code": "Throttling", "Code": null, {task}}}"#),
        ] {
            let decoded = judge(&tasks(), 200, &[], body.as_bytes()).unwrap();
            assert_eq!((decoded.unknown, decoded.error), (vec![], None), "{body}");
            assert_eq!(
                decoded.value,
                judge(&tasks(), 200, &[], format!("{{{task}}}").as_bytes()).unwrap().value
            );
        }
    }

    /// Each operation, and the smallest body that answers it.
    fn full() -> impl Iterator<Item = (Operation, &'static str)> {
        Action::ALL.iter().copied().map(sample)
    }

    #[test]
    fn an_unknown_code_beside_what_was_asked_for_is_an_unknown_word_for_every_operation() {
        for (operation, body) in full() {
            let plain = judge(&operation, 200, &[], format!("{{{body}}}").as_bytes()).unwrap();
            let beside = format!(r#"{{"Code": "Odd\u0007{}", {body}}}"#, "x".repeat(100));
            let decoded = judge(&operation, 200, &[], beside.as_bytes()).unwrap();
            let decoded = decoded.cleaned(str::to_owned, true);
            assert_eq!(
                (&decoded.value, &decoded.error),
                (&plain.value, &None),
                "{}",
                operation.name()
            );
            assert_eq!(
                decoded.unknown,
                [("Code", format!("Odd {}", "x".repeat(60)))],
                "{}",
                operation.name()
            );
            let alone = judge(&operation, 200, &[], br#"{"Code": "Odd"}"#).unwrap_err();
            assert_eq!(alone.reason(), Reason::Service, "{}", operation.name());
        }
    }

    #[test]
    fn a_known_error_beside_what_was_asked_for_is_told_and_what_is_missing_is_not_gone() {
        for (operation, body) in full() {
            let beside = format!(r#"{{{body}, "Code": "Throttling.User", "Message": "m"}}"#);
            let outcome = judge(&operation, 200, &[("retry-after", "9")], beside.as_bytes());
            let Ok(decoded) = outcome else {
                assert_eq!(operation.name(), "ListRegions", "the last good list of regions holds");
                continue;
            };
            let error = decoded.error.unwrap();
            assert_eq!(
                (error.reason(), error.pause().map(|pause| pause.as_secs())),
                (Reason::Throttled, Some(9))
            );
            let is_partial = match decoded.value {
                Answer::ListTasks(page) => page.is_partial,
                Answer::ListCommands(page) => page.is_partial,
                Answer::ListInvocationResults(page) => page.is_partial,
                Answer::ListClusters(page) | Answer::ListInstances(page) => page.is_partial,
                Answer::DescribeInvocations(page) => page.is_partial,
                Answer::DescribeCommandInvocations(page) => page.is_partial,
                _ => true,
            };
            assert!(is_partial, "{}", operation.name());
        }
    }

    #[test]
    fn no_text_of_an_error_is_blank() {
        let blank = judge(&tasks(), 400, &[], b"<Error><Code>\0\0</Code></Error>").unwrap_err();
        assert_eq!(blank.code(), None, "{blank}");
        let body = br#"{"Code": "StringToSign: GET", "Message": "\u0007", "RequestId": ""}"#;
        let cut = judge(&tasks(), 400, &[("x-acs-request-id", " ")], body).unwrap_err();
        assert_eq!(cut.to_string(), "unknown: no message (HTTP 400, request id unknown)");
    }

    #[test]
    fn a_code_inside_an_entry_is_none_of_the_answer() {
        let body = r#"{"Tasks": [{"TaskId": "t", "Status": "Failed", "TaskType": "AddComputes",
                       "Errors": "[{\"Code\":\"Throttling\"}]", "Code": "Throttling"}]}"#;
        let decoded = judge(&tasks(), 200, &[], body.as_bytes()).unwrap();
        assert_eq!((decoded.unknown, decoded.error), (vec![], None));
    }
}
