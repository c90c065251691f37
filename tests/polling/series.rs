//! Whatever entries the cloud sends, and however often, no answer puts two samples with the same
//! name and labels on the page.

use std::collections::BTreeMap;
use std::sync::Arc;

use aliyun_task_exporter::aliyun::Error;
use aliyun_task_exporter::aliyun::op::Operation;
use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{Config, Regions, StatusStyle, SwasStrategy};
use aliyun_task_exporter::exposition::{Encoding, Exposition, Format};
use aliyun_task_exporter::poll::{Event, Memory, Next, Scheduler};
use aliyun_task_exporter::sim::{Settings, Simulator};
use aliyun_task_exporter::store::{PollEnd, Store};
use aliyun_task_exporter::target::TargetId;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::support::harness::{config_for, discovering};
use crate::support::page::{Page, parse};
use crate::support::{start, worlds};

/// Values for entries: few ids and names, so that many are alike.
const IDS: [&str; 6] = ["\"s00\"", "\"s01\"", "\"cn-a\"", "7", "\"a b\"", "null"];
const NAMES: [&str; 7] =
    ["\"n\"", "\"n\\n\"", "\"n\\u000b\"", "\"n\\ud83d\"", "\"n \"", "\"\"", "{}"];
const WORDS: [&str; 8] = [
    "\"Success\"",
    "\"running\"",
    "\"Paused\"",
    "\"Hibernating\"",
    "\"Failed\"",
    "\"Processing\"",
    "\"Finished\"",
    "\"\\ud83d\"",
];
const ODD: [&str; 6] = ["7", "null", "\"x\"", "[{}]", "{}", "{\"InvokeId\": {}}"];

/// Indices into these tables, and a number.
type Parts = (usize, usize, usize, usize, i64);

fn parts() -> impl Strategy<Value = Vec<Parts>> {
    prop::collection::vec(
        (0..IDS.len(), 0..NAMES.len(), 0..WORDS.len(), 0..12_usize, -3_i64..300),
        0..9,
    )
}

