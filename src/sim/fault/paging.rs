//! Lists that are not paged as documented.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sim::parameters::Parameters;

/// How paging deviates.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// Maximum entries of a page, whatever size is requested.
    #[serde(default)]
    pub(super) page_size: Option<usize>,
    /// The answer has no PageNumber and PageSize.
    #[serde(default)]
    silent: bool,
    /// Pages after this one are empty.
    #[serde(default)]
    pages: Option<usize>,
    /// What TotalCount counts.
    #[serde(default)]
    total: Total,
    /// Added to TotalCount.
    #[serde(default)]
    total_off: i64,
}

/// What TotalCount counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Total {
    /// Entries of the list.
    #[default]
    List,
    /// Entries of the page.
    Page,
    /// It is left out.
    None,
}

/// A page beyond the end of every list.
const NO_PAGE: &str = "900";

impl Paging {
    /// Changes a request to the one that the back end acts on.
    pub(crate) fn ask(&self, parameters: &mut Parameters) {
        let number = |name: &str, otherwise: usize| {
            parameters.get(name).and_then(|text| text.parse::<usize>().ok()).unwrap_or(otherwise)
        };
        let page = number("PageNumber", 1);
        let size = number("PageSize", 10);
        if let Some(most) = self.page_size {
            parameters.insert("PageSize".to_owned(), size.min(most).to_string());
        }
        if self.pages.is_some_and(|last| page > last) {
            parameters.insert("PageNumber".to_owned(), NO_PAGE.to_owned());
        }
    }

    /// Changes an answer, if it is a page of a list.
    pub(crate) fn answer(&self, body: &mut Value) {
        let entries = entries(body);
        let Some(body) = body.as_object_mut().filter(|body| body.contains_key("PageNumber")) else {
            return;
        };
        if self.silent {
            body.remove("PageSize");
            body.remove("PageNumber");
        }
        let list = body.get("TotalCount").and_then(Value::as_i64).unwrap_or_default();
        match self.total {
            Total::List => {
                body.insert("TotalCount".to_owned(), (list + self.total_off).max(0).into())
            }
            Total::Page => body.insert("TotalCount".to_owned(), entries.into()),
            Total::None => body.remove("TotalCount"),
        };
    }
}

/// Entries of the page; E-HPC wraps some of its lists.
fn entries(body: &Value) -> usize {
    let lists = body.as_object().into_iter().flat_map(|body| body.values());
    let inner = lists.flat_map(|value| match value {
        Value::Object(wrapper) => wrapper.values().collect(),
        other => vec![other],
    });
    inner.filter_map(Value::as_array).map(Vec::len).sum()
}
