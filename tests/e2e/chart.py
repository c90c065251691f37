"""The Helm chart, rendered by Helm itself, and its objects, held by Kubernetes' own schemas."""

import base64
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from helm_python import Chart
from kubernetes_validate import validate

from operator_schemas import OPERATOR
from program import ROOT

CHART = ROOT / "deploy/helm/aliyun-task-exporter"
# The names of the examples in ci/.
EXAMPLES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir())
NAME = "aliyun-task-exporter"

# The oldest version that the chart allows, and the newest with a schema.
VERSIONS = ("1.29.0", "1.37.0")

Object = dict[str, Any]
Values = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """What a release would consist of."""

    texts: dict[str, str]
    notes: str

    @property
    def objects(self) -> list[Object]:
        return [found for text in self.texts.values() for found in yaml.safe_load_all(text) if found]

    def all(self, kind: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, ending: str = "") -> Object:
        """The only object of a kind whose name ends so."""
        (found,) = (one for one in self.all(kind) if one["metadata"]["name"].endswith(ending))
        return found

    @property
    def pod(self) -> Object:
        spec: Object = self.one("StatefulSet")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        (container,) = self.pod["containers"]
        found: Object = container
        return found

    @property
    def config(self) -> Any:
        """The exporter's configuration."""
        (text,) = (one["data"]["config.yaml"] for one in self.all("ConfigMap") if "config.yaml" in one["data"])
        return yaml.safe_load(text)


def render(values: Values, chart: Path = CHART, release: str = NAME, namespace: str = "monitoring") -> Rendered:
    """Raises if a template fails, or if the schema refuses the values."""
    with Chart.load(chart) as loaded:
        texts = loaded.render(values, name=release, namespace=namespace)
    named = {Path(path).name: text for path, text in texts.items()}
    notes = named.pop("NOTES.txt")
    return Rendered({name: text for name, text in named.items() if not name.startswith("_")}, notes)


def values_of(name: str) -> Values:
    """The values of an example."""
    found: Values = yaml.safe_load((CHART / f"ci/{name}-values.yaml").read_text())
    return found


def hold(thing: Object) -> None:
    """Raises if the object is not as Kubernetes, or the Prometheus operator, wants it."""
    if thing["apiVersion"] == "monitoring.coreos.com/v1":
        jsonschema.validate(thing, OPERATOR[thing["kind"]])
        return
    for version in VERSIONS:
        assert validate(thing, version, strict=True) == version.rpartition(".")[0]


def secret_data(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def program_version() -> str:
    """The program's version."""
    version: str = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    return version


def size(thing: Object) -> int:
    """The size of an object, as JSON."""
    return len(json.dumps(thing).encode())
