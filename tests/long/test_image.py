"""The image, from what `make packages` has made and a base without a shell, and a container as Docker would run it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud import Cloud
from configuration import everything
from exposition import family, samples, scrape
from packages import NAME
from program import ROOT, Program, free_port
from roots import Root, pristine
from waiting import wait_for

BASE, IMAGE = "localhost/base", "localhost/exporter"
BUILD = {"VERSION": "1.2.3", "REVISION": "0123456789ab", "CREATED": "2026-01-02T03:04:05+00:00"}
# What Docker gives the user of the image in a named volume, and where the exporter looks for its state.
USER, STATE = 65532, f"/var/lib/{NAME}"
# As in the base that the Dockerfile names: glibc, and nothing that could run.
LIBRARIES = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1")


class Buildah:
    """Images in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.storage = ["--storage-driver", "vfs", "--root", str(folder / "root"), "--runroot", str(folder / "run")]

    def __call__(self, *arguments: str) -> str:
        # Neither a registry nor a policy of this machine has a say in local images.
        command = ["buildah", *self.storage, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Buildah:
    return Buildah(tmp_path_factory.mktemp("buildah"))


def base(folder: Path) -> None:
    """What a program linked with glibc needs."""
    lib = pristine() / "lib/x86_64-linux-gnu"
    (folder / "lib/x86_64-linux-gnu").mkdir(parents=True)
    for name in LIBRARIES:
        if (lib / name).exists():
            shutil.copy(lib / name, folder / "lib/x86_64-linux-gnu" / name)
    (folder / "lib64").mkdir()
    shutil.copy(lib / "ld-linux-x86-64.so.2", folder / "lib64/ld-linux-x86-64.so.2")
    for name in ("proc", "dev", "tmp", "etc"):
        (folder / name).mkdir()


@pytest.fixture(scope="module")
def image(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("base")
    base(folder)
    container = buildah("from", "scratch")
    buildah("copy", container, str(folder), "/")
    buildah("commit", container, BASE)
    arguments = [f"--build-arg={name}={value}" for name, value in BUILD.items()]
    chosen = ["--build-arg=PROGRAM=released", f"--build-arg=BASE={BASE}", "--build-arg=TARGETARCH=amd64"]
    options = ["--isolation=chroot", "--format=docker", "--pull=never", "--tag", IMAGE]
    buildah("build", *options, *chosen, *arguments, ".")
    return IMAGE


@pytest.fixture(scope="module")
def settings(buildah: Buildah, image: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(buildah("inspect", "--type=image", image))["Docker"]["config"]
    return config


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> Iterator[Root]:
    """The image's files."""
    name = buildah("from", "--pull=never", image)
    yield Root.at(Path(buildah("mount", name)))
    buildah("rm", name)


def test_labels_say_what_it_is(settings: dict[str, Any]) -> None:
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in settings["Labels"].items()}
    assert {name.upper(): labels[name.lower()] for name in BUILD} == BUILD
    source = "https://github.com/aliyun-task-exporter/aliyun-task-exporter"
    assert (labels["url"], labels["source"], labels["licenses"]) == (source, source, "Apache-2.0")
    assert (ROOT / labels["documentation"].partition("/blob/main/")[2]).exists()
    assert {"title", "description", "vendor"} <= labels.keys()


def test_it_runs_as_a_number_and_has_a_health_check(settings: dict[str, Any]) -> None:
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["Entrypoint"] == [f"/{NAME}"]
    assert settings["Healthcheck"]["Test"] == ["CMD", f"/{NAME}", "healthcheck"]
    assert "10977/tcp" in settings["ExposedPorts"]


def test_it_holds_the_program_its_licences_and_a_place_for_its_state(container: Root) -> None:
    files = {str(path.relative_to(container.folder)) for path in container.folder.rglob("*") if path.is_file()}
    documents = {f"usr/share/doc/{NAME}/{name}" for name in ("LICENSE", "THIRD-PARTY-NOTICES")}
    own = {path for path in files if not path.startswith("lib")}
    assert own == {NAME} | documents
    state = container.path(STATE).stat()
    assert (state.st_uid, state.st_gid, list(container.path(STATE).iterdir())) == (USER, USER, [])
    program = container.path(NAME).stat()
    assert (program.st_uid, oct(program.st_mode & 0o777)) == (0, "0o755")


@pytest.mark.parametrize("is_configured_by", ["variable", "default"])
def test_a_container_serves_with_a_read_only_root(
    is_configured_by: str, container: Root, settings: dict[str, Any], cloud: Cloud, tmp_path: Path
) -> None:
    """With a fresh volume, as Docker makes it: with the owner of the folder that it hides."""
    volume = tmp_path / "volume"
    volume.mkdir()
    state = container.path(STATE).stat()
    os.chown(volume, state.st_uid, state.st_gid)
    config = everything(cloud) | {"state": {"path": f"{STATE}/state.redb"}}
    (volume / "config.yaml").write_text(json.dumps(config))
    address = "127.0.0.1:10977" if is_configured_by == "default" else f"127.0.0.1:{free_port()}"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) != 0, f"{address} is in use"
    variables = {} if is_configured_by == "default" else {"ALIYUN_TASK_EXPORTER_WEB_LISTEN_ADDRESS": address}
    command = container.command(
        *settings["Entrypoint"],
        "--config.file",
        f"{STATE}/config.yaml",
        read_only=True,
        volumes={str(volume): STATE},
        user=USER,
    )
    with Program(command, tmp_path, "container", **variables) as running:
        page = wait_for("a poll that succeeds", lambda: up(f"http://{address}"))
        assert set(page) == {1.0}
        (_, *check) = settings["Healthcheck"]["Test"]
        healthy = subprocess.run(
            container.command(*check, read_only=True, user=USER),
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (healthy.returncode, healthy.stdout) == (0, f"http://{address}/-/ready: ready\n"), healthy.stderr
        status = Path(f"/proc/{child(running)}/status").read_text()
        assert re.findall(r"^(?:Uid|Gid):\s+(.*)$", status, re.MULTILINE) == ["\t".join([str(USER)] * 4)] * 2
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        os.kill(child(running), signal.SIGTERM)
        assert running.process.wait(timeout=20) == 0
    assert (volume / "state.redb").stat().st_uid == USER
    sick = subprocess.run(
        container.command(*check, read_only=True, user=USER), env=variables, capture_output=True, text=True, timeout=60
    )
    assert (sick.returncode, "Connection refused" in sick.stderr) == (1, True)


def up(url: str) -> list[float] | None:
    found = list(family(samples(scrape(url)), "aliyun_task_exporter_target_up").values())
    return found if 1.0 in found and 0.0 not in found else None


def child(running: Program) -> int:
    parent = running.process.pid
    (found,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(found)
