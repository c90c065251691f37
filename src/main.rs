//! Arguments -> command -> exit code, nothing else.

use std::io::Write;
use std::process::ExitCode;

use aliyun_task_exporter::cli::Cli;
use aliyun_task_exporter::{commands, logging};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let _logging = logging::start(&cli.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    let outcome = runtime.map_err(commands::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(async {
            let shutdown = shutdown()?;
            commands::run(cli, shutdown).await
        });
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Polling waits for the network most of the time: a few threads serve any number of targets.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4))
}

/// Resolves at the first SIGTERM or SIGINT.
fn shutdown() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return info!(signal = "SIGTERM", "stopping"),
                _ = interrupt.recv() => return info!(signal = "SIGINT", "stopping"),
                // By default it would end the process, and a service manager's reload is no wish to stop.
                _ = hangup.recv() => warn!("SIGHUP: there is no reload; restart to change the configuration"),
            }
        }
    })
}
