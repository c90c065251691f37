//! The exporter's own metrics, gathered once for all who scrape at the same time.

use std::time::Instant;

use tokio::sync::Mutex;

use crate::exposition::{Format, process_metrics};
use crate::model::SeriesUse;
use crate::self_metrics::SelfMetrics;

/// The exporter's own metrics as they were last gathered. Held by the scrape that gathers them.
#[derive(Debug, Default)]
pub(super) struct OwnMetrics(Mutex<Option<Gathered>>);

#[derive(Debug)]
struct Gathered {
    began: Instant,
    format: Format,
    text: String,
}

impl OwnMetrics {
    /// Their text, no older than the request that has `arrived`: those that have waited for another
    /// scrape take what that has gathered meanwhile, so a flood of scrapes costs two gatherings.
    pub(super) async fn text(
        &self,
        metrics: &SelfMetrics,
        series: SeriesUse,
        format: Format,
        arrived: Instant,
    ) -> String {
        let mut last = self.0.lock().await;
        let is_new = |last: &&Gathered| last.format == format && last.began >= arrived;
        if let Some(last) = last.as_ref().filter(is_new) {
            return last.text.clone();
        }
        let began = Instant::now();
        let text = process_metrics(&metrics.gather(series), format);
        *last = Some(Gathered { began, format, text: text.clone() });
        text
    }
}
