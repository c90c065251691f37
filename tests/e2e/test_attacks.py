"""Clients that try to lock others out do not. `make attacks` has the figures; these limits are ten times those."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from attacks import MANY, attacked, started, table

SLOWEST = 0.5
RESIDENT = 300


# In one test: two at a time would attack each other.
def test_health_and_scrapes_are_served_whatever_others_do(tmp_path: Path) -> None:
    for tls in (False, True):
        folder = tmp_path / ("tls" if tls else "plain")
        folder.mkdir()
        with ExitStack() as stack:
            server = started(stack, folder, 100, tls=tls)
            for name in table(server):
                seen = attacked(server, name, MANY, length=3)
                assert (seen.failed_health, seen.failed_scrapes) == (0, 0), f"{name}: {seen}"
                assert median(seen.health) < SLOWEST, f"{name}: {seen}"
                assert seen.resident < RESIDENT, f"{name}: {seen}"
