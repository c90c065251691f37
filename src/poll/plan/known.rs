//! Ids that have been seen, so that nothing is counted twice or shown again after it has left the window.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The ids of a list that were seen in it.
///
/// It forgets what a whole reading of the list no longer shows, so it never grows beyond what the list can hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Known {
    ids: HashSet<Arc<str>>,
    /// Ids seen since the present reading of the list began.
    fresh: HashSet<Arc<str>>,
}

impl Known {
    /// A reading of the list begins.
    pub(super) fn begin(&mut self) {
        self.fresh.clear();
    }

    /// Notes an id; whether it was not known before.
    pub(super) fn note(&mut self, id: &Arc<str>) -> bool {
        self.fresh.insert(Arc::clone(id));
        self.ids.insert(Arc::clone(id))
    }

    /// Whether the present reading of the list has shown `id`.
    pub(super) fn is_fresh(&self, id: &str) -> bool {
        self.fresh.contains(id)
    }

    /// How many ids the present reading has shown.
    pub(super) fn fresh_count(&self) -> usize {
        self.fresh.len()
    }

    /// The list was read whole: what it did not show is forgotten, but for what `keep` wants.
    pub(super) fn complete(&mut self, keep: impl Fn(&str) -> bool) {
        let fresh = &self.fresh;
        self.ids.retain(|id| fresh.contains(id) || keep(id));
    }
}
