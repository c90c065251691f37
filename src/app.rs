//! Wires the parts together: the only part that knows them all.

mod error;
mod standby;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::info;

pub use error::Error;
use standby::Start;

use crate::clock::Moment;
use crate::config::{Config, Problems};
use crate::exposition::Exposition;
use crate::poll::{NewConfig, clients};
use crate::reload::{Parts, Reloader, Sources};
use crate::self_metrics::SelfMetrics;
use crate::shard::Units;
use crate::store::Store;
use crate::web::{self, Front, Guard, Reload, Site};

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

/// Polls and serves until `shutdown`, then lets in-flight requests finish. With `state.wait` or
/// `state.lease`, it serves only data about itself while another process polls.
///
/// # Errors
/// If the parts cannot be created, or if one of them ends before `shutdown`.
pub async fn serve(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let Options { config, listeners, web, sources, reloads: (reload, reloads) } = options;
    let config = Arc::new(config);
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
    let mut start = Start::new(&config, &store, &metrics)?;
    for listener in &listeners {
        let address = listener.local_addr().map_err(Error::Listener)?;
        let guard = guard.load();
        info!(%address, tls = guard.is_encrypted(), passwords = guard.has_users(), "listening");
    }
    if let Start::Polling(runner) = &mut start {
        runner.apply(&config)?;
    }
    metrics.leads(start.polls());
    store.exporter.leads(start.polls());
    metrics.reloaded(true, started.wall);
    metrics.shard(config.shard, Units::of(&config).own());
    let site = Site::new(
        Arc::clone(&store),
        Arc::clone(&exposition),
        Arc::clone(&metrics),
        Arc::clone(&config),
        started,
    );
    let mut site = site.serving(web.paths.clone(), web.lifecycle.then_some(reload));
    let mut parts = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    if let (Some(settings), Start::WithLease(candidate)) = (&config.state.lease, &mut start) {
        site = site.giving(settings.secret.clone(), candidate.copies());
        let keeping = candidate.keep(stopped.clone());
        parts.spawn(async move { Ok(keeping.await?) });
    }
    let site = Arc::new(site);
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
        Arc::clone(&config),
        new_configs,
    );

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
    // Its own thread: no other one wakes it, and no lock is contended. That takes half the CPU time
    // of a shared thread pool.
    parts.spawn_blocking(move || {
        polling.block_on(async {
            tokio::select! {
                ended = poll(start, config, store, metrics, changes, until_stopped) => ended,
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

/// Polls until it is stopped, starting at once or as soon as it is this process's turn.
async fn poll(
    start: Start,
    mut config: Arc<Config>,
    store: Arc<Store>,
    metrics: Arc<SelfMetrics>,
    mut changes: mpsc::Receiver<NewConfig>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Error> {
    // Dropped when polling has ended.
    let mut _turn = None;
    let mut runner = match start {
        Start::Polling(runner) => {
            runner.run(changes, stopped).await;
            return Ok(());
        }
        Start::WhenFree => {
            let waiting =
                standby::when_free(&mut config, &store, &metrics, &mut changes, &mut stopped);
            match waiting.await? {
                Some(runner) => runner,
                None => return Ok(()),
            }
        }
        Start::WithLease(candidate) => {
            let waiting = candidate.stand_by(&mut config, &metrics, &mut changes, &mut stopped);
            let Some(elected) = waiting.await? else { return Ok(()) };
            _turn = Some(elected.turn);
            elected.standby.lead(
                &config,
                Arc::clone(&store),
                Arc::clone(&metrics),
                elected.term,
                elected.copies,
            )
        }
    };
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
