//! Learns the order of a list. No document states it for any list.
//!
//! The evidence is the entries' own times if they have any, otherwise where new entries appear.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Number of consecutive times that new entries must appear at the same end before that is
/// believed.
const VOTES: i8 = 2;

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    #[default]
    Unknown,
    NewestFirst,
    OldestFirst,
}

/// What is known about a list's order.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct OrderDetector {
    pub(super) order: Order,
    /// Consecutive times that new entries appeared first (positive) or last (negative).
    votes: i8,
}

impl OrderDetector {
    /// Learns from the `evidence` of a reading; where new entries appear counts only if the list
    /// was read before.
    pub(super) fn learn(&mut self, evidence: &Evidence, was_read_before: bool) {
        if let Some(order) = evidence.by_times() {
            self.order = order;
        } else if let Some(order) = evidence.by_newcomers().filter(|_| was_read_before) {
            self.vote(order);
        }
    }

    fn vote(&mut self, order: Order) {
        let vote = match order {
            Order::NewestFirst => 1,
            Order::OldestFirst => -1,
            Order::Unknown => 0,
        };
        let agrees = vote * self.votes > 0;
        self.votes = if agrees { (self.votes + vote).clamp(-VOTES, VOTES) } else { vote };
        self.order = match self.votes {
            VOTES => Order::NewestFirst,
            votes if votes == -VOTES => Order::OldestFirst,
            _ => Order::Unknown,
        };
    }
}

/// What the current reading shows about the order, entry by entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// Time of the previous entry.
    before: Option<Timestamp>,
    /// Newest time of all.
    pub(super) latest: Option<Timestamp>,
    /// Oldest time of all.
    pub(super) earliest: Option<Timestamp>,
    rises: bool,
    falls: bool,
    seen_new: bool,
    seen_old: bool,
    new_after_old: bool,
    old_after_new: bool,
    page: PageEvidence,
}

/// What the current page alone shows about the order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PageEvidence {
    entries: usize,
    /// Entries not yet shown in this reading.
    pub(super) new: usize,
    /// Entries never seen before.
    pub(super) unseen: usize,
    /// Whether its first entry was never seen before.
    pub(super) begins_unseen: bool,
}

impl Evidence {
    /// Records an entry, with its time if it has one: `new` in this reading, and `unseen` in all
    /// readings.
    pub(super) fn note(&mut self, new: bool, unseen: bool, time: Option<Timestamp>) {
        self.page.begins_unseen |= unseen && self.page.entries == 0;
        self.page.entries += 1;
        self.page.new += usize::from(new);
        self.page.unseen += usize::from(unseen);
        self.new_after_old |= unseen && self.seen_old;
        self.old_after_new |= !unseen && self.seen_new;
        self.seen_new |= unseen;
        self.seen_old |= !unseen;
        // Only new entries count: one shown before has moved to this page since.
        if let Some(time) = time.filter(|_| new) {
            self.rises |= self.before.is_some_and(|before| time > before);
            self.falls |= self.before.is_some_and(|before| time < before);
            self.before = Some(time);
        }
        self.latest = self.latest.max(time);
        self.earliest = self.earliest.into_iter().chain(time).min();
    }

    /// Returns what the page shows; the next one begins.
    pub(super) fn end_page(&mut self) -> PageEvidence {
        std::mem::take(&mut self.page)
    }

    /// Order by the entries' own times; `None` if they say nothing.
    fn by_times(&self) -> Option<Order> {
        match (self.rises, self.falls) {
            (false, false) => None,
            (true, false) => Some(Order::OldestFirst),
            (false, true) => Some(Order::NewestFirst),
            (true, true) => Some(Order::Unknown),
        }
    }

    /// Order by the places of new entries; `None` if no entry or every entry is new.
    fn by_newcomers(&self) -> Option<Order> {
        (self.seen_new && self.seen_old).then_some(match (self.new_after_old, self.old_after_new) {
            (false, _) => Order::NewestFirst,
            (_, false) => Order::OldestFirst,
            (true, true) => Order::Unknown,
        })
    }
}
