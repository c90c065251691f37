"""Fixtures of the tests: programs that are stopped with the test, whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from api_server import ApiServer
from certificates import Certificates
from cloud import Cloud
from configuration import NOTHING, Config, write, write_web
from program import BINARY, Program, exporter

ANY_PORT = "127.0.0.1:0"
ANY_PORTS = ("--web.listen-address", ANY_PORT, "--sim.listen-address", ANY_PORT)

Start = Callable[..., Program]


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    assert BINARY.exists(), f"{BINARY} is missing: cargo build"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program with arguments; stopped with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **variables: stack.enter_context(exporter(tmp_path, *arguments, **variables))


class Demo:
    """The demo: an exporter on a simulated cloud, in one process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.url = program.said(r"(http://\S+?)/metrics")[1]
        self.cloud = Cloud(program.said(r"(http://\S+?)/_sim/world")[1])


@pytest.fixture
def demo(start: Start) -> Demo:
    return Demo(start("demo", *ANY_PORTS))


class Simulation:
    """A simulated cloud in a separate process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.cloud = Cloud(program.said(r"listens on (http://\S+)/")[1])


Simulate = Callable[..., Simulation]


@pytest.fixture
def simulate(start: Start) -> Simulate:
    """Starts a simulated cloud; `clusters=5` becomes the argument `--clusters=5`."""
    return lambda **size: Simulation(
        start("simulate", "--listen", ANY_PORT, *(f"--{name}={value}" for name, value in size.items()))
    )


class Exporter:
    """An exporter with a configuration file, and its address."""

    def __init__(self, program: Program) -> None:
        self.program = program
        address, tls = program.said(r'address"?[=:]"?([\d.]+:\d+)"?[ ,]"?tls"?[=:](true|false)').groups()
        self.url = f"{'https' if tls == 'true' else 'http'}://{address}"


Serve = Callable[..., Exporter]


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    """Starts an exporter with a configuration; other arguments are passed on."""

    def serve(config: Config, *arguments: str) -> Exporter:
        file = write(tmp_path, config)
        return Exporter(start("--config.file", file, "--web.listen-address", ANY_PORT, *arguments))

    return serve


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def api(certificates: Certificates) -> Iterator[ApiServer]:
    with ApiServer(certificates.server) as api:
        yield api


@pytest.fixture
def guard(serve: Serve, tmp_path: Path) -> Serve:
    """Starts an exporter behind a web configuration; it polls nothing unless it is told what."""

    def guard(web: Config, *arguments: str, config: Config = NOTHING) -> Exporter:
        return serve(config, "--web.config.file", write_web(tmp_path, web), *arguments)

    return guard
