"""Serves a page's series from a registry of prometheus_client: `client_python.py PORT PAGE`.

Histograms are registered as the series they are made of.
"""

import sys
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server


def load(page: Path) -> CollectorRegistry:
    """A registry with every series of the page and its value."""
    registry = CollectorRegistry()
    families: dict[str, Gauge] = {}
    text = ""
    with page.open() as lines:
        for line in lines:
            if line.startswith("# HELP "):
                text = line.split(" ", 3)[3].strip()
            if line.startswith("#"):
                continue
            series, value = line.rsplit(" ", 1)
            name, labels = taken_apart(series)
            if name not in families:
                families[name] = Gauge(name, text, list(labels), registry=registry)
            family = families[name].labels(**labels) if labels else families[name]
            family.set(float(value))
    return registry


def taken_apart(series: str) -> tuple[str, dict[str, str]]:
    """Splits a series; what the exporter writes is never escaped here, and has no spaces between labels."""
    name, _, inner = series.partition("{")
    pairs = inner.removesuffix('"}').split('",') if inner else []
    return name, {key: value for key, _, value in (pair.partition('="') for pair in pairs)}


if __name__ == "__main__":
    start_http_server(int(sys.argv[1]), addr="127.0.0.1", registry=load(Path(sys.argv[2])))
    threading.Event().wait()
