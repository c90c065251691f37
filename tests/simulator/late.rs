//! Results: how long they are kept, and how they may be late.

use aliyun_task_exporter::sim::{NodeSpec, Operation, Settings, Simulator};
use jiff::SignedDuration;
use serde_json::Value;

use super::caller::{
    ask, at, code, column, first_cluster, first_server, get, list, living, scripted, start,
};

const FORTNIGHT: f64 = 14.0 * 86_400.0;

/// A command on two nodes that end after 30 and 60 seconds, and an invocation that fails after ten.
fn small() -> Simulator {
    let slow = NodeSpec {
        instance_id: "i-2".to_owned(),
        duration: SignedDuration::from_secs(60),
        exit_code: 3,
        ..NodeSpec::default()
    };
    let nodes = vec![NodeSpec { instance_id: "i-1".to_owned(), ..NodeSpec::default() }, slow];
    Simulator::with_world(Settings::default(), scripted(nodes), start())
}

fn of_invocation(simulator: &mut Simulator, second: f64) -> (u16, Value) {
    let own = [("RegionId", "cn-hangzhou"), ("InstanceId", "server"), ("InvokeId", "run")];
    ask(simulator, Operation::DescribeInvocationResult, &own, at(second))
}

fn of_command(simulator: &mut Simulator, second: f64) -> (u16, Value) {
    let own = [("ClusterId", "cluster"), ("CommandId", "command")];
    ask(simulator, Operation::ListInvocationResults, &own, at(second))
}

/// Status and exit code of each node.
fn nodes(answer: &Value) -> Vec<(&str, i64)> {
    let results = list(&answer["InvocationResults"]["InvocationResult"]);
    results
        .iter()
        .map(|node| {
            (node["InvokeRecordStatus"].as_str().unwrap(), node["ExitCode"].as_i64().unwrap())
        })
        .collect()
}

#[test]
fn results_are_kept_for_two_weeks_after_the_end() {
    let mut simulator = small();
    for (second, status) in [(FORTNIGHT + 5.0, 200), (FORTNIGHT + 15.0, 404)] {
        assert_eq!(of_invocation(&mut simulator, second).0, status);
    }
    for (second, status) in [(FORTNIGHT + 55.0, 200), (FORTNIGHT + 65.0, 404)] {
        assert_eq!(of_command(&mut simulator, second).0, status);
    }
    simulator.world_mut().remove("run");
    assert_eq!(
        of_invocation(&mut simulator, 20.0).0,
        404,
        "what vanishes takes its result with it"
    );
}

#[test]
fn results_are_there_when_the_list_shows_their_run_or_command_no_more() {
    let mut simulator = living();
    let server = first_server(&simulator, at(0.0));
    let cluster = first_cluster(&simulator, at(0.0));
    let place = [("RegionId", "cn-hangzhou"), ("InstanceId", &*server)];
    let invocations = get(&mut simulator, Operation::DescribeInvocations, &place, at(0.0));
    let invocation = column(&invocations["Invocations"], "InvokeId")[0].to_owned();
    let commands =
        get(&mut simulator, Operation::ListCommands, &[("ClusterId", &*cluster)], at(0.0));
    let command = column(&commands["Commands"]["Command"], "CommandId")[0].to_owned();
    let later = at(86_400.0);
    let invocations = get(&mut simulator, Operation::DescribeInvocations, &place, later);
    assert!(!column(&invocations["Invocations"], "InvokeId").contains(&&*invocation));
    let own = [place[0], place[1], ("InvokeId", &*invocation)];
    let result = get(&mut simulator, Operation::DescribeInvocationResult, &own, later);
    assert_ne!(result["InvocationResult"]["FinishedTime"], "");
    let own = [("ClusterId", &*cluster), ("CommandId", &*command)];
    let status = ask(&mut simulator, Operation::ListInvocationStatus, &own, later);
    assert_eq!(code(status).1, "ObjectNotFound");
    let results = get(&mut simulator, Operation::ListInvocationResults, &own, later);
    assert!(!nodes(&results).is_empty());
}

#[test]
fn results_come_late_or_never_and_show_something_else_until_then() {
    let late = |shown: &str| {
        let mut simulator = small();
        let fault = format!(
            r#"[{{"fault": {{"kind": "late_results", "seconds": 100, "shown": "{shown}"}}}}]"#
        );
        simulator.add_faults(&fault).unwrap();
        simulator
    };
    let invocation = |shown, second| {
        let (status, answer) = of_invocation(&mut late(shown), second);
        let result = &answer["InvocationResult"];
        (
            status,
            result["InvocationStatus"].as_str().unwrap_or_default().to_owned(),
            result["ExitCode"].as_i64(),
        )
    };
    assert_eq!(invocation("running", 109.0), (200, "Running".to_owned(), Some(0)));
    assert_eq!(invocation("running", 110.0), (200, "Failed".to_owned(), Some(7)));
    assert_eq!(invocation("not_found", 5.0).0, 200, "it has not ended yet");
    assert_eq!((invocation("not_found", 109.0).0, invocation("not_found", 110.0).0), (404, 200));
    let command = |shown, second| of_command(&mut late(shown), second);
    assert_eq!(command("not_found", 70.0).0, 404);
    assert_eq!(nodes(&command("running", 140.0).1), [("Finished", 0), ("Running", 0)]);
    assert_eq!(nodes(&command("left_out", 140.0).1), [("Finished", 0)]);
    assert_eq!(nodes(&command("left_out", 160.0).1), [("Finished", 0), ("Finished", 3)]);
    let mut never = small();
    never.add_faults(r#"[{"fault": {"kind": "late_results"}}]"#).unwrap();
    assert_eq!(code(of_invocation(&mut never, 100_000.0)).1, "InvalidInvokeId.NotFound");
}
