//! The operations: what they list, filter, page and refuse.

use aliyun_task_exporter::sim::{ListOrder, Operation, Settings, Simulator};
use serde_json::Value;

use super::caller::{
    Draft, ask, at, code, column, first_cluster, first_server, get, list, living, read, start,
};

/// An operation, its parameters, and the status and code of the answer.
type Refusal<'a> = (Operation, &'a [(&'a str, &'a str)], u16, &'a str);

const HANGZHOU: (&str, &str) = ("RegionId", "cn-hangzhou");

#[test]
fn list_tasks_knows_running_and_archived_and_single_tasks() {
    let mut simulator = living();
    let cluster = first_cluster(&simulator, at(0.0));
    let own = ("ClusterId", cluster.as_str());
    let running = get(&mut simulator, Operation::ListTasks, &[own], at(0.0));
    assert!(
        column(&running["Tasks"], "Status").iter().all(|status| *status == "Processing"),
        "{running}"
    );
    for yes in ["True", "true"] {
        let all = get(
            &mut simulator,
            Operation::ListTasks,
            &[own, ("Archived", yes), ("PageSize", "50")],
            at(0.0),
        );
        assert_eq!(all["TotalCount"], 30);
        assert!(list(&all["Tasks"]).len() > list(&running["Tasks"]).len());
        let ended = list(&all["Tasks"]).last().unwrap();
        let by_id = [
            own,
            ("TaskId", ended["TaskId"].as_str().unwrap()),
            ("Archived", "false"),
            ("Odd", yes),
        ];
        assert_eq!(get(&mut simulator, Operation::ListTasks, &by_id, at(0.0))["Tasks"][0], *ended);
    }
    let unknown = [own, ("TaskId", "B745C159-3155-4B94-95D0-4B73D4D20001")];
    assert_eq!(get(&mut simulator, Operation::ListTasks, &unknown, at(0.0))["TotalCount"], 0);
}

#[test]
fn the_pages_of_a_list_make_the_truth() {
    for order in [ListOrder::NewestFirst, ListOrder::OldestFirst, ListOrder::Reordering] {
        let mut simulator = Simulator::new(Settings { order, ..Settings::default() }, start());
        let truth = simulator.truth(at(3.0));
        let cluster = truth["clusters"][0]["id"].as_str().unwrap();
        let mut ids = Vec::new();
        for page in ["1", "2", "3", "4", "5"] {
            let own = [
                ("ClusterId", cluster),
                ("Archived", "true"),
                ("PageSize", "7"),
                ("PageNumber", page),
            ];
            let body = get(&mut simulator, Operation::ListTasks, &own, at(3.0));
            ids.extend(column(&body["Tasks"], "TaskId").into_iter().map(str::to_owned));
        }
        let newest_first = column(&truth["clusters"][0]["tasks"], "id");
        match order {
            ListOrder::NewestFirst => assert_eq!(ids, newest_first),
            ListOrder::OldestFirst => assert!(ids.iter().eq(newest_first.iter().rev())),
            ListOrder::Reordering => {
                assert_ne!(ids, newest_first);
                ids.sort();
                assert!(ids.iter().eq(std::collections::BTreeSet::from_iter(newest_first).iter()));
            }
        }
    }
}

#[test]
fn commands_are_listed_with_status_and_results_per_node() {
    let mut simulator = living();
    let truth = simulator.truth(at(0.0));
    let cluster = truth["clusters"][0]["id"].as_str().unwrap();
    let commands = get(&mut simulator, Operation::ListCommands, &[("ClusterId", cluster)], at(0.0));
    assert_eq!(
        column(&commands["Commands"]["Command"], "CommandId"),
        column(&truth["clusters"][0]["commands"], "id")
    );
    for command in list(&truth["clusters"][0]["commands"]) {
        let own = [("ClusterId", cluster), ("CommandId", command["id"].as_str().unwrap())];
        let status = get(&mut simulator, Operation::ListInvocationStatus, &own, at(0.0));
        assert_eq!(status["InvokeStatus"], command["status"]);
        let nodes = &status["InvokeInstances"]["InvokeInstance"];
        assert_eq!(column(nodes, "InstanceInvokeStatus"), column(&command["nodes"], "status"));
        let results = get(&mut simulator, Operation::ListInvocationResults, &own, at(0.0));
        let results = list(&results["InvocationResults"]["InvocationResult"]);
        assert_eq!(results.len(), list(&command["nodes"]).len());
        for (result, node) in results.iter().zip(list(&command["nodes"])) {
            assert_eq!(result["ExitCode"], node["exit_code"]);
            assert_eq!(result["Success"], node["success"]);
            assert_eq!(
                result["FinishedTime"].as_str().unwrap(),
                node["finished_time"].as_str().unwrap_or_default()
            );
        }
    }
}

