"""The compose file: as Docker Compose reads it, and its parts started by hand with the same arguments and files."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Start
from manifests import rules
from program import ROOT, Program, environment, free_port
from test_promtool import promtool
from waiting import wait_for
from web import get_json

FOLDER = ROOT / "deploy/compose"
PROMETHEUS = "/etc/prometheus"
PROVISIONING = "/etc/grafana/provisioning"

Service = dict[str, Any]


def compose(file: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The file as Docker Compose understands it."""
    program = Path(sys.executable).with_name("docker-compose")
    command = [str(program), "--file", str(file), "config", "--format", "json"]
    return subprocess.run(command, env=environment(**variables), capture_output=True, text=True, timeout=60)


def services(**variables: str) -> dict[str, Service]:
    done = compose(FOLDER / "compose.yaml", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Service] = json.loads(done.stdout)["services"]
    return found


def mounts(service: Service) -> dict[str, Path]:
    """What is mounted, by the path in the container."""
    assert all(volume["type"] == "bind" and volume["read_only"] for volume in service["volumes"])
    return {volume["target"]: Path(volume["source"]) for volume in service["volumes"]}


def port(service: Service) -> int:
    """The port that is reached from this machine, and from no other."""
    (found,) = service["ports"]
    assert (found["host_ip"], found["published"]) == ("127.0.0.1", str(found["target"]))
    return int(found["target"])


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_docker_compose_takes_it() -> None:
    found = services()
    assert found.keys() == {"exporter", "prometheus", "grafana"}
    assert found["exporter"]["image"] == "aliyun-task-exporter"
    assert "IMAGE   ?= aliyun-task-exporter\n" in (ROOT / "Makefile").read_text()
    assert Path(found["exporter"]["build"]["context"], found["exporter"]["build"]["dockerfile"]).is_file()
    assert services(IMAGE="registry.example.com/exporter:1")["exporter"]["image"] == "registry.example.com/exporter:1"
    for name in ("prometheus", "grafana"):
        assert found[name]["image"].rpartition(":")[2][-1].isdigit(), "a version"


@pytest.mark.parametrize(("old", "new"), [("read_only:", "readonly:"), ("[exporter]", "[exporters]"), ("127", "1277")])
def test_docker_compose_finds_faults(old: str, new: str, tmp_path: Path) -> None:
    text = (FOLDER / "compose.yaml").read_text()
    (tmp_path / "compose.yaml").write_text(text.replace(old, new, 1))
    assert compose(tmp_path / "compose.yaml").returncode != 0


def test_what_is_mounted_is_there_and_is_read() -> None:
    found = services()
    prometheus, grafana = mounts(found["prometheus"]), mounts(found["grafana"])
    assert all(path.exists() for path in (prometheus | grafana).values())
    wanted = {f"{PROMETHEUS}/rules/{path.name}": path for path in rules()}
    wanted[f"{PROMETHEUS}/prometheus.yml"] = FOLDER / "prometheus.yml"
    assert prometheus == wanted, "mount each file of rules in compose.yaml"
    (provider,) = load(FOLDER / "grafana/dashboards.yaml")["providers"]
    dashboards = provider["options"]["path"]
    kinds = {Path(target).parent.name: path for target, path in grafana.items() if target.startswith(PROVISIONING)}
    assert kinds == {name: FOLDER / f"grafana/{name}.yaml" for name in ("datasources", "dashboards")}
    assert grafana[dashboards] == ROOT / "dashboards"
    assert list(grafana[dashboards].glob("*.json"))
    assert len(grafana) == 3


def test_they_find_each_other() -> None:
    found = services()
    (job,) = load(FOLDER / "prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"exporter:{port(found['exporter'])}"]}]
    (source,) = load(FOLDER / "grafana/datasources.yaml")["datasources"]
    assert source["url"] == f"http://prometheus:{port(found['prometheus'])}"
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert port(found["grafana"]) == 3000


def test_prometheus_scrapes_the_demo_and_loads_the_rules(start: Start, tmp_path: Path) -> None:
    found = services()
    listen = f"--web.listen-address=:{port(found['exporter'])}"
    command = found["exporter"]["command"]
    assert command == ["demo", listen]
    demo = start(command[0], "--web.listen-address=127.0.0.1:0", "--sim.listen-address=127.0.0.1:0")
    target = demo.said(r"http://(\S+?)/metrics")[1]
    for inside, path in mounts(found["prometheus"]).items():
        copy = tmp_path / inside.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    config = tmp_path / PROMETHEUS.lstrip("/") / "prometheus.yml"
    text = config.read_text()
    assert text.count("exporter:10977") == 1
    # The only difference: this machine has no host of that name.
    config.write_text(text.replace("exporter:10977", target))
    said = promtool("check", "config", str(config))
    wanted = [rule for path in rules() for group in load(path)["groups"] for rule in group["rules"]]
    assert said.count("rules found") == len(rules())
    program, address = shutil.which("prometheus"), f"127.0.0.1:{free_port()}"
    assert program, "there is no prometheus: make deps"
    flags = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}"]
    with Program([program, *flags], tmp_path, "prometheus") as server:
        wait_for("the target", lambda: is_up(address), 60)
        groups = get_json(f"http://{address}/api/v1/rules")["data"]["groups"]
        names = sorted(rule["name"] for group in groups for rule in group["rules"])
        assert names == sorted(rule.get("alert") or rule["record"] for rule in wanted)
        assert server.process.poll() is None


def is_up(address: str) -> bool:
    """Whether the exporter is up, as seen by Prometheus, under the name of its job."""
    found = get_json(f"http://{address}/api/v1/query?query=up")["data"]["result"]
    return [(one["metric"]["job"], one["value"][1]) for one in found] == [("aliyun-task-exporter", "1")]
