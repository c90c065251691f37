"""Clients that try to lock others out: `make attacks`.

Each attack lasts a while against a running server. Meanwhile a client asks for health and another one scrapes; what
they see, and the server's memory, is the result. Other servers can be attacked for comparison (`--peer`).
"""

import argparse
import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from cloud import Cloud
from configuration import Config, account, places, write
from program import environment, exporter, free_port, resident
from waiting import wait_for
from web import get_text

SERVERS = 1000
LENGTH = 15.0
# The attackers' addresses; a few, as behind an ingress, and many, as from everywhere.
ONE, MANY = ("127.0.0.1",), tuple(f"127.0.1.{number}" for number in range(1, 65))
# The others'.
OTHERS = "127.0.0.9"


@dataclass(frozen=True)
class Server:
    """Where it listens, and which process it is."""

    port: int
    pid: int
    health: str = "/-/healthy"
    # What is large, and what a page of it is.
    large: str = "/api/v1/status"


@dataclass
class Seen:
    """What others have seen of a server under attack."""

    health: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    failed_health: int = 0
    failed_scrapes: int = 0
    resident: float = 0.0

    @property
    def worst_health(self) -> float:
        return max(self.health, default=float("inf"))


class Attackers:
    """Connections from some addresses, which are opened again when the server closes them."""

    def __init__(self, server: Server, count: int, addresses: tuple[str, ...]) -> None:
        self.server, self.count, self.addresses = server, count, addresses
        self.tasks: list[asyncio.Task[None]] = []

    async def open(self, number: int, size: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection; with `size`, its kernel buffers little of what is not read."""
        sock = socket.socket()
        sock.setblocking(False)
        if size:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        sock.bind((self.addresses[number % len(self.addresses)], 0))
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.server.port))
            return await asyncio.open_connection(sock=sock, limit=1024)
        except BaseException:
            sock.close()
            raise

    def start(self, attack: Callable[["Attackers", int], Awaitable[None]]) -> None:
        async def again(number: int) -> None:
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await attack(self, number)
                await asyncio.sleep(0.5)

        self.tasks = [asyncio.create_task(again(number)) for number in range(self.count)]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Waits until the server closes it."""
    try:
        while await reader.read(1024):
            pass
    finally:
        writer.close()


async def half_a_head(attackers: Attackers, number: int) -> None:
    reader, writer = await attackers.open(number)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: local")
    await closed(reader, writer)


async def nothing(attackers: Attackers, number: int) -> None:
    await closed(*await attackers.open(number))


async def trickled_head(attackers: Attackers, number: int) -> None:
    reader, writer = await attackers.open(number)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    try:
        while not writer.is_closing() and not reader.at_eof():
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)
    finally:
        writer.close()


def asks(path: str, *, reads: bool) -> Callable[[Attackers, int], Awaitable[None]]:
    async def attack(attackers: Attackers, number: int) -> None:
        reader, writer = await attackers.open(number, None if reads else 2048)
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        try:
            if not reads:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(request * 4)
                await asyncio.sleep(3600)
            while True:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if b"length" in line)
                while length > 0 and (part := await reader.read(min(length, 65536))):
                    length -= len(part)
        finally:
            writer.close()

    return attack


def attacks(server: Server) -> dict[str, tuple[int, Callable[[Attackers, int], Awaitable[None]]]]:
    """What is tried: how many connections, and what each does."""
    return {
        "half a head": (512, half_a_head),
        "nothing": (512, nothing),
        "a head, a byte a second": (512, trickled_head),
        "asks for /metrics, reads nothing": (512, asks("/metrics", reads=False)),
        f"asks for {server.large}, reads nothing": (505, asks(server.large, reads=False)),
        f"asks for {server.large} all the time": (200, asks(server.large, reads=True)),
    }


