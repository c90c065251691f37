"""Servers polled by region show the same truth with far fewer calls."""

from cloud import Cloud, seconds
from configuration import everything
from conftest import Serve, Simulate
from exposition import Samples, family, samples, scrape, series
from settled import settle, shown
from truth import Owners, expected

RECORDS = "aliyun_swas_invocation_records"
CREATED = "aliyun_swas_invocation_created_timestamp_seconds"
STARTED = "aliyun_swas_invocation_started_timestamp_seconds"
TIMEOUT = "aliyun_swas_invocation_timeout_seconds"
OPEN = ("Pending", "Running", "Stopping")


def test_a_region_asked_as_a_whole_shows_what_is_true(simulate: Simulate, serve: Serve) -> None:
    cloud = simulate(clusters=1, servers=6, invocations=30).cloud
    config = everything(cloud)
    config["swas"]["strategy"] = "per_region"
    exporter = serve(config)
    settle(cloud, exporter.url)
    page = samples(scrape(exporter.url))
    assert set(family(page, "aliyun_task_exporter_target_up").values()) == {1}
    owners = shown(cloud, page)
    assert _runs(page) == _runs(_told_by_a_region(owners))
    runs = {run["id"]: run for owner in owners.values() for run in owner.invocations.values()}
    timeouts = {dict(labels)["invoke_id"]: timeout for labels, timeout in family(page, TIMEOUT).items()}
    assert timeouts.keys() == {key for key, run in runs.items() if run["status"] in OPEN}
    assert min(timeouts.values()) > 0
    assert not family(page, RECORDS)
    assert len(family(page, "aliyun_swas_invocation_exit_code")) > 20
    _check_calls(cloud)


def _runs(page: Samples) -> Samples:
    """What is shown of each invocation, and their counts."""
    of_runs = ("aliyun_swas_invocation_", "aliyun_swas_invocations")
    others = ("aliyun_swas_invocations_finished_total", TIMEOUT)
    return {key: value for key, value in page.items() if key[0].startswith(of_runs) and key[0] not in others}


def _told_by_a_region(owners: Owners) -> Samples:
    """There is no record, the creation has no zone and is used only together with a start, which is there at once."""
    page = {key: value for key, value in expected(owners).items() if key[0] != RECORDS}
    for server, owner in owners.items():
        for run in owner.invocations.values():
            if run["start_time"]:
                page[series(STARTED, instance_id=server, invoke_id=run["id"])] = seconds(run["start_time"])
            else:
                del page[series(CREATED, instance_id=server, invoke_id=run["id"])]
    return page


def _check_calls(cloud: Cloud) -> None:
    actions = {call["action"] for call in cloud.calls() if call["product"] != "EHPC"}
    assert actions == {"DescribeCommandInvocations", "ListInstances"}
