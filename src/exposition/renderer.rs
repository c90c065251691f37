//! Changes in the store -> lines -> the page. Only what has changed is rendered again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::limits::{ALL, Limits, PerPart};
use super::negotiate::{Encoding, Format};
use super::page::{Change, Page, PageBody};
use super::rendered::{RenderedTarget, Settings};
use super::shares::shares;
use super::target::TargetSeries;
use crate::clock::Moment;
use crate::config::Metrics;
use crate::model::SeriesUse;
use crate::store::{Changes, Store};
use crate::target::TargetId;

/// Maximum text put on the page at once: meanwhile it is held twice.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What `/metrics` shows of the targets, and until when it is true.
#[derive(Debug)]
pub struct RenderedPage {
    page: Page,
    /// Bytes of its lines.
    text: usize,
    /// Polled series that are shown, and their limits.
    pub series: SeriesUse,
    /// It has all changes of the store up to this generation.
    generation: u64,
    /// It is true from this time since boot.
    since: SignedDuration,
    /// If nothing is recorded, it is true until something goes stale.
    until: Option<SignedDuration>,
}

impl RenderedPage {
    /// Whether it is true at `now`, as time since boot, for a store of this generation.
    pub(super) fn is_true(&self, generation: u64, now: SignedDuration) -> bool {
        self.generation == generation
            && self.since <= now
            && self.until.is_none_or(|until| now < until)
    }

    /// Bytes of its lines.
    pub fn text_bytes(&self) -> usize {
        self.text
    }

    /// The body, if it is already put together.
    pub fn ready_body(&self, format: Format, encoding: Encoding) -> Option<Arc<PageBody>> {
        self.page.ready_body(format, encoding)
    }

    /// The body, put together on first use; new chunks are deflated then.
    pub fn body(&self, format: Format, encoding: Encoding) -> Arc<PageBody> {
        self.page.body(format, encoding)
    }

    /// The body deflated chunk by chunk, as for large pages.
    pub fn body_in_chunks(&self, format: Format) -> PageBody {
        self.page.body_in_chunks(format)
    }
}

/// The rendered targets, up to a generation of the store.
#[derive(Debug)]
pub(super) struct Renderer {
    pub(super) metrics: Metrics,
    /// Maximum number of series of each part that a target may show.
    shares: PerPart,
    /// All changes of the store up to this generation are rendered.
    pub(super) generation: u64,
    targets: BTreeMap<TargetId, RenderedTarget>,
    /// Number of places on the page given out; none is given twice.
    places: u32,
    /// Places of targets that are gone and may still be on the page.
    gone: Vec<u32>,
    /// Bytes of text not on the page yet.
    waiting: usize,
    /// The previous page, while the next one is put together.
    pub(super) last: Option<Page>,
}

