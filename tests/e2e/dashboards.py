"""The dashboards' queries as Grafana sends them, run one by one: `dashboards.py URL FILE...` prints the slowest.

Without a browser and without Grafana: variables are replaced by All, or by what `--var NAME=VALUE` says."""

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from program import ROOT
from web import answer

FOLDER = ROOT / "dashboards"
# Pixels of a column of Grafana's grid on a screen of 1400; a query has at most one step for each.
COLUMN = 58
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|([A-Za-z_]\w*))")

Json = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """A query, and where it stands."""

    place: str
    expr: str
    is_instant: bool
    step: float = 60.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Span:
    """The time range of a dashboard, in seconds, and the interval of scrapes."""

    seconds: float
    scrape: float

    @property
    def rate_interval(self) -> float:
        return 4 * self.scrape


def load(path: Path) -> Json:
    board: Json = json.loads(path.read_text(encoding="utf-8"))
    return board


def panels(board: Json) -> Iterator[Json]:
    """All panels but headings."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panels(panel) if panel.get("panels") else ()


def queries(board: Json, values: dict[str, str], span: Span) -> Iterator[Query]:
    """Those of variables, of annotations and of panels, with all variables replaced."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(f"variable {variable['name']}", _asked(variable, values), True)
    for entry in board["annotations"]["list"]:
        if "expr" in entry:
            yield Query(
                f"annotation {entry['name']}", replaced(entry["expr"], values, span, 60), False, 60, span.seconds
            )
    for panel in panels(board):
        yield from _of_panel(panel, values, span)


def _of_panel(panel: Json, values: dict[str, str], span: Span) -> Iterator[Query]:
    own = replace_span(span, panel)
    points = panel.get("maxDataPoints", COLUMN * panel["gridPos"]["w"])
    step = max(own.seconds / points, span.scrape, seconds(panel.get("interval", "1s")))
    for target in panel["targets"]:
        is_instant = bool(target.get("instant"))
        expr = replaced(target["expr"], values, own, step)
        yield Query(f"{panel['title']} {target['refId']}", expr, is_instant, step, own.seconds)


def replace_span(span: Span, panel: Json) -> Span:
    return Span(seconds(panel["timeFrom"]), span.scrape) if panel.get("timeFrom") else span


def seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[text[-1]]


def replaced(expr: str, values: dict[str, str], span: Span, step: float) -> str:
    rate = max(step + span.scrape, span.rate_interval)
    known = {"__rate_interval": f"{rate:.0f}s", "__range": f"{span.seconds:.0f}s", "__interval": f"{step:.0f}s"}
    return VARIABLE.sub(lambda found: (values | known)[found[1] or found[2]], expr)


def every(board: Json) -> dict[str, str]:
    """What each variable is at first: all, or some words."""
    return {variable["name"]: _at_first(variable) for variable in board["templating"]["list"]}


def _at_first(variable: Json) -> str:
    chosen = variable["current"].get("value", [])
    return str(variable.get("allValue", "")) if "$__all" in chosen or not chosen else "|".join(chosen)


def _asked(variable: Json, values: dict[str, str]) -> str:
    """The query of a variable as an expression with the same answer."""
    query = replaced(variable["query"]["query"], values, Span(3600, 15), 60)
    if found := re.fullmatch(r"query_result\((.*)\)", query, re.DOTALL):
        return found[1]
    found = re.fullmatch(r"label_values\((.*),\s*(\w+)\)", query, re.DOTALL)
    assert found, query
    return f"count by ({found[2]}) ({found[1]})"


def run(prometheus: str, query: Query, now: float) -> tuple[list[Json], float]:
    """Its series, and how long Prometheus took."""
    arguments: dict[str, object] = {"query": query.expr}
    if query.is_instant:
        arguments |= {"time": now}
    else:
        start = now - query.seconds // query.step * query.step
        arguments |= {"start": start, "end": now, "step": query.step}
    path = "query" if query.is_instant else "query_range"
    began = time.monotonic()
    answered = answer(f"{prometheus}/api/v1/{path}?{urlencode(arguments)}")
    took = time.monotonic() - began
    told = json.loads(answered.body)
    assert told["status"] == "success", (query, told)
    assert not told.get("warnings"), (query, told)
    result: list[Json] = told["data"]["result"]
    return result, took


def processor(pid: int | None) -> float:
    """CPU seconds that a process has used."""
    if pid is None:
        return 0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prometheus")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--scrape", type=float, default=15)
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--pid", type=int, help="of Prometheus: measures its CPU time, which a busy machine does not change"
    )
    parser.add_argument("--at", type=float, default=time.time(), help="Unix time of the newest data")
    chosen = parser.parse_args()
    span = Span(chosen.hours * 3600, chosen.scrape)
    for path in chosen.files:
        board = load(path)
        values = every(board) | dict(entry.split("=", 1) for entry in chosen.var)
        rows, panels_took = [], dict[str, float]()
        for query in queries(board, values, span):
            before = processor(chosen.pid)
            result, took = run(chosen.prometheus, query, chosen.at)
            took = processor(chosen.pid) - before if chosen.pid else took
            panel = query.place.rpartition(" ")[0]
            panels_took[panel] = panels_took.get(panel, 0) + took
            rows.append((took, len(result), query.place))
        rows.sort(reverse=True)
        total = sum(took for took, _, _ in rows)
        slowest = max(panels_took, key=lambda panel: panels_took[panel])
        worst = f"panel {slowest!r} {panels_took[slowest]:.2f} s"
        print(f"{path.name}: {len(rows)} queries, {total:.1f} s, the slowest {rows[0][0]:.2f} s, {worst}")  # noqa: T201
        for took, series, place in rows[:8]:
            print(f"  {took:6.2f} s {series:6} series  {place}")  # noqa: T201


if __name__ == "__main__":
    main()