/// An entry of any list, without the id of its owner but with its own.
fn entry(id_field: &str, (id, name, word, odd, number): Parts) -> String {
    if let Some(odd) = ODD.get(odd) {
        return (*odd).to_owned();
    }
    let id = IDS[id];
    let name = NAMES[name];
    let word = WORDS[word];
    let words =
        ["Status", "TaskType", "CommandType", "ErrorCode", "InvokeStatus", "InvocationStatus"];
    let more = ["InstanceInvokeStatus", "InvokeRecordStatus"];
    let words: String =
        words.iter().chain(&more).map(|field| format!(r#""{field}": {word}, "#)).collect();
    let names: String = ["CommandName", "Name", "InstanceName"]
        .iter()
        .map(|field| format!(r#""{field}": {name}, "#))
        .collect();
    let time = format!("2024-05-06T0{}:00:00Z", number.rem_euclid(7));
    format!(
        r#"{{{words}{names}"ExitCode": {number}, "CurrentStep": {number}, "CreationTime": "{time}", "FinishedTime": "{time}",
            "Errors": [{number}], "{id_field}": {id}}}"#
    )
}

/// The body of an answer with such entries. In a region's list, each invocation has servers made of
/// the same entries.
fn body(operation: &Operation, entries: &[Parts]) -> String {
    let list =
        |id: &str| entries.iter().map(|parts| entry(id, *parts)).collect::<Vec<_>>().join(", ");
    let (name, id) = match operation.name() {
        "ListTasks" => ("Tasks", "TaskId"),
        "ListCommands" => ("Commands", "CommandId"),
        "ListInvocationStatus" => ("InvokeInstances", "InstanceId"),
        "ListInvocationResults" => ("InvocationResults", "InstanceId"),
        "ListClusters" => ("Clusters", "Id"),
        "ListRegions" => ("Regions", "RegionId"),
        "ListInstances" => ("Instances", "InstanceId"),
        "DescribeInvocations" => ("Invocations", "InvokeId"),
        "DescribeInvocationResult" => {
            let result =
                entries.iter().map(|parts| entry("Of", *parts)).find(|entry| entry.len() > 50);
            return format!(r#"{{"InvocationResult": {}}}"#, result.unwrap_or_default());
        }
        _ => {
            let servers = format!(r#", "InvokeInstances": [{}]}}"#, list("InstanceId"));
            let invocation = |parts: &Parts| match entry("InvokeId", *parts).strip_suffix('}') {
                Some(fields) if fields.len() > 50 => format!("{fields}{servers}"),
                _ => "7".to_owned(),
            };
            let invocations: Vec<String> = entries.iter().map(invocation).collect();
            return format!(r#"{{"CommandInvocations": [{}]}}"#, invocations.join(", "));
        }
    };
    let word = WORDS[entries.len() % WORDS.len()];
    format!(r#"{{"RequestId": "r", "InvokeStatus": {word}, "{name}": [{}]}}"#, list(id))
}

/// A cluster and two servers, and what discovery finds in addition.
fn config(strategy: SwasStrategy) -> Config {
    let mut world = worlds::servers(2, 0);
    worlds::add_cluster(&mut world, "c");
    let sim = Simulator::with_world(Settings::default(), world, start());
    let found = discovering(&sim, Regions::All);
    let mut config = config_for(&sim);
    config.cluster_discovery = found.cluster_discovery;
    config.server_discovery = found.server_discovery;
    for entry in &mut config.cluster_discovery.entries {
        entry.filter = Default::default();
    }
    config.swas_strategy = strategy;
    config.metrics.status_style = StatusStyle::Full;
    for cluster in &mut config.clusters {
        cluster.commands.per_node = true;
    }
    config
}

/// Polls a cloud that answers only with such entries, one set after the other, and parses the page
/// now and then.
fn pages(config: &Config, answers: &[Vec<Parts>]) -> Vec<Page> {
    let mut scheduler = Scheduler::new(config.poll.clone(), 1, start());
    let store = Arc::new(Store::default());
    let exposition = Exposition::new(Arc::clone(&store), config.metrics.clone());
    let mut parked: BTreeMap<TargetId, Memory> = BTreeMap::new();
    let mut retarget = |scheduler: &mut Scheduler, now: Timestamp| {
        let change = scheduler.apply(config, |id| parked.remove(id), now);
        parked.extend(change.removed);
        store.retarget(change.targets);
    };
    retarget(&mut scheduler, start());
    let mut asked = 0;
    let mut pages = Vec::new();
    for second in 0..100 {
        let boot = SignedDuration::from_secs(second);
        let now = start() + boot;
        while let Next::Call(attempt) = scheduler.next(now) {
            let body = body(&attempt.operation, &answers[asked % answers.len()]);
            asked += 1;
            let decoded = attempt.operation.decode(body.as_bytes());
            scheduler.done(
                &attempt,
                decoded.map_err(|error| Error::Transport(error.to_string())),
                now,
            );
        }
        for event in scheduler.events() {
            match event {
                Event::Reading(id, reading, at) => {
                    store.record(&id, reading, Moment { wall: at, boot })
                }
                Event::PollEnded { target, failure, lists, ended, took, next, stale_after } => {
                    let ended = Moment { wall: ended, boot };
                    store.poll_ended(
                        &target,
                        PollEnd { failure, lists, ended, took, next, stale_after },
                    );
                }
                Event::Overdue { target, failure, at } => {
                    store.overdue(&target, failure, Moment { wall: at, boot });
                }
                Event::Notice(..) | Event::Waited(..) | Event::Throttling(..) => {}
            }
        }
        if second % 10 == 9 {
            retarget(&mut scheduler, now);
            let (body, _) =
                exposition.body(Format::Text, Encoding::Identity, Moment { wall: now, boot });
            let text: String =
                body.frames().iter().map(|frame| std::str::from_utf8(frame).unwrap()).collect();
            // Parsing fails if a series occurs twice.
            pages.push(parse(&text));
        }
    }
    pages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_puts_two_samples_of_one_series_on_the_page(
        answers in prop::collection::vec(parts(), 1..8),
        per_region in any::<bool>(),
    ) {
        let strategy = if per_region { SwasStrategy::PerRegion } else { SwasStrategy::PerServer };
        let pages = pages(&config(strategy), &answers);
        prop_assert!(pages.iter().all(|page| page.samples.len() > 10));
    }
}

#[test]
fn what_is_listed_twice_is_on_the_page_once() {
    // The same entries twice, of invocations, tasks, nodes and servers, with words that share the
    // label `unknown`.
    let twice: Vec<Parts> = [(0, 1, 2, 11, 3), (0, 2, 3, 11, 3), (1, 3, 4, 11, 0)].repeat(2);
    for strategy in [SwasStrategy::PerServer, SwasStrategy::PerRegion] {
        let pages = pages(&config(strategy), std::slice::from_ref(&twice));
        let last = pages.last().unwrap();
        for family in [
            "aliyun_ehpc_task_status",
            "aliyun_swas_invocation_info",
            "aliyun_ehpc_invocation_node_status",
        ] {
            assert!(last.all(family, &[]).count() > 0, "{family}");
        }
        // A discovered cluster with the id of a polled server does not count as a cluster.
        assert_eq!(last.all("aliyun_ehpc_cluster_info", &[]).count(), 1);
        assert_eq!(last.all("aliyun_swas_server_info", &[]).count(), 2);
        assert_eq!(last.sum("aliyun_task_exporter_discovered", &[]), 12.0);
    }
}
