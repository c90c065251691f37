//! What is known now: written by polling, read by `/metrics` and the status page. Staleness lives here and nowhere else.

mod accounts;
mod budgets;
mod entry;
mod exporter;
mod exposed;
mod series_shares;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Moment;
use crate::config::{Metrics, StatusStyle};
use crate::exposition::{ALL, Limits, PerPart, TargetState};
use crate::model::{Failure, ListState, Reading, SeriesUse};
use crate::target::{Target, TargetId};

pub use accounts::Accounts;
pub use budgets::{BudgetStatus, Budgets, Outcomes};
use entry::Entry;
pub use exporter::{Exporter, MAX_WORDS, Role, UnknownWord};
pub use exposed::Exposed;

/// Every target with its last good reading and its last failure, what `/metrics` shows of them, every account and every
/// budget.
#[derive(Debug)]
pub struct Store {
    /// What may be asked of the cloud, and what was asked.
    pub budgets: Budgets,
    /// How each account is.
    pub accounts: Accounts,
    /// How this instance is.
    pub exporter: Exporter,
    inner: RwLock<Inner>,
    /// Absent while it is put together.
    exposed: ArcSwapOption<Exposed>,
    /// Held by the one who puts together what is exposed next.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    entries: BTreeMap<TargetId, Entry>,
    /// Changes with every change of what is on the page.
    generation: u64,
    /// How many series of each part a target may show.
    shares: PerPart,
    /// Accounts that the cloud has not answered yet.
    unanswered: BTreeSet<Arc<str>>,
    answered: BTreeSet<Arc<str>>,
    /// How many places on the page were given; none is given twice.
    places: u32,
    /// Bytes of text that are not on the page yet.
    waiting: usize,
    /// Places of targets that are gone and may still be on the page.
    gone: Vec<u32>,
}

/// How a poll has ended.
#[derive(Clone, Debug)]
pub struct PollEnd {
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Whether the target's lists have shown all that they must.
    pub lists: ListState,
    /// When it ended.
    pub ended: Moment,
    /// How long it took.
    pub took: Duration,
    /// When the next one is planned.
    pub next: Timestamp,
    /// Age at which values are withdrawn.
    pub stale_after: Duration,
}

/// A target as a person wants to see it.
#[derive(Clone, Debug)]
pub struct View {
    /// What it is.
    pub target: Target,
    /// The exporter's own view of it.
    pub state: TargetState,
    /// Why its last poll failed.
    pub failure: Option<Failure>,
    /// Since when it fails. Like all that follows by the clock as it is set when this is looked at.
    pub failing_since: Option<Timestamp>,
    /// The last failure and its time, kept after the recovery.
    pub last_failure: Option<(Failure, Timestamp)>,
    /// When the shown values were read.
    pub read_at: Option<Timestamp>,
    /// Its values; absent if there are none, or if they are stale.
    pub reading: Option<Arc<Reading>>,
}

impl Store {
    /// A store without targets.
    pub fn new(metrics: Metrics) -> Self {
        let inner = Inner {
            metrics,
            entries: BTreeMap::new(),
            generation: 0,
            shares: ALL,
            unanswered: BTreeSet::new(),
            answered: BTreeSet::new(),
            places: 0,
            waiting: 0,
            gone: Vec::new(),
        };
        Self {
            budgets: Budgets::default(),
            accounts: Accounts::default(),
            exporter: Exporter::default(),
            inner: RwLock::new(inner),
            exposed: ArcSwapOption::empty(),
            turn: Mutex::default(),
        }
    }

    /// Makes `targets` the targets; the series of all others go. A target that stays keeps its values.
    pub fn retarget(&self, targets: Vec<Target>, metrics: Metrics) {
        let mut inner = self.write();
        let restyled = inner.metrics != metrics;
        inner.metrics = metrics;
        let (style, limits) = inner.rendering();
        let accounts = targets.iter().map(|target| &target.account);
        inner.unanswered = accounts.filter(|account| !inner.answered.contains(*account)).cloned().collect();
        let mut old = std::mem::take(&mut inner.entries);
        for target in targets {
            let entry = match old.remove(&target.id) {
                Some(entry) if entry.target == target && !restyled => entry,
                Some(entry) => entry.retarget(target, style, limits),
                None => Entry::new(target),
            };
            inner.entries.insert(entry.target.id.clone(), entry);
        }
        inner.gone.extend(old.values().filter_map(Entry::place));
        inner.generation += 1;
    }

