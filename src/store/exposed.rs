//! What `/metrics` shows, and until when that is true.

use std::ops::Bound;
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};

use jiff::SignedDuration;

use super::{Entry, Inner, Store, add, series_shares};
use crate::clock::Moment;
use crate::exposition::{Change, Page};
use crate::model::SeriesUse;
use crate::target::TargetId;

/// So much text is handed over at once: while it is put on the page it is held twice, and while it is collected no poll can
/// be recorded.
const BATCH: usize = 4 * 1024 * 1024;

/// What `/metrics` shows of the targets.
#[derive(Debug)]
pub struct Exposed {
    /// Their lines.
    pub page: Page,
    /// How many bytes these are.
    text: usize,
    /// Polled series that are shown, and what bounds them.
    pub series: SeriesUse,
    generation: u64,
    /// It is true from here, since boot.
    since: SignedDuration,
    /// And, if nothing is recorded, until something goes stale.
    until: Option<SignedDuration>,
}

/// A walk over the targets, in batches.
struct Walk {
    /// Since boot.
    now: SignedDuration,
    /// The last target of the batch before, if there are more.
    last: Option<TargetId>,
    series: SeriesUse,
    until: Option<SignedDuration>,
}

impl Store {
    /// What `/metrics` shows at `now`, if that is put together already.
    pub fn exposed(&self, now: Moment) -> Option<Arc<Exposed>> {
        let exposed = self.exposed.load_full()?;
        let is_true = exposed.since <= now.boot && exposed.until.is_none_or(|until| now.boot < until);
        (is_true && exposed.generation == self.generation()).then_some(exposed)
    }

    /// What `/metrics` shows at `now`. What is new since the last time is put on the page; others who ask wait for it, but
    /// polls are recorded meanwhile.
    pub fn expose(&self, now: Moment) -> Arc<Exposed> {
        let _turn = self.turn.lock().unwrap_or_else(|left| self.begin_anew(left));
        self.exposed(now).unwrap_or_else(|| self.put_together(now))
    }

    /// Puts on the page what waits for it if that is much, unless somebody is at it.
    pub(super) fn relieve(&self, waiting: usize, now: Moment) {
        let text = self.exposed.load().as_ref().map_or(0, |exposed| exposed.text);
        if waiting < BATCH.max(text / 8) {
            return;
        }
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(left)) => self.begin_anew(left),
            Err(TryLockError::WouldBlock) => return,
        };
        self.put_together(now);
    }

    /// Whoever had the turn panicked, and what was handed over to him is lost: all of it is written for a new page.
    fn begin_anew<'a>(&'a self, left: PoisonError<MutexGuard<'a, ()>>) -> MutexGuard<'a, ()> {
        let turn = left.into_inner();
        let mut inner = self.write();
        let (style, limits) = inner.rendering();
        let Inner { entries, gone, .. } = &mut *inner;
        self.exposed.store(None);
        gone.clear();
        entries.values_mut().for_each(|entry| entry.forget_page(style, limits));
        self.turn.clear_poison();
        turn
    }

    fn put_together(&self, now: Moment) -> Arc<Exposed> {
        // What is recorded from here on is of a later generation, whether this walk still meets it or not.
        let (generation, limit) = self.begin();
        let series = SeriesUse { limit, ..SeriesUse::default() };
        let mut walk = Walk { now: now.boot, last: None, series, until: None };
        let mut page = self.last_page().after(&self.batch(&mut walk));
        while walk.last.is_some() {
            page = page.after(&self.batch(&mut walk));
        }
        let (text, series) = (page.bytes(), walk.series);
        let exposed = Arc::new(Exposed { page, text, series, generation, since: now.boot, until: walk.until });
        self.exposed.store(Some(Arc::clone(&exposed)));
        exposed
    }

    /// The page before, taken away: it is true no more, and what is not kept alive by a scrape under way can go.
    fn last_page(&self) -> Page {
        let last = self.exposed.swap(None).map(Arc::try_unwrap);
        last.map_or_else(Page::default, |last| last.map_or_else(|shared| shared.page.clone(), |own| own.page))
    }

    /// The generation that is put together now, and how many series are allowed. Nothing waits any more, and each target has
    /// its share of them.
    fn begin(&self) -> (u64, usize) {
        let mut inner = self.write();
        inner.waiting = 0;
        inner.shares =
            series_shares::shares(inner.entries.values().filter_map(Entry::demand), &inner.metrics, inner.shares);
        (inner.generation, inner.metrics.max_series)
    }

    /// What is new of the next targets, in the order of their places.
    fn batch(&self, walk: &mut Walk) -> Vec<(u32, Change)> {
        let mut inner = self.write();
        let rendering = inner.rendering();
        let Inner { metrics, entries, places, gone, .. } = &mut *inner;
        let mut changes: Vec<(u32, Change)> = gone.drain(..).map(|place| (place, Change::Gone)).collect();
        let from = walk.last.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut bytes = 0;
        for (id, entry) in entries.range_mut((from, Bound::Unbounded)) {
            let before = changes.len();
            let until = entry.changes(walk.now, rendering, places, &mut changes);
            bytes += changes[before..].iter().map(|(_, change)| change.bytes()).sum::<usize>();
            add(&mut walk.series, entry, walk.now, metrics);
            walk.until = [walk.until, until].into_iter().flatten().min();
            if bytes >= BATCH {
                walk.last = Some(id.clone());
                break;
            }
        }
        changes.sort_by_key(|(place, _)| *place);
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::{Store, Walk};
    use crate::config::Metrics;
    use crate::model::{Reading, SeriesUse, SwasInvocationsReading};
    use crate::store::tests::{at, end, shown, target};

    /// Somebody takes the page and all that is new, and then panics.
    fn come_to_grief(store: &Store) {
        std::thread::scope(|scope| {
            let grief = scope.spawn(|| {
                let _turn = store.turn.lock().unwrap();
                let mut walk = Walk { now: at(0).boot, last: None, series: SeriesUse::default(), until: None };
                drop((store.last_page(), store.batch(&mut walk)));
                panic!("this panic is meant");
            });
            assert!(grief.join().is_err());
        });
        assert!(store.turn.is_poisoned() && store.exposed(at(0)).is_none());
    }

    #[test]
    fn what_was_left_half_put_together_is_put_together_anew() {
        let store = Store::new(Metrics::default());
        store.retarget(vec![target("a"), target("b"), target("c")], Metrics::default());
        for (id, seconds) in [("a", 0), ("b", -1000)] {
            store.record(&target(id).id, Reading::SwasInvocations(SwasInvocationsReading::default()), at(seconds));
            store.poll_ended(&target(id).id, end(false, seconds));
        }
        let whole = shown(&store, 0);
        let stale = "aliyun_swas_invocations{instance_id=\"b\"";
        assert!(whole.contains("finished_total{instance_id=\"b\"") && !whole.contains(stale));
        come_to_grief(&store);
        assert_eq!(shown(&store, 0), whole);

        store.record(&target("b").id, Reading::SwasInvocations(SwasInvocationsReading::default()), at(0));
        come_to_grief(&store);
        let whole = shown(&store, 0);
        assert!(whole.contains(stale), "what was new was not lost");

        come_to_grief(&store);
        store.relieve(usize::MAX, at(0));
        assert!(!store.turn.is_poisoned() && store.exposed(at(0)).is_some(), "polling recovers too");
        assert_eq!(shown(&store, 0), whole);

        store.retarget(vec![target("c")], Metrics::default());
        come_to_grief(&store);
        assert!(!shown(&store, 0).contains("instance_id=\"a\""));
    }
}
