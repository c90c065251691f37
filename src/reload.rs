//! Taking a changed configuration while running: all of it, or nothing.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::config::{Config, Problem, Problems, Web, redacted_yaml};
use crate::exposition::Exposition;
use crate::poll::NewConfig;
use crate::self_metrics::SelfMetrics;
use crate::shard::Units;
use crate::store::Store;
use crate::web::{Guard, Reload, Site};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Where new configurations come from.
pub struct Sources {
    /// Reads the configuration again.
    pub read: Box<dyn Fn() -> Result<Config, Problems> + Send + Sync>,
    /// The configuration file, if a change of it is a reason to reload.
    pub watched: Option<PathBuf>,
}

/// What a new configuration changes, beside what is polled.
#[derive(Debug)]
pub struct Parts {
    /// What the routes read.
    pub site: Arc<Site>,
    /// `/metrics`.
    pub exposition: Arc<Exposition>,
    /// The exporter's own metrics.
    pub metrics: Arc<SelfMetrics>,
    /// What is known.
    pub store: Arc<Store>,
    /// Who is let in.
    pub guard: Arc<ArcSwap<Guard>>,
}

/// Why a new configuration was refused.
#[derive(Clone, Debug)]
enum Refused {
    /// Something is wrong with it.
    Itself(String),
    /// Only the web configuration stood against it.
    WebConfig,
}

/// Reloads when asked to, and when files change, until `stop`.
pub struct Reloader {
    sources: Arc<Sources>,
    web_config: Option<PathBuf>,
    parts: Parts,
    current: Config,
    /// Why the last new configuration was refused, if it was.
    refused: Option<Refused>,
    changes: mpsc::Sender<NewConfig>,
    config_file: Watched,
    web_files: Watched,
}

impl Reloader {
    /// Begins with `current`, which is in force.
    pub fn new(
        sources: Sources,
        web_config: Option<PathBuf>,
        parts: Parts,
        current: Config,
        changes: mpsc::Sender<NewConfig>,
    ) -> Self {
        let config_file = Watched::new(sources.watched.iter().cloned().collect());
        let web_files = Watched::new(parts.guard.load().files().to_vec());
        let sources = Arc::new(sources);
        Self { sources, web_config, parts, current, refused: None, changes, config_file, web_files }
    }

    /// Reloads until `stop`.
    pub async fn run(
        mut self,
        mut requests: mpsc::Receiver<Reload>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            tokio::select! {
                Some(request) = requests.recv() => {
                    let outcome = self.reload(request.cause).await;
                    if let Some(wanted) = request.outcome {
                        // The client may be gone.
                        let _ = wanted.send(outcome);
                    }
                }
                _ = looks.tick() => {
                    if self.config_file.has_changed() {
                        let _ = self.reload("the configuration file has changed").await;
                    } else if self.web_files.has_changed() {
                        self.reread_web_config().await;
                    }
                }
                _ = stop.changed() => {}
            }
        }
    }

    /// Takes the configuration as it is now, or keeps the one in force and returns what is wrong.
    async fn reload(&mut self, cause: &str) -> Result<(), String> {
        self.refused = None;
        let outcome = self.take().await;
        match &outcome {
            Ok(()) => info!(cause, "configuration reloaded"),
            Err(problems) => {
                self.refused.get_or_insert(Refused::Itself(problems.to_string()));
            }
        }
        self.report(cause, outcome)
    }

    /// Takes the web configuration as it is now, or keeps the one in force.
    async fn reread_web_config(&mut self) {
        let cause = "the web configuration file has changed";
        let outcome = match self.read_guard(self.current.web).await {
            Ok(guard) => {
                self.guard(guard);
                info!("web configuration reloaded");
                match &self.refused {
                    None => Ok(()),
                    // Nothing stands against it any more.
                    Some(Refused::WebConfig) => return drop(self.reload(cause).await),
                    // What is wrong with the configuration itself still is.
                    Some(Refused::Itself(problems)) => {
                        return self.parts.store.exporter.reload_refused(Some(problems.clone()));
                    }
                }
            }
            Err(problems) => Err(problems),
        };
        // The log, the metrics and the page have it.
        let _ = self.report(cause, outcome);
    }

    /// Reads the web configuration. If it is refused, the files that it names are watched all the
    /// same: it may be one of them that is to be mended.
    async fn read_guard(&mut self, web: Web) -> Result<Guard, Problems> {
        let Some(path) = self.web_config.clone() else { return Ok(Guard::open(web)) };
        let read = move || Ok(Guard::read(&path, web).map_err(|told| (told, Guard::named(&path))));
        on_a_thread(read).await?.map_err(|(problems, files)| {
            self.web_files.follow(files);
            problems
        })
    }

    /// Reports the outcome of a reload in the log, the metrics and on the page.
    fn report(&mut self, cause: &str, outcome: Result<(), Problems>) -> Result<(), String> {
        let refused = outcome.err().map(|problems| problems.to_string());
        if let Some(problems) = &refused {
            warn!(cause, problems, "not reloaded: the configuration before stays in force");
        }
        self.parts.metrics.reloaded(refused.is_none(), Timestamp::now());
        self.parts.store.exporter.reload_refused(refused.clone());
        refused.map_or(Ok(()), Err)
    }

    async fn take(&mut self) -> Result<(), Problems> {
        let sources = Arc::clone(&self.sources);
        let config = on_a_thread(move || (sources.read)()).await?;
        if config.state.path != self.current.state.path {
            return Err(problem("state.path", "changes only at a restart".into()));
        }
        let guard = self.read_guard(config.web).await.inspect_err(|_| {
            self.refused = Some(Refused::WebConfig);
        })?;
        let (applied, outcome) = oneshot::channel();
        let change = NewConfig { config: config.clone(), applied };
        let is_sent = self.changes.send(change).await.is_ok();
        match outcome.await {
            Ok(Ok(())) if is_sent => {}
            Ok(Err(error)) => return Err(problem("", error.to_string())),
            _ => return Err(problem("", "the exporter is stopping".into())),
        }
        self.parts.site.config.store(Arc::new(redacted_yaml(&config)));
        self.parts.exposition.configure(config.metrics.clone());
        self.parts.metrics.shard(config.shard, Units::of(&config).own());
        self.guard(guard);
        self.current = config;
        Ok(())
    }

    fn guard(&mut self, guard: Guard) {
        self.web_files.follow(guard.files().to_vec());
        self.parts.guard.store(Arc::new(guard));
    }
}

