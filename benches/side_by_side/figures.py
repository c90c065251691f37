"""Everything that a run has measured, and what follows from it."""

from dataclasses import dataclass

import contenders
from polling import Polling
from scraping import Sized
from standing import Grown, Idle, Start

Way = tuple[str, str]


@dataclass(frozen=True)
class Figures:
    """Everything that a run has measured."""

    sizes: list[Sized]
    polling: Polling
    start: Start
    idle: Idle
    growth: list[Grown]


def floor(sized: Sized, way: Way) -> float:
    """The median time of static bytes."""
    return sized.scrapes[contenders.STATIC, ("text", way[1])].median


def added(before: Grown, after: Grown) -> tuple[float, float, float]:
    """What each target added between two steps costs in a scrape, in memory, and in CPU for one poll."""
    between = after.targets - before.targets
    scrape = (after.scrape.median - before.scrape.median) / between
    rounds = [step.poll_cpu * step.targets for step in (before, after)]
    return scrape, (after.resident - before.resident) / between, (rounds[1] - rounds[0]) / between


def count(number: int) -> str:
    """A number with its thousands separated."""
    return f"{number:,}".replace(",", "\u202f")
