//! Fragments -> the page, and the pages that are kept until something on them changes.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::fragment::{Fragment, escape};
use super::negotiate::Format;
use crate::catalog::{CATALOG, Family, Kind};

/// The targets' part of the page in each format, kept until something on it changes.
#[derive(Debug, Default)]
pub struct Pages {
    kept: Mutex<BTreeMap<Format, Kept>>,
}

/// A fragment, and how much of it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The fragment.
    pub fragment: Arc<Fragment>,
    /// Its gauges are withdrawn: only what was counted is shown.
    pub stale: bool,
}

impl Shown {
    /// The lines that are shown of each family, with the family's position in the catalog.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.fragment.lines().filter(|(position, _)| !self.stale || CATALOG[*position].kind != Kind::Gauge)
    }
}

#[derive(Debug)]
struct Kept {
    generation: u64,
    until: Option<Timestamp>,
    text: Arc<str>,
}

impl Pages {
    /// The page for `generation`, which is good before `until`; put together from `fragments` if it is not kept.
    pub fn text(
        &self,
        format: Format,
        generation: u64,
        now: Timestamp,
        fragments: impl FnOnce() -> (Vec<Shown>, Option<Timestamp>),
    ) -> Arc<str> {
        let mut pages = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let current = |kept: &&Kept| kept.generation == generation && kept.until.is_none_or(|until| now < until);
        if let Some(kept) = pages.get(&format).filter(current) {
            return Arc::clone(&kept.text);
        }
        let (fragments, until) = fragments();
        let text: Arc<str> = assemble(&fragments, format).into();
        pages.insert(format, Kept { generation, until, text: Arc::clone(&text) });
        text
    }
}

/// Puts fragments together, family by family in the order of the catalog.
fn assemble(fragments: &[Shown], format: Format) -> String {
    let mut families: Vec<Vec<&str>> = vec![Vec::new(); CATALOG.len()];
    for (position, lines) in fragments.iter().flat_map(Shown::lines) {
        families[position].push(lines);
    }
    let mut page = String::with_capacity(families.iter().flatten().map(|lines| lines.len()).sum::<usize>() + 16_384);
    for (family, lines) in CATALOG.iter().zip(families).filter(|(_, lines)| !lines.is_empty()) {
        header(family, format, &mut page);
        lines.iter().for_each(|lines| page.push_str(lines));
    }
    page
}

fn header(family: &Family, format: Format, page: &mut String) {
    let name = match format {
        Format::Text => family.name,
        Format::OpenMetrics => family.openmetrics_name(),
    };
    describe(name, family.kind, family.unit(), family.help, format, page);
}

/// HELP, TYPE and, where the format has it, UNIT of a family.
pub(super) fn describe(name: &str, kind: Kind, unit: Option<&str>, help: &str, format: Format, page: &mut String) {
    page.push_str(&format!("# HELP {name} "));
    match format {
        Format::Text => page.push_str(&help.replace('\\', "\\\\").replace('\n', "\\n")),
        Format::OpenMetrics => escape(help, page),
    }
    page.push_str(&format!("\n# TYPE {name} {}\n", kind.word()));
    if let (Format::OpenMetrics, Some(unit)) = (format, unit) {
        page.push_str(&format!("# UNIT {name} {unit}\n"));
    }
}

/// `body` as one gzip member.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8 + 64), Compression::fast());
    // Writing into a Vec cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
