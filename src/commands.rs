//! The commands of the command line.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::app::Options;
use crate::cli::{
    Check, Cli, Command, Demo, Doctor, Healthcheck, ReportFormat, Serve, Simulate, Targets,
};
use crate::config::{Config, Problem, Problems, Shard, Web};
use crate::estimate::{Assumptions, Estimate, discovered, estimate, text, warnings};
use crate::files::WatchedFile;
use crate::poll::{Clients, MAX_ATTEMPTS, clients, discovery_pass};
use crate::reload::Sources;
use crate::sim::{self, Simulator};
use crate::state::Place;
use crate::web::{Guard, Paths, Reload, Unhealthy};
use crate::{aliyun, app, catalog, check, demo, doctor, state};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is unusable.
    #[error("{0}")]
    Config(#[from] Problems),
    /// Listening on an address failed.
    #[error("listening on {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        error: io::Error,
    },
    /// `check --estimate` found budgets that are too small, or lists or series beyond their limits.
    #[error("the plan exceeds its limits")]
    DoesNotFit,
    /// `check --estimate --live` could not query everything, or got incomplete lists.
    #[error(
        "discovery has not shown all there is (see the lines with !), so the estimate is not complete"
    )]
    Discovery,
    /// An account's settings cannot be used, such as its `ca_file`.
    #[error("{0}")]
    Setup(#[from] aliyun::SetupError),
    /// `check` found that a start would be refused because of the state file.
    #[error("{0}")]
    State(#[from] state::Error),
    /// `doctor` found something that does not work.
    #[error("not everything works: see above")]
    Unwell,
    /// `healthcheck` got no answer, or a bad one.
    #[error("{0}")]
    Unhealthy(#[from] Unhealthy),
    /// `demo` has neither clusters nor servers to simulate.
    #[error("nothing to poll: set --clusters or --servers to at least 1")]
    EmptyDemo,
    /// The exporter could not start, or ended by itself.
    #[error("{}{}", if .0.is_of_start() { "starting: " } else { "" }, .0)]
    Start(#[from] app::Error),
    /// The simulator or standard output failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Error {
    /// The problems of a configuration that a start would refuse, one by one.
    fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Config(Problems(problems)) => problems.clone(),
            other => {
                vec![Problem::outside_files("", other.to_string())]
            }
        }
    }

    /// 2 if the user's input is wrong, 1 if something failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Setup(_)
            | Self::State(_)
            | Self::Start(
                app::Error::Client(_) | app::Error::WebConfig(_) | app::Error::Lease(_),
            )
            | Self::EmptyDemo => 2,
            Self::Start(app::Error::State(error)) if error.is_of_configuration() => 2,
            Self::Listen { error, .. } if error.kind() == io::ErrorKind::InvalidInput => 2,
            _ => 1,
        }
    }
}

/// Runs the command in `cli` until it is done or `shutdown`.
///
/// # Errors
/// Why it failed.
pub async fn run(
    cli: Cli,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(arguments) => serve(&arguments, shutdown).await,
        Command::Check(arguments) => check(&arguments).await,
        Command::Doctor(arguments) => run_doctor(&arguments).await,
        Command::Healthcheck(arguments) => healthcheck(&arguments).await,
        Command::Demo(arguments) => run_demo(&arguments, shutdown).await,
        Command::Simulate(arguments) => simulate(&arguments, shutdown).await,
        Command::Catalog => Ok(io::stdout().write_all(catalog::markdown().as_bytes())?),
    }
}

async fn serve(arguments: &Serve, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let reloads = mpsc::channel(1);
    // From the start: without a handler, SIGHUP ends the process.
    reload_on_hangup(reloads.0.clone())?;
    announce_start();
    let file = arguments.targets.file().filter(|_| arguments.auto_reload);
    let watched = file.map(|file| WatchedFile::new(file.into()));
    let config = arguments.targets.config(&environment)?;
    announce_configuration(&arguments.targets, &config);
    let mut listeners = Vec::new();
    for address in &arguments.listen.addresses {
        listeners.push(listen(address).await?);
    }
    let targets = arguments.targets.clone();
    let sources = Sources { read: Box::new(move || targets.config(&environment)), watched };
    let web = arguments.web.settings(&arguments.listen.addresses);
    app::serve(Options { config, listeners, web, sources, reloads }, shutdown).await?;
    info!("stopped");
    Ok(())
}

