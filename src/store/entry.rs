//! A target with its last good reading and its last failure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{PollEnd, View};
use crate::clock::Moment;
use crate::config::StatusStyle;
use crate::exposition::{
    Change, Demand, Fragment, Limits, PerPart, Rendered, TargetState, own_fragment, reading_fragment,
};
use crate::model::{Failure, Reading};
use crate::target::Target;

/// What is known of a target, and what of it is not on the page yet. The lines that are there are held by the page alone.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) target: Target,
    pub(super) state: TargetState,
    read: Option<Read>,
    failure: Option<Failure>,
    failing_since: Option<Moment>,
    last_failure: Option<(Failure, Moment)>,
    /// Its place on the page, once it is there.
    place: Option<u32>,
    own: Own,
}

/// The exporter's own lines about a target.
#[derive(Debug)]
enum Own {
    /// They are on the page.
    Shown,
    /// What they say is old. They are written when the poll ends, or when somebody looks before.
    Old,
    /// They wait for the page.
    New(Fragment),
}

/// The last good reading.
#[derive(Debug)]
struct Read {
    reading: Arc<Reading>,
    at: Moment,
    /// All series that it has.
    demand: Demand,
    /// How many of each part it was allowed when it was rendered.
    granted: PerPart,
    /// Its lines, if they are new.
    fragment: Option<Fragment>,
    /// The page shows no gauges of it, because it was stale.
    withdrawn: bool,
}

impl Entry {
    pub(super) fn new(target: Target) -> Self {
        let state = TargetState::default();
        Self {
            target,
            state,
            read: None,
            failure: None,
            failing_since: None,
            last_failure: None,
            place: None,
            own: Own::Old,
        }
    }

    /// The same entry under changed settings: what is known of it is written anew.
    pub(super) fn retarget(self, target: Target, style: StatusStyle, limits: Limits) -> Self {
        let mut entry = Self { target, read: None, own: Own::Old, ..self };
        if let Some(Read { reading, at, .. }) = self.read {
            entry.render(reading, at, style, limits);
        }
        entry
    }

    /// A reading; if it is nothing new, only its age changes.
    pub(super) fn record(&mut self, reading: Reading, at: Moment, style: StatusStyle, limits: Limits) {
        match &mut self.read {
            Some(read) if *read.reading == reading => {
                (read.at, self.state.last_read) = (at, Some(at.wall));
                self.own = Own::Old;
            }
            _ => self.render(Arc::new(reading), at, style, limits),
        }
    }

    fn render(&mut self, reading: Arc<Reading>, at: Moment, style: StatusStyle, limits: Limits) {
        let Rendered { fragment, demand, dropped } = reading_fragment(&self.target, &reading, style, limits);
        (self.state.series, self.state.dropped, self.state.last_read) = (fragment.series(), dropped, Some(at.wall));
        let granted = limits.granted(&demand);
        self.read = Some(Read { reading, at, demand, granted, fragment: Some(fragment), withdrawn: false });
        self.own = Own::Old;
    }

    /// The last reading once more, if its series are now allowed to be others.
    fn refit(&mut self, style: StatusStyle, limits: Limits) {
        let refitted = self.read.take_if(|read| limits.granted(&read.demand) != read.granted);
        if let Some(Read { reading, at, withdrawn, .. }) = refitted {
            self.render(reading, at, style, limits);
            self.read.iter_mut().for_each(|read| read.withdrawn = withdrawn);
        }
    }

    pub(super) fn poll_ended(&mut self, end: PollEnd) {
        self.state.up = Some(end.failure.is_none());
        self.state.failing = end.failure.as_ref().map(|failure| failure.reason);
        self.state.lists = end.lists;
        self.state.took = Some(end.took);
        self.state.next_poll = Some(end.next);
        self.state.stale_after = Some(end.stale_after);
        match &end.failure {
            None => {
                self.state.last_success = Some(end.ended.wall);
                self.failing_since = None;
            }
            Some(failure) => {
                self.failing_since.get_or_insert(end.ended);
                self.last_failure = Some((failure.clone(), end.ended));
            }
        }
        self.failure = end.failure;
        self.own = Own::New(own_fragment(&self.target, &self.state));
    }

