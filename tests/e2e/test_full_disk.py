"""The disk with the state is full for a while: that is reported once, and saving resumes by itself."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from configuration import everything, write
from conftest import ANY_PORT, Exporter, Simulate
from exposition import family, samples, scrape
from program import BINARY, Program, run
from waiting import wait_for

# Far less than the state file, and more than the log.
FULL = 64 * 1024
# A limit on file sizes stands for the full disk; its signal must not stop the program.
UNDER_A_LIMIT = ("sh", "-c", 'trap "" XFSZ; exec "$0" "$@"', str(BINARY))


def counted(exporter: Exporter) -> float:
    page = samples(scrape(exporter.url))
    return sum(value for (name, _), value in page.items() if name.endswith("_finished_total"))


def polls(exporter: Exporter) -> float:
    return sum(family(samples(scrape(exporter.url)), "aliyun_task_exporter_polls_total").values())


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; removed with the test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this machine permits no mount: " + mounted.stderr.decode())
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Uses up all the space that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in [65536, 4096, 1]:
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


def test_starts_on_a_full_disk_leave_the_file_as_it_is(simulate: Simulate, small_disk: Path, tmp_path: Path) -> None:
    state = small_disk / "state.redb"
    config = everything(simulate(clusters=1, servers=2).cloud) | {"state": {"path": str(state)}}
    arguments = ["--config.file", write(tmp_path, config), "--web.listen-address", ANY_PORT]
    filler = fill(small_disk)
    for _ in range(5):
        done = run(*arguments)
        assert done.returncode == 1, done
        for word in ["No space left on device", str(state)]:
            assert word in done.stderr, done.stderr
        assert "listening" not in done.stderr, done.stderr
        assert os.listdir(small_disk) == ["filler"]
    filler.unlink()
    with Program([str(BINARY), *arguments], tmp_path, "first") as program:
        exporter = Exporter(program)
        wait_for("ends", lambda: counted(exporter) > 0)
        reached = counted(exporter)
        program.process.kill()
    filler = fill(small_disk)
    before = state.read_bytes()
    for _ in range(5):
        # It starts if it needs no space, and says so if it needs some.
        with Program([str(BINARY), *arguments], tmp_path, "full") as program:
            said = wait_for("it to start or to end", lambda: program.process.poll() or "listening" in program.err)
            assert said is True or (said == 1 and "No space left on device" in program.err), program.err
            assert "damaged" not in program.err, program.err
        assert sorted(os.listdir(small_disk)) == ["filler", "state.redb"]
    assert len(state.read_bytes()) == len(before)
    filler.unlink()
    with Program([str(BINARY), *arguments], tmp_path, "again") as program:
        assert counted(Exporter(program)) >= reached
