"""Servers polled by region show the same truth with far fewer calls."""

from cloud import Cloud
from configuration import everything
from conftest import Serve, Simulate
from exposition import Samples, family, samples, scrape, series
from settled import settle, shown
from truth import Owners, expected

RECORDS = "aliyun_swas_invocation_records"
CREATED = "aliyun_swas_invocation_created_timestamp_seconds"


def test_a_region_asked_as_a_whole_shows_what_is_true(simulate: Simulate, serve: Serve) -> None:
    cloud = simulate(clusters=1, servers=6, invocations=30).cloud
    config = everything(cloud)
    config["swas"]["strategy"] = "per_region"
    exporter = serve(config)
    settle(cloud, exporter.url)
    page = samples(scrape(exporter.url))
    assert set(family(page, "aliyun_task_exporter_target_up").values()) == {1}
    assert _runs(page) == _runs(_told_by_a_region(shown(cloud, page)))
    assert not family(page, RECORDS)
    assert len(family(page, "aliyun_swas_invocation_exit_code")) > 20
    _check_calls(cloud)


def _runs(page: Samples) -> Samples:
    """What is shown of each invocation, and their counts."""
    of_runs = ("aliyun_swas_invocation_", "aliyun_swas_invocations")
    return {key: value for key, value in page.items() if key[0].startswith(of_runs) and "finished_total" not in key[0]}


def _told_by_a_region(owners: Owners) -> Samples:
    """There is no record, and the creation has no zone: it is used only together with a start."""
    page = {key: value for key, value in expected(owners).items() if key[0] != RECORDS}
    for server, owner in owners.items():
        for run in owner.invocations.values():
            if not run["start_time"]:
                del page[series(CREATED, instance_id=server, invoke_id=run["id"])]
    return page


def _check_calls(cloud: Cloud) -> None:
    actions = {call["action"] for call in cloud.calls() if call["product"] != "EHPC"}
    assert actions == {"DescribeCommandInvocations", "ListInstances"}
