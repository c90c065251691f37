"""A minute of `make endurance`: it runs, and kills lose no end. Figures are not flat so soon."""

from pathlib import Path

from endurance import CALM_HOUR, FAILING, run


def test_a_minute_of_the_day_is_lived_through_and_each_end_is_counted_once(tmp_path: Path) -> None:
    told, wrong = run(0.6, seed=1, folder=tmp_path, troubles=(CALM_HOUR, CALM_HOUR, *FAILING))
    assert len(told) > 8, told
    assert not [line for line in wrong if "ends" in line], wrong
