"""The other programs that serve the exporter's page."""

import gzip
import importlib.metadata
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import machine
from machine import ROOT
from program import Program, free_port
from world import BENCH

PEERS = Path(__file__).parent / "peers"
GO_PROGRAM = ROOT / "target/bench/client_golang"

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.error.log;
worker_processes auto;
events {{}}
http {{
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location = /metrics {{ root {folder}; default_type "text/plain; version=0.0.4"; gzip_static on; }}
  }}
}}
"""


@dataclass(frozen=True)
class Contender:
    """A program that is compared with the exporter, up to a number of series."""

    name: str
    command: Callable[[int, Path], list[str]]
    version: Callable[[], str]
    openmetrics: bool = False
    most_series: int = 10_000_000

    def start(self, folder: Path) -> Program:
        port = free_port()
        return Program(self.name, self.command(port, folder), port, folder)


def write_page(page: bytes, compressed: bytes, folder: Path) -> None:
    """Writes the page for all contenders: what the exporter itself has sent."""
    if gzip.decompress(compressed).count(b"\n") != page.count(b"\n"):
        raise RuntimeError("the exporter's two encodings are not of the same page")
    (folder / "metrics").write_bytes(page)
    (folder / "metrics.gz").write_bytes(compressed)


def _fixed(port: int, folder: Path) -> list[str]:
    return [str(BENCH), "fixed", f"127.0.0.1:{port}", str(folder / "metrics"), str(folder / "metrics.gz")]


def _nginx(port: int, folder: Path) -> list[str]:
    conf = folder / "nginx.conf"
    conf.write_text(NGINX.format(folder=folder, port=port))
    # Otherwise its workers run as another user, who may not read the files.
    return ["/usr/sbin/nginx", "-p", str(folder), "-c", str(conf), "-g", "user root;"]


def _registry(port: int, folder: Path) -> list[str]:
    return [str(BENCH), "registry", f"127.0.0.1:{port}", str(folder / "metrics")]


def _golang(port: int, folder: Path) -> list[str]:
    return [str(GO_PROGRAM), f"127.0.0.1:{port}", str(folder / "metrics")]


def _python(port: int, folder: Path) -> list[str]:
    return [sys.executable, str(PEERS / "client_python.py"), str(port), str(folder / "metrics")]


def _locked(crate: str) -> str:
    lock = (ROOT / "Cargo.lock").read_text()
    return lock.split(f'name = "{crate}"\nversion = "', 1)[1].split('"', 1)[0]


def _packaged(package: str) -> str:
    return machine.said("dpkg-query", "--show", "--showformat=${Version}", package)


def _python_version() -> str:
    return f"{importlib.metadata.version('prometheus_client')} on Python {platform.python_version()}"


STATIC = "static bytes"
ALL = (
    Contender(STATIC, _fixed, lambda: f"axum {_locked('axum')}, hyper {_locked('hyper')}"),
    Contender("nginx", _nginx, lambda: _packaged("nginx-light")),
    Contender("prometheus crate", _registry, lambda: _locked("prometheus")),
    Contender(
        "client_golang",
        _golang,
        lambda: f"{_packaged('golang-github-prometheus-client-golang-dev')}, {machine.said('go', 'version')}",
        openmetrics=True,
    ),
    Contender("prometheus_client", _python, _python_version, openmetrics=True, most_series=100_000),
)
