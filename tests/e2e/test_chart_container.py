"""The container of the chart's pod starts with its volumes, polls, and answers its probes."""

import json
from pathlib import Path

import pytest
import yaml

from api_server import ApiServer
from certificates import Certificates
from chart import EXAMPLES, Object, render, values_of
from cloud import KEY_ID, SECRET
from conftest import Exporter, Simulate, Start
from curl import curl
from exposition import samples, scrape, series
from kubelet import Pod
from program import run
from waiting import wait_for

ALIYUN = {"access-key-id": KEY_ID, "access-key-secret": SECRET}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "demo"])
def test_the_exporter_takes_the_configuration(name: str, certificates: Certificates, tmp_path: Path) -> None:
    pod = Pod(render(values_of(name)), tmp_path, secrets(certificates))
    files = [flag for flag in pod.arguments if ".config.file=" in f".{flag[2:]}"]
    assert len(files) == (2 if name in ("tls", "standby") else 1)
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "x", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "y"}
    done = run("check", *files, "--format", "json", **keys, **pod.environment)
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"], said["problems"], said["warnings"]) == (0, True, [], [])


def secrets(certificates: Certificates) -> dict[str, dict[str, str]]:
    """The Secrets that the examples expect to exist."""
    tls = {"tls.crt": certificates.server.certificate, "tls.key": certificates.server.key}
    tls["ca.crt"] = certificates.authority.certificate
    files = {name: path.read_text() for name, path in tls.items()}
    authority = {"ca.crt": files["ca.crt"]}
    return {"aliyun": ALIYUN, "exporter-tls": files, "private-ca": authority, "kube-root-ca.crt": authority}


def with_cloud(values: Object, url: str) -> Object:
    """Values whose accounts are in a simulated cloud."""
    endpoints = {"ehpc": url, "swas": url, "sts": url, "metadata": url}
    accounts = values["config"].get("accounts", [{"name": "default"}])
    accounts = [account | {"endpoints": endpoints} for account in accounts]
    return values | {"config": values["config"] | {"accounts": accounts}}


def test_a_change_of_files_alone_starts_no_new_pod() -> None:
    values = values_of("tls")
    before = render(values).one("StatefulSet")
    values["config"]["swas"]["discovery"][0]["regions"] = ["cn-beijing"]
    values["webConfig"]["content"]["basic_auth_users"]["another"] = "$2y$10$x"
    assert render(values).one("StatefulSet") == before
    values["extraArgs"] = ["--log.level=debug"]
    assert render(values).one("StatefulSet") != before


def ready(url: str) -> bool:
    return curl(f"{url}/-/ready", "--insecure").status == 200


def test_the_container_polls_and_follows_its_config_map(start: Start, simulate: Simulate, tmp_path: Path) -> None:
    cloud = simulate(clusters=1, servers=1).cloud
    values = {
        "config": {"swas": {"discovery": [{"regions": ["cn-hangzhou"]}]}},
        "credentials": {"secretData": ALIYUN},
    }
    pod = Pod(render(with_cloud(values, cloud.url)), tmp_path / "root")
    exporter = Exporter(start(*pod.arguments))
    wait_for("readiness", lambda: ready(exporter.url))
    found = series(
        "aliyun_task_exporter_discovered", account="default", kind="discovery", target="swas/default/cn-hangzhou"
    )
    wait_for("the server", lambda: samples(scrape(exporter.url)).get(found) == 1)
    assert (pod.path("/var/lib/aliyun-task-exporter") / "state.redb").exists()
    values["config"] = {"ehpc": {"discovery": [{"regions": ["cn-hangzhou"]}]}}
    pod.update(render(with_cloud(values, cloud.url)))
    found = series(
        "aliyun_task_exporter_discovered", account="default", kind="discovery", target="ehpc/default/cn-hangzhou"
    )
    wait_for("the cluster", lambda: samples(scrape(exporter.url)).get(found) == 1)
    assert exporter.program.process.poll() is None


def test_probes_get_in_without_what_others_must_show(
    start: Start, simulate: Simulate, certificates: Certificates, tmp_path: Path
) -> None:
    rendered = render(with_cloud(values_of("tls"), simulate(clusters=1, servers=1).cloud.url))
    pod = Pod(rendered, tmp_path / "root", secrets(certificates))
    url = Exporter(start(*pod.arguments)).url
    wait_for("readiness", lambda: ready(url))
    for probe in pod.probes():
        assert (probe["scheme"], probe["port"]) == ("HTTPS", "http")
        assert curl(f"{url}{probe['path']}", "--insecure").status == 200
    assert curl(f"{url}/metrics", "--insecure").status in (0, 401, 403)
    authority = ("--cacert", str(certificates.authority.certificate))
    assert curl(f"{url}/metrics", *authority, *certificates.client.shown).status == 401


def test_a_pod_that_may_stand_by_takes_the_lease_with_the_account_that_is_mounted(
    start: Start, simulate: Simulate, certificates: Certificates, tmp_path: Path
) -> None:
    values = values_of("standby")
    values["config"]["state"]["lease"]["duration"] = "5s"
    rendered = render(with_cloud(values, simulate(clusters=1, servers=1).cloud.url))
    pod = Pod(rendered, tmp_path / "root", secrets(certificates))
    with ApiServer(certificates.server) as api:
        service = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
        account = str(pod.path("/var/run/secrets/kubernetes.io/serviceaccount"))
        config = pod.path("/etc/aliyun-task-exporter/config") / "config.yaml"
        config.write_text(json.dumps(with_account(yaml.safe_load(config.read_text()), account)))
        url = Exporter(start(*pod.arguments, **service, **pod.environment)).url
        name = rendered.one("StatefulSet")["metadata"]["name"]
        wait_for("the Lease", lambda: api.spec(name).get("holderIdentity", "").startswith(f"{name}-0_"))
        wait_for("polling", lambda: "aliyun_task_exporter_leader 1" in curl(f"{url}/metrics", "--insecure").text)
        (rule, _) = rendered.one("Role")["rules"]
        assert rule["resourceNames"] == [name]
        (annotations,) = [lease["metadata"]["annotations"] for lease in api.leases.values()]
        service = rendered.one("Service", "-pods")["metadata"]["name"]
        assert annotations == {"aliyun-task-exporter/url": f"https://{name}-0.{service}.monitoring:10977"}


def with_account(config: Object, folder: str) -> Object:
    """The configuration with the service account in a folder of this machine."""
    config["state"]["lease"]["service_account"] = folder
    return config


def test_the_demo_starts(start: Start, tmp_path: Path) -> None:
    pod = Pod(render(values_of("demo")), tmp_path)
    program = start(*pod.arguments, "--sim.listen-address", "127.0.0.1:0")
    url = program.said(r"(http://\S+?)/metrics")[1]
    wait_for("readiness", lambda: ready(url))
    for probe in pod.probes():
        assert probe["scheme"] == "HTTP"
        assert curl(f"{url}{probe['path']}").status == 200
