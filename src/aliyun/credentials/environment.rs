//! The vendor's own environment variables. Source: "Credentials" in `docs/alibaba-cloud-api.md`.

use super::Credential;
use crate::aliyun::Error;
use crate::secret::Secret;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// Reads the credential from the environment; an empty variable counts as unset.
pub(super) fn credential(env: impl Fn(&str) -> Option<String>) -> Result<Credential, Error> {
    let get = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let (Some(id), Some(secret)) = (get(ID), get(SECRET)) else {
        return Err(Error::Credentials(format!("the environment has no {ID} and {SECRET}")));
    };
    Ok(Credential {
        access_key_id: id.trim().to_owned(),
        access_key_secret: Secret::new(secret.trim()),
        security_token: get(TOKEN).map(|token| Secret::new(token.trim())),
    })
}

#[cfg(test)]
mod tests {
    use super::credential;

    #[test]
    fn both_variables_are_needed_and_the_token_is_optional() {
        let found = credential(|name| Some(format!("{name}-value"))).unwrap();
        assert_eq!(found.access_key_id, "ALIBABA_CLOUD_ACCESS_KEY_ID-value");
        assert!(found.security_token.is_some());
        let missing = credential(|name| (name == super::ID).then(|| "id".to_owned())).unwrap_err();
        assert!(missing.to_string().contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET"), "{missing}");
    }
}
