//! A scraper with keep-alive connections: one request after the other, every byte read and dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    url: Uri,
    /// Accept, as Prometheus would send it.
    #[arg(long, default_value = "text/plain;version=0.0.4")]
    accept: String,
    /// Accept-Encoding.
    #[arg(long, default_value = "gzip")]
    encoding: String,
    /// Minimum number of scrapes on each connection.
    #[arg(long, default_value_t = 10)]
    least: usize,
    /// Maximum number of scrapes.
    #[arg(long, default_value_t = 1000)]
    most: usize,
    /// Between these limits, scrape for this many seconds.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Number of initial scrapes on each connection that are not counted.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    warmup: u32,
    /// Number of concurrent scrapes.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Pause between two scrapes of a connection.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    pause: Duration,
}

#[derive(Serialize)]
struct Printed {
    /// Time from the request to the last byte, for each scrape that is counted.
    seconds: Vec<f64>,
    /// All scrapes, including those that are not counted.
    scrapes: usize,
    /// Size of the last body as sent.
    bytes: usize,
    content_type: String,
    content_encoding: String,
}

struct Body {
    bytes: usize,
    content_type: String,
    content_encoding: String,
}

pub(crate) async fn run(arguments: Arguments) -> super::Outcome {
    let arguments = Arc::new(arguments);
    let mut scrapers = JoinSet::new();
    for _ in 0..arguments.connections {
        scrapers.spawn(scrape_on_one(Arc::clone(&arguments)));
    }
    let mut seconds = Vec::new();
    let mut last = None;
    while let Some(scraped) = scrapers.join_next().await {
        let (times, body) = scraped??;
        seconds.extend(times);
        last = Some(body);
    }
    let Body { bytes, content_type, content_encoding } = last.ok_or("nothing was scraped")?;
    let scrapes = seconds.len() + arguments.connections * arguments.warmup as usize;
    super::print(&Printed { seconds, scrapes, bytes, content_type, content_encoding })
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Sender = SendRequest<Empty<Bytes>>;

async fn scrape_on_one(arguments: Arc<Arguments>) -> Result<(Vec<f64>, Body), Failure> {
    let mut sender = connect(&arguments.url).await?;
    let mut body = one(&arguments, &mut sender).await?;
    for _ in 1..arguments.warmup {
        body = one(&arguments, &mut sender).await?;
    }
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < arguments.most
        && (times.len() < arguments.least || begun.elapsed().as_secs_f64() < arguments.seconds)
    {
        tokio::time::sleep(arguments.pause).await;
        let started = Instant::now();
        body = one(&arguments, &mut sender).await?;
        times.push(started.elapsed().as_secs_f64());
    }
    Ok((times, body))
}

async fn connect(url: &Uri) -> Result<Sender, Failure> {
    let authority = url.authority().ok_or("the URL names no host")?;
    let stream = TcpStream::connect(authority.as_str()).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// One scrape. If the program closes each connection, it reconnects, as Prometheus would.
async fn one(arguments: &Arguments, sender: &mut Sender) -> Result<Body, Failure> {
    if sender.ready().await.is_err() {
        *sender = connect(&arguments.url).await?;
        sender.ready().await?;
    }
    let host = arguments.url.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(arguments.url.path())
        .header(header::HOST, host)
        .header(header::ACCEPT, &arguments.accept)
        .header(header::ACCEPT_ENCODING, &arguments.encoding)
        .body(Empty::new())?;
    let mut response = sender.send_request(request).await?;
    if response.status() != 200 {
        return Err(format!("{} answered {}", arguments.url, response.status()).into());
    }
    let named = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let content_type = named(header::CONTENT_TYPE);
    let content_encoding = named(header::CONTENT_ENCODING);
    let mut bytes = 0;
    while let Some(frame) = response.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(Body { bytes, content_type, content_encoding })
}
