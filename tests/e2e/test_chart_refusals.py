"""Values that the chart refuses, and faults in the chart that its tests must find."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from helm_python import lint
from helm_python.errors import HelmError
from kubernetes_validate import ValidationError

from chart import CHART, Rendered, Values, hold, render, values_of
from program import ROOT
from test_promtool import promtool

SWAS = {"swas": {"discovery": [{"regions": ["cn-hangzhou"]}]}}
SECRET = {"existingSecret": "aliyun"}
PASSWORDS = {"content": {"basic_auth_users": {"prometheus": "$2y$10$x"}}}


def account(**more: Any) -> Values:
    return {"config": SWAS | {"accounts": [{"name": "default", **more}]}}


REFUSED: dict[str, tuple[Values, str]] = {
    "nothing to poll": ({}, "there is nothing to poll"),
    "an empty configuration": ({"config": {"poll": {"interval": "1m"}}}, "there is nothing to poll"),
    "a second replica": ({"config": SWAS, "replicaCount": 2}, "replicaCount"),
    "a misspelt value": ({"config": SWAS, "persistance": {}}, "persistance"),
    "a misspelt section of the configuration": ({"config": SWAS | {"pol": {}}}, "pol"),
    "both a Secret and RRSA": ({"config": SWAS, "credentials": SECRET, "rrsa": {"roleName": "r"}}, "both set"),
    "an ARN for the name of a role": ({"config": SWAS, "rrsa": {"roleName": "acs:ram::1:role/r"}}, "roleName"),
    "RRSA without a service account of its own": (
        {"config": SWAS, "rrsa": {"roleName": "r"}, "serviceAccount": {"create": False, "name": "x"}},
        "serviceAccount.create",
    ),
    "two Secrets": ({"config": SWAS, "credentials": SECRET | {"secretData": {"access-key-id": "x"}}}, "both set"),
    "an empty secret": ({"config": SWAS, "credentials": {"secretData": {"access-key-id": ""}}}, "access-key-id"),
    "a secret in the ConfigMap": (account(credentials={"access_key_secret": "s3cret"}), "access_key_secret"),
    "a token in the ConfigMap": (account(credentials={"security_token": "s3cret"}), "security_token"),
    "a proxy's password in the ConfigMap": (account(proxy={"password": "s3cret"}), "password"),
    "a proxy's password in its URL": (account(proxy={"url": "http://u:s3cret@proxy"}), "url"),
    "a place for the state": ({"config": SWAS | {"state": {"path": "/tmp/x"}}}, "config.state.path"),
    "a folder for the state": ({"config": SWAS | {"state": {"folder": "/tmp"}}}, "config.state.folder"),
    "probes that are locked out": (
        {"config": SWAS | {"web": {"open_health": False}}, "webConfig": PASSWORDS},
        "open_health",
    ),
    "a certificate that is not used": ({"config": SWAS, "webConfig": PASSWORDS | {"tlsSecret": "t"}}, "tlsSecret"),
    "TLS without a web configuration": ({"config": SWAS, "webConfig": {"https": True}}, "webConfig.existingSecret"),
    "two web configurations": ({"config": SWAS, "webConfig": PASSWORDS | {"existingSecret": "w"}}, "both set"),
    "a misspelt web configuration": ({"config": SWAS, "webConfig": {"content": {"basic_auth": {}}}}, "basic_auth"),
    "a Lease without a standby": ({"config": SWAS | {"state": {"lease": {"duration": "30s"}}}}, "config.state.lease"),
    "another Lease": (
        {"config": SWAS | {"state": {"lease": {"name": "x"}}}, "standby": True},
        "except for its duration",
    ),
    "a standby on one file": ({"config": SWAS | {"state": {"wait": True}}, "standby": True}, "config.state.wait"),
    "a standby on one volume": (
        {"config": SWAS, "standby": True, "persistence": {"existingClaim": "x"}},
        "persistence.existingClaim",
    ),
    "a Secret for no standby": ({"config": SWAS, "standbySecret": "x"}, "set standby"),
    "a standby of a demo": ({"demo": True, "standby": True}, "remove standby"),
    "a demo with a configuration": ({"demo": True, "config": SWAS}, "remove config"),
    "a demo with a Secret": ({"demo": True, "credentials": SECRET}, "no credentials"),
    "a demo of several pods": ({"demo": True, "shards": 2}, "one process"),
    "half a pod": ({"config": SWAS, "shards": 1.5}, "shards"),
    "no pod": ({"config": SWAS, "shards": 0}, "shards"),
    "a demo with a password": ({"demo": True, "webConfig": PASSWORDS}, "webConfig"),
    "a policy that lets nothing in": ({"config": SWAS, "networkPolicy": {"enabled": True}}, "lock Prometheus out"),
    "a mode that volumes do not have": ({"config": SWAS, "persistence": {"accessMode": "RWOP"}}, "accessMode"),
    "a size that is none": ({"config": SWAS, "persistence": {"size": "1 GB"}}, "size"),
    "two kinds of monitors": ({"config": SWAS, "monitor": {"kind": "Both"}}, "kind"),
    "a password that is not in a Secret": ({"config": SWAS, "monitor": {"basicAuth": {"password": "x"}}}, "password"),
    "a number for a label": ({"config": SWAS, "podLabels": {"team": 1}}, "team"),
    "a word for a number": ({"config": SWAS, "terminationGracePeriodSeconds": "20"}, "terminationGracePeriodSeconds"),
}


@pytest.mark.parametrize(("values", "named"), REFUSED.values(), ids=REFUSED)
def test_refused(values: Values, named: str) -> None:
    with pytest.raises(HelmError) as refusal:
        render(values)
    assert named in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


# Below these anything may stand: Kubernetes' own types, labels, and other maps of the user's names.
FREE = {
    "config",
    "credentials.secretData",
    "webConfig.content",
    "monitor.tlsConfig",
    "monitor.basicAuth",
    "dashboards.labels",
}
FREE |= {
    "resources",
    "podSecurityContext",
    "securityContext",
    "podLabels",
    "podAnnotations",
    "nodeSelector",
    "affinity",
}


def sections(values: Values, prefix: str = "") -> Iterator[str]:
    """Every section of values.yaml with keys of its own."""
    yield prefix
    for key, value in values.items():
        path = f"{prefix}.{key}".lstrip(".")
        if isinstance(value, dict) and path not in FREE and key not in ("annotations", "labels"):
            yield from sections(value, path)


VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.mark.parametrize("section", sections(VALUES))
def test_a_key_that_values_yaml_has_not_is_refused(section: str) -> None:
    values: Values = {"nonsense": 1}
    for key in reversed(section.split(".") if section else []):
        values = {key: values}
    with pytest.raises(HelmError, match="nonsense"):
        render({"config": SWAS} | values)


def test_the_schema_knows_every_section_of_the_configuration() -> None:
    example = yaml.safe_load((ROOT / "config.example.yaml").read_text())
    nothing: Values = {key: [] if isinstance(value, list) else {} for key, value in example.items()}
    assert render({"config": nothing | SWAS}).config.keys() == example.keys()


def test_a_literal_secret_may_not_be_but_a_reference_may() -> None:
    for reference in ("${KEY}", "file:/run/secrets/key"):
        credentials = {"provider": "access_key", "access_key_id": "x", "access_key_secret": reference}
        (found,) = render(account(credentials=credentials)).config["accounts"]
        assert found["credentials"] == credentials


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the chart, to break."""
    return Path(shutil.copytree(CHART, tmp_path / CHART.name))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_broken_template_is_found(copy: Path) -> None:
    replace(copy / "templates/statefulset.yaml", "{{- end }}", "")
    with pytest.raises(HelmError, match=r"statefulset\.yaml"):
        render(values_of("demo"), copy)
    assert lint(copy, values_of("demo"), strict=True)["errors"]


