"""The disk with the state is full for a while: that is told once, and saving goes on by itself."""

import resource
from pathlib import Path

import pytest

from configuration import everything, write
from conftest import ANY_PORT, Exporter, Simulate
from exposition import family, samples, scrape
from program import BINARY, Program
from waiting import wait_for

# Far less than the state file has, and more than the log.
FULL = 64 * 1024
# A limit of the size of files stands for the full disk; its signal must not end the program.
UNDER_A_LIMIT = ("sh", "-c", 'trap "" XFSZ; exec "$0" "$@"', str(BINARY))


def counted(exporter: Exporter) -> float:
    page = samples(scrape(exporter.url))
    return sum(value for (name, _), value in page.items() if name.endswith("_finished_total"))


def polls(exporter: Exporter) -> float:
    return sum(family(samples(scrape(exporter.url)), "aliyun_exporter_polls_total").values())


def limit(program: Program, size: int) -> None:
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def config_file(simulate: Simulate, tmp_path: Path) -> str:
    state = {"state": {"path": str(tmp_path / "state.redb")}}
    return write(tmp_path, everything(simulate(clusters=1, servers=2).cloud) | state)


def test_saving_goes_on_after_the_disk_was_full(config_file: str, tmp_path: Path) -> None:
    arguments = ["--config.file", config_file, "--web.listen-address", ANY_PORT]
    with Program([*UNDER_A_LIMIT, *arguments], tmp_path, "limited") as program:
        exporter = Exporter(program)
        wait_for("the first polls", lambda: polls(exporter) >= 4)
        limit(program, FULL)
        program.said("the state cannot be saved")
        before = polls(exporter)
        wait_for("many polls on a full disk", lambda: polls(exporter) >= before + 20)
        assert program.err.count("the state cannot be saved") == 1, program.err
        limit(program, resource.RLIM_INFINITY)
        program.said("the state is saved again")
        reached = counted(exporter)
        before = polls(exporter)
        wait_for("everything to be read and saved again", lambda: polls(exporter) >= before + 8)
        assert "damaged" not in program.err, program.err
    with Program([str(BINARY), *arguments], tmp_path, "again") as program:
        assert counted(Exporter(program)) >= reached > 0
