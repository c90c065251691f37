//! The floor: bytes that are ready, in the exporter's own HTTP stack.

use std::path::PathBuf;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address to listen on.
    listen: String,
    /// The body.
    body: PathBuf,
    /// The body as one gzip member, for clients that accept it.
    compressed: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> super::Outcome {
    let body = Bytes::from(std::fs::read(arguments.body)?);
    let compressed = Bytes::from(std::fs::read(arguments.compressed)?);
    let handler = move |headers: HeaderMap| async move { answer(&headers, body, compressed) };
    super::serve(&arguments.listen, Router::new().route("/metrics", get(handler))).await
}

fn answer(headers: &HeaderMap, body: Bytes, compressed: Bytes) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match super::registry::takes_gzip(headers) {
        true => (content_type, [(header::CONTENT_ENCODING, "gzip")], compressed).into_response(),
        false => (content_type, body).into_response(),
    }
}
