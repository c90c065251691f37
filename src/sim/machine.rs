//! Services of the machine that the caller runs on: the ECS metadata server and a credentials URI.

use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};

use super::exchange::Outcome;
use super::failure::Failure;
use super::issued::Issued;
use super::{Metadata, Operation, Settings};

const ROLES: &str = "/latest/meta-data/ram/security-credentials/";

/// Maximum lifetime of a token, in seconds.
const LONGEST_TOKEN: i64 = 21_600;

/// The operation that a request asks for, if it is one of these.
pub(crate) fn operation<B>(request: &Request<B>) -> Option<Operation> {
    match (request.uri().path(), request.method()) {
        ("/latest/api/token", _) => Some(Operation::MetadataToken),
        (ROLES, _) => Some(Operation::MetadataRole),
        (path, _) if path.starts_with("/latest/") => Some(Operation::MetadataCredentials),
        ("/credentials", &Method::GET) => Some(Operation::CredentialsUri),
        _ => None,
    }
}

/// The answer; [`Outcome::Text`] for text that is not JSON.
pub(crate) fn answer<B>(
    operation: Operation,
    request: &Request<B>,
    settings: &Settings,
    issued: &mut Issued,
    now: Timestamp,
) -> Result<Outcome, Failure> {
    if operation == Operation::CredentialsUri {
        return Ok(Outcome::Bare(credentials(settings, issued, now)));
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if operation == Operation::MetadataToken {
        let ttl = header("x-aliyun-ecs-metadata-token-ttl-seconds")
            .and_then(|ttl| ttl.parse::<i64>().ok());
        return Ok(match (settings.metadata, request.method(), ttl) {
            (Metadata::Off | Metadata::V1, ..) => Outcome::Html(404),
            (_, &Method::PUT, Some(ttl)) if (1..=LONGEST_TOKEN).contains(&ttl) => Outcome::Text(
                issued.metadata_token(settings.seed, now, SignedDuration::from_secs(ttl)),
            ),
            (_, &Method::PUT, _) => Outcome::Html(400),
            _ => Outcome::Html(405),
        });
    }
    let may_read = match (settings.metadata, header("x-aliyun-ecs-metadata-token")) {
        (Metadata::Off, _) => return Ok(Outcome::Html(404)),
        (Metadata::V1, _) | (Metadata::Both, None) => true,
        (_, Some(token)) => issued.is_metadata_token(token, now),
        (Metadata::V2, None) => false,
    };
    let Some(role) = settings.ecs_role.as_deref().filter(|_| may_read) else {
        return Ok(Outcome::Html(if may_read { 404 } else { 403 }));
    };
    Ok(match request.uri().path().strip_prefix(ROLES) {
        Some("") => Outcome::Text(role.to_owned()),
        Some(name) if name == role => Outcome::Bare(credentials(settings, issued, now)),
        _ => Outcome::Html(404),
    })
}

fn credentials(settings: &Settings, issued: &mut Issued, now: Timestamp) -> serde_json::Value {
    let role = format!(
        "acs:ram::1234567890123456:role/{}",
        settings.ecs_role.as_deref().unwrap_or("exporter")
    );
    let lifetime = SignedDuration::try_from(settings.ecs_session).unwrap_or(SignedDuration::MAX);
    let given = issued.current(settings.seed, &role, now, lifetime);
    let mut body = given.fields();
    body["LastUpdated"] = given.from.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    body["Code"] = "Success".into();
    body
}
