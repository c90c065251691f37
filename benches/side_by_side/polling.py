"""What a poll costs, compared with a bare HTTP client."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import world
from program import Program, fetch, free_port
from world import BENCH

LATENCY = "1ms"
# Beyond the rate that got through before, the exporter has at most this many calls in flight.
CONNECTIONS = 2


@dataclass(frozen=True)
class Pace:
    """Calls, and their CPU time."""

    calls: int
    cpu: float

    @property
    def cpu_each(self) -> float:
        return self.cpu / self.calls


@dataclass(frozen=True)
class Polling:
    """The medians of all rounds."""

    targets: int
    page_bytes: int
    ours: Pace
    moving: Pace
    bare: Pace
    decoding: Pace


def measure(targets: int, seconds: float, rounds: int, folder: Path) -> Polling:
    """Measures the exporter with everything overdue and the bare client with as many calls, in turn."""
    with fixed_cloud(folder, LATENCY) as cloud:
        page = fetch(cloud.url)
        ours, moving, bare, decoding = [], [], [], []
        for _ in range(rounds):
            ours.append(_polled(cloud, targets, seconds, folder))
            with fixed_cloud(folder, LATENCY, "--moving") as other:
                moving.append(_polled(other, targets, seconds, folder))
            bare.append(_bare(cloud, ours[-1].calls))
            decoding.append(_bare(cloud, ours[-1].calls, "--decode"))
    if len(re.findall(rb'"InvokeId"', page)) != 50:
        raise RuntimeError("the page does not hold 50 runs")
    return Polling(targets, len(page), _middle(ours), _middle(moving), _middle(bare), _middle(decoding))


def fixed_cloud(folder: Path, latency: str, *more: str) -> Program:
    """Starts the cloud that costs next to nothing."""
    port = free_port()
    command = [str(BENCH), "cloud", f"127.0.0.1:{port}", "--latency", latency, *more]
    return Program("fixed cloud", command, port, folder).listening()


def servers(count: int) -> list[dict[str, str]]:
    """Servers with realistic ids."""
    return [{"id": os.urandom(16).hex(), "region": "cn-hangzhou"} for _ in range(count)]


def _middle(paces: list[Pace]) -> Pace:
    return sorted(paces, key=lambda pace: pace.cpu_each)[len(paces) // 2]


def _polled(cloud: Program, targets: int, seconds: float, folder: Path) -> Pace:
    config = world.written(world.configuration(cloud.url, [], servers(targets), **world.every(0.05)), folder)
    with world.exporter(config, folder).listening() as exporter:
        world.filled(exporter, targets)
        before, begun, cpu = _polls(exporter), time.monotonic(), exporter.cpu_seconds()
        time.sleep(seconds)
        # The polls are counted by a scrape, whose CPU time does not belong to polling.
        cpu_share = (exporter.cpu_seconds() - cpu) / (time.monotonic() - begun)
        polls = _polls(exporter) - before
        return Pace(polls, cpu_share * (time.monotonic() - begun))


def _polls(exporter: Program) -> int:
    page = fetch(f"{exporter.url}/metrics").decode()
    good = 'aliyun_task_exporter_polls_total{kind="swas_invocations",outcome="ok"'
    total = world.value(page, "aliyun_task_exporter_polls_total{")
    if total != world.value(page, good):
        raise RuntimeError("polls have failed")
    return int(total)


def _bare(cloud: Program, calls: int, *more: str) -> Pace:
    command = [str(BENCH), "bare", cloud.url, "--calls", str(calls), "--connections", str(CONNECTIONS)]
    command += more
    before = os.times()
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Pace(calls, used)
