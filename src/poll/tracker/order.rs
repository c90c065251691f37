//! Learns in which order a list comes. No document states it of any list.
//!
//! It is told by the entries' own times where they have any, else by where new entries turn up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// New entries must have turned up at the same end this many times before that is believed.
const VOTES: i8 = 2;

/// The order in which a list comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    #[default]
    Unknown,
    NewestFirst,
    OldestFirst,
}

/// What is known of a list's order.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct OrderDetector {
    pub(super) order: Order,
    /// How often new entries turned up first (positive) or last (negative) in a row.
    votes: i8,
}

impl OrderDetector {
    /// A reading has shown `evidence`; where new entries turn up says something only if the list
    /// had been read before.
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

/// What the present reading has shown of the order, entry by entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// The time of the entry before.
    before: Option<Timestamp>,
    /// The newest time of all.
    pub(super) latest: Option<Timestamp>,
    /// The oldest time of all.
    pub(super) earliest: Option<Timestamp>,
    rises: bool,
    falls: bool,
    seen_new: bool,
    seen_old: bool,
    new_after_old: bool,
    old_after_new: bool,
    page: PageEvidence,
}

/// The same of the present page alone.
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
    /// An entry, with its time if it has one: `new` in this reading, and `unseen` in all readings.
    pub(super) fn note(&mut self, new: bool, unseen: bool, time: Option<Timestamp>) {
        self.page.begins_unseen |= unseen && self.page.entries == 0;
        self.page.entries += 1;
        self.page.new += usize::from(new);
        self.page.unseen += usize::from(unseen);
        self.new_after_old |= unseen && self.seen_old;
        self.old_after_new |= !unseen && self.seen_new;
        self.seen_new |= unseen;
        self.seen_old |= !unseen;
        // One that was shown already has moved to this page since then.
        if let Some(time) = time.filter(|_| new) {
            self.rises |= self.before.is_some_and(|before| time > before);
            self.falls |= self.before.is_some_and(|before| time < before);
            self.before = Some(time);
        }
        self.latest = self.latest.max(time);
        self.earliest = self.earliest.into_iter().chain(time).min();
    }

    /// What was noted of a page; the next one begins.
    pub(super) fn end_page(&mut self) -> PageEvidence {
        std::mem::take(&mut self.page)
    }

    /// What the entries' own times say; `None` if they say nothing.
    fn by_times(&self) -> Option<Order> {
        match (self.rises, self.falls) {
            (false, false) => None,
            (true, false) => Some(Order::OldestFirst),
            (false, true) => Some(Order::NewestFirst),
            (true, true) => Some(Order::Unknown),
        }
    }

    /// What the places of the newcomers say; `None` if there are none, or nothing else.
    fn by_newcomers(&self) -> Option<Order> {
        (self.seen_new && self.seen_old).then_some(match (self.new_after_old, self.old_after_new) {
            (false, _) => Order::NewestFirst,
            (_, false) => Order::OldestFirst,
            (true, true) => Order::Unknown,
        })
    }
}