impl Renderer {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            shares: ALL,
            generation: 0,
            targets: BTreeMap::new(),
            places: 0,
            gone: Vec::new(),
            waiting: 0,
            last: None,
        }
    }

    /// Renders under these settings from now on. Everything is rendered again when the store is
    /// next read.
    pub(super) fn configure(&mut self, metrics: Metrics) {
        self.metrics = metrics;
        self.generation = 0;
        for rendered in self.targets.values_mut() {
            rendered.outdate();
        }
    }

    /// Renders what has changed.
    pub(super) fn take(&mut self, changes: &Changes) {
        if let Some(present) = &changes.present {
            let gone = self.targets.extract_if(.., |id, _| !present.contains(id));
            for (_, rendered) in gone {
                self.waiting -= rendered.waiting();
                self.gone.extend(rendered.place());
            }
        }
        let settings = self.settings();
        for change in &changes.targets {
            let id = &change.target.id;
            match self.targets.get_mut(id) {
                Some(rendered) if rendered.added == change.added => {
                    self.waiting -= rendered.waiting();
                    rendered.update(change, settings);
                    self.waiting += rendered.waiting();
                }
                _ => {
                    let rendered = RenderedTarget::new(change, settings);
                    self.waiting += rendered.waiting();
                    if let Some(old) = self.targets.insert(id.clone(), rendered) {
                        self.waiting -= old.waiting();
                        self.gone.extend(old.place());
                    }
                }
            }
        }
        self.generation = changes.generation;
    }

    /// Whether the waiting text is large compared with a page of `text` bytes. It should then be
    /// put on the page at once: until then, old and new lines are both held.
    pub(super) fn is_much_waiting(&self, text: usize) -> bool {
        self.waiting >= BATCH_BYTES.max(text / 8)
    }

    /// The next page, with everything rendered. Replaced parts of the last one are freed on the
    /// way.
    pub(super) fn page(&mut self, store: &Store, now: Moment) -> RenderedPage {
        let demands = self.targets.values().filter_map(RenderedTarget::demand);
        self.shares = shares(demands, &self.metrics, self.shares);
        let settings = self.settings();
        let mut page = self.last.take().unwrap_or_default();
        let mut series = SeriesUse { limit: self.metrics.max_series, ..SeriesUse::default() };
        let mut until = None;
        let mut changes: Vec<(u32, Change)> =
            self.gone.drain(..).map(|place| (place, Change::Gone)).collect();
        let mut bytes = 0;
        for (id, rendered) in &mut self.targets {
            let before = changes.len();
            let stale_at =
                rendered.changes((id, store), now.boot, settings, &mut self.places, &mut changes);
            bytes += changes[before..].iter().map(|(_, change)| change.bytes()).sum::<usize>();
            add(&mut series, rendered, now, &self.metrics);
            until = [until, stale_at].into_iter().flatten().min();
            if bytes >= BATCH_BYTES {
                page = with(page, &mut changes);
                bytes = 0;
            }
        }
        page = with(page, &mut changes);
        self.waiting = 0;
        let text = page.bytes();
        RenderedPage { page, text, series, generation: self.generation, since: now.boot, until }
    }

    /// Polled series shown at `now`, and their limits.
    pub(super) fn series(&self, now: Moment) -> SeriesUse {
        let mut series = SeriesUse { limit: self.metrics.max_series, ..SeriesUse::default() };
        for rendered in self.targets.values() {
            add(&mut series, rendered, now, &self.metrics);
        }
        // Series newer than the page get their share when they are put on it.
        SeriesUse { shown: series.shown.min(series.limit.max(series.floor)), ..series }
    }

    /// Series of each target.
    pub(super) fn series_of_targets(&self) -> BTreeMap<TargetId, TargetSeries> {
        self.targets.iter().map(|(id, rendered)| (id.clone(), rendered.series())).collect()
    }

    fn settings(&self) -> Settings {
        let Metrics { status_style, max_series_per_target, .. } = self.metrics;
        Settings {
            style: status_style,
            limits: Limits { target: max_series_per_target, shares: self.shares },
        }
    }
}

impl RenderedPage {
    /// The page itself, or a copy that shares its chunks if a scrape still holds it.
    pub(super) fn into_page(page: Arc<Self>) -> Page {
        Arc::try_unwrap(page).map_or_else(|shared| shared.page.clone(), |own| own.page)
    }
}

/// The page with `changes`, which are drained.
fn with(page: Page, changes: &mut Vec<(u32, Change)>) -> Page {
    let mut changes = std::mem::take(changes);
    changes.sort_by_key(|(place, _)| *place);
    page.after(&changes)
}

/// Adds the series that a target shows at `now`.
fn add(series: &mut SeriesUse, rendered: &RenderedTarget, now: Moment, metrics: &Metrics) {
    let Some((shown, floor)) = rendered.shown(now.boot) else { return };
    series.shown += shown;
    series.floor += floor;
    series.targets_above += usize::from(floor > metrics.max_series_per_target);
}
