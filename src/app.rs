//! Wires the parts together: the only file that knows them all.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::info;

use crate::aliyun;
use crate::clock::Moment;
use crate::config::{Config, Problems, redacted_yaml};
use crate::exposition::Exposition;
use crate::poll::{NewConfig, Runner, clients};
use crate::reload::{Parts, Reloader, Sources};
use crate::self_metrics::SelfMetrics;
use crate::shard::Units;
use crate::state::{self, Place};
use crate::store::Store;
use crate::web::{self, Front, Guard, Reload, Site};

/// Why the exporter could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An account's settings cannot be used.
    #[error("{0}")]
    Client(#[from] aliyun::SetupError),
    /// The web configuration file cannot be used.
    #[error("{0}")]
    WebConfig(#[from] Problems),
    /// The state file cannot be used.
    #[error("{0}")]
    State(#[from] state::Error),
    /// The exporter's own metrics conflict with each other.
    #[error("making the exporter's own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The thread that polls could not be set up.
    #[error("setting up the thread that polls: {0}")]
    Thread(#[source] io::Error),
    /// The address of a listener cannot be read.
    #[error("looking at a listener: {0}")]
    Listener(#[source] io::Error),
    /// Polling or serving ended by itself.
    #[error(
        "a part of the exporter stopped unexpectedly, which is a bug: restart it and report this: {0}"
    )]
    Ended(String),
}

/// What to poll and serve, and how.
pub struct Options {
    /// What to poll.
    pub config: Config,
    /// Where to serve.
    pub listeners: Vec<TcpListener>,
    /// How to serve.
    pub web: web::Settings,
    /// Where new configurations come from.
    pub sources: Sources,
    /// Requests to reload.
    pub reloads: (mpsc::Sender<Reload>, mpsc::Receiver<Reload>),
}

impl Options {
    /// Polls `config` and serves it on `listeners`, to everybody; it is never reloaded.
    pub fn new(config: Config, listeners: Vec<TcpListener>) -> Self {
        let fixed = config.clone();
        Self {
            config,
            listeners,
            web: web::Settings::default(),
            sources: Sources { read: Box::new(move || Ok(fixed.clone())), watched: None },
            reloads: mpsc::channel(1),
        }
    }
}

/// Polls and serves until `shutdown`, then lets in-flight requests finish. With `state.wait`, it
/// serves only data about itself while another process holds the state file.
///
/// # Errors
/// If the parts cannot be created, or if one of them ends before `shutdown`.
pub async fn serve(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let Options { config, listeners, web, sources, reloads: (reload, reloads) } = options;
    let started = Moment::now();
    let metrics = Arc::new(SelfMetrics::new()?);
    let store = Arc::new(Store::default());
    let exposition = Arc::new(Exposition::new(Arc::clone(&store), config.metrics.clone()));
    // Report unusable settings before anything is served.
    clients(&config)?;
    let guard = match &web.config_file {
        Some(path) => Guard::read(path, config.web).map_err(Problems::from)?,
        None => Guard::open(config.web),
    };
    let guard = Arc::new(ArcSwap::from_pointee(guard));
    let mut runner = match Runner::new(&config, Arc::clone(&store), Arc::clone(&metrics)) {
        Err(error) if error.is_in_use() && config.state.wait => None,
        runner => Some(runner?),
    };
    for listener in &listeners {
        let address = listener.local_addr().map_err(Error::Listener)?;
        let guard = guard.load();
        info!(%address, tls = guard.is_encrypted(), passwords = guard.has_users(), "listening");
    }
    runner.iter_mut().try_for_each(|runner| runner.apply(&config))?;
    metrics.leads(runner.is_some());
    store.exporter.leads(runner.is_some());
    metrics.reloaded(true, started.wall);
    metrics.shard(config.shard, Units::of(&config).own());
    let site = Site::new(
        Arc::clone(&store),
        Arc::clone(&exposition),
        Arc::clone(&metrics),
        redacted_yaml(&config),
        started,
    );
    site.error_texts.store(config.web.error_texts, Ordering::Relaxed);
    let site = Arc::new(site.serving(web.paths.clone(), web.lifecycle.then_some(reload)));
    let (new_configs, changes) = mpsc::channel(1);
    let reloader = Reloader::new(
        sources,
        web.config_file,
        Parts {
            site: Arc::clone(&site),
            exposition: Arc::clone(&exposition),
            metrics: Arc::clone(&metrics),
            store: Arc::clone(&store),
            guard: Arc::clone(&guard),
        },
        config.clone(),
        new_configs,
    );

    let (stop, stopped) = watch::channel(false);
    let mut parts = JoinSet::new();
    let polling =
        runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let room = Arc::clone(&site.room);
    let front = Front {
        routes: web::router(site),
        guard,
        hosts: web.hosts,
        paths: web.paths,
        metrics: Arc::clone(&metrics),
        room,
    };
    let rendered = Arc::clone(&store);
    let until_stopped = stopped.clone();
    // A thread of its own: no other one wakes it, and no lock is contended, at half the CPU of a
    // shared thread pool.
    parts.spawn_blocking(move || {
        polling.block_on(async {
            tokio::select! {
                ended = poll(runner, config, store, metrics, changes, until_stopped) => ended,
                never = render(&exposition, &rendered) => match never {},
            }
        })
    });
    let until_stopped = stopped.clone();
    parts.spawn(async move {
        reloader.run(reloads, until_stopped).await;
        Ok(())
    });
    parts.spawn(async move {
        web::serve(listeners, front, stopped).await;
        Ok(())
    });
    until_ended(parts, shutdown, &stop).await
}

/// Renders what polling changes, on its thread and between its steps, so that a scrape finds most
/// of its work done.
async fn render(exposition: &Exposition, store: &Store) -> Infallible {
    loop {
        store.changed().await;
        exposition.update(Moment::now());
    }
}

/// Polls until it is stopped, starting at once or as soon as the state file is free.
async fn poll(
    runner: Option<Runner>,
    mut config: Config,
    store: Arc<Store>,
    metrics: Arc<SelfMetrics>,
    mut changes: mpsc::Receiver<NewConfig>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Error> {
    if let Some(runner) = runner {
        runner.run(changes, stopped).await;
        return Ok(());
    }
    let place = Place::of(&config.state, config.shard);
    let path = place.as_ref().map_or(Path::new(""), Place::path).display();
    info!(%path, "standing by: another process holds the state");
    let mut runner = loop {
        let store = Arc::clone(&store);
        let metrics = Arc::clone(&metrics);
        tokio::select! {
            taken = Runner::when_free(&config, store, metrics, &mut stopped) => match taken? {
                Some(runner) => break runner,
                None => return Ok(()),
            },
            // It is polled with as soon as this instance polls.
            Some(new) = changes.recv() => {
                let usable = clients(&new.config).map(drop);
                if usable.is_ok() {
                    config = new.config;
                }
                // Whether the sender still waits does not matter.
                let _ = new.applied.send(usable);
            }
        }
    };
    info!(%path, "taking over: no other process holds the state");
    runner.apply(&config)?;
    metrics.leads(true);
    store.exporter.leads(true);
    runner.run(changes, stopped).await;
    Ok(())
}

/// Waits for `shutdown` and then for all parts. One that ends earlier stops the others: an exporter
/// that serves and no longer polls would look healthy until its values are stale, and no supervisor
/// would restart it.
async fn until_ended(
    mut parts: JoinSet<Result<(), Error>>,
    shutdown: impl Future<Output = ()>,
    stop: &watch::Sender<bool>,
) -> Result<(), Error> {
    let early = tokio::select! {
        () = shutdown => None,
        part = parts.join_next() => part.map(|ended| match ended {
            Ok(Ok(())) => Error::Ended("it returned".into()),
            Ok(Err(error)) => error,
            Err(panicked) => Error::Ended(why(panicked)),
        }),
    };
    stop.send_replace(true);
    let mut ended = early.map_or(Ok(()), Err);
    while let Some(part) = parts.join_next().await {
        ended = ended.and(part.unwrap_or_else(|error| Err(Error::Ended(why(error)))));
    }
    ended
}

/// Why a part ended. A panic's message is shown only if it is a literal in the source, as in the
/// log.
fn why(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => {
            payload.downcast_ref::<&'static str>().map_or("it panicked", |reason| reason).to_owned()
        }
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use tokio::sync::watch;
    use tokio::task::JoinSet;

    use super::{Error, until_ended};

    async fn until_told(mut stopped: watch::Receiver<bool>) -> Result<(), Error> {
        drop(stopped.wait_for(|stopped| *stopped).await);
        Ok(())
    }

    #[tokio::test]
    async fn a_part_that_panics_ends_the_exporter_with_an_error_and_the_others_well() {
        let (stop, stopped) = watch::channel(false);
        let mut parts = JoinSet::new();
        parts.spawn(async { panic!("no such state") });
        parts.spawn(until_told(stopped));
        let ended = until_ended(parts, future::pending(), &stop).await;
        assert!(
            matches!(&ended, Err(Error::Ended(why)) if why.contains("no such state")),
            "{ended:?}"
        );
        assert!(*stop.borrow());
    }

    #[tokio::test]
    async fn what_was_formatted_into_a_panic_is_not_told() {
        let stop = watch::channel(false).0;
        let secret = std::hint::black_box("hunter2");
        let mut parts = JoinSet::new();
        parts.spawn(async move { panic!("no {secret}") });
        let told = until_ended(parts, future::pending(), &stop).await.unwrap_err().to_string();
        assert!(told.ends_with("report this: it panicked"), "{told}");
    }

    #[tokio::test]
    async fn a_shutdown_ends_all_parts_without_an_error() {
        let (stop, stopped) = watch::channel(false);
        let mut parts = JoinSet::new();
        parts.spawn(until_told(stopped.clone()));
        parts.spawn(until_told(stopped));
        until_ended(parts, future::ready(()), &stop).await.unwrap();
    }
}
