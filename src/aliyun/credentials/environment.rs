//! The vendor's own environment variables. Source: "Credentials" in `docs/alibaba-cloud-api.md`.

use super::Credential;
use super::around::Around;
use super::issued::{Failure, Issued};
use crate::secret::Secret;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// Reads the credential from the environment.
pub(super) fn issue(around: &Around) -> Result<Issued, Failure> {
    match (around.variable(ID), around.variable(SECRET)) {
        (Some(id), Some(secret)) => Ok(Issued::lasting(Credential {
            access_key_id: id,
            access_key_secret: Secret::new(secret),
            security_token: around.variable(TOKEN).map(Secret::new),
        })),
        (None, None) => Err(Failure::absent(format!("the environment has no {ID} and {SECRET}"))),
        (None, Some(_)) => Err(Failure::failed(format!("the environment has no {ID}, though it has {SECRET}"))),
        (Some(_), None) => Err(Failure::failed(format!("the environment has no {SECRET}, though it has {ID}"))),
    }
}
