"""Tables: a query for the rows, and one for each column that is not a label of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from grafana.model import PLAIN, Json, Link, Panel, Query, override, steps

# Rows of a table at most.
TOP = 100


@dataclass(frozen=True)
class Column:
    """A column: a label of the rows or of the query `expr`; without a label, the value of either."""

    title: str
    label: str = ""
    expr: str = ""
    width: int | None = None
    properties: dict[str, Any] = field(default_factory=dict)


def label(
    name: str, title: str, width: int | None = None, links: Iterable[Link] = (), expr: str = "", **properties: Any
) -> Column:
    """A label of the rows, or of the query `expr`."""
    if entries := [link.json() for link in links]:
        properties["links"] = entries
    return Column(title, name, expr, width, {"custom__filterable": True} | properties)


def value(title: str, expr: str = "", width: int | None = None, unit: str = "none", **properties: Any) -> Column:
    """The value of a query with the labels by which rows are told apart; of the rows' own query if `expr` is empty."""
    return Column(title, expr=expr, width=width, properties={"unit": unit} | properties)


def status(mappings: Json, name: str = "status", title: str = "Status", width: int = 110) -> Column:
    """A status as a coloured cell."""
    cell = {"type": "color-background", "mode": "basic"}
    return label(name, title, width, mappings=[mappings], custom__cellOptions=cell, custom__align="center")


def bar(title: str, expr: str = "", width: int | None = None, unit: str = "percentunit", **properties: Any) -> Column:
    """A share as a bar with its figure."""
    cell = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
    shown = {"min": 0, "max": 1, "decimals": 0, "custom__cellOptions": cell, "color": {"mode": "thresholds"}}
    return value(title, expr, width, unit, **(shown | properties))


def counted(title: str, expr: str = "", width: int = 90, color: str = "red", **properties: Any) -> Column:
    """A count that is coloured from one on."""
    cell = {"type": "color-text"}
    thresholds = steps((None, "text"), (1, color))
    return value(title, expr, width, custom__cellOptions=cell, thresholds=thresholds, **properties)


def exit_code(expr: str, width: int = 120) -> Column:
    """An exit code: all digits and the sign; anything but 0 is red."""
    cell = {"type": "color-text"}
    thresholds = steps((None, "red"), (0, "text"), (1, "red"))
    return value("Exit code", expr, width, decimals=0, custom__cellOptions=cell, thresholds=thresholds)


def moment(title: str, expr: str, width: int = 140) -> Column:
    """How long ago something was; `expr` is a Unix time in seconds."""
    return value(title, f"1000 * ({expr})", width, "dateTimeFromNow")


def duration(title: str, expr: str = "", width: int = 100, **properties: Any) -> Column:
    return value(title, expr, width, "s", **({"decimals": 1} | properties))


def table(
    title: str,
    description: str,
    rows: str,
    columns: Iterable[Column],
    hidden: Iterable[str] = (),
    sort: str = "",
    ascending: bool = False,
    limit: int = TOP,
    nothing: str = "",
) -> Panel:
    """A table whose rows are sorted by their own value, or by the column `sort`; the labels `hidden` are for links, and
    `nothing` is what it says without rows."""
    columns = list(columns)
    exprs = {"rows": rows} | {f"c{index}": column.expr for index, column in enumerate(columns) if column.expr}
    own = "Value #rows" if len(exprs) > 1 else "Value"
    fields = [_field(column, index, own) for index, column in enumerate(columns)]
    values = [f"Value #{ref}" for ref in exprs if len(exprs) > 1]
    titles = {name: column.title for name, column in zip(fields, columns, strict=True)}
    by = next((name for name, title in titles.items() if title == sort), own)
    transformations: list[Json] = [
        {"id": "merge", "options": {}},
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": by, "desc": not ascending}]}},
        {"id": "limit", "options": {"limitField": limit}},
        _organize([*fields, *hidden], titles, excluded={"Time", own, *values} - set(fields)),
    ]
    overrides = [_override(column) for column in columns]
    overrides += [override(name, custom__hideFrom={"viz": True}, custom__hidden=True) for name in hidden]
    queries = {ref: Query(expr, table=True) for ref, expr in exprs.items()}
    return Panel("table", title, description, queries, _defaults(nothing), _OPTIONS, overrides, transformations)


def _field(column: Column, index: int, own: str) -> str:
    """The name that Grafana gives to the field of a column."""
    return column.label or (f"Value #c{index}" if column.expr else own)


def _organize(order: list[str], titles: dict[str, str], excluded: set[str]) -> Json:
    options = {
        "indexByName": {name: index for index, name in enumerate(order)},
        "renameByName": titles,
        "excludeByName": dict.fromkeys(sorted(excluded), True),
        "includeByName": {},
    }
    return {"id": "organize", "options": options}


def _override(column: Column) -> Json:
    width = {} if column.width is None else {"custom__width": column.width}
    return override(column.title, **width, **column.properties)


def _defaults(nothing: str) -> Json:
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "minWidth": 50}
    return {"unit": "none", "color": {"mode": "thresholds"}, "thresholds": PLAIN, "custom": custom, "noValue": nothing}


_OPTIONS: Json = {"cellHeight": "sm", "enablePagination": False, "showHeader": True, "sortBy": []}