async fn on_a_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Problems> + Send + 'static,
) -> Result<T, Problems> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(problem("", format!("reading it has failed: {error}"))))
}

fn problem(path: &str, message: String) -> Problems {
    Problems(vec![Problem::outside_files(path, message)])
}

/// Files whose changes are noticed once they are over.
#[derive(Debug)]
struct Watched {
    files: Vec<PathBuf>,
    /// As they were when they were last read.
    read: Vec<Option<Stamp>>,
    /// As they were when last looked at.
    seen: Vec<Option<Stamp>>,
}

/// What changes when a file is written or replaced, also behind a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    fn new(files: Vec<PathBuf>) -> Self {
        let now = stamps(&files);
        Self { files, read: now.clone(), seen: now }
    }

    /// From now on watches `files`, which were just read.
    fn follow(&mut self, files: Vec<PathBuf>) {
        if self.files != files {
            let read = |file: &PathBuf| {
                // It may have changed since it was read.
                let known = self.files.iter().zip(&self.read).find(|(known, _)| *known == file);
                known.map_or_else(|| stamp(file), |(_, read)| *read)
            };
            self.read = files.iter().map(read).collect();
            self.seen.clone_from(&self.read);
            self.files = files;
        }
    }

    /// Whether they have changed since they were last read, and have not since the last look: what
    /// is half written is not worth reading.
    fn has_changed(&mut self) -> bool {
        let now = stamps(&self.files);
        let is_still = now == self.seen;
        let has_changed = is_still && now != self.read;
        if has_changed {
            self.read.clone_from(&now);
        }
        self.seen = now;
        has_changed
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let of = |data: Metadata| Stamp {
        device: data.dev(),
        inode: data.ino(),
        bytes: data.size(),
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
    };
    std::fs::metadata(file).ok().map(of)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Watched;

    #[test]
    fn a_change_is_noticed_once_and_only_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "a").unwrap();
        let mut watched = Watched::new(vec![file.clone()]);
        assert!(!watched.has_changed());
        fs::write(&file, "ab").unwrap();
        assert!(!watched.has_changed(), "it may go on");
        fs::write(&file, "abc").unwrap();
        assert!(!watched.has_changed());
        assert!(watched.has_changed());
        assert!(!watched.has_changed(), "once");
        fs::remove_file(&file).unwrap();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false]);
    }

    #[test]
    fn what_changes_while_more_files_come_to_be_watched_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        fs::write(&first, "a").unwrap();
        let mut watched = Watched::new(vec![first.clone()]);
        fs::write(&first, "ab").unwrap();
        watched.follow(vec![first, second.clone()]);
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false]);
        fs::write(&second, "a").unwrap();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false], "it was missing");
    }

    #[test]
    fn a_link_that_points_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, link] =
            ["first", "second", "link"].map(|name| folder.path().join(name));
        fs::write(&first, "a").unwrap();
        fs::write(&second, "a").unwrap();
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let mut watched = Watched::new(vec![link.clone()]);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&second, &link).unwrap();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false]);
    }
}
