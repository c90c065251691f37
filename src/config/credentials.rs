//! `accounts[].credentials`.

use std::path::PathBuf;

use http::Uri;
use serde::{Serialize, Serializer};

use super::assume_role::{is_arn, role_arn, session_name};
use super::problem::either;
use super::reader::{Section, Value};
use super::scalar::Choice;
use crate::secret::Secret;

/// `accounts[].credentials`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub enum Credentials {
    /// `default`: the first of the vendor's places that has credentials.
    Default,
    /// `env`: the vendor's environment variables.
    #[serde(rename = "env")]
    Environment,
    /// `access_key`: written in the file, expanded from `${ENV}` or read from `file:`.
    AccessKey {
        /// AccessKeyId.
        access_key_id: SecretSource,
        /// AccessKeySecret.
        access_key_secret: SecretSource,
    },
    /// `sts`: temporary credentials, from the same places.
    Sts {
        /// AccessKeyId.
        access_key_id: SecretSource,
        /// AccessKeySecret.
        access_key_secret: SecretSource,
        /// SecurityToken.
        security_token: SecretSource,
    },
    /// `profile`: a profile of the `aliyun` command line or, if its file does not exist, a section
    /// of the vendor's credentials file.
    Profile {
        /// Its name; else the environment's, else the file's own default.
        #[serde(rename = "profile", skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// `ecs_ram_role`: the RAM role of the ECS instance, from its metadata server.
    EcsRamRole {
        /// Its name; else the environment's, else the one that the metadata server names.
        #[serde(skip_serializing_if = "Option::is_none")]
        role_name: Option<String>,
    },
    /// `oidc`: a RAM role in exchange for an OpenID Connect token, as issued by RRSA of Container
    /// Service (ACK).
    Oidc(Oidc),
    /// `credentials_uri`: a URL that returns temporary credentials.
    #[serde(rename = "credentials_uri")]
    Uri {
        /// The URL, which may contain a secret; else the environment's.
        #[serde(serialize_with = "write_host", skip_serializing_if = "Option::is_none")]
        uri: Option<Secret>,
    },
}

/// The keys of `provider: oidc`; those not set come from the environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Oidc {
    /// ARN of the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Name of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_session_name: Option<String>,
    /// ARN of the identity provider in RAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_provider_arn: Option<String>,
    /// The file with the token, read again for each request for credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_token_file: Option<PathBuf>,
}

/// Where a part of the credentials comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretSource {
    /// The value itself.
    Value(Secret),
    /// A file that contains it, read again for each request; trailing white space is removed.
    File(PathBuf),
}

impl Serialize for SecretSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(secret) => secret.serialize(serializer),
            Self::File(path) => serializer.collect_str(&format_args!("file:{}", path.display())),
        }
    }
}

/// Serialises a URL without its path and query, which may contain a secret.
fn write_host<S: Serializer>(uri: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(uri) = uri else { return serializer.serialize_none() };
    let uri: Uri = uri.expose().parse().unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or("http");
    serializer.collect_str(&format_args!("{scheme}://{}{port}/...", uri.host().unwrap_or_default()))
}

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

/// A value of `provider`.
struct Provider {
    word: &'static str,
    /// The keys that belong to it.
    keys: &'static [&'static str],
    /// Reads them; `None` if a required one is missing or wrong, which is reported.
    read: fn(&Section) -> Option<Credentials>,
}

const PROVIDERS: &[Provider] = &[
    Provider { word: "default", keys: &[], read: |_| Some(Credentials::Default) },
    Provider { word: "env", keys: &[], read: |_| Some(Credentials::Environment) },
    Provider {
        word: "access_key",
        keys: &["access_key_id", "access_key_secret"],
        read: access_key,
    },
    Provider {
        word: "sts",
        keys: &["access_key_id", "access_key_secret", "security_token"],
        read: sts,
    },
    Provider {
        word: "profile",
        keys: &["profile"],
        read: |section| Some(Credentials::Profile { name: filled(section, "profile") }),
    },
    Provider {
        word: "ecs_ram_role",
        keys: &["role_name"],
        read: |section| Some(Credentials::EcsRamRole { role_name: role_name(section) }),
    },
    Provider {
        word: "oidc",
        keys: &["role_arn", "role_session_name", "oidc_provider_arn", "oidc_token_file"],
        read: |section| Some(Credentials::Oidc(oidc(section))),
    },
    Provider {
        word: "credentials_uri",
        keys: &["uri"],
        read: |section| Some(Credentials::Uri { uri: uri(section) }),
    },
];

