"""What fleets of several sizes cost, in one process and in several: `make scale`.

Half of the servers of a simulated cloud are in one of its three regions; discovery finds them, and `per_region` polls
them. Each process is scraped every 15 seconds, with gzip, as Prometheus does. Prints a table for
docs/operations.md.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cloud import Cloud
from configuration import Config, account, write
from program import BINARY, Program, environment
from waiting import wait_for
from web import get_json

SIZES, SHARDS = (1_000, 10_000, 50_000), (1, 2, 4)
SCRAPE_EVERY = 15.0
# In seconds; the quota allows a list of 50,000 to be read in a few minutes.
PATIENCE = 900.0
REGIONS = ("cn-hangzhou", "cn-shanghai", "ap-southeast-1")

COLUMNS = (
    "servers",
    "processes",
    "series",
    "first complete page",
    "calls until then",
    "calls a minute",
    "CPU",
    "memory",
    "page, gzip",
    "scrape",
)


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Process:
    """What one process took."""

    series: int
    calls_at_first: int
    calls_a_minute: float
    # A share of one core.
    cpu: float
    # In MiB, at its highest.
    memory: float
    # In bytes, as text and compressed.
    page: tuple[int, int]
    # In seconds, compressed.
    scrape: float


@dataclass(frozen=True)
class Run:
    """What a fleet cost."""

    servers: int
    processes: list[Process]
    # In seconds.
    first_page: float

    def row(self) -> str:
        """Sums, and of what a single machine must bear, the largest."""
        each = self.processes
        page, gzip = max(one.page for one in each)
        cells = [
            f"{self.servers:,}",
            f"{len(each)}",
            f"{sum(one.series for one in each):,}",
            f"{self.first_page:.0f} s",
            f"{sum(one.calls_at_first for one in each):,}",
            f"{sum(one.calls_a_minute for one in each):.0f}",
            f"{sum(one.cpu for one in each):.1%}",
            f"{max(one.memory for one in each):.0f} MiB",
            f"{page / 1e6:.1f} MB, {gzip / 1e6:.2f} MB",
            f"{max(one.scrape for one in each) * 1e3:.0f} ms",
        ]
        return line(cells)


class Exporter:
    """A process under measurement."""

    def __init__(self, stack: ExitStack, folder: Path, config: str, *flags: str) -> None:
        arguments = ["--config.file", config, "--web.listen-address", "127.0.0.1:0", "--log.level", "warn", *flags]
        # At this level the log has no address.
        (folder / "serve").mkdir(parents=True)
        self.program = stack.enter_context(Program([str(BINARY), *arguments], folder / "serve", "serve"))
        self.pid = self.program.process.pid
        self.url = wait_for("a listener", self._url)

    def _url(self) -> str | None:
        """Where it listens, as the kernel says."""
        assert self.program.process.poll() is None, self.program.err
        sockets = {os.readlink(link) for link in Path(f"/proc/{self.pid}/fd").iterdir() if link.is_symlink()}
        for line in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                return f"http://127.0.0.1:{int(words[1].partition(':')[2], 16)}"
        return None

    def shown(self) -> int:
        """Number of servers with values."""
        query = "kind=swas_invocations&state=up&per_page=1"
        return int(get_json(f"{self.url}/api/v1/status?{query}")["targets_matching"])

    def series(self) -> int:
        return int(get_json(f"{self.url}/api/v1/status?per_page=1")["series"][0])

    def calls(self) -> int:
        budgets = get_json(f"{self.url}/api/v1/status?per_page=1")["api"]
        return sum(sum(budget["requests"].values()) for budget in budgets)

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        assert found
        return int(found[1]) / 1024

    def scrape(self, encoding: str) -> tuple[float, int]:
        """Seconds, and bytes of the body."""
        told = ["--output", "/dev/null", "--write-out", "%{time_total} %{size_download}"]
        command = ["curl", "--disable", "--silent", "--fail", "--noproxy", "*", "--max-time", "120", *told]
        command += ["--header", f"Accept-Encoding: {encoding}", f"{self.url}/metrics"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
        taken, size = done.stdout.split()
        return float(taken), int(size)


def config(cloud: Cloud) -> Config:
    polled = {"strategy": "per_region", "discovery": [{"regions": list(REGIONS)}]}
    return {
        "poll": {"history_max_pages": 999},
        # With the default quotas.
        "accounts": [{key: value for key, value in account(cloud.url).items() if key != "quotas"}],
        "swas": polled,
        "metrics": {"max_series": 10_000_000},
    }


def measure(folder: Path, servers: int, shards: int, invocations: int, seconds: float) -> Run:
    with ExitStack() as stack:
        world = [f"--servers={servers}", "--clusters=0", f"--invocations={invocations}", "--quota=1000"]
        folder.mkdir(parents=True)
        command = [str(BINARY), "simulate", "--listen", "127.0.0.1:0", *world]
        simulator = stack.enter_context(Program(command, folder, "simulate"))
        cloud = Cloud(simulator.said(r"listens on (http://\S+)/")[1])
        file = write(folder, config(cloud))
        began = time.monotonic()
        exporters = [
            Exporter(stack, folder / str(index), file, f"--shard.index={index}", f"--shard.count={shards}")
            for index in range(shards)
        ]
        wait_for("every server", lambda: sum(one.shown() for one in exporters) == servers, PATIENCE)
        first_page = time.monotonic() - began
        at_first = [one.calls() for one in exporters]
        # What the first pass leaves to be done is not what the fleet costs every minute.
        time.sleep(min(seconds, SCRAPE_EVERY))
        before = [(one.calls(), one.cpu()) for one in exporters]
        began = time.monotonic()
        scrapes: list[list[float]] = [[] for _ in exporters]
        while (passed := time.monotonic() - began) < seconds or not scrapes[0]:
            for one, taken in zip(exporters, scrapes, strict=True):
                taken.append(one.scrape("gzip")[0])
            time.sleep(max(0.0, min(SCRAPE_EVERY, seconds - passed)))
        passed = time.monotonic() - began
        processes = []
        for one, calls, (calls_before, cpu_before), taken in zip(exporters, at_first, before, scrapes, strict=True):
            processes.append(
                Process(
                    series=one.series(),
                    calls_at_first=calls,
                    calls_a_minute=(one.calls() - calls_before) * 60 / passed,
                    cpu=(one.cpu() - cpu_before) / passed,
                    page=(one.scrape("identity")[1], one.scrape("gzip")[1]),
                    scrape=median(taken),
                    memory=one.memory(),
                )
            )
        return Run(servers, processes, first_page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of servers")
    parser.add_argument("--shards", type=int, nargs="+", default=list(SHARDS), help="numbers of processes")
    parser.add_argument("--invocations", type=int, default=1, help="invocations that each server lists")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each is measured")
    arguments = parser.parse_args()
    say(line(COLUMNS))
    say(line("---" for _ in COLUMNS))
    with tempfile.TemporaryDirectory(prefix="aliyun-scale-") as folder:
        for servers in arguments.sizes:
            for shards in arguments.shards:
                place = Path(folder) / f"{servers}-{shards}"
                say(measure(place, servers, shards, arguments.invocations, arguments.seconds).row())
    return 0


if __name__ == "__main__":
    sys.exit(main())
