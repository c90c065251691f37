"""Programs that run during a measurement."""

import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.request import Request, urlopen

import machine


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, encoding: str = "identity", data: bytes | None = None) -> bytes:
    """A body as sent."""
    request = Request(url, data=data, headers={"Accept-Encoding": encoding})
    with urlopen(request, timeout=300) as response:
        return bytes(response.read())


class Program:
    """A program on `port`, with its output in a file in `folder`."""

    def __init__(self, name: str, command: list[str], port: int, folder: Path) -> None:
        self.name, self.port, self.log = name, port, folder / f"{name.replace(' ', '-')}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listening(self, seconds: float = 600) -> Self:
        """Waits until it accepts connections."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} has ended: {self.log.read_text()[-1000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.001)
            else:
                return self
        raise RuntimeError(f"{self.name} does not listen after {seconds:g} s")

    def cpu_seconds(self) -> float:
        return machine.cpu_seconds(self.process.pid)

    def memory(self) -> tuple[int, int]:
        return machine.memory(self.process.pid)

    def hold(self) -> None:
        """Pauses it."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)