def test_a_misspelt_key_of_an_object_is_found(copy: Path) -> None:
    replace(copy / "templates/statefulset.yaml", "podManagementPolicy:", "podManagementPolcy:")
    with pytest.raises(ValidationError, match="podManagementPolcy"):
        hold_all(render(values_of("demo"), copy))


def test_a_misspelt_key_of_a_monitor_is_found(copy: Path) -> None:
    replace(copy / "templates/monitor.yaml", "matchNames", "matchName")
    with pytest.raises(jsonschema.ValidationError, match="matchName"):
        hold_all(render(values_of("tls"), copy))


def hold_all(rendered: Rendered) -> None:
    for thing in rendered.objects:
        hold(thing)


def test_a_broken_dashboard_is_found(copy: Path) -> None:
    (copy / "files/dashboards/broken.json").write_text('{"title": ')
    with pytest.raises(HelmError, match="dashboards"):
        render(values_of("monitoring"), copy)


def test_a_broken_rule_is_found(copy: Path, tmp_path: Path) -> None:
    replace(copy / "files/rules/alerts.yaml", "absent(aliyun", "absent((aliyun")
    rule = render(values_of("monitoring"), copy).one("PrometheusRule", "-alerts")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    with pytest.raises(AssertionError, match="parse error"):
        promtool("check", "rules", str(tmp_path / "rules.yaml"))
