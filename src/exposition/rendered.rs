//! The rendered lines of a target, and which of them are not on the page yet.

use jiff::SignedDuration;

use super::limits::{Demand, Limits, PerPart};
use super::lines::SampleLines;
use super::listing::listing_lines;
use super::page::Change;
use super::reading::{ReadingLines, reading_lines};
use super::target::{TargetSeries, target_lines};
use crate::config::StatusStyle;
use crate::store::{ListingChange, Store, TargetChange};
use crate::target::TargetId;

/// Lines of values as a change of the page.
type AsChange = fn(SampleLines) -> Change;

/// How readings are written, and how many of their series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) style: StatusStyle,
    pub(super) limits: Limits,
}

/// The rendered form of a target. Lines on the page are held by the page alone.
#[derive(Debug)]
pub(super) struct RenderedTarget {
    /// Generation of the store in which it was added.
    pub(super) added: u64,
    /// Its place on the page, once it is there.
    place: Option<u32>,
    /// The exporter's own lines about it that are not on the page yet.
    target_lines: Option<SampleLines>,
    /// The last good reading.
    reading: Option<RenderedValues>,
    /// What a directory says about it.
    listing: Option<RenderedValues>,
}

/// Values that are shown until they are stale.
#[derive(Debug)]
struct RenderedValues {
    /// Generation of the store in which they changed.
    changed: u64,
    /// All series that they have.
    demand: Demand,
    /// Series of each part that they were allowed when they were rendered.
    granted: PerPart,
    series: TargetSeries,
    /// The lines that are not on the page yet.
    lines: Option<SampleLines>,
    /// When they go stale, as time since boot.
    stale_at: SignedDuration,
    /// The page shows none of their gauges, because they were stale.
    withdrawn: bool,
}

impl RenderedTarget {
    pub(super) fn new(change: &TargetChange, settings: Settings) -> Self {
        let mut rendered = Self {
            added: change.added,
            place: None,
            target_lines: None,
            reading: None,
            listing: None,
        };
        rendered.update(change, settings);
        rendered
    }

    /// Renders what has changed.
    pub(super) fn update(&mut self, change: &TargetChange, settings: Settings) {
        self.update_listing(change, settings.style);
        let is_rendered = |reading: &&mut RenderedValues| reading.changed == change.reading_changed;
        match self.reading.as_mut().filter(is_rendered) {
            Some(reading) => reading.stale_at = change.stale_at.unwrap_or(SignedDuration::MAX),
            None => {
                let limits = self.limits_of_reading(settings.limits);
                self.reading = RenderedValues::reading(change, Settings { limits, ..settings });
            }
        }
        self.target_lines = Some(target_lines(&change.target, &change.state, &self.series()));
    }

    fn update_listing(&mut self, change: &TargetChange, style: StatusStyle) {
        match (&change.listing, &mut self.listing) {
            (Some(said), Some(listing)) if listing.changed == said.changed => {
                listing.stale_at = said.stale_at;
            }
            (Some(said), listing) => {
                *listing = Some(RenderedValues::listing(change, said, style));
            }
            (None, Some(listing)) => listing.empty(),
            (None, None) => {}
        }
    }

    /// Marks its values to be rendered again at the next update.
    pub(super) fn outdate(&mut self) {
        for values in self.values_mut() {
            values.changed = 0;
        }
    }

    /// Series of its last good reading, and of what a directory says about it.
    pub(super) fn series(&self) -> TargetSeries {
        let sum = |all: TargetSeries, values: &RenderedValues| TargetSeries {
            shown: all.shown + values.series.shown,
            dropped: std::array::from_fn(|part| all.dropped[part] + values.series.dropped[part]),
        };
        self.values().fold(TargetSeries::default(), sum)
    }

    /// Bytes of text not on the page yet.
    pub(super) fn waiting(&self) -> usize {
        let values = self.values().filter_map(|values| values.lines.as_ref());
        self.target_lines.iter().chain(values).map(|lines| lines.text().len()).sum()
    }

    /// Its place on the page, if it has one.
    pub(super) fn place(&self) -> Option<u32> {
        self.place
    }

