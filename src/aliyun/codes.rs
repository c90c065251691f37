//! The one table Code -> reason and retry, and what a status means without a Code. Source: "Errors"
//! in `docs/alibaba-cloud-api.md`.

use crate::model::Reason;

/// Whether to retry within the same poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not before the next tick.
    Never,
    /// Once, with a new nonce and the credential of that time.
    Once,
    /// With exponential backoff.
    Backoff,
}

/// Code -> reason, retry. A code that ends in `.` matches every code with that prefix; the first
/// match wins.
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

/// The meaning of a code in the table.
pub(super) fn known(code: &str) -> Option<(Reason, Retry)> {
    let begins =
        |with: &str| code.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let is_meant = |known: &str| match known.ends_with('.') {
        true => begins(known),
        false => code.eq_ignore_ascii_case(known),
    };
    CODES.iter().find(|(known, ..)| is_meant(known)).map(|(_, reason, retry)| (*reason, *retry))
}

/// The meaning of an undocumented code, by HTTP status. A numeric code that is itself a status
/// replaces the real one.
pub(super) fn undocumented(status: u16, code: &str) -> (Reason, Retry) {
    let number = code.parse().ok().filter(|number| (300..600).contains(number));
    match (number.unwrap_or(status), by_status(number.unwrap_or(status))) {
        (_, _) if code.ends_with("NotFound") => (Reason::NotFound, Retry::Never),
        (_, Some((Reason::Blocked, _))) if number.is_none() => {
            (Reason::InvalidRequest, Retry::Never)
        }
        (_, Some(meant)) => meant,
        // A success status, yet with an error code.
        (200..300, None) => (Reason::Service, Retry::Backoff),
        (_, None) => (Reason::InvalidRequest, Retry::Never),
    }
}

/// The meaning of an answer without a code; `None` if the status is not conclusive.
pub(super) fn by_status(status: u16) -> Option<(Reason, Retry)> {
    match status {
        429 => Some((Reason::Throttled, Retry::Never)),
        300..=399 | 401 | 403 | 407 | 451 => Some((Reason::Blocked, Retry::Never)),
        408 | 500.. => Some((Reason::Service, Retry::Backoff)),
        _ => None,
    }
}
