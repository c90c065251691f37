//! Wires the parts: the only file that knows them all.

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::aliyun;
use crate::config::{Config, redacted_yaml};
use crate::poll::Runner;
use crate::self_metrics::SelfMetrics;
use crate::snapshot::Store;
use crate::state;
use crate::web::{self, Site};

/// Why the exporter could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An account's settings cannot be used.
    #[error("{0}")]
    Client(#[from] aliyun::SetupError),
    /// The state file cannot be used.
    #[error("{0}")]
    State(#[from] state::Error),
    /// The exporter's own metrics contradict each other.
    #[error("making the exporter's own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Polls what `config` names and serves it on `listeners` until `shutdown`, then lets requests under way finish.
///
/// # Errors
/// If the parts cannot be made; once it serves, it goes on.
pub async fn serve(
    config: Config,
    listeners: Vec<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let started = Timestamp::now();
    let metrics = Arc::new(SelfMetrics::new()?);
    let store = Arc::new(Store::new(config.metrics.clone()));
    let mut runner = Runner::new(&config, Arc::clone(&store), Arc::clone(&metrics))?;
    runner.apply(&config)?;
    metrics.reloaded(true, started);
    let site = Arc::new(Site::new(store, metrics, redacted_yaml(&config), started));

    let (stop, stopped) = watch::channel(false);
    let (_configs, changes) = mpsc::channel(1);
    let polling = tokio::spawn(runner.run(changes, stopped.clone()));
    let serving = tokio::spawn(web::serve(listeners, web::router(site), stopped));
    shutdown.await;
    stop.send_replace(true);
    for part in [polling, serving] {
        if let Err(error) = part.await {
            tracing::error!(%error, "a part of the exporter ended badly");
        }
    }
    Ok(())
}
