//! The section `metrics`.

use serde::Serialize;

use super::reader::Section;
use super::scalar::Choice;

/// `metrics`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// How a status is written.
    pub status_style: StatusStyle,
    /// Maximum number of polled series of the whole exporter; more are left out, except for the
    /// floor.
    pub max_series: usize,
    /// Maximum number of polled series of one target, with the same exception.
    pub max_series_per_target: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            status_style: StatusStyle::Current,
            max_series: 200_000,
            max_series_per_target: 5_000,
        }
    }
}

/// `metrics.status_style`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusStyle {
    /// Only the current word, with value 1.
    Current,
    /// The current word with 1, the others with 0.
    Full,
}

pub(super) const KEYS: &[&str] = &["status_style", "max_series", "max_series_per_target"];

const STATUS_STYLES: &[Choice<StatusStyle>] =
    &[("current", StatusStyle::Current), ("full", StatusStyle::Full)];

pub(super) fn read(section: &Section) -> Metrics {
    let default = Metrics::default();
    Metrics {
        status_style: section.choice("status_style", STATUS_STYLES).unwrap_or(default.status_style),
        max_series: section.count("max_series", 1..=100_000_000).unwrap_or(default.max_series),
        max_series_per_target: section
            .count("max_series_per_target", 1..=100_000_000)
            .unwrap_or(default.max_series_per_target),
    }
}
