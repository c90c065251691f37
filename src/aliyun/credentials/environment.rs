//! The vendor's environment variables. Source: "Credentials" in `docs/alibaba-cloud-api.md`.

use super::Credential;
use super::context::ProviderContext;
use super::failure::Failure;
use super::provided::ProvidedCredential;
use crate::secret::Secret;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// Reads the credential from the environment.
pub(super) fn issue(context: &ProviderContext) -> Result<ProvidedCredential, Failure> {
    match (context.variable(ID), context.variable(SECRET)) {
        (Some(id), Some(secret)) => {
            let credential =
                Credential::new(&id, Secret::new(secret), context.variable(TOKEN).map(Secret::new));
            let told = |problem| {
                Failure::failed(format!("the environment ({ID}, {SECRET}, {TOKEN}): {problem}"))
            };
            credential.map(ProvidedCredential::lasting).map_err(told)
        }
        (None, None) => Err(Failure::absent(format!("the environment has no {ID} and {SECRET}"))),
        (None, Some(_)) => {
            Err(Failure::failed(format!("the environment has no {ID}, though it has {SECRET}")))
        }
        (Some(_), None) => {
            Err(Failure::failed(format!("the environment has no {SECRET}, though it has {ID}")))
        }
    }
}
