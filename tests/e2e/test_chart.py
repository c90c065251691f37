"""The Helm chart: what each example makes of it is whole and safe."""

import gzip
import json
import tarfile
from pathlib import Path

import pytest
import yaml
from helm_python import Chart, lint

from chart import CHART, EXAMPLES, NAME, Rendered, hold, program_version, render, secret_data, size, values_of
from kubelet import web_config

MIB = 1024 * 1024
# kubectl and Argo CD keep a whole object in an annotation, which may not be larger.
ANNOTATION = 262144


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def rendered(example: str) -> Rendered:
    return render(values_of(example))


@pytest.mark.parametrize("name", EXAMPLES)
def test_helm_has_no_remarks(name: str) -> None:
    report = lint(CHART, values_of(name), strict=True)
    remarks = [message["error"] for message in report["messages"]]
    assert (remarks, report["errors"]) == (["icon is recommended"], [])


def test_each_object_is_as_kubernetes_wants_it(rendered: Rendered) -> None:
    names = [(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in rendered.objects]
    assert len(names) == len(set(names)) >= 3
    for thing in rendered.objects:
        hold(thing)
        assert size(thing) < ANNOTATION


def test_what_refers_to_something_finds_it(rendered: Rendered) -> None:
    stateful = rendered.one("StatefulSet")["spec"]
    labels = stateful["template"]["metadata"]["labels"]
    service, *pods = rendered.all("Service")
    assert stateful["serviceName"] == (*pods, service)[0]["metadata"]["name"]
    selectors = [stateful["selector"]["matchLabels"], service["spec"]["selector"]]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in rendered.all("NetworkPolicy")]
    selectors += [monitor["spec"]["selector"]["matchLabels"] for monitor in rendered.all("PodMonitor")]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()
    for monitor in rendered.all("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [one for one in (service, *pods) if wanted <= one["metadata"]["labels"].items()]
        assert found == [service], "each pod is scraped once"
    mounted = [mount["name"] for mount in rendered.container.get("volumeMounts", [])]
    claims = [claim["metadata"]["name"] for claim in stateful.get("volumeClaimTemplates", [])]
    assert sorted(mounted) == sorted(claims + [volume["name"] for volume in rendered.pod.get("volumes", [])])
    accounts = [account["metadata"]["name"] for account in rendered.all("ServiceAccount")]
    assert rendered.pod["serviceAccountName"] in (accounts or ["exporter"])
    assert [port["name"] for port in rendered.container["ports"]] == [service["spec"]["ports"][0]["targetPort"]]


def test_each_share_has_one_pod_that_ends_before_the_next_begins_or_a_lease(example: str, rendered: Rendered) -> None:
    stateful = rendered.one("StatefulSet")["spec"]
    shards = 3 if example == "shards" else 1
    replicas = shards + len(rendered.all("Role"))
    assert (stateful["replicas"], stateful["podManagementPolicy"]) == (replicas, "Parallel")
    flags = ["--shard.index=ordinal", f"--shard.count={shards}"]
    assert [flag for flag in rendered.container["args"] if "shard" in flag] == (flags if shards > 1 else [])
    assert rendered.pod["terminationGracePeriodSeconds"] == 20
    for claim in stateful.get("volumeClaimTemplates", []):
        assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_pod_is_restricted(rendered: Rendered) -> None:
    """The "restricted" level of the Pod Security Standards, and a root file system that is read-only."""
    pod, container = rendered.pod["securityContext"], rendered.container["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["fsGroup"]) == (True, 65532, 65532)
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert (container["allowPrivilegeEscalation"], container["readOnlyRootFilesystem"]) == (False, True)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & rendered.pod.keys()
    assert "hostPort" not in rendered.container["ports"][0]
    assert rendered.pod["automountServiceAccountToken"] is False
    assert rendered.pod["enableServiceLinks"] is False
    allowed = {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}
    assert all(volume.keys() - {"name"} <= allowed for volume in rendered.pod.get("volumes", []))


def test_secrets_are_in_secrets_only() -> None:
    values = values_of("secret")
    rendered = render(values)
    secret = rendered.one("Secret", "-credentials")
    assert secret_data(secret) == values["credentials"]["secretData"]
    others = json.dumps([one for one in rendered.objects if one["kind"] != "Secret"]) + rendered.notes
    assert [value for value in values["credentials"]["secretData"].values() if value in others] == []
    tls = render(values_of("tls"))
    assert web_config(tls) == values_of("tls")["webConfig"]["content"]
    assert "$2y$" not in json.dumps([one for one in tls.objects if one["kind"] != "Secret"]) + tls.notes


def test_accounts_without_credentials_take_those_of_the_release() -> None:
    assert [account["credentials"]["provider"] for account in render(values_of("rrsa")).config["accounts"]] == [
        "oidc"
    ] * 2
    keys = [account["credentials"]["access_key_id"] for account in render(values_of("secret")).config["accounts"]]
    assert [key.rpartition("/")[2] for key in keys] == ["access-key-id", "lab-id"]
    (account,) = render(values_of("monitoring")).config["accounts"]
    assert account == {"name": "default", "credentials": {"provider": "default"}}


def test_rrsa_is_what_the_webhook_looks_for() -> None:
    """Source: https://help.aliyun.com/zh/ack/product-overview/ack-pod-identity-webhook"""
    rendered = render(values_of("rrsa"))
    account, pod = rendered.one("ServiceAccount"), rendered.one("StatefulSet")["spec"]["template"]["metadata"]
    assert account["metadata"]["annotations"] == {"pod-identity.alibabacloud.com/role-name": NAME}
    assert pod["labels"]["pod-identity.alibabacloud.com/injection"] == "on"
    assert f"system:serviceaccount:monitoring:{NAME}" in rendered.notes
    assert "alibabacloud.com" not in json.dumps(render(values_of("secret")).objects)


def test_the_notes_name_an_address_that_is_served() -> None:
    assert "http://localhost:10977/\n" in render(values_of("demo")).notes
    assert "https://localhost:10977/metrics\n" in render(values_of("tls")).notes
    assert render({"config": values_of("monitoring")["config"] | {"web": None}}).notes.startswith("The status page:\n")


def test_numbers_stay_whole() -> None:
    """Helm reads values as floating-point numbers."""
    text = render(values_of("secret")).texts["configmap.yaml"]
    assert "max_series: 1000000\n" in text


def test_without_a_volume_the_state_is_in_an_empty_folder() -> None:
    rendered = render(values_of("stateless"))
    assert "volumeClaimTemplates" not in rendered.one("StatefulSet")["spec"]
    assert {"name": "state", "emptyDir": {}} in rendered.pod["volumes"]
    assert "emptyDir" in rendered.notes
    claimed = render(values_of("stateless") | {"persistence": {"existingClaim": "kept"}})
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "kept"}} in claimed.pod["volumes"]


