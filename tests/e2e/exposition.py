"""Parses /metrics line by line."""

import re
from collections import Counter

from web import request

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"

# The name of a metric, and its labels sorted by name.
Series = tuple[str, tuple[tuple[str, str], ...]]
Samples = dict[Series, float]

LINE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def series(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


def scrape(url: str, accept: str = TEXT) -> str:
    return request(f"{url}/metrics", Accept=accept).text


def lines(page: str) -> list[tuple[Series, float]]:
    """All sample lines; raises if one cannot be read."""
    return [_line(line) for line in page.splitlines() if line and not line.startswith("#")]


def samples(page: str) -> Samples:
    """The samples of a page; none may occur twice."""
    read = lines(page)
    twice = [name for name, count in Counter(name for name, _ in read).items() if count > 1]
    assert not twice, f"these stand twice: {twice[:5]}"
    return dict(read)


def family(page: Samples, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {labels: value for (metric, labels), value in page.items() if metric == name}


def _line(line: str) -> tuple[Series, float]:
    match = LINE.fullmatch(line)
    assert match, f"not a sample line: {line!r}"
    name, labels, value = match.groups()
    unescaped = {key: _unescape(text) for key, text in LABEL.findall(labels or "")}
    if name.endswith("_bucket") and "le" in unescaped:
        unescaped["le"] = str(float(unescaped["le"]))  # OpenMetrics writes 1.0 where the text format has 1.
    return series(name, **unescaped), float(value)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), text)
