//! The command line: commands, flags and what they mean.

mod chinese;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use http::Uri;
use tracing::level_filters::LevelFilter;

use crate::config::{
    Config, MAX_FILE, Problem, Problems, parse, with_endpoint, with_shard, with_targets,
};
use crate::files;
use crate::sim::{Quotas, Settings};
use crate::web::{self, Hosts, Paths, Question};

/// What `--version` prints; `-V` prints the first line.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\n  revision:  ",
    env!("BUILD_REVISION"),
    "\n  rustc:     ",
    env!("BUILD_RUSTC"),
    "\n  platform:  ",
    env!("BUILD_TARGET"),
);

/// Prometheus exporter for tasks and commands of Alibaba Cloud E-HPC, and commands on Simple
/// Application Servers.
#[derive(Debug, Parser)]
#[command(
    name = "aliyun-task-exporter",
    version,
    long_version = VERSION,
    max_term_width = 110,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do; without a command, poll and serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Arguments of `serve`.
    #[command(flatten)]
    pub serve: Serve,
    /// How to log.
    #[command(flatten)]
    pub log: Log,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Poll the cloud and serve /metrics; the default if no command is given.
    Serve(Serve),
    /// Read the configuration and print what would be polled; exit code 2 if there is a problem.
    Check(Check),
    /// Try each operation that the configuration needs, once per account and region, and say how to
    /// fix what fails.
    Doctor(Doctor),
    /// Ask the exporter that runs on this machine whether it is ready, as a container's health
    /// check does; exit code 1 if it is not.
    Healthcheck(Healthcheck),
    /// Try it without an account: a simulated Alibaba Cloud, and an exporter that polls it, in one
    /// process.
    Demo(Demo),
    /// Run only the simulated Alibaba Cloud: E-HPC, SWAS, STS, and an ECS metadata server to log in
    /// with; GET / explains it.
    Simulate(Simulate),
    /// Print docs/metrics.md: every metric family with its type, labels and meaning.
    Catalog,
}

/// Arguments of `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// What to poll.
    #[command(flatten)]
    pub targets: Targets,
    /// Where to serve.
    #[command(flatten)]
    pub listen: Listen,
    /// How to serve.
    #[command(flatten)]
    pub web: Web,
    /// Reload when the configuration file changes.
    #[arg(long = "config.auto-reload", env = "ALIYUN_TASK_EXPORTER_CONFIG_AUTO_RELOAD")]
    pub auto_reload: bool,
}

/// Where to serve.
#[derive(Clone, Debug, Args)]
pub struct Listen {
    /// Address to listen on: HOST:PORT, or :PORT for all addresses of this machine; may be
    /// repeated.
    #[arg(
        id = "listen_addresses",
        long = "web.listen-address",
        env = "ALIYUN_TASK_EXPORTER_WEB_LISTEN_ADDRESS",
        default_value = ":10977",
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    pub addresses: Vec<String>,
}

/// How to serve.
#[derive(Clone, Debug, Args)]
pub struct Web {
    /// Who is let in.
    #[command(flatten)]
    pub config_file: WebConfigFile,
    /// Path of the metrics.
    #[arg(
        long = "web.telemetry-path",
        env = "ALIYUN_TASK_EXPORTER_WEB_TELEMETRY_PATH",
        default_value = "/metrics",
        value_parser = telemetry_path,
        value_name = "PATH"
    )]
    pub telemetry_path: String,
    /// Under which URL to serve.
    #[command(flatten)]
    pub place: Place,
    /// Let POST /-/reload reload the configuration.
    #[arg(long = "web.enable-lifecycle", env = "ALIYUN_TASK_EXPORTER_WEB_ENABLE_LIFECYCLE")]
    pub enable_lifecycle: bool,
}

