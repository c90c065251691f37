"""A real Prometheus scrapes the demo and then knows the truth about the simulated cloud."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Certificates
from configuration import everything
from conftest import Demo, Exporter, Serve, Simulate
from exposition import Samples
from logins import OTHER, PASSWORD, USER, users
from prometheus_server import JOB, Prometheus
from settled import settle, shown
from truth import expected
from waiting import wait_for

SCRAPES = 6


@pytest.fixture
def prometheus(demo: Demo, tmp_path: Path) -> Iterator[Prometheus]:
    with Prometheus(tmp_path, demo.url) as server:
        wait_for("some scrapes", lambda: (server.value(f'count_over_time(up{{job="{JOB}"}}[5m])') or 0) >= SCRAPES)
        yield server


def test_prometheus_knows_the_truth(demo: Demo, prometheus: Prometheus) -> None:
    polled = settle(demo.cloud, demo.url)
    prometheus.wait_for_scrape_after(polled)
    assert prometheus.value(f'up{{job="{JOB}"}}') == 1
    known = prometheus.query('{__name__=~"aliyun_(ehpc|swas)_.+"}')
    truth = expected(shown(demo.cloud, known))
    families = {name for name, _ in truth}
    assert len(families) == 23, "the world is rich enough to show every family"
    compare({key: value for key, value in known.items() if key[0] in families}, truth)
    assert_some_end_was_watched(prometheus)
    assert_no_trouble(prometheus)


def compare(known: Samples, truth: Samples) -> None:
    wrong = {key: (known.get(key), truth.get(key)) for key in known.keys() | truth.keys()}
    wrong = {key: pair for key, pair in wrong.items() if pair[0] != pair[1]}
    assert not wrong, f"{len(wrong)} of {len(truth)} differ, series (known, true): {list(wrong.items())[:10]}"


def assert_some_end_was_watched(prometheus: Prometheus) -> None:
    """Ensures that a changing world was scraped, not only a frozen one."""
    assert (prometheus.value('sum(increase({__name__=~"aliyun_.+_finished_total"}[5m]))') or 0) > 0


def assert_no_trouble(prometheus: Prometheus) -> None:
    for kind in ("duplicate_timestamp", "out_of_bounds", "out_of_order"):
        assert prometheus.value(f"prometheus_target_scrapes_sample_{kind}_total") == 0, kind
    target = next(t for t in prometheus.get("targets")["activeTargets"] if t["labels"]["job"] == JOB)
    assert (target["health"], target["lastError"]) == ("up", "")
    assert "level=warn" not in prometheus.err
    assert "level=error" not in prometheus.err


def test_prometheus_takes_openmetrics(prometheus: Prometheus) -> None:
    """Units are known only from OpenMetrics; its metadata has counters without their suffix."""
    told = prometheus.get("targets/metadata", match_target=f'{{job="{JOB}"}}')
    metadata = {entry["metric"]: (entry["type"], entry["unit"]) for entry in told}
    assert metadata["aliyun_swas_invocation_created_timestamp_seconds"] == ("gauge", "seconds")
    assert metadata["aliyun_task_exporter_polls"] == ("counter", "")
    assert metadata["aliyun_task_exporter_api_request_duration_seconds"] == ("histogram", "seconds")


def test_prometheus_evaluates_every_alert(prometheus: Prometheus) -> None:
    def rules() -> list[dict[str, str]]:
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    wait_for("the alerts to be evaluated", lambda: rules() and all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}
    assert len(rules()) >= 10


@pytest.fixture
def guarded(certificates: Certificates, guard: Serve, simulate: Simulate) -> Exporter:
    web = users() | {"tls_server_config": certificates.server.served}
    return guard(web, config=everything(simulate(clusters=1, servers=1).cloud))


@pytest.mark.parametrize("password", [PASSWORD, OTHER], ids=["right", "wrong"])
def test_prometheus_gets_in_over_tls_with_the_right_password(
    password: str, guarded: Exporter, certificates: Certificates, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(password)
    access: dict[str, Any] = {
        "tls_config": {"ca_file": str(certificates.authority.certificate)},
        "basic_auth": {"username": USER, "password_file": str(secret)},
    }
    is_right = password == PASSWORD
    with Prometheus(tmp_path, guarded.url, **access) as server:
        wait_for("its verdict", lambda: server.value(f'up{{job="{JOB}"}}') == is_right)
        if is_right:
            wait_for("what is polled", lambda: server.query("aliyun_swas_invocation_status"))
        else:
            target = next(t for t in server.get("targets")["activeTargets"] if t["labels"]["job"] == JOB)
            assert "401" in target["lastError"]
            assert not server.query('{__name__=~"aliyun_.+"}')