pub(super) fn read(section: &Section) -> Credentials {
    if section.get("provider").is_none() {
        refuse_others("default", &[], section);
        return Credentials::Default;
    }
    let choices: Vec<Choice<&Provider>> =
        PROVIDERS.iter().map(|provider| (provider.word, provider)).collect();
    // Without a known provider, it is unknown which keys belong to it.
    let Some(provider) = section.choice("provider", &choices) else { return Credentials::Default };
    refuse_others(provider.word, provider.keys, section);
    (provider.read)(section).unwrap_or(Credentials::Default)
}

/// Refuses keys of other providers, which would have no effect.
fn refuse_others(word: &str, keys: &[&str], section: &Section) {
    for key in KEYS.iter().filter(|key| **key != "provider" && !keys.contains(key)) {
        if let Some(value) = section.get(key) {
            let owners = PROVIDERS.iter().filter(|provider| provider.keys.contains(key));
            let owners = either(owners.map(|provider| provider.word));
            value.problem(format!("is not used with provider: {word}, only with {owners}"));
        }
    }
}

fn access_key(section: &Section) -> Option<Credentials> {
    let access_key_id = required(section, "access_key_id");
    let access_key_secret = required(section, "access_key_secret");
    Some(Credentials::AccessKey {
        access_key_id: access_key_id?,
        access_key_secret: access_key_secret?,
    })
}

fn sts(section: &Section) -> Option<Credentials> {
    let access_key_id = required(section, "access_key_id");
    let access_key_secret = required(section, "access_key_secret");
    let security_token = required(section, "security_token");
    Some(Credentials::Sts {
        access_key_id: access_key_id?,
        access_key_secret: access_key_secret?,
        security_token: security_token?,
    })
}

/// A string that is not empty.
fn filled(section: &Section, key: &str) -> Option<String> {
    Some(section.get(key)?.filled()?.value)
}

fn oidc(section: &Section) -> Oidc {
    Oidc {
        role_arn: section.get("role_arn").and_then(|value| role_arn(&value)),
        oidc_provider_arn: section
            .get("oidc_provider_arn")
            .and_then(|value| oidc_provider_arn(&value)),
        oidc_token_file: section.get("oidc_token_file").and_then(|value| token_file(&value)),
        role_session_name: section.get("role_session_name").and_then(|value| session_name(&value)),
    }
}

fn oidc_provider_arn(value: &Value) -> Option<String> {
    let text = value.filled()?;
    if !is_arn(&text.value, "oidc-provider/") {
        let shown = text.shown();
        value.problem(format!(
            "{shown} is not the ARN of an OIDC provider: write acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001"
        ));
        return None;
    }
    Some(text.value)
}

fn token_file(value: &Value) -> Option<PathBuf> {
    let path = PathBuf::from(value.filled()?.value);
    if !path.is_absolute() {
        value.problem("must be an absolute path, such as /var/run/secrets/ack.alibabacloud.com/rrsa-tokens/token");
        return None;
    }
    Some(path)
}

/// The name of a role becomes part of a URL's path.
fn role_name(section: &Section) -> Option<String> {
    let value = section.get("role_name")?;
    let text = value.filled()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.value.len() > 64 || !text.value.chars().all(allowed) {
        value.problem(format!(
            "{} is not the name of a RAM role: at most 64 letters, digits, . - _",
            text.shown()
        ));
        return None;
    }
    Some(text.value)
}

/// The URL may contain a secret, so problems never show it. Most are on this machine, without TLS.
fn uri(section: &Section) -> Option<Secret> {
    let value = section.get("uri")?;
    let text = value.filled()?.value;
    let is_http =
        |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if !text.parse::<Uri>().is_ok_and(|uri| is_http(&uri)) {
        value.problem("is not a URL: write one like http://127.0.0.1:7002/credentials");
        return None;
    }
    Some(Secret::new(text))
}

fn required(section: &Section, key: &str) -> Option<SecretSource> {
    let Some(value) = section.get(key) else {
        section.missing(key, "");
        return None;
    };
    let source = source(&value)?;
    if let SecretSource::Value(secret) = &source
        && secret.expose().contains(['"', '\'', '`'])
    {
        value.problem("must not hold quotation marks: no part of an access key has any");
        return None;
    }
    Some(source)
}

/// A secret, or the file that contains it. Problems never show the text.
pub(super) fn source(value: &Value) -> Option<SecretSource> {
    let text = value.filled()?.value;
    if let Some(path) = text.strip_prefix("file:") {
        let path = PathBuf::from(path);
        if path.is_absolute() {
            return Some(SecretSource::File(path));
        }
        value.problem(
            "the path after file: must be absolute, such as file:/run/secrets/access_key_secret",
        );
        return None;
    }
    if text.chars().any(char::is_whitespace) {
        value.problem("must not hold white space");
        return None;
    }
    Some(SecretSource::Value(Secret::new(text)))
}