/// Under which URL to serve.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// URL at which the exporter can be reached from outside, such as that of a reverse proxy: for
    /// links, and as a name by which it may be asked.
    #[arg(
        long = "web.external-url",
        env = "ALIYUN_TASK_EXPORTER_WEB_EXTERNAL_URL",
        value_parser = external_url,
        value_name = "URL"
    )]
    pub external_url: Option<Uri>,
    /// Prefix of all paths; by default, the path of --web.external-url.
    #[arg(
        long = "web.route-prefix",
        env = "ALIYUN_TASK_EXPORTER_WEB_ROUTE_PREFIX",
        value_parser = route_prefix,
        value_name = "PATH"
    )]
    pub route_prefix: Option<String>,
}

impl Place {
    /// What every path begins with; empty for nothing.
    fn prefix(&self) -> String {
        let outside = self.external_url.as_ref().map_or("", |url| url.path().trim_end_matches('/'));
        self.route_prefix.clone().unwrap_or_else(|| outside.to_owned())
    }
}

/// The web configuration file.
#[derive(Clone, Debug, Args)]
pub struct WebConfigFile {
    /// The web configuration file: TLS, client certificates, passwords, headers and a rate limit,
    /// in the format of Prometheus' exporter-toolkit.
    #[arg(
        id = "web_config_file",
        long = "web.config.file",
        env = "ALIYUN_TASK_EXPORTER_WEB_CONFIG_FILE",
        value_name = "PATH"
    )]
    path: Option<String>,
}

impl WebConfigFile {
    /// Its path, if one is named.
    pub fn path(&self) -> Option<PathBuf> {
        named(self.path.as_deref()).map(PathBuf::from)
    }
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// What would be polled.
    #[command(flatten)]
    pub targets: Targets,
    /// Who would be let in.
    #[command(flatten)]
    pub web_config_file: WebConfigFile,
    /// Print what it would cost instead: calls by budget, time of the first pass, series; exit code
    /// 1 if the plan exceeds its limits.
    #[arg(long)]
    pub estimate: bool,
    /// With --estimate: first ask the cloud what discovery would find; exit code 1 if that fails.
    #[arg(long, requires = "estimate")]
    pub live: bool,
    /// How to print the result.
    #[arg(id = "report_format", long = "format", value_name = "FORMAT", default_value = "table")]
    pub format: ReportFormat,
}

/// Arguments of `doctor`.
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// What would be polled.
    #[command(flatten)]
    pub targets: Targets,
    /// How to print the result.
    #[arg(id = "report_format", long = "format", value_name = "FORMAT", default_value = "table")]
    pub format: ReportFormat,
}

/// Arguments of `healthcheck`; they and their variables say where the exporter serves.
#[derive(Clone, Debug, Args)]
pub struct Healthcheck {
    /// Where it listens; of several addresses, the first is asked.
    #[command(flatten)]
    pub listen: Listen,
    /// Under which URL it serves.
    #[command(flatten)]
    pub place: Place,
    /// Whether it serves over TLS.
    #[command(flatten)]
    pub web_config_file: WebConfigFile,
    /// Ask /-/healthy, whether the process is up, instead of /-/ready.
    #[arg(long)]
    pub healthy: bool,
    /// How long to wait for the answer.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

impl Healthcheck {
    /// What to ask.
    pub fn question(&self) -> Question {
        let path = if self.healthy { "/-/healthy" } else { "/-/ready" };
        Question {
            listen: self.listen.addresses.first().cloned().unwrap_or_default(),
            path: self.place.prefix() + path,
            web_config: self.web_config_file.path(),
        }
    }
}

/// A format of `check --format` and `doctor --format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// What to poll.
#[derive(Clone, Debug, Default, Args)]
pub struct Targets {
    /// The configuration file.
    #[arg(long = "config.file", env = "ALIYUN_TASK_EXPORTER_CONFIG_FILE", value_name = "PATH")]
    pub config_file: Option<String>,
    /// An E-HPC cluster to poll, such as cn-hangzhou/ehpc-hz-FYUr32aaaa; may be repeated.
    #[arg(
        long = "ehpc.cluster",
        env = "ALIYUN_TASK_EXPORTER_EHPC_CLUSTER",
        value_delimiter = ',',
        value_name = "REGION/ID"
    )]
    pub clusters: Vec<String>,
    /// A Simple Application Server to poll; may be repeated.
    #[arg(
        long = "swas.server",
        env = "ALIYUN_TASK_EXPORTER_SWAS_SERVER",
        value_delimiter = ',',
        value_name = "REGION/ID"
    )]
    pub servers: Vec<String>,
    /// URL for the first account to use instead of the vendor's endpoints of E-HPC, SWAS and STS,
    /// such as that of `simulate`; {region} is replaced.
    #[arg(
        long = "account.endpoint",
        env = "ALIYUN_TASK_EXPORTER_ACCOUNT_ENDPOINT",
        value_name = "URL"
    )]
    pub endpoint: Option<String>,
    /// Which part of the targets is polled.
    #[command(flatten)]
    pub shard: Shard,
}

