"""A compressed day with storms, kills and full disks: `make endurance`.

Two exporters, one for each strategy, poll a cloud in which 2,400 invocations a minute come and go. Their figures must
be the same at the start, in the middle and at the end of the day. A third one polls a calmer cloud, is killed
repeatedly, and must have counted each end exactly once. Exit code 1 if a figure has grown or an end was miscounted.
"""

import argparse
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Self

from cloud import Cloud, seconds
from configuration import Config, account, places, write
from exposition import samples, scrape
from program import BINARY, Running, environment, free_port, resident
from truth import counted, ends
from waiting import wait_for

# Length of the day, and of the time before it in which caches fill, in hours.
DAY, WARM_UP = 24, 8
# A figure is flat if it has grown by no more than this share, or by no more than a connection or the log lines of one
# kind: each has at most ten and a summary in a calendar minute.
FLAT = 0.02
SLACK = {"descriptors": 1.0, "log lines a minute": 14.0}

STORMING = {"servers": 100, "clusters": 2, "time-scale": 2, "latency": "20ms", "quota": 100_000}
CALM = {"servers": 20, "clusters": 1, "invocations": 40, "time-scale": 0.1, "latency": "20ms", "quota": 100_000}
# Everything is read every two seconds, and whole lists every minute.
POLL = {"interval": "2s", "active_interval": "2s", "idle_interval": "2s", "history_interval": "1m"}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong for a third of an hour."""

    name: str
    fault: dict[str, object] | None = None
    fills_disk: bool = False


# In turn, over and over.
CALM_HOUR = Trouble("calm")
FAILING = (
    Trouble("503", {"kind": "error", "status": 503, "code": "ServiceUnavailable"}),
    Trouble("resets", {"kind": "reset"}),
    Trouble("full disk", fills_disk=True),
    Trouble("late answers", {"kind": "latency", "ms": 3000}),
)
THROTTLED = Trouble("throttled", {"kind": "throttle"})
TROUBLES = (CALM_HOUR, THROTTLED, *FAILING)

DISK = 64 << 20

# Timeout in seconds for reading everything when nothing is wrong any more: by then, lowered budgets have recovered.
PATIENCE = 400

# Maximum number of attempts to restart a killed exporter, one second apart.
MAX_STARTS = 120


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Disk:
    """A folder whose disk can be full: its own file system if root may mount one, otherwise a limit on file sizes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "endurance", str(folder)]
        self.is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
        self.is_full = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_mounted:
            subprocess.run(["umount", str(self.folder)], check=True)

    def fill(self, full: bool, programs: list["Watched"]) -> None:
        self.is_full = full
        if not self.is_mounted:
            for program in programs:
                self.limit(program)
        elif full:
            self._write_all()
        else:
            (self.folder / "filler").unlink()

    def limit(self, program: "Watched") -> None:
        """Applies the state of the disk to a program that was just started."""
        if not self.is_mounted:
            size = 0 if self.is_full else resource.RLIM_INFINITY
            with suppress(ProcessLookupError):
                resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _write_all(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(b"\0" * 65536):
                    pass
            except OSError:
                return


class Watched(Running):
    """A program whose log is read, counted and kept."""

    def __init__(self, log: Path, *arguments: str) -> None:
        # The signal of the size limit, which stands for a full disk, must not stop the program.
        command = ["sh", "-c", 'trap "" XFSZ; exec "$0" "$@"', str(BINARY), *arguments]
        self.log, self.lines, self.last, self._said = log, 0, "", ""
        self.process = subprocess.Popen(
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __exit__(self, *ended: object) -> None:
        super().__exit__(*ended)
        self._reader.join()
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        with self.log.open("a") as log:
            for line in self.process.stdout or ():
                self.lines, self.last = self.lines + 1, line
                log.write(line)
                if self.lines < 20:
                    self._said += line

    def said(self, pattern: str) -> str:
        """The first group of a match in the first lines; fails if the program has exited without one."""

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self._said)
            if match is None and self.process.poll() is not None:
                raise RuntimeError(f"it has ended with {self.process.returncode}: {self.last}")
            return match

        return wait_for(f"{pattern!r} in its output", found)[1]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def simulated(stack: ExitStack, log: Path, size: dict[str, object]) -> Cloud:
    flags = (part for name, value in size.items() for part in (f"--{name}", str(value)))
    program = stack.enter_context(Watched(log, "simulate", "--listen", "127.0.0.1:0", *flags))
    return Cloud(program.said(r"listens on (http://\S+)/"))


def configured(cloud: Cloud, folder: Path, state: Path, strategy: str) -> str:
    """A configuration that polls everything."""
    world = cloud.world()
    config: Config = {
        "poll": POLL,
        "accounts": [account(cloud.url) | {"quotas": {"EHPC": 50_000, "SWAS": 50_000}}],
        "ehpc": {"clusters": places(world, "clusters")},
        "swas": {"servers": places(world, "servers"), "strategy": strategy},
        "state": {"path": str(state)},
    }
    folder.mkdir()
    return write(folder, config)


class Steady:
    """An exporter that runs all day."""

    def __init__(self, stack: ExitStack, cloud: Cloud, folder: Path, disk: Disk, strategy: str) -> None:
        self.strategy, self.state = strategy, disk.folder / f"{strategy}.redb"
        config = configured(cloud, folder / strategy, self.state, strategy)
        listen = ("--web.listen-address", "127.0.0.1:0")
        self.program = stack.enter_context(Watched(folder / f"{strategy}.log", "--config.file", config, *listen))
        self.url = "http://" + self.program.said(r"address\"?[=:]\"?([\d.]+:\d+)")

    def figures(self) -> dict[str, float]:
        return {
            "resident MiB": resident(self.program.process.pid),
            "descriptors": self.program.descriptors(),
            "state KiB": self.state.stat().st_size / 1024,
        }


@dataclass
class Point:
    """The figures of an hour without trouble."""

    samples: list[dict[str, float]] = field(default_factory=list)
    lines: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, float]:
        found = {name: median(sample[name] for sample in self.samples) for name in self.samples[0]}
        return found | {"log lines a minute": self.lines * 60 / self.seconds}


