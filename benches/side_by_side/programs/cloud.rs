//! A cloud that costs next to nothing: it answers every request with one page of open invocations,
//! made once by the simulator, with a new `RequestId` each time. So the cost of a poll and the
//! duration of a sweep are the exporter's own.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::aliyun::op::DescribeInvocations;
use aliyun_task_exporter::sim::{InvocationSpec, ServerSpec, Settings, Simulator, World};
use axum::Router;
use axum::http::header;
use jiff::{SignedDuration, Timestamp};

use crate::support;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address to listen on.
    listen: String,
    /// Invocations on the page.
    #[arg(long, default_value_t = 50)]
    invocations: usize,
    /// Latency of every answer.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    latency: Duration,
    /// Rename one invocation in each answer, so that no answer has the same content as the one
    /// before.
    #[arg(long)]
    moving: bool,
}

pub(crate) async fn run(arguments: Arguments) -> super::Outcome {
    let page: Arc<[u8]> = page(arguments.invocations, Timestamp::now())?.into();
    let request_id = place(&page, b"\"RequestId\":\"")?;
    let name = place(&page, b"\"CommandName\":\"backup-")?;
    let answer = move || async move {
        tokio::time::sleep(arguments.latency).await;
        let mut page = page.to_vec();
        page[request_id..request_id + 8]
            .copy_from_slice(format!("{:08X}", rand::random::<u32>()).as_bytes());
        if arguments.moving {
            page[name..name + 4]
                .copy_from_slice(format!("{:04x}", rand::random::<u16>()).as_bytes());
        }
        ([(header::CONTENT_TYPE, "application/json")], page)
    };
    super::serve(&arguments.listen, Router::new().fallback(answer)).await
}

/// The position after the first occurrence of a text.
fn place(page: &[u8], beginning: &[u8]) -> Result<usize, String> {
    let found = page.windows(beginning.len()).position(|part| part == beginning);
    found
        .map(|at| at + beginning.len())
        .ok_or_else(|| format!("the page has no {}", beginning.escape_ascii()))
}

/// The simulator's answer about a server with `invocations` open invocations of scripts of a
/// kilobyte.
fn page(invocations: usize, now: Timestamp) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut world = World::empty();
    let server = ServerSpec::default();
    let id = server.id.clone();
    let region = server.region.clone();
    world.add_server(server);
    for _ in 0..invocations {
        world.add_invocation(&id, open_invocation()).map_err(|error| error.to_string())?;
    }
    let mut simulator = Simulator::with_world(Settings::default(), world, now);
    let question = DescribeInvocations { instance_id: id.into(), page: 1 };
    support::answer(&mut simulator, &question.into(), &region, now)
}

fn open_invocation() -> InvocationSpec {
    InvocationSpec {
        id: format!("t-{:016x}", rand::random::<u64>()),
        command_name: format!("backup-{:04x}", rand::random::<u16>()),
        content: "rsync --archive --delete /srv/data/ /mnt/backup/data/ && echo 'done' # 24/7\n"
            .repeat(13),
        running: SignedDuration::from_hours(24 * 365),
        ..InvocationSpec::default()
    }
}
