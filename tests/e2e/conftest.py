"""What the tests share: programs that end with the test, whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud import Cloud
from program import BINARY, Program, exporter

ANY_PORT = "127.0.0.1:0"

Start = Callable[..., Program]


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    assert BINARY.exists(), f"{BINARY} is missing: cargo build (or `make e2e`)"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the exporter with arguments; every one ends with the test."""
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
    return Demo(start("demo", "--web.listen-address", ANY_PORT, "--sim.listen-address", ANY_PORT))
