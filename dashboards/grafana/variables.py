"""Variables of a dashboard."""

from collections.abc import Iterable

from grafana.model import DATASOURCE, Json

_EVERY: Json = {"selected": True, "text": ["All"], "value": ["$__all"]}
# Kinds of a Prometheus variable in Grafana's editor.
_LABEL_VALUES, _QUERY_RESULT = 1, 3
_ALPHABETICAL, _NATURAL = 1, 7
_ON_TIME_CHANGE = 2
_SHOWN: Json = {"hide": 0, "skipUrlSync": False}
# One value, which Grafana has yet to look up.
_ONE: Json = {"multi": False, "includeAll": False, "current": {}, "options": [], **_SHOWN}


def datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Data Source",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "refresh": 1,
    } | _ONE


def label_values(name: str, title: str, selector: str, label: str) -> Json:
    """Values of a label, any number of them."""
    return _query(name, title, f"label_values({selector}, {label})", _LABEL_VALUES) | _several()


def named(name: str, title: str, expr: str, id_label: str, name_label: str) -> Json:
    """The ids that an expression has, each shown by its name; any number of them."""
    parts = {id_label: f'{id_label}="(?<value>[^"]+)"', name_label: f'{name_label}="(?<text>[^"]+)"'}
    pattern = "/" + ".*".join(parts[part] for part in sorted(parts)) + "/"
    variable = _query(name, title, f"query_result({expr})", _QUERY_RESULT, pattern)
    return variable | _several() | {"sort": _NATURAL}


def single(name: str, title: str, expr: str, label: str) -> Json:
    """One value of a label, which the user may replace by any text."""
    pattern = f'/{label}="([^"]+)"/'
    return _query(name, title, f"query_result({expr})", _QUERY_RESULT, pattern) | {"allowCustomValue": True}


def words(name: str, title: str, choices: tuple[str, ...], chosen: Iterable[str] = ()) -> Json:
    """Fixed words, any number of them; those `chosen` at first, or all."""
    current = list(chosen)
    options = [{"selected": word in current, "text": word, "value": word} for word in choices]
    every = {"selected": not current, "text": "All", "value": "$__all"}
    return {
        "name": name,
        "label": title,
        "type": "custom",
        "query": ",".join(choices),
        "options": [every, *options],
        **_SHOWN,
        **_several(),
        **({"current": {"selected": True, "text": current, "value": current}} if current else {}),
    }


def _several() -> Json:
    return {"multi": True, "includeAll": True, "allValue": ".+", "current": _EVERY}


def _query(name: str, title: str, query: str, kind: int, regex: str = "") -> Json:
    return {
        "name": name,
        "label": title,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "qryType": kind, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "definition": query,
        "refresh": _ON_TIME_CHANGE,
        "sort": _ALPHABETICAL,
        "regex": regex,
    } | _ONE
