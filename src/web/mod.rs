//! What is served: `/metrics`, the status page, health, and the configuration without its secrets.

mod access;
mod budget;
mod connections;
mod guard;
mod hosts;
mod lifecycle;
mod metrics;
mod page;
mod server;
mod shared;
mod status;
mod visible;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::SignedDuration;
use tokio::sync::{Mutex, mpsc};

use crate::clock::Moment;
use crate::exposition::Exposition;
use crate::self_metrics::SelfMetrics;
use crate::store::Store;

pub use access::Paths;
pub use guard::Guard;
pub use hosts::Hosts;
pub use lifecycle::Reload;
pub use server::{Front, serve};
use shared::{Shared, View};

/// After this long without an answer from the cloud, the exporter is ready nonetheless, to report
/// that.
const READY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// How to serve.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The web configuration file.
    pub config_file: Option<PathBuf>,
    /// Paths of the routes.
    pub paths: Paths,
    /// Names that the server may be asked by.
    pub hosts: Hosts,
    /// Whether `POST /-/reload` reloads.
    pub lifecycle: bool,
}

/// State shared by the routes.
#[derive(Debug)]
pub struct Site {
    /// What is known of the targets.
    pub store: Arc<Store>,
    /// Renders `/metrics` from the store.
    pub exposition: Arc<Exposition>,
    /// The exporter's own metrics.
    pub metrics: Arc<SelfMetrics>,
    /// The configuration in force, without its secrets.
    pub config: ArcSwap<String>,
    /// When the exporter was started.
    pub started: Moment,
    /// Paths of the routes.
    paths: Paths,
    /// Where `POST /-/reload` leads, if that is on.
    reloads: Option<mpsc::Sender<Reload>>,
    /// Held by the scrape that assembles the page.
    render_lock: Arc<Mutex<()>>,
    /// Status responses of the last second.
    shared: Arc<Mutex<Shared>>,
}

impl Site {
    /// A site over `store`, `exposition` and `metrics`.
    pub fn new(
        store: Arc<Store>,
        exposition: Arc<Exposition>,
        metrics: Arc<SelfMetrics>,
        config: String,
        started: Moment,
    ) -> Self {
        let config = ArcSwap::from_pointee(config);
        Self {
            store,
            exposition,
            metrics,
            config,
            started,
            paths: Paths::default(),
            reloads: None,
            render_lock: Arc::default(),
            shared: Arc::default(),
        }
    }

    /// The same under other paths, and reloaded by `POST /-/reload` if `reloads` leads somewhere.
    pub fn serving(self, paths: Paths, reloads: Option<mpsc::Sender<Reload>>) -> Self {
        Self { paths, reloads, ..self }
    }
}

/// The routes.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(index))
        .route(&site.paths.telemetry, get(metrics::metrics))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .route("/config", get(config))
        .route("/api/v1/status", get(api_status))
        .route("/static/page.css", get(|| async { asset("text/css; charset=utf-8", page::STYLE) }))
        .route(
            "/static/page.js",
            get(|| async { asset("text/javascript; charset=utf-8", page::SCRIPT) }),
        )
        .route("/-/reload", post(lifecycle::reload).put(lifecycle::reload))
        .fallback(access::not_found)
        .method_not_allowed_fallback(access::method_not_allowed)
        .layer(middleware::from_fn(security_headers))
        .with_state(site)
}

/// Caches must not serve an old status as the current one.
const NEVER_KEPT: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

async fn index(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    shared::respond(site, View::Page, &headers).await
}

async fn api_status(
    State(site): State<Arc<Site>>,
    query: Result<Query<status::Query>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    match query {
        Ok(Query(query)) => shared::respond(site, View::Status(query), &headers).await,
        Err(error) => (StatusCode::BAD_REQUEST, error.body_text() + "\n").into_response(),
    }
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
    let text = site.config.load().as_str().to_owned();
    (NEVER_KEPT, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=300")], text)
}

/// The page loads nothing from elsewhere, and no other page may frame it.
async fn security_headers(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
