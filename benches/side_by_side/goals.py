"""The exporter's goals, and whether it reaches them."""

from figures import Figures, added, count, floor
from machine import MIB
from scraping import OURS, WAYS, Sized
from standing import Grown

Row = tuple[str, str, str, str]


def rows(figures: Figures) -> list[Row]:
    """Each goal, its limit, the measured value, and whether it is reached."""
    polling, start, idle = figures.polling, figures.start, figures.idle
    found: list[Row] = []
    for sized in figures.sizes:
        for way in WAYS:
            ours, static = sized.scrapes[OURS, way].median, floor(sized, way)
            name = f"warm scrape, {count(sized.series)} series, {' '.join(way)}"
            found.append(_goal(name, ours * 1e3, static * 1.2e3 + 1, "ms"))
        found += _size_goals(sized)
    limit = polling.decoding.cpu_each * 2e6
    found.append(_goal("CPU of a poll, each answer something new", polling.moving.cpu_each * 1e6, limit, "µs"))
    found.append(_goal(f"start with {count(start.targets)} targets", start.median * 1e3, 150, "ms"))
    found.append(_goal(f"memory with {idle.targets} targets", idle.resident / MIB, 12, "MiB"))
    found.append(_goal(f"CPU with {idle.targets} targets", idle.cpu_share * 100, 0.2, "% of a core"))
    return found + _growth_goals(figures.growth)


def _size_goals(sized: Sized) -> list[Row]:
    series, whole = f"{count(sized.series)} series", sized.whole
    compressed = sized.scrapes[OURS, ("text", "gzip")]
    found = [_goal(f"compressed size, {series}, to the whole", compressed.bytes / whole.bytes, 1.1, "times")]
    if sized.changed:
        text, gzip = (sized.changed[way].median for way in WAYS[:2])
        limit = floor(sized, WAYS[0]) * 2.5e3
        found.append(_goal(f"scrape after 1 % changed, {series}, identity", text * 1e3, limit, "ms"))
        limit = whole.seconds * 0.2e3
        found.append(_goal(f"scrape after 1 % changed, {series}, gzip", gzip * 1e3, limit, "ms"))
    one, many = compressed.cpu_each * 1e3, sized.crowd.cpu_each * 1e3
    found.append(_goal(f"CPU of a scrape with 50 scrapers, {series}", many, one, "ms"))
    limit = 2.5 * sized.text_bytes / MIB + 12
    found.append(_goal(f"memory at {series}", sized.memory[OURS][0] / MIB, limit, "MiB"))
    return found


def _growth_goals(growth: list[Grown]) -> list[Row]:
    if len(growth) < 3:
        return []
    first, middle, last = growth[-3:]
    early, late = added(first, middle), added(middle, last)
    return [
        _flat("a further target in a scrape", early[0], late[0]),
        _flat("a further target in memory", early[1], late[1]),
        _flat("CPU of a poll", middle.poll_cpu, last.poll_cpu),
    ]


def _flat(what: str, early: float, late: float) -> Row:
    name = f"growth: {what}, the last step to the one before"
    if early <= 0:
        return name, "\u2264 1.1", "nothing to compare with", "**not measured**"
    return _goal(name, late / early, 1.1, "times")


def _goal(name: str, measured: float, limit: float, unit: str) -> Row:
    return name, f"≤ {limit:.3g} {unit}", f"{measured:.3g} {unit}", "reached" if measured <= limit else "**missed**"
