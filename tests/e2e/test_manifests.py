"""What is written from the chart is up to date: the plain manifest, and the table in the chart's README."""

import re
from pathlib import Path

import pytest
import yaml

import manifests
from chart import CHART, hold, render
from program import ROOT

COMMAND = "is out of date: run make manifests"


def test_the_manifest_is_what_the_chart_renders() -> None:
    assert manifests.MANIFEST.read_text() == manifests.manifest(), f"deploy/kubernetes {COMMAND}"


def test_the_manifest_is_as_kubernetes_wants_it() -> None:
    objects = list(yaml.safe_load_all(manifests.MANIFEST.read_text()))
    assert [one["kind"] for one in objects] == manifests.KINDS
    for one in objects:
        hold(one)
        assert "Helm" not in str(one)


def test_the_table_has_every_value() -> None:
    assert manifests.README.read_text() == manifests.readme(), f"the chart's README {COMMAND}"
    keys = [key for key, _, _ in manifests.described()]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert len(keys) == len(set(keys))
    assert {key.partition(".")[0] for key in keys} == values.keys()


def test_a_value_without_a_comment_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (CHART / "values.yaml").read_text()
    (tmp_path / "values.yaml").write_text(text + "more: 1\n")
    monkeypatch.setattr(manifests, "CHART", tmp_path)
    with pytest.raises(AssertionError, match="more has no comment"):
        list(manifests.described())


DOCUMENT = (ROOT / "docs/kubernetes.md").read_text()


def test_the_document_names_what_is_there() -> None:
    for name in ("deploy/kubernetes", "deploy/helm/aliyun-task-exporter", "deploy/compose"):
        assert (ROOT / name).is_dir()
        assert name in DOCUMENT
    assert "docs/kubernetes.md" in (ROOT / "README.md").read_text()
    assert "docs/zh-CN/kubernetes.md" in (ROOT / "README.zh-CN.md").read_text()


def test_the_values_in_the_document_work() -> None:
    first, *others = (
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    )
    rendered = render(first, release="tasks")
    kinds = {"ServiceMonitor", "PrometheusRule", "ConfigMap", "Service", "ServiceAccount", "StatefulSet"}
    assert {one["kind"] for one in rendered.objects} == kinds
    name = rendered.one("StatefulSet")["metadata"]["name"]
    (claim,) = rendered.one("StatefulSet")["spec"]["volumeClaimTemplates"]
    for named in (f"exec {name}-0", f"--service-account {name} ", f"delete pvc {claim['metadata']['name']}-{name}-0"):
        assert named in DOCUMENT
    accounts, rrsa = others
    accounts["config"] |= {"swas": first["config"]["swas"]}
    assert len(render(first | accounts).config["accounts"]) == 2
    (account,) = render(first | {"credentials": {}} | rrsa).config["accounts"]
    assert account["credentials"] == {"provider": "oidc"}
