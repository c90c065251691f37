"""The duration of a scrape, its CPU time, and the memory of the program."""

import json
import math
import statistics
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import contenders
import world
from program import Program, fetch
from world import BENCH, Size

OURS = "aliyun-task-exporter"

# The second is what Prometheus 2 sends; some clients know only the first version of OpenMetrics.
ACCEPT = {
    "text": "text/plain;version=0.0.4,*/*;q=0.1",
    "OpenMetrics": (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    ),
}
# Format and encoding, as scrapers request them.
WAYS = (("text", "identity"), ("text", "gzip"), ("OpenMetrics", "gzip"))


@dataclass
class Scrapes:
    """Results of scraping a program in one way."""

    seconds: list[float] = field(default_factory=list)
    count: int = 0
    cpu: float = 0.0
    bytes: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[math.ceil(len(self.seconds) * 0.99) - 1]

    @property
    def cpu_each(self) -> float:
        return self.cpu / self.count

    def add(self, program: Program, way: tuple[str, str], *more: str) -> None:
        """Scrapes further; an answer other than the requested one is an error."""
        before = program.cpu_seconds()
        command = [str(BENCH), "scrape", f"{program.url}/metrics", "--accept", ACCEPT[way[0]], "--encoding", way[1]]
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"scraping {program.name}: {done.stderr}")
        result = json.loads(done.stdout)
        if (result["content_encoding"] == "gzip") != (way[1] == "gzip"):
            raise RuntimeError(f"{program.name} answers in {result['content_encoding']!r}, asked for {way}")
        if ("openmetrics" in result["content_type"]) != (way[0] == "OpenMetrics"):
            raise RuntimeError(f"{program.name} answers with {result['content_type']!r}, asked for {way}")
        self.cpu += program.cpu_seconds() - before
        self.count += result["scrapes"]
        self.seconds += result["seconds"]
        self.bytes = result["bytes"]


@dataclass
class Sized:
    """Everything that was measured at one number of series."""

    series: int
    targets: int
    text_bytes: int
    scrapes: dict[tuple[str, tuple[str, str]], Scrapes]
    memory: dict[str, tuple[int, int]]
    changed: dict[tuple[str, str], Scrapes]
    crowd: Scrapes
    whole: "Whole"


@dataclass(frozen=True)
class Whole:
    """Compressing the whole page at the exporter's level."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int
    seconds: float
    scrapes: int
    skipped: frozenset[str]

    @property
    def flags(self) -> list[str]:
        return ["--seconds", str(self.seconds), "--least", "3", "--most", str(self.scrapes)]


def measure(series: int, effort: Effort, folder: Path) -> Sized:
    """Scrapes the exporter and all programs that can serve the same page."""
    size = Size.of_series(series)
    with world.cloud(size, folder) as cloud:
        config = world.written(world.everything(cloud, **world.every(size.period)), folder)
        with world.exporter(config, folder).listening() as exporter, ExitStack() as stack:
            page = world.filled(exporter, size.targets)
            cloud.hold()
            body = fetch(f"{exporter.url}/metrics")
            contenders.write_page(body, fetch(f"{exporter.url}/metrics", "gzip"), folder)
            whole = _whole(folder / "metrics", effort)
            cloud.go_on()
            programs = {OURS: exporter} | _started(stack, series, effort, folder)
            scrapes = _alternating(cloud, programs, effort)
            cloud.hold()
            memory = {name: program.memory() for name, program in programs.items()}
            crowd = _crowd(exporter, effort)
            cloud.go_on()
            changed = _changing(cloud, exporter, size, effort)
    lines = sum(1 for line in page.splitlines() if not line.startswith("#"))
    return Sized(lines, size.targets, len(body), scrapes, memory, changed, crowd, whole)


def _whole(page: Path, effort: Effort) -> Whole:
    command = [str(BENCH), "compress", str(page), "--times", str(effort.rounds)]
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Whole(statistics.median(done["seconds"]), done["bytes"])


def _started(stack: ExitStack, series: int, effort: Effort, folder: Path) -> dict[str, Program]:
    chosen = (one for one in contenders.ALL if one.name not in effort.skipped and series <= one.most_series)
    programs = {one.name: stack.enter_context(one.start(folder)) for one in chosen}
    return {name: program.listening() for name, program in programs.items()}


def _alternating(
    cloud: Program, programs: dict[str, Program], effort: Effort
) -> dict[tuple[str, tuple[str, str]], Scrapes]:
    """All programs in all ways in turn, several times, so that disturbances of the machine affect all of them."""
    known = {one.name: one.openmetrics for one in contenders.ALL} | {OURS: True}
    scrapes: dict[tuple[str, tuple[str, str]], Scrapes] = {}
    for _ in range(effort.rounds):
        cloud.hold()
        for way in WAYS:
            for name, program in programs.items():
                if way[0] == "text" or known[name]:
                    scrapes.setdefault((name, way), Scrapes()).add(program, way, *effort.flags)
        # Resumes the cloud before polls that wait for it time out.
        cloud.go_on()
        time.sleep(2)
    return scrapes


def _crowd(exporter: Program, effort: Effort) -> Scrapes:
    scrapes = Scrapes()
    scrapes.add(exporter, ("text", "gzip"), "--connections", "50", *effort.flags)
    return scrapes


def _changing(cloud: Program, exporter: Program, size: Size, effort: Effort) -> dict[tuple[str, str], Scrapes]:
    """Scrapes while the world runs and a hundredth of the targets is polled between two scrapes."""
    changed: dict[tuple[str, str], Scrapes] = {}
    if size.targets < 50:
        return changed
    world.freeze(cloud, False)
    pause = ["--pause", f"{size.period * 10:.0f}ms", "--seconds", "60"]
    most = ["--least", "5", "--most", str(effort.rounds * 10)]
    for way in WAYS[:2]:
        changed[way] = Scrapes()
        changed[way].add(exporter, way, *pause, *most)
    return changed
