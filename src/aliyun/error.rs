//! What can go wrong, and the one table Code -> reason, retryable. By Code, never by HTTP status: the cloud sends
//! permission errors as 407 and trouble of its own as 406. Source: "Errors" in `docs/alibaba-cloud-api.md`.

use std::time::Duration;

use http::HeaderMap;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::model::Reason;

/// Why an attempt brought no answer. Its text holds no URL, key, token or signature.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is nothing to sign with.
    #[error("{0}")]
    Credentials(String),
    /// The cloud refused a credential that has been replaced meanwhile.
    #[error("{0}")]
    Replaced(Box<Error>),
    /// No connection, or it broke.
    #[error("{0}")]
    Transport(String),
    /// The other side's certificate is of no authority that is trusted, or not valid.
    #[error("{0}")]
    Untrusted(String),
    /// The proxy wants to know who asks.
    #[error("{0}")]
    Proxy(String),
    /// No answer in time.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The answer is larger than the limit, in bytes.
    #[error("the answer is larger than poll.max_response_bytes ({0} bytes)")]
    TooLarge(u64),
    /// The answer is not the documented JSON.
    #[error("HTTP {status}, request id {request_id}: {detail}")]
    Decode {
        /// HTTP status.
        status: u16,
        /// `x-acs-request-id`, or `unknown`.
        request_id: String,
        /// What was wrong with it, without the answer's text.
        detail: String,
    },
    /// The cloud answered with an error.
    #[error("{code}: {message} (HTTP {status}, request id {request_id})")]
    Service {
        /// HTTP status.
        status: u16,
        /// `Code`.
        code: String,
        /// `Message`, without what it repeats of the request.
        message: String,
        /// `RequestId`.
        request_id: String,
        /// How long the cloud wants to be left alone, where its headers say so.
        pause: Option<Duration>,
        /// How far the cloud's clock is ahead of ours, where that is the trouble.
        clock_skew: Option<SignedDuration>,
    },
}

/// Whether to ask again within the same poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before the next tick.
    Never,
    /// Once, with a new nonce and the credential of that moment.
    Once,
    /// After a pause that grows.
    Backoff,
}

/// Code -> reason, retryable. A code that ends in `.` stands for all that begin so; the first match holds.
const CODES: &[(&str, Reason, Retry)] = &[
    ("Throttling", Reason::Throttled, Retry::Never),
    ("Throttling.", Reason::Throttled, Retry::Never),
    ("Rejected.Throttling", Reason::Throttled, Retry::Never),
    ("ServiceUnavailable", Reason::Service, Retry::Backoff),
    ("ServiceUnavailable.", Reason::Service, Retry::Backoff),
    ("InternalError", Reason::Service, Retry::Backoff),
    ("InternalError.", Reason::Service, Retry::Backoff),
    ("UnknownError", Reason::Service, Retry::Backoff),
    ("DbError", Reason::Service, Retry::Backoff),
    ("RedisError", Reason::Service, Retry::Backoff),
    ("EcsError", Reason::Service, Retry::Backoff),
    ("AgentError", Reason::Service, Retry::Backoff),
    ("AgentError.", Reason::Service, Retry::Backoff),
    ("AliyunError", Reason::Service, Retry::Backoff),
    ("OrderError", Reason::Service, Retry::Backoff),
    ("PartFailure", Reason::Service, Retry::Never),
    ("InvalidAccessKeyId", Reason::Credentials, Retry::Never),
    ("InvalidAccessKeyId.", Reason::Credentials, Retry::Never),
    ("InvalidAccessKeySecret", Reason::Credentials, Retry::Never),
    ("Forbidden.AccessKeyDisabled", Reason::Credentials, Retry::Never),
    ("SignatureDoesNotMatch", Reason::Credentials, Retry::Never),
    ("IncompleteSignature", Reason::Credentials, Retry::Never),
    ("InvalidSecurityToken", Reason::Credentials, Retry::Never),
    ("InvalidSecurityToken.", Reason::Credentials, Retry::Never),
    ("MissingSecurityToken", Reason::Credentials, Retry::Never),
    ("SignatureNonceUsed", Reason::Service, Retry::Once),
    ("InvalidTimeStamp.", Reason::Clock, Retry::Never),
    ("IllegalTimestamp", Reason::Clock, Retry::Never),
    ("NoPermission", Reason::Permission, Retry::Never),
    ("Forbidden", Reason::Permission, Retry::Never),
    ("Forbidden.", Reason::Permission, Retry::Never),
    ("NotAuthorized", Reason::Permission, Retry::Never),
    ("InDebt", Reason::Account, Retry::Never),
    ("NotEnabled", Reason::Account, Retry::Never),
    ("ConflictOpt", Reason::Conflict, Retry::Never),
    ("InvalidClusterStatus", Reason::Conflict, Retry::Never),
    ("ClusterNotFound", Reason::NotFound, Retry::Never),
    ("ObjectNotFound", Reason::NotFound, Retry::Never),
    ("ComputeNotFound", Reason::NotFound, Retry::Never),
    ("InvalidInstanceId.NotFound", Reason::NotFound, Retry::Never),
    ("InvalidInvokeId.NotFound", Reason::NotFound, Retry::Never),
    ("InvalidRegionId.NotFound", Reason::NotFound, Retry::Never),
    ("InvalidParams", Reason::InvalidRequest, Retry::Never),
    ("InvalidParameter", Reason::InvalidRequest, Retry::Never),
    ("InvalidParameter.", Reason::InvalidRequest, Retry::Never),
    ("InvalidApi.NotFound", Reason::InvalidRequest, Retry::Never),
    ("InvalidProduct.NotFound", Reason::InvalidRequest, Retry::Never),
    ("InvalidProtocol.NeedSsl", Reason::InvalidRequest, Retry::Never),
    ("UnsupportedHTTPMethod", Reason::InvalidRequest, Retry::Never),
    ("NoSuchVersion", Reason::InvalidRequest, Retry::Never),
];

