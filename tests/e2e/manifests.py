"""Writes what is made for and from the chart: its links to rules, its README's table of values, and the manifest."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from chart import CHART, render
from program import ROOT

MANIFEST = ROOT / "deploy/kubernetes/aliyun-task-exporter.yaml"
MANIFEST_VALUES = ROOT / "deploy/kubernetes/values.yaml"
README = CHART / "README.md"

HEADER = """\
# aliyun-task-exporter in Kubernetes without Helm. `make manifests` writes this file from the chart (deploy/helm) and
# values.yaml beside it. Before `kubectl apply`:
#
# - build the image, push it, and put its name below: image
# - put your targets below: config.yaml
# - kubectl create namespace monitoring
# - kubectl --namespace monitoring create secret generic aliyun --from-file=access-key-id --from-file=access-key-secret
#
# docs/kubernetes.md explains the rest.
"""

# Labels that say that Helm manages an object.
OF_HELM = re.compile(r"^ +(app\.kubernetes\.io/managed-by|helm\.sh/chart): .*\n", re.MULTILINE)

KINDS = ["ServiceAccount", "ConfigMap", "Service", "StatefulSet"]

BEGIN, END = "<!-- values: written by make manifests -->\n", "<!-- end of values -->\n"


RULES = CHART / "files/rules"


def rules() -> list[Path]:
    """The repository's files of Prometheus rules."""
    return [path for path in sorted((ROOT / "deploy").glob("*.yaml")) if "groups" in yaml.safe_load(path.read_text())]


def link_rules() -> None:
    """Helm reads no file outside the chart, but follows a link."""
    for path in rules():
        link = RULES / path.name
        if not link.is_symlink():
            link.symlink_to(Path("../../../..") / path.name)


def manifest() -> str:
    rendered = render(yaml.safe_load(MANIFEST_VALUES.read_text()))
    parts = {yaml.safe_load(text)["kind"]: text.strip() for text in rendered.texts.values() if text.strip()}
    assert sorted(parts) == sorted(KINDS), "each kind once"
    return OF_HELM.sub("", HEADER + "".join(f"---\n{parts[kind]}\n" for kind in KINDS))


def readme() -> str:
    """The README with its table renewed."""
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    rows = [f"| `{key}` | `{default}` | {text} |\n" for key, default, text in described()]
    return before + BEGIN + "\n| value | default | meaning |\n|---|---|---|\n" + "".join(rows) + "\n" + END + after


def described() -> Iterator[tuple[str, str, str]]:
    """Each value with its default and its comment, the one after `# --`; every value must have one, or its parts."""
    text = (CHART / "values.yaml").read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    yield from _described(root, text.splitlines(), "")


def _described(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        comment = _comment(lines, key.start_mark.line)
        if comment:
            yield name, _default(value), comment
        else:
            assert isinstance(value, yaml.MappingNode), f"values.yaml: {name} has no comment"
            assert value.value, f"values.yaml: {name} has no comment"
            yield from _described(value, lines, f"{name}.")


def _comment(lines: list[str], line: int) -> str:
    """The comment that ends above a line, if it begins with `# --`."""
    above: list[str] = []
    while line > 0 and (text := lines[line - 1].strip()).startswith("#"):
        above.insert(0, text.lstrip("# "))
        if text.startswith("# -- "):
            return " ".join(above).removeprefix("-- ").replace("|", "\\|")
        line -= 1
    return ""


def _default(node: yaml.Node) -> str:
    """A value in one line."""
    value = yaml.SafeLoader("").construct_document(node)
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("\n...\n").strip()


def main() -> None:
    link_rules()
    MANIFEST.write_text(manifest())
    README.write_text(readme())


if __name__ == "__main__":
    main()
