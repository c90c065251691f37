"""The cloud stops answering for longer than values stay fresh, then comes back."""

import signal
import time

import pytest

from configuration import everything
from conftest import Exporter, Serve, Simulate, Simulation
from exposition import Samples, family, samples, scrape
from settled import LAST_SUCCESS, settle, shown
from truth import expected
from waiting import wait_for

STALE_AFTER = 6
# Time between reading a value and the end of its poll, and between our clock and the exporter's page, in seconds.
SLACK = 1.5


class Watch:
    """An exporter on a frozen world; every page it serves is compared with what may be true."""

    def __init__(self, simulation: Simulation, exporter: Exporter) -> None:
        self.url, self.cloud = exporter.url, simulation.cloud
        settle(self.cloud, self.url)
        self.truth = expected(shown(self.cloud, samples(scrape(self.url))))

    def page(self) -> Samples:
        """A page. Fresh values are there and true, stale ones are absent."""
        asked = time.time()
        page = samples(scrape(self.url))
        ages = [asked - moment for moment in family(page, LAST_SUCCESS).values()]
        if max(ages) < STALE_AFTER - SLACK:
            assert self.known(page) == self.truth
        if min(ages) > STALE_AFTER + SLACK:
            assert self.known(page) == {}
        return page

    def known(self, page: Samples) -> Samples:
        families = {name for name, _ in self.truth}
        return {key: value for key, value in page.items() if key[0] in families}

    def when(self, what: str, up: int, known: bool) -> Samples:
        """Waits until every target is up or none, and all values are known or none."""

        def probe() -> Samples | None:
            page = self.page()
            ups = set(family(page, "aliyun_task_exporter_target_up").values())
            return page if ups == {up} and self.known(page) == (self.truth if known else {}) else None

        return wait_for(what, probe)


@pytest.fixture
def watch(simulate: Simulate, serve: Serve) -> tuple[Simulation, Watch]:
    simulation = simulate(clusters=1, servers=2)
    config = everything(simulation.cloud, timeout="500ms", stale_after=f"{STALE_AFTER}s")
    return simulation, Watch(simulation, serve(config))


def test_values_are_kept_withdrawn_and_back(watch: tuple[Simulation, Watch]) -> None:
    simulation, exporter = watch
    simulation.program.signal(signal.SIGSTOP)
    stopped = time.time()
    kept = exporter.when("every poll to fail, with the values kept", up=0, known=True)
    assert reasons(kept) == {"timeout"}
    withdrawn = exporter.when("the values to be withdrawn", up=0, known=False)
    assert time.time() - stopped > STALE_AFTER - SLACK
    assert max(family(withdrawn, LAST_SUCCESS).values()) < stopped + SLACK
    assert counters(withdrawn) == counters(kept), "what was counted stays"
    simulation.program.signal(signal.SIGCONT)
    resumed = time.time()
    back = exporter.when("everything to be back", up=1, known=True)
    assert min(family(back, LAST_SUCCESS).values()) > resumed
    assert reasons(back) == set()


def reasons(page: Samples) -> set[str]:
    return {dict(labels)["reason"] for labels in family(page, "aliyun_task_exporter_target_failing")}


def counters(page: Samples) -> Samples:
    return {key: value for key, value in page.items() if key[0].endswith("_finished_total")}
