//! Which page, or which part of `/api/v1/status`, a request asks for.

use axum::extract::{Path, Query as Parameters, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::page::Asked;
use super::place::Place;
use super::shared::{Responses, View};
use super::status::Query;
use super::text::Lang;

/// The parameters of a request, in their order.
type Pairs = Parameters<Vec<(String, String)>>;

/// `/`.
pub(super) async fn overview(
    State(responses): State<Responses>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    page(&responses, Place::Overview, &pairs, &headers).await
}

/// `/region/ID`.
pub(super) async fn region(
    State(responses): State<Responses>,
    Path(id): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    page(&responses, Place::Region(id), &pairs, &headers).await
}

/// `/cluster/ID`.
pub(super) async fn cluster(
    State(responses): State<Responses>,
    Path(id): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    page(&responses, Place::Cluster(id), &pairs, &headers).await
}

/// `/server/ID`.
pub(super) async fn server(
    State(responses): State<Responses>,
    Path(id): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    page(&responses, Place::Server(id), &pairs, &headers).await
}

/// `/command?name=NAME`: a name may be anything, and not everything can be a part of a path.
pub(super) async fn command(
    State(responses): State<Responses>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    let name = pairs.iter().find(|(name, _)| name == "name");
    let name = name.map(|(_, value)| value.clone()).unwrap_or_default();
    page(&responses, Place::Command(name), &pairs, &headers).await
}

/// `/command/CLUSTER/ID`.
pub(super) async fn nodes(
    State(responses): State<Responses>,
    Path((cluster, id)): Path<(String, String)>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    page(&responses, Place::Nodes(cluster, id), &pairs, &headers).await
}

/// `/api/v1/status`.
pub(super) async fn status(
    State(responses): State<Responses>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    match Query::read(&pairs) {
        Ok(query) => responses.respond(View::Status(query), &headers).await,
        Err(line) => refused(&line),
    }
}

async fn page(
    responses: &Responses,
    place: Place,
    pairs: &[(String, String)],
    headers: &HeaderMap,
) -> Response {
    let (query, show) = match Query::read_some(pairs) {
        Ok(read) => read,
        Err(line) => return refused(&line),
    };
    let lang = pairs.iter().rev().find(|(name, _)| name == "lang");
    let lang = lang.and_then(|(_, word)| Lang::parse(word));
    let is_lang_asked = lang.is_some();
    let lang = lang.unwrap_or_else(|| Lang::preferred(headers));
    let asked = Asked { place, query, show, lang, is_lang_asked };
    responses.respond(View::Page(asked), headers).await
}

fn refused(line: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{line}\n")).into_response()
}
