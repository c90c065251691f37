//! How many different responses may be in memory because clients are slow to read them.
//!
//! Clients that ask for the same at the same time share one copy. Clients that ask for different
//! things, or at different times, and do not read them, would fill the memory.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exposition::PageBody;

/// Maximum size of all views together, in KiB.
const VIEWS_KIB: u32 = 24 << 10;
/// Number of different pages of `/metrics` above which room is short. It is not a limit, since a
/// scrape never waits.
const MANY_PAGES: usize = 8;

/// Counts responses in memory. While room is short, clients that do not read are cut early.
#[derive(Debug)]
pub struct Room {
    /// The free KiB.
    views: Arc<Semaphore>,
    /// Total number of KiB.
    views_kib: u32,
    pages: Mutex<Vec<Weak<PageBody>>>,
}

/// A view, which holds its room until no client reads it any more.
struct View {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::of(VIEWS_KIB)
    }
}

impl Room {
    /// Room for views of this total size, in KiB.
    pub fn of(views_kib: u32) -> Self {
        let views = Arc::new(Semaphore::new(views_kib as usize));
        Self { views, views_kib, pages: Mutex::default() }
    }

    /// Whether there is room for a view of this size.
    pub(super) fn has(&self, bytes: usize) -> bool {
        self.views.available_permits() >= self.kib(bytes) as usize
    }

    /// Waits for room for a view, which then takes it as long as a copy of the view exists.
    pub(super) async fn hold(&self, bytes: Vec<u8>) -> Option<Bytes> {
        let room = Arc::clone(&self.views).acquire_many_owned(self.kib(bytes.len())).await.ok()?;
        Some(Bytes::from_owner(View { bytes, _room: room }))
    }

    /// The room that a view of this size takes, in KiB: at most all of it.
    fn kib(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.views_kib)
    }

    /// Notes that a page is being sent.
    pub(super) fn sends(&self, page: &Arc<PageBody>) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = Arc::downgrade(page);
        if !pages.iter().any(|known| known.ptr_eq(&page)) {
            pages.retain(|known| known.strong_count() > 0);
            pages.push(page);
        }
    }

    /// Whether clients that do not read must go.
    pub(super) fn is_short(&self) -> bool {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|known| known.strong_count() > 0);
        pages.len() > MANY_PAGES || self.views.available_permits() < self.views_kib as usize / 4
    }
}
