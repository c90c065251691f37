"""The truth about the world -> the samples an exporter has to show. Based on the documents, not on the exporter."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud import Cloud, World, seconds
from exposition import Samples, series

TASK_TYPES = (
    "CreateCluster StartCluster StopCluster DeleteCluster AddComputes StartComputes ResetCompute StopComputes "
    "DeleteComputes"
).split()
TASK_STATUSES = "Processing Success Failed PartialFail unknown".split()
RECORD_STATUSES = "Running Finished Failed Stopped unknown".split()
RUN_STATUSES = (
    "Pending Invalid Aborted Running Success Failed Error Timeout Cancelled Stopping Terminated unknown".split()
)
TASKS, COMMANDS = "aliyun_ehpc_tasks_finished_total ", "aliyun_ehpc_invocations_finished_total "
RUNS_OPEN = {"Pending", "Running", "Stopping"}
WITH_EXIT_CODE = {"Success", "Failed"}
WITH_NODES = {"CreateCluster", "AddComputes"}

Thing = dict[str, Any]


@dataclass
class Owner:
    """A cluster or a server with what it has, by id."""

    tasks: dict[str, Thing] = field(default_factory=dict)
    commands: dict[str, Thing] = field(default_factory=dict)
    invocations: dict[str, Thing] = field(default_factory=dict)


Owners = dict[str, Owner]


def owners(world: World) -> Owners:
    found = {}
    for entry in world["clusters"] + world["servers"]:
        kinds = ("tasks", "commands", "invocations")
        found[entry["id"]] = Owner(*({thing["id"]: thing for thing in entry.get(kind, [])} for kind in kinds))
    return found


def remembered(cloud: Cloud) -> Owners:
    """The last state of everything that was listed whenever the cloud was called; the world is frozen."""
    known: Owners = {}
    for world in [cloud.world(at) for at in sorted({call["time"] for call in cloud.calls()})] + [cloud.world()]:
        for name, owner in owners(world).items():
            mine = known.setdefault(name, Owner())
            mine.tasks |= owner.tasks
            mine.commands |= owner.commands
            mine.invocations |= owner.invocations
    return known


def ended(thing: Thing) -> bool:
    """Whether a task, a command or an invocation never changes again."""
    nodes = thing.get("nodes")
    running = isinstance(nodes, list) and any(node["status"] == "Running" for node in nodes)
    return thing["status"] not in RUNS_OPEN | {"Processing"} and not running


def ends(cloud: Cloud, began: float, until: float, every: float) -> dict[str, int]:
    """How many things have ended between two times of a frozen world, by target; it is looked at as often as that."""
    seen, there, at = over(cloud, began), Counter[str](), began
    while at < until:
        at = min(at + every, until)
        for owner, ids in over(cloud, at).items():
            new = ids - seen.setdefault(owner, set())
            seen[owner] |= new
            there[owner] += len(new)
    return {owner: count for owner, count in there.items() if count}


def over(cloud: Cloud, at: float) -> dict[str, set[str]]:
    """Ids of what has ended by then and is listed, by the targets of `counted`."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)
    found: dict[str, set[str]] = {}
    for name, owner in owners(cloud.world(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))).items():
        things = {TASKS + name: owner.tasks, COMMANDS + name: owner.commands, name: owner.invocations}
        for target, by_id in things.items():
            found[target] = {key for key, thing in by_id.items() if ended(thing)}
    return found


def counted(page: Samples) -> dict[str, int]:
    """How many ends an exporter has counted, by target."""
    found = Counter[str]()
    for (name, labels), value in page.items():
        if name.endswith("_finished_total"):
            named = dict(labels)
            found[named.get("instance_id") or f"{name} {named['cluster_id']}"] += int(value)
    return found


def told(thing: Thing) -> bool:
    """Whether the result of a command or an invocation is known."""
    return ended(thing) and bool(thing.get("result_read", True))


def expected(shown: Owners) -> Samples:
    """The samples about these things and no others."""
    found: Samples = {}
    for name, owner in shown.items():
        if owner.tasks or owner.commands:
            found |= dict(_tasks(name, owner.tasks.values()))
            found |= dict(item for command in owner.commands.values() for item in _command(name, command))
            if owner.commands:
                outstanding = series("aliyun_ehpc_invocation_results_outstanding", cluster_id=name)
                found[outstanding] = _outstanding(owner.commands.values())
        else:
            found |= dict(_runs(name, list(owner.invocations.values())))
    return found