    /// Records what was read of a target; if that is nothing new, only its age changes.
    pub fn record(&self, id: &TargetId, reading: Reading, at: Moment) {
        self.change(id, at, |entry, style, limits| entry.record(reading, at, style, limits));
    }

    /// Shows at `now` what was known of a target before a restart: when it was read, and when a poll last succeeded. Its age is
    /// what the wall clock says, at least 0.
    pub fn restore(
        &self,
        id: &TargetId,
        reading: Reading,
        (at, last_success): (Timestamp, Option<Timestamp>),
        stale_after: Duration,
        now: Moment,
    ) {
        self.change(id, now, |entry, style, limits| {
            (entry.state.last_success, entry.state.stale_after) = (last_success, Some(stale_after));
            entry.record(reading, now.remembered(at), style, limits);
        });
    }

    /// Records when polls are planned: a target that waits for its first turn shows how late that is.
    pub fn planned<'a>(&self, polls: impl Iterator<Item = (&'a TargetId, Timestamp)>) {
        let mut inner = self.write();
        for (id, next) in polls {
            if let Some(entry) = inner.entries.get_mut(id) {
                entry.planned(next);
            }
        }
        inner.generation += 1;
    }

    /// Records how a poll has ended.
    pub fn poll_ended(&self, id: &TargetId, end: PollEnd) {
        self.change(id, end.ended, |entry, _, _| entry.poll_ended(end));
    }

    /// Records that the next poll of a target is overdue, and why; until a poll ends it counts as failing.
    pub fn overdue(&self, id: &TargetId, failure: Failure, at: Moment) {
        self.change(id, at, |entry, _, _| entry.overdue(failure, at));
    }

    /// Changes an entry. If the page is not looked at for long, what has changed is put on the page all the same, so that it is not held
    /// twice.
    fn change(&self, id: &TargetId, now: Moment, change: impl FnOnce(&mut Entry, StatusStyle, Limits)) {
        let mut inner = self.write();
        let (style, limits) = inner.rendering();
        let Inner { entries, generation, waiting, .. } = &mut *inner;
        let Some(entry) = entries.get_mut(id) else { return };
        let before = entry.waiting();
        change(entry, style, limits);
        *waiting = (*waiting + entry.waiting()).saturating_sub(before);
        *generation += 1;
        let waiting = *waiting;
        drop(inner);
        self.relieve(waiting, now);
    }

    /// The cloud has answered an account, if only with an error.
    pub fn answered(&self, account: &Arc<str>) {
        if self.read().answered.contains(account) {
            return;
        }
        let mut inner = self.write();
        inner.unanswered.remove(account);
        inner.answered.insert(Arc::clone(account));
    }

    /// Accounts that the cloud has not answered since the start.
    pub fn unanswered(&self) -> Vec<Arc<str>> {
        self.read().unanswered.iter().cloned().collect()
    }

    /// Changes with every change of what is on the page.
    pub fn generation(&self) -> u64 {
        self.read().generation
    }

    /// Polled series that are shown at `now`, and what bounds them.
    pub fn series(&self, now: Moment) -> SeriesUse {
        let inner = self.read();
        let mut series = SeriesUse { limit: inner.metrics.max_series, ..SeriesUse::default() };
        inner.entries.values().for_each(|entry| add(&mut series, entry, now.boot, &inner.metrics));
        // What is newer than the page gets its share when it is put there.
        SeriesUse { shown: series.shown.min(series.limit.max(series.floor)), ..series }
    }

    /// Every target as a person wants to see it at `now`.
    pub fn views(&self, now: Moment) -> Vec<View> {
        self.read().entries.values().map(|entry| entry.view(now)).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How readings are written, and within which limits.
    fn rendering(&self) -> (StatusStyle, Limits) {
        let Metrics { status_style, max_series_per_target, .. } = self.metrics;
        (status_style, Limits { target: max_series_per_target, shares: self.shares })
    }
}

