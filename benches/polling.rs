//! The cost of a call without the network: its request is built and signed, its answer read. Bodies
//! are the simulator's, with 50 entries, scripts of 16 kB and outputs of 24 kB (the cloud's own
//! limits), none of which is kept.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::hint::black_box;
use std::sync::Arc;

use aliyun_task_exporter::aliyun::op::{
    DescribeCommandInvocations, DescribeInvocationResult, DescribeInvocations, ListCommands,
    ListInstances, ListInvocationResults, ListInvocationStatus, ListTasks, Operation,
};
use aliyun_task_exporter::aliyun::request::{self, Signer};
use aliyun_task_exporter::config::Signature;
use aliyun_task_exporter::sim::{InvocationSpec, ServerSpec, Settings, Simulator};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use smol_str::SmolStr;

const REGION: &str = "cn-hangzhou";

fn now() -> Timestamp {
    "2024-05-06T07:00:30Z".parse().unwrap()
}

/// A cloud with fifty of everything.
fn cloud() -> Simulator {
    let sizes = Settings {
        clusters: 1,
        tasks: 50,
        task_history: 50,
        commands: 50,
        nodes: 50,
        servers: 49,
        ..Settings::default()
    };
    let mut simulator = Simulator::new(sizes, now());
    let server = ServerSpec::default();
    simulator.world_mut().add_server(server.clone());
    for number in 0..50 {
        let invocation = InvocationSpec {
            id: format!("t-hz02p9545t{number:04}"),
            content: "# a long script\n".repeat(768),
            output: b"a line\n".repeat(3510),
            ..InvocationSpec::default()
        };
        simulator.world_mut().add_invocation(&server.id, invocation).unwrap();
    }
    simulator
}

/// A call of each operation that reads a list or a detail, about what is in the cloud.
fn operations(simulator: &Simulator) -> Vec<Operation> {
    let world = simulator.truth(now());
    let cluster = &world["clusters"][0];
    let cluster_id: Arc<str> = cluster["id"].as_str().unwrap().into();
    let command_id: SmolStr = cluster["commands"][0]["id"].as_str().unwrap().into();
    let instance_id: Arc<str> = ServerSpec::default().id.into();
    vec![
        ListTasks::archived(Arc::clone(&cluster_id), 1).into(),
        ListCommands { cluster_id: Arc::clone(&cluster_id), page: 1 }.into(),
        ListInvocationStatus {
            cluster_id: Arc::clone(&cluster_id),
            command_id: command_id.clone(),
        }
        .into(),
        ListInvocationResults { cluster_id, command_id, page: 1 }.into(),
        DescribeInvocations { instance_id: Arc::clone(&instance_id), page: 1 }.into(),
        DescribeInvocationResult { instance_id, invoke_id: "t-hz02p9545t0000".into() }.into(),
        DescribeCommandInvocations { invoke_id: None, page: 1 }.into(),
        ListInstances { page: 1 }.into(),
    ]
}

fn build(criterion: &mut Criterion) {
    let operation = Operation::from(DescribeInvocations {
        instance_id: ServerSpec::default().id.into(),
        page: 1,
    });
    let credential = support::credential();
    criterion.bench_function("build and sign a request", |bencher| {
        bencher.iter(|| {
            let endpoint = "https://swas.cn-hangzhou.aliyuncs.com";
            {
                let signer = Signer {
                    signature: Signature::V1,
                    credential: &credential,
                    nonce: "0123456789abcdef",
                    now: now(),
                };
                request::build(black_box(&operation), REGION, endpoint, signer).unwrap()
            }
        });
    });
}

fn decode(criterion: &mut Criterion) {
    let mut simulator = cloud();
    let later = now() + jiff::SignedDuration::from_secs(60);
    let mut group = criterion.benchmark_group("decode");
    for operation in operations(&simulator) {
        let body = support::answer(&mut simulator, &operation, REGION, later).unwrap();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(operation.name(), |bencher| {
            bencher.iter(|| operation.decode(black_box(&body)).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, build, decode);
criterion_main!(benches);