/// Which part of the targets is polled.
#[derive(Clone, Debug, Args)]
pub struct Shard {
    /// Number of this process among those that share the targets, from 0; `ordinal`: that at the
    /// end of HOSTNAME, as in the pods of a StatefulSet.
    #[arg(long = "shard.index", env = "ALIYUN_TASK_EXPORTER_SHARD_INDEX", value_name = "NUMBER")]
    pub index: Option<String>,
    /// Number of processes that share the targets, all with the same configuration.
    #[arg(
        long = "shard.count",
        env = "ALIYUN_TASK_EXPORTER_SHARD_COUNT",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1000),
        value_name = "NUMBER"
    )]
    pub count: u32,
}

impl Default for Shard {
    /// Everything.
    fn default() -> Self {
        Self { index: None, count: 1 }
    }
}

impl Shard {
    fn index(&self) -> Option<&str> {
        named(self.index.as_deref())
    }
}

/// How to log.
#[derive(Clone, Debug, Args)]
pub struct Log {
    /// Only log messages at or above this level.
    #[arg(
        long = "log.level",
        env = "ALIYUN_TASK_EXPORTER_LOG_LEVEL",
        default_value = "info",
        global = true,
        ignore_case = true
    )]
    pub level: Level,
    /// Format of log messages.
    #[arg(
        long = "log.format",
        env = "ALIYUN_TASK_EXPORTER_LOG_FORMAT",
        default_value = "logfmt",
        global = true,
        ignore_case = true
    )]
    pub format: LogFormat,
}

/// A level of `--log.level`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Level {
    /// Everything.
    Trace,
    /// Also each request, and lines that would otherwise be folded.
    Debug,
    /// Normal events: the start, each ended task or invocation, recoveries.
    Info,
    /// What an operator should check.
    Warn,
    /// What stops the exporter.
    Error,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::TRACE,
            Level::Debug => Self::DEBUG,
            Level::Info => Self::INFO,
            Level::Warn => Self::WARN,
            Level::Error => Self::ERROR,
        }
    }
}

/// A format of `--log.format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// key=value pairs.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// Arguments of `demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Address for the exporter to listen on.
    #[arg(long = "web.listen-address", default_value = "127.0.0.1:10977", value_name = "ADDRESS")]
    pub listen: String,
    /// How to serve.
    #[command(flatten)]
    pub web: Web,
    /// Address for the simulated cloud to listen on.
    #[arg(long = "sim.listen-address", default_value = "127.0.0.1:10978", value_name = "ADDRESS")]
    pub sim_listen: String,
    /// The simulated cloud.
    #[command(flatten)]
    pub world: WorldSize,
}

/// Arguments of `simulate`.
#[derive(Clone, Debug, Args)]
pub struct Simulate {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:10978", value_name = "ADDRESS")]
    pub listen: String,
    /// The simulated cloud.
    #[command(flatten)]
    pub world: WorldSize,
}

