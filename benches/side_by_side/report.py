"""Turns the measurements into docs/performance.md."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from string import Template

import contenders
import goals
import machine
from figures import Figures, added, count, floor
from machine import MIB
from polling import Polling
from scraping import OURS, WAYS, Effort, Scrapes, Sized
from standing import Grown, Idle, Start
from world import EXPORTER

Way = tuple[str, str]
Row = Sequence[str]


def markdown(figures: Figures, effort: Effort, command: str, load: float) -> str:
    """The whole document."""
    template = Template((Path(__file__).parent / "template.md").read_text())
    return template.substitute(
        command=command,
        date=date.today(),
        machine=machine.description(),
        load=f"{load:.1f}",
        exporter=f"{machine.said(str(EXPORTER), '--version')}, {machine.said('rustc', '--version')}",
        versions="\n".join(_versions(effort)),
        goals=_table(("goal", "limit", "measured", ""), goals.rows(figures)),
        scrapes="\n\n".join(_scrapes(sized) for sized in figures.sizes),
        memory=_memory(figures.sizes),
        changing=_changing(figures.sizes),
        polling=_polling(figures.polling),
        standing=_standing(figures.start, figures.idle),
        growth=_growth(figures.growth),
    )


def _versions(effort: Effort) -> list[str]:
    named = (one for one in contenders.ALL if one.name not in effort.skipped)
    return [f"- {one.name}: {one.version()}" for one in named] + [
        f"- {name}: left out by `--skip`" for name in sorted(effort.skipped)
    ]


def _scrapes(sized: Sized) -> str:
    rows = []
    for way in WAYS:
        for (name, of), scrapes in sized.scrapes.items():
            if of == way:
                rows.append(_scrape_row(name, way, scrapes, floor(sized, way)))
    columns = ("program", "format", "encoding", "median ms", "p99 ms", "to static", "CPU ms", "kB", "scrapes")
    title = f"### {count(sized.series)} series of {count(sized.targets)} targets"
    return f"{title}\n\n{_table(columns, rows)}"


def _scrape_row(name: str, way: Way, scrapes: Scrapes, floor: float) -> tuple[str, ...]:
    times = (f"{scrapes.median * 1e3:.3g}", f"{scrapes.p99 * 1e3:.3g}", f"{scrapes.median / floor:.2f}")
    return (
        name,
        *way,
        *times,
        f"{scrapes.cpu_each * 1e3:.3g}",
        count(scrapes.bytes // 1000),
        str(len(scrapes.seconds)),
    )


def _memory(sizes: list[Sized]) -> str:
    names = list(dict.fromkeys(name for sized in sizes for name in sized.memory))
    rows = []
    for name in names:
        cells = [" / ".join(f"{part / MIB:.0f}" for part in sized.memory.get(name, ())) or "-" for sized in sizes]
        rows.append((name, *cells))
    text = ("text", *(f"{sized.text_bytes / MIB:.1f}" for sized in sizes))
    return _table(("program", *(f"{count(sized.series)} series" for sized in sizes)), [*rows, text])


def _changing(sizes: list[Sized]) -> str:
    rows = []
    for sized in sizes:
        cells = []
        for way in WAYS[:2]:
            warm, changed = sized.scrapes[OURS, way], sized.changed.get(way)
            cells += [f"{warm.median * 1e3:.3g}", f"{changed.median * 1e3:.3g}" if changed else "-"]
        one, many = sized.scrapes[OURS, WAYS[1]].cpu_each, sized.crowd.cpu_each
        rows.append((count(sized.series), *cells, f"{one * 1e3:.3g}", f"{many * 1e3:.3g}"))
    columns = ("series", "text ms", "1 % changed", "gzip ms", "1 % changed", "one scraper: CPU ms", "fifty: CPU ms")
    return _table(columns, rows)


def _polling(polling: Polling) -> str:
    paces = (
        ("bare client", polling.bare),
        ("the same, decoding", polling.decoding),
        (f"{OURS}, answers that say the same", polling.ours),
        (f"{OURS}, each answer something new", polling.moving),
    )
    each = [(name, pace.cpu_each) for name, pace in paces]
    bare, decoding = polling.bare.cpu_each, polling.decoding.cpu_each
    rows = [(name, f"{cpu * 1e6:.0f}", f"{cpu / bare:.2f}", f"{cpu / decoding:.2f}") for name, cpu in each]
    columns = (f"{count(polling.targets)} targets", "CPU µs of a poll", "to bare client", "to bare client, decoding")
    return f"{_table(columns, rows)}\n\nThe body is of {count(polling.page_bytes)} bytes."


def _standing(start: Start, idle: Idle) -> str:
    times = ", ".join(f"{seconds * 1e3:.0f}" for seconds in sorted(start.seconds))
    rows = [
        (f"start to first /metrics with {count(start.targets)} targets", f"{start.median * 1e3:.0f} ms (of {times})"),
        (f"{idle.targets} targets: resident", f"{idle.resident / MIB:.1f} MiB, at most {idle.most / MIB:.1f}"),
        (f"{idle.targets} targets: CPU over {idle.seconds:.0f} s", f"{idle.cpu_share * 100:.3f} % of one core"),
    ]
    return _table(("", ""), rows)


def _growth(growth: list[Grown]) -> str:
    rows = []
    for number, step in enumerate(growth):
        more = ("-", "-", "-")
        if number:
            scrape, resident, cpu = added(growth[number - 1], step)
            more = (f"{scrape * 1e6:.3g}", f"{resident / 1024:.3g}", f"{cpu * 1e6:.0f}")
        absolute = (f"{step.scrape.median * 1e3:.3g}", f"{step.resident / MIB:.1f}", f"{step.poll_cpu * 1e6:.0f}")
        rows.append((count(step.targets), count(step.series), *absolute, *more))
    totals = ("targets", "series", "scrape ms", "resident MiB", "CPU µs of a poll")
    return _table((*totals, "+ scrape µs", "+ KiB", "+ CPU µs"), rows)


def _table(columns: Row, rows: Sequence[Row]) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
