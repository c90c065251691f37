//! A key written in the configuration, or in files that it names.

use std::path::Path;

use super::Credential;
use crate::aliyun::Error;
use crate::config::SecretSource;
use crate::secret::Secret;

/// Reads the parts from where the configuration says they are.
pub(super) async fn credential(
    id: &SecretSource,
    secret: &SecretSource,
    token: Option<&SecretSource>,
) -> Result<Credential, Error> {
    Ok(Credential {
        access_key_id: read(id).await?.expose().to_owned(),
        access_key_secret: read(secret).await?,
        security_token: match token {
            Some(token) => Some(read(token).await?),
            None => None,
        },
    })
}

async fn read(source: &SecretSource) -> Result<Secret, Error> {
    match source {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::File(path) => from_file(path).await,
    }
}

async fn from_file(path: &Path) -> Result<Secret, Error> {
    let problem = |what: &str| Error::Credentials(format!("credentials file {}: {what}", path.display()));
    let text = tokio::fs::read_to_string(path).await.map_err(|error| problem(&error.to_string()))?;
    match text.trim() {
        "" => Err(problem("it is empty")),
        value => Ok(Secret::new(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::credential;
    use crate::config::SecretSource;
    use crate::secret::Secret;

    #[tokio::test]
    async fn a_file_is_read_anew_each_time_and_its_name_is_in_the_error() {
        let path = std::env::temp_dir().join(format!("aliyun-task-exporter-secret-{}", std::process::id()));
        let (id, secret) = (SecretSource::Value(Secret::new("id")), SecretSource::File(path.clone()));
        for value in ["one", "two"] {
            std::fs::write(&path, format!("{value}\n")).unwrap();
            let read = credential(&id, &secret, None).await.unwrap();
            assert_eq!(read.access_key_secret.expose(), value);
        }
        std::fs::remove_file(&path).unwrap();
        let error = credential(&id, &secret, None).await.unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}
