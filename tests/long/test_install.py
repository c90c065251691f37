"""Packages are installed, started, upgraded and removed."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cloud import Cloud
from conftest import NEWER
from exposition import family, samples, scrape
from packages import NAME, Packages, setting
from prometheus_server import Prometheus
from roots import Root
from service import ETC, STATE, Service, as_user, configure, unit
from waiting import wait_for
from web import get_text

SUCCESS = "aliyun_task_exporter_target_up"


def install(root: Root, package: Path) -> str:
    """Installs or upgrades; returns what is said meanwhile."""
    shutil.copy(package, root.path("/tmp"))
    return root.run("dpkg", "--install", f"/tmp/{package.name}", DEBIAN_FRONTEND="noninteractive").stdout


def version(root: Root) -> str:
    return root.run("dpkg-query", "--show", "--showformat=${Version}", NAME).stdout


def test_what_is_installed_starts_as_its_user_and_polls(
    root: Root, packages: Packages, cloud: Cloud, tmp_path: Path
) -> None:
    install(root, packages.deb)
    assert root.mode(f"{ETC}/config.yaml") == f"-rw-r----- root:{NAME}"
    assert root.mode(f"/var/lib/{NAME}") == f"drwxr-x--- {NAME}:{NAME}"
    assert re.fullmatch(
        rf"{NAME}:x:\d+:\d+:.*:/var/lib/{NAME}:/usr/sbin/nologin\n", root.run("getent", "passwd", NAME).stdout
    )
    assert root.run(NAME, "--version").stdout.startswith(f"{NAME} ")

    # As installed it has nothing to poll, and says so with the exit code after which systemd does not try again.
    config = ("--config.file", f"{ETC}/config.yaml")
    refused = root.run(*as_user(root), f"/usr/bin/{NAME}", *config, check=False)
    assert [str(refused.returncode)] == setting("RestartPreventExitStatus", unit(root))
    assert "nothing to poll" in refused.stdout

    address = configure(root, cloud)
    assert root.mode(f"{ETC}/config.yaml") == f"-rw-r----- root:{NAME}"
    # The user reads neither the key nor anything that it could write.
    for path in (f"{ETC}/access-key-secret", f"{ETC}/environment"):
        assert root.run(*as_user(root), "cat", path, check=False).returncode != 0
    for path in (f"{ETC}/config.yaml", f"/usr/bin/{NAME}"):
        assert root.run(*as_user(root), "test", "-w", path, check=False).returncode != 0

    with Service(root, tmp_path, "service") as service:
        wait_for("a poll that succeeds", lambda: 1.0 in family(samples(scrape(f"http://{address}")), SUCCESS).values())
        asked = root.run(NAME, "healthcheck", "--web.listen-address", address)
        assert asked.stdout == f"http://{address}/-/ready: ready\n"
        status = Path(f"/proc/{service.pid}/status").read_text()
        uid = root.run("id", "--user", NAME).stdout.strip()
        assert re.search(r"^Uid:\s+(.*)$", status, re.MULTILINE)[1].split() == [uid] * 4  # type: ignore[index]
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        reload = setting("ExecReload", unit(root))
        assert reload == ["/bin/kill -HUP $MAINPID"]
        os.kill(service.pid, signal.SIGHUP)
        service.said('msg="configuration reloaded" cause=SIGHUP')
        assert service.stop() == 0
    assert root.mode(STATE).split()[1] == f"{NAME}:{NAME}"


def test_within_a_minute_it_is_installed_and_scraped(
    root: Root, packages: Packages, cloud: Cloud, tmp_path: Path
) -> None:
    began = time.monotonic()
    install(root, packages.deb)
    address = configure(root, cloud)
    with Service(root, tmp_path, "service") as service, Prometheus(tmp_path, f"http://{address}") as prometheus:
        wait_for("values in Prometheus", lambda: prometheus.value(f"min({SUCCESS})") == 1, 60)
        assert time.monotonic() - began < 60
        assert (prometheus.value("count(aliyun_swas_server_info)") or 0) > 0
        assert service.stop() == 0


def test_an_upgrade_keeps_what_the_user_wrote_and_the_state_and_restarts(
    root: Root, packages: Packages, newer: Packages, cloud: Cloud, tmp_path: Path
) -> None:
    root.has_systemd()
    install(root, packages.deb)
    address = configure(root, cloud)
    with Service(root, tmp_path, "before") as service:
        wait_for("a poll that succeeds", lambda: 1.0 in family(samples(scrape(f"http://{address}")), SUCCESS).values())
        assert service.stop() == 0
    kept = [root.path(path) for path in (f"{ETC}/config.yaml", f"{ETC}/environment", f"{ETC}/access-key-secret", STATE)]
    before = [path.read_bytes() for path in kept]
    file = root.path(STATE).stat().st_ino
    root.told()
    said = install(root, newer.deb)
    assert version(root) == f"{NEWER}-1"
    assert [path.read_bytes() for path in kept] == before, said
    assert root.mode(f"{ETC}/config.yaml") == f"-rw-r----- root:{NAME}"
    assert root.told() == ["daemon-reload", "try-restart"]
    with Service(root, tmp_path, "after") as service:
        wait_for("an answer", lambda: get_text(f"http://{address}/-/healthy"))
        saved = family(samples(scrape(f"http://{address}")), "aliyun_task_exporter_state_saved")
        assert set(saved.values()) == {1.0}
        assert service.stop() == 0
    assert root.path(STATE).stat().st_ino == file, "it is the file of before, not one in its place"


@pytest.mark.parametrize("is_configured", [False, True])
def test_it_is_started_only_if_there_is_something_to_poll(is_configured: bool, root: Root, packages: Packages) -> None:
    root.has_systemd()
    if is_configured:
        # As after a removal that was no purge.
        root.path(ETC).mkdir()
        text = "swas: {servers: [{region: cn-hangzhou, id: ace0706b2ac4454d984295a94213aaaa}]}\n"
        root.path(f"{ETC}/config.yaml").write_text(text)
    package = packages.deb
    shutil.copy(package, root.path("/tmp"))
    said = root.run("dpkg", "--force-confold", "--install", f"/tmp/{package.name}").stdout
    assert root.told() == ["daemon-reload"] + (["enable", "start"] if is_configured else [])
    assert ("To begin, say in" in said) != is_configured


def test_removing_keeps_what_purging_deletes(root: Root, packages: Packages, cloud: Cloud) -> None:
    root.has_systemd()
    install(root, packages.deb)
    configure(root, cloud)
    root.path(STATE).write_text("state")
    root.told()
    root.run("dpkg", "--remove", NAME)
    assert root.told() == ["stop", "disable", "daemon-reload"]
    assert not root.path(f"/usr/bin/{NAME}").exists()
    assert not unit(root).exists()
    for path in (f"{ETC}/config.yaml", f"{ETC}/access-key-secret", STATE):
        assert root.path(path).exists(), path
    root.run("dpkg", "--purge", NAME)
    assert not root.path(ETC).exists()
    assert not root.path(f"/var/lib/{NAME}").exists()
    left = root.run("sh", "-c", f"find / -xdev -name '*{NAME}*' -not -path '/proc/*' -not -path '/tmp/*'").stdout
    assert left == "", left


def rpm(root: Root, *arguments: str | Path) -> str:
    command = ["rpm", "--root", str(root.folder), "--nodeps", "--noplugins", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_rpm_does_the_same(root: Root, packages: Packages, newer: Packages, cloud: Cloud, tmp_path: Path) -> None:
    root.has_systemd()
    # Without Debian's helpers, as on a distribution of rpm.
    root.path("/usr/bin/deb-systemd-invoke").unlink()
    rpm(root, "--install", packages.rpm)
    assert root.told() == ["daemon-reload", "preset"]
    assert root.mode(f"{ETC}/config.yaml") == f"-rw-r----- root:{NAME}"
    assert root.mode(f"/var/lib/{NAME}") == f"drwxr-x--- {NAME}:{NAME}"
    address = configure(root, cloud)
    with Service(root, tmp_path, "service") as service:
        wait_for("a poll that succeeds", lambda: 1.0 in family(samples(scrape(f"http://{address}")), SUCCESS).values())
        assert service.stop() == 0
    written = root.path(f"{ETC}/config.yaml").read_bytes()
    rpm(root, "--upgrade", newer.rpm)
    assert root.told() == ["daemon-reload", "try-restart"]
    assert root.path(f"{ETC}/config.yaml").read_bytes() == written
    rpm(root, "--erase", NAME)
    assert root.told() == ["stop", "disable", "daemon-reload"]
    assert not root.path(f"/usr/bin/{NAME}").exists()
    assert root.path(f"{ETC}/config.yaml.rpmsave").read_bytes() == written
    assert root.path(STATE).exists()