/// From now on, SIGHUP requests a reload.
fn reload_on_hangup(reloads: mpsc::Sender<Reload>) -> io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let reload = Reload { cause: "SIGHUP", outcome: None };
            if reloads.send(reload).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn announce_start() {
    info!(version = env!("CARGO_PKG_VERSION"), revision = env!("BUILD_REVISION"), "starting");
}

/// Logs which file was read, what it names, and the warnings about it.
fn announce_configuration(targets: &Targets, config: &Config) {
    let file = targets.file().unwrap_or("none: flags and environment only");
    let Config { accounts, clusters, servers, .. } = config;
    let accounts = accounts.len();
    let clusters = clusters.len();
    let servers = servers.len();
    info!(file, accounts, clusters, servers, discovery = config.discovers(), "configuration read");
    for warning in warnings(config).iter() {
        warn!(warning, "configuration warning");
    }
}

/// Refuses what a start would refuse, and prints what it would warn about.
async fn check(arguments: &Check) -> Result<(), Error> {
    let shards = arguments.targets.undivided().filter(|_| !arguments.estimate);
    let checked = match shards {
        Some(_) => arguments.targets.of_all_shards(&environment),
        None => arguments.targets.config(&environment),
    };
    let checked = checked.map_err(Error::from);
    let web_config = arguments.web_config_file.path();
    let checked = checked.and_then(|config| {
        if let Some(path) = &web_config {
            Guard::read(path, config.web).map_err(Problems::from)?;
        }
        let first = shards.map_or(config.shard, |count| Shard { index: 0, count });
        Ok((clients(&config)?, check_state(&config, first)?, config))
    });
    let (clients, state, config) = match (checked, arguments.format) {
        (Ok(checked), _) => checked,
        (Err(error), ReportFormat::Json) => {
            io::stdout().write_all(check::refused_json(&error.problems()).as_bytes())?;
            return Err(error);
        }
        (Err(error), ReportFormat::Table) => return Err(error),
    };
    let remarks = check::remarks(&config, &clients, arguments.estimate).and(state);
    if arguments.estimate {
        let live = arguments.live.then_some(&clients);
        return check_estimate(&config, live, &remarks, arguments.format).await;
    }
    let printed = match (arguments.format, shards) {
        (ReportFormat::Table, Some(count)) => check::shards_text(&config, count, &remarks),
        (ReportFormat::Table, None) => check::text(&config, &remarks),
        (ReportFormat::Json, Some(count)) => check::shards_json(&config, count, &remarks),
        (ReportFormat::Json, None) => check::json(&config, &remarks, None, true),
    };
    Ok(io::stdout().write_all(printed.as_bytes())?)
}

/// What a start would report about the state file of a process. Creates and changes nothing.
fn check_state(config: &Config, shard: Shard) -> Result<Option<state::Remark>, Error> {
    let place = Place::of(&config.state, shard);
    Ok(place.map(|place| state::check(place.path())).transpose()?.flatten())
}

/// Prints what `config` will cost; given `live` clients, after asking the cloud what discovery
/// would find.
async fn check_estimate(
    config: &Config,
    live: Option<&Clients>,
    remarks: &check::Remarks,
    format: ReportFormat,
) -> Result<(), Error> {
    let discovery_pass = match live.filter(|_| config.discovers()) {
        Some(clients) => Some(discovery_pass(config, clients, MAX_ATTEMPTS).await),
        None => None,
    };
    let complete = discovery_pass.as_ref().is_none_or(|discovery_pass| {
        discovery_pass.failures.is_empty() && discovery_pass.missing.is_empty()
    });
    let findings = discovery_pass
        .as_ref()
        .map(|discovery_pass| discovery_pass.findings.clone())
        .unwrap_or_default();
    let estimate =
        Estimate { incomplete: !complete, ..estimate(config, &findings, Assumptions::default()) };
    let outcome = match (complete, estimate.is_kept()) {
        (false, _) => Err(Error::Discovery),
        (true, false) => Err(Error::DoesNotFit),
        (true, true) => Ok(()),
    };
    let printed = match (format, &discovery_pass) {
        (ReportFormat::Json, discovery_pass) => {
            let costs =
                check::Costs { estimate: &estimate, discovery_pass: discovery_pass.as_ref() };
            check::json(config, remarks, Some(costs), outcome.is_ok())
        }
        (ReportFormat::Table, Some(discovery_pass)) => {
            discovered(discovery_pass, config) + &text(&estimate) + &check::remarked(remarks)
        }
        (ReportFormat::Table, None) if live.is_some() => {
            format!("{NOTHING_TO_DISCOVER}\n\n{}{}", text(&estimate), check::remarked(remarks))
        }
        (ReportFormat::Table, None) => text(&estimate) + &check::remarked(remarks),
    };
    io::stdout().write_all(printed.as_bytes())?;
    outcome
}

