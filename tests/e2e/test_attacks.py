"""Clients that try to lock others out do not. `make attacks` has the figures; these limits are ten times those."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from attacks import MANY, Seen, attacked, started, table

SLOWEST = 0.5
RESIDENT = 300
# What the machine does besides makes it worse, never better.
TRIES = 3


def is_served(seen: Seen) -> bool:
    is_answered = bool(seen.health) and (seen.failed_health, seen.failed_scrapes) == (0, 0)
    return is_answered and median(seen.health) < SLOWEST


# In one test: two at a time would attack each other.
def test_health_and_scrapes_are_served_whatever_others_do(tmp_path: Path) -> None:
    for tls in (False, True):
        folder = tmp_path / ("tls" if tls else "plain")
        folder.mkdir()
        with ExitStack() as stack:
            server = started(stack, folder, 100, tls=tls)
            for name in table(server):
                tries: list[Seen] = []
                while not tries or (not is_served(tries[-1]) and len(tries) < TRIES):
                    tries.append(attacked(server, name, MANY, length=3))
                assert is_served(tries[-1]), f"{name}: {tries}"
                assert max(seen.resident for seen in tries) < RESIDENT, f"{name}: {tries}"
