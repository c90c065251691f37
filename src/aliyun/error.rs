//! What can go wrong with an attempt.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use super::codes::{self, Retry};
use super::content::Content;
use crate::model::Reason;

/// Why an attempt failed. Its text contains no URL, key, token or signature.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no credential to sign with.
    #[error("{0}")]
    Credentials(String),
    /// The cloud refused a credential that has since been replaced.
    #[error("{0}")]
    Replaced(Box<Error>),
    /// The name of the endpoint cannot be resolved.
    #[error("{0}")]
    Dns(String),
    /// No connection can be made.
    #[error("{0}")]
    Connect(String),
    /// There is a connection, but TLS failed on it.
    #[error("{0}")]
    Tls(String),
    /// The server's certificate is invalid, or not signed by a trusted authority.
    #[error("{0}")]
    Untrusted(String),
    /// The server uses an authority's certificate as its own.
    #[error("{0}")]
    AuthorityAsServer(String),
    /// The proxy cannot be reached, or does not connect to the cloud.
    #[error("{0}")]
    Proxy(String),
    /// The proxy requires a user name and password.
    #[error("{0}")]
    ProxyLogin(String),
    /// The connection broke, or something else failed in transit.
    #[error("{0}")]
    Transport(String),
    /// No answer within the timeout.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The answer is larger than the limit, in bytes.
    #[error("the answer is larger than poll.max_response_bytes ({0} bytes)")]
    TooLarge(u64),
    /// The answer is not the documented JSON, and its status does not explain why.
    #[error("{came}: {content}")]
    Decode {
        /// Identifies the answer.
        came: Came,
        /// What its body is.
        content: Content,
    },
    /// The answer has no error code; its status says what it means.
    #[error("{came}: {detail}")]
    Status {
        /// Identifies the answer.
        came: Came,
        /// What its body is, or where it redirects to.
        detail: String,
        /// How long to wait, if its headers say so.
        pause: Option<Duration>,
    },
    /// The cloud answered with an error.
    #[error("{code}: {message} (HTTP {status}, request id {request_id})")]
    Service {
        /// HTTP status.
        status: u16,
        /// `Code`.
        code: String,
        /// `Message`, without the parts of the request that it repeats.
        message: String,
        /// `RequestId`.
        request_id: String,
        /// How long to wait, if its headers say so.
        pause: Option<Duration>,
        /// How far the cloud's clock is ahead of ours, if that is the cause.
        clock_skew: Option<SignedDuration>,
    },
}

/// Identifies an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// HTTP status.
    pub status: u16,
    /// Its media type.
    pub content_type: String,
    /// `x-acs-request-id`, or `unknown`.
    pub request_id: String,
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, content_type, request_id } = self;
        write!(f, "HTTP {status}, {content_type}, request id {request_id}")
    }
}

/// Maximum length of a text from the cloud, in characters; longer ones are cut.
const LONGEST_TEXT: usize = 200;

impl Error {
    /// The same error, with the cloud's text cleaned of secrets by `clean` and then cut. Cutting
    /// first could leave half a secret.
    pub fn cleaned(self, clean: impl Fn(&str) -> String) -> Self {
        let brief = |text: &str| clean(text).chars().take(LONGEST_TEXT).collect::<String>();
        let named = |came: Came| {
            let content_type = brief(&came.content_type);
            let request_id = brief(&came.request_id);
            Came { content_type, request_id, ..came }
        };
        match self {
            Self::Service { status, code, message, request_id, pause, clock_skew } => {
                let code = brief(&code);
                let message = brief(&message);
                let request_id = brief(&request_id);
                Self::Service { status, code, message, request_id, pause, clock_skew }
            }
            Self::Decode { came, content } => Self::Decode { came: named(came), content },
            Self::Status { came, detail, pause } => {
                Self::Status { came: named(came), detail: brief(&detail), pause }
            }
            Self::Transport(message) => Self::Transport(clean(&message)),
            other => other,
        }
    }

    /// The same error, with the difference of the clocks if that is its reason.
    pub(crate) fn with_clock_skew(mut self, skew: Option<SignedDuration>) -> Self {
        let of_clock = self.reason() == Reason::Clock;
        if let Self::Service { clock_skew, .. } = &mut self
            && of_clock
        {
            *clock_skew = skew;
        }
        self
    }

