//! The vendor's credentials file (INI). The SDKs disagree on its name: Python's says
//! `~/.alibabacloud/credentials.ini`, Go's `~/.alibabacloud/credentials`. Source: "Credentials" in
//! `docs/alibaba-cloud-api.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::context::{ProviderContext, read};
use super::credential::{Credential, scrub};
use super::failure::Failure;
use super::provided::{ProvidedCredential, unsupported};
use super::sts::{self, Role};
use super::{ecs_ram_role, oidc};
use crate::config::SESSION_NAME;
use crate::files::WatchedFile;
use crate::secret::Secret;

/// Supported types.
const TYPES: &str = "access_key, ram_role_arn, oidc_role_arn or ecs_ram_role";

const PLACES: [&str; 2] = [".alibabacloud/credentials.ini", ".alibabacloud/credentials"];

/// Reads the file and gets the credential that the section describes.
pub(super) async fn issue(
    name: Option<&str>,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    let (path, text, watched) = file(context).await?;
    let name = name.map(str::to_owned).or_else(|| context.variable("ALIBABA_CLOUD_PROFILE"));
    let name = name.unwrap_or_else(|| "default".to_owned());
    let shown = path.display();
    let Some(values) = section(&text, &name) else {
        return Err(Failure::failed(format!("{shown}: there is no section [{name}]")));
    };
    let section = Section { name, values };
    let provided = section
        .issue(context, now)
        .await
        .map_err(|failure| failure.wanted().while_doing(&shown.to_string()))?;
    Ok(provided.with_files([watched]))
}

/// The key that a section of the file's `text` holds, for its own type or to assume a role with.
///
/// # Errors
/// What is missing or wrong, without any part of a key.
pub fn key_of_section(text: &str, name: &str) -> Result<Credential, String> {
    let values = section(text, name).ok_or("there is no such section")?;
    let key = Section { name: name.to_owned(), values }.key();
    key.map(|provided| provided.credential).map_err(|failure| failure.text().to_owned())
}

/// The file that the environment names, or the first of the usual two that exists.
async fn file(
    context: &ProviderContext,
) -> Result<(PathBuf, Zeroizing<String>, WatchedFile), Failure> {
    if let Some(path) = context.variable("ALIBABA_CLOUD_CREDENTIALS_FILE") {
        let (text, watched) = read(Path::new(&path)).await?;
        return Ok((path.into(), text, watched));
    }
    for place in PLACES {
        let path = context.in_home(place)?;
        match read(&path).await {
            Ok((text, watched)) => return Ok((path, text, watched)),
            Err(Failure::Absent(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    let [one, two] = PLACES;
    Err(Failure::absent(format!("there is no file ~/{one} and no ~/{two}")))
}

/// The keys of a section. As in the vendor's own parsers, comments begin with `#` or `;`, a value
/// ends at `#`, and quotation marks around it are not part of it.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = header.0.trim() == name;
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once(['=', ':'])
            && let Some(values) = &mut found
        {
            values.insert(key.trim().to_lowercase(), self::value(value).to_owned());
        }
    }
    found
}

fn value(text: &str) -> &str {
    let text = text.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.split_once(*quote));
    quoted.map_or_else(|| text.split('#').next().unwrap_or_default(), |(inner, _)| inner).trim()
}

struct Section {
    name: String,
    values: BTreeMap<String, String>,
}

impl Section {
    async fn issue(
        &self,
        context: &ProviderContext,
        now: Timestamp,
    ) -> Result<ProvidedCredential, Failure> {
        let provided = match self.wanted("type")? {
            "access_key" => Ok(self.key()?),
            "ram_role_arn" => sts::assume_role(&self.key()?, &self.role()?, context, now).await,
            "oidc_role_arn" => {
                let file = PathBuf::from(self.wanted("oidc_token_file_path")?);
                oidc::exchange(
                    &file,
                    self.wanted("oidc_provider_arn")?,
                    &self.role()?,
                    context,
                    now,
                )
                .await
            }
            "ecs_ram_role" => ecs_ram_role::issue(self.get("role_name"), context).await,
            other => Err(unsupported("type", &self.without_key(other), TYPES)),
        };
        provided.map_err(|failure| failure.while_doing(&format!("section [{}]", self.name)))
    }

    fn key(&self) -> Result<ProvidedCredential, Failure> {
        let id = self.wanted("access_key_id")?;
        let secret = self.wanted("access_key_secret")?;
        let told = |problem| Failure::failed(format!("section [{}]: {problem}", self.name));
        Credential::new(id, Secret::new(secret), None)
            .map(ProvidedCredential::lasting)
            .map_err(told)
    }

    fn role(&self) -> Result<Role, Failure> {
        Ok(Role {
            arn: self.wanted("role_arn")?.to_owned(),
            session_name: self.get("role_session_name").unwrap_or(SESSION_NAME).to_owned(),
            policy: self.get("policy").map(str::to_owned),
            ..Role::default()
        })
    }

    /// Removes the section's own keys from a value, in case one was put there by mistake.
    fn without_key(&self, text: &str) -> String {
        scrub(
            text,
            &["access_key_id", "access_key_secret"].map(|key| self.get(key).unwrap_or_default()),
        )
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn wanted(&self, key: &str) -> Result<&str, Failure> {
        self.get(key)
            .ok_or_else(|| Failure::failed(format!("section [{}] has no {key}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn a_section_is_read_as_the_vendor_reads_it() {
        let text = "type = none\n[other]\ntype=x\n [default] ; the usual\n# a=b\n; c=d\nType = access_key # or not\n\
                    access_key_id=foo\nempty =\nno pair\npath: /a=b\nquoted = \"a # b\" # c\nsingle='x'\nopen = \"a # b\n\
                    [last]\ntype = y";
        let found = section(text, "default").unwrap();
        let pairs: Vec<_> =
            found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let wanted = [
            ("access_key_id", "foo"),
            ("empty", ""),
            ("open", "\"a"),
            ("path", "/a=b"),
            ("quoted", "a # b"),
            ("single", "x"),
            ("type", "access_key"),
        ];
        assert_eq!(pairs, wanted);
        assert!(section(text, "absent").is_none());
    }
}
