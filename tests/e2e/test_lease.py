"""Two exporters and a Lease of Kubernetes: one polls at a time, and the other has its state."""

import hashlib
import re
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from api_server import ApiServer
from certificates import Certificates
from cloud import Cloud
from configuration import everything, write, write_web
from conftest import Exporter, Simulate
from exposition import Samples, scrape
from pods import (
    DEADLINE,
    DURATION,
    NAME,
    SECRET,
    TAKEN_WITHIN,
    Begin,
    Pod,
    Pods,
    assert_not_at_once,
    assert_started_none,
    begin_two,
    configuration,
    finished,
)
from program import run
from settled import settle
from waiting import wait_for
from web import answer, get_json, get_text


@pytest.fixture
def cloud(simulate: Simulate) -> Cloud:
    return simulate(clusters=3, servers=6, **{"time-scale": 5}).cloud


@pytest.fixture
def begin(api: ApiServer, cloud: Cloud, certificates: Certificates, tmp_path: Path) -> Iterator[Begin]:
    """Starts a named exporter with a volume of its own; stopped with the test."""
    with Pods(tmp_path, cloud, api, certificates.authority) as pods:
        yield pods.begin


def of_cloud(pod: Pod) -> list[str]:
    lines = scrape(pod.exporter.url).splitlines()
    return [line for line in lines if line.startswith(("aliyun_ehpc_", "aliyun_swas_"))]


def test_a_standby_takes_over_within_a_lease_after_a_kill(begin: Begin, cloud: Cloud, api: ApiServer) -> None:
    leader, standby = begin_two(begin)
    for number in range(2):
        assert get_text(standby.exporter.url + "/-/ready") == "ready\n"
        assert get_text(standby.exporter.url + "/-/healthy") == "healthy\n"
        assert not standby.leads()
        assert leader.copied() is None
        assert not of_cloud(standby)
        assert get_json(standby.exporter.url + "/api/v1/status")["leader"] is False
        assert standby.asked() == []
        copied = standby.copied() or 0
        wait_for("a newer copy", lambda: (standby.copied() or 0) > copied)  # noqa: B023
        reached = finished(leader.page())
        leader.kill()
        ended = time.monotonic()
        wait_for("another leader", standby.leads)
        assert time.monotonic() - ended < TAKEN_WITHIN
        assert api.spec(NAME)["leaseTransitions"] == number + 1
        assert_not_at_once(leader, standby)
        wait_for("as much is counted", partial(reaches, standby, reached))
        leader, standby = standby, begin("first" if number == 0 else "second")
    settle(cloud, leader.exporter.url)
    assert "secret: <secret>" in get_text(leader.exporter.url + "/config")
    log = leader.exporter.program.err + standby.exporter.program.err
    assert SECRET not in log
    assert "damaged" not in log
    assert "panicked" not in log


def reaches(pod: Pod, counts: Samples) -> bool:
    page = pod.page()
    return all(page.get(key, 0) >= value for key, value in counts.items())


def test_a_takeover_from_a_copy_changes_no_count(begin: Begin, cloud: Cloud) -> None:
    leader, standby = begin_two(begin)
    for name in ("first", "second", "first"):
        counted = leader.counted()
        wait_for("more is counted", lambda: leader.counted() > counted + 3, 60)  # noqa: B023
        settle(cloud, leader.exporter.url)
        settled = time.time()
        wait_for("a newer copy", lambda: (standby.copied() or 0) > settled + 1)  # noqa: B023
        counts = finished(leader.page())
        leader.kill()
        wait_for("another leader", standby.leads)
        settle(cloud, standby.exporter.url)
        assert finished(standby.page()) == counts
        cloud.go_on()
        leader, standby = standby, begin(name)