    /// The cloud's own code, if it answered with one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            Self::Replaced(error) => error.code(),
            _ => None,
        }
    }

    /// Its reason, one of a closed set.
    pub fn reason(&self) -> Reason {
        self.meaning().0
    }

    /// Whether to retry within the same poll.
    pub fn retry(&self) -> Retry {
        self.meaning().1
    }

    fn meaning(&self) -> (Reason, Retry) {
        match self {
            Self::Credentials(_) => (Reason::Credentials, Retry::Never),
            Self::Replaced(error) => (error.reason(), Retry::Once),
            Self::Dns(_) => (Reason::Dns, Retry::Backoff),
            Self::Connect(_) => (Reason::Connect, Retry::Backoff),
            Self::Tls(_) => (Reason::Tls, Retry::Backoff),
            Self::Untrusted(_) | Self::AuthorityAsServer(_) => (Reason::Tls, Retry::Never),
            Self::Proxy(_) => (Reason::Proxy, Retry::Backoff),
            Self::ProxyLogin(_) => (Reason::Proxy, Retry::Never),
            Self::Transport(_) => (Reason::Transport, Retry::Backoff),
            Self::Timeout(_) => (Reason::Timeout, Retry::Backoff),
            Self::TooLarge(_) => (Reason::TooLarge, Retry::Never),
            Self::Decode { .. } => (Reason::Decode, Retry::Never),
            Self::Status { came, .. } => {
                codes::by_status(came.status).unwrap_or((Reason::Decode, Retry::Never))
            }
            // ECS is known to answer InvalidParameter with this in the message.
            Self::Service { code, message, .. }
                if code.starts_with("InvalidParameter") && message.contains("SecurityToken") =>
            {
                (Reason::Credentials, Retry::Never)
            }
            Self::Service { status, code, .. } => {
                codes::known(code).unwrap_or_else(|| codes::undocumented(*status, code))
            }
        }
    }

    /// The cloud's own code, else the HTTP status, else the reason.
    pub fn code_or_status(&self) -> String {
        match (self.code(), self) {
            (Some(code), _) => code.to_owned(),
            (None, Self::Status { came, .. } | Self::Decode { came, .. }) => {
                format!("HTTP {}", came.status)
            }
            (None, other) => other.reason().label().to_owned(),
        }
    }

    /// Whether the cloud, or something in its place, answered at all.
    pub fn is_answer(&self) -> bool {
        let is_read =
            matches!(self, Self::Service { .. } | Self::Status { .. } | Self::Decode { .. });
        is_read || matches!(self, Self::TooLarge(_) | Self::Replaced(_))
    }

    /// Whether one task, command or invocation was not found, rather than the cluster or the
    /// server.
    pub fn is_one_thing_gone(&self) -> bool {
        let whole = ["ClusterNotFound", "InvalidInstanceId.NotFound", "InvalidRegionId.NotFound"];
        matches!(self, Self::Service { code, .. } if self.reason() == Reason::NotFound && !whole.contains(&code.as_str()))
    }

    /// Whether it concerns this request only: another one may well succeed.
    pub fn is_of_one_question(&self) -> bool {
        matches!(
            self.reason(),
            Reason::InvalidRequest | Reason::Service | Reason::Decode | Reason::TooLarge
        )
    }

    /// How long to wait, if the cloud throttles or has an internal error, and its headers say so.
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Service { pause, .. } | Self::Status { pause, .. } => pause.filter(|_| {
                matches!(self.meaning(), (Reason::Throttled, _) | (Reason::Service, Retry::Backoff))
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Error, Retry};
    use crate::aliyun::judge::{self, Heard};
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
            let path =
                format!("{}/tests/fixtures/api/error_{file}.json", env!("CARGO_MANIFEST_DIR"));
            let error =
                service(file[..3].parse().unwrap(), &std::fs::read_to_string(path).unwrap());
            assert_eq!((error.reason(), error.retry()), (reason, retry), "{file}");
        }
    }

    #[test]
    fn the_code_decides_and_not_the_http_status() {
        assert_eq!(service(407, r#"{"Code": "DbError"}"#).reason(), Reason::Service);
        assert_eq!(service(503, r#"{"Code": "Throttling.User"}"#).reason(), Reason::Throttled);
        assert_eq!(service(418, r#"{"code": "ServiceUnavailable.Busy"}"#).retry(), Retry::Backoff);
        let token =
            service(400, r#"{"Code": "InvalidParameter", "Message": "SecurityToken.Expired"}"#);
        assert_eq!(token.reason(), Reason::Credentials);
    }

    #[test]
    fn what_a_message_repeats_of_the_request_is_cut_off() {
        let text = include_str!("../../tests/fixtures/api/error_400_SignatureDoesNotMatch.json");
        let shown = service(400, text).to_string();
        assert!(
            shown.contains("not matched with our calculation") && !shown.contains("AccessKeyId"),
            "{shown}"
        );
        let v3 = r#"{"Code": "SignatureDoesNotMatch", "Message": "No match. server CanonicalRequest is [GET\n/\nA=1]"}"#;
        assert!(!service(400, v3).to_string().contains("GET"));
    }

    #[test]
    fn a_407_with_a_code_is_ehpcs_and_without_one_the_proxys_if_there_is_one() {
        let denied =
            service(407, r#"{"Code": "NotAuthorized", "Message": "You are not authorized."}"#);
        assert_eq!((denied.reason(), denied.retry()), (Reason::Permission, Retry::Never));
        assert!(denied.advice().contains("RAM"), "{}", denied.advice());
        for body in ["<html>407</html>", "", r#"{"error": "auth"}"#] {
            let proxy = service(407, body);
            assert_eq!(
                (proxy.reason(), proxy.retry()),
                (Reason::Blocked, Retry::Never),
                "{body}: there is no proxy"
            );
            let heard = Heard {
                status: 407,
                headers: &HeaderMap::new(),
                body: body.as_bytes(),
                received: None,
                is_proxied: true,
            };
            let proxy = judge::refused(&heard);
            assert_eq!((proxy.reason(), proxy.retry()), (Reason::Proxy, Retry::Never), "{body}");
            assert!(
                proxy.to_string().contains("proxy")
                    && proxy.advice().contains("accounts[].proxy.username")
            );
        }
    }

    #[test]
    fn html_from_a_gateway_names_status_and_size_but_not_its_text() {
        let error = service(502, "<html>secret</html>");
        assert_eq!((error.reason(), error.retry()), (Reason::Service, Retry::Backoff));
        assert!(!error.to_string().contains("html>"));
        assert_eq!(service(404, "<html>").reason(), Reason::Decode);
    }
}
