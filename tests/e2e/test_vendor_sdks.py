"""The vendor's own SDKs call the simulated cloud without knowing, and what they parse equals the world."""

import json
from typing import Any

import pytest

from cloud import KEY_ID, SECRET, Cloud, World
from conftest import Simulate
from vendor import EHPC, SWAS, Body, Refused, Sdk, old_generation, pages, part, tea_generation, tea_generation_v1

GENERATIONS = (old_generation, tea_generation, tea_generation_v1)

# Codes for a wrong secret. The old core reports its own if the service has signed the very same text.
REFUSALS = {
    old_generation: "InvalidAccessKeySecret",
    tea_generation: "SignatureDoesNotMatch",
    tea_generation_v1: "SignatureDoesNotMatch",
}


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs read these variables themselves."""
    names = "ALIYUN_ACCESS_KEY_ID ALIYUN_ACCESS_KEY_SECRET HTTP_PROXY HTTPS_PROXY DEBUG".split()
    for name in names + [name.lower() for name in names]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloud(simulate: Simulate) -> Cloud:
    """A frozen world with several clusters and servers in one or more regions."""
    cloud = simulate(clusters=3, servers=5, latency="0ms").cloud
    cloud.freeze()
    return cloud


@pytest.fixture
def world(cloud: Cloud) -> World:
    return cloud.world()


@pytest.fixture(params=GENERATIONS, ids=lambda generation: generation.__name__)
def sdk(request: pytest.FixtureRequest, cloud: Cloud) -> Sdk:
    made: Sdk = request.param(address(cloud), KEY_ID, SECRET)
    return made


def address(cloud: Cloud) -> str:
    return cloud.url.removeprefix("http://")


def pick(entries: list[Body], *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(entry[name] for name in fields) for entry in entries]


def test_tasks(sdk: Sdk, world: World) -> None:
    for cluster in world["clusters"]:

        def listed(name: str = cluster["id"], **filters: object) -> list[tuple[Any, ...]]:
            return list(map(task, pages(sdk, "Tasks", EHPC, "ListTasks", 7, ClusterId=name, **filters)))

        truth = [(cluster["id"], *entry) for entry in pick(cluster["tasks"], *TASK)]
        running = [entry for entry in truth if entry[3] == "Processing"]
        assert len(truth) > 14
        assert listed(Archived=True) == truth
        assert listed(Archived=False) == listed() == running != []
        assert listed(TaskId=truth[-1][1]) == truth[-1:]


TASK = ("id", "type", "status", "current_step", "total_steps", "errors", "nodes")


def task(body: Body) -> tuple[Any, ...]:
    nodes = json.loads(body["Result"]).get("Instances", [])
    (plain,) = pick([body], "ClusterId", "TaskId", "TaskType", "Status", "CurrentStep", "TotalSteps")
    return (*plain, len(json.loads(body["Errors"])), len(nodes))


def test_commands_and_their_nodes(sdk: Sdk, world: World) -> None:
    for cluster in world["clusters"]:
        of = {"ClusterId": cluster["id"]}
        commands = pages(sdk, "Commands.Command", EHPC, "ListCommands", 3, **of)
        assert pick(commands, "CommandId") == pick(cluster["commands"], "id")
        for command in cluster["commands"]:
            of["CommandId"] = command["id"]
            body = sdk(EHPC, "ListInvocationStatus", **of)
            nodes = part(body, "InvokeInstances.InvokeInstance")
            assert (body["CommandId"], body["InvokeStatus"]) == (command["id"], command["status"])
            assert pick(nodes, "InstanceId", "InstanceInvokeStatus") == pick(command["nodes"], "instance_id", "status")
            results = pages(sdk, "InvocationResults.InvocationResult", EHPC, "ListInvocationResults", 3, **of)
            assert pick(results, *RESULT) == [times(node) for node in pick(command["nodes"], *NODE)]


RESULT = ("InstanceId", "InvokeRecordStatus", "ExitCode", "Success", "FinishedTime")
NODE = ("instance_id", "status", "exit_code", "success", "finished_time")


def times(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The API writes an empty string while there is no time."""
    return tuple("" if value is None else value for value in values)


