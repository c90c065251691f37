//! A Lease of Kubernetes decides which of several processes polls, each with a state file of its
//! own; the others copy the state of the one that does.
//!
//! The API server is asked over plain REST: that is three calls of one resource.

mod api;
mod copier;
mod election;
mod exchange;
mod http;
mod keeper;
mod secret;
mod small_file;

pub use copier::{Copier, Fetched};
pub use exchange::{DIGEST, STATE_PATH, digest};
pub use keeper::{Keeper, Lost, Standing};
pub use secret::SharedSecret;

use crate::config::Lease;

/// `state.lease` cannot be used. The text contains no secret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("state.lease: {0}")]
pub struct SetupError(String);

/// What keeps the Lease, and what copies the state of the process that has it. `env` looks up
/// environment variables.
///
/// # Errors
/// If this process does not run in Kubernetes, or a file cannot be used.
pub fn prepare(
    settings: &Lease,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Keeper, Copier), SetupError> {
    let api = api::Api::in_cluster(settings, env).map_err(SetupError)?;
    let pod = ["POD_NAME", "HOSTNAME"].iter().find_map(|name| env(name).filter(|v| !v.is_empty()));
    // A restarted process counts as another one: calls of the one before may last as long as its
    // Lease.
    let identity = format!("{}_{:08x}", pod.as_deref().unwrap_or("pod"), rand::random::<u32>());
    let election = election::Election::new(identity, settings);
    let copier = Copier::new(settings).map_err(SetupError)?;
    Ok((Keeper::new(api, election, settings.duration), copier))
}
