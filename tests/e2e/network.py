"""Another machine, as far as the network can tell: a network namespace, joined to this one by cables (Linux, root)."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Self

from program import environment

# Of no interface, so whatever is sent there is lost.
NOWHERE = "02:00:00:00:00:00"


class NoNetworkError(Exception):
    """There can be no namespaces here, and why."""


class Cable:
    """Joins a namespace to this machine, which is `here`; the other end is `there`."""

    def __init__(self, namespace: str, number: int) -> None:
        self.namespace = namespace
        # Of the addresses that are reserved for tests of networks; four for each process and cable.
        place = os.getpid() % (1 << 14)
        self.here, self.there = (f"198.{18 + number}.{place >> 6}.{(place & 63) * 4 + host}" for host in (1, 2))
        self._ends = (f"e{os.getpid()}-{number}", f"i{os.getpid()}-{number}")

    def lay(self) -> None:
        near, far = self._ends
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.namespace)
        ip("address", "add", f"{self.here}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", self.namespace, "address", "add", f"{self.there}/30", "dev", far)
        ip("-n", self.namespace, "link", "set", far, "up")

    def remove(self) -> None:
        """At once; with the namespace alone it would go later."""
        ip("link", "delete", self._ends[0])

    def unplug(self) -> None:
        """Both ends lose their signal."""
        ip("link", "set", self._ends[0], "down")

    def lose_what_is_sent_here(self) -> None:
        """Without a word to the sender, from now on."""
        ip("-n", self.namespace, "neighbour", "replace", self.here, "lladdr", NOWHERE, "dev", self._ends[1])

    def lose_what_is_sent_there(self) -> None:
        ip("neighbour", "replace", self.there, "lladdr", NOWHERE, "dev", self._ends[0])

    def mend(self) -> None:
        """It works again, whatever was wrong."""
        near, far = self._ends
        ip("link", "set", near, "up")
        ip("neighbour", "flush", "dev", near, "nud", "permanent")
        ip("-n", self.namespace, "neighbour", "flush", "dev", far, "nud", "permanent")


class Network:
    """A namespace whose programs reach this machine at `here`, by one cable or two, and nothing else."""

    def __init__(self, cables: int = 1) -> None:
        self.name = f"aliyun-{os.getpid()}"
        self.cables = [Cable(self.name, number) for number in range(cables)]
        self.here, self.there = self.cables[0].here, self.cables[0].there
        # Before a command, it makes it one that runs there.
        self.inside = ("ip", "netns", "exec", self.name)

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise NoNetworkError("only root may make network namespaces")
        try:
            ip("netns", "add", self.name)
            ip("-n", self.name, "link", "set", "lo", "up")
            for cable in self.cables:
                cable.lay()
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise NoNetworkError(f"{error} {getattr(error, 'stderr', '')}") from error
        return self

    def __exit__(self, *_: object) -> None:
        for cable in self.cables:
            with contextlib.suppress(subprocess.CalledProcessError, OSError):
                cable.remove()
        if Path("/run/netns", self.name).exists():
            ip("netns", "delete", self.name)

    def run(self, *command: str, stdin: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a program there."""
        inside = [*self.inside, *command]
        return subprocess.run(
            inside, input=stdin, capture_output=True, text=True, timeout=seconds, env=environment(), check=False
        )


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
