//! `accounts[].assume_role`. Source of the limits: "Credentials" in `docs/alibaba-cloud-api.md`.

use std::time::Duration;

use serde::Serialize;

use super::reader::{Section, Value};
use super::units::write_duration;
use crate::secret::Secret;

/// `accounts[].assume_role`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssumeRole {
    /// ARN of the role, such as `acs:ram::1234567890123456:role/exporter`.
    pub arn: String,
    /// External id, which a role of another account may require.
    pub external_id: Option<Secret>,
    /// Name of the session, shown in the cloud's audit log.
    pub session_name: String,
    /// Requested lifetime of the credentials.
    #[serde(serialize_with = "write_duration")]
    pub duration: Duration,
}

const KEYS: &[&str] = &["arn", "external_id", "session_name", "duration"];

/// Default name of a session.
pub const SESSION_NAME: &str = "aliyun-task-exporter";

const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(12 * 3600);
const DEFAULT: Duration = Duration::from_secs(3600);

pub(super) fn read(account: &Section) -> Option<AssumeRole> {
    account.get("assume_role")?;
    let section = account.section("assume_role", KEYS);
    let duration = section.duration("duration", SHORTEST..=LONGEST);
    let session = section.get("session_name").map(|value| session_name(&value));
    let external_id = section.get("external_id").map(|value| external_id(&value));
    let Some(arn) = section.get("arn") else {
        section.missing("arn", "");
        return None;
    };
    Some(AssumeRole {
        arn: role_arn(&arn)?,
        external_id: external_id.unwrap_or(None),
        session_name: session.unwrap_or_else(|| Some(SESSION_NAME.to_owned()))?,
        duration: duration.unwrap_or(DEFAULT),
    })
}

/// 2 to 1224 characters; problems never show them.
fn external_id(value: &Value) -> Option<Secret> {
    let text = value.filled()?.value;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@:/_-".contains(c);
    if !(2..=1224).contains(&text.len()) || !text.chars().all(allowed) {
        value.problem("must be 2 to 1224 letters, digits or any of + = , . @ : / - _");
        return None;
    }
    Some(Secret::new(text))
}

/// The ARN of a role.
pub(super) fn role_arn(value: &Value) -> Option<String> {
    let text = value.filled()?;
    if !is_role_arn(&text.value) {
        let shown = text.shown();
        value.problem(format!(
            "{shown} is not the ARN of a RAM role: write acs:ram::1234567890123456:role/exporter"
        ));
        return None;
    }
    Some(text.value)
}

/// The name of a session.
pub(super) fn session_name(value: &Value) -> Option<String> {
    let text = value.filled()?;
    if !is_session_name(&text.value) {
        value.problem(format!(
            "{} is not a valid value: 2 to 64 letters, digits or any of . @ - _",
            text.shown()
        ));
        return None;
    }
    Some(text.value)
}

/// Whether `text` is the ARN of a RAM role.
pub fn is_role_arn(text: &str) -> bool {
    is_arn(text, "role/")
}

/// Whether `text` is `acs:ram::<account id>:<kind><name>`.
pub(super) fn is_arn(text: &str, kind: &str) -> bool {
    let Some((account, resource)) =
        text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let name = resource.strip_prefix(kind).unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    !account.is_empty()
        && account.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
        && !name.starts_with('/')
        && name.chars().all(allowed)
}

/// Whether `text` is 2 to 64 of `[A-Za-z0-9.@_-]`.
pub fn is_session_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".@_-".contains(c);
    (2..=64).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::{is_role_arn, is_session_name};

    #[test]
    fn arns_of_roles() {
        assert!(is_role_arn("acs:ram::1234567890123456:role/exporter"));
        assert!(is_role_arn("acs:ram::1:role/AliyunServiceRole-For.X_y/z"));
        for text in [
            "",
            "exporter",
            "acs:ram::1:user/exporter",
            "acs:ram::x:role/a",
            "acs:ram::1:role/",
            "acs:ram::1:role/a b",
            "acs:ram::1:role//a",
            "arn:aws:iam::1:role/a",
        ] {
            assert!(!is_role_arn(text), "{text}");
        }
    }

    #[test]
    fn names_of_sessions() {
        assert!(is_session_name("a.@-_9") && is_session_name(super::SESSION_NAME));
        let long = "x".repeat(65);
        for text in ["", "a", "a b", "a/b", "ä.ä", &long] {
            assert!(!is_session_name(text), "{text}");
        }
    }
}
