//! How a process begins to poll: at once, when the state file is free, or when it has the Lease.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::error::Error;
use crate::config::{self, Config, Shard};
use crate::lease::{self, Copier, Fetched, Keeper, Lost, Standing};
use crate::poll::{NewConfig, Runner, Standby, clients};
use crate::self_metrics::SelfMetrics;
use crate::state::{CopyRequest, Place};
use crate::store::Store;
use crate::term::Term;

/// Interval at which a standby copies the state.
const COPY_EVERY: Duration = Duration::from_secs(5);

/// When a process begins to poll.
pub(super) enum Start {
    /// At once.
    Polling(Box<Runner>),
    /// When another process no longer holds the state file.
    WhenFree,
    /// When it has the Lease.
    WithLease(Box<Candidate>),
}

impl Start {
    pub(super) fn new(
        config: &Arc<Config>,
        store: &Arc<Store>,
        metrics: &Arc<SelfMetrics>,
    ) -> Result<Self, Error> {
        if let Some(lease) = &config.state.lease {
            return Ok(Self::WithLease(Box::new(Candidate::new(config, lease)?)));
        }
        match Runner::new(config, Arc::clone(store), Arc::clone(metrics)) {
            Err(error) if error.is_in_use() && config.state.wait => Ok(Self::WhenFree),
            runner => Ok(Self::Polling(Box::new(runner?))),
        }
    }

    pub(super) fn polls(&self) -> bool {
        matches!(self, Self::Polling(_))
    }
}

/// Waits until no other process holds the state; `None` if stopped first.
pub(super) async fn when_free(
    config: &mut Arc<Config>,
    store: &Arc<Store>,
    metrics: &Arc<SelfMetrics>,
    changes: &mut mpsc::Receiver<NewConfig>,
    stopped: &mut watch::Receiver<bool>,
) -> Result<Option<Runner>, Error> {
    let place = Place::of(&config.state, config.shard);
    let path = place.as_ref().map_or(Path::new(""), Place::path).display();
    info!(%path, "standing by: another process holds the state");
    loop {
        let store = Arc::clone(store);
        let metrics = Arc::clone(metrics);
        tokio::select! {
            taken = Runner::when_free(config, store, metrics, stopped) => {
                let taken = taken?;
                if taken.is_some() {
                    info!(%path, "taking over: no other process holds the state");
                }
                return Ok(taken);
            }
            Some(new) = changes.recv() => take(config, new),
        }
    }
}

/// Takes a new configuration, to poll with as soon as this process polls.
fn take(config: &mut Arc<Config>, new: NewConfig) {
    let usable = clients(&new.config).map(drop);
    if usable.is_ok() {
        *config = new.config;
    }
    // Whether the sender still waits does not matter.
    let _ = new.applied.send(usable);
}

/// Shards poll side by side, so each has a Lease of its own.
fn of_shard(lease: &config::Lease, shard: Shard) -> config::Lease {
    match shard.count {
        ..=1 => lease.clone(),
        _ => config::Lease { name: format!("{}-{}", lease.name, shard.index), ..lease.clone() },
    }
}

/// A process that polls once it has the Lease.
pub(super) struct Candidate {
    standby: Standby,
    copier: Copier,
    /// `None` once it runs.
    keeper: Option<(Keeper, mpsc::Receiver<()>)>,
    standing: watch::Receiver<Standing>,
    knows: Arc<AtomicBool>,
    term: Term,
    ask: mpsc::Sender<CopyRequest>,
    copies: mpsc::Receiver<CopyRequest>,
    turn: mpsc::Sender<()>,
    /// Why the state could not be copied the last time, if so.
    trouble: Option<String>,
}

/// What a process that has the Lease polls with.
pub(super) struct Elected {
    pub(super) standby: Standby,
    pub(super) term: Term,
    pub(super) copies: mpsc::Receiver<CopyRequest>,
    /// To be dropped when it has ended to poll.
    pub(super) turn: mpsc::Sender<()>,
}

