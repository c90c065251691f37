//! What a start would do with the state file, without creating or changing anything.

use std::fs::{self, TryLockError};
use std::path::Path;

use super::access::{may_make_beside, may_use, scarce};
use super::content::{Content, examine};
use super::error::Error;
use super::file::{at, open, regular};

/// A remark about a usable state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// A start warns about it.
    Warning(String),
    /// Worth knowing, but not a fault.
    Note(String),
}

/// What to report about the state file at `path`; `None` if all is well.
///
/// # Errors
/// If a start would refuse it.
pub fn check(path: &Path) -> Result<Option<Remark>, Error> {
    let said = |what: &str| format!("the state file {} {what}", path.display());
    let note = |what: &str| Some(Remark::Note(said(what)));
    let warning = |what: &str| Some(Remark::Warning(said(what)));
    let Some(metadata) = at(path)? else {
        may_use(path).map_err(|error| Error::io(path, "making it", error))?;
        return Ok(scarce(path).and_then(|free| {
            warning(&format!("is yet to be made, and only {free} bytes are free there"))
        }));
    };
    regular(path, &metadata)?;
    may_use(path).map_err(|error| Error::io(path, "opening it", error))?;
    let file = open(path).map_err(|error| Error::io(path, "opening it", error))?;
    if is_in_use(path, &file)? {
        return Ok(note("is in use by a running exporter, and was not looked at"));
    }
    let content = examine(&file).map_err(|error| Error::io(path, "reading it", error))?;
    if matches!(content, Content::Damaged(_)) && is_in_use(path, &file)? {
        // It was written to while it was read.
        return Ok(note("is in use by a running exporter, and was not looked at"));
    }
    match content {
        Content::Ours | Content::Repairable => Ok(None),
        Content::Older => Ok(note("is of an older version; a start brings it up to this one")),
        Content::Nothing(what) => {
            Ok(warning(&format!("holds no state ({what}); a start begins one in it")))
        }
        Content::Damaged(why) => {
            may_make_beside(path)
                .map_err(|error| Error::io(path, "setting it aside, since it is damaged", error))?;
            Ok(warning(&format!("is damaged ({why}); a start sets it aside and begins a new one")))
        }
        Content::Newer(what) => Err(Error::Newer { path: path.to_owned(), what }),
        Content::NotOurs(what) => Err(Error::NotOurs { path: path.to_owned(), what }),
    }
}

/// Whether another process holds the lock. If not, this takes a shared lock for an instant.
fn is_in_use(path: &Path, file: &fs::File) -> Result<bool, Error> {
    match file.try_lock_shared() {
        Ok(()) => {
            // Closing the file releases it in any case.
            let _ = file.unlock();
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(Error::io(path, "locking it", error)),
    }
}
