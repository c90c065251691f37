//! The section `web`.

use serde::Serialize;

use super::reader::Section;

/// `web`: what is served, and which clients need to log in, beside what `--web.config.file` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Web {
    /// Whether the status page, its API and the configuration are served, beside metrics and
    /// health.
    pub pages: bool,
    /// Whether `/-/healthy` and `/-/ready` need neither password nor client certificate, whatever
    /// the web configuration file says.
    pub open_health: bool,
    /// Whether the status page's data shows every text of the cloud about a failure, not only those
    /// that the vendor documents.
    pub error_texts: bool,
}

impl Default for Web {
    fn default() -> Self {
        Self { pages: true, open_health: false, error_texts: false }
    }
}

pub(super) const KEYS: &[&str] = &["pages", "open_health", "error_texts"];

/// What is served, and which clients need to log in.
pub(super) fn read(section: &Section) -> Web {
    let default = Web::default();
    Web {
        pages: section.boolean("pages").unwrap_or(default.pages),
        open_health: section.boolean("open_health").unwrap_or(default.open_health),
        error_texts: section.boolean("error_texts").unwrap_or(default.error_texts),
    }
}
