//! What a provider may use: the environment, files, HTTP, and the endpoints that the account sets.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::http::Http;
use crate::config::{Account, Network};
use crate::files::{self, WatchedFile};

/// Looks up an environment variable.
pub(crate) type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a provider may use.
pub(super) struct ProviderContext {
    environment: Environment,
    pub(super) http: Http,
    /// The account's own URL for Security Token Service.
    pub(super) sts: Option<String>,
    /// The account's own URL for the metadata server.
    pub(super) metadata: Option<String>,
    pub(super) network: Network,
    /// Warnings already logged.
    told: Mutex<BTreeSet<String>>,
}

impl ProviderContext {
    pub(super) fn new(account: &Account, http: Http, environment: Environment) -> Self {
        let endpoints = &account.endpoints;
        let sts = endpoints.sts.clone();
        let metadata = endpoints.metadata.clone();
        Self { environment, http, sts, metadata, network: account.network, told: Mutex::default() }
    }

    /// Logs a warning, but the same one only once.
    pub(super) fn warn_once(&self, warning: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&warning) {
            warn!("{warning}");
            told.insert(warning);
        }
    }

    /// An environment variable; an empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let value = (self.environment)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Whether a variable is `true`, in any letter case.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A path in the user's home directory.
    pub(super) fn in_home(&self, path: &str) -> Result<PathBuf, Failure> {
        let home = self.variable("HOME").ok_or_else(|| Failure::absent("HOME is not set"))?;
        Ok(Path::new(&home).join(path))
    }
}

impl fmt::Debug for ProviderContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderContext").field("network", &self.network).finish_non_exhaustive()
    }
}

/// Reads a file. If it does not exist, the failure is [`Failure::Absent`].
pub(super) async fn read(path: &Path) -> Result<(Zeroizing<String>, WatchedFile), Failure> {
    let watched = WatchedFile::new(path.to_owned());
    let own = path.to_owned();
    let text = tokio::task::spawn_blocking(move || files::text(&own, files::MAX_SMALL)).await;
    match text.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(text) => Ok((text, watched)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::absent(format!("there is no file {}", path.display())))
        }
        Err(error) => Err(Failure::failed(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// A value from a file, without surrounding white space and quotation marks: no part of a
/// credential contains any.
pub(super) fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner =
        ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.map_or(value, str::trim)
}
