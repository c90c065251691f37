"""The exporter that polls is on another machine, and the network to it is cut.

The other machine is a network namespace, so this needs root; elsewhere it is skipped, and says so.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_server import ApiServer
from certificates import Certificates
from cloud import Cloud, seconds
from conftest import Start
from exposition import family
from network import Network, NoNetworkError
from pods import DEADLINE, NAME, TAKEN_WITHIN, Pod, Pods, assert_not_at_once, port_of, wait_for_copy
from settled import settle
from truth import counted, ends
from waiting import PAUSE, wait_for


@pytest.fixture
def network() -> Iterator[Network]:
    """By one cable the cloud and the other exporter are reached, by the other one the API server."""
    try:
        with Network(cables=2) as network:
            yield network
    except NoNetworkError as why:
        pytest.skip(f"NOT TESTED that one whose network is cut stops before the other one starts: {why}")


@pytest.fixture
def cloud(start: Start) -> Cloud:
    size = ("--clusters=2", "--servers=4", "--time-scale=2")
    listen = start("simulate", "--listen", "0.0.0.0:0", *size).said(r"listens on (http://\S+)/")[1]
    return Cloud(f"http://127.0.0.1:{port_of(listen)}")


@pytest.fixture
def api(network: Network, certificates: Certificates) -> Iterator[ApiServer]:
    server = certificates.of_server("api", also=(network.cables[1].here,))
    with ApiServer(server, host="0.0.0.0") as api:
        yield api


@pytest.fixture
def pods(network: Network, cloud: Cloud, api: ApiServer, certificates: Certificates, tmp_path: Path) -> Iterator[Pods]:
    with Pods(tmp_path, cloud, api, certificates.authority) as pods:
        pods.host = network.here
        yield pods


Cut = Callable[[Network], None]


def questions(network: Network) -> None:
    network.cables[1].lose_what_is_sent_here()


def answers(network: Network) -> None:
    network.cables[1].lose_what_is_sent_there()


def everything(network: Network) -> None:
    for cable in network.cables:
        cable.unplug()


def has_read_all(pod: Pod) -> bool:
    """Whether it has polled each cluster's tasks and commands, and each server."""
    up = family(pod.page(), "aliyun_task_exporter_target_up").values()
    world = pod.cloud.world()
    return len(up) == 2 * len(world["clusters"]) + len(world["servers"]) and min(up) == 1


@pytest.mark.parametrize("cut", [questions, answers, everything])
def test_one_whose_network_is_cut_stops_before_the_other_starts_and_each_end_is_counted_once(
    network: Network, cloud: Cloud, api: ApiServer, pods: Pods, cut: Cut
) -> None:
    frozen = seconds(cloud.freeze())
    leader = pods.begin_in(network, "first", network.cables[1].here)
    wait_for("the first polls", lambda: has_read_all(leader))
    cloud.go_on()
    standby = pods.begin("second")
    standby.exporter.program.said("standing by")
    wait_for_copy(standby)
    wait_for("ends", lambda: leader.counted() > 0)
    assert leader.leads()
    cut(network)
    cut_at = time.time()
    process = leader.exporter.program.process
    if cut is not everything:
        while process.poll() is None:
            assert not standby.leads()
            time.sleep(PAUSE)
        assert leader.asked(since=cut_at), "the cloud is reached all along"
    assert process.wait(timeout=20) == 1
    assert "could not be renewed in time" in leader.exporter.program.err
    last = max(leader.asked())
    assert last - cut_at < DEADLINE + 0.5
    # It is started again, as Kubernetes would.
    again = pods.begin_in(network, "first", network.cables[1].here)
    wait_for("another leader", standby.leads)
    assert time.time() - cut_at < TAKEN_WITHIN
    wait_for("its polls", lambda: len(standby.asked()) > 10)
    assert_not_at_once(leader, standby)
    for cable in network.cables:
        cable.mend()
    wait_for_copy(again)
    settle(cloud, standby.exporter.url)
    assert not again.leads()
    assert leader.asked(since=last) == []
    assert api.spec(NAME)["leaseTransitions"] == 1
    until = seconds(cloud.freeze())
    assert counted(standby.page()) == ends(cloud, frozen, until, every=1)
