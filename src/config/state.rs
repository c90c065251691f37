//! The section `state`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::reader::Section;
use super::units::write_duration;

/// `state`: what must survive a restart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// The file to keep it in; without one, it is kept in memory. A relative path counts from the
    /// working directory at the start.
    pub path: Option<PathBuf>,
    /// Whether to stand by while another process holds the file, instead of exiting.
    pub wait: bool,
    /// How long the state of a target that is gone is kept, counting only time in which exporters
    /// run on this state.
    #[serde(serialize_with = "write_duration")]
    pub keep_gone: Duration,
}

impl Default for State {
    fn default() -> Self {
        Self { path: None, wait: false, keep_gone: Duration::from_secs(30 * 24 * 3600) }
    }
}

pub(super) const KEYS: &[&str] = &["path", "wait", "keep_gone"];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What survives a restart, and where.
pub(super) fn read(section: &Section) -> State {
    let default = State::default();
    let path =
        section.get("path").and_then(|value| value.filled()).map(|text| PathBuf::from(text.value));
    let wait = section.boolean("wait").unwrap_or(default.wait);
    if let Some(value) = section.get("wait").filter(|_| wait && path.is_none()) {
        value.problem("is not used without path: there is no file to wait for");
    }
    State {
        path,
        wait,
        keep_gone: section
            .duration("keep_gone", Duration::from_secs(1)..=3650 * DAY)
            .unwrap_or(default.keep_gone),
    }
}