def _outstanding(things: Iterable[Thing]) -> int:
    return sum(ended(thing) and not told(thing) for thing in things)


Items = Iterator[tuple[Any, float]]


def _tasks(cluster: str, tasks: Iterable[Thing]) -> Items:
    counts = {(task_type, status): 0 for task_type in TASK_TYPES for status in TASK_STATUSES}
    for task in tasks:
        counts[task["type"], task["status"]] += 1
        labels = {"cluster_id": cluster, "task_id": task["id"], "task_type": task["type"]}
        yield series("aliyun_ehpc_task_status", **labels, status=task["status"]), 1
        yield series("aliyun_ehpc_task_current_step", **labels), task["current_step"]
        yield series("aliyun_ehpc_task_steps", **labels), task["total_steps"]
        yield series("aliyun_ehpc_task_errors", **labels), task["errors"]
        if task["type"] in WITH_NODES:
            yield series("aliyun_ehpc_task_nodes", **labels), task["nodes"]
    for (task_type, status), count in counts.items():
        yield series("aliyun_ehpc_tasks", cluster_id=cluster, task_type=task_type, status=status), count


def _command(cluster: str, command: Thing) -> Items:
    labels = {"cluster_id": cluster, "command_id": command["id"]}
    yield series("aliyun_ehpc_invocation_status", **labels, status=command["status"]), 1
    counts = Counter(node["status"] for node in command["nodes"])
    for status in RECORD_STATUSES:
        yield series("aliyun_ehpc_invocation_nodes", **labels, status=status), counts[status]
    known = [node for node in command["nodes"] if told(command) and node["status"] in ("Finished", "Failed")]
    failed = {node["instance_id"] for node in command["nodes"] if node["status"] == "Failed"}
    failed |= {node["instance_id"] for node in known if node["exit_code"] != 0}
    yield series("aliyun_ehpc_invocation_failed_nodes", **labels), len(failed)
    if not told(command):
        return
    if known:
        nonzero = sum(node["exit_code"] != 0 for node in known)
        yield series("aliyun_ehpc_invocation_nonzero_exit_nodes", **labels), nonzero
    yield series("aliyun_ehpc_invocation_unknown_exit_nodes", **labels), len(command["nodes"]) - len(known)
    last = max(seconds(node["finished_time"]) for node in command["nodes"])
    yield series("aliyun_ehpc_invocation_finished_timestamp_seconds", **labels), last


def _runs(server: str, runs: list[Thing]) -> Items:
    for run in runs:
        yield from _run(server, run)
    yield series("aliyun_swas_invocation_results_outstanding", instance_id=server), _outstanding(runs)
    statuses = Counter(run["status"] for run in runs)
    for status in RUN_STATUSES:
        yield series("aliyun_swas_invocations", instance_id=server, status=status), statuses[status]
    records = Counter(run["record_status"] for run in runs)
    for status in RECORD_STATUSES:
        yield series("aliyun_swas_invocation_records", instance_id=server, status=status), records[status]


def _run(server: str, run: Thing) -> Items:
    labels = {"instance_id": server, "invoke_id": run["id"]}
    what = {"command_name": run["command_name"], "command_type": run["command_type"]}
    yield series("aliyun_swas_invocation_info", **labels, **what), 1
    yield series("aliyun_swas_invocation_status", **labels, status=run["status"]), 1
    yield series("aliyun_swas_invocation_created_timestamp_seconds", **labels), seconds(run["created_time"])
    if not told(run):
        return
    if run["status"] in WITH_EXIT_CODE:
        yield series("aliyun_swas_invocation_exit_code", **labels), run["exit_code"]
    if run["error_code"]:
        yield series("aliyun_swas_invocation_error", **labels, error_code=run["error_code"]), 1
    for name, key in (("started", "start_time"), ("finished", "finished_time")):
        if run[key]:
            yield series(f"aliyun_swas_invocation_{name}_timestamp_seconds", **labels), seconds(run[key])
