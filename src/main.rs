//! Arguments -> command -> exit code, nothing else.

use std::env;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use aliyun_task_exporter::cli::Cli;
use aliyun_task_exporter::{commands, logging};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Settings of glibc's allocator, which are read only when a process starts: there is no safe call
/// for them (mallopt(3)).
const ALLOCATOR: [(&str, &str); 3] = [
    // By default each thread has its own arena, and what one thread allocates and another frees
    // leaves holes there: resident memory grows for hours while no more of it is in use.
    ("MALLOC_ARENA_MAX", "1"),
    // Unset, they grow with the largest block that was ever freed, and what is freed below them
    // stays resident: a few large responses were enough for 100 MiB.
    //
    // A larger block is mapped for each use. The HTTP client reads answers of more than 64 KiB into
    // buffers of 128 to 408 KiB: mapping these was a fifth of the cost of a poll.
    ("MALLOC_MMAP_THRESHOLD_", "524288"),
    // The default.
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

fn main() -> ExitCode {
    set_allocator();
    let cli = Cli::of_process();
    let _logging = logging::start(&cli.log);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
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
            // There is nowhere else to report it.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Re-executes the program in the same process, with those of the [`ALLOCATOR`]'s settings that the
/// user has not set.
fn set_allocator() {
    let unset: Vec<(&str, &str)> =
        ALLOCATOR.into_iter().filter(|(name, _)| env::var_os(name).is_none()).collect();
    if !cfg!(target_env = "gnu") || unset.is_empty() {
        return;
    }
    let mut arguments = env::args_os();
    if let (Ok(program), Some(name)) = (env::current_exe(), arguments.next()) {
        // It returns only if it fails: everything works without these settings as well.
        let _ = Command::new(program).arg0(name).args(arguments).envs(unset).exec();
    }
}

/// Number of threads: polling mostly waits for the network, so a few serve any number of targets.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4))
}

/// Resolves at the first SIGTERM or SIGINT.
fn shutdown() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => info!(signal = "SIGTERM", "stopping"),
            _ = interrupt.recv() => info!(signal = "SIGINT", "stopping"),
        }
    })
}