def test_one_that_is_stopped_for_longer_than_its_lease_asks_nothing_more(begin: Begin) -> None:
    leader, standby = begin_two(begin)
    process = leader.exporter.program.process
    process.send_signal(signal.SIGSTOP)
    wait_for("another leader", standby.leads)
    wait_for("it polls", lambda: len(standby.asked()) > 10)
    woken = time.time()
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=20) == 1
    assert_started_none(leader, since=woken)
    assert "is lost" in leader.exporter.program.err
    assert "starting: " not in leader.exporter.program.err
    assert standby.leads()


def test_one_that_ends_gives_the_lease_back(begin: Begin, api: ApiServer) -> None:
    leader, standby = begin_two(begin)
    leader.exporter.program.signal(signal.SIGTERM)
    assert leader.exporter.program.process.wait(timeout=20) == 0
    ended = time.monotonic()
    wait_for("another leader", standby.leads)
    assert time.monotonic() - ended < DURATION - 1
    assert "the Lease is given back" in leader.exporter.program.err
    assert "" in [write.holder for write in api.writes]
    assert_not_at_once(leader, standby)


def test_one_that_is_cut_off_from_the_api_server_stops_before_the_other_starts(begin: Begin) -> None:
    leader, standby = begin_two(begin)
    leader.way_to_api.cut()
    cut = time.time()
    assert leader.exporter.program.process.wait(timeout=20) == 1
    assert max(leader.asked()) - cut < DEADLINE + 0.5
    assert "could not be renewed in time" in leader.exporter.program.err
    wait_for("another leader", standby.leads)
    assert_not_at_once(leader, standby)


def test_without_an_api_server_none_polls_and_with_it_one_does(begin: Begin, api: ApiServer) -> None:
    leader, standby = begin_two(begin)
    api.fault = (500, "etcdserver: leader changed")
    assert leader.exporter.program.process.wait(timeout=20) == 1
    assert "etcdserver: leader changed" in leader.exporter.program.err
    time.sleep(DURATION + 1)
    assert not standby.leads()
    assert standby.exporter.program.process.poll() is None
    assert get_text(standby.exporter.url + "/-/ready") == "ready\n"
    api.fault = None
    wait_for("it polls", standby.leads)
    assert standby.exporter.program.err.count("the Lease cannot be read or written; retrying") == 1
    assert_not_at_once(leader, standby)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ((401, "Unauthorized"), "the token of the service account is not accepted"),
        ((403, "leases is forbidden"), "a Role must allow get, create and update of leases"),
        ((503, "overloaded"), "503: overloaded"),
    ],
)
def test_a_fault_that_is_over_before_the_lease_changes_nothing(
    begin: Begin, api: ApiServer, fault: tuple[int, str], told: str
) -> None:
    leader = begin("first")
    wait_for("it polls", leader.leads)
    api.fault = fault
    leader.exporter.program.said(told)
    api.fault = None
    leader.exporter.program.said("the Lease can be read and written again")
    api.delay = DURATION / 8
    renewed = api.spec(NAME)["renewTime"]
    wait_for("slow answers are enough", lambda: api.spec(NAME)["renewTime"] > renewed)
    time.sleep(DURATION)
    assert leader.leads()
    assert api.spec(NAME)["leaseTransitions"] == 0


@pytest.mark.parametrize("renewed", ["2999-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z", "yesterday", None])
def test_the_times_in_a_lease_of_another_machine_decide_nothing(begin: Begin, api: ApiServer, renewed: object) -> None:
    spec = {"holderIdentity": "another", "leaseDurationSeconds": DURATION, "renewTime": renewed, "leaseTransitions": 7}
    api.put(NAME, spec)
    pod = begin("first")
    # It has no state, so it lets others go first for two leases more.
    for second in range(DURATION):
        time.sleep(1)
        assert api.spec(NAME)["holderIdentity"] == "another"
        api.put(NAME, spec | {"renewTime": datetime.fromtimestamp(second, UTC).isoformat()})
    changed = time.monotonic()
    wait_for("it polls", pod.leads, 4 * DURATION)
    assert time.monotonic() - changed > 3 * DURATION - 1
    assert api.spec(NAME)["leaseTransitions"] == 8


