//! What the routes read.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::access::Paths;
use super::hosts::Hosts;
use super::room::Room;
use super::scrapes::Scrapes;
use crate::clock::Moment;
use crate::config::{Config, SecretSource, redacted_yaml};
use crate::exposition::Exposition;
use crate::lease::SharedSecret;
use crate::self_metrics::SelfMetrics;
use crate::state::CopyRequest;
use crate::store::Store;

/// How to serve.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The web configuration file.
    pub config_file: Option<PathBuf>,
    /// Paths of the routes.
    pub paths: Paths,
    /// Host names under which the server may be asked.
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
    /// The configuration in force.
    pub(super) config: ArcSwap<Configuration>,
    /// When the exporter was started.
    pub started: Moment,
    /// Paths of the routes.
    pub(super) paths: Paths,
    /// Where `POST /-/reload` sends its requests, if that is on.
    pub(super) reloads: Option<mpsc::Sender<Reload>>,
    /// Who may have the state, if there may be standbys that copy it.
    pub(super) giving: Option<Giving>,
    /// What scrapes share.
    pub(super) scrapes: Scrapes,
    /// How much is in memory for clients that are slow to read.
    pub room: Arc<Room>,
}

/// The configuration in force, and its text.
#[derive(Debug)]
pub(super) struct Configuration {
    config: Arc<Config>,
    /// Written when it is first shown: with 10,000 servers it is a megabyte.
    text: OnceLock<Bytes>,
}

impl Configuration {
    fn new(config: Arc<Config>) -> Self {
        Self { config, text: OnceLock::new() }
    }

    /// `web.error_texts`.
    pub(super) fn error_texts(&self) -> bool {
        self.config.web.error_texts
    }

    /// It as YAML, without secrets.
    pub(super) fn text(&self) -> Bytes {
        self.text.get_or_init(|| redacted_yaml(&self.config).into()).clone()
    }
}

/// Who may have the state, and where to request it.
#[derive(Debug)]
pub(super) struct Giving {
    pub(super) secret: SharedSecret,
    pub(super) copies: mpsc::Sender<CopyRequest>,
}

impl Site {
    /// A site over `store`, `exposition` and `metrics`.
    pub fn new(
        store: Arc<Store>,
        exposition: Arc<Exposition>,
        metrics: Arc<SelfMetrics>,
        config: Arc<Config>,
        started: Moment,
    ) -> Self {
        let config = ArcSwap::from_pointee(Configuration::new(config));
        Self {
            store,
            exposition,
            metrics,
            config,
            started,
            paths: Paths::default(),
            reloads: None,
            giving: None,
            scrapes: Scrapes::default(),
            room: Arc::default(),
        }
    }

    /// Shows this configuration from now on.
    pub fn configure(&self, config: Arc<Config>) {
        self.config.store(Arc::new(Configuration::new(config)));
    }

    /// This site under other paths, reloaded by `POST /-/reload` if there are `reloads`.
    pub fn serving(self, paths: Paths, reloads: Option<mpsc::Sender<Reload>>) -> Self {
        Self { paths, reloads, ..self }
    }

    /// This site, which also gives the state, by way of `copies`, to standbys that know `secret`.
    pub fn giving(self, secret: SecretSource, copies: mpsc::Sender<CopyRequest>) -> Self {
        let giving = Giving { secret: SharedSecret::new(secret), copies };
        Self { giving: Some(giving), ..self }
    }
}

/// A request to read the configuration again.
#[derive(Debug)]
pub struct Reload {
    /// Who or what requests it, for the log.
    pub cause: &'static str,
    /// Where to send the outcome: everything that is wrong, if anything is.
    pub outcome: Option<oneshot::Sender<Result<(), String>>>,
}
