//! From the store to the bytes of `/metrics`.
//!
//! A target's sample lines are rendered once, when its reading changes, and put on the page when
//! that is requested, or earlier if much is waiting. The page holds the lines of all targets in
//! chunks, family by family; a scraper gets a [`PageBody`] of chunks, deflated ones if it accepts
//! gzip. Sample lines are the same in both formats.

mod checksum;
mod chunk;
mod deflate;
mod limits;
mod lines;
mod listing;
mod negotiate;
mod page;
mod process;
mod reading;
mod rendered;
mod renderer;
mod shares;
mod target;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use arc_swap::ArcSwapOption;

use self::renderer::Renderer;
use crate::clock::Moment;
use crate::config::Metrics;
use crate::model::SeriesUse;
use crate::store::Store;
use crate::target::TargetId;

pub use limits::{ALL, Demand, Limits, Part, PerPart};
pub use lines::{Lines, SampleLines};
pub use listing::listing_lines;
pub use negotiate::{Encoding, Format};
pub use page::PageBody;
pub use process::process_metrics;
pub use reading::{ReadingLines, reading_lines};
pub use renderer::RenderedPage;
pub use target::{TargetSeries, target_lines};

/// Maximum number of targets rendered before the waiting text is measured.
const CHANGES: usize = 256;

/// `/metrics` of a store.
#[derive(Debug)]
pub struct Exposition {
    store: Arc<Store>,
    /// Absent while the next one is put together.
    page: ArcSwapOption<RenderedPage>,
    /// Locked while rendering.
    renderer: Mutex<Renderer>,
}

impl Exposition {
    /// The exposition of `store` under these settings.
    pub fn new(store: Arc<Store>, metrics: Metrics) -> Self {
        Self { store, page: ArcSwapOption::empty(), renderer: Mutex::new(Renderer::new(metrics)) }
    }

    /// Shows everything under these settings from now on.
    pub fn configure(&self, metrics: Metrics) {
        let mut renderer = self.lock();
        if renderer.metrics != metrics {
            renderer.configure(metrics);
            if let Some(page) = self.page.swap(None) {
                renderer.last = Some(RenderedPage::into_page(page));
            }
        }
    }

    /// Renders what has changed in the store, and puts it on the page if there is much of it. Does
    /// nothing while another thread renders.
    pub fn update(&self, now: Moment) {
        let mut renderer = match self.renderer.try_lock() {
            Ok(renderer) => renderer,
            Err(TryLockError::Poisoned(poisoned)) => self.start_over(poisoned),
            Err(TryLockError::WouldBlock) => return,
        };
        self.render(&mut renderer, now);
    }

    /// The body as of `now` and the series on it, if it is already put together.
    pub fn ready_body(
        &self,
        format: Format,
        encoding: Encoding,
        now: Moment,
    ) -> Option<(Arc<PageBody>, SeriesUse)> {
        let page = self.ready_page(now)?;
        Some((page.ready_body(format, encoding)?, page.series))
    }

    /// The body as of `now` and the series on it. New lines are put together first, which may take
    /// long; other callers wait for that, but polls are recorded meanwhile.
    pub fn body(
        &self,
        format: Format,
        encoding: Encoding,
        now: Moment,
    ) -> (Arc<PageBody>, SeriesUse) {
        let page = self.page(now);
        (page.body(format, encoding), page.series)
    }

    /// The page as of `now`, if it is already put together.
    pub fn ready_page(&self, now: Moment) -> Option<Arc<RenderedPage>> {
        self.page.load_full().filter(|page| page.is_true(self.store.generation(), now.boot))
    }

    /// The page as of `now`.
    pub fn page(&self, now: Moment) -> Arc<RenderedPage> {
        let mut renderer = self.lock();
        if let Some(page) = self.ready_page(now) {
            return page;
        }
        self.render(&mut renderer, now);
        self.put_together(&mut renderer, now)
    }

    /// Polled series shown at `now`, in total and per target.
    pub fn series(&self, now: Moment) -> (SeriesUse, BTreeMap<TargetId, TargetSeries>) {
        let mut renderer = self.lock();
        self.render(&mut renderer, now);
        (renderer.series(now), renderer.series_of_targets())
    }

    /// Renders all changes up to now.
    fn render(&self, renderer: &mut Renderer, now: Moment) {
        let generation = self.store.generation();
        while renderer.generation < generation {
            renderer.take(&self.store.changes_since(renderer.generation, CHANGES));
            let text = self.page.load().as_ref().map_or(0, |page| page.text_bytes());
            if renderer.is_much_waiting(text) {
                self.put_together(renderer, now);
            }
        }
    }

    fn put_together(&self, renderer: &mut Renderer, now: Moment) -> Arc<RenderedPage> {
        // The previous page is outdated; what no running scrape holds can be freed.
        if let Some(page) = self.page.swap(None) {
            renderer.last = Some(RenderedPage::into_page(page));
        }
        let page = Arc::new(renderer.page(&self.store, now));
        self.page.store(Some(Arc::clone(&page)));
        page
    }

    fn lock(&self) -> MutexGuard<'_, Renderer> {
        self.renderer.lock().unwrap_or_else(|poisoned| self.start_over(poisoned))
    }

    /// The previous renderer panicked and lost its input: everything is rendered again for a new
    /// page.
    fn start_over<'a>(
        &self,
        poisoned: PoisonError<MutexGuard<'a, Renderer>>,
    ) -> MutexGuard<'a, Renderer> {
        let mut renderer = poisoned.into_inner();
        *renderer = Renderer::new(renderer.metrics.clone());
        self.page.store(None);
        self.renderer.clear_poison();
        renderer
    }
}

#[cfg(test)]
mod tests;
