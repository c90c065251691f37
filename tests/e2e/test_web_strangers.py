"""Who comes from another machine without the password learns nothing: not even what this is.

The other machine is a network namespace, so this needs root; elsewhere it is skipped, and says so.
"""

import json
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from certificates import Certificates
from configuration import NOTHING, Config, everything
from conftest import Exporter, Serve, Simulate
from logins import PASSWORD, USER, log_in, users
from network import Network, NoNetworkError
from program import ROOT
from waiting import wait_for

HEALTH = ("/-/healthy", "/-/ready")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get")

# What scanners ask for, and ways to write a path that a server may take for another one.
USUAL = """/.env /.git/config /admin /debug/pprof/ /actuator/env /server-status /_sim/world /-/quit /api /api/v1/ /login
    /metrics/ //metrics /./metrics /x/../metrics /%6detrics /metrics%00 /metrics?x=1 /METRICS /config.yaml /-/healthy/
    /-/./healthy /-/healthy%2f..%2f..%2fmetrics /-/healthy/../../metrics /-/ready;/config /static/ /favicon.ico
    /robots.txt /probe /federate""".split()

# Words that would tell what this is, or what it watches.
TELLING = re.compile(
    "aliyun|alibaba|exporter|prometheus|ehpc|swas|cluster|cn-hangzhou|task|metric|rust|hyper|axum", re.I
)


def paths() -> list[str]:
    """Every path of the router, the usual ones, and some by chance."""
    routed = re.findall(r'\.route\(\s*"(/[^"]*)"', (ROOT / "src/web/mod.rs").read_text())
    assert {"/", "/config", "/api/v1/status", "/-/reload", *HEALTH} <= set(routed)
    chance = random.Random(1)
    odd = ("/" + "".join(chance.choices("abc/.%20%2f-_~?&=;:@!$'()*+,", k=chance.randint(1, 30))) for _ in range(100))
    return [*routed, "/metrics", *USUAL, *odd]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    try:
        with Network() as network:
            yield network
    except NoNetworkError as why:
        pytest.skip(f"NOT TESTED that strangers on another machine get nothing: {why}")


class Stranger:
    """Somewhere else, without the password."""

    def __init__(self, network: Network, exporter: Exporter) -> None:
        self.network = network
        self.port = int(exporter.program.said(rf"{re.escape(network.here)}:(\d+)")[1])

    def asks(self, requests: list[tuple[str, str]], *, tls: bool = False) -> list[str]:
        scanner = str(Path(__file__).with_name("scanner.py"))
        ordered = json.dumps((self.network.here, self.port, tls, requests))
        done = self.network.run(sys.executable, scanner, stdin=ordered, seconds=120)
        assert done.returncode == 0, done.stderr
        answers: list[str] = json.loads(done.stdout)
        assert len(answers) == len(requests)
        return answers

    def curls(self, path: str, *options: str, scheme: str = "http") -> str:
        """What curl prints, with its errors."""
        command = ("curl", "--disable", "--insecure", "--silent", "--show-error", "--include", "--max-time", "10")
        done = self.network.run(*command, *options, f"{scheme}://{self.network.here}:{self.port}{path}")
        return done.stdout + done.stderr


Visit = Callable[..., tuple[Exporter, Stranger]]


@pytest.fixture
def visit(network: Network, simulate: Simulate, guard: Serve) -> Visit:
    """An exporter that knows something, and a stranger to it."""

    def visit(web: Config, /, **config: object) -> tuple[Exporter, Stranger]:
        listen = ("--web.listen-address", f"{network.here}:0", "--web.enable-lifecycle")
        polled = everything(simulate(clusters=1, servers=2).cloud)
        exporter = guard(web, *listen, config=polled | config)
        return exporter, Stranger(network, exporter)

    return visit


def status(reply: str) -> int:
    """0 if there was none."""
    found = re.match(r"HTTP/1\.1 (\d{3}) ", reply)
    return int(found[1]) if found else 0


def told(reply: str, stranger: Stranger) -> str | None:
    """A word that tells too much."""
    found = TELLING.search(reply.replace(stranger.network.here, ""))
    return found[0] if found else None