#[test]
fn results_are_filtered_by_node_and_status() {
    let mut simulator = living();
    let truth = simulator.truth(at(0.0));
    let command = &truth["clusters"][0]["commands"][3];
    let node = command["nodes"][2]["instance_id"].as_str().unwrap();
    let own = [
        ("ClusterId", truth["clusters"][0]["id"].as_str().unwrap()),
        ("CommandId", command["id"].as_str().unwrap()),
        ("Instance.1.Id", node),
    ];
    let one = get(&mut simulator, Operation::ListInvocationResults, &own, at(0.0));
    assert_eq!(column(&one["InvocationResults"]["InvocationResult"], "InstanceId"), [node]);
    let mut filtered = own.to_vec();
    filtered.push(("InvokeRecordStatus", "Running"));
    assert_eq!(
        get(&mut simulator, Operation::ListInvocationResults, &filtered, at(0.0))["TotalCount"],
        0
    );
}

#[test]
fn runs_are_listed_per_server_and_filtered_by_record_status() {
    let mut simulator = living();
    let truth = simulator.truth(at(0.0));
    let invocations = &truth["servers"][0]["invocations"];
    let own =
        [HANGZHOU, ("InstanceId", truth["servers"][0]["id"].as_str().unwrap()), ("PageSize", "50")];
    let all = get(&mut simulator, Operation::DescribeInvocations, &own, at(0.0));
    assert_eq!(column(&all["Invocations"], "InvokeId"), column(invocations, "id"));
    for status in ["Running", "Finished", "Failed"] {
        let own = [own[0], own[1], own[2], ("InvokeStatus", status)];
        let some = get(&mut simulator, Operation::DescribeInvocations, &own, at(0.0));
        let wanted: Vec<_> = list(invocations)
            .iter()
            .filter(|invocation| invocation["record_status"] == status)
            .collect();
        assert_eq!(list(&some["Invocations"]).len(), wanted.len(), "{status}");
    }
    for invocation in list(invocations) {
        let own = [own[0], own[1], ("InvokeId", invocation["id"].as_str().unwrap())];
        let result = &get(&mut simulator, Operation::DescribeInvocationResult, &own, at(0.0))["InvocationResult"];
        for (field, truth) in [
            ("InvocationStatus", "status"),
            ("InvokeRecordStatus", "record_status"),
            ("ExitCode", "exit_code"),
            ("ErrorCode", "error_code"),
        ] {
            assert_eq!(result[field], invocation[truth], "{field}");
        }
        assert_eq!(result["StartTime"].as_str(), invocation["start_time"].as_str().or(Some("")));
        assert_eq!(
            result["FinishedTime"].as_str(),
            invocation["finished_time"].as_str().or(Some(""))
        );
    }
}

#[test]
fn command_invocations_are_those_of_a_region() {
    let mut simulator = living();
    let truth = simulator.truth(at(0.0));
    let mut all = |own: &[(&str, &str)]| {
        let own = [&[HANGZHOU, ("PageSize", "50")], own].concat();
        get(&mut simulator, Operation::DescribeCommandInvocations, &own, at(0.0))
    };
    let body = all(&[]);
    let invocations = list(&body["CommandInvocations"]);
    assert_eq!(invocations.len(), 24, "two servers of twelve runs are in Hangzhou");
    for invocation in list(&truth["servers"][1]["invocations"]) {
        let seen = invocations.iter().find(|seen| seen["InvokeId"] == invocation["id"]).unwrap();
        assert_eq!(seen["InvokeInstances"][0]["InstanceId"], truth["servers"][1]["id"]);
        assert_eq!(seen["InvokeInstances"][0]["ExitCode"], invocation["exit_code"]);
        assert_eq!(seen["InvokeInstances"][0]["InvocationStatus"], invocation["status"]);
    }
    let successful = all(&[("InvocationStatus", "Success")]);
    let wanted =
        invocations.iter().filter(|invocation| invocation["InvocationStatus"] == "Success").count();
    assert_eq!(successful["TotalCount"], wanted);
}

