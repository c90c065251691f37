//! From what the store knows to the bytes of `/metrics`.
//!
//! A target's sample lines are rendered once, when its reading changes, and put on the page when
//! that is asked for, or before if much waits. The page holds the lines of all targets in chunks,
//! family by family; what a scraper gets is a [`PageBody`] of chunks, deflated ones if it takes
//! gzip. Sample lines are the same in both formats.

mod checksum;
mod chunk;
mod deflate;
mod discovery;
mod ehpc;
mod limits;
mod lines;
mod negotiate;
mod page;
mod process;
mod rendered;
mod renderer;
mod shares;
mod swas;
mod target;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use arc_swap::ArcSwapOption;

use self::renderer::Renderer;
use crate::clock::Moment;
use crate::config::{Metrics, StatusStyle};
use crate::model::{Reading, SeriesUse};
use crate::store::Store;
use crate::target::{Target, TargetId};

pub use limits::{ALL, Demand, Limits, Part, PerPart};
pub use lines::{Lines, SampleLines};
pub use negotiate::{Encoding, Format};
pub use page::PageBody;
pub use process::process_metrics;
pub use rendered::TargetSeries;
pub use renderer::RenderedPage;
pub use target::target_lines;

/// Maximum number of targets that are rendered before the text that waits for the page is measured.
const CHANGES: usize = 256;

/// `/metrics` of what a store knows.
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

    /// From now on shows everything under these settings.
    pub fn configure(&self, metrics: Metrics) {
        let mut renderer = self.lock();
        if renderer.metrics != metrics {
            renderer.configure(metrics);
            if let Some(page) = self.page.swap(None) {
                renderer.last = Some(RenderedPage::into_page(page));
            }
        }
    }

    /// Renders what has changed in the store, and puts it on the page if that is much. Does nothing
    /// while another thread renders.
    pub fn update(&self, now: Moment) {
        let mut renderer = match self.renderer.try_lock() {
            Ok(renderer) => renderer,
            Err(TryLockError::Poisoned(poisoned)) => self.start_over(poisoned),
            Err(TryLockError::WouldBlock) => return,
        };
        self.render(&mut renderer, now);
    }

    /// The body as it is at `now` and the series on it, if it is put together already.
    pub fn ready_body(
        &self,
        format: Format,
        encoding: Encoding,
        now: Moment,
    ) -> Option<(Arc<PageBody>, SeriesUse)> {
        let page = self.ready_page(now)?;
        Some((page.ready_body(format, encoding)?, page.series))
    }

    /// The body as it is at `now` and the series on it. What is new is put together first, which
    /// may take long; others who ask wait for that, but polls are recorded meanwhile.
    pub fn body(
        &self,
        format: Format,
        encoding: Encoding,
        now: Moment,
    ) -> (Arc<PageBody>, SeriesUse) {
        let page = self.page(now);
        (page.body(format, encoding), page.series)
    }

    /// The page as it is at `now`, if it is put together already.
    pub fn ready_page(&self, now: Moment) -> Option<Arc<RenderedPage>> {
        self.page.load_full().filter(|page| page.is_true(self.store.generation(), now.boot))
    }

    /// The page as it is at `now`.
    pub fn page(&self, now: Moment) -> Arc<RenderedPage> {
        let mut renderer = self.lock();
        if let Some(page) = self.ready_page(now) {
            return page;
        }
        self.render(&mut renderer, now);
        self.put_together(&mut renderer, now)
    }

    /// Polled series that are shown at `now`, in all and of each target.
    pub fn series(&self, now: Moment) -> (SeriesUse, BTreeMap<TargetId, TargetSeries>) {
        let mut renderer = self.lock();
        self.render(&mut renderer, now);
        (renderer.series(now), renderer.series_of_targets())
    }

    /// Renders all that has changed up to now.
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
        // The page before is true no more, and what no scrape under way keeps alive can go.
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

    /// The last one that rendered panicked, and what it had in hand is lost: everything is rendered
    /// again for a new page.
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

/// A reading, rendered.
#[derive(Debug)]
pub struct ReadingLines {
    /// What of it is shown.
    pub lines: SampleLines,
    /// All series that it has.
    pub demand: Demand,
    /// How many of them are left out.
    pub dropped: PerPart,
}

/// Renders all that a reading shows within `limits`.
pub fn reading_lines(
    target: &Target,
    reading: &Reading,
    style: StatusStyle,
    limits: Limits,
) -> ReadingLines {
    let mut lines = Lines::new(limits, style);
    match reading {
        Reading::EhpcTasks(reading) => ehpc::tasks(target, reading, &mut lines),
        Reading::EhpcInvocations(reading) => ehpc::commands(target, reading, &mut lines),
        Reading::SwasInvocations(reading) => swas::invocations(target, reading, &mut lines),
        Reading::Discovery(reading) => discovery::found(target, reading, &mut lines),
    }
    let (demand, dropped) = lines.demand();
    ReadingLines { lines: lines.finish(), demand, dropped }
}

/// The words of a status that are written, each with its value.
fn words(
    style: StatusStyle,
    labels: &'static [&'static str],
    current: &'static str,
) -> Vec<(&'static str, u64)> {
    let written = |word: &&&str| style == StatusStyle::Full || **word == current;
    labels.iter().filter(written).map(|word| (*word, u64::from(*word == current))).collect()
}

/// Each thing with its part, what is kept longest first.
fn kept_first<T>(things: &[T], is_open: impl Fn(&T) -> bool) -> impl Iterator<Item = (Part, &T)> {
    let (open, ended): (Vec<_>, Vec<_>) = things.iter().partition(|thing| is_open(thing));
    let open = open.into_iter().map(|thing| (Part::Open, thing));
    open.chain(ended.into_iter().map(|thing| (Part::Ended, thing)))
}

#[cfg(test)]
mod tests;
