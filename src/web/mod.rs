//! What is served: `/metrics`, the status page, health, and the configuration without its secrets.

mod access;
mod budget;
mod connections;
mod descriptors;
mod fixture;
mod guard;
mod headers;
mod healthcheck;
mod hosts;
mod lifecycle;
mod metrics;
mod page;
mod pages;
mod place;
mod room;
mod scrapes;
mod server;
mod shared;
mod site;
mod state;
mod status;
mod text;
mod visible;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;

use self::headers::NEVER_KEPT;
use self::shared::Responses;
use crate::clock::Moment;
use crate::lease::STATE_PATH;

pub use access::Paths;
pub use guard::{Guard, Unusable};
pub use healthcheck::{Question, Unhealthy};
pub use hosts::Hosts;
pub use room::Room;
pub use server::{Front, serve};
pub use site::{Reload, Settings, Site};

/// After this long without an answer from the cloud, the exporter is ready even so, to report that.
const READY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// The routes.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route(&site.paths.telemetry, get(metrics::metrics))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .route("/config", get(config))
        .route("/static/page.css", get(|| async { asset("text/css; charset=utf-8", page::STYLE) }))
        .route(
            "/static/page.js",
            get(|| async { asset("text/javascript; charset=utf-8", page::SCRIPT) }),
        )
        .route(STATE_PATH, get(state::state))
        .route("/-/reload", post(lifecycle::reload).put(lifecycle::reload))
        .fallback(access::not_found)
        .method_not_allowed_fallback(access::method_not_allowed)
        .with_state(Arc::clone(&site))
        .merge(views(site))
}

/// The routes whose responses are shared.
fn views(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(pages::overview))
        .route("/region/{id}", get(pages::region))
        .route("/cluster/{id}", get(pages::cluster))
        .route("/server/{id}", get(pages::server))
        .route("/command", get(pages::command))
        .route("/command/{cluster}/{id}", get(pages::nodes))
        .route("/api/v1/status", get(pages::status))
        .method_not_allowed_fallback(access::method_not_allowed)
        .with_state(Responses::new(site))
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    let unanswered = site.store.unanswered();
    if unanswered.is_empty() || Moment::now().since(site.started) >= READY_AFTER {
        return "ready\n".into_response();
    }
    let waiting = format!("not ready: no answer yet for account {}\n", unanswered.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, waiting).into_response()
}

async fn config(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let text = site.config.load().text();
    (NEVER_KEPT, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=300")], text)
}
