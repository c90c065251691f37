//! Scripted worlds.

use aliyun_task_exporter::sim::{
    InvocationEnd, InvocationSpec, JobSpec, NodeSpec, Operation, Settings, Simulator, TaskEnd,
    TaskSpec,
};
use jiff::SignedDuration;

use super::caller::{ask, at, code, column, get, living, scripted, start};

/// A world with a command, an invocation and a task.
fn busy() -> Simulator {
    let nodes = vec![
        NodeSpec::default(),
        NodeSpec { instance_id: "i-2".to_owned(), exit_code: 3, ..NodeSpec::default() },
    ];
    let mut world = scripted(nodes);
    let task = TaskSpec {
        id: "task".to_owned(),
        born: SignedDuration::from_secs(10),
        end: TaskEnd::PartialFail,
        errors: 2,
        ..TaskSpec::default()
    };
    world.add_task("cluster", task).unwrap();
    Simulator::with_world(Settings::default(), world, start())
}

#[test]
fn things_happen_as_the_script_says() {
    let mut simulator = busy();
    let mut task = |second| {
        let own = [("ClusterId", "cluster"), ("TaskId", "task")];
        let task = &get(&mut simulator, Operation::ListTasks, &own, at(second))["Tasks"][0];
        (
            task["Status"].as_str().unwrap_or("absent").to_owned(),
            task["CurrentStep"].as_u64(),
            task["Errors"] == "[]",
        )
    };
    assert_eq!(task(9.0), ("absent".to_owned(), None, false));
    assert_eq!(task(40.0), ("Processing".to_owned(), Some(5), true));
    assert_eq!(task(70.0), ("PartialFail".to_owned(), Some(10), false));
    let own = [("RegionId", "cn-hangzhou"), ("InstanceId", "server"), ("InvokeId", "run")];
    let result = get(&mut simulator, Operation::DescribeInvocationResult, &own, at(10.0));
    assert_eq!(result["InvocationResult"]["ExitCode"], 7);
    assert_eq!(result["InvocationResult"]["FinishedTime"], "2024-05-06T07:00:40Z");
    let own = [("ClusterId", "cluster"), ("CommandId", "command")];
    let status = get(&mut simulator, Operation::ListInvocationStatus, &own, at(30.0));
    assert_eq!(status["InvokeStatus"], "Finished");
}

#[test]
fn a_script_may_change_the_world_while_it_runs() {
    let mut simulator = busy();
    simulator
        .world_mut()
        .add_task("cluster", TaskSpec { id: "task".to_owned(), steps: 99, ..TaskSpec::default() })
        .unwrap();
    let truth = simulator.truth(at(1.0));
    assert_eq!(
        (
            column(&truth["clusters"][0]["tasks"], "id"),
            &truth["clusters"][0]["tasks"][0]["total_steps"]
        ),
        (vec!["task"], &99.into())
    );
    for id in ["task", "command", "run"] {
        simulator.world_mut().remove(id);
    }
    let own = [("ClusterId", "cluster"), ("CommandId", "command")];
    assert_eq!(
        code(ask(&mut simulator, Operation::ListInvocationStatus, &own, at(1.0))).1,
        "ObjectNotFound"
    );
    simulator.world_mut().remove("cluster");
    assert_eq!(
        code(ask(&mut simulator, Operation::ListTasks, &own[..1], at(1.0))).1,
        "ClusterNotFound"
    );
    let lost = simulator.world_mut().add_task("cluster", TaskSpec::default()).unwrap_err();
    assert_eq!(lost.to_string(), "there is no cluster or server \"cluster\"");
}

#[test]
fn things_of_a_living_world_may_vanish_too() {
    let mut simulator = living();
    let truth = simulator.truth(at(0.0));
    let invocation = truth["servers"][0]["invocations"][4]["id"].as_str().unwrap();
    simulator.world_mut().remove(invocation);
    assert!(
        !column(&simulator.truth(at(0.0))["servers"][0]["invocations"], "id").contains(&invocation)
    );
    let server = truth["servers"][0]["id"].as_str().unwrap();
    let own = [("RegionId", "cn-hangzhou"), ("InstanceId", server), ("InvokeId", invocation)];
    assert_eq!(
        code(ask(&mut simulator, Operation::DescribeInvocationResult, &own, at(0.0))).0,
        404
    );
}

#[test]
fn a_job_runs_at_its_interval_until_it_runs_no_more() {
    let mut simulator = busy();
    let first = InvocationSpec { end: InvocationEnd::Timeout, ..InvocationSpec::default() };
    let every = SignedDuration::from_secs(60);
    simulator.world_mut().add_job("server", &JobSpec { first, every, invocations: 3 }).unwrap();
    let times = |second: f64| {
        let invocations = simulator.truth(at(second))["servers"][0]["invocations"].clone();
        let is_job = |invocation: &&serde_json::Value| {
            invocation["id"].as_str().unwrap().starts_with("t-hz")
        };
        let job: Vec<_> = invocations.as_array().unwrap().iter().filter(is_job).cloned().collect();
        job.iter()
            .map(|invocation| {
                (
                    invocation["created_time"].as_str().unwrap().to_owned(),
                    invocation["status"] == "Timeout",
                )
            })
            .collect()
    };
    let wanted = |times: &[(&str, bool)]| {
        times.iter().map(|(time, over)| ((*time).to_owned(), *over)).collect::<Vec<_>>()
    };
    let a = "2024-05-06T07:00:30Z";
    let b = "2024-05-06T07:01:30Z";
    let c = "2024-05-06T07:02:30Z";
    assert_eq!(times(65.0), wanted(&[(b, false), (a, true)]));
    let all = wanted(&[(c, true), (b, true), (a, true)]);
    assert_eq!((times(130.0), times(9000.0)), (all.clone(), all));
    let lost = simulator
        .world_mut()
        .add_job("ghost", &JobSpec { first: InvocationSpec::default(), every, invocations: 1 });
    assert!(lost.is_err());
}

#[test]
fn runs_are_kept_for_two_weeks() {
    let mut simulator = busy();
    let mut invocations = |days: f64| {
        let own = [("RegionId", "cn-hangzhou"), ("InstanceId", "server")];
        get(&mut simulator, Operation::DescribeInvocations, &own, at(days * 86_400.0))["TotalCount"]
            .as_u64()
    };
    assert_eq!((invocations(13.9), invocations(14.1)), (Some(1), Some(0)));
}
