"""A small fleet of `make scale`: it runs, and fills its table."""

from pathlib import Path

from scale import COLUMNS, measure


def test_a_small_fleet_is_measured_in_one_process_and_in_two(tmp_path: Path) -> None:
    alone = measure(tmp_path / "alone", servers=40, shards=1, invocations=1, seconds=2)
    two = measure(tmp_path / "two", servers=40, shards=2, invocations=1, seconds=2)
    assert len(two.processes) == 2
    assert sum(one.series for one in two.processes) > alone.processes[0].series / 2
    for run in (alone, two):
        assert all(
            one.series > 0 and one.calls_at_first > 0 and one.page[0] > one.page[1] > 0 and one.scrape > 0
            for one in run.processes
        )
        assert all(one.memory > 1 and one.cpu >= 0 for one in run.processes)
        assert run.row().count(" | ") == len(COLUMNS) - 1