def ask(server: Server, path: str) -> float:
    """Seconds that a request from another address takes; raises if there is no 200."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), 5, (OTHERS, 0)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        sock.settimeout(5)
        first = sock.recv(65536)
        if not first.startswith(b"HTTP/1.1 200"):
            raise OSError(first[:40])
        while sock.recv(65536):
            pass
    return time.monotonic() - began


async def others(server: Server, seen: Seen, length: float) -> None:
    """Asks for health four times a second, and scrapes each second."""
    loop, until = asyncio.get_running_loop(), time.monotonic() + length
    for number in range(10**6):
        if time.monotonic() >= until:
            return
        try:
            seen.health.append(await loop.run_in_executor(None, ask, server, server.health))
        except OSError:
            seen.failed_health += 1
        if number % 4 == 0:
            try:
                seen.scrapes.append(await loop.run_in_executor(None, ask, server, "/metrics"))
            except OSError:
                seen.failed_scrapes += 1
        seen.resident = max(seen.resident, resident(server.pid))
        await asyncio.sleep(0.25)


async def attacked(
    server: Server,
    count: int,
    attack: Callable[[Attackers, int], Awaitable[None]],
    addresses: tuple[str, ...],
    length: float,
) -> Seen:
    """Attacks a server for a while; what others have seen of it."""
    seen, attackers = Seen(), Attackers(server, count, addresses)
    attackers.start(attack)
    await asyncio.sleep(1)
    await others(server, seen, length)
    await attackers.stop()
    return seen


def started(stack: ExitStack, folder: Path, servers: int) -> Server:
    """An exporter that has read as many servers of a simulated cloud."""
    size = ("--servers", str(servers), "--clusters", "0", "--quota", "100000")
    simulated = stack.enter_context(exporter(folder, "simulate", "--listen", "127.0.0.1:0", *size))
    cloud = Cloud(simulated.said(r"listens on (http://\S+)/")[1])
    config: Config = {
        "accounts": [account(cloud.url) | {"quotas": {"SWAS": 50_000}}],
        "swas": {"servers": places(cloud.world(), "servers"), "strategy": "per_region"},
    }
    port = free_port()
    listen = ("--web.listen-address", f"127.0.0.1:{port}")
    program = stack.enter_context(exporter(folder, "--config.file", write(folder, config), *listen))
    up = "aliyun_task_exporter_target_up{"
    url = f"http://127.0.0.1:{port}/metrics"
    wait_for("every server to be read", lambda: get_text(url).count(up) >= servers, 120)
    return Server(port, program.process.pid)


def peer(stack: ExitStack, command: list[str]) -> Server:
    """Another server, whose command takes {port}."""
    port = free_port()
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    wait_for("the other server", lambda: get_text(f"http://127.0.0.1:{port}/metrics"))
    return Server(port, process.pid, health="/", large="/metrics")


def row(name: str, addresses: tuple[str, ...], seen: Seen) -> str:
    asked, scraped = len(seen.health) + seen.failed_health, len(seen.scrapes) + seen.failed_scrapes
    worst = f"{seen.worst_health * 1000:,.0f}" if seen.health else "-"
    middle = f"{median(seen.scrapes) * 1000:,.0f}" if seen.scrapes else "-"
    return (
        f"| {name} | {len(addresses)} | {len(seen.health)} of {asked} | {worst} | {len(seen.scrapes)} of {scraped} "
        f"| {middle} | {seen.resident:,.0f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=SERVERS, help="how many the attacked exporter watches")
    parser.add_argument("--seconds", type=float, default=LENGTH, help="how long each attack lasts")
    parser.add_argument("--peer", nargs=argparse.REMAINDER, help="another server's command instead, with {port}")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aliyun-attacks-")))
        server = peer(stack, arguments.peer) if arguments.peer else started(stack, folder, arguments.servers)
        sys.stdout.write(
            "| attack | addresses | health answered | slowest, ms | scrapes served | median, ms | resident MiB |\n"
            "| --- | --- | --- | --- | --- | --- | --- |\n"
        )
        for name, (count, attack) in attacks(server).items():
            for addresses in (ONE, MANY):
                seen = asyncio.run(attacked(server, count, attack, addresses, arguments.seconds))
                sys.stdout.write(row(name, addresses, seen) + "\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