class Killed:
    """An exporter that is killed repeatedly, in a separate thread."""

    def __init__(self, stack: ExitStack, cloud: Cloud, folder: Path, disk: Disk, seed: int) -> None:
        self.cloud, self.disk, self.random = cloud, disk, random.Random(seed)
        config = configured(cloud, folder / "killed", disk.folder / "killed.redb", "per_region")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.arguments = ("--config.file", config, "--web.listen-address", f"127.0.0.1:{port}")
        self.kills = self.refused = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._strike)
        # The world is frozen until everything in it has been read.
        frozen = cloud.freeze()
        self.began = seconds(frozen)
        world = cloud.world()
        # A cluster's tasks and its commands are separate targets.
        self.targets = len(world["servers"]) + 2 * len(world["clusters"])
        self.log = folder / "killed.log"
        self.program = Watched(self.log, *self.arguments)
        stack.callback(self.close)
        wait_for("the first readings", self._has_read_all, 120)
        cloud.go_on()
        self.thread.start()

    def close(self) -> None:
        self.is_over.set()
        if self.thread.ident:
            self.thread.join()
        self.program.__exit__()

    def _has_read_all(self) -> bool:
        page = samples(scrape(self.url))
        ups = [value for (name, _), value in page.items() if name == "aliyun_task_exporter_target_up"]
        return len(ups) == self.targets and min(ups) == 1

    def _strike(self) -> None:
        while not self.is_over.wait(self.random.uniform(3, 15)):
            if self.program.process.poll() is None:
                self.program.process.send_signal(signal.SIGKILL)
                self.kills += 1
            self._restart()

    def _restart(self) -> None:
        """Retries a start that is refused, for example because of a full disk, as a supervisor would."""
        for _ in range(MAX_STARTS):
            self.program.__exit__()
            self.program = Watched(self.log, *self.arguments)
            self.disk.limit(self.program)
            try:
                self.program.said(r"(listening)")
            except RuntimeError:
                self.refused += 1
                time.sleep(1)
            else:
                return
        raise RuntimeError(f"it does not start again: {self.program.last}")

    def counted(self) -> dict[str, int]:
        return counted(samples(scrape(self.url)))

    def verdict(self) -> tuple[int, int]:
        """The number of ends that were counted, and of those that there were, in a frozen world."""
        self.is_over.set()
        self.thread.join()
        frozen = self.cloud.freeze()
        wanted = ends(self.cloud, self.began, seconds(frozen), every=60)

        def is_exact() -> bool:
            return {owner: count for owner, count in self.counted().items() if count} == wanted

        try:
            wait_for("each end to be counted", is_exact, PATIENCE)
        except AssertionError:
            counted = self.counted()
            for owner in sorted(wanted.keys() | counted.keys()):
                if wanted.get(owner, 0) != counted.get(owner, 0):
                    say(f"{owner}: {counted.get(owner, 0)} counted, there were {wanted.get(owner, 0)}")
        # Count again after each list has been read again.
        time.sleep(10)
        return sum(self.counted().values()), sum(wanted.values())


