//! The choice of format and encoding, for any Accept and Accept-Encoding.
//!
//! Each line of the input is a header: its first byte says which, the rest is the value.

#![no_main]

use aliyun_task_exporter::exposition::{Encoding, Format};
use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    let mut accepted = Vec::new();
    let mut encodings = Vec::new();
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let Some((first, value)) = line.split_first() else { continue };
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        let (name, entries) = match first % 2 {
            0 => (ACCEPT_ENCODING, &mut encodings),
            _ => (ACCEPT, &mut accepted),
        };
        // A value with other bytes than visible ASCII is none.
        if let Ok(text) = value.to_str() {
            entries.extend(text.split(',').map(entry));
        }
        headers.append(name, value);
    }
    let best = |entries: &[Entry], names: &[&str], versions: &[&str]| {
        let offered = |entry: &&Entry| {
            names.contains(&&*entry.name)
                && entry.version.as_ref().is_none_or(|version| versions.contains(&&**version))
        };
        entries.iter().filter(offered).map(|entry| entry.weight).fold(0.0, f64::max)
    };
    let openmetrics = best(&accepted, &["application/openmetrics-text"], &["1.0.0", "0.0.1"]);
    let text = best(&accepted, &["text/plain"], &["0.0.4"]);
    match Format::wanted(&headers) {
        Format::OpenMetrics => assert!(openmetrics > 0.0 && openmetrics >= text, "{accepted:?}"),
        // It is what is sent to those who name nothing that there is.
        Format::Text => assert!(openmetrics == 0.0 || text > openmetrics, "{accepted:?}"),
    }
    let is_gzip = |entry: &Entry| ["gzip", "x-gzip"].contains(&&*entry.name);
    // The star stands for what is not named.
    let names: &[&str] = if encodings.iter().any(is_gzip) { &["gzip", "x-gzip"] } else { &["*"] };
    let any_version = |entries: &[Entry], names: &[&str]| {
        let named = entries.iter().filter(|entry| names.contains(&&*entry.name));
        named.map(|entry| entry.weight).fold(0.0, f64::max)
    };
    let gzip = any_version(&encodings, names);
    let identity = any_version(&encodings, &["identity"]);
    match Encoding::wanted(&headers) {
        Encoding::Gzip => assert!(gzip > 0.0 && gzip >= identity, "{encodings:?}"),
        Encoding::Identity => assert!(gzip == 0.0 || identity > gzip, "{encodings:?}"),
    }
});

/// An entry of a list, as RFC 9110 reads it.
#[derive(Debug)]
struct Entry {
    name: String,
    version: Option<String>,
    weight: f64,
}

fn entry(text: &str) -> Entry {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut parameters: Vec<(String, &str)> = Vec::new();
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        parameters.push((key.trim().to_ascii_lowercase(), value.trim().trim_matches('"')));
    }
    let of = |wanted: &str| {
        parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| (*value).to_owned())
    };
    Entry { name, version: of("version"), weight: of("q").map_or(1.0, |text| weight(&text)) }
}

/// A weight that is none refuses.
fn weight(text: &str) -> f64 {
    let number: f64 = text.parse().unwrap_or(0.0);
    if (0.0..=1.0).contains(&number) { number } else { 0.0 }
}
