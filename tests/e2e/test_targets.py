"""Ten targets, one of them wrong: the nine others work, and the wrong one is named with a reason and advice."""

from html import unescape

import pytest

from cloud import Cloud
from configuration import Config, account, everything
from conftest import Exporter, Serve, Simulate
from exposition import family, samples, scrape, series
from settled import settle, shown
from truth import expected
from waiting import wait_for
from web import get_json, get_text

WRONG_CLUSTER = "ehpc-hz-WrongWrong"


@pytest.fixture
def cloud(simulate: Simulate) -> Cloud:
    return simulate(clusters=5, servers=5).cloud


def ten_targets(cloud: Cloud) -> Config:
    """Tasks of five clusters and invocations of five servers."""
    config = everything(cloud)
    config["ehpc"]["commands"] = {"discover": 0}
    return config


def test_a_wrong_cluster_id_harms_only_itself(cloud: Cloud, serve: Serve) -> None:
    config = ten_targets(cloud)
    harmed = config["ehpc"]["clusters"][2]["id"]
    config["ehpc"]["clusters"][2]["id"] = WRONG_CLUSTER
    exporter = serve(config)
    check_the_nine(cloud, exporter, harmed)
    check_the_wrong_one(exporter, WRONG_CLUSTER, "not_found", "ClusterNotFound", "2024-07-30")


def test_a_wrong_secret_harms_only_its_account(cloud: Cloud, serve: Serve) -> None:
    config = ten_targets(cloud)
    config["accounts"].append(account(cloud.url, "other", secret="not-the-secret"))
    server = config["swas"]["servers"][3]
    server["account"] = "other"
    exporter = serve(config)
    check_the_nine(cloud, exporter, server["id"])
    check_the_wrong_one(exporter, server["id"], "credentials", "SignatureDoesNotMatch", "AccessKeySecret")


def check_the_nine(cloud: Cloud, exporter: Exporter, harmed: str) -> None:
    settle(cloud, exporter.url, without=harmed)
    page = samples(scrape(exporter.url))
    ups = family(page, "aliyun_task_exporter_target_up")
    assert sorted(ups.values()) == [0] + [1] * 9
    right = shown(cloud, page)
    del right[harmed]
    for owner in right.values():
        owner.commands.clear()
    truth = expected(right)
    families = {name for name, _ in truth}
    assert {key: value for key, value in page.items() if key[0] in families} == truth


def check_the_wrong_one(exporter: Exporter, target: str, reason: str, code: str, advice: str) -> None:
    wait_for("several failed polls", lambda: polls(exporter, reason) >= 4)
    failing = family(samples(scrape(exporter.url)), "aliyun_task_exporter_target_failing")
    assert [(dict(labels)["target"], dict(labels)["reason"]) for labels in failing] == [(target, reason)]
    page = unescape(get_text(exporter.url + "/"))
    assert [word for word in (target, reason.replace("_", " "), code, advice) if word not in page] == []
    wrong = [entry for entry in get_json(exporter.url + "/api/v1/status")["targets"] if not entry["up"]]
    assert [(entry["id"], entry["failure"]["reason"]) for entry in wrong] == [(target, reason)]
    said = [line for line in exporter.program.err.splitlines() if "level=warn" in line or "level=error" in line]
    assert len(said) == 1, said
    assert [word for word in (target, reason, code, advice) if word not in said[0]] == []


def polls(exporter: Exporter, reason: str) -> float:
    page = samples(scrape(exporter.url))
    kinds = ("ehpc_tasks", "swas_invocations")
    return sum(page.get(series("aliyun_task_exporter_polls_total", kind=kind, outcome=reason), 0) for kind in kinds)