/// What a code that is in no document means, by HTTP status.
fn undocumented(status: u16, code: &str) -> (Reason, Retry) {
    match status {
        500.. => (Reason::Service, Retry::Backoff),
        429 => (Reason::Throttled, Retry::Never),
        _ if code.ends_with("NotFound") => (Reason::NotFound, Retry::Never),
        _ => (Reason::InvalidRequest, Retry::Never),
    }
}

impl Error {
    /// Reads the error of an answer whose status is not a success. What the cloud says there is to be [cleaned](Self::cleaned).
    pub(crate) fn from_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let request_id = request_id(headers);
        let Ok(ErrorBody { code: Some(code), message, request_id: own_id }) = serde_json::from_slice(body) else {
            // E-HPC's own 407 has a Code.
            if status == 407 {
                return Self::Proxy("the proxy wants a user name and a password (HTTP 407)".into());
            }
            let detail = format!("an error that is not the documented JSON ({} bytes)", body.len());
            return Self::Decode { status, request_id, detail };
        };
        Self::Service {
            status,
            pause: pause(headers),
            message: presentable(message.as_deref().unwrap_or("no message")),
            request_id: own_id.unwrap_or(request_id),
            code: presentable(&code),
            clock_skew: None,
        }
    }

    /// The same, with what the cloud has said cleaned of secrets by `clean`, and then short: of a secret that was cut in two,
    /// a half would stay.
    pub(crate) fn cleaned(self, clean: impl Fn(&str) -> String) -> Self {
        let brief = |text: &str| clean(text).chars().take(LONGEST_TEXT).collect::<String>();
        match self {
            Self::Service { status, code, message, request_id, pause, clock_skew } => {
                let (code, message, request_id) = (brief(&code), brief(&message), brief(&request_id));
                Self::Service { status, code, message, request_id, pause, clock_skew }
            }
            Self::Decode { status, request_id, detail } => {
                Self::Decode { status, request_id: brief(&request_id), detail }
            }
            Self::Transport(message) => Self::Transport(clean(&message)),
            other => other,
        }
    }

    /// The same, told how far the clocks are apart if they are the reason.
    pub(crate) fn with_clock_skew(mut self, skew: Option<SignedDuration>) -> Self {
        let of_clock = self.reason() == Reason::Clock;
        if let Self::Service { clock_skew, .. } = &mut self
            && of_clock
        {
            *clock_skew = skew;
        }
        self
    }

    /// Which of the closed set of reasons it is.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Credentials(_) => Reason::Credentials,
            Self::Replaced(error) => error.reason(),
            Self::Transport(_) | Self::Untrusted(_) | Self::Proxy(_) => Reason::Transport,
            Self::Timeout(_) => Reason::Timeout,
            Self::TooLarge(_) => Reason::TooLarge,
            Self::Decode { status: 500.., .. } => Reason::Service,
            Self::Decode { .. } => Reason::Decode,
            Self::Service { .. } => self.classify().0,
        }
    }

    /// Whether to ask again within the same poll.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Transport(_) | Self::Timeout(_) | Self::Decode { status: 500.., .. } => Retry::Backoff,
            Self::Credentials(_) | Self::Untrusted(_) | Self::Proxy(_) => Retry::Never,
            Self::TooLarge(_) | Self::Decode { .. } => Retry::Never,
            Self::Replaced(_) => Retry::Once,
            Self::Service { .. } => self.classify().1,
        }
    }

    fn classify(&self) -> (Reason, Retry) {
        let Self::Service { status, code, message, .. } = self else {
            return (Reason::Service, Retry::Never);
        };
        // ECS has answered InvalidParameter with this in the message.
        if code.starts_with("InvalidParameter") && message.contains("SecurityToken") {
            return (Reason::Credentials, Retry::Never);
        }
        let known = CODES.iter().find(|(known, ..)| match known.strip_suffix('.') {
            Some(_) => code.starts_with(known),
            None => code == known,
        });
        known.map_or_else(|| undocumented(*status, code), |(_, reason, retry)| (*reason, *retry))
    }

    /// Whether the cloud, or something in its place, has answered at all.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Service { .. } | Self::Decode { .. } | Self::TooLarge(_) | Self::Replaced(_))
    }

    /// Whether one task, command or run is not found, rather than the cluster or the server.
    pub fn is_one_thing_gone(&self) -> bool {
        let whole = ["ClusterNotFound", "InvalidInstanceId.NotFound", "InvalidRegionId.NotFound"];
        matches!(self, Self::Service { code, .. } if self.reason() == Reason::NotFound && !whole.contains(&code.as_str()))
    }

    /// Whether it says nothing about other questions: another one may well be answered.
    pub fn is_of_one_question(&self) -> bool {
        matches!(self.reason(), Reason::InvalidRequest | Reason::Service | Reason::Decode | Reason::TooLarge)
    }

    /// How long the cloud wants to be left alone, if this is throttling and its headers say so.
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Service { pause, .. } => *pause,
            _ => None,
        }
    }
}