    /// Adds what is new at `now`, as time since boot, to `changes`; takes its place on the page
    /// from `places` the first time. Returns when the first of its shown values will be withdrawn.
    pub(super) fn changes(
        &mut self,
        (id, store): (&TargetId, &Store),
        now: SignedDuration,
        settings: Settings,
        places: &mut u32,
        changes: &mut Vec<(u32, Change)>,
    ) -> Option<SignedDuration> {
        if self.needs_rendering(now, settings.limits)
            && let Some(change) = store.target(id).filter(|change| change.added == self.added)
        {
            self.outdate();
            self.update(&change, settings);
        }
        let place = *self.place.get_or_insert_with(|| {
            *places += 1;
            *places
        });
        let mut add = |change| changes.push((place, change));
        if let Some(lines) = self.target_lines.take() {
            add(Change::Target(lines));
        }
        let mut until = None;
        let reading: (_, AsChange, _) = (&mut self.reading, Change::Reading, Change::Withdrawn);
        let listing: (_, AsChange, _) = (&mut self.listing, Change::Listed, Change::Unlisted);
        for (values, shown, withdrawn) in [reading, listing] {
            let Some(values) = values else { continue };
            if let Some(lines) = values.lines.take() {
                add(shown(lines));
                values.withdrawn = false;
            }
            let is_stale = values.stale_at <= now;
            if is_stale && !values.withdrawn {
                add(withdrawn);
            }
            values.withdrawn = is_stale;
            until = [until, (!is_stale).then_some(values.stale_at)].into_iter().flatten().min();
        }
        until
    }

    /// Whether other series are allowed now, or withdrawn gauges must be shown again.
    fn needs_rendering(&self, now: SignedDuration, limits: Limits) -> bool {
        let returns = |values: &RenderedValues| {
            values.withdrawn && now < values.stale_at && values.lines.is_none()
        };
        let limits = self.limits_of_reading(limits);
        self.values().any(returns)
            || self
                .reading
                .as_ref()
                .is_some_and(|reading| limits.granted(&reading.demand) != reading.granted)
    }

    /// The limits that are left for its reading: what a directory says is never left out.
    fn limits_of_reading(&self, limits: Limits) -> Limits {
        let listed = self.listing.as_ref().map_or(0, |listing| listing.demand.floor);
        Limits { target: limits.target.saturating_sub(listed), ..limits }
    }

    /// All series of its values.
    pub(super) fn demand(&self) -> Option<Demand> {
        let sum = |all: Demand, one: Demand| Demand {
            floor: all.floor + one.floor,
            parts: std::array::from_fn(|part| all.parts[part] + one.parts[part]),
        };
        self.values().map(|values| values.demand).reduce(sum)
    }

    /// Number of polled series shown at `now`, as time since boot, and of those never left out.
    pub(super) fn shown(&self, now: SignedDuration) -> Option<(usize, usize)> {
        let fresh = self.values().filter(|values| now < values.stale_at);
        fresh
            .map(|values| (values.series.shown, values.demand.floor))
            .reduce(|(shown, floor), more| (shown + more.0, floor + more.1))
    }

    fn values(&self) -> impl Iterator<Item = &RenderedValues> {
        self.reading.iter().chain(&self.listing)
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut RenderedValues> {
        self.reading.iter_mut().chain(&mut self.listing)
    }
}

impl RenderedValues {
    fn reading(change: &TargetChange, settings: Settings) -> Option<Self> {
        let Settings { style, limits } = settings;
        let ReadingLines { lines, demand, dropped } =
            reading_lines(&change.target, change.reading.as_ref()?, style, limits);
        Some(Self {
            changed: change.reading_changed,
            demand,
            granted: limits.granted(&demand),
            series: TargetSeries { shown: lines.series(), dropped },
            lines: Some(lines),
            stale_at: change.stale_at.unwrap_or(SignedDuration::MAX),
            withdrawn: false,
        })
    }

    fn listing(change: &TargetChange, said: &ListingChange, style: StatusStyle) -> Self {
        let lines = listing_lines(&change.target, &said.listing, style);
        let shown = lines.series();
        Self {
            changed: said.changed,
            demand: Demand { floor: shown, ..Demand::default() },
            granted: PerPart::default(),
            series: TargetSeries { shown, ..TargetSeries::default() },
            lines: Some(lines),
            stale_at: said.stale_at,
            withdrawn: false,
        }
    }

    /// They are no longer said.
    fn empty(&mut self) {
        self.changed = 0;
        self.demand = Demand::default();
        self.series = TargetSeries::default();
        self.lines = None;
        self.stale_at = SignedDuration::MIN;
    }
}
