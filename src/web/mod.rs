//! What is served: `/metrics`, the status page, health, and the configuration without its secrets.

mod budget;
mod metrics;
mod page;
mod server;
mod status;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::clock::Moment;
use crate::exposition::Exposition;
use crate::self_metrics::SelfMetrics;
use crate::store::Store;

pub use server::serve;
use status::Facts;

/// After this long without an answer from the cloud, the exporter is ready nonetheless, to report
/// that.
const READY_AFTER: SignedDuration = SignedDuration::from_secs(30);

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
    /// Held by the scrape that assembles the page.
    render_lock: Arc<Mutex<()>>,
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
        Self { store, exposition, metrics, config, started, render_lock: Arc::default() }
    }
}

/// The routes.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics::metrics))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .route("/config", get(config))
        .route("/api/v1/status", get(api_status))
        .route("/static/page.css", get(|| async { asset("text/css; charset=utf-8", page::STYLE) }))
        .route(
            "/static/page.js",
            get(|| async { asset("text/javascript; charset=utf-8", page::SCRIPT) }),
        )
        .layer(middleware::from_fn(security_headers))
        .with_state(site)
}

/// Caches must not serve an old status as the current one.
const NEVER_KEPT: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

async fn index(State(site): State<Arc<Site>>) -> Response {
    told(site, |facts, now| Html(page::page(&facts, now)).into_response()).await
}

async fn api_status(State(site): State<Arc<Site>>) -> Response {
    told(site, |facts, _| axum::Json(status::status(facts)).into_response()).await
}

/// The response of `tell`, computed on a blocking thread: with many targets it takes long, and
/// changes may have to be rendered first.
async fn told(site: Arc<Site>, tell: fn(Facts, Timestamp) -> Response) -> Response {
    let tell = move || {
        let now = Moment::now();
        tell(status::facts(&site, now), now.wall)
    };
    match tokio::task::spawn_blocking(tell).await {
        Ok(response) => (NEVER_KEPT, response).into_response(),
        Err(_) => {
            let failed = "the status could not be put together; see the log\n";
            (StatusCode::INTERNAL_SERVER_ERROR, failed).into_response()
        }
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
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], site.config.load().as_str().to_owned())
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