/// The gateway's error body; some of its parts write the keys in lower case.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "Code", alias = "code")]
    code: Option<String>,
    #[serde(rename = "Message", alias = "message")]
    message: Option<String>,
    #[serde(rename = "RequestId", alias = "requestId")]
    request_id: Option<String>,
}

/// `x-acs-request-id`, or `unknown`.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    headers.get("x-acs-request-id").and_then(|id| id.to_str().ok()).map_or_else(|| "unknown".into(), presentable)
}

/// Where a message begins to repeat the request; the two methods of signing have words of their own.
const REPEATED: [&str; 4] = ["server string to sign", "stringtosign", "canonical request", "canonicalrequest"];

/// Longer texts of the cloud are cut, in characters.
const LONGEST_TEXT: usize = 200;

/// One line of the cloud's text, without the request that some messages repeat.
fn presentable(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let end = REPEATED.iter().filter_map(|words| lower.find(words)).min().unwrap_or(text.len());
    let line: String = text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// Milliseconds to wait from `x-acs-retry-after`, or from a rate-limit header that has nothing left.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let direct = text("x-acs-retry-after").and_then(|ms| ms.trim().parse().ok());
    let limits = ["x-ratelimit-user-api", "x-ratelimit-user"];
    let millis = direct.or_else(|| limits.iter().filter_map(|name| time_left(text(name)?)).max())?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// `TimeLeft` of `Limit:1,Remain:0,TimeLeft:2000,Reset:1234` when nothing remains.
fn time_left(limit: &str) -> Option<u64> {
    let field = |name: &str| {
        let value = limit.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().parse::<u64>().ok()
    };
    (field("Remain")? == 0).then(|| field("TimeLeft"))?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::{Error, Retry};
    use crate::model::Reason;

    fn service(status: u16, body: &str) -> Error {
        Error::from_answer(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_sample_error_has_its_reason() {
        for (file, reason, retry) in [
            ("400_InDebt", Reason::Account, Retry::Never),
            ("400_InvalidParams", Reason::InvalidRequest, Retry::Never),
            ("400_InvalidSecurityToken.Expired", Reason::Credentials, Retry::Never),
            ("400_InvalidTimeStamp.Expired", Reason::Clock, Retry::Never),
            ("400_NotEnabled", Reason::Account, Retry::Never),
            ("400_SignatureDoesNotMatch", Reason::Credentials, Retry::Never),
            ("400_SignatureNonceUsed", Reason::Service, Retry::Once),
            ("400_Throttling.Api", Reason::Throttled, Retry::Never),
            ("400_Throttling.User", Reason::Throttled, Retry::Never),
            ("400_Throttling", Reason::Throttled, Retry::Never),
            ("400_legacy_popgw_body", Reason::Clock, Retry::Never),
            ("403_ConflictOpt", Reason::Conflict, Retry::Never),
            ("403_Forbidden.RAM", Reason::Permission, Retry::Never),
            ("403_InvalidClusterStatus", Reason::Conflict, Retry::Never),
            ("403_NoPermission", Reason::Permission, Retry::Never),
            ("404_ClusterNotFound", Reason::NotFound, Retry::Never),
            ("404_InvalidAccessKeyId.NotFound", Reason::Credentials, Retry::Never),
            ("404_InvalidApi.NotFound", Reason::InvalidRequest, Retry::Never),
            ("404_ObjectNotFound", Reason::NotFound, Retry::Never),
            ("406_AgentError", Reason::Service, Retry::Backoff),
            ("406_AliyunError", Reason::Service, Retry::Backoff),
            ("406_DbError", Reason::Service, Retry::Backoff),
            ("406_EcsError", Reason::Service, Retry::Backoff),
            ("406_RedisError", Reason::Service, Retry::Backoff),
            ("407_NotAuthorized", Reason::Permission, Retry::Never),
            ("409_PartFailure", Reason::Service, Retry::Never),
            ("500_InternalError", Reason::Service, Retry::Backoff),
            ("500_UnknownError", Reason::Service, Retry::Backoff),
            ("503_ServiceUnavailable", Reason::Service, Retry::Backoff),
        ] {
            let path = format!("{}/tests/fixtures/api/error_{file}.json", env!("CARGO_MANIFEST_DIR"));
            let error = service(file[..3].parse().unwrap(), &std::fs::read_to_string(path).unwrap());
            assert_eq!((error.reason(), error.retry()), (reason, retry), "{file}");
        }
    }

    #[test]
    fn the_code_decides_and_not_the_http_status() {
        assert_eq!(service(407, r#"{"Code": "DbError"}"#).reason(), Reason::Service);
        assert_eq!(service(503, r#"{"Code": "Throttling.User"}"#).reason(), Reason::Throttled);
        assert_eq!(service(418, r#"{"code": "ServiceUnavailable.Busy"}"#).retry(), Retry::Backoff);
        let token = service(400, r#"{"Code": "InvalidParameter", "Message": "SecurityToken.Expired"}"#);
        assert_eq!(token.reason(), Reason::Credentials);
    }

    #[test]
    fn what_a_message_repeats_of_the_request_is_cut_off() {
        let text = include_str!("../../tests/fixtures/api/error_400_SignatureDoesNotMatch.json");
        let shown = service(400, text).to_string();
        assert!(shown.contains("not matched with our calculation") && !shown.contains("AccessKeyId"), "{shown}");
        let v3 =
            r#"{"Code": "SignatureDoesNotMatch", "Message": "No match. server CanonicalRequest is [GET\n/\nA=1]"}"#;
        assert!(!service(400, v3).to_string().contains("GET"));
    }

    #[test]
    fn a_407_with_a_code_is_ehpcs_and_any_other_the_proxys() {
        let denied = service(407, r#"{"Code": "NotAuthorized", "Message": "You are not authorized."}"#);
        assert_eq!((denied.reason(), denied.retry()), (Reason::Permission, Retry::Never));
        assert!(denied.advice().contains("RAM"), "{}", denied.advice());
        for body in ["<html>407</html>", "", r#"{"error": "auth"}"#] {
            let proxy = service(407, body);
            assert_eq!((proxy.reason(), proxy.retry()), (Reason::Transport, Retry::Never), "{body}");
            assert!(proxy.to_string().contains("proxy") && proxy.advice().contains("accounts[].proxy.username"));
        }
    }

    #[test]
    fn html_from_a_gateway_names_status_and_size_but_not_its_text() {
        let error = service(502, "<html>secret</html>");
        assert_eq!((error.reason(), error.retry()), (Reason::Service, Retry::Backoff));
        assert!(!error.to_string().contains("html>"));
        assert_eq!(service(404, "<html>").reason(), Reason::Decode);
    }

    #[test]
    fn the_pause_is_read_from_either_header() {
        let body = br#"{"Code": "Throttling.User"}"#;
        for (name, value, pause) in [
            ("x-acs-retry-after", "1500", Some(1500)),
            ("x-ratelimit-user-api", "Limit:1,Remain:0,TimeLeft:2000,Reset:1234", Some(2000)),
            ("x-ratelimit-user", "Limit:9,Remain:3,TimeLeft:2000,Reset:1234", None),
            ("x-ratelimit-user", "nonsense", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(Error::from_answer(400, &headers, body).pause(), pause.map(Duration::from_millis), "{name}");
        }
    }
}
