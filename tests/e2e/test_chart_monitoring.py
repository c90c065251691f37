"""What the chart creates for the Prometheus operator, for Grafana's sidecar, and as NetworkPolicy."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import NAME, Rendered, render, values_of
from manifests import rules
from program import ROOT
from test_promtool import promtool


@pytest.mark.parametrize("name", ["tls", "monitoring"])
def test_monitors_keep_job_and_instance_over_a_restart(name: str) -> None:
    rendered = render(values_of(name))
    (monitor,) = rendered.all("ServiceMonitor") + rendered.all("PodMonitor")
    ((endpoint,),) = (monitor["spec"][key] for key in ("endpoints", "podMetricsEndpoints") if key in monitor["spec"])
    job, instance = endpoint["relabelings"][:2]
    assert job == {"targetLabel": "job", "replacement": NAME}
    assert instance == {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"}
    assert endpoint["scheme"] == ("https" if name == "tls" else "http")
    assert ("tlsConfig" in endpoint, "basicAuth" in endpoint) == (name == "tls",) * 2
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["monitoring"]}
    assert 'job="' not in (ROOT / "deploy/alerts.yaml").read_text(), "the alerts take any job"


def test_the_rules_are_those_of_the_repository(tmp_path: Path) -> None:
    paths = rules()
    found = render(values_of("monitoring")).all("PrometheusRule")
    names = [one["metadata"]["name"] for one in found]
    assert names == [f"{NAME}-{path.stem}" for path in paths], "run make manifests"
    for path, one in zip(paths, found, strict=True):
        assert one["spec"] == yaml.safe_load(path.read_text())
        (tmp_path / path.name).write_text(yaml.safe_dump(one["spec"]))
        assert "rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / path.name))


def test_the_dashboards_are_those_of_the_repository() -> None:
    dashboards = {f"{NAME}-{path.name}": json.loads(path.read_text()) for path in (ROOT / "dashboards").glob("*.json")}
    found = [one for one in render(values_of("monitoring")).all("ConfigMap") if "config.yaml" not in one["data"]]
    assert len(found) == len(dashboards) > 0
    for one in found:
        ((name, text),) = one["data"].items()
        assert json.loads(text) == dashboards.pop(name)
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["annotations"] == {"grafana_folder": "Alibaba Cloud"}


def egress(rendered: Rendered) -> list[Any]:
    rules: list[Any] = rendered.one("NetworkPolicy")["spec"]["egress"]
    return rules


METADATA = {"to": [{"ipBlock": {"cidr": "100.100.100.200/32"}}], "ports": [{"port": 80, "protocol": "TCP"}]}


def test_the_network_policy_lets_out_what_the_exporter_calls() -> None:
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    https = {"ports": [{"port": 443, "protocol": "TCP"}]}
    assert egress(render(values_of("rrsa"))) == [dns, https]
    assert egress(render(values_of("monitoring"))) == [dns, https, METADATA]
    assert egress(render(values_of("secret"))) == [dns, https, {"ports": [{"port": 3128, "protocol": "TCP"}]}]
    values = values_of("secret")
    values["config"]["accounts"][1]["credentials"] = {"provider": "ecs_ram_role"}
    assert METADATA in egress(render(values))


def test_the_network_policy_lets_in_what_it_names() -> None:
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    (rule,) = render(values_of("monitoring")).one("NetworkPolicy")["spec"]["ingress"]
    assert rule == {"from": [monitoring], "ports": [{"port": "http", "protocol": "TCP"}]}
    (rule,) = render(values_of("rrsa")).one("NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == values_of("rrsa")["networkPolicy"]["from"]