def test_pods_that_share_the_targets_do_not_share_a_state_file() -> None:
    own = render(values_of("shards") | {"persistence": {}})
    assert own.config["state"] == {"path": "/var/lib/aliyun-task-exporter/state.redb"}
    assert len(own.one("StatefulSet")["spec"]["volumeClaimTemplates"]) == 1
    shared = render(values_of("shards"))
    assert shared.config["state"] == {"folder": "/var/lib/aliyun-task-exporter", "wait": True}
    assert "Each of the 3 pods" in shared.notes


NULLABLE = ["startupProbe", "readinessProbe", "livenessProbe", "resources", "podSecurityContext", "securityContext"]


@pytest.mark.parametrize("key", NULLABLE)
def test_null_takes_a_default_away(key: str) -> None:
    rendered = render(values_of("demo") | {key: None})
    hold(rendered.one("StatefulSet"))
    owner = rendered.pod if key == "podSecurityContext" else rendered.container
    assert {"podSecurityContext": "securityContext"}.get(key, key) not in owner


def test_a_package_is_whole_and_a_release_fits_into_its_secret(tmp_path: Path) -> None:
    """Helm keeps chart and manifest in one Secret, compressed, as base64."""
    with Chart.load(CHART) as chart:
        package = Path(chart.save(tmp_path))
    texts = render(values_of("monitoring")).texts
    assert render(values_of("monitoring"), package).texts == texts
    with tarfile.open(package) as archive:
        assert all(member.isfile() for member in archive.getmembers()), "no links"
        names = archive.getnames()
    assert [name for name in names if "/ci/" in name or "dashboards/README" in name] == []
    manifest = gzip.compress("".join(texts.values()).encode())
    assert (package.stat().st_size + len(manifest)) * 4 / 3 < MIB / 2


def test_chart_and_program_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == program_version()
    assert render(values_of("demo")).container["image"] == f"{NAME}:{program_version()}"
    digest = values_of("stateless")["image"]["digest"]
    assert render(values_of("stateless")).container["image"].endswith(f"/{NAME}@{digest}")


@pytest.mark.parametrize(
    ("release", "name"), [("tasks", f"tasks-{NAME}"), (f"my-{NAME}", f"my-{NAME}"), ("r" * 53, "r" * 50)]
)
def test_names_fit_whatever_the_release_is_called(release: str, name: str) -> None:
    rendered = render(values_of("secret"), release=release)
    assert rendered.one("StatefulSet")["metadata"]["name"] == name
    assert all(len(one["metadata"]["name"]) <= 63 for one in rendered.objects)
    assert {one["metadata"]["labels"]["app.kubernetes.io/instance"] for one in rendered.objects} == {release}
