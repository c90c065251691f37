//! Bodies have the shape of the vendor's samples: the same fields with the same kinds of values.

use std::collections::BTreeMap;

use aliyun_task_exporter::sim::{Operation, Quotas, Settings, Simulator};
use serde_json::Value;

use super::caller::{Draft, ask, at, get, living, read, start};

/// A sample, its operation, and parameters that get a similar answer.
type Case<'a> = (&'a str, Operation, &'a [(&'a str, &'a str)]);

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/api/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every path in a value and the kind found there. The first item stands for a whole list.
fn shape(value: &Value) -> BTreeMap<String, &'static str> {
    let mut paths = BTreeMap::new();
    walk(value, String::new(), &mut paths);
    paths
}

fn walk(value: &Value, path: String, paths: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(items) => {
            if let Some(item) = items.first() {
                walk(item, format!("{path}[]"), paths);
            }
            "array"
        }
        Value::Object(fields) => {
            // The parameters of a command have no fixed names.
            for (name, field) in fields.iter().filter(|_| !path.ends_with(".Parameters")) {
                walk(field, format!("{path}.{name}"), paths);
            }
            "object"
        }
    };
    paths.insert(path, kind);
}

#[test]
fn every_answer_has_the_shape_of_its_sample() {
    let mut simulator = living();
    let truth = simulator.truth(at(0.0));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cluster = &truth["clusters"][0];
    let server = &truth["servers"][0];
    let cluster_id = text(&cluster["id"]);
    let server_id = text(&server["id"]);
    let command_id = text(&cluster["commands"][0]["id"]);
    let invocation_id = text(&server["invocations"][0]["id"]);
    let region = ("RegionId", "cn-hangzhou");
    let in_cluster =
        [("ClusterId", cluster_id.as_str()), ("CommandId", &command_id), ("Archived", "true")];
    let on_server = [region, ("InstanceId", server_id.as_str()), ("InvokeId", &invocation_id)];
    let cases: [Case; 11] = [
        ("ehpc_ListTasks", Operation::ListTasks, &in_cluster),
        ("ehpc_ListInvocationStatus.Running", Operation::ListInvocationStatus, &in_cluster),
        ("ehpc_ListInvocationResults", Operation::ListInvocationResults, &in_cluster),
        ("ehpc_ListCommands", Operation::ListCommands, &in_cluster),
        ("ehpc_ListClusters", Operation::ListClusters, &[]),
        ("ehpc_ListRegions", Operation::EhpcListRegions, &[]),
        ("swas_DescribeInvocations", Operation::DescribeInvocations, &on_server),
        ("swas_DescribeInvocationResult", Operation::DescribeInvocationResult, &on_server),
        ("swas_DescribeCommandInvocations", Operation::DescribeCommandInvocations, &[region]),
        ("swas_ListInstances", Operation::ListInstances, &[region]),
        ("swas_ListRegions", Operation::SwasListRegions, &[]),
    ];
    for (name, operation, own) in cases {
        assert_eq!(
            shape(&get(&mut simulator, operation, own, at(0.0))),
            shape(&sample(name)),
            "{name}"
        );
    }
}

#[test]
fn empty_lists_are_there_and_empty() {
    let mut simulator =
        Simulator::new(Settings { clusters: 0, servers: 0, ..Settings::default() }, start());
    let clusters = get(&mut simulator, Operation::ListClusters, &[], at(0.0));
    assert_eq!(shape(&clusters), shape(&sample("ehpc_ListClusters.empty")));
    let servers =
        get(&mut simulator, Operation::ListInstances, &[("RegionId", "cn-hangzhou")], at(0.0));
    assert_eq!(shape(&servers), shape(&sample("swas_ListInstances.empty")));
}

#[test]
fn every_failure_says_what_its_sample_says() {
    let quotas = Quotas { operations: [(Operation::ListCommands, 0)].into(), ..Quotas::default() };
    let settings = Settings { permitted: Some(Default::default()), quotas, ..Settings::default() };
    let mut simulator = living();
    let mut strict = Simulator::new(settings, start());
    let region = ("RegionId", "cn-hangzhou");
    let mut cases = vec![
        ("error_407_NotAuthorized", ask(&mut strict, Operation::ListTasks, &[], at(0.0))),
        (
            "error_403_NoPermission",
            ask(&mut strict, Operation::DescribeInvocations, &[region], at(0.0)),
        ),
        (
            "error_404_ClusterNotFound",
            ask(&mut simulator, Operation::ListTasks, &[("ClusterId", "x")], at(0.0)),
        ),
        (
            "error_400_InvalidParams",
            ask(&mut simulator, Operation::ListClusters, &[("PageSize", "99")], at(0.0)),
        ),
        (
            "error_500_InternalError",
            ask(
                &mut simulator,
                Operation::ListInstances,
                &[region, ("InstanceIds", "[\"x\"]")],
                at(0.0),
            ),
        ),
    ];
    strict.settings_mut().permitted = None;
    cases.push((
        "error_400_Throttling.User",
        ask(&mut strict, Operation::ListCommands, &[], at(0.0)),
    ));
    for (name, parameter, value) in [
        ("error_404_InvalidAccessKeyId.NotFound", "AccessKeyId", "nobody"),
        ("error_400_InvalidTimeStamp.Expired", "Timestamp", "2024-05-06T06:00:00Z"),
        ("error_404_InvalidApi.NotFound", "Action", "ListBeans"),
    ] {
        let draft = Draft::new(Operation::ListClusters, &[], at(0.0)).set(parameter, value);
        cases.push((name, read(simulator.handle(&draft.request(), at(0.0)))));
    }
    for (name, (status, body)) in cases {
        let sample = sample(name);
        assert!(name.starts_with(&format!("error_{status}_")), "{name}: {status}");
        assert_eq!(shape(&body), shape(&sample), "{name}");
        assert_eq!((&body["Code"], &body["Message"]), (&sample["Code"], &sample["Message"]));
        assert_eq!(body["HostId"], sample["HostId"], "{name}");
    }
}
