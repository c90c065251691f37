"""Waits until an exporter has seen everything in a frozen world."""

from collections import Counter
from collections.abc import Iterator

from cloud import Call, Cloud, seconds
from exposition import Samples, family, samples, scrape
from truth import Owner, Owners, ended, owners, remembered
from waiting import wait_for

# The list of a region's invocations, which includes results.
REGION = "DescribeCommandInvocations"

# What is no longer listed is given up after three polls that do not find it; the first may have been in progress.
POLLS = 5

LAST_SUCCESS = "aliyun_task_exporter_target_last_success_timestamp_seconds"


def settle(cloud: Cloud, url: str, without: str = "") -> float:
    """Freezes the world and waits until every target was polled often enough; returns the time of the last call.

    Does not wait for the cluster or server `without`."""
    frozen = cloud.freeze()
    wait_for("enough polls of a world that stands still", lambda: _polled_enough(cloud, frozen, without), 60)
    newest = max(seconds(call["time"]) for call in cloud.calls())
    wait_for("a success of every target after that", lambda: _all_succeeded_after(url, newest), 60)
    return newest


def shown(cloud: Cloud, page: Samples) -> Owners:
    """What an exporter has to show: everything listed, and earlier ended things if it knows them."""
    now, before, read = owners(cloud.world()), remembered(cloud), _results_read(cloud)
    told = any(call["action"] == REGION for call in cloud.calls())
    seen = {dict(labels)[key] for name, key in IDS for labels in family(page, name)}
    for name, owner in now.items():
        for kind in ("tasks", "commands", "invocations"):
            things, old = getattr(owner, kind), getattr(before.get(name, Owner()), kind)
            for key in seen & old.keys() - things.keys():
                if ended(old[key]):
                    things[key] = old[key] | {"result_read": key in read or (told and kind == "invocations")}
    return now


def _results_read(cloud: Cloud) -> set[str]:
    """Commands and invocations whose result was requested before they left the list."""
    calls = [call["parameters"] for call in cloud.calls() if call["outcome"] == "ok" and "Result" in call["action"]]
    return {parameters.get("InvokeId") or parameters["CommandId"] for parameters in calls}


IDS = (
    ("aliyun_ehpc_task_status", "task_id"),
    ("aliyun_ehpc_invocation_status", "command_id"),
    ("aliyun_swas_invocation_status", "invoke_id"),
)


def _polled_enough(cloud: Cloud, since: str, without: str) -> bool:
    calls = [call for call in cloud.calls() if seconds(call["time"]) > seconds(since) and call["outcome"] == "ok"]
    counts = Counter(filter(None, map(_poll_of, calls)))
    actions = {call["action"] for call in calls}
    return all(counts[poll] >= times for poll, times in _wanted(cloud, without, actions))


def _wanted(cloud: Cloud, without: str, actions: set[str]) -> Iterator[tuple[tuple[str, str], int]]:
    world = cloud.world()
    for name in {entry["id"] for entry in world["clusters"]} - {without}:
        yield ("ListTasks", name), POLLS
        yield ("history", name), 1
        yield ("ListCommands", name), POLLS if "ListCommands" in actions else 0
    for name in {entry["id"] for entry in world["servers"]} - {without}:
        yield (REGION, "") if REGION in actions else ("DescribeInvocations", name), POLLS


def _poll_of(call: Call) -> tuple[str, str] | None:
    """The poll that a call has started; only first pages start one."""
    parameters = call["parameters"]
    if parameters.get("PageNumber", "1") != "1" or {"TaskId", "InvokeId"} & parameters.keys():
        return None
    kind = "history" if parameters.get("Archived") == "true" else call["action"]
    return kind, parameters.get("ClusterId") or parameters.get("InstanceId", "")


def _all_succeeded_after(url: str, moment: float) -> bool:
    """Considers the targets that ever succeeded."""
    times = family(samples(scrape(url)), LAST_SUCCESS).values()
    return bool(times) and min(times) > moment
