"""Processes that share the targets of one configuration poll together what one would poll alone."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud import Cloud
from configuration import POLL, Config, account, everything, write
from conftest import ANY_PORT, Exporter, Simulate
from exposition import Samples, family, samples, scrape, series
from program import BINARY, exporter
from settled import settle
from waiting import wait_for

COUNT = 3
CLOUD = ("aliyun_ehpc_", "aliyun_swas_")
# Each process observes these for itself.
OBSERVED = "_timestamp_seconds"

Begin = Callable[..., Exporter]


def discovering(cloud: Cloud) -> Config:
    discovery = {"discovery": [{"regions": ["all"], "interval": "1m"}]}
    return {"poll": POLL, "accounts": [account(cloud.url)], "ehpc": discovery, "swas": discovery}


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts an exporter in a folder of its own; stopped with the test."""
    with ExitStack() as stack:

        def begin(config: Config, *flags: str, **variables: str) -> Exporter:
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            arguments = ("--config.file", write(folder, config), "--web.listen-address", ANY_PORT, *flags)
            return Exporter(stack.enter_context(exporter(folder, *arguments, **variables)))

        yield begin


def of_three(index: int | str) -> tuple[str, ...]:
    return "--shard.index", str(index), "--shard.count", str(COUNT)


def of_the_cloud(page: Samples) -> Samples:
    return {
        (name, labels): 0 if name.endswith(OBSERVED) else value
        for (name, labels), value in page.items()
        if name.startswith(CLOUD)
    }


def page(exporter: Exporter) -> Samples:
    return samples(scrape(exporter.url))


def union(exporters: list[Exporter]) -> Samples:
    """What they show of the cloud; nothing is shown by two."""
    together: Samples = {}
    for one in exporters:
        own = of_the_cloud(page(one))
        assert not together.keys() & own.keys()
        together |= own
    return together


def test_the_pages_of_three_shards_are_the_page_of_one_process(simulate: Simulate, begin: Begin) -> None:
    cloud = simulate(clusters=8, servers=24).cloud
    cloud.freeze()
    config = discovering(cloud)
    alone = begin(config)
    targets = len(cloud.world()["clusters"]) * 2 + len(cloud.world()["servers"])

    def is_complete() -> bool:
        ups = family(page(alone), "aliyun_task_exporter_target_up")
        return sum(1 for labels in ups if dict(labels)["kind"] != "discovery") == targets

    wait_for("one process has everything", is_complete, 60)
    together = [begin(config, *of_three(index)) for index in range(COUNT)]
    wait_for("three show the same", lambda: union(together) == of_the_cloud(page(alone)), 60)
    assert len(union(together)) > 500
    own = [len(of_the_cloud(page(exporter))) for exporter in together]
    assert sum(1 for series in own if series) >= 2, own
    polled = [set(family(page(exporter), "aliyun_task_exporter_target_up")) for exporter in together]
    regions = {labels for labels in set().union(*polled) if dict(labels)["target"].endswith("/all")}
    assert len(set().union(*polled) - regions) == sum(len(ids - regions) for ids in polled)
    for index, one in enumerate(together):
        values = {name: value for (name, labels), value in page(one).items() if not labels}
        assert values["aliyun_task_exporter_shard"] == index
        assert values["aliyun_task_exporter_shards"] == COUNT
        assert values["aliyun_task_exporter_shard_units"] > 0


def test_shards_that_are_killed_count_what_one_process_counts(simulate: Simulate, begin: Begin, tmp_path: Path) -> None:
    # A list holds a minute of the simulated time: what comes and goes while nothing is read, nothing shows.
    cloud = simulate(clusters=6, servers=12, **{"time-scale": 3}).cloud
    cloud.freeze()
    config = everything(cloud)
    alone = begin(config)
    config["state"] = {"path": str(tmp_path / "${HOSTNAME}.redb")}

    def pod(number: int) -> Exporter:
        return begin(config, *of_three("ordinal"), HOSTNAME=f"exporter-{number}")

    pods = [pod(number) for number in range(COUNT)]
    wait_for("all is read", lambda: all(map(has_read_all, (alone, *pods))), 60)
    cloud.go_on()
    for number in (0, 1, 2, 1):
        counted = sum(finished(union(pods)).values())
        wait_for("more is counted", lambda: sum(finished(union(pods)).values()) > counted + 3, 60)  # noqa: B023
        pods[number].program.process.kill()
        pods[number].program.process.wait()
        pods[number] = pod(number)
        wait_for("all is read again", lambda: all(map(has_read_all, pods)), 60)
    assert sum(map(own, pods)) == own(alone) == 6 * 2 + 12
    for one in filter(own, (alone, *pods)):
        settle(cloud, one.url)
    expected = finished(page(alone))
    assert finished(union(pods)) == expected
    assert sum(expected.values()) > 20


def leads(exporter: Exporter) -> bool:
    return page(exporter)[series("aliyun_task_exporter_leader")] == 1


def owners(exporters: list[Exporter]) -> set[tuple[str, int]]:
    """Each target with the number of its process."""
    ups = [family(page(one), "aliyun_task_exporter_target_up") for one in exporters]
    return {(dict(labels)["target"], index) for index, up in enumerate(ups) for labels in up}


