//! `accounts[].credentials`.

use std::path::PathBuf;

use http::Uri;

use super::assume_role::{is_arn, role_arn, session_name};
use super::problem::either;
use super::reader::{Section, Value};
use super::scalar::Choice;
use crate::secret::Secret;

/// `accounts[].credentials`.
#[derive(Clone, Debug, PartialEq)]
pub enum Credentials {
    /// `default`: the first of the vendor's places that has one.
    Default,
    /// `env`: the vendor's own environment variables.
    Environment,
    /// `access_key` and, with a token, `sts`: written in the file, expanded from `${ENV}` or read from `file:`.
    Static {
        /// AccessKeyId.
        access_key_id: SecretSource,
        /// AccessKeySecret.
        access_key_secret: SecretSource,
        /// SecurityToken of temporary credentials.
        security_token: Option<SecretSource>,
    },
    /// `profile`: a profile of the `aliyun` command line or, without its file, a section of the vendor's credentials file.
    Profile {
        /// Its name; else that of the environment, else the file's own default.
        name: Option<String>,
    },
    /// `ecs_ram_role`: the RAM role of the ECS instance, from its metadata server.
    EcsRamRole {
        /// Its name; else that of the environment, else the one that the metadata server names.
        role_name: Option<String>,
    },
    /// `oidc`: a RAM role for an OpenID Connect token, as RRSA of Container Service (ACK) hands them out.
    Oidc(Oidc),
    /// `credentials_uri`: an address that answers with temporary credentials.
    Uri {
        /// The address, which may hold a secret; else that of the environment.
        uri: Option<Secret>,
    },
}

/// The keys of `provider: oidc`; what is not given comes from the environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oidc {
    /// ARN of the role.
    pub role_arn: Option<String>,
    /// ARN of the identity provider in RAM.
    pub oidc_provider_arn: Option<String>,
    /// The file with the token, read anew for each request for credentials.
    pub oidc_token_file: Option<PathBuf>,
    /// Name of the session.
    pub role_session_name: Option<String>,
}

/// Where a part of the credentials comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretSource {
    /// The value itself.
    Value(Secret),
    /// A file that holds it, read anew for each request, trailing white space cut.
    File(PathBuf),
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

#[derive(Clone, Copy, PartialEq)]
enum Provider {
    Default,
    Environment,
    AccessKey,
    Sts,
    Profile,
    EcsRamRole,
    Oidc,
    Uri,
}

const PROVIDERS: &[Choice<Provider>] = &[
    ("default", Provider::Default),
    ("env", Provider::Environment),
    ("access_key", Provider::AccessKey),
    ("sts", Provider::Sts),
    ("profile", Provider::Profile),
    ("ecs_ram_role", Provider::EcsRamRole),
    ("oidc", Provider::Oidc),
    ("credentials_uri", Provider::Uri),
];

impl Provider {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Default | Self::Environment => &[],
            Self::AccessKey => &["access_key_id", "access_key_secret"],
            Self::Sts => &["access_key_id", "access_key_secret", "security_token"],
            Self::Profile => &["profile"],
            Self::EcsRamRole => &["role_name"],
            Self::Oidc => &["role_arn", "role_session_name", "oidc_provider_arn", "oidc_token_file"],
            Self::Uri => &["uri"],
        }
    }
}

pub(super) fn read(section: &Section) -> Credentials {
    let provider = match section.get("provider") {
        None => Some(Provider::Default),
        Some(_) => section.choice("provider", PROVIDERS),
    };
    // Which of the keys belong to a provider nobody knows cannot be said.
    provider.and_then(|provider| of(provider, section)).unwrap_or(Credentials::Default)
}

fn of(provider: Provider, section: &Section) -> Option<Credentials> {
    refuse_others(provider, section);
    let text = |key: &str| section.get(key).and_then(|value| Some(value.filled()?.value));
    Some(match provider {
        Provider::Default => Credentials::Default,
        Provider::Environment => Credentials::Environment,
        Provider::AccessKey | Provider::Sts => return fixed(provider, section),
        Provider::Profile => Credentials::Profile { name: text("profile") },
        Provider::EcsRamRole => {
            Credentials::EcsRamRole { role_name: section.get("role_name").and_then(|value| role_name(&value)) }
        }
        Provider::Oidc => Credentials::Oidc(oidc(section)),
        Provider::Uri => Credentials::Uri { uri: section.get("uri").and_then(|value| uri(&value)) },
    })
}

/// Keys of other providers would have no effect.
fn refuse_others(provider: Provider, section: &Section) {
    let name = |of: Provider| PROVIDERS.iter().find(|(_, known)| *known == of).map_or("", |(word, _)| *word);
    for key in KEYS.iter().filter(|key| **key != "provider" && !provider.keys().contains(key)) {
        if let Some(value) = section.get(key) {
            let owners = PROVIDERS.iter().filter(|(_, known)| known.keys().contains(key));
            let owners = either(owners.map(|(word, _)| *word));
            value.problem(format!("is not used with provider: {}, only with {owners}", name(provider)));
        }
    }
}

fn fixed(provider: Provider, section: &Section) -> Option<Credentials> {
    let access_key_id = required(section, "access_key_id");
    let access_key_secret = required(section, "access_key_secret");
    let security_token = match provider {
        Provider::Sts => Some(required(section, "security_token")?),
        _ => None,
    };
    Some(Credentials::Static { access_key_id: access_key_id?, access_key_secret: access_key_secret?, security_token })
}

fn oidc(section: &Section) -> Oidc {
    Oidc {
        role_arn: section.get("role_arn").and_then(|value| role_arn(&value)),
        oidc_provider_arn: section.get("oidc_provider_arn").and_then(|value| oidc_provider_arn(&value)),
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

/// The name of a role is part of a URL's path.
fn role_name(value: &Value) -> Option<String> {
    let text = value.filled()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.value.len() > 64 || !text.value.chars().all(allowed) {
        value.problem(format!("{} is not the name of a RAM role: at most 64 letters, digits, . - _", text.shown()));
        return None;
    }
    Some(text.value)
}

/// Such an address may hold a secret, so no problem repeats it. Most are of this machine, without TLS.
fn uri(value: &Value) -> Option<Secret> {
    let text = value.filled()?.value;
    let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
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
