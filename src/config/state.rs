//! The section `state`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::lease::{self, Lease};
use super::reader::Section;
use super::units::write_duration;

/// `state`: what must survive a restart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// The file to keep it in; without one, it is kept in memory. A relative path counts from the
    /// working directory at the start.
    pub path: Option<PathBuf>,
    /// Instead of one file, a folder with a file for each of the processes that share the targets.
    pub folder: Option<PathBuf>,
    /// Whether to stand by while another process holds the file, instead of exiting.
    pub wait: bool,
    /// The Lease that decides which of several processes polls, each with a file of its own.
    pub lease: Option<Lease>,
    /// How long the state of a target that is gone is kept, counting only time in which exporters
    /// run on this state.
    #[serde(serialize_with = "write_duration")]
    pub keep_gone: Duration,
}

impl Default for State {
    fn default() -> Self {
        let keep_gone = Duration::from_secs(30 * 24 * 3600);
        Self { path: None, folder: None, wait: false, lease: None, keep_gone }
    }
}

pub(super) const KEYS: &[&str] = &["path", "folder", "wait", "lease", "keep_gone"];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What survives a restart, and where.
pub(super) fn read(section: &Section) -> State {
    let default = State::default();
    let named = |key: &str| {
        section.get(key).and_then(|value| value.filled()).map(|text| PathBuf::from(text.value))
    };
    let path = named("path");
    let folder = named("folder");
    if let Some(value) = section.get("folder").filter(|_| path.is_some() && folder.is_some()) {
        value.problem("does not go with path: name a file or a folder");
    }
    let wait = section.boolean("wait").unwrap_or(default.wait);
    let is_kept = path.is_some() || folder.is_some();
    if let Some(value) = section.get("wait").filter(|_| wait && !is_kept) {
        value.problem("is not used without path or folder: there is no file to wait for");
    }
    let lease = lease::read(section);
    if let Some(value) = section.get("lease") {
        if path.is_none() {
            value.problem("is not used without path: a standby keeps its copy of the state there");
        }
        if wait {
            value.problem("stands beside wait: keep one of them");
        }
    }
    State {
        path,
        folder,
        wait,
        lease,
        keep_gone: section
            .duration("keep_gone", Duration::from_secs(1)..=3650 * DAY)
            .unwrap_or(default.keep_gone),
    }
}
