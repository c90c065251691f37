"""The state of polling, as Prometheus sees it."""

from conftest import Exporter
from exposition import family, samples, scrape


def up(exporter: Exporter) -> list[float]:
    """`target_up` of each target."""
    return list(family(samples(scrape(exporter.url)), "aliyun_task_exporter_target_up").values())


def polls(exporter: Exporter) -> dict[str, float]:
    """Polls that have ended, by outcome."""
    totals: dict[str, float] = {}
    for labels, count in family(samples(scrape(exporter.url)), "aliyun_task_exporter_polls_total").items():
        outcome = dict(labels)["outcome"]
        totals[outcome] = totals.get(outcome, 0) + count
    return totals