    /// The next poll is overdue: what the last one said is no longer so.
    pub(super) fn overdue(&mut self, failure: Failure, at: Moment) {
        (self.state.up, self.state.failing) = (Some(false), Some(failure.reason));
        self.failing_since.get_or_insert(at);
        self.last_failure = Some((failure.clone(), at));
        self.failure = Some(failure);
        self.own = Own::Old;
    }

    /// When the next poll is planned.
    pub(super) fn planned(&mut self, next: Timestamp) {
        self.state.next_poll = Some(next);
        self.own = Own::Old;
    }

    /// Forgets that it was ever on a page.
    pub(super) fn forget_page(&mut self, style: StatusStyle, limits: Limits) {
        (self.place, self.own) = (None, Own::Old);
        if let Some(Read { reading, at, .. }) = self.read.take() {
            self.render(reading, at, style, limits);
        }
    }

    /// Bytes of text that are not on the page yet.
    pub(super) fn waiting(&self) -> usize {
        let own = if let Own::New(own) = &self.own { Some(own) } else { None };
        let fragments = [own, self.read.as_ref().and_then(|read| read.fragment.as_ref())];
        fragments.into_iter().flatten().map(|fragment| fragment.text().len()).sum()
    }

    /// Its place on the page, if it has one.
    pub(super) fn place(&self) -> Option<u32> {
        self.place
    }

    /// Hands over what is new at `now`, since boot; gets its place on the page from `places` when it is first asked. Gives the time
    /// at which its reading is to be withdrawn, if it is shown.
    pub(super) fn changes(
        &mut self,
        now: SignedDuration,
        (style, limits): (StatusStyle, Limits),
        places: &mut u32,
        changes: &mut Vec<(u32, Change)>,
    ) -> Option<SignedDuration> {
        self.refit(style, limits);
        let stale_at = self.stale_at();
        let stale = stale_at.is_some_and(|at| at <= now);
        let place = *self.place.get_or_insert_with(|| {
            *places += 1;
            *places
        });
        match std::mem::replace(&mut self.own, Own::Shown) {
            Own::New(own) => changes.push((place, Change::Own(own))),
            Own::Old => changes.push((place, Change::Own(own_fragment(&self.target, &self.state)))),
            Own::Shown => {}
        }
        let read = self.read.as_mut()?;
        if read.withdrawn && !stale && read.fragment.is_none() {
            read.fragment = Some(reading_fragment(&self.target, &read.reading, style, limits).fragment);
        }
        if let Some(fragment) = read.fragment.take() {
            changes.push((place, Change::Reading(fragment)));
            read.withdrawn = false;
        }
        if stale && !read.withdrawn {
            changes.push((place, Change::Withdrawn));
        }
        read.withdrawn = stale;
        stale_at.filter(|_| !stale)
    }

    /// When the last good reading is, or was, to be withdrawn, since boot; absent if there is none.
    pub(super) fn stale_at(&self) -> Option<SignedDuration> {
        let read = self.read.as_ref()?;
        let age = self.state.stale_after.and_then(|age| SignedDuration::try_from(age).ok());
        Some(age.map_or(SignedDuration::MAX, |age| read.at.boot.saturating_add(age)))
    }

    /// All series of its last good reading.
    pub(super) fn demand(&self) -> Option<&Demand> {
        self.read.as_ref().map(|read| &read.demand)
    }

    /// Polled series that are shown at `now`, since boot, and how many of them are never left out.
    pub(super) fn series(&self, now: SignedDuration) -> Option<(usize, usize)> {
        let demand = self.demand().filter(|_| self.stale_at().is_some_and(|at| now < at))?;
        Some((self.state.series, demand.floor))
    }

    pub(super) fn view(&self, now: Moment) -> View {
        let fresh = self.read.as_ref().filter(|_| self.stale_at().is_some_and(|at| now.boot < at));
        let told = |moment: Moment| moment.by_clock_of(now);
        View {
            target: self.target.clone(),
            state: self.state.clone(),
            failure: self.failure.clone(),
            failing_since: self.failing_since.map(told),
            last_failure: self.last_failure.clone().map(|(failure, at)| (failure, told(at))),
            read_at: self.read.as_ref().map(|read| told(read.at)),
            reading: fresh.map(|read| Arc::clone(&read.reading)),
        }
    }
}