const NOTHING_TO_DISCOVER: &str =
    "There is nothing to discover: neither ehpc.discovery nor swas.discovery has an entry.";

async fn run_doctor(arguments: &Doctor) -> Result<(), Error> {
    let config = arguments.targets.config(&environment)?;
    if config.discovers() {
        writeln!(io::stderr(), "Looking for what discovery finds ...")?;
    }
    let report = doctor::examine(&config).await?;
    let printed = match arguments.format {
        ReportFormat::Table => doctor::text(&report),
        ReportFormat::Json => doctor::json(&report),
    };
    io::stdout().write_all(printed.as_bytes())?;
    if report.is_well() { Ok(()) } else { Err(Error::Unwell) }
}

async fn healthcheck(arguments: &Healthcheck) -> Result<(), Error> {
    let health = arguments.question().ask(arguments.timeout).await?;
    Ok(writeln!(io::stdout(), "{health}")?)
}

async fn run_demo(
    arguments: &Demo,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    if !arguments.world.has_targets() {
        return Err(Error::EmptyDemo);
    }
    announce_start();
    let web = arguments.web.settings(std::slice::from_ref(&arguments.listen));
    let config_file = web.config_file.as_deref();
    let read = |path| Guard::read(path, Web::default()).map_err(Problems::from);
    let guard = config_file.map(read).transpose()?;
    let scheme = if guard.is_some_and(|guard| guard.is_encrypted()) { "https" } else { "http" };
    let now = Timestamp::now();
    let simulator = Simulator::new(arguments.world.settings(), now);
    let truth = simulator.truth(now);
    let sim_listener = listen(&arguments.sim_listen).await?;
    let listener = listen(&arguments.listen).await?;
    let address = listener.local_addr()?;
    let sim_address = sim_listener.local_addr()?;
    announce_demo(&format!("{scheme}://{address}{}", web.paths.prefix), &web.paths, sim_address)?;
    info!(address = %sim_address, "the simulated cloud listens");

    let (stop, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        drop(stopped.wait_for(|stopped| *stopped).await)
    };
    tokio::spawn(async move {
        shutdown.await;
        stop.send_replace(true);
    });
    let cloud = tokio::spawn(sim::serve(
        sim_listener,
        Arc::new(Mutex::new(simulator)),
        until(stopped.clone()),
    ));
    let config = demo::with_quota(demo::config(&truth, sim_address), arguments.world.quota);
    let options = Options { web, ..Options::new(config, vec![listener]) };
    app::serve(options, until(stopped)).await?;
    cloud.await.map_err(io::Error::other)??;
    info!("stopped");
    Ok(())
}

fn announce_demo(url: &str, paths: &Paths, sim_address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "A simulated Alibaba Cloud, and an exporter on it. Open:\n")?;
    writeln!(out, "  {url}/              status page")?;
    writeln!(out, "  {url}{:<14} what Prometheus scrapes", paths.telemetry)?;
    writeln!(out, "  http://{sim_address}/_sim/world    the truth, to compare with\n")?;
    writeln!(out, "Ctrl-C ends it.")
}

async fn simulate(arguments: &Simulate, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let simulator = Simulator::new(arguments.world.settings(), Timestamp::now());
    let listener = listen(&arguments.listen).await?;
    let mut out = io::stdout();
    let address = listener.local_addr()?;
    writeln!(
        out,
        "A simulated Alibaba Cloud listens on http://{address}/ (key testid, testsecret)"
    )?;
    writeln!(
        out,
        "It is STS and an ECS metadata server too; its front page lists roles, tokens and addresses."
    )?;
    out.flush()?;
    Ok(sim::serve(listener, Arc::new(Mutex::new(simulator)), shutdown).await?)
}

/// Binds `[HOST]:PORT`; without a host, every address of this machine.
async fn listen(address: &str) -> Result<TcpListener, Error> {
    let failed = |error| Error::Listen { address: address.to_owned(), error };
    let Some(port) = address.strip_prefix(':') else {
        return TcpListener::bind(address).await.map_err(failed);
    };
    match TcpListener::bind(format!("[::]:{port}")).await {
        // A machine without IPv6.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind(format!("0.0.0.0:{port}")).await.map_err(failed)
        }
        bound => bound.map_err(failed),
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