def refused(stranger: Stranger, methods: tuple[str, ...] = METHODS, *, tls: bool) -> None:
    """Every path is refused, whatever the method, and nothing is told."""
    requests = [*product(methods, paths())]
    replies = stranger.asks(requests, tls=tls)
    assert [asked for asked, reply in zip(requests, replies, strict=True) if status(reply) != 401] == []
    assert [
        (asked, word) for asked, reply in zip(requests, replies, strict=True) if (word := told(reply, stranger))
    ] == []
    odd = [
        ("GET", "*"),
        ("OPTIONS", "*"),
        ("CONNECT", "a:1"),
        ("GET", "http://a/metrics"),
        ("GET", "metrics"),
        ("\x00", "/"),
    ]
    for asked, reply in zip(odd, stranger.asks(odd, tls=tls), strict=True):
        assert (status(reply) in (400, 401), told(reply, stranger)) == (True, None), (asked, reply)


def test_without_the_password_a_scanner_and_curl_get_nothing(visit: Visit) -> None:
    exporter, stranger = visit(users())
    refused(stranger, tls=False)
    for options in (
        (),
        ("--http2-prior-knowledge",),
        ("--http2",),
        ("--http0.9",),
        ("--user", "admin:admin"),
        ("-d", "x"),
    ):
        for path in ("/", "/metrics"):
            reply = stranger.curls(path, *options)
            assert told(reply, stranger) is None, (options, reply)
    assert "reloaded" not in exporter.program.err
    assert "aliyun" in stranger.curls("/", "--user", f"{USER}:{PASSWORD}"), "with it, they do"


def test_without_the_password_a_browser_gets_nothing(visit: Visit) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no browser here")
    _, stranger = visit(users())
    host = f"{stranger.network.here}:{stranger.port}"

    def browses(url: str) -> tuple[str, str]:
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--dump-dom")
        done = stranger.network.run(browser, *flags, url)
        return done.stdout, done.stderr

    page, why = browses(f"http://{host}/")
    assert (told(page, stranger), "ERR_INVALID_AUTH_CREDENTIALS" in why) == (None, True), why
    page, why = browses(f"http://{USER}:{quote(PASSWORD)}@{host}/")
    assert "aliyun" in page, f"with it, it does: {why}"


def test_open_health_opens_health_and_nothing_else(visit: Visit) -> None:
    exporter, stranger = visit(users(), web={"open_health": True})
    wait_for("it to be ready", lambda: log_in(f"{exporter.url}/-/ready").status == 200)
    requests = [*product(METHODS, paths())]
    replies = zip(requests, stranger.asks(requests), strict=True)
    opened = {asked: status(reply) for asked, reply in replies if status(reply) != 401}
    # Health itself refuses what is no reading.
    assert {method for (method, path), code in opened.items() if code == 200 and path in HEALTH} == {"GET", "HEAD"}
    assert {path for _, path in opened} == set(HEALTH)
    assert set(opened.values()) == {200, 405}


def test_with_tls_plain_http_gets_nothing(visit: Visit, certificates: Certificates) -> None:
    _, stranger = visit(users() | {"tls_server_config": certificates.server.served})
    replies = stranger.asks([("GET", path) for path in ("/", "/metrics", *HEALTH)])
    assert [(status(reply), told(reply, stranger)) for reply in replies] == [(0, None)] * 4
    assert max(map(len, replies)) < 32, "a TLS alert at most"
    refused(stranger, ("GET", "POST"), tls=True)
    reply = stranger.curls("/metrics", "--http2", scheme="https")
    assert (reply.startswith("HTTP/2 401"), told(reply, stranger)) == (True, None), reply


def test_what_listens_on_the_loopback_address_is_not_there_for_others(network: Network, serve: Serve) -> None:
    port = serve(NOTHING).url.rpartition(":")[2]
    done = network.run("curl", "--disable", "--silent", "--max-time", "5", f"http://{network.here}:{port}/-/healthy")
    assert (done.returncode, done.stdout) == (7, "")
