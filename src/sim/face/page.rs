//! Pages of lists.

use serde_json::{Value, json};

use super::View;
use crate::sim::failure::Failure;
use crate::sim::parameters;

/// A page of a list.
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// E-HPC: at most 50 items and 999 pages.
    pub(super) fn ehpc(view: &View<'_>) -> Result<Self, Failure> {
        Self::read(view, 50, 999)
    }

    /// SWAS: the sizes differ, the number of pages is not limited.
    pub(super) fn swas(view: &View<'_>, largest: usize) -> Result<Self, Failure> {
        Self::read(view, largest, usize::MAX)
    }

    fn read(view: &View<'_>, largest: usize, last: usize) -> Result<Self, Failure> {
        let number = parameters::integer(view.parameters, "PageNumber", 1, 1..=last)?;
        let size = parameters::integer(view.parameters, "PageSize", 10, 1..=largest)?;
        Ok(Self { number, size })
    }

    /// The body of a page, with only the paging fields.
    pub(super) fn body(&self, total: usize) -> Value {
        json!({"PageNumber": self.number, "PageSize": self.size, "TotalCount": total})
    }

    /// The items of this page.
    pub(super) fn slice<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        let start = (self.number - 1).saturating_mul(self.size).min(items.len());
        let end = start.saturating_add(self.size).min(items.len());
        &items[start..end]
    }
}
