"""What the Prometheus operator's API takes, as far as the chart uses it, by hand: its objects have no schema elsewhere.

Source: https://prometheus-operator.dev/docs/api-reference/api/
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
LABELS: Schema = {"type": "object", "additionalProperties": TEXT}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}


def struct(*required: str, **properties: Schema) -> Schema:
    """An object with these keys and no others."""
    return {"type": "object", "additionalProperties": False, "required": [*required], "properties": properties}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


KEY = struct("name", "key", name=TEXT, key=TEXT)
SECRET_OR_CONFIG_MAP = struct(secret=KEY, configMap=KEY)

RELABELING = struct(
    action={"enum": ["replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep", "hashmod"]},
    regex=TEXT,
    replacement=TEXT,
    separator=TEXT,
    sourceLabels=array({"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}),
    targetLabel={"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
)

ENDPOINT = struct(
    "port",
    port=TEXT,
    scheme={"enum": ["http", "https"]},
    interval=DURATION,
    scrapeTimeout=DURATION,
    tlsConfig=struct(
        ca=SECRET_OR_CONFIG_MAP,
        cert=SECRET_OR_CONFIG_MAP,
        keySecret=KEY,
        serverName=TEXT,
        insecureSkipVerify={"type": "boolean"},
    ),
    basicAuth=struct("username", "password", username=KEY, password=KEY),
    relabelings=array(RELABELING),
    metricRelabelings=array(RELABELING),
)

NAMESPACES = struct("matchNames", matchNames=array(TEXT))
SELECTOR = struct("matchLabels", matchLabels=LABELS)

# What is in the groups is promtool's to judge.
GROUP = struct("name", "rules", name=TEXT, rules=array({"type": "object"}), interval=DURATION)


def custom(kind: str, spec: Schema) -> Schema:
    return struct(
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=struct("name", "namespace", "labels", name=TEXT, namespace=TEXT, labels=LABELS),
        spec=spec,
    )


def monitor(kind: str, endpoints: str) -> Schema:
    keys = {"namespaceSelector": NAMESPACES, "selector": SELECTOR, endpoints: array(ENDPOINT)}
    return custom(kind, struct(*keys, **keys))


OPERATOR: dict[str, Schema] = {
    "ServiceMonitor": monitor("ServiceMonitor", "endpoints"),
    "PodMonitor": monitor("PodMonitor", "podMetricsEndpoints"),
    "PrometheusRule": custom("PrometheusRule", struct("groups", groups=array(GROUP))),
}