/// How large the simulated cloud is.
#[derive(Clone, Debug, Args)]
pub struct WorldSize {
    /// Determines every id, duration and outcome.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// E-HPC clusters.
    #[arg(long, default_value_t = 2)]
    pub clusters: usize,
    /// Tasks running at the same time in each cluster.
    #[arg(long, default_value_t = 6)]
    pub tasks: usize,
    /// Commands of each cluster.
    #[arg(long, default_value_t = 4)]
    pub commands: usize,
    /// Nodes of each cluster.
    #[arg(long, default_value_t = 8)]
    pub nodes: usize,
    /// Simple Application Servers.
    #[arg(long, default_value_t = 4)]
    pub servers: usize,
    /// Invocations that each server lists.
    #[arg(long, default_value_t = 12)]
    pub invocations: usize,
    /// Latency of every answer.
    #[arg(long, default_value = "50ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,
    /// Calls per minute that every operation allows in each region; more are throttled. The
    /// exporter of `demo` uses nine tenths of it.
    #[arg(long, default_value_t = 1000)]
    pub quota: u32,
    /// How many times faster than real time it runs; more than 0.
    #[arg(long, default_value_t = 1.0, value_parser = time_scale)]
    pub time_scale: f64,
}

fn time_scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if scale > 0.0 && scale.is_finite() {
        Ok(scale)
    } else {
        Err("must be more than 0: at 0 time stands still".into())
    }
}

impl WorldSize {
    /// Whether there is anything to poll.
    pub fn has_targets(&self) -> bool {
        self.clusters > 0 || self.servers > 0
    }

    /// The simulator's settings.
    pub fn settings(&self) -> Settings {
        Settings {
            seed: self.seed,
            clusters: self.clusters,
            tasks: self.tasks,
            task_history: self.tasks * 4,
            commands: self.commands,
            nodes: self.nodes,
            servers: self.servers,
            invocations: self.invocations,
            latency: self.latency,
            time_scale: self.time_scale,
            quotas: Quotas { per_minute: self.quota, ..Quotas::default() },
            ..Settings::default()
        }
    }
}

impl Cli {
    /// The arguments of this process. Prints help, in Chinese where the locale is, or what is wrong
    /// with the arguments, and exits.
    pub fn of_process() -> Self {
        let mut command = Self::command();
        if chinese::is_wanted(&|name| std::env::var(name).ok()) {
            command = chinese::translated(command);
        }
        let mut matches = command.get_matches();
        Self::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
    }
}

impl Targets {
    /// The configuration file, if one is given.
    pub fn file(&self) -> Option<&str> {
        named(self.config_file.as_deref())
    }

    /// The configuration from the file and the flags.
    ///
    /// # Errors
    /// All problems in the file, or why it cannot be read.
    pub fn config(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
        let config = self.of_all_shards(env)?;
        with_shard(config, self.shard.index(), self.shard.count, env("HOSTNAME").as_deref())
    }

    /// The number of shards, if it is not said which of them this is.
    pub fn undivided(&self) -> Option<u32> {
        (self.shard.count > 1 && self.shard.index().is_none()).then_some(self.shard.count)
    }

    /// The configuration of all shards together.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub fn of_all_shards(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
        let file = self.file().map(|path| {
            let text = files::text_or_stream(path.as_ref(), MAX_FILE)
                .map_err(|error| unreadable(path, &error))?;
            parse(path, &text, env)
        });
        let config =
            with_targets(file.transpose()?, &given(&self.clusters), &given(&self.servers))?;
        match named(self.endpoint.as_deref()) {
            Some(url) => with_endpoint(config, url),
            None => Ok(config),
        }
    }
}

impl Web {
    /// How to serve at `listen`.
    pub fn settings(&self, listen: &[String]) -> web::Settings {
        let external = self.place.external_url.as_ref().and_then(Uri::host).map(str::to_owned);
        let listen = listen.iter().filter_map(|address| address.rsplit_once(':'));
        let listen = listen.map(|(host, _)| host.to_owned());
        web::Settings {
            config_file: self.config_file.path(),
            paths: Paths { prefix: self.place.prefix(), telemetry: self.telemetry_path.clone() },
            hosts: Hosts::with(external.into_iter().chain(listen)),
            lifecycle: self.enable_lifecycle,
        }
    }
}

