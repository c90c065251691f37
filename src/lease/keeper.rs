//! Takes the Lease, renews it, and gives it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::api::Api;
use super::election::{Election, Read, Step, holder, url};
use crate::clock::Moment;
use crate::term::Term;

/// Whether this process has the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another process has it, or none; the URL of the holder, if known.
    StandsBy(Option<String>),
    /// It may poll, for as long as its [`Term`] lasts.
    Leads,
}

/// The Lease was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Lease {lease} is lost: {why}. This process calls the cloud no more and ends; started again, \
     it stands by"
)]
pub struct Lost {
    /// Its namespace and name.
    pub lease: String,
    /// Why it was lost.
    pub why: String,
}

/// Takes and keeps the Lease.
#[derive(Debug)]
pub struct Keeper {
    api: Api,
    election: Election,
    duration: Duration,
    term: Term,
    /// When the term ends, since boot; `None` while standing by.
    until: Option<SignedDuration>,
    standing: watch::Sender<Standing>,
    knows: Arc<AtomicBool>,
    /// Why the API server could not be asked, if it could not.
    trouble: Option<String>,
}

impl Keeper {
    pub(super) fn new(api: Api, election: Election, duration: Duration) -> Self {
        let standing = watch::Sender::new(Standing::StandsBy(None));
        Self {
            api,
            election,
            duration,
            term: Term::over(),
            until: None,
            standing,
            knows: Arc::default(),
            trouble: None,
        }
    }

    /// How long this process may call the cloud.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Whether this process has the Lease.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// A flag to set as soon as this process has any state.
    pub fn knows(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.knows)
    }

    /// Keeps the Lease until `stop`, and gives it back once nothing sends to `polling` any more: no
    /// other process may poll before this one has ended.
    ///
    /// # Errors
    /// If the Lease was lost.
    pub async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
        mut polling: mpsc::Receiver<()>,
    ) -> Result<(), Lost> {
        if let Err(lost) = self.keep(&mut stop).await {
            self.term.end();
            return Err(lost);
        }
        while polling.recv().await.is_some() {}
        if !self.term.is_over() {
            self.term.end();
            self.release().await;
        }
        Ok(())
    }

    async fn keep(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Lost> {
        while !*stop.borrow() {
            let patience = self.left().unwrap_or(self.duration).min(self.duration / 3);
            tokio::select! {
                round = timeout(patience, self.round()) => match round {
                    Ok(Ok(())) => self.recovered(),
                    Ok(Err(Trouble::Lost(holder))) => {
                        return Err(self.lost(format!("{holder} has it now")));
                    }
                    Ok(Err(Trouble::Failed(why))) => self.failed(why),
                    Err(_) => self.failed("the API server has not answered in time".into()),
                },
                _ = stop.changed() => {}
            }
            if self.left().is_some_and(|left| left.is_zero()) {
                let why = self.trouble.clone();
                let why = why.unwrap_or_else(|| "this process was suspended".into());
                return Err(self.lost(format!("it could not be renewed in time: {why}")));
            }
            // Random, so that the processes that wait do not all ask at once.
            let retry = self.duration.mul_f64(rand::random_range(0.10..0.15));
            tokio::select! {
                () = sleep(self.left().unwrap_or(retry).min(retry)) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Time until the term ends; `None` while standing by.
    fn left(&self) -> Option<Duration> {
        let left = self.until?.saturating_sub(Moment::now().boot);
        Some(Duration::try_from(left).unwrap_or_default())
    }

    fn lost(&self, why: String) -> Lost {
        Lost { lease: self.api.lease(), why }
    }

    /// Looks at the Lease, and takes or renews it if that is due.
    async fn round(&mut self) -> Result<(), Trouble> {
        let leads = self.until.is_some();
        let asked = Moment::now();
        if self.until.is_some_and(|until| asked.boot >= until) {
            // The term is over, which the caller checks next.
            return Ok(());
        }
        let found = self.api.read().await.map_err(Trouble::Failed)?;
        let answered = Moment::now();
        let read = Read { asked: asked.boot, answered: answered.boot };
        let knows = self.knows.load(Ordering::SeqCst);
        let holder = found.as_ref().and_then(holder).map(str::to_owned);
        let url = found.as_ref().and_then(url).map(str::to_owned);
        let begun = Moment::now().boot;
        let is_written = match self.election.step(found, read, answered.wall, leads, knows) {
            Step::Lost(holder) => return Err(Trouble::Lost(holder)),
            Step::Wait => {
                self.stands_by(holder, url);
                return Ok(());
            }
            Step::Create(lease) => self.api.create(&lease).await,
            Step::Replace(lease) => self.api.replace(&lease).await,
        };
        if is_written.map_err(Trouble::Failed)? {
            self.leads(begun);
        }
        Ok(())
    }

    /// This process has the Lease, by a request made at `begun`, as time since boot.
    fn leads(&mut self, begun: SignedDuration) {
        // Shorter than the Lease by a third: others must not take it while calls are under way.
        let good_for = SignedDuration::try_from(self.duration * 2 / 3);
        let until = begun.saturating_add(good_for.unwrap_or(SignedDuration::ZERO));
        self.term.extend(until);
        if self.until.replace(until).is_none() {
            info!(
                lease = self.api.lease(),
                identity = self.election.identity(),
                "taking the Lease"
            );
            self.standing.send_replace(Standing::Leads);
        }
    }

    fn stands_by(&mut self, holder: Option<String>, url: Option<String>) {
        let url = holder.as_ref().and(url);
        self.standing.send_if_modified(|standing| {
            let now = Standing::StandsBy(url);
            let is_new = *standing != now;
            if is_new {
                let lease = self.api.lease();
                info!(lease, holder, "standing by: the Lease is not this process's");
                *standing = now;
            }
            is_new
        });
    }

    async fn release(&self) {
        let released = async {
            let found = self.api.read().await?;
            match found.and_then(|lease| self.election.released(lease, Timestamp::now())) {
                Some(lease) => self.api.replace(&lease).await,
                None => Ok(false),
            }
        };
        let lease = self.api.lease();
        match timeout(self.duration / 3, released).await {
            Ok(Ok(true)) => info!(lease, "the Lease is given back"),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => warn!(lease, error, "the Lease could not be given back"),
            Err(_) => {
                warn!(lease, error = "no answer in time", "the Lease could not be given back")
            }
        }
    }

    /// Logs once that the API server cannot be asked, and once that it can be again.
    fn failed(&mut self, why: String) {
        if self.trouble.is_none() {
            warn!(
                lease = self.api.lease(),
                error = why,
                "the Lease cannot be read or written; retrying"
            );
        }
        self.trouble = Some(why);
    }

    fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            info!(lease = self.api.lease(), "the Lease can be read and written again");
        }
    }
}

enum Trouble {
    /// Another process has it.
    Lost(String),
    /// The API server could not be asked.
    Failed(String),
}
