//! A profile of the `aliyun` command line: `~/.aliyun/config.json`. Source: "Credentials" in
//! `docs/alibaba-cloud-api.md`.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

use super::context::{ProviderContext, read, unquoted};
use super::credential::{Credential, scrub};
use super::failure::Failure;
use super::provided::{ProvidedCredential, json, unsupported};
use super::sts::{self, Role};
use super::{credentials_uri, ecs_ram_role, oidc};
use crate::config::SESSION_NAME;
use crate::secret::Secret;

/// Maximum length of a chain of profiles; stops one that leads back to itself.
const LONGEST_CHAIN: usize = 8;

/// The modes that a server can use; the others need a person, or start a program.
const MODES: &str =
    "AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn or CredentialsURI";

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

/// A profile; which fields it has depends on its mode.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Profile {
    name: String,
    mode: String,
    access_key_id: Option<String>,
    access_key_secret: Option<Secret>,
    sts_token: Option<Secret>,
    ram_role_name: Option<String>,
    ram_role_arn: Option<String>,
    ram_session_name: Option<String>,
    /// What the Python SDK reads instead of `ram_session_name` in mode OIDC.
    role_session_name: Option<String>,
    expired_seconds: Option<u64>,
    sts_region: Option<String>,
    enable_vpc: Option<bool>,
    policy: Option<String>,
    external_id: Option<Secret>,
    source_profile: Option<String>,
    oidc_provider_arn: Option<String>,
    oidc_token_file: Option<String>,
    credentials_uri: Option<Secret>,
}

/// Reads the file and gets the credential that the profile describes.
pub(super) async fn issue(
    name: Option<&str>,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    if context.is_on("ALIBABA_CLOUD_CLI_PROFILE_DISABLED") {
        return Err(Failure::absent("ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true"));
    }
    let path = match context.variable("ALIBABA_CLOUD_CONFIG_FILE") {
        Some(path) => PathBuf::from(path),
        None => context.in_home(".aliyun/config.json")?,
    };
    let (text, watched) = read(&path).await?;
    let shown = path.display().to_string();
    let file: File = json(text.as_bytes(), &shown).map_err(Failure::Failed)?;
    let name = name
        .map(str::to_owned)
        .or_else(|| context.variable("ALIBABA_CLOUD_PROFILE"))
        .unwrap_or(file.current.clone());
    let provided = file
        .issue(&name, context, now)
        .await
        .map_err(|failure| failure.wanted().while_doing(&shown))?;
    Ok(provided.with_files([watched]))
}

/// The key that a profile in the file's `text` holds or leads to by `source_profile`, for its own
/// mode or to assume a role with.
///
/// # Errors
/// What is missing or wrong, without any part of a key.
pub fn key_of_profile(text: &str, name: &str) -> Result<Credential, String> {
    let file: File = json(text.as_bytes(), "the text")?;
    let key = file.lineage(name).and_then(|(profile, _)| {
        profile.key(profile.secret("sts_token", profile.sts_token.as_ref()).ok())
    });
    key.map(|provided| provided.credential).map_err(|failure| failure.text().to_owned())
}

impl File {
    /// Follows `source_profile` down to a profile that needs no other, then assumes role by role on
    /// the way back.
    async fn issue(
        &self,
        name: &str,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        let (profile, roles) = self.lineage(name)?;
        let mut provided = profile.issue(context, now).await?;
        for profile in roles.into_iter().rev() {
            provided = profile.take_on(&provided, context, now).await?;
        }
        Ok(provided)
    }

    /// The profile that needs no other, and those on the way to it.
    fn lineage(&self, name: &str) -> Result<(&Profile, Vec<&Profile>), Failure> {
        let mut roles = Vec::new();
        let mut profile = self.profile(name)?;
        while profile.mode == "ChainableRamRoleArn" {
            roles.push(profile);
            if roles.len() > LONGEST_CHAIN {
                return Err(Failure::failed(format!(
                    "profile {name:?}: its source_profile leads back to itself"
                )));
            }
            profile =
                self.profile(profile.wanted("source_profile", profile.source_profile.as_deref())?)?;
        }
        Ok((profile, roles))
    }

