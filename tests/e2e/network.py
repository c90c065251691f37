"""Another machine, as far as the network can tell: a network namespace, joined to this one by a cable (Linux, root)."""

import os
import subprocess
from pathlib import Path
from typing import Self

from program import environment


class NoNetworkError(Exception):
    """There can be no namespaces here, and why."""


class Network:
    """A namespace whose programs reach this machine at `here`, and nothing else."""

    def __init__(self) -> None:
        self.name = f"aliyun-{os.getpid()}"
        # Of the addresses that are reserved for tests of networks; four for each process.
        number = os.getpid() % (1 << 15)
        self.here, self.there = (f"198.18.{number >> 6 & 255}.{(number & 63) * 4 + host}" for host in (1, 2))
        self.cable = (f"e{os.getpid()}", f"i{os.getpid()}")

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise NoNetworkError("only root may make network namespaces")
        try:
            ip("netns", "add", self.name)
            ip("link", "add", self.cable[0], "type", "veth", "peer", "name", self.cable[1], "netns", self.name)
            ip("address", "add", f"{self.here}/30", "dev", self.cable[0])
            ip("link", "set", self.cable[0], "up")
            ip("-n", self.name, "address", "add", f"{self.there}/30", "dev", self.cable[1])
            ip("-n", self.name, "link", "set", self.cable[1], "up")
            ip("-n", self.name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise NoNetworkError(f"{error} {getattr(error, 'stderr', '')}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if Path("/run/netns", self.name).exists():
            # The cable goes with it.
            ip("netns", "delete", self.name)

    def run(self, *command: str, stdin: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a program there."""
        inside = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(
            inside, input=stdin, capture_output=True, text=True, timeout=seconds, env=environment(), check=False
        )


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
