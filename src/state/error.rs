//! Why there is no state, or why it cannot be saved.

use std::io;
use std::path::{Path, PathBuf};

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is at the path is not a state file of this program.
    #[error(
        "the state file {} is {what}. It was left as it is: give state.path a file of its own",
        path.display()
    )]
    NotOurs {
        /// `state.path`.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// It belongs to a newer version of this program.
    #[error(
        "the state file {} was written by a newer version of this program ({what}). It was left as it is: run that \
         version, or move the file away to begin without what it holds",
        path.display()
    )]
    Newer {
        /// `state.path`.
        path: PathBuf,
        /// What is newer about it.
        what: String,
    },
    /// Another process holds it.
    #[error(
        "the state file {} is in use by another process: give each exporter its own state.path, or let this one stand \
         by with state.wait: true",
        path.display()
    )]
    InUse {
        /// `state.path`.
        path: PathBuf,
    },
    /// A process with another `--shard.count` polls.
    #[error(
        "the state file {} is in use by a process with another --shard.count: end that first, or let this one stand \
         by with state.wait: true",
        path.display()
    )]
    Polling {
        /// Its file in `state.folder`.
        path: PathBuf,
    },
    /// The operating system reported an error. That says nothing about what is in the file, which
    /// is left unchanged.
    #[error("the state file {}: {doing}: {error}{advice}", path.display())]
    Io {
        /// `state.path`.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        error: io::Error,
        /// What the user can do about it, with a leading separator; may be empty.
        advice: String,
    },
    /// What is at the path is no longer our file.
    #[error(
        "the state file {} {what}: it is left as it is, and nothing is saved until it is gone or the exporter is \
         restarted",
        path.display()
    )]
    Replaced {
        /// `state.path`.
        path: PathBuf,
        /// What happened to it.
        what: &'static str,
    },
    /// The database cannot be used.
    #[error("the state file {}: {error}", path.display())]
    Unusable {
        /// `state.path`.
        path: PathBuf,
        /// Why not.
        error: String,
    },
}

impl Error {
    /// The operating system's error for an operation on the file at `path`, with what can be done
    /// about it.
    pub(super) fn io(path: &Path, doing: &'static str, error: io::Error) -> Self {
        let advice = super::access::advice(path, &error);
        Self::Io { path: path.to_owned(), doing, error, advice }
    }

    /// Whether another process must end first.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. } | Self::Polling { .. })
    }

    /// Whether the user named a file that this program must not touch, so that a retry is useless.
    pub fn is_of_configuration(&self) -> bool {
        matches!(self, Self::NotOurs { .. } | Self::Newer { .. })
    }
}