def test_a_lease_that_is_deleted_or_taken_away_is_never_shared(begin: Begin, api: ApiServer) -> None:
    leader, standby = begin_two(begin)
    api.delete(NAME)
    wait_for("it is made again", lambda: api.spec(NAME).get("holderIdentity", "").startswith("first_"))
    assert leader.leads()
    api.put(NAME, {"holderIdentity": "someone", "leaseDurationSeconds": 1})
    assert leader.exporter.program.process.wait(timeout=20) == 1
    assert "someone has it now" in leader.exporter.program.err
    wait_for("another leader", standby.leads)
    assert_not_at_once(leader, standby)


def test_the_state_is_for_those_who_know_the_secret(begin: Begin, tmp_path: Path) -> None:
    web = write_web(tmp_path, {"basic_auth_users": {"prometheus": "$2y$10$" + "a" * 53}})
    leader = begin("first", "--web.config.file", web)
    url = leader.exporter.url + "/-/state"
    wait_for("the state", lambda: answer(url, Authorization=f"Bearer {SECRET}").status == 200)
    for wrong in ["", "Bearer", "Bearer ", f"Bearer {SECRET[:-1]}", f"Bearer {SECRET}0", f"Basic {SECRET}", SECRET]:
        refused = answer(url, Authorization=wrong)
        assert refused.status == 401, wrong
        assert refused.text == "the secret of state.lease is required\n"
    given = answer(url, Authorization=f"Bearer {SECRET}")
    digest = b64encode(hashlib.sha256(given.body).digest()).decode()
    assert given.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert given.headers["cache-control"] == "no-store"
    assert re.fullmatch(r'"[0-9a-f]+-\d+"', given.headers["etag"])
    assert b"testsecret" not in given.body
    assert b"testid" not in given.body
    assert answer(leader.exporter.url + "/config").status == 401


def test_the_state_is_sent_once_and_only_by_the_one_that_polls(begin: Begin, cloud: Cloud) -> None:
    cloud.freeze()
    leader, standby = begin_two_frozen(begin)
    bearer = f"Bearer {SECRET}"

    def is_same() -> bool:
        tag = answer(leader.exporter.url + "/-/state", Authorization=bearer).headers["etag"]
        since = tag.strip('"')
        again = answer(f"{leader.exporter.url}/-/state?since={since}", Authorization=bearer)
        return again.status == 204 and again.body == b""

    wait_for("nothing new", is_same)
    refused = answer(standby.exporter.url + "/-/state", Authorization=bearer)
    assert (refused.status, refused.text) == (503, "this process stands by: ask the one that polls\n")


def begin_two_frozen(begin: Begin) -> tuple[Pod, Pod]:
    leader = begin("first")
    wait_for("the first polls", leader.leads)
    standby = begin("second")
    standby.exporter.program.said("standing by")
    return leader, standby


def test_a_standby_with_another_secret_says_so_once_and_is_not_fresh(begin: Begin) -> None:
    leader = begin("first")
    wait_for("the first polls", leader.leads)
    standby = begin("second", secret="the-secret-of-other-exporters")
    standby.exporter.program.said("the state cannot be copied")
    assert "401: the secret of state.lease is required" in standby.exporter.program.err
    before = standby.copied()
    time.sleep(6)
    assert standby.copied() == before
    assert standby.exporter.program.err.count("the state cannot be copied") == 1


def test_without_a_lease_there_is_no_state_to_be_had_and_without_a_pod_no_start(
    serve: Callable[..., Exporter], cloud: Cloud, tmp_path: Path
) -> None:
    one = serve(everything(cloud))
    assert answer(one.url + "/-/state", Authorization=f"Bearer {SECRET}").status == 404
    service = tmp_path / "pod"
    service.mkdir()
    refused = run("--config.file", write(service, configuration(cloud, service)), "--web.listen-address", "127.0.0.1:0")
    assert refused.returncode == 2
    assert "KUBERNETES_SERVICE_HOST is not set" in refused.stderr
