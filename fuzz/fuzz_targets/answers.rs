//! Answers to each operation, judged as the client judges them: a sample with changes, or any
//! bytes.

#![no_main]

use std::sync::LazyLock;

use aliyun_task_exporter::aliyun::op::*;
use aliyun_task_exporter::aliyun::{RawAnswer, decode};
use aliyun_task_exporter::model::Page;
use arbitrary::Unstructured;
use fuzzing::{SECRET, Writer, byte, check_error, clean, headers};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const STATUSES: [u16; 16] =
    [200, 200, 200, 200, 200, 201, 202, 299, 301, 400, 403, 404, 407, 429, 500, 503];

const CLUSTER: &str = "ehpc-hz-FYUr320001";
const COMMAND: &str = "c-hz01v8x80o30002";
const SERVER: &str = "ace0706b2ac4454d984295a942130001";
const INVOCATION: &str = "t-bj02prjje650000";

/// Each operation, with samples of its answer.
static SAMPLES: LazyLock<Vec<(Operation, Vec<Value>)>> = LazyLock::new(|| {
    macro_rules! samples {
        ($operation:expr, $($name:literal),+) => {
            ($operation.into(), vec![$(parsed(include_str!(concat!(
                "../../tests/fixtures/api/", $name, ".json"
            )))),+])
        };
    }
    vec![
        samples!(ListClusters { page: 1 }, "ehpc_ListClusters"),
        samples!(ListCommands { cluster_id: CLUSTER.into(), page: 1 }, "ehpc_ListCommands"),
        samples!(
            ListInvocationResults {
                cluster_id: CLUSTER.into(),
                command_id: COMMAND.into(),
                page: 1
            },
            "ehpc_ListInvocationResults"
        ),
        samples!(
            ListInvocationStatus { cluster_id: CLUSTER.into(), command_id: COMMAND.into() },
            "ehpc_ListInvocationStatus.Failed",
            "ehpc_ListInvocationStatus.all_node_states"
        ),
        samples!(EhpcListRegions, "ehpc_ListRegions"),
        samples!(
            ListTasks::archived(CLUSTER, 1),
            "ehpc_ListTasks",
            "ehpc_ListTasks.zh_enum_variants"
        ),
        samples!(
            DescribeCommandInvocations { invoke_id: None, page: 1 },
            "swas_DescribeCommandInvocations"
        ),
        samples!(
            DescribeInvocationResult { instance_id: SERVER.into(), invoke_id: INVOCATION.into() },
            "swas_DescribeInvocationResult"
        ),
        samples!(
            DescribeInvocations { instance_id: SERVER.into(), page: 1 },
            "swas_DescribeInvocations",
            "swas_DescribeInvocations.empty"
        ),
        samples!(ListInstances { page: 1 }, "swas_ListInstances"),
        samples!(SwasListRegions, "swas_ListRegions"),
    ]
});

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a sample is JSON")
}

fuzz_target!(
    init: {
        for (operation, samples) in SAMPLES.iter() {
            for sample in samples {
                let body = sample.to_string();
                assert!(operation.decode(body.as_bytes()).is_ok(), "{}", operation.name());
            }
        }
    },
    |data: &[u8]| {
        let mut input = Unstructured::new(data);
        let (operation, samples) = &SAMPLES[usize::from(byte(&mut input)) % SAMPLES.len()];
        let status = STATUSES[usize::from(byte(&mut input)) % STATUSES.len()];
        let mode = byte(&mut input);
        let headers = if mode & 8 == 0 { Default::default() } else { headers(&mut input) };
        let body = match mode % 8 {
            7 => input.take_rest().to_vec(),
            sample => Writer::write(&samples[usize::from(sample) % samples.len()], &mut input),
        };
        let answer = RawAnswer {
            status,
            headers,
            body: body.into(),
            sent: jiff::Timestamp::UNIX_EPOCH,
            received: jiff::Timestamp::UNIX_EPOCH,
            is_proxied: mode & 16 != 0,
        };
        match decode(operation, &answer).0 {
            Ok(decoded) => check(decoded.cleaned(clean, true)),
            Err(error) => check_error(error),
        }
    }
);

fn check(decoded: Decoded<Answer>) {
    // 100 words of fields, and a code.
    assert!(decoded.unknown.len() <= 101);
    assert!(decoded.unknown.iter().all(|(_, word)| word.len() <= 64 && !word.contains(SECRET)));
    let unreadable = decoded.unreadable;
    let must_be_partial = decoded.error.is_some();
    if let Some(error) = decoded.error {
        check_error(error);
    }
    let counts = |entries: usize, items: usize, is_partial: bool| {
        assert_eq!((entries - items) as u64, unreadable);
        assert!(is_partial || !must_be_partial);
    };
    match decoded.value {
        Answer::ListClusters(page) | Answer::ListInstances(page) => {
            counts(page.entries, page.items.len(), page.is_partial);
            size(&page);
            for entry in &page.items {
                id(&entry.resource.id);
                name(&entry.resource.name);
            }
        }
        Answer::ListCommands(page) => {
            counts(page.entries, page.items.len(), page.is_partial);
            size(&page);
            page.items.iter().for_each(|command| id(&command.id));
        }
        Answer::EhpcListRegions(page) | Answer::SwasListRegions(page) => {
            counts(page.entries, page.items.len(), page.is_partial);
            size(&page);
            page.items.iter().for_each(|region| id(region));
        }
        Answer::ListInvocationResults(page) => {
            counts(page.entries, page.items.len(), page.is_partial);
            size(&page);
            for node in &page.items {
                id(&node.instance_id);
                assert_eq!(node.status.exit_code(node.exit_code), node.exit_code);
            }
        }
        Answer::ListTasks(page) => {
            counts(page.entries, page.items.len(), page.is_partial);
            size(&page);
            page.items.iter().for_each(|task| id(&task.id));
        }
        Answer::DescribeInvocations(page) => {
            counts(page.entries, page.items.len(), page.is_partial);
            size(&page);
            for invocation in &page.items {
                id(&invocation.id);
                name(&invocation.command_name);
            }
        }
        Answer::DescribeCommandInvocations(page) => {
            // Unreadable servers of readable entries are counted, too.
            assert!((page.entries - page.items.len()) as u64 <= unreadable);
            assert!(page.is_partial || !must_be_partial);
            size(&page);
            for command in &page.items {
                id(&command.id);
                let servers = &command.servers;
                servers.iter().for_each(|server| id(&server.instance_id));
                servers.iter().for_each(|server| name(&server.invocation.command_name));
                assert!(servers.iter().all(|server| server.invocation.id == command.id));
                // Which also says that none is there twice.
                assert!(servers.is_sorted_by(|one, other| one.instance_id < other.instance_id));
            }
        }
        Answer::ListInvocationStatus(statuses) => statuses.nodes.keys().for_each(|node| id(node)),
        Answer::DescribeInvocationResult(result) => {
            assert_eq!(result.status.exit_code(result.exit_code), result.exit_code);
        }
    }
}

fn size<T>(page: &Page<T>) {
    assert!(page.page_size != Some(0));
    assert!(page.items.len() <= page.entries);
}

fn id(id: &str) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    assert!((1..=128).contains(&id.len()) && id.bytes().all(fits), "{id:?}");
}

fn name(name: &str) {
    assert!(name.len() <= 128 && !name.contains(char::is_control), "{name:?}");
}
