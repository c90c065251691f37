//! The steps from a reading to what a scraper gets, each on its own.

#![allow(missing_docs, clippy::unwrap_used, unreachable_pub)]

mod fleet;

use aliyun_task_exporter::exposition::{Encoding, Format, process_metrics};
use aliyun_task_exporter::model::SeriesUse;
use aliyun_task_exporter::self_metrics::SelfMetrics;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use fleet::{Exporter, Fleet, THINGS, moment};

/// About a hundred thousand series, unless `TARGETS` says otherwise.
const TARGETS: usize = 1_100;

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exposition");
    group.sample_size(20);
    let targets = std::env::var("TARGETS").map_or(TARGETS, |targets| targets.parse().unwrap());
    let mut fleet = Fleet::new(targets, THINGS);
    let exporter = fleet.exporter();
    let mut seconds = 0;

    group.bench_function("a target's reading, changed", |bencher| {
        bencher.iter(|| {
            seconds += 1;
            fleet.change(1, seconds);
            fleet.poll(&exporter, 1, seconds);
        });
    });
    for (name, encoding) in [("put together", Encoding::Identity), ("and deflated", Encoding::Gzip)]
    {
        group.bench_function(format!("all of it {name}"), |bencher| {
            let cold = || fleet.exporter();
            bencher.iter_batched(
                cold,
                |exporter| body(&exporter, encoding),
                BatchSize::PerIteration,
            );
        });
        let mut seconds = 1_000_000;
        group.bench_function(format!("1 % of it {name}"), |bencher| {
            bencher.iter_batched(
                || {
                    seconds += 1;
                    for index in fleet.some(1) {
                        fleet.change(index, seconds);
                        fleet.poll(&exporter, index, seconds);
                    }
                },
                |()| body(&exporter, encoding),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(format!("nothing of it {name}"), |bencher| {
            bencher.iter(|| body(&exporter, encoding))
        });
    }
    own(&mut group, &exporter);
    group.finish();
}

/// What each scrape renders itself.
fn own(group: &mut BenchmarkGroup<'_, WallTime>, exporter: &Exporter) {
    let metrics = SelfMetrics::new().unwrap();
    let own = || process_metrics(&metrics.gather(SeriesUse::default()), Format::Text);
    let (body, _) = exporter.exposition.body(Format::Text, Encoding::Gzip, moment(1));
    group.bench_function("the end put together", |bencher| bencher.iter(own));
    group.bench_function("the end and deflated", |bencher| bencher.iter(|| body.end(own())));
}

fn body(exporter: &Exporter, encoding: Encoding) -> u64 {
    exporter.exposition.body(Format::Text, encoding, moment(1)).0.bytes()
}

criterion_group!(benches, steps);
criterion_main!(benches);
