//! The `prometheus` crate as its documentation shows it: series in a Registry, gathered and encoded
//! at each scrape.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address to listen on.
    listen: String,
    /// A page in the text format; its series are registered, histograms as the series they are
    /// made of.
    page: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> super::Outcome {
    let registry = load(&std::fs::read_to_string(arguments.page)?)?;
    let handler = move |headers: HeaderMap| async move { answer(&registry, &headers) };
    super::serve(&arguments.listen, Router::new().route("/metrics", get(handler))).await
}

fn answer(registry: &Registry, headers: &HeaderMap) -> Response {
    let encoder = TextEncoder::new();
    let content_type = [(header::CONTENT_TYPE, encoder.format_type().to_owned())];
    let mut body = Vec::new();
    if let Err(error) = encoder.encode(&registry.gather(), &mut body) {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    if !takes_gzip(headers) {
        return (content_type, body).into_response();
    }
    let mut compressor = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    match compressor.write_all(&body).and_then(|()| compressor.finish()) {
        Ok(body) => (content_type, [(header::CONTENT_ENCODING, "gzip")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Whether a scraper accepts gzip. Those of the bench either name only gzip or nothing.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_ENCODING).is_some_and(|value| value.as_bytes().starts_with(b"gzip"))
}

/// A registry with the series of `page`, each with its value.
fn load(page: &str) -> Result<Registry, Box<dyn Error + Send + Sync>> {
    let registry = Registry::new();
    let mut families: BTreeMap<&str, GaugeVec> = BTreeMap::new();
    let mut help = "";
    for line in page.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help);
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or("a line without a value")?;
        let (name, labels) = labels(series).ok_or("a line that is none of the exporter's")?;
        if !families.contains_key(name) {
            let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
            let family = GaugeVec::new(Opts::new(name, help), &names)?;
            registry.register(Box::new(family.clone()))?;
            families.insert(name, family);
        }
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        families[name].get_metric_with_label_values(&values)?.set(value.parse()?);
    }
    Ok(registry)
}

/// The name and labels of a series. What the exporter writes is never escaped here, and has no
/// spaces between labels.
fn labels(series: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let Some((name, labels)) = series.split_once('{') else { return Some((series, Vec::new())) };
    let labels = labels.strip_suffix("\"}")?.split("\",").map(|label| label.split_once("=\""));
    Some((name, labels.collect::<Option<_>>()?))
}
