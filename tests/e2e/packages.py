"""Packages of a program, made by the project's own script."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from program import ROOT

NAME = "aliyun-task-exporter"
MANUAL = ROOT / "target/manual"
UNIT = ROOT / "deploy/systemd/aliyun-task-exporter.service"
TOOLS = ROOT / "target/venv/bin"


@dataclass(frozen=True)
class Packages:
    """The files in a folder, for this kind of machine."""

    folder: Path

    def _one(self, ending: str) -> Path:
        (found,) = self.folder.glob(f"*{ending}")
        return found

    @property
    def deb(self) -> Path:
        return self._one("amd64.deb")

    @property
    def rpm(self) -> Path:
        return self._one("x86_64.rpm")

    @property
    def archive(self) -> Path:
        return self._one("amd64.tar.gz")


def build(program: Path, folder: Path, **variables: str) -> Packages:
    """Makes the packages of a program for this kind of machine."""
    command = [str(ROOT / "deploy/packages/build"), str(program), "x86_64-unknown-linux-gnu", str(MANUAL), str(folder)]
    path = f"{TOOLS}:{os.environ['PATH']}"
    subprocess.run(command, check=True, env=os.environ | {"PATH": path} | variables, timeout=300)
    return Packages(folder)


def setting(name: str, unit: Path = UNIT) -> list[str]:
    """The values of a setting of the unit, in order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)
