"""Waiting for a condition until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.05


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 30) -> T:
    """The first true result of `probe`; refused connections are retried."""
    deadline = time.monotonic() + seconds
    trouble: object = None
    while time.monotonic() < deadline:
        try:
            if found := probe():
                return found
        except OSError as error:
            trouble = error
        time.sleep(PAUSE)
    raise AssertionError(f"waited {seconds:g} s in vain for {what}" + (f": {trouble}" if trouble else ""))