/// A value that is not empty: what is not set may be set to nothing in the environment.
fn named(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn telemetry_path(text: &str) -> Result<String, String> {
    const TAKEN: [&str; 9] = [
        "/-/",
        "/api/",
        "/static/",
        "/config/",
        "/region/",
        "/cluster/",
        "/server/",
        "/command/",
        "//",
    ];
    let is_taken = TAKEN.iter().any(|taken| format!("{text}/").starts_with(taken));
    match plain_path(text)? {
        path if is_taken => Err(format!("something else is at {path}")),
        path => Ok(path.to_owned()),
    }
}

fn route_prefix(text: &str) -> Result<String, String> {
    match text.trim_end_matches('/') {
        "" => Ok(String::new()),
        path => plain_path(path).map(str::to_owned),
    }
}

/// A path that no router takes for a pattern, and that needs no quoting in a link.
fn plain_path(text: &str) -> Result<&str, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if text.starts_with('/') && text.chars().all(is_plain) {
        Ok(text)
    } else {
        Err("must begin with / and have only letters, digits and - . _ ~ /".into())
    }
}

fn external_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
        return Err("must be a whole URL, such as https://example.com/exporter".into());
    }
    route_prefix(url.path()).map(|_| url)
}

/// Drops the empty value that an empty environment variable leaves.
fn given(values: &[String]) -> Vec<String> {
    values.iter().filter(|value| !value.is_empty()).cloned().collect()
}

fn unreadable(file: &str, error: &std::io::Error) -> Problems {
    let message = format!("the configuration file cannot be read: {error}");
    Problems(vec![Problem::of_file(file, message)])
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command, Level, LogFormat, ReportFormat};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves_and_targets_may_be_repeated() {
        let cli = Cli::parse_from([
            "x",
            "--ehpc.cluster",
            "cn-hangzhou/a",
            "--ehpc.cluster",
            "cn-hangzhou/b",
        ]);
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.targets.clusters, ["cn-hangzhou/a", "cn-hangzhou/b"]);
        assert_eq!(cli.serve.listen.addresses, [":10977"]);
    }

    #[test]
    fn a_doctor_has_a_format_of_its_own_beside_that_of_the_log() {
        let cli = Cli::parse_from(["x", "doctor", "--format", "json", "--log.format", "json"]);
        let Some(Command::Doctor(doctor)) = cli.command else { panic!() };
        assert!(matches!((doctor.format, cli.log.format), (ReportFormat::Json, LogFormat::Json)));
    }

    #[test]
    fn levels_and_formats_are_taken_in_any_letter_case() {
        let cli = Cli::parse_from(["x", "--log.level", "WARN", "--log.format", "Json"]);
        assert!(matches!((cli.log.level, cli.log.format), (Level::Warn, LogFormat::Json)));
        assert!(Cli::try_parse_from(["x", "--log.level", "loud"]).is_err());
    }

    #[test]
    fn a_world_in_which_time_stands_still_is_refused() {
        for command in ["demo", "simulate"] {
            for scale in ["0", "-1", "nan", "inf", "fast"] {
                assert!(
                    Cli::try_parse_from(["x", command, &format!("--time-scale={scale}")]).is_err(),
                    "{scale}"
                );
            }
            assert!(Cli::try_parse_from(["x", command, "--time-scale=0.5"]).is_ok());
        }
    }

    #[test]
    fn the_default_world_is_the_simulators() {
        let Some(Command::Simulate(simulate)) = Cli::parse_from(["x", "simulate"]).command else {
            panic!()
        };
        let ours = simulate.world.settings();
        let theirs = crate::sim::Settings::default();
        assert_eq!(
            (ours.seed, ours.clusters, ours.tasks, ours.task_history, ours.commands, ours.nodes),
            (
                theirs.seed,
                theirs.clusters,
                theirs.tasks,
                theirs.task_history,
                theirs.commands,
                theirs.nodes
            ),
        );
        assert_eq!((ours.servers, ours.invocations), (theirs.servers, theirs.invocations));
        assert_eq!(ours.quotas.per_minute, theirs.quotas.per_minute);
    }
}
