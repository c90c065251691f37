//! What a scrape and a poll cost the exporter: the routes in-process, over a store of many servers with ten runs each.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use aliyun_task_exporter::config::{Metrics, RunWindow};
use aliyun_task_exporter::model::{
    CommandType, Invocation, InvocationResult, InvocationStatus, InvokeStatus, Reading, RunsReading, SeenRun,
};
use aliyun_task_exporter::self_metrics::SelfMetrics;
use aliyun_task_exporter::snapshot::Store;
use aliyun_task_exporter::target::{Kind, Scope, Target, TargetId};
use aliyun_task_exporter::web::{Site, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, header};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const RUNS: usize = 10;

fn target() -> Target {
    Target {
        id: TargetId { kind: Kind::SwasInvocations, id: format!("{:032x}", rand::random::<u128>()).into() },
        account: "default".into(),
        quota_group: "default".into(),
        region: "cn-hangzhou".into(),
        name: "web".into(),
        scope: Scope::Runs(RunWindow::default()),
    }
}

/// Runs with random ids, half of them failed.
fn reading(now: Timestamp) -> Reading {
    let run = |number: usize| {
        let (status, exit_code) = match number % 2 {
            0 => (InvocationStatus::Success, 0),
            _ => (InvocationStatus::Failed, 1),
        };
        let run = Invocation {
            id: format!("t-{:016x}", rand::random::<u64>()).into(),
            command_name: format!("backup-{number}").into(),
            command_type: CommandType::RunShellScript,
            status: status.clone(),
            record: Some(InvokeStatus::Finished),
            created: Some(now),
        };
        let (exit_code, record) = (Some(exit_code), Some(InvokeStatus::Finished));
        let (started, finished) = (Some(now), now.checked_add(SignedDuration::from_secs(9)).ok());
        SeenRun { run, result: Some(InvocationResult { status, record, exit_code, error: None, started, finished }) }
    };
    Reading::Runs(RunsReading { runs: (0..RUNS).map(run).collect(), ..RunsReading::default() })
}

struct Rig {
    store: Arc<Store>,
    targets: Vec<Target>,
    router: Router,
    runtime: Runtime,
}

impl Rig {
    fn new(targets: usize) -> Self {
        let limits = Metrics { max_series: usize::MAX, ..Metrics::default() };
        let store = Arc::new(Store::new(limits.clone()));
        let targets: Vec<Target> = (0..targets).map(|_| target()).collect();
        store.retarget(targets.clone(), limits);
        let now = Timestamp::now();
        targets.iter().for_each(|target| store.record(&target.id, reading(now), now));
        let metrics = Arc::new(SelfMetrics::new().unwrap());
        let router = router(Arc::new(Site::new(Arc::clone(&store), metrics, String::new(), now)));
        Self { store, targets, router, runtime: Runtime::new().unwrap() }
    }

    /// One in a hundred targets has other runs than before.
    fn change(&self, now: Timestamp) {
        for target in self.targets.iter().take(self.targets.len().div_ceil(100)) {
            self.store.record(&target.id, reading(now), now);
        }
    }

    fn scrape(&self, encoding: &str) -> usize {
        let request = Request::get("/metrics").header(header::ACCEPT_ENCODING, encoding).body(Body::empty()).unwrap();
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            to_bytes(response.into_body(), usize::MAX).await.unwrap().len()
        })
    }
}

fn record(criterion: &mut Criterion) {
    let (rig, now) = (Rig::new(1000), Timestamp::now());
    let id = &rig.targets[0].id;
    criterion.bench_function("record another reading of ten runs", |bencher| {
        bencher.iter_batched(|| reading(now), |new| rig.store.record(id, new, now), BatchSize::SmallInput);
    });
    let same = reading(now);
    criterion.bench_function("record the same reading of ten runs", |bencher| {
        bencher.iter(|| rig.store.record(id, black_box(same.clone()), now));
    });
}

fn scrape(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrape 1000 targets");
    group.sample_size(20);
    let rig = Rig::new(1000);
    group.throughput(Throughput::Bytes(rig.scrape("identity") as u64));
    for encoding in ["identity", "gzip"] {
        rig.scrape(encoding);
        group.bench_function(format!("{encoding}, nothing changed"), |bencher| bencher.iter(|| rig.scrape(encoding)));
        group.bench_function(format!("{encoding}, 1 % changed"), |bencher| {
            bencher.iter_batched(|| rig.change(Timestamp::now()), |()| rig.scrape(encoding), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, record, scrape);
criterion_main!(benches);
