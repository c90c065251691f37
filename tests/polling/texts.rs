//! What the cloud says about failures: known to the status page's data, and to nothing else.

use aliyun_task_exporter::config::SwasStrategy;
use aliyun_task_exporter::exposition::Format;
use aliyun_task_exporter::model::ERROR_TEXTS;
use aliyun_task_exporter::sim::{InvocationEnd, InvocationSpec, TaskEnd, TaskSpec, World};

use crate::support::harness::Harness;
use crate::support::worlds;

/// A text that no document has.
const TEXT: &str = "stock of Canary1f2e3d is out";

/// Thirty tasks and thirty invocations that have failed, the newest last.
fn world() -> World {
    let mut world = worlds::servers(1, 0);
    worlds::add_cluster(&mut world, "c");
    for number in 0..30 {
        let from = -400 + number * 10;
        let task = TaskSpec {
            end: TaskEnd::PartialFail,
            errors: 2,
            ..worlds::task(&format!("t{number:02}"), from, from + 5)
        };
        world.add_task("c", task).unwrap();
        let invocation = InvocationSpec {
            end: InvocationEnd::Timeout,
            error_code: "ExecutionTimeout".into(),
            ..worlds::invocation(&format!("r{number:02}"), from, from + 5, 0)
        };
        world.add_invocation("s00", invocation).unwrap();
    }
    world
}

fn harness(strategy: SwasStrategy) -> Harness {
    let mut harness = Harness::scripted_by(world(), strategy).with_state();
    harness.fault(&format!(
        r#"{{"match": {{}}, "fault": {{"kind": "error_texts", "text": "{TEXT}"}}}}"#
    ));
    harness
}

/// The tasks and invocations with a text, in their order.
fn told(harness: &Harness) -> (Vec<String>, Vec<String>) {
    let tasks = harness.tasks("c").tasks;
    let tasks = tasks.iter().filter(|seen| !seen.task.error_details.is_empty());
    let invocations = harness.invocations("s00").invocations;
    let invocations = invocations
        .iter()
        .filter(|seen| seen.result.as_ref().is_some_and(|result| result.error_text.is_some()));
    (
        tasks.map(|seen| seen.task.id.to_string()).collect(),
        invocations.map(|seen| seen.invocation.id.to_string()).collect(),
    )
}

#[test]
fn the_newest_failures_have_their_texts_and_no_page_and_no_state_has_them() {
    for strategy in [SwasStrategy::PerServer, SwasStrategy::PerRegion] {
        let mut harness = harness(strategy);
        harness.run_until(200);
        let (tasks, invocations) = told(&harness);
        assert_eq!((tasks.len(), invocations.len()), (ERROR_TEXTS, ERROR_TEXTS), "{strategy:?}");
        assert_eq!(invocations[0], "r29");
        let newest = harness.tasks("c").tasks[0].task.clone();
        let text = newest.error_details[0].text.as_ref().unwrap();
        assert_eq!((text.text(), text.is_documented()), (TEXT, false));
        assert_eq!(newest.error_details[0].count, 2, "both of its errors say the same");
        assert_eq!(newest.error_details[0].code.as_deref(), Some("AgentError"));
        for format in [Format::Text, Format::OpenMetrics] {
            assert!(!harness.page(format).contains("Canary"), "{strategy:?}");
        }
        for (id, entry) in harness.entries() {
            let has = entry.windows(6).any(|bytes| bytes == b"Canary");
            assert!(!has, "{strategy:?}: the state of {id:?} has it");
        }
        assert!(!format!("{:?}", harness.tasks("c")).contains("Canary"));
        assert!(!format!("{:?}", harness.invocations("s00")).contains("Canary"));
    }
}

#[test]
fn after_a_restart_codes_are_there_and_texts_once_they_are_read_again() {
    let mut harness = harness(SwasStrategy::PerServer);
    harness.run_until(200);
    harness.restart(5);
    assert_eq!(told(&harness), (Vec::new(), Vec::new()));
    let code = |harness: &Harness| {
        let invocations = harness.invocations("s00").invocations;
        invocations[0].result.as_ref().unwrap().error.as_ref().unwrap().label()
    };
    assert_eq!(code(&harness), "ExecutionTimeout");
    harness.run_for(100);
    let (tasks, invocations) = told(&harness);
    assert_eq!((tasks.len(), invocations.len()), (ERROR_TEXTS, 0), "no result is read twice");
}
