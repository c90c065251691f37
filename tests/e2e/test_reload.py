"""Reloading the configuration: all of it or nothing, and what stays loses nothing."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud import Cloud, seconds
from configuration import Config, everything, write
from conftest import Exporter, Serve, Simulate
from exposition import Samples, family, samples, scrape, series
from polling import polls
from program import resident
from waiting import wait_for
from web import Answer, answer, get_json, get_text

LIFECYCLE = "--web.enable-lifecycle"
UP = "aliyun_task_exporter_target_up"
SUCCESSFUL = series("aliyun_task_exporter_config_last_reload_successful")

# A slow machine makes fewer reloads in that time.
RELOADS, LONGEST = 1000, 60.0


@pytest.fixture
def cloud(simulate: Simulate) -> Cloud:
    """Something ends in it every second."""
    return simulate(**{"clusters": 1, "servers": 3, "time-scale": 20, "latency": "5ms"}).cloud


def polling(cloud: Cloud, *servers: int) -> Config:
    """Polls the cluster and these servers."""
    config = everything(cloud)
    config["swas"]["servers"] = [config["swas"]["servers"][number] for number in servers]
    return config


def now(exporter: Exporter) -> Samples:
    return samples(scrape(exporter.url))


def of(page: Samples, target: str) -> Samples:
    """The series about a target."""
    return {key: value for key, value in page.items() if target in dict(key[1]).values()}


def ended(page: Samples) -> Samples:
    """What has ended so far; this must never step back."""
    return {key: value for key, value in page.items() if key[0].endswith("_finished_total")}


def assert_nothing_is_lost(before: Samples, after: Samples) -> None:
    lost = {key: (value, after.get(key)) for key, value in ended(before).items() if after.get(key, -1) < value}
    assert lost == {}


def post(exporter: Exporter, method: str = "POST") -> Answer:
    return answer(f"{exporter.url}/-/reload", method)


def hang_up(exporter: Exporter) -> None:
    exporter.program.signal(signal.SIGHUP)


# How to start it, and how to make it reload.
WAYS: dict[str, tuple[tuple[str, ...], Callable[[Exporter], object]]] = {
    "SIGHUP": ((), hang_up),
    "POST": ((LIFECYCLE,), post),
    "PUT": ((LIFECYCLE,), lambda exporter: post(exporter, "PUT")),
    "--config.auto-reload": (("--config.auto-reload",), lambda _: None),
}


@pytest.mark.parametrize(("flags", "trigger"), WAYS.values(), ids=WAYS)
def test_what_stays_keeps_everything_what_goes_is_gone_and_what_comes_appears(
    flags: tuple[str, ...], trigger: Callable[[Exporter], object], cloud: Cloud, serve: Serve, tmp_path: Path
) -> None:
    exporter = serve(polling(cloud, 0, 1), *flags)
    stays, goes, comes = (server["id"] for server in everything(cloud)["swas"]["servers"])
    cluster = cloud.world()["clusters"][0]["id"]
    first = wait_for("some ends of what stays", lambda: ended_of(exporter, stays, cluster))
    assert (bool(of(first, goes)), of(first, comes)) == (True, {})
    write(tmp_path, polling(cloud, 0, 2))
    trigger(exporter)

    pages = [first]
    deadline = time.monotonic() + 10
    while not is_polled(pages[-1], comes):
        assert time.monotonic() < deadline, "the added server is not polled"
        pages.append(now(exporter))
        for target in (stays, cluster):
            assert_nothing_is_lost(of(pages[-2], target), of(pages[-1], target))
            assert {name for name, _ in of(pages[-2], target)} <= {name for name, _ in of(pages[-1], target)}
            assert set(family(of(pages[-1], target), UP).values()) == {1}
    assert of(pages[-1], goes) == {}
    assert goes not in get_text(f"{exporter.url}/config")
    assert pages[-1][SUCCESSFUL] == 1
    assert "configuration reloaded" in exporter.program.err


def ended_of(exporter: Exporter, *targets: str) -> Samples | None:
    """The page, once something of each of these has ended."""
    page = now(exporter)
    return page if all(sum(ended(of(page, target)).values()) for target in targets) else None


def is_polled(page: Samples, server: str) -> bool:
    return bool(family(of(page, server), "aliyun_swas_invocation_status"))


def test_a_target_that_comes_back_goes_on_counting(cloud: Cloud, serve: Serve, tmp_path: Path) -> None:
    """With a state file, as after a restart."""
    path = {"state": {"path": str(tmp_path / "state.redb")}}
    exporter = serve(polling(cloud, 0, 1) | path, LIFECYCLE)
    away = everything(cloud)["swas"]["servers"][1]["id"]
    before = wait_for("some ends", lambda: ended_of(exporter, away))
    write(tmp_path, polling(cloud, 0) | path)
    assert post(exporter).status == 200
    wait_for("it to be gone", lambda: not of(now(exporter), away))
    write(tmp_path, polling(cloud, 0, 1) | path)
    assert post(exporter).status == 200
    wait_for("it to be back", lambda: is_polled(now(exporter), away))
    assert_nothing_is_lost(of(before, away), of(now(exporter), away))


def test_it_is_reloaded_over_http_only_where_that_is_on(cloud: Cloud, serve: Serve, tmp_path: Path) -> None:
    exporter = serve(polling(cloud, 0))
    write(tmp_path, polling(cloud, 1))
    refused = post(exporter)
    assert (refused.status, "--web.enable-lifecycle" in refused.text) == (403, True)
    assert post(exporter, "GET").status == 405
    assert cloud.world()["servers"][1]["id"] not in get_text(f"{exporter.url}/config")


BAD: dict[str, tuple[str, list[str]]] = {
    "problems": (
        "poll:\n  intervall: 30s\n  timeout: soon\nswas:\n  servers:\n    - {region: cn-hangzhou}\n",
        ["config.yaml:2: poll.intervall: ", "config.yaml:3: poll.timeout: ", "config.yaml:6: swas.servers[0].id: "],
    ),
    "no YAML": ("swas: {", ["config.yaml:"]),
    "nothing to poll": ("{}", ["nothing to poll"]),
    "an authority that is none": (
        "accounts: [{name: a, ca_file: /dev/null}]\nswas: {servers: [{id: s, region: cn-hangzhou}]}",
        ["/dev/null"],
    ),
    "another state file": (
        "state: {path: /tmp/other.redb}\nswas: {servers: [{id: s, region: cn-hangzhou}]}",
        ["state.path: changes only at a restart"],
    ),
    "a folder for the state": (
        "state: {folder: /tmp}\nswas: {servers: [{id: s, region: cn-hangzhou}]}",
        ["state.folder: changes only at a restart"],
    ),
}


@pytest.mark.parametrize(("text", "problems"), BAD.values(), ids=BAD)
def test_a_bad_one_changes_nothing(text: str, problems: list[str], cloud: Cloud, serve: Serve, tmp_path: Path) -> None:
    exporter = serve(polling(cloud, 0, 1), LIFECYCLE)
    wait_for("all to be polled", lambda: list(family(now(exporter), UP).values()) == [1] * 4)
    served = get_text(f"{exporter.url}/config")
    (tmp_path / "config.yaml").write_text(text)
    refused = post(exporter)
    api = wait_for("the API to say so", lambda: get_json(f"{exporter.url}/api/v1/status")["reload_refused"])
    assert (refused.status, refused.text) == (400, f"{api}\n")
    assert [problem for problem in problems if problem not in refused.text] == []
    assert "is not in force" in get_text(f"{exporter.url}/")
    assert "not reloaded" in exporter.program.err
    page = now(exporter)
    assert (page[SUCCESSFUL], list(family(page, UP).values())) == (0, [1] * 4)
    assert get_text(f"{exporter.url}/config") == served
    done = polls(exporter)["ok"]
    wait_for("polls of what was there before", lambda: polls(exporter)["ok"] > done + 4)
    write(tmp_path, polling(cloud, 0))
    assert (post(exporter).status, now(exporter)[SUCCESSFUL]) == (200, 1)


def test_a_thousand_reloads_lose_nothing_and_leave_nothing_behind(cloud: Cloud, serve: Serve, tmp_path: Path) -> None:
    configs = [polling(cloud, 0, 1), polling(cloud, 0, 2)]
    exporter = serve(configs[0], LIFECYCLE)
    stays = everything(cloud)["swas"]["servers"][0]["id"]
    cluster = cloud.world()["clusters"][0]["id"]
    page = wait_for("all to be polled", lambda: ended_of(exporter, stays, cluster))
    memory, done, began = [], polls(exporter)["ok"], time.monotonic()
    for number in range(RELOADS):
        write(tmp_path, configs[number % 2])
        answered = post(exporter)
        assert answered.status == 200, answered
        if number % 10 == 0:
            before, page = page, now(exporter)
            for target in (stays, cluster):
                assert_nothing_is_lost(of(before, target), of(page, target))
                assert set(family(of(page, target), UP).values()) == {1}, target
        if number % 50 == 49:
            memory.append(resident(exporter.program.process.pid))
        if time.monotonic() - began > LONGEST:
            break
    took = time.monotonic() - began
    assert number > RELOADS / 4
    assert {outcome for outcome, count in polls(exporter).items() if count} == {"ok"}
    # Three stay, and are polled every second all the while.
    assert polls(exporter)["ok"] - done > 3 * took * 0.5
    assert memory[-1] <= memory[1] * 1.1, memory


# The most calls a minute, and the time in which they are counted.
QUOTA, MINUTE = 30, 60


def test_reloads_give_no_more_calls_than_the_quota_allows(cloud: Cloud, serve: Serve, tmp_path: Path) -> None:
    """The servers that come and go are alone in their regions."""
    configs = [polling(cloud, 0, 2), polling(cloud, 0)]
    for config in configs:
        config["accounts"][0]["quotas"] = {"EHPC": 900, "SWAS": QUOTA}
    exporter = serve(configs[0], LIFECYCLE)
    for number in range(4 * QUOTA):
        write(tmp_path, configs[number % 2])
        assert post(exporter).status == 200
        time.sleep(0.02)
    newest = max(seconds(call["time"]) for call in cloud.calls())
    counts = Counter(
        (call["action"], call["region"]) for call in cloud.calls() if call["action"].startswith("Describe")
    )
    assert newest - min(seconds(call["time"]) for call in cloud.calls()) < MINUTE
    assert {key: count for key, count in counts.items() if count > QUOTA} == {}
