//! The rendered lines of a target, and which of them are not on the page yet.

use jiff::SignedDuration;

use super::limits::{Demand, Limits, PerPart};
use super::lines::SampleLines;
use super::page::Change;
use super::reading::{ReadingLines, reading_lines};
use super::target::{TargetSeries, target_lines};
use crate::config::StatusStyle;
use crate::store::{Store, TargetChange};
use crate::target::TargetId;

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
    reading: Option<RenderedReading>,
}

/// The last good reading.
#[derive(Debug)]
struct RenderedReading {
    /// Generation of the store in which it changed.
    changed: u64,
    /// All series that it has.
    demand: Demand,
    /// Series of each part that it was allowed when it was rendered.
    granted: PerPart,
    series: TargetSeries,
    /// Its lines that are not on the page yet.
    lines: Option<SampleLines>,
    /// When it goes stale, as time since boot.
    stale_at: SignedDuration,
    /// The page shows none of its gauges, because it was stale.
    withdrawn: bool,
}

impl RenderedTarget {
    pub(super) fn new(change: &TargetChange, settings: Settings) -> Self {
        let mut rendered =
            Self { added: change.added, place: None, target_lines: None, reading: None };
        rendered.update(change, settings);
        rendered
    }

    /// Renders what has changed.
    pub(super) fn update(&mut self, change: &TargetChange, settings: Settings) {
        let is_rendered =
            |reading: &&mut RenderedReading| reading.changed == change.reading_changed;
        match self.reading.as_mut().filter(is_rendered) {
            Some(reading) => reading.stale_at = change.stale_at.unwrap_or(SignedDuration::MAX),
            None => self.reading = RenderedReading::new(change, settings),
        }
        self.target_lines = Some(target_lines(&change.target, &change.state, &self.series()));
    }

    /// Marks its reading to be rendered again at the next update.
    pub(super) fn outdate(&mut self) {
        if let Some(reading) = &mut self.reading {
            reading.changed = 0;
        }
    }

    /// Series of its last good reading.
    pub(super) fn series(&self) -> TargetSeries {
        self.reading.as_ref().map_or_else(TargetSeries::default, |reading| reading.series)
    }

    /// Bytes of text not on the page yet.
    pub(super) fn waiting(&self) -> usize {
        let reading = self.reading.as_ref().and_then(|reading| reading.lines.as_ref());
        [self.target_lines.as_ref(), reading]
            .into_iter()
            .flatten()
            .map(|lines| lines.text().len())
            .sum()
    }

    /// Its place on the page, if it has one.
    pub(super) fn place(&self) -> Option<u32> {
        self.place
    }

    /// Adds what is new at `now`, as time since boot, to `changes`; takes its place on the page
    /// from `places` the first time. Returns when its reading will be withdrawn, if it is shown.
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
        if let Some(lines) = self.target_lines.take() {
            changes.push((place, Change::Target(lines)));
        }
        let reading = self.reading.as_mut()?;
        let is_stale = reading.stale_at <= now;
        if let Some(lines) = reading.lines.take() {
            changes.push((place, Change::Reading(lines)));
            reading.withdrawn = false;
        }
        if is_stale && !reading.withdrawn {
            changes.push((place, Change::Withdrawn));
        }
        reading.withdrawn = is_stale;
        (!is_stale).then_some(reading.stale_at)
    }

    /// Whether other series are allowed now, or withdrawn gauges must be shown again.
    fn needs_rendering(&self, now: SignedDuration, limits: Limits) -> bool {
        self.reading.as_ref().is_some_and(|reading| {
            let returns = reading.withdrawn && now < reading.stale_at && reading.lines.is_none();
            returns || limits.granted(&reading.demand) != reading.granted
        })
    }

    /// All series of its last good reading.
    pub(super) fn demand(&self) -> Option<&Demand> {
        self.reading.as_ref().map(|reading| &reading.demand)
    }

    /// Number of polled series shown at `now`, as time since boot, and of those never left out.
    pub(super) fn shown(&self, now: SignedDuration) -> Option<(usize, usize)> {
        let reading = self.reading.as_ref().filter(|reading| now < reading.stale_at)?;
        Some((reading.series.shown, reading.demand.floor))
    }
}

impl RenderedReading {
    fn new(change: &TargetChange, settings: Settings) -> Option<Self> {
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
}
