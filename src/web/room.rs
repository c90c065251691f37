//! How many different responses may be in memory because clients are slow to read them.
//!
//! All that ask for the same at the same time share one copy. Those that ask for something different
//! each, or at different times, and do not read it, would fill the memory.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exposition::PageBody;

/// Maximum number of different views.
const MAX_VIEWS: usize = 64;
/// Number of free places for views below which room is short.
const FEW: usize = MAX_VIEWS / 4;
/// Number of different pages of `/metrics` above which room is short. They are not limited: a scrape
/// never waits.
const MANY_PAGES: usize = 8;

/// Counts responses that are in memory. While room is short, clients that do not read are cut early.
#[derive(Debug)]
pub struct Room {
    views: Arc<Semaphore>,
    pages: Mutex<Vec<Weak<PageBody>>>,
}

/// A place for a view.
#[derive(Debug)]
pub(super) struct Spot {
    _permit: OwnedSemaphorePermit,
}

/// A view, and its place until nobody reads it any more.
struct View {
    bytes: Vec<u8>,
    _spot: Spot,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Room {
    fn default() -> Self {
        Self { views: Arc::new(Semaphore::new(MAX_VIEWS)), pages: Mutex::default() }
    }
}

impl Room {
    /// A place for a view, once there is one.
    pub(super) async fn spot(&self) -> Option<Spot> {
        let permit = Arc::clone(&self.views).acquire_owned().await.ok()?;
        Some(Spot { _permit: permit })
    }

    /// A page begins to be sent.
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
        pages.len() > MANY_PAGES || self.views.available_permits() < FEW
    }
}

impl Spot {
    /// Bytes that hold the place as long as there is a copy of them.
    pub(super) fn hold(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(View { bytes, _spot: self })
    }
}
