//! A key written in the configuration, or in files that it names.

use super::Credential;
use super::context::{read, unquoted};
use super::failure::Failure;
use super::provided::ProvidedCredential;
use crate::config::SecretSource;
use crate::files::WatchedFile;
use crate::secret::Secret;

/// Reads each part from the configuration, or from the file that it names.
pub(super) async fn issue(
    id: &SecretSource,
    secret: &SecretSource,
    token: Option<&SecretSource>,
) -> Result<ProvidedCredential, Failure> {
    let mut files = Vec::new();
    let id = part(id, &mut files).await?;
    let access_key_secret = part(secret, &mut files).await?;
    let security_token = match token {
        Some(token) => Some(part(token, &mut files).await?),
        None => None,
    };
    let credential = Credential::new(id.expose(), access_key_secret, security_token);
    let credential = credential
        .map_err(|problem| Failure::failed(problem).while_doing("reading the credentials"))?;
    Ok(ProvidedCredential::lasting(credential).with_files(files))
}

async fn part(source: &SecretSource, files: &mut Vec<WatchedFile>) -> Result<Secret, Failure> {
    let path = match source {
        SecretSource::Value(secret) => return Ok(secret.clone()),
        SecretSource::File(path) => path,
    };
    let problem = |failure: Failure| failure.wanted().while_doing("reading the credentials");
    let (text, watched) = read(path).await.map_err(problem)?;
    files.push(watched);
    match unquoted(&text) {
        "" => Err(problem(Failure::failed(format!("{} is empty", path.display())))),
        value => Ok(Secret::new(value)),
    }
}
