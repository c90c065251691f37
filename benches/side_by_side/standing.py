"""What the exporter needs to start, when there is little to do, and as targets are added."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import polling
import world
from program import fetch
from scraping import WAYS, Effort, Scrapes
from world import Size


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the process to the last byte of the first /metrics."""

    targets: int
    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Idle:
    """With the default cadence, scraped every fifteen seconds."""

    targets: int
    seconds: float
    resident: int
    most: int
    cpu_share: float


@dataclass(frozen=True)
class Grown:
    """One step of the growth."""

    targets: int
    series: int
    scrape: Scrapes
    resident: int
    polls: int
    poll_cpu: float


def start(targets: int, times: int, folder: Path) -> Start:
    """Starts it repeatedly."""
    seconds = []
    with polling.fixed_cloud(folder, "50ms") as cloud:
        config = world.written(world.configuration(cloud.url, [], polling.servers(targets)), folder)
        for _ in range(times):
            begun = time.monotonic()
            with world.exporter(config, folder).listening() as exporter:
                page = fetch(f"{exporter.url}/metrics")
                seconds.append(time.monotonic() - begun)
            if page.count(b"\naliyun_swas_server_info{") != targets:
                raise RuntimeError("the first page does not name every target")
    return Start(targets, seconds)


def idle(clusters: int, servers: int, seconds: float, folder: Path) -> Idle:
    """Measures it with next to nothing to do."""
    size = Size(clusters, servers)
    with world.cloud(size, folder, "50ms") as cloud:
        world.freeze(cloud, False)
        with world.exporter(world.written(world.everything(cloud), folder), folder).listening() as exporter:
            world.filled(exporter, size.targets)
            begun, cpu = time.monotonic(), exporter.cpu_seconds()
            while time.monotonic() - begun < seconds:
                fetch(f"{exporter.url}/metrics", "gzip")
                time.sleep(min(15, seconds))
            elapsed, cpu = time.monotonic() - begun, exporter.cpu_seconds() - cpu
            resident, most = exporter.memory()
    return Idle(size.targets, elapsed, resident, most, cpu / elapsed)


def grown(targets: int, seconds: float, effort: Effort, folder: Path) -> Grown:
    """Measures the exporter with a number of servers of three invocations each."""
    size = Size(0, targets, invocations=3)
    with world.cloud(size, folder) as cloud:
        config = world.written(world.everything(cloud, **world.every(20)), folder)
        with world.exporter(config, folder).listening() as exporter:
            page = world.filled(exporter, targets)
            polls, cpu = world.value(page, "aliyun_task_exporter_polls_total{"), exporter.cpu_seconds()
            time.sleep(seconds)
            cpu = exporter.cpu_seconds() - cpu
            page = fetch(f"{exporter.url}/metrics").decode()
            polls = world.value(page, "aliyun_task_exporter_polls_total{") - polls
            cloud.hold()
            scrape = Scrapes()
            for _ in range(effort.rounds):
                scrape.add(exporter, WAYS[0], *effort.flags)
            resident, _ = exporter.memory()
    lines = sum(1 for line in page.splitlines() if not line.startswith("#"))
    return Grown(targets, lines, scrape, resident, int(polls), cpu / max(polls, 1))
