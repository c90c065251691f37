//! What scrapes send: assembled by one, for all that arrived before it began.

use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};

use crate::clock::Moment;
use crate::exposition::{Encoding, Exposition, Format, PageBody, process_metrics};
use crate::model::SeriesUse;
use crate::self_metrics::SelfMetrics;

/// What was assembled last, by format and encoding.
#[derive(Debug, Default)]
pub(super) struct Scrapes([[Last; 2]; 2]);

/// What was assembled last; locked by the scrape that assembles.
type Last = Arc<Mutex<Option<Assembled>>>;

#[derive(Debug)]
struct Assembled {
    began: Instant,
    /// Weak, so that it is dropped once it is sent: it may be large.
    page: Weak<PageBody>,
    end: Bytes,
}

impl Scrapes {
    /// The page and its end, which holds the exporter's own metrics; no older than the request,
    /// which has `arrived` then. The work is done on a blocking thread, which finishes even if the
    /// client disconnects.
    ///
    /// # Errors
    /// If that thread panicked.
    pub(super) async fn assembled(
        &self,
        exposition: &Arc<Exposition>,
        metrics: &Arc<SelfMetrics>,
        format: Format,
        encoding: Encoding,
        arrived: Instant,
    ) -> Result<(Arc<PageBody>, Bytes), JoinError> {
        let last = &self.0[format as usize][encoding as usize];
        let mut last = Arc::clone(last).lock_owned().await;
        let known = last.as_ref().filter(|last| last.began >= arrived);
        if let Some((page, end)) = known.and_then(|last| Some((last.page.upgrade()?, &last.end))) {
            return Ok((page, end.clone()));
        }
        let began = Instant::now();
        let metrics = Arc::clone(metrics);
        let mut finish = move |(page, series): (Arc<PageBody>, SeriesUse)| {
            let end = page.end(process_metrics(&metrics.gather(series), format));
            *last = Some(Assembled { began, page: Arc::downgrade(&page), end: end.clone() });
            (page, end)
        };
        if let Some(ready) = exposition.ready_body(format, encoding, Moment::now()) {
            return Ok(finish(ready));
        }
        let exposition = Arc::clone(exposition);
        spawn_blocking(move || finish(exposition.body(format, encoding, Moment::now()))).await
    }
}
