"""The exporter compared with static bytes and with clients of other languages, in one run: `make bench`."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import chart
import contenders
import polling
import report
import scraping
import standing
from figures import Figures
from machine import ROOT
from scraping import WAYS, Effort, Sized

FOLDER = ROOT / "target/bench"


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000], help="series")
    parser.add_argument("--growth", type=int, nargs="+", default=[100, 1000, 10_000], help="targets")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured in turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for one way of scraping in one round")
    parser.add_argument("--scrapes", type=int, default=300, help="maximum number in that time")
    parser.add_argument("--polled", type=int, default=2000, help="targets that are polled to see what a poll costs")
    parser.add_argument("--start", type=int, default=10_000, help="targets of the start")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds of watching it poll, and idle")
    parser.add_argument("--skip", nargs="+", default=[], choices=[one.name for one in contenders.ALL[1:]])
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where performance.md and .svg go")
    return parser.parse_args()


def build(skipped: list[str]) -> None:
    """Builds the programs of other languages; make has built those in Rust."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    if "client_golang" not in skipped:
        source = contenders.PEERS / "client_golang.go"
        go = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(ROOT / "target/gocache")}
        command = ["go", "build", "-o", str(contenders.GO_PROGRAM), str(source)]
        subprocess.run(command, env=os.environ | go, check=True)


def lines(sizes: list[Sized]) -> chart.Lines:
    """Milliseconds over series for the plain text, one line per program."""
    drawn: chart.Lines = {}
    for sized in sizes:
        for (name, way), scrapes in sized.scrapes.items():
            if way == WAYS[0]:
                drawn.setdefault(name, []).append((sized.series, scrapes.median * 1e3))
    return drawn


def told(what: str) -> None:
    """Reports progress on standard error."""
    sys.stderr.write(f"bench: {what}\n")


def main() -> None:
    """Measures everything, then writes the report."""
    given = arguments()
    effort = Effort(given.rounds, given.seconds, given.scrapes, frozenset(given.skip))
    load = os.getloadavg()[0]
    build(given.skip)
    told(f"start with {given.start} targets")
    start = standing.start(given.start, given.rounds * 3, FOLDER)
    told("idling with 10 targets")
    idle = standing.idle(3, 4, given.patience, FOLDER)
    told(f"polls of {given.polled} targets")
    polled = polling.measure(given.polled, given.patience / 2, given.rounds, FOLDER)
    growth = []
    for targets in given.growth:
        told(f"growth: {targets} targets")
        growth.append(standing.grown(targets, given.patience, effort, FOLDER))
    sizes: list[Sized] = []
    command = shlex.join(["python", *[os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]]])
    for series in given.sizes:
        told(f"{series} series")
        sizes.append(scraping.measure(series, effort, FOLDER))
        # Draws what there is so far, in case the next size is too much for the machine.
        drawing = chart.draw("Time of a scrape, text format, median", "series", "milliseconds", lines(sizes))
        (FOLDER / "performance.svg").write_text(drawing)
        figures = Figures(sizes, polled, start, idle, growth)
        (FOLDER / "performance.md").write_text(report.markdown(figures, effort, command, load))
    given.out.mkdir(parents=True, exist_ok=True)
    for name in ("performance.md", "performance.svg"):
        shutil.copy(FOLDER / name, given.out / name)
    told(f"written: {given.out / 'performance.md'}")


if __name__ == "__main__":
    main()
