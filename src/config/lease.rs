//! The section `state.lease`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::credentials::{SecretSource, source};
use super::endpoint::base_url;
use super::reader::{Section, Value};
use super::units::write_duration;

/// `state.lease`: which Lease of Kubernetes decides who polls, and where a standby copies the state
/// from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lease {
    /// Name of the Lease.
    pub name: String,
    /// Its namespace; else that of the service account.
    pub namespace: Option<String>,
    /// URL at which the others reach this process, without a slash at its end.
    pub url: String,
    /// The secret that a standby must present to be given the state; the same for all.
    pub secret: SecretSource,
    /// Authorities to trust for a `url` with https, beside the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// How long a Lease lasts after its last renewal.
    #[serde(serialize_with = "write_duration")]
    pub duration: Duration,
    /// The folder with the token, the authority and the namespace of the service account.
    pub service_account: PathBuf,
}

/// Where Kubernetes mounts the service account of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Default of `duration`: that of Kubernetes' own components.
const DURATION: Duration = Duration::from_secs(15);
/// Minimum length of the secret, in bytes: shorter ones can be guessed.
pub(crate) const MIN_SECRET: usize = 16;

pub(super) const KEYS: &[&str] =
    &["name", "namespace", "url", "secret", "ca_file", "duration", "service_account"];

/// `None` without the section, or if something is wrong with it, which is reported.
pub(super) fn read(state: &Section) -> Option<Lease> {
    let section = state.get("lease")?.section(KEYS);
    let name = required(&section, "name", "", name);
    let advice = ", such as http://${POD_NAME}.aliyun-task-exporter:10977";
    let url = required(&section, "url", advice, url);
    let secret = required(&section, "secret", ", such as file:/run/secrets/state", secret);
    let namespace = section.get("namespace").and_then(|value| self::name(&value));
    let ca_file =
        section.get("ca_file").and_then(|value| Some(PathBuf::from(value.filled()?.value)));
    let duration = section.get("duration").and_then(|value| duration(&section, &value));
    let service_account =
        section.get("service_account").and_then(|value| Some(PathBuf::from(value.filled()?.value)));
    Some(Lease {
        name: name?,
        namespace,
        url: url?,
        secret: secret?,
        ca_file,
        duration: duration.unwrap_or(DURATION),
        service_account: service_account.unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT)),
    })
}

/// A Lease says in whole seconds how long it is good for.
fn duration(section: &Section, value: &Value) -> Option<Duration> {
    let range = Duration::from_secs(3)..=Duration::from_secs(300);
    let duration = section.duration("duration", range)?;
    let is_whole = duration.subsec_nanos() == 0;
    if !is_whole {
        value.problem("must be a whole number of seconds");
    }
    is_whole.then_some(duration)
}

fn required<T>(
    section: &Section,
    key: &str,
    advice: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = section.get(key);
    if value.is_none() {
        section.missing(key, advice);
    }
    read(&value?)
}

/// A name that Kubernetes accepts: it becomes part of a path.
fn name(value: &Value) -> Option<String> {
    let text = value.filled()?;
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let name = &text.value;
    let is_name = name.len() <= 253
        && name.chars().all(is_inner)
        && name.starts_with(is_end)
        && name.ends_with(is_end);
    if !is_name {
        let shown = text.shown();
        value.problem(format!(
            "{shown} is not a name in Kubernetes: use lower-case letters, digits, hyphens and dots"
        ));
    }
    is_name.then_some(text.value)
}

fn url(value: &Value) -> Option<String> {
    let text = value.filled()?.value;
    let form = "must be a URL such as http://10.1.2.3:10977";
    match base_url(&text, form, form) {
        Ok(_) => Some(text.trim_end_matches('/').to_owned()),
        Err(message) => {
            value.problem(message);
            None
        }
    }
}

/// The secret; one in a file is checked when it is read.
fn secret(value: &Value) -> Option<SecretSource> {
    let source = source(value)?;
    let is_short =
        matches!(&source, SecretSource::Value(secret) if secret.expose().len() < MIN_SECRET);
    if is_short {
        value.problem(format!(
            "must have at least {MIN_SECRET} characters: make one with `openssl rand -hex 32`"
        ));
    }
    (!is_short).then_some(source)
}
