//! A RAM role in exchange for an OpenID Connect token: RRSA of Container Service (ACK) mounts such
//! a token into pods and sets the variables. Source: "Credentials" in `docs/alibaba-cloud-api.md`.

use std::path::Path;

use jiff::Timestamp;

use super::context::{ProviderContext, read, unquoted};
use super::failure::Failure;
use super::provided::ProvidedCredential;
use super::sts::{self, Role};
use crate::config::{Oidc, SESSION_NAME};
use crate::secret::Secret;

const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const SESSION: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";

/// Requests the credential, with the configured values and the environment's for the rest.
pub(super) async fn issue(
    own: &Oidc,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    let role_arn = own.role_arn.clone().or_else(|| context.variable(ROLE_ARN));
    let provider_arn = own.oidc_provider_arn.clone().or_else(|| context.variable(PROVIDER_ARN));
    let file = own.oidc_token_file.clone().or_else(|| context.variable(TOKEN_FILE).map(Into::into));
    let names = [
        (role_arn.is_none(), ROLE_ARN),
        (provider_arn.is_none(), PROVIDER_ARN),
        (file.is_none(), TOKEN_FILE),
    ];
    let missing: Vec<&str> =
        names.into_iter().filter_map(|(missing, name)| missing.then_some(name)).collect();
    let (Some(arn), Some(provider_arn), Some(file)) = (role_arn, provider_arn, file) else {
        return Err(Failure::absent(format!(
            "the environment has no {}",
            missing.join(" and no ")
        )));
    };
    let session_name = own.role_session_name.clone().or_else(|| context.variable(SESSION));
    let session_name = session_name.unwrap_or_else(|| SESSION_NAME.to_owned());
    exchange(&file, &provider_arn, &Role { arn, session_name, ..Role::default() }, context, now)
        .await
}

/// Exchanges the token in a file, which is read again each time.
pub(super) async fn exchange(
    file: &Path,
    provider_arn: &str,
    role: &Role,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    let problem = |failure: Failure| failure.wanted().while_doing("reading the OIDC token");
    let (text, _) = read(file).await.map_err(problem)?;
    let token = unquoted(&text);
    if token.is_empty() {
        return Err(problem(Failure::failed(format!("{} is empty", file.display()))));
    }
    sts::assume_role_with_oidc(provider_arn, &Secret::new(token), role, context, now).await
}
