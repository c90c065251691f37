"""The simulated cloud, and an exporter that polls all of it."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import ROOT
from program import Program, fetch, free_port

EXPORTER = ROOT / "target/release/aliyun-task-exporter"
BENCH = ROOT / "target/release/examples/bench"

# A cluster with its tasks and commands and three servers have about a thousand series.
SERIES_OF_A_CLUSTER = 1000


@dataclass(frozen=True)
class Size:
    """Size of a simulated cloud."""

    clusters: int
    servers: int
    invocations: int = 10

    @staticmethod
    def of_series(series: int) -> "Size":
        clusters = max(1, series // SERIES_OF_A_CLUSTER)
        return Size(clusters, 3 * clusters)

    @property
    def targets(self) -> int:
        """A cluster's tasks and its commands are separate targets."""
        return 2 * self.clusters + self.servers

    @property
    def period(self) -> float:
        """Seconds between two polls of a target."""
        return 60 if self.targets > 1000 else 20


def cloud(size: Size, folder: Path, latency: str = "0s") -> Program:
    """Starts a simulated cloud in which nothing changes."""
    port = free_port()
    counts = {"clusters": size.clusters, "servers": size.servers, "invocations": size.invocations, "tasks": 20}
    flags = [part for name, count in counts.items() for part in (f"--{name}", str(count))]
    flags += ["--listen", f"127.0.0.1:{port}", "--latency", latency, "--quota", "1000000000"]
    program = Program("cloud", [str(EXPORTER), "simulate", *flags], port, folder).listening()
    freeze(program, True)
    return program


def freeze(simulator: Program, frozen: bool) -> None:
    """Freezes the simulated world, or lets it run."""
    fetch(f"{simulator.url}/_sim/time", data=json.dumps({"frozen": frozen}).encode())


def everything(simulator: Program, **poll: object) -> dict[str, Any]:
    """A configuration that polls everything."""
    world = json.loads(fetch(f"{simulator.url}/_sim/world"))
    clusters, servers = places(world["clusters"]), places(world["servers"])
    return configuration(simulator.url, clusters, servers, **poll)


def places(entries: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"id": entry["id"], "region": entry["region"]} for entry in entries]


def configuration(
    url: str, clusters: list[dict[str, str]], servers: list[dict[str, str]], **poll: object
) -> dict[str, Any]:
    """A configuration whose budgets are never the limit."""
    account = {
        "name": "default",
        "credentials": {"provider": "access_key", "access_key_id": "testid", "access_key_secret": "testsecret"},
        "endpoints": {"ehpc": url, "swas": url},
        "quotas": {"EHPC": 1_000_000, "SWAS": 1_000_000},
    }
    config: dict[str, Any] = {"accounts": [account], "metrics": {"max_series": 10_000_000}}
    if poll:
        config["poll"] = poll
    if clusters:
        config["ehpc"] = {"clusters": clusters}
    if servers:
        config["swas"] = {"servers": servers}
    return config


def every(seconds: float) -> dict[str, object]:
    """Every target is polled at this interval, whatever it does; a poll may be held up for minutes."""
    same = dict.fromkeys(("interval", "active_interval", "idle_interval"), f"{seconds * 1000:.0f}ms")
    return {**same, "history_interval": "10h", "stale_after": "10h", "timeout": "300s", "concurrency": 64}


def written(config: dict[str, Any], folder: Path) -> Path:
    """Writes the configuration file, as JSON, which is YAML too, with one target per line as in a real file."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(config).replace('{"id"', '\n{"id"'))
    return path


def exporter(config: Path, folder: Path) -> Program:
    """Starts an exporter without waiting until it listens."""
    port = free_port()
    command = [str(EXPORTER), "--config.file", str(config), "--web.listen-address", f"127.0.0.1:{port}"]
    return Program("exporter", [*command, "--log.level", "error"], port, folder)


def value(page: str, series: str) -> float:
    """The sum of a family's samples, or of those that start with `series`."""
    return sum(float(number) for number in re.findall(rf"^{re.escape(series)}\S* (\S+)$", page, re.MULTILINE))


def filled(program: Program, targets: int, seconds: float = 900) -> str:
    """Waits until every target was polled and the number of series no longer grows; returns the page."""
    deadline, before = time.monotonic() + seconds, -1
    while time.monotonic() < deadline:
        page = fetch(f"{program.url}/metrics").decode()
        lines = page.count("\n")
        if value(page, "aliyun_task_exporter_target_up{") == targets and lines == before:
            return page
        before = lines
        time.sleep(5)
    raise RuntimeError(f"the series were not complete after {seconds:g} s: {program.log.read_text()[-1000:]}")
