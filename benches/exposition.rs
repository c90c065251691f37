//! The steps from a reading to what a scraper gets, each on its own.

#![allow(missing_docs, clippy::unwrap_used, unreachable_pub)]

mod fleet;

use aliyun_task_exporter::exposition::{Encoding, Format, process_metrics};
use aliyun_task_exporter::model::SeriesUse;
use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::store::Store;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use fleet::{Fleet, THINGS, moment};

/// About a hundred thousand series, unless `TARGETS` says otherwise.
const TARGETS: usize = 1_100;

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exposition");
    group.sample_size(20);
    let targets = std::env::var("TARGETS").map_or(TARGETS, |targets| targets.parse().unwrap());
    let mut fleet = Fleet::new(targets, THINGS);
    let store = fleet.store();
    let mut seconds = 0;

    group.bench_function("a target's reading, changed", |bencher| {
        bencher.iter(|| {
            seconds += 1;
            fleet.change(1, seconds);
            fleet.poll(&store, 1, seconds);
        });
    });
    for (name, encoding) in [("put together", Encoding::Identity), ("and deflated", Encoding::Gzip)] {
        group.bench_function(format!("all of it {name}"), |bencher| {
            let cold = || fleet.store();
            bencher.iter_batched(cold, |store| chain(&store, encoding), BatchSize::PerIteration);
        });
        let mut seconds = 1_000_000;
        group.bench_function(format!("1 % of it {name}"), |bencher| {
            bencher.iter_batched(
                || {
                    seconds += 1;
                    for index in fleet.some(1) {
                        fleet.change(index, seconds);
                        fleet.poll(&store, index, seconds);
                    }
                },
                |()| chain(&store, encoding),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(format!("nothing of it {name}"), |bencher| bencher.iter(|| chain(&store, encoding)));
    }
    own(&mut group, &store);
    group.finish();
}

/// What each scrape makes again.
fn own(group: &mut BenchmarkGroup<'_, WallTime>, store: &Store) {
    let metrics = SelfMetrics::new().unwrap();
    let own = || process_metrics(&metrics.gather(SeriesUse::default()), Format::Text);
    let chain = store.expose(moment(1)).page.chain(Format::Text, Encoding::Gzip);
    group.bench_function("the end put together", |bencher| bencher.iter(own));
    group.bench_function("the end and deflated", |bencher| bencher.iter(|| chain.end(own())));
}

fn chain(store: &Store, encoding: Encoding) -> u64 {
    store.expose(moment(1)).page.chain(Format::Text, encoding).bytes()
}

criterion_group!(benches, steps);
criterion_main!(benches);
