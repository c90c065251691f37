//! The vendor's default chain: the places where its SDKs look, in the same order. Source:
//! "Credentials" in `docs/alibaba-cloud-api.md`.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::context::ProviderContext;
use super::failure::Failure;
use super::provided::ProvidedCredential;
use super::{cli_profile, credentials_file, credentials_uri, ecs_ram_role, environment, oidc};
use crate::config::Oidc;

/// A place to look for a credential.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Environment,
    Oidc,
    CliProfile,
    CredentialsFile,
    EcsRamRole,
    Uri,
}

const PLACES: [Place; 6] = [
    Place::Environment,
    Place::Oidc,
    Place::CliProfile,
    Place::CredentialsFile,
    Place::EcsRamRole,
    Place::Uri,
];

/// The chain, and the place that provided a credential. The others are tried again only if that one
/// is no longer set up, so a temporary failure does not turn the exporter into another identity.
#[derive(Debug, Default)]
pub(super) struct Chain(Mutex<Option<Place>>);

impl Chain {
    pub(super) async fn issue(
        &self,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        let worked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = worked {
            match place.issue(context, now).await {
                Err(Failure::Absent(_)) => {}
                other => return other,
            }
        }
        let mut reasons = Vec::new();
        let mut set_up = worked.is_some();
        for (number, place) in (1..).zip(PLACES) {
            match place.issue(context, now).await {
                Ok(provided) => {
                    // If an earlier place is set up but failed, it is tried again soon.
                    if !set_up {
                        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
                    }
                    return Ok(ProvidedCredential {
                        fallback: set_up && worked != Some(place),
                        ..provided
                    });
                }
                Err(failure) => {
                    set_up |= matches!(failure, Failure::Failed(_));
                    reasons.push(format!("({number}) {}: {}", place.name(), failure.text()));
                }
            }
        }
        Err(Failure::failed(format!("no credentials anywhere: {}", reasons.join("; "))))
    }
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Oidc => "OIDC",
            Self::CliProfile => "aliyun profile",
            Self::CredentialsFile => "credentials file",
            Self::EcsRamRole => "ECS RAM role",
            Self::Uri => "credentials URI",
        }
    }

    async fn issue(
        self,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        match self {
            Self::Environment => environment::issue(context),
            Self::Oidc => oidc::issue(&Oidc::default(), context, now).await,
            Self::CliProfile => cli_profile::issue(None, context, now).await,
            Self::CredentialsFile => credentials_file::issue(None, context, now).await,
            Self::EcsRamRole => ecs_ram_role::issue(None, context).await,
            Self::Uri => credentials_uri::issue(None, context).await,
        }
    }
}
