"""What every panel is made of: queries, field options, links."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """A query of a panel; `legend` names its series."""

    expr: str
    legend: str = "__auto"
    instant: bool = True
    table: bool = False

    def json(self, ref: str) -> Json:
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": self.expr,
            "format": "table" if self.table else "time_series",
            "instant": self.instant,
            "legendFormat": self.legend,
            "range": not self.instant,
            "refId": ref,
        }


def over_time(expr: str, legend: str = "__auto") -> Query:
    """A query over the time range of the dashboard."""
    return Query(expr, legend, instant=False)


@dataclass(frozen=True)
class Link:
    """A link of a panel's values; its address may use `${__data.fields.NAME}`."""

    title: str
    url: str
    new_tab: bool = False

    def json(self) -> Json:
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


@dataclass(frozen=True)
class Panel:
    """A panel without its place."""

    kind: str
    title: str
    description: str
    queries: dict[str, Query]
    defaults: Json
    options: Json
    overrides: list[Json] = field(default_factory=list)
    transformations: list[Json] = field(default_factory=list)
    more: Json = field(default_factory=dict)

    def json(self, number: int, place: Json) -> Json:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": place,
            "targets": [query.json(ref) for ref, query in self.queries.items()],
            "fieldConfig": {"defaults": self.defaults, "overrides": self.overrides},
            "options": self.options,
            "transformations": self.transformations,
            **self.more,
        }


def lettered(queries: Iterable[Query]) -> dict[str, Query]:
    """Queries under the names A, B, C and so on."""
    return dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", queries, strict=False))


def steps(*limits: tuple[float | None, str]) -> Json:
    """Thresholds: from each value on, this colour."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in limits]}


PLAIN = steps((None, "text"))
# A count of which any is bad, one of which any is worth a look, and a share of what is good.
BAD_FROM_ONE = steps((None, "green"), (1, "red"))
LOOK_FROM_ONE = steps((None, "green"), (1, "orange"))
GOOD_SHARE = steps((None, "red"), (0.9, "orange"), (0.99, "green"))
NEUTRAL = steps((None, "blue"))


def override(field_name: str, **properties: Any) -> Json:
    """Options of one field; double underscores stand for dots."""
    entries = [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
    return {"matcher": {"id": "byName", "options": field_name}, "properties": entries}


def fixed(color: str) -> Json:
    return {"mode": "fixed", "fixedColor": color}
