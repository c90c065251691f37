"""Clients that try to lock others out do not. `make attacks` has the figures; these limits are ten times those."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from attacks import MANY, attacked, started, table

SLOWEST = 0.5
RESIDENT = 300


@pytest.mark.parametrize("tls", [False, True], ids=["HTTP/1", "HTTP/2"])
def test_health_and_scrapes_are_served_whatever_others_do(tls: bool, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = started(stack, tmp_path, 100, tls=tls)
        for name in table(server):
            seen = attacked(server, name, MANY, length=3)
            assert (seen.failed_health, seen.failed_scrapes) == (0, 0), f"{name}: {seen}"
            assert len(seen.health) > 2, f"{name}: {seen}"
            assert sorted(seen.health)[len(seen.health) // 2] < SLOWEST, f"{name}: {seen}"
            assert seen.resident < RESIDENT, f"{name}: {seen}"
