//! `POST /-/reload`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{mpsc, oneshot};

use super::site::{Reload, Site};

/// Requests a reload, and waits for its outcome.
pub(super) async fn reload(State(site): State<Arc<Site>>) -> Response {
    let Some(reloads) = &site.reloads else {
        let line = "this is off: start with --web.enable-lifecycle, or send SIGHUP\n";
        return (StatusCode::FORBIDDEN, line).into_response();
    };
    match ask(reloads).await {
        Some(Ok(())) => "reloaded\n".into_response(),
        Some(Err(problems)) => (StatusCode::BAD_REQUEST, problems + "\n").into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the exporter is stopping\n").into_response(),
    }
}

async fn ask(reloads: &mpsc::Sender<Reload>) -> Option<Result<(), String>> {
    let (sender, outcome) = oneshot::channel();
    let wish = Reload { cause: "POST /-/reload", outcome: Some(sender) };
    reloads.send(wish).await.ok()?;
    outcome.await.ok()
}
