"""Two exporters and a Lease, on machines whose clocks do not agree.

libfaketime stands for the other machine's clock: it shifts the time of day and how fast it goes, and leaves the clock
since boot alone, as the kernel does when the time is set.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_server import ApiServer
from certificates import Certificates
from conftest import Simulate
from exposition import family
from pods import DURATION, TAKEN_WITHIN, Begin, Pod, Pods, assert_not_at_once, assert_started_none, begin_two
from waiting import wait_for

# The loader replaces $LIB.
FAKE = {"LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Valid by a clock that is behind as well."""
    return Certificates(tmp_path_factory.mktemp("certificates"), made="-1h")


@pytest.fixture
def begin(api: ApiServer, simulate: Simulate, certificates: Certificates, tmp_path: Path) -> Iterator[Begin]:
    cloud = simulate(clusters=2, servers=4, **{"time-scale": 5}).cloud
    with Pods(tmp_path, cloud, api, certificates.authority) as pods:
        yield pods.begin


def ahead(pod: Pod) -> float:
    """How many seconds its clock is ahead of the cloud's, as it has noticed."""
    (behind,) = family(pod.page(), "aliyun_task_exporter_clock_skew_seconds").values()
    return -behind


# The shift, as libfaketime takes it, and by how many seconds at least a clock is ahead by then; negative if behind.
# The cloud refuses calls from 15 minutes on.
CLOCKS = {"ahead": ("+10m", 590), "behind": ("-10m", -590), "fast": ("+0 x1.5", 0.5), "slow": ("+0 x0.67", -0.5)}


@pytest.mark.parametrize("shifted", ["leader", "standby"])
@pytest.mark.parametrize(("shift", "least"), CLOCKS.values(), ids=CLOCKS)
def test_whatever_the_clocks_say_a_lease_is_taken_when_it_is_over_and_not_before(
    begin: Begin, api: ApiServer, shifted: str, shift: str, least: float
) -> None:
    variables = FAKE | {"FAKETIME": shift}
    leader, standby = begin_two(begin, *((variables, {}) if shifted == "leader" else ({}, variables)))
    assert shifted == "standby" or ahead(leader) / least > 1
    process = leader.exporter.program.process
    process.send_signal(signal.SIGSTOP)
    stopped = time.time()
    wait_for("another leader", standby.leads)
    assert time.time() - stopped < TAKEN_WITHIN
    renewed = max(write.at for write in api.writes if write.holder.startswith("first_"))
    taken = min(write.at for write in api.writes if write.holder.startswith("second_"))
    assert taken - renewed >= DURATION
    wait_for("its polls", lambda: len(standby.asked()) > 10)
    assert_not_at_once(leader, standby)
    assert shifted == "leader" or ahead(standby) / least > 1
    woken = time.time()
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=20) == 1
    assert "is lost" in leader.exporter.program.err
    assert_started_none(leader, since=woken)
