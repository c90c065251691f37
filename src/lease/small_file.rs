//! A file of a token or a secret, read again each time it is needed: it may be replaced.

use std::path::Path;

use zeroize::Zeroizing;

use crate::files;

/// The file's text, read on a thread where blocking holds up nothing else.
///
/// # Errors
/// Why it cannot be read, beginning with what was done.
pub(super) async fn text(path: &Path) -> Result<Zeroizing<String>, String> {
    let own = path.to_owned();
    let read = tokio::task::spawn_blocking(move || files::text(&own, files::MAX_SMALL)).await;
    let why = match read {
        Ok(Ok(text)) => return Ok(text),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(format!("reading {}: {why}", path.display()))
}