def test_what_moves_to_a_fourth_process_continues_from_its_state(
    simulate: Simulate, begin: Begin, tmp_path: Path
) -> None:
    # A list holds a minute of the simulated time: what comes and goes while nothing is read, nothing shows.
    cloud = simulate(clusters=6, servers=12, **{"time-scale": 3}).cloud
    cloud.freeze()
    config = everything(cloud)
    alone = begin(config)
    config["state"] = {"folder": str(tmp_path), "wait": True}
    old = [begin(config, *of_three(index)) for index in range(COUNT)]
    wait_for("all is read", lambda: all(map(has_read_all, (alone, *old))), 60)
    cloud.go_on()
    wait_for("something is counted", lambda: sum(finished(union(old)).values()) > 10, 60)
    before = owners(old)
    # One after the other, as in a StatefulSet: no unit is polled by two.
    new: list[Exporter] = []
    for index in reversed(range(COUNT + 1)):
        new.append(begin(config, "--shard.index", str(index), "--shard.count", str(COUNT + 1)))
        assert not any(map(leads, new))
        if index < COUNT:
            assert leads(old[index])
            old[index].program.process.kill()
    wait_for("all are taken over", lambda: all(map(leads, new)))
    new.reverse()
    wait_for("all is read again", lambda: all(map(has_read_all, new)), 60)
    assert sum(map(own, new)) == own(alone)
    assert 0 < len(owners(new) - before) < own(alone), "some have moved"
    for one in filter(own, (alone, *new)):
        settle(cloud, one.url)
    assert finished(union(new)) == finished(page(alone))


def test_without_a_common_folder_what_moves_starts_again(simulate: Simulate, begin: Begin, tmp_path: Path) -> None:
    # A list holds a minute of the simulated time: what comes and goes while nothing is read, nothing shows.
    cloud = simulate(clusters=6, servers=12, **{"time-scale": 3}).cloud
    cloud.freeze()
    config = everything(cloud) | {"state": {"path": str(tmp_path / "${HOSTNAME}.redb")}}

    def pods(count: int) -> list[Exporter]:
        flags = ("--shard.index", "ordinal", "--shard.count", str(count))
        return [begin(config, *flags, HOSTNAME=f"exporter-{index}") for index in range(count)]

    old = pods(COUNT)
    wait_for("all is read", lambda: all(map(has_read_all, old)), 60)
    cloud.go_on()
    wait_for("something is counted", lambda: sum(finished(union(old)).values()) > 10, 60)
    cloud.freeze()
    for one in filter(own, old):
        settle(cloud, one.url)
    before, counted = owners(old), finished(union(old))
    for one in old:
        one.program.process.kill()
        one.program.process.wait()
    new = pods(COUNT + 1)
    wait_for("all is read again", lambda: all(map(has_read_all, new)), 60)
    moved = {target for target, _ in owners(new) - before}
    again = finished(union(new))
    for labels, count in counted.items():
        expected = 0 if moved & set(dict(labels[1]).values()) else count
        assert again.get(labels, 0) == expected, labels
    assert sum(again.values()) < sum(counted.values())


def finished(page: Samples) -> Samples:
    return {key: value for key, value in page.items() if key[0].endswith("_finished_total")}


def has_read_all(exporter: Exporter) -> bool:
    ups = family(page(exporter), "aliyun_task_exporter_target_up")
    return len(ups) == own(exporter) and all(ups.values())


def own(exporter: Exporter) -> int:
    """Number of targets."""
    return len(family(page(exporter), "aliyun_task_exporter_target_series"))


def test_check_says_which_shard_polls_what(simulate: Simulate, tmp_path: Path) -> None:
    config = everything(simulate(clusters=4, servers=8).cloud)
    places = config["ehpc"]["clusters"] + config["swas"]["servers"]
    regions = {place["region"] for place in places}
    file = write(tmp_path, config)
    command = [str(BINARY), "check", "--config.file", file, "--shard.count", str(COUNT)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "3 processes share its targets" in told
    asked = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=True).stdout
    told_json = json.loads(asked)["shards"]
    assert sorted(share["region_id"] for share in told_json) == sorted(regions)
    assert sum(share["targets"] for share in told_json) == 4 * 2 + 8
    for index in range(COUNT):
        flags = ["--shard.index", str(index), "--format", "json"]
        shown = json.loads(subprocess.run([*command, *flags], capture_output=True, text=True, check=True).stdout)
        regions_of = {share["region_id"] for share in told_json if share["shard"] == index}
        assert {target["region_id"] for target in shown["targets"]} == regions_of


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--shard.count", "3"], "--shard.index: is missing"),
        (["--shard.count", "3", "--shard.index", "3"], "3 is not below --shard.count, which is 3"),
        (["--shard.count", "3", "--shard.index", "one"], '"one" is neither a number nor the word ordinal'),
        (["--shard.count", "3", "--shard.index", "ordinal"], "which does not end in a hyphen and a number"),
        (["--shard.count", "0"], "0 is not in 1..=1000"),
    ],
)
def test_a_shard_that_cannot_be_is_refused(tmp_path: Path, flags: list[str], told: str) -> None:
    file = write(tmp_path, {"swas": {"servers": [{"id": "a", "region": "cn-hangzhou"}]}})
    command = [str(BINARY), "--config.file", file, "--web.listen-address", ANY_PORT, *flags]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20, env={"HOSTNAME": "mail"})
    assert ended.returncode == 2
    assert told in ended.stderr
