//! Taking a changed configuration while running: all of it, or nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::config::{Config, Problem, Problems, Web};
use crate::exposition::Exposition;
use crate::files::WatchedFile;
use crate::poll::NewConfig;
use crate::self_metrics::SelfMetrics;
use crate::shard::Units;
use crate::store::Store;
use crate::web::{Guard, Reload, Site};

/// Interval at which files are checked for changes.
const LOOK: Duration = Duration::from_secs(1);

/// Where new configurations come from.
pub struct Sources {
    /// Reads the configuration again.
    pub read: Box<dyn Fn() -> Result<Config, Problems> + Send + Sync>,
    /// The configuration file as it was before it was read, if a change is a reason to reload.
    pub(crate) watched: Option<WatchedFile>,
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
    /// What is known of the targets.
    pub store: Arc<Store>,
    /// Who is let in.
    pub guard: Arc<ArcSwap<Guard>>,
}

/// Why a new configuration was refused.
#[derive(Clone, Debug)]
enum Refused {
    /// The configuration itself is wrong; in which way.
    Itself(String),
    /// Only the web configuration is wrong.
    WebConfig,
}

/// Reloads when asked to, and when files change, until `stop`.
pub struct Reloader {
    sources: Arc<Sources>,
    web_config: Option<PathBuf>,
    parts: Parts,
    current: Arc<Config>,
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
        current: Arc<Config>,
        changes: mpsc::Sender<NewConfig>,
    ) -> Self {
        let config_file = Watched::new(sources.watched.iter().cloned());
        let web_files = Watched::new(parts.guard.load().files().iter().cloned());
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
                _ = looks.tick(), if self.config_file.has_files() || self.web_files.has_files() => {
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
        self.config_file.read_again();
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
                    // The refused configuration can be used now.
                    Some(Refused::WebConfig) => return drop(self.reload(cause).await),
                    // The configuration itself is still wrong.
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

    /// Reads the web configuration. If it is refused, the files that it names are still watched:
    /// the fault may be in one of them.
    async fn read_guard(&mut self, web: Web) -> Result<Guard, Problems> {
        let Some(path) = self.web_config.clone() else { return Ok(Guard::open(web)) };
        on_a_thread(move || Ok(Guard::read(&path, web))).await?.map_err(|unusable| {
            self.web_files = Watched::new(unusable.files);
            unusable.problems
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
        let config = Arc::new(on_a_thread(move || (sources.read)()).await?);
        let new = &config.state;
        let old = &self.current.state;
        for (key, is_same) in
            [("state.path", new.path == old.path), ("state.folder", new.folder == old.folder)]
        {
            if !is_same {
                return Err(problem(key, "changes only at a restart".into()));
            }
        }
        if config.state.lease != self.current.state.lease {
            return Err(problem("state.lease", "changes only at a restart".into()));
        }
        let guard = self.read_guard(config.web).await.inspect_err(|_| {
            self.refused = Some(Refused::WebConfig);
        })?;
        let (applied, outcome) = oneshot::channel();
        let change = NewConfig { config: Arc::clone(&config), applied };
        let is_sent = self.changes.send(change).await.is_ok();
        match outcome.await {
            Ok(Ok(())) if is_sent => {}
            Ok(Err(error)) => return Err(problem("", error.to_string())),
            _ => return Err(problem("", "the exporter is stopping".into())),
        }
        self.parts.site.configure(Arc::clone(&config));
        self.parts.exposition.configure(config.metrics.clone());
        self.parts.metrics.shard(config.shard, Units::of(&config).own());
        self.guard(guard);
        self.current = config;
        Ok(())
    }

    fn guard(&mut self, guard: Guard) {
        self.web_files = Watched::new(guard.files().iter().cloned());
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

/// Files whose changes are noticed once they are complete.
#[derive(Debug)]
struct Watched {
    /// As they were before they were last read.
    read: Vec<WatchedFile>,
    /// As they were when last looked at.
    seen: Vec<WatchedFile>,
}

impl Watched {
    /// Files as they were before they were read.
    fn new(read: impl IntoIterator<Item = WatchedFile>) -> Self {
        let read: Vec<_> = read.into_iter().collect();
        Self { seen: read.clone(), read }
    }

    /// Whether there is anything to look at.
    fn has_files(&self) -> bool {
        !self.read.is_empty()
    }

    /// Notes that they are about to be read, whether they have changed or not.
    fn read_again(&mut self) {
        self.read = again(&self.read);
        self.seen.clone_from(&self.read);
    }

    /// Whether they have changed since they were last read, but not since the last look: a file may
    /// be half written. True once for each change.
    fn has_changed(&mut self) -> bool {
        let now = again(&self.read);
        let is_still = now == self.seen;
        let has_changed = is_still && now != self.read;
        if has_changed {
            self.read.clone_from(&now);
        }
        self.seen = now;
        has_changed
    }
}

fn again(files: &[WatchedFile]) -> Vec<WatchedFile> {
    files.iter().map(WatchedFile::again).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Watched;
    use crate::files::WatchedFile;

    fn watched(file: &Path) -> Watched {
        Watched::new([WatchedFile::new(file.to_owned())])
    }

    #[test]
    fn a_change_is_noticed_once_and_only_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "a").unwrap();
        let mut watched = watched(&file);
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
    fn what_changes_between_being_read_and_being_watched_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        fs::write(&first, "a").unwrap();
        let files = [&first, &second].map(|file| WatchedFile::new(file.clone()));
        fs::write(&first, "ab").unwrap();
        let mut watched = Watched::new(files);
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false]);
        fs::write(&second, "a").unwrap();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false], "it was missing");
    }

    #[test]
    fn what_is_read_anyway_is_not_read_again_for_a_change_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "a").unwrap();
        let mut watched = watched(&file);
        fs::write(&file, "ab").unwrap();
        watched.read_again();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false; 3]);
        fs::write(&file, "abc").unwrap();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false], "but after it");
    }

    #[test]
    fn a_link_that_points_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, link] =
            ["first", "second", "link"].map(|name| folder.path().join(name));
        fs::write(&first, "a").unwrap();
        fs::write(&second, "a").unwrap();
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let mut watched = watched(&link);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&second, &link).unwrap();
        assert_eq!([(); 3].map(|()| watched.has_changed()), [false, true, false]);
    }
}
