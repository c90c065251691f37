"""Fixtures of the tests that install: packages, a Debian, a simulated cloud. They need root, and `make packages`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import Cloud
from packages import NAME, Packages, build
from program import ROOT, Program
from roots import Root

BUILT = ROOT / "target/packages"
# Of the same program, but newer.
NEWER = "999.0.0"


@pytest.fixture(scope="session", autouse=True)
def _root() -> None:
    assert os.geteuid() == 0, "make test-long needs root: it installs into a folder, and mounts"


@pytest.fixture(scope="session")
def packages() -> Packages:
    packages = Packages(BUILT)
    assert packages.deb.exists()
    return packages


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build(BUILT / "image/amd64" / NAME, tmp_path_factory.mktemp("newer"), VERSION=NEWER)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """The packaged program's own simulator."""
    program = str(BUILT / "image/amd64" / NAME)
    arguments = ["simulate", "--listen", "127.0.0.1:0", "--clusters=1", "--servers=1"]
    with Program([program, *arguments], tmp_path, "simulate") as simulator:
        yield Cloud(simulator.said(r"listens on (http://\S+)/")[1])