impl Candidate {
    fn new(config: &Config, settings: &config::Lease) -> Result<Self, Error> {
        let mut standby = Standby::new(config)?;
        let env = |name: &str| std::env::var(name).ok();
        let (keeper, copier) = lease::prepare(&of_shard(settings, config.shard), &env)?;
        let knows = keeper.knows();
        knows.store(standby.knows_targets()?, Ordering::SeqCst);
        let (ask, copies) = mpsc::channel(1);
        let (turn, polling) = mpsc::channel(1);
        let standing = keeper.standing();
        let term = keeper.term();
        let keeper = Some((keeper, polling));
        let trouble = None;
        Ok(Self { standby, copier, keeper, standing, knows, term, ask, copies, turn, trouble })
    }

    /// Where the state is asked for once this process polls.
    pub(super) fn copies(&self) -> mpsc::Sender<CopyRequest> {
        self.ask.clone()
    }

    /// Keeps the Lease until `stopped`.
    pub(super) fn keep(
        &mut self,
        stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = Result<(), Lost>> + use<> {
        let keeper = self.keeper.take();
        async move {
            match keeper {
                Some((keeper, polling)) => keeper.run(stopped, polling).await,
                None => Ok(()),
            }
        }
    }

    /// Copies the state of the process that polls until it is this one's turn; `None` if stopped
    /// first.
    pub(super) async fn stand_by(
        mut self: Box<Self>,
        config: &mut Arc<Config>,
        metrics: &SelfMetrics,
        changes: &mut mpsc::Receiver<NewConfig>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<Option<Elected>, Error> {
        // Until there is a copy, its age counts from the start of this process.
        metrics.copied(Timestamp::now());
        let mut due = Instant::now();
        while !*stopped.borrow() {
            let url = match &*self.standing.borrow_and_update() {
                Standing::Leads => break,
                Standing::StandsBy(url) => url.clone(),
            };
            tokio::select! {
                // If the keeper has ended, so has this process.
                changed = self.standing.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
                (url, fetched) = fetch(&self.copier, url, self.standby.copy_of(), due) => {
                    self.adopt(url, fetched, metrics).await;
                    due = Instant::now() + COPY_EVERY;
                }
                Some(new) = changes.recv() => take(config, new),
                _ = stopped.changed() => return Ok(None),
            }
        }
        let Self { standby, term, copies, turn, .. } = *self;
        Ok(Some(Elected { standby, term, copies, turn }))
    }

    /// Takes over what was copied. Logs once that copying fails, and once that it works again.
    async fn adopt(
        &mut self,
        url: String,
        fetched: Result<Fetched, String>,
        metrics: &SelfMetrics,
    ) {
        let adopted = match fetched {
            Ok(Fetched::Same) => Ok(()),
            Ok(Fetched::New(state, tag)) => {
                let adopted = self.standby.adopt(state, tag).await;
                if adopted.is_ok() {
                    self.knows.store(true, Ordering::SeqCst);
                }
                adopted
            }
            Err(error) => Err(error),
        };
        match adopted {
            Ok(()) => {
                metrics.copied(Timestamp::now());
                if self.trouble.take().is_some() {
                    info!(url, "the state is copied again");
                }
            }
            Err(error) => {
                if self.trouble.is_none() {
                    let every = humantime::Duration::from(COPY_EVERY);
                    warn!(url, error, %every, "the state cannot be copied; retrying");
                }
                self.trouble = Some(error);
            }
        }
    }
}

/// Asks the process that polls for its state at `due`; never without a URL.
async fn fetch(
    copier: &Copier,
    url: Option<String>,
    known: Option<String>,
    due: Instant,
) -> (String, Result<Fetched, String>) {
    let Some(url) = url else { return std::future::pending().await };
    sleep_until(due).await;
    let fetched = copier.fetch(&url, known.as_deref()).await;
    (url, fetched)
}

#[cfg(test)]
mod tests {
    use super::{config, of_shard};
    use crate::config::Shard;

    #[test]
    fn each_shard_has_a_lease_of_its_own_and_a_process_alone_the_one_that_is_named() {
        let text = "accounts: [{name: default}]\n\
                    swas: {servers: [{id: s, region: r}]}\n\
                    state: {path: s.redb, lease: {name: tasks, url: 'http://a:1', secret: a-long-secret-of-24-letters}}";
        let config = config::parse("test.yaml", text, &|_| None).unwrap();
        let lease = config.state.lease.unwrap();
        let name = |index, count| of_shard(&lease, Shard { index, count }).name;
        assert_eq!(
            (name(0, 1), name(0, 2), name(1, 2)),
            ("tasks".into(), "tasks-0".into(), "tasks-1".into())
        );
    }
}
