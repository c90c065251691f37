//! The floor of polling: only the exporter's HTTP client. It reads every body and drops it, with or
//! without decoding it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aliyun_task_exporter::aliyun::op::{DescribeInvocations, Operation};
use serde::Serialize;
use tokio::task::JoinSet;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    url: String,
    /// Number of calls.
    #[arg(long, default_value_t = 1000)]
    calls: usize,
    /// Number of concurrent calls.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Decode each body as the exporter does.
    #[arg(long)]
    decode: bool,
}

#[derive(Serialize)]
struct Printed {
    calls: usize,
    seconds: f64,
    bytes: usize,
}

pub(crate) async fn run(arguments: Arguments) -> super::Outcome {
    // reqwest is built without a TLS provider, but requires one even for plain HTTP.
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "TLS is set up already")?;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let left = Arc::new(AtomicUsize::new(arguments.calls));
    let url: Arc<str> = arguments.url.into();
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..arguments.connections {
        callers.spawn(call(http.clone(), Arc::clone(&url), Arc::clone(&left), arguments.decode));
    }
    let mut bytes = 0;
    while let Some(read) = callers.join_next().await {
        bytes += read??;
    }
    super::print(&Printed { calls: arguments.calls, seconds: begun.elapsed().as_secs_f64(), bytes })
}

async fn call(
    http: reqwest::Client,
    url: Arc<str>,
    left: Arc<AtomicUsize>,
    decode: bool,
) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let operation = Operation::from(DescribeInvocations { instance_id: "any".into(), page: 1 });
    let mut bytes = 0;
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        .is_ok()
    {
        let mut response = http.post(&*url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
            if decode {
                body.extend_from_slice(&chunk);
            }
        }
        if decode {
            operation.decode(&body)?;
        }
    }
    Ok(bytes)
}
