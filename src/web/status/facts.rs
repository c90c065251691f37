//! What is known, at one moment.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::accounts::AccountStatus;
use super::work::Work;
use crate::exposition::TargetSeries;
use crate::model::SeriesUse;
use crate::store::{Role, UnknownWord, View};
use crate::target::TargetId;
use crate::web::budget::Budget;

/// Everything to show. The page shows a bounded part of it, the API all.
#[derive(Debug)]
pub(in crate::web) struct Facts {
    /// Version of the exporter.
    pub(in crate::web) version: &'static str,
    /// Revision it was built from.
    pub(in crate::web) revision: &'static str,
    /// When it was started, by the current setting of the clock.
    pub(in crate::web) started: Timestamp,
    /// Whether it polls, and what it cannot save.
    pub(in crate::web) role: Role,
    /// Polled series on `/metrics`, and their limits.
    pub(in crate::web) series: SeriesUse,
    /// Series of each target.
    pub(in crate::web) target_series: BTreeMap<TargetId, TargetSeries>,
    /// Its targets.
    pub(in crate::web) views: Vec<View>,
    /// What runs on them, and what has failed lately.
    pub(in crate::web) work: Work,
    /// The accounts of the targets, by name.
    pub(in crate::web) accounts: Vec<AccountStatus>,
    /// Budgets for calls to the cloud, and the calls made.
    pub(in crate::web) budgets: Vec<Budget>,
    /// Words in the cloud's answers that this version does not know.
    pub(in crate::web) unknown_words: Vec<UnknownWord>,
    /// Path of the metrics.
    pub(in crate::web) telemetry_path: String,
    /// Whether texts of the cloud that are not documented are shown.
    pub(in crate::web) error_texts: bool,
}

impl Facts {
    /// Series of a target.
    pub(in crate::web) fn series_of(&self, id: &TargetId) -> TargetSeries {
        self.target_series.get(id).copied().unwrap_or_default()
    }
}
