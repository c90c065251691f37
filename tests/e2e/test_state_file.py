"""The file at state.path decides whether the exporter starts; a file that is not its own is left alone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from configuration import Config, everything, write
from conftest import ANY_PORT, Exporter, Simulate
from exposition import samples, scrape, series
from program import BINARY, Program, environment, run
from waiting import wait_for
from web import get_json, get_text

Launch = Callable[..., Program]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts named exporters; stopped with the test."""
    programs = []

    def launch(name: str, file: str) -> Program:
        arguments = ["--config.file", file, "--web.listen-address", ANY_PORT]
        programs.append(Program([str(BINARY), *arguments], tmp_path, name))
        return programs[-1].__enter__()

    yield launch
    for program in programs:
        program.__exit__()


def with_state(simulate: Simulate, path: Path, **more: object) -> Config:
    return everything(simulate(clusters=1, servers=2).cloud) | {"state": {"path": str(path), **more}}


def gauge(exporter: Exporter, name: str) -> float | None:
    return samples(scrape(exporter.url)).get(series(name))


def leads(exporter: Exporter) -> bool:
    return gauge(exporter, "aliyun_task_exporter_leader") == 1


def counted(exporter: Exporter) -> float:
    page = samples(scrape(exporter.url))
    return sum(value for (name, _), value in page.items() if name.endswith("_finished_total"))


def of_cloud(exporter: Exporter) -> list[str]:
    return [line for line in scrape(exporter.url).splitlines() if line.startswith(("aliyun_ehpc_", "aliyun_swas_"))]


def test_a_device_and_the_configuration_itself_are_refused_by_name(simulate: Simulate, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for path, what in [(Path("/dev/null"), "a device"), (file, "something else"), (tmp_path, "a folder")]:
        text = Path(write(tmp_path, with_state(simulate, path))).read_text()
        before = sorted(os.listdir(tmp_path))
        for arguments in [["check"], ["--web.listen-address", ANY_PORT]]:
            done = run(*arguments, "--config.file", str(file))
            assert done.returncode == 2, done
            for word in [str(path), what, "state.path"]:
                assert word in done.stderr, done.stderr
            assert "listening" not in done.stderr, done.stderr
        assert sorted(os.listdir(tmp_path)) == before
        assert file.read_text() == text
    assert Path("/dev/null").is_char_device()


def test_a_second_one_is_refused_before_it_listens_and_noted_by_check(
    launch: Launch, simulate: Simulate, tmp_path: Path
) -> None:
    file = write(tmp_path, with_state(simulate, tmp_path / "state.redb"))
    first = Exporter(launch("first", file))
    wait_for("the first polls", lambda: of_cloud(first))
    second = run("--config.file", file, "--web.listen-address", ANY_PORT)
    assert second.returncode == 1, second
    assert "in use by another process" in second.stderr, second
    assert "listening" not in second.stderr, second.stderr
    checked = run("check", "--config.file", file)
    assert checked.returncode == 0, checked
    assert "in use by a running exporter" in checked.stdout, checked


def test_one_that_stands_by_takes_over_within_two_seconds_of_a_kill(
    launch: Launch, simulate: Simulate, tmp_path: Path
) -> None:
    file = write(tmp_path, with_state(simulate, tmp_path / "state.redb", wait=True))
    leader = Exporter(launch("leader", file))
    wait_for("ends", lambda: counted(leader) > 0)
    for number in range(3):
        standby = Exporter(launch(f"standby-{number}", file))
        standby.program.said("standing by")
        assert get_text(standby.url + "/-/ready") == "ready\n"
        assert get_text(standby.url + "/-/healthy") == "healthy\n"
        assert (gauge(standby, "aliyun_task_exporter_leader"), gauge(leader, "aliyun_task_exporter_leader")) == (0, 1)
        assert not of_cloud(standby)
        assert get_json(standby.url + "/api/v1/status")["leader"] is False
        reached = counted(leader)
        if number == 1:
            leader.program.signal(signal.SIGTERM)
        else:
            leader.program.process.kill()
        leader.program.process.wait()
        ended = time.monotonic()
        wait_for("another leader", partial(leads, standby))
        assert time.monotonic() - ended < 2
        assert counted(standby) >= reached
        leader = standby
    log = "".join(path.read_text() for path in tmp_path.glob("*.err"))
    for word in ["damaged", "panicked"]:
        assert word not in log, log


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter; those of pytest are only for their owner."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_of_another_user_is_told_by_check(simulate: Simulate, public: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    volume = public / "volume"
    volume.mkdir(mode=0o755)
    path = Path(write(public, with_state(simulate, volume / "state.redb")))
    for arguments in [["check"], []]:
        command = [str(BINARY), *arguments, "--config.file", str(path)]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=30, user=65532, group=65532
        )
        assert done.returncode == (2 if arguments else 1), done
        for word in ["user 65532", "belongs to user 0, group 0", "mode 0755", "chown"]:
            assert word in done.stderr, done.stderr
    assert os.listdir(volume) == []


def test_a_file_that_is_deleted_meanwhile_is_there_again_for_the_next_start(
    launch: Launch, simulate: Simulate, tmp_path: Path
) -> None:
    state = tmp_path / "state.redb"
    file = write(tmp_path, with_state(simulate, state))
    first = Exporter(launch("first", file))
    wait_for("ends", lambda: counted(first) > 0)
    state.unlink()
    first.program.said("the state file was deleted; it is written again")
    reached = counted(first)
    first.program.process.kill()
    first.program.process.wait()
    assert counted(Exporter(launch("second", file))) >= reached
