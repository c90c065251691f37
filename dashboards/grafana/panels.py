"""Panels other than tables."""

from collections.abc import Iterable
from typing import Any

from grafana.model import NEUTRAL, Json, Link, Panel, Query, fixed, lettered, override

# Enough for the eye, and a bound for Prometheus: each point costs an evaluation.
_POINTS: Json = {"maxDataPoints": 120}
# What is not known has no colour of good or bad.
_NOTHING: Json = {
    "type": "special",
    "options": {"match": "null", "result": {"text": "n/a", "color": "text", "index": 99}},
}
_REDUCE: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "locale",
    thresholds: Json = NEUTRAL,
    decimals: int | None = None,
    mappings: Iterable[Json] = (),
    links: Iterable[Link] = (),
) -> Panel:
    """One figure, or a few of the same unit side by side."""
    defaults: Json = {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "thresholds": thresholds,
        "mappings": [*mappings, _NOTHING],
        "links": [link.json() for link in links],
        "noValue": "n/a",
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    options: Json = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": _REDUCE,
        "showPercentChange": False,
        "textMode": "value_and_name" if len(queries) > 1 else "value",
        "wideLayout": True,
    }
    return Panel("stat", title, description, lettered(queries), defaults, options)


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    colors: dict[str, str] | None = None,
    stacked: bool = False,
    bars: bool = False,
    legend: bool = True,
    dashed: Iterable[str] = (),
    least: float | None = 0,
    most: float | None = None,
    decimals: int | None = None,
    more: Json | None = None,
    thresholds: Json | None = None,
) -> Panel:
    """Values over time, as lines or bars; `colors` by the name of the series, the names in `dashed` are limits."""
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else (35 if stacked else 0),
        "lineWidth": 0 if bars else 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked or bars else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
        "axisSoftMax": 1,
    }
    defaults: Json = {"unit": unit, "color": {"mode": "palette-classic-by-name"}, "custom": custom, "noValue": ""}
    if thresholds:
        defaults["thresholds"] = thresholds
    limits = {"min": least, "max": most, "decimals": decimals}
    defaults |= {name: value for name, value in limits.items() if value is not None}
    options: Json = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": legend, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    overrides = [override(name, color=fixed(color)) for name, color in (colors or {}).items()]
    overrides += [_dashed(pattern) for pattern in dashed]
    return Panel(
        "timeseries", title, description, lettered(queries), defaults, options, overrides, more=_POINTS | (more or {})
    )


def _dashed(pattern: str) -> Json:
    style = {"fill": "dash", "dash": [6, 4]}
    properties: list[Json] = [
        {"id": "custom.lineStyle", "value": style},
        {"id": "custom.fillOpacity", "value": 0},
        {"id": "custom.stacking", "value": {"mode": "none"}},
    ]
    return {"matcher": {"id": "byRegexp", "options": pattern}, "properties": properties}


def state_timeline(
    title: str, description: str, *queries: Query, mappings: Iterable[Json], links: Iterable[Link] = (), **more: Any
) -> Panel:
    """The course of a state for each series; the mapping gives its text and colour, so there is no legend."""
    defaults: Json = {
        "unit": "none",
        "color": {"mode": "thresholds"},
        "mappings": list(mappings),
        "links": [link.json() for link in links],
        "custom": {"fillOpacity": 85, "lineWidth": 0},
        "thresholds": NEUTRAL,
        "noValue": "",
    }
    options: Json = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return Panel("state-timeline", title, description, lettered(queries), defaults, options, more=_POINTS | more)