class Day:
    """The events of the day, hour by hour."""

    def __init__(
        self, stack: ExitStack, folder: Path, minutes: float, seed: int, troubles: tuple[Trouble, ...]
    ) -> None:
        self.troubles, self.hour = troubles, minutes * 60 / (WARM_UP + DAY + 1)
        self.disk = stack.enter_context(Disk(folder / "disk"))
        storming = simulated(stack, folder / "storming_cloud.log", STORMING)
        calm = simulated(stack, folder / "calm_cloud.log", CALM)
        self.clouds = (storming, calm)
        self.steady = [Steady(stack, storming, folder, self.disk, name) for name in ("per_region", "per_server")]
        self.killed = Killed(stack, calm, folder, self.disk, seed)

    def live(self) -> dict[str, dict[str, Point]]:
        """Runs the day; returns the figures by strategy and time of day."""
        points: dict[str, dict[str, Point]] = {one.strategy: {} for one in self.steady}
        named = {WARM_UP: "start", WARM_UP + DAY // 2: "middle", WARM_UP + DAY: "end"}
        for number in range(WARM_UP + DAY + 1):
            # When figures are taken, the cycle is at its start: an hour without trouble.
            trouble = self.troubles[(number - WARM_UP) % len(self.troubles)]
            self._strike(trouble)
            found = self._watch(self.hour if trouble == CALM_HOUR else self.hour * 2 / 3)
            resident = (f"{strategy} {point.figures()['resident MiB']:.1f}" for strategy, point in found.items())
            say(f"hour {number - WARM_UP:+d}, {trouble.name}: resident MiB {', '.join(resident)}")
            if name := named.get(number):
                for strategy, point in found.items():
                    points[strategy][name] = point
        return points

    def _strike(self, trouble: Trouble) -> None:
        if trouble.fault:
            for cloud in self.clouds:
                cloud.add_fault(None, **trouble.fault)
        if trouble.fills_disk:
            self.disk.fill(True, self._programs())
        if trouble != CALM_HOUR:
            self._watch(self.hour / 3)
        if trouble.fault:
            for cloud in self.clouds:
                cloud.clear_faults()
        if trouble.fills_disk:
            self.disk.fill(False, self._programs())

    def _programs(self) -> list[Watched]:
        return [*(one.program for one in self.steady), self.killed.program]

    def _watch(self, length: float) -> dict[str, Point]:
        """Scrapes and takes figures for a while."""
        points = {one.strategy: Point(lines=one.program.lines) for one in self.steady}
        began = time.monotonic()
        while (passed := time.monotonic() - began) < length:
            for one in self.steady:
                scrape(one.url)
                points[one.strategy].samples.append(one.figures())
            time.sleep(min(2, max(0, length - passed)))
        for one in self.steady:
            point = points[one.strategy]
            point.lines, point.seconds = one.program.lines - point.lines, time.monotonic() - began
        return points


def table(points: dict[str, dict[str, Point]]) -> tuple[list[str], list[str]]:
    """The table of the figures, and which of them have grown."""
    rows, grown = ["| strategy | figure | start | middle | end |", "| --- | --- | --- | --- | --- |"], []
    for strategy, by_time in points.items():
        figures = {name: point.figures() for name, point in by_time.items()}
        for figure, first in figures["start"].items():
            values = [figures[name][figure] for name in ("start", "middle", "end")]
            rows.append(f"| {strategy} | {figure} | " + " | ".join(f"{value:,.1f}" for value in values) + " |")
            limit = first + max(first * FLAT, SLACK.get(figure, 0.0))
            if max(values) > limit:
                grown.append(f"{strategy}: {figure} has grown from {first:,.1f} to {max(values):,.1f}")
    return rows, grown


def run(
    minutes: float, seed: int, folder: Path, troubles: tuple[Trouble, ...] = TROUBLES
) -> tuple[list[str], list[str]]:
    """Runs a day of that length; returns the report, and what is wrong."""
    with ExitStack() as stack:
        day = Day(stack, folder, minutes, seed, troubles)
        where = "a disk of its own" if day.disk.is_mounted else "a limit of the size of files (not root)"
        say(f"{minutes:g} minutes, an hour takes {day.hour:.0f} s, seed {seed}; for a full disk: {where}")
        told, wrong = table(day.live())
        counted, there = day.killed.verdict()
        told.append("")
        told.append(f"{day.killed.kills} kills, {day.killed.refused} starts refused on a full disk")
        told.append(f"{counted:,} of {there:,} ends counted")
        if counted != there:
            wrong.append(f"{counted:,} ends were counted, and there were {there:,}")
    return told, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = "how long the day and its warm-up take; at the default, an hour takes a minute"
    parser.add_argument("--minutes", type=float, default=33.0, help=length)
    parser.add_argument("--seed", type=int, default=1, help="decides when it is killed")
    parser.add_argument("--folder", type=Path, help="an empty folder that configurations and logs are kept in")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aliyun-endurance-")))
        folder.mkdir(parents=True, exist_ok=True)
        told, wrong = run(arguments.minutes, arguments.seed, folder)
    say("\n".join(told))
    for line in wrong:
        say(f"NOT FLAT OR NOT TRUE: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
