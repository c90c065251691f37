//! The cost of compressing a whole page at the exporter's level.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

/// The level of `exposition/deflate.rs`.
const LEVEL: Compression = Compression::new(2);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The page.
    page: PathBuf,
    /// Number of repetitions.
    #[arg(long, default_value_t = 5)]
    times: usize,
}

#[derive(Serialize)]
struct Printed {
    seconds: Vec<f64>,
    /// Compressed size.
    bytes: usize,
}

pub(crate) fn run(arguments: &Arguments) -> super::Outcome {
    let page = std::fs::read(&arguments.page)?;
    let mut seconds = Vec::new();
    let mut bytes = 0;
    for _ in 0..arguments.times {
        let started = Instant::now();
        let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
        encoder.write_all(&page)?;
        bytes = encoder.finish()?.len();
        seconds.push(started.elapsed().as_secs_f64());
    }
    super::print(&Printed { seconds, bytes })
}