    fn profile(&self, name: &str) -> Result<&Profile, Failure> {
        let found = self.profiles.iter().find(|profile| profile.name == name);
        found.ok_or_else(|| Failure::failed(format!("there is no profile {name:?}")))
    }
}

impl Profile {
    async fn issue(
        &self,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        let provided = match self.mode.as_str() {
            "AK" => Ok(self.key(None)?),
            "StsToken" => Ok(self.key(Some(self.secret("sts_token", self.sts_token.as_ref())?))?),
            "RamRoleArn" => return self.take_on(&self.key(None)?, context, now).await,
            "EcsRamRole" => {
                ecs_ram_role::issue(
                    self.ram_role_name.as_deref().filter(|name| !name.is_empty()),
                    context,
                )
                .await
            }
            "OIDC" => self.oidc(context, now).await,
            "CredentialsURI" => {
                let uri = self.secret("credentials_uri", self.credentials_uri.as_ref())?;
                credentials_uri::issue(Some(&uri), context).await
            }
            "" => Err(Failure::failed(format!("it has no mode: use {MODES}"))),
            other => Err(unsupported("mode", &self.without_key(other), MODES)),
        };
        provided.map_err(|failure| failure.while_doing(&self.shown()))
    }

    fn key(&self, security_token: Option<Secret>) -> Result<ProvidedCredential, Failure> {
        let id = self.wanted("access_key_id", self.access_key_id.as_deref())?;
        let secret = self.secret("access_key_secret", self.access_key_secret.as_ref())?;
        let told = |problem| Failure::failed(format!("{}: {problem}", self.shown()));
        Credential::new(id, secret, security_token).map(ProvidedCredential::lasting).map_err(told)
    }

    async fn take_on(
        &self,
        base: &ProvidedCredential,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        let provided =
            sts::assume_role(base, &self.role(self.ram_session_name.as_deref())?, context, now)
                .await;
        provided.map_err(|failure| failure.while_doing(&self.shown()))
    }

    async fn oidc(
        &self,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        let file = PathBuf::from(self.wanted("oidc_token_file", self.oidc_token_file.as_deref())?);
        let provider = self.wanted("oidc_provider_arn", self.oidc_provider_arn.as_deref())?;
        let session = self.ram_session_name.as_deref().filter(|name| !name.is_empty());
        let role = self.role(session.or(self.role_session_name.as_deref()))?;
        oidc::exchange(&file, provider, &role, context, now).await
    }

    fn role(&self, session_name: Option<&str>) -> Result<Role, Failure> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Role {
            arn: self.wanted("ram_role_arn", self.ram_role_arn.as_deref())?.to_owned(),
            session_name: session_name
                .filter(|name| !name.is_empty())
                .unwrap_or(SESSION_NAME)
                .to_owned(),
            seconds: self.expired_seconds.filter(|seconds| *seconds > 0),
            external_id: self.external_id.clone().filter(|id| !id.expose().is_empty()),
            policy: filled(&self.policy),
            region: filled(&self.sts_region),
            vpc: self.enable_vpc.unwrap_or(false),
        })
    }

    fn wanted<'a>(&self, field: &str, value: Option<&'a str>) -> Result<&'a str, Failure> {
        let value = value.map(unquoted).filter(|value| !value.is_empty());
        value.ok_or_else(|| Failure::failed(format!("{} has no {field}", self.shown())))
    }

    fn secret(&self, field: &str, value: Option<&Secret>) -> Result<Secret, Failure> {
        self.wanted(field, value.map(Secret::expose)).map(Secret::new)
    }

    /// Removes the profile's own keys from a field, in case one was put there by mistake.
    fn without_key(&self, text: &str) -> String {
        let secrets = [&self.access_key_secret, &self.sts_token, &self.external_id];
        let secrets = secrets.map(|secret| secret.as_ref().map_or("", Secret::expose));
        scrub(&scrub(text, &secrets), &[self.access_key_id.as_deref().unwrap_or_default()])
    }

    fn shown(&self) -> String {
        format!("profile {:?}", self.name)
    }
}
