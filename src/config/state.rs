//! The section `state`.

use std::path::PathBuf;
use std::time::Duration;

use super::State;
use super::reader::Section;

pub(super) const KEYS: &[&str] = &["path", "wait", "keep_gone"];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What survives a restart, and where.
pub(super) fn read(section: &Section) -> State {
    let default = State::default();
    let path = section.get("path").and_then(|value| value.filled()).map(|text| PathBuf::from(text.value));
    let wait = section.boolean("wait").unwrap_or(default.wait);
    if let Some(value) = section.get("wait").filter(|_| wait && path.is_none()) {
        value.problem("is not used without path: there is no file to wait for");
    }
    State {
        path,
        wait,
        keep_gone: section.duration("keep_gone", Duration::from_secs(1)..=3650 * DAY).unwrap_or(default.keep_gone),
    }
}
