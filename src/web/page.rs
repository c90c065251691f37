//! The status page: what `/api/v1/status` says, for a person.

use jiff::Timestamp;
use maud::{DOCTYPE, html};

use super::status::Status;

/// The page's style sheet.
pub(super) const STYLE: &str = include_str!("page.css");
/// The page's script.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub(super) fn page(status: &Status, _now: Timestamp) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "aliyun-task-exporter" }
                link rel="stylesheet" href="/static/page.css";
                script src="/static/page.js" defer {}
            }
            body {
                h1 { "aliyun-task-exporter " (status.version) }
                ul { @for target in &status.targets { li { (target.kind) " " (target.id) } } }
            }
        }
    }
    .into_string()
}
