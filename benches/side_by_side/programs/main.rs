//! The programs that `make bench` needs in addition to the exporter: a scraper, and those that the
//! exporter is compared with.

mod bare;
mod cloud;
mod compress;
mod fixed;
mod registry;
mod scrape;
#[path = "../../support/mod.rs"]
mod support;

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::web::{self, Front};
use axum::Router;
use clap::Parser;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Result of a program.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
enum Program {
    /// Scrapes an address and prints how long it took.
    Scrape(scrape::Arguments),
    /// Serves a file's bytes from memory.
    Fixed(fixed::Arguments),
    /// Serves a page's series from a Registry of the `prometheus` crate.
    Registry(registry::Arguments),
    /// Compresses a page as a whole and prints how long it took.
    Compress(compress::Arguments),
    /// Answers every call for invocations with the same page.
    Cloud(cloud::Arguments),
    /// Reads that page the given number of times, and drops it.
    Bare(bare::Arguments),
}

fn main() -> Outcome {
    let program = Program::parse();
    let runtime = match program {
        // A scraper must cost as little as possible.
        Program::Scrape(_) => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        _ => tokio::runtime::Runtime::new()?,
    };
    runtime.block_on(async {
        match program {
            Program::Scrape(arguments) => scrape::run(arguments).await,
            Program::Fixed(arguments) => fixed::run(arguments).await,
            Program::Registry(arguments) => registry::run(arguments).await,
            Program::Compress(arguments) => compress::run(&arguments),
            Program::Cloud(arguments) => cloud::run(arguments).await,
            Program::Bare(arguments) => bare::run(arguments).await,
        }
    })
}

/// Serves `router` like the exporter does, until the process is killed.
async fn serve(listen: &str, router: Router) -> Outcome {
    let listener = TcpListener::bind(listen).await?;
    let (_go_on, stopped) = watch::channel(false);
    let metrics = Arc::new(SelfMetrics::new()?);
    web::serve(vec![listener], Front::open(router, metrics), stopped).await;
    Ok(())
}

fn print(result: &impl Serialize) -> Outcome {
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string(result)?)?)
}
