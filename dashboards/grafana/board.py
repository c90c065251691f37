"""A dashboard: variables, rows of panels, links, annotations."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from grafana.model import DATASOURCE, Json, Panel

WIDTH = 24
TAG = "aliyun-task-exporter"
RUNBOOKS = "https://github.com/aliyun-task-exporter/aliyun-task-exporter/blob/main/docs/alerts.md"
_PANELS = {
    "state-timeline": "State timeline",
    "stat": "Stat",
    "table": "Table",
    "timeseries": "Time series",
}


@dataclass
class Board:
    """A dashboard under construction."""

    uid: str
    title: str
    description: str
    variables: list[Json]
    annotations: list[Json] = field(default_factory=list)
    panels: list[Json] = field(default_factory=list)
    _below: int = 0

    def row(self, title: str) -> None:
        """A heading for the panels that follow."""
        place = {"x": 0, "y": self._below, "w": WIDTH, "h": 1}
        number = len(self.panels) + 1
        heading: Json = {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        self.panels.append(heading)
        self._below += 1

    def add(self, height: int, *panels: Panel, widths: Iterable[int] = ()) -> None:
        """Panels side by side, of equal width unless `widths` says otherwise."""
        sizes = list(widths) or [WIDTH // len(panels)] * len(panels)
        if sum(sizes) > WIDTH:
            raise ValueError(f"{self.title}: {[panel.title for panel in panels]} are wider than {WIDTH}")
        left = 0
        for panel, width in zip(panels, sizes, strict=True):
            place = {"x": left, "y": self._below, "w": width, "h": height}
            self.panels.append(panel.json(len(self.panels) + 1, place))
            left += width
        self._below += height

    def json(self) -> Json:
        return {
            "__inputs": [],
            "__requires": self._requires(),
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["alibaba-cloud", "e-hpc", "swas", TAG],
            "schemaVersion": 39,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "refresh": "1m",
            "timezone": "browser",
            "weekStart": "",
            "time": {"from": "now-6h", "to": "now"},
            "timepicker": {},
            "annotations": {"list": [_BUILT_IN, *self.annotations]},
            "links": _LINKS,
            "templating": {"list": self.variables},
            "panels": self.panels,
        }

    def _requires(self) -> list[Json]:
        kinds = sorted({panel["type"] for panel in self.panels} - {"row"})
        return [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "11.0.0"},
            {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
            *({"type": "panel", "id": kind, "name": _PANELS[kind], "version": ""} for kind in kinds),
        ]


_BUILT_IN: Json = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}

_LINKS: list[Json] = [
    {
        "title": "Dashboards",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    },
    {
        "title": "Status page",
        "type": "link",
        "url": "${status_page:raw}/",
        "icon": "dashboard",
        "tooltip": "The exporter's own page",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    },
    {
        "title": "Runbooks",
        "type": "link",
        "url": RUNBOOKS,
        "icon": "doc",
        "tooltip": "What each alert means and what to do",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    },
]


def annotation(name: str, expr: str, color: str, title: str, tags: str) -> Json:
    """Marks at moments: the values of `expr` are Unix times in milliseconds."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": expr,
        "step": "60s",
        "titleFormat": title,
        "tagKeys": tags,
        "textFormat": "",
        "useValueForTime": True,
    }
