"""The exporter's binary, run as a user runs it."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Self

from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("ALIYUN_TASK_EXPORTER", "target/debug/aliyun-task-exporter")

# Variables that are passed on; others could change the program's behaviour.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def environment(**more: str) -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ} | more


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident(pid: int) -> float:
    """A process' resident memory in MiB; 0 once it has ended."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end."""
    command = [str(BINARY), *arguments]
    return subprocess.run(command, env=environment(**variables), capture_output=True, text=True, timeout=30)


class Running:
    """A process that is stopped with its block."""

    process: subprocess.Popen[Any]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Program(Running):
    """A program that runs until the test is over; its output is in `out` and `err`."""

    def __init__(self, command: list[str], folder: Path, name: str, **variables: str) -> None:
        self.out_path, self.err_path = folder / f"{name}.out", folder / f"{name}.err"
        with self.out_path.open("wb") as out, self.err_path.open("wb") as err:
            self.process = subprocess.Popen(
                command, env=environment(**variables), stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder
            )

    @property
    def out(self) -> str:
        return self.out_path.read_text()

    @property
    def err(self) -> str:
        return self.err_path.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def said(self, pattern: str) -> re.Match[str]:
        """Waits until its output has a match."""

        def found() -> re.Match[str] | None:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}:\n{self.out}{self.err}")
            return re.search(pattern, self.out + self.err)

        return wait_for(f"{pattern!r} in its output", found)


def exporter(folder: Path, *arguments: str, **variables: str) -> Program:
    """An exporter, or one of its other commands, on free ports."""
    name = arguments[0] if arguments and not arguments[0].startswith("-") else "serve"
    return Program([str(BINARY), *arguments], folder, name, **variables)
