//! Access to the state file, and advice where it is refused.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};
use rustix::process::{getegid, geteuid};

/// Free space that a new database needs, in bytes, with a reserve.
const ROOM_BYTES: u64 = 2 << 20;

/// The folder that `path` is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Checks that the file at `path` could be opened or, if it does not exist, created. Creates
/// nothing.
pub(super) fn may_use(path: &Path) -> io::Result<()> {
    match accessat(CWD, path, Access::READ_OK | Access::WRITE_OK, AtFlags::EACCESS) {
        Err(error) if error.kind() == ErrorKind::NotFound => may_make_beside(path),
        tried => Ok(tried?),
    }
}

/// Checks that a file could be created in the folder of `path`, which is also needed to set one
/// aside.
pub(super) fn may_make_beside(path: &Path) -> io::Result<()> {
    Ok(accessat(CWD, folder(path), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// Number of bytes that are free beside `path`, if that is less than a new file needs.
pub(super) fn scarce(path: &Path) -> Option<u64> {
    let room = statvfs(folder(path)).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    (free < ROOM_BYTES).then_some(free)
}

/// What the user can do about `error`, with a leading separator; may be empty.
pub(super) fn advice(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => format!(". {}", owners(path)),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            ". What is in the file is left as it is: make room".into()
        }
        ErrorKind::ReadOnlyFilesystem => ". Mount the volume writable, or name another path".into(),
        ErrorKind::NotFound => {
            format!(". Is there a folder {}? It is not made for you", folder(path).display())
        }
        ErrorKind::Unsupported => {
            ". This file system cannot lock files: name a path on another one".into()
        }
        _ => String::new(),
    }
}

/// The user of this process, and the owners of the file and its folder.
fn owners(path: &Path) -> String {
    let us =
        format!("This process runs as user {}, group {}", geteuid().as_raw(), getegid().as_raw());
    let whose = |path: &Path| {
        let metadata = path.metadata().ok()?;
        let user = metadata.uid();
        let group = metadata.gid();
        let mode = metadata.mode() & 0o7777;
        Some(format!(
            "{} belongs to user {user}, group {group}, and has mode {mode:04o}",
            path.display()
        ))
    };
    let things = [folder(path), path.to_owned()];
    let whose: Vec<String> = things.iter().filter_map(|thing| whose(thing)).collect();
    format!(
        "{us}; {}: give it to that user (chown; in Kubernetes securityContext.fsGroup), or run as another one",
        whose.join(", ")
    )
}