/// Adds the series that an entry shows at `now`, since boot.
fn add(series: &mut SeriesUse, entry: &Entry, now: SignedDuration, metrics: &Metrics) {
    let Some((shown, floor)) = entry.series(now) else { return };
    series.shown += shown;
    series.floor += floor;
    series.targets_above += usize::from(floor > metrics.max_series_per_target);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::{PollEnd, Store};
    use crate::clock::Moment;
    use crate::config::{InvocationWindow, Metrics};
    use crate::exposition::{Encoding, Format};
    use crate::model::{Failure, ListState, Reading, Reason, SwasInvocationsReading};
    use crate::target::{Kind, Scope, Target, TargetId};

    pub(super) fn target(id: &str) -> Target {
        Target {
            id: TargetId { kind: Kind::SwasInvocations, id: id.into() },
            account: "a".into(),
            quota_group: "a".into(),
            region: "r".into(),
            name: "n".into(),
            scope: Scope::SwasInvocations(InvocationWindow::default()),
        }
    }

    pub(super) fn at(seconds: i64) -> Moment {
        Moment {
            wall: Timestamp::from_second(1_700_000_000 + seconds).unwrap(),
            boot: SignedDuration::from_secs(5000 + seconds),
        }
    }

    pub(super) fn end(failed: bool, seconds: i64) -> PollEnd {
        let failure = Failure { reason: Reason::Timeout, message: "m".into(), advice: "a".into() };
        PollEnd {
            lists: ListState::default(),
            failure: failed.then_some(failure),
            ended: at(seconds),
            took: Duration::from_secs(1),
            next: at(seconds + 30).wall,
            stale_after: Duration::from_secs(600),
        }
    }

    pub(super) fn shown(store: &Store, seconds: i64) -> String {
        let page = store.expose(at(seconds)).page.chain(Format::Text, Encoding::Identity);
        page.frames().iter().map(|frame| std::str::from_utf8(frame).unwrap()).collect()
    }

    #[test]
    fn values_are_kept_while_polls_fail_then_withdrawn_and_the_failure_is_told_all_the_while() {
        let store = Store::new(Metrics::default());
        store.retarget(vec![target("s")], Metrics::default());
        let id = target("s").id;
        assert!(!shown(&store, 0).contains("target_up{"), "nothing is known before the first poll has ended");
        store.record(&id, Reading::SwasInvocations(SwasInvocationsReading::default()), at(0));
        store.poll_ended(&id, end(false, 0));
        store.poll_ended(&id, end(true, 300));
        let kept = shown(&store, 599);
        assert!(kept.contains("aliyun_swas_invocations{"));
        assert!(kept.contains("target_up{account=\"a\",kind=\"swas_invocations\",target=\"s\"} 0"));
        assert!(
            kept.contains("reason=\"timeout\"} 1")
                && kept.contains(
                    "last_success_timestamp_seconds{account=\"a\",kind=\"swas_invocations\",target=\"s\"} 1700000000\n"
                )
        );
        assert!(store.exposed(at(599)).is_some() && store.exposed(at(600)).is_none(), "it is true until 600");
        let withdrawn = shown(&store, 600);
        assert!(!withdrawn.contains("aliyun_swas_invocations{") && withdrawn.contains("target_failing"));
        assert!(withdrawn.contains("aliyun_swas_invocations_finished_total{"), "a count does not go stale");
        assert!(store.views(at(600))[0].reading.is_none());
    }

    #[test]
    fn a_target_that_goes_takes_its_series_with_it_and_one_that_stays_keeps_its_values() {
        let store = Store::new(Metrics::default());
        store.retarget(vec![target("a"), target("b")], Metrics::default());
        for id in ["a", "b"] {
            store.record(&target(id).id, Reading::SwasInvocations(SwasInvocationsReading::default()), at(0));
        }
        let generation = store.generation();
        store.retarget(vec![target("b")], Metrics::default());
        assert!(store.generation() > generation);
        let page = shown(&store, 1);
        assert!(!page.contains("target=\"a\"") && !page.contains("instance_id=\"a\""));
        assert!(page.contains("aliyun_swas_server_info{account=\"a\",region_id=\"r\",instance_id=\"b\""));
    }
}
