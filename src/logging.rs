//! Log lines on standard error.
//!
//! Only this program's own lines follow `--log.level`. The HTTP libraries stay at `warn`: at lower levels they may write
//! URLs, and those hold signatures.

use std::panic::{self, PanicHookInfo};

use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::{Log, LogFormat};

/// Starts logging as the command line says. Panics are logged, too.
pub fn start(log: &Log) {
    let level = LevelFilter::from(log.level);
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("aliyun_task_exporter", level);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Logfmt => {
            registry.with(tracing_logfmt::builder().with_target(false).layer().with_writer(std::io::stderr)).try_init()
        }
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_target(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    // It was started before: those lines go there.
    let _ = started;
    panic::set_hook(Box::new(log_panic));
}

/// Of a panic's message only what stands in the source is told. What was formatted into it may be whatever the program was
/// working on, a secret among it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let reason =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("not shown, since it may hold secrets");
    error!(place, reason, "a bug in this program: it panicked; please report this line");
}
