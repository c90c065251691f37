//! `accounts[].credentials`.

use std::path::PathBuf;

use super::reader::{Section, Value};
use super::scalar::Choice;
use super::{Credentials, SecretSource};
use crate::secret::Secret;

pub(super) const KEYS: &[&str] = &[
    "provider",
    "access_key_id",
    "access_key_secret",
    "security_token",
    "profile",
    "role_name",
    "role_arn",
    "role_session_name",
    "oidc_provider_arn",
    "oidc_token_file",
    "uri",
];

/// Keys of the providers that this version does not have.
const UNSUPPORTED: &[&str] =
    &["profile", "role_name", "role_arn", "role_session_name", "oidc_provider_arn", "oidc_token_file", "uri"];

#[derive(Clone, Copy, PartialEq)]
enum Provider {
    Environment,
    AccessKey,
    Sts,
}

const PROVIDERS: &[Choice<Provider>] = &[
    ("default", Some(Provider::Environment)),
    ("env", Some(Provider::Environment)),
    ("access_key", Some(Provider::AccessKey)),
    ("sts", Some(Provider::Sts)),
    ("profile", None),
    ("ecs_ram_role", None),
    ("oidc", None),
    ("credentials_uri", None),
];

pub(super) fn read(section: &Section) -> Credentials {
    for key in UNSUPPORTED {
        if let Some(value) = section.get(key) {
            value.unsupported();
        }
    }
    let provider = match section.get("provider") {
        None => Some(Provider::Environment),
        Some(_) => section.choice("provider", PROVIDERS),
    };
    // Which of the keys belong to a provider nobody knows cannot be said.
    provider.and_then(|provider| of(provider, section)).unwrap_or(Credentials::Environment)
}

fn of(provider: Provider, section: &Section) -> Option<Credentials> {
    if provider == Provider::Environment {
        for key in ["access_key_id", "access_key_secret", "security_token"] {
            refuse(section, key, "is not used without provider: access_key or provider: sts");
        }
        return Some(Credentials::Environment);
    }
    let access_key_id = required(section, "access_key_id");
    let access_key_secret = required(section, "access_key_secret");
    let security_token = match provider {
        Provider::Sts => Some(required(section, "security_token")?),
        _ => {
            refuse(section, "security_token", "is not used with provider: access_key, only with provider: sts");
            None
        }
    };
    Some(Credentials::Static { access_key_id: access_key_id?, access_key_secret: access_key_secret?, security_token })
}

fn refuse(section: &Section, key: &str, why: &str) {
    if let Some(value) = section.get(key) {
        value.problem(why);
    }
}

fn required(section: &Section, key: &str) -> Option<SecretSource> {
    let Some(value) = section.get(key) else {
        section.missing(key, "");
        return None;
    };
    source(&value)
}

/// A secret or the file it is in. No problem repeats the text.
pub(super) fn source(value: &Value) -> Option<SecretSource> {
    let text = value.filled()?.value;
    if let Some(path) = text.strip_prefix("file:") {
        let path = PathBuf::from(path);
        if path.is_absolute() {
            return Some(SecretSource::File(path));
        }
        value.problem("the path after file: must be absolute, such as file:/run/secrets/access_key_secret");
        return None;
    }
    if text.chars().any(char::is_whitespace) {
        value.problem("must not hold white space");
        return None;
    }
    Some(SecretSource::Value(Secret::new(text)))
}