#[test]
fn swas_takes_post_with_a_query_or_a_form_and_ehpc_only_get() {
    let mut simulator = living();
    let own = [HANGZHOU, ("InstanceName", "web-*")];
    for (seconds, in_form) in [(0.0, true), (1.0, false)] {
        let mut draft = Draft::new(Operation::ListInstances, &own, at(seconds));
        draft.method = "POST";
        let request = if in_form { draft.form() } else { draft.request() };
        let (status, body) = read(simulator.handle(&request, at(seconds)));
        assert_eq!((status, &body["TotalCount"]), (200, &Value::from(2)), "{body}");
    }
    let mut draft = Draft::new(Operation::ListClusters, &[], at(0.0));
    draft.method = "POST";
    assert_eq!(
        code(read(simulator.handle(&draft.request(), at(0.0)))),
        (400, "UnsupportedHTTPMethod".to_owned())
    );
}

#[test]
fn list_instances_is_per_region_and_filters_by_id() {
    let mut simulator = living();
    let server = first_server(&simulator, at(0.0));
    let mut ids = |region: &str, ids: &str| {
        let own = [("RegionId", region), ("InstanceIds", ids)];
        ask(&mut simulator, Operation::ListInstances, &own, at(0.0))
    };
    assert_eq!(
        column(&ids("cn-hangzhou", &format!("[{server:?},\"x\"]")).1["Instances"], "InstanceId"),
        [&server]
    );
    assert_eq!(list(&ids("cn-shanghai", "").1["Instances"]).len(), 1);
    assert_eq!(list(&ids("us-east-1", "").1["Instances"]).len(), 0);
    assert_eq!(code(ids("cn-hangzhou", "[\"x\"]")), (500, "InternalError".to_owned()));
    assert_eq!(code(ids("cn-hangzhou", "x")), (400, "InvalidParams".to_owned()));
    assert_eq!(code(ids("cn-atlantis", "")), (404, "InvalidRegionId.NotFound".to_owned()));
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused() {
    let mut simulator = living();
    let cluster = first_cluster(&simulator, at(0.0));
    let server = first_server(&simulator, at(0.0));
    let cluster = ("ClusterId", cluster.as_str());
    let server = ("InstanceId", server.as_str());
    let shanghai = ("RegionId", "cn-shanghai");
    let cases: [Refusal; 14] = [
        (Operation::ListTasks, &[], 400, "MissingClusterId"),
        (Operation::ListTasks, &[("ClusterId", "ehpc-hz-nobody")], 404, "ClusterNotFound"),
        (Operation::ListTasks, &[cluster, ("PageSize", "51")], 400, "InvalidParams"),
        (Operation::ListTasks, &[cluster, ("PageSize", "0")], 400, "InvalidParams"),
        (Operation::ListTasks, &[cluster, ("PageNumber", "1000")], 400, "InvalidParams"),
        (Operation::ListTasks, &[cluster, ("PageNumber", "999")], 200, "ok"),
        (Operation::ListTasks, &[cluster, ("Archived", "yes")], 400, "InvalidParams"),
        (
            Operation::ListInvocationStatus,
            &[cluster, ("CommandId", "c-hz0nobody")],
            404,
            "ObjectNotFound",
        ),
        (Operation::ListInvocationResults, &[cluster], 400, "MissingCommandId"),
        (Operation::DescribeInvocations, &[server], 400, "MissingRegionId"),
        (Operation::DescribeInvocations, &[shanghai, server], 404, "InvalidInstanceId.NotFound"),
        (
            Operation::DescribeInvocations,
            &[HANGZHOU, server, ("InvokeStatus", "Stopped")],
            400,
            "InvalidParams",
        ),
        (
            Operation::DescribeInvocationResult,
            &[HANGZHOU, server, ("InvokeId", "t-x")],
            404,
            "InvalidInvokeId.NotFound",
        ),
        (Operation::ListInstances, &[HANGZHOU, ("PageSize", "101")], 400, "InvalidParams"),
    ];
    for (operation, own, status, word) in cases {
        assert_eq!(
            code(ask(&mut simulator, operation, own, at(0.0))),
            (status, word.to_owned()),
            "{own:?}"
        );
    }
}

#[test]
fn regions_have_names_in_two_languages() {
    let mut simulator = living();
    let names = |body: &Value| column(&body["Regions"], "LocalName").join(" ");
    let chinese = get(&mut simulator, Operation::SwasListRegions, &[], at(0.0));
    let english =
        get(&mut simulator, Operation::SwasListRegions, &[("AcceptLanguage", "en-US")], at(0.0));
    assert!(names(&chinese).contains("杭州") && names(&english).contains("Hangzhou"));
    let ehpc = get(&mut simulator, Operation::EhpcListRegions, &[], at(0.0));
    assert_eq!(
        column(&ehpc["Regions"]["RegionInfo"], "RegionId"),
        column(&english["Regions"], "RegionId")
    );
}
