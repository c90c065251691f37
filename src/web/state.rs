//! `/-/state`: all that is saved, or what has changed in it, for a standby that knows the secret.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::access;
use super::headers::NEVER_KEPT;
use super::site::Site;
use crate::lease::{DIGEST, digest};
use crate::state::{Contents, Copied, CopyRequest};

/// What a standby has already.
#[derive(Debug, Deserialize)]
pub(super) struct Since {
    /// Tag of the state that it has.
    since: Option<String>,
}

/// Gives the state to a standby, or says why not.
pub(super) async fn state(
    State(site): State<Arc<Site>>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Response {
    let Some(giving) = &site.giving else { return access::not_found().await.into_response() };
    let presented = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let presented = presented.and_then(|value| value.strip_prefix(b"Bearer "));
    match giving.secret.is(presented.unwrap_or_default()).await {
        Ok(true) => {}
        Ok(false) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            let line = "the secret of state.lease is required\n";
            return (StatusCode::UNAUTHORIZED, challenge, line).into_response();
        }
        Err(error) => {
            warn!(error, "no standby can be given the state");
            let line = "the secret of state.lease cannot be read; see the log\n";
            return (StatusCode::INTERNAL_SERVER_ERROR, line).into_response();
        }
    }
    if !site.store.exporter.role().leads {
        let line = "this process stands by: ask the one that polls\n";
        return (StatusCode::SERVICE_UNAVAILABLE, line).into_response();
    }
    match ask(&giving.copies, since.since).await {
        Some(Copied::New(Contents { tag, bytes })) => {
            let tags = [(header::ETAG, format!("\"{tag}\""))];
            let digest = [(HeaderName::from_static(DIGEST), digest(&bytes))];
            (NEVER_KEPT, tags, digest, bytes).into_response()
        }
        Some(Copied::Same) => (StatusCode::NO_CONTENT, NEVER_KEPT).into_response(),
        Some(Copied::Unreadable) => {
            let line = "the state cannot be read, or is not complete yet; see the log\n";
            (StatusCode::INTERNAL_SERVER_ERROR, line).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "the exporter is stopping\n").into_response(),
    }
}

async fn ask(copies: &mpsc::Sender<CopyRequest>, known: Option<String>) -> Option<Copied> {
    let (answer, copied) = oneshot::channel();
    copies.send(CopyRequest { known, answer }).await.ok()?;
    copied.await.ok()
}