def test_runs_and_their_results(sdk: Sdk, world: World) -> None:
    for server in world["servers"]:
        of = {"RegionId": server["region"], "InstanceId": server["id"]}
        runs = pages(sdk, "Invocations", SWAS, "DescribeInvocations", 5, **of)
        assert pick(runs, *INVOCATION) == pick(server["invocations"], *RUN)
        for run in server["invocations"]:
            result = sdk(SWAS, "DescribeInvocationResult", **of, InvokeId=run["id"])["InvocationResult"]
            assert pick([result], "InstanceId", *DETAIL) == [(server["id"], *times(pick([run], *OUTCOME)[0]))]


INVOCATION = (
    "InvokeId",
    "CommandName",
    "CommandType",
    "CreationTime",
    "InvocationStatus",
    "InvokeStatus",
    "Parameters",
)
RUN = ("id", "command_name", "command_type", "created_time", "status", "record_status", "parameters")
DETAIL = ("InvokeId", "InvocationStatus", "InvokeRecordStatus", "StartTime", "FinishedTime", "ExitCode", "ErrorCode")
OUTCOME = ("id", "status", "record_status", "start_time", "finished_time", "exit_code", "error_code")


def test_runs_of_a_region(sdk: Sdk, world: World) -> None:
    for region in {server["region"] for server in world["servers"]}:
        entries = region_pages(sdk, region)
        told = {(run["InvokeInstances"][0]["InstanceId"], run["InvokeId"]): region_run(run) for run in entries}
        servers = [server for server in world["servers"] if server["region"] == region]
        truth = {(server["id"], run["id"]): region_truth(run) for server in servers for run in server["invocations"]}
        assert told == truth
        assert len(entries) == len(truth)


def region_pages(sdk: Sdk, region: str) -> list[Body]:
    """In this list, page numbers are strings."""
    found: list[Body] = []
    while True:
        number = str(len(found) // 7 + 1)
        action = "DescribeCommandInvocations"
        body = sdk(SWAS, action, RegionId=region, PageNumber=number, PageSize="7")
        found += body["CommandInvocations"]
        if len(body["CommandInvocations"]) < 7:
            assert body["TotalCount"] == len(found)
            return found


def region_run(run: Body) -> tuple[Any, ...]:
    (node,) = pick(run["InvokeInstances"], "InvocationStatus", "StartTime", "FinishTime", "ExitCode", "ErrorCode")
    (plain,) = pick([run], "CommandName", "CommandType", "CreationTime", "InvocationStatus")
    return (*plain, *node, json.loads(run["Parameters"]))


def region_truth(run: Body) -> tuple[Any, ...]:
    created = run["created_time"].removesuffix("Z")
    outcome = times(pick([run], "status", "start_time", "finished_time", "exit_code", "error_code")[0])
    return (run["command_name"], run["command_type"], created, run["status"], *outcome, run["parameters"])


def test_clusters_servers_and_regions(sdk: Sdk, world: World) -> None:
    named = ("id", "name", "region")
    clusters = pages(sdk, "Clusters.ClusterInfoSimple", EHPC, "ListClusters", 2)
    assert pick(clusters, "Id", "Name", "RegionId") == pick(world["clusters"], *named)
    regions = {entry["RegionId"] for entry in part(sdk(EHPC, "ListRegions"), "Regions.RegionInfo")}
    assert regions >= {cluster["region"] for cluster in world["clusters"]}
    regions = {entry["RegionId"] for entry in part(sdk(SWAS, "ListRegions"), "Regions")}
    assert regions >= {server["region"] for server in world["servers"]}
    servers = [
        entry for region in regions for entry in pages(sdk, "Instances", SWAS, "ListInstances", 2, RegionId=region)
    ]
    told = pick(servers, "InstanceId", "InstanceName", "RegionId", "Status")
    assert sorted(told) == sorted(pick(world["servers"], *named, "status"))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_wrong_secret_is_refused(cloud: Cloud, generation: Any) -> None:
    sdk: Sdk = generation(address(cloud), KEY_ID, "not-the-secret")
    with pytest.raises(Refused, match=f"^{REFUSALS[generation]}$"):
        sdk(EHPC, "ListClusters")
    assert [call["outcome"] for call in cloud.calls()] == ["SignatureDoesNotMatch"]
