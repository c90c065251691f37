//! The section `metrics`.

use super::reader::Section;
use super::scalar::Choice;
use super::{Metrics, StatusStyle};

pub(super) const KEYS: &[&str] = &["status_style", "max_series", "max_series_per_target"];

const STATUS_STYLES: &[Choice<StatusStyle>] = &[("current", StatusStyle::Current), ("full", StatusStyle::Full)];

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
