"""The command line: exit codes, output, and shutdown."""

import http.client
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from configuration import Config, account, everything, write
from conftest import ANY_PORT, Exporter, Serve, Simulate, Start
from exposition import family, samples, scrape
from program import ROOT, free_port, run
from waiting import wait_for
from web import get_text

CLUSTER, SERVER = "cn-hangzhou/ehpc-hz-FYUr32aaaa", "cn-hangzhou/ace0706b2ac4454d984295a94213aaaa"

# Timeout for a program to stop.
PATIENCE = 2.0


def test_without_targets_it_says_how_to_name_some() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "--config.file" in done.stderr
    assert "--ehpc.cluster" in done.stderr
    assert "--swas.server" in done.stderr


def test_an_empty_variable_counts_as_unset() -> None:
    done = run("check", ALIYUN_TASK_EXPORTER_CONFIG_FILE="", ALIYUN_TASK_EXPORTER_EHPC_CLUSTER="")
    assert (done.returncode, "nothing to poll" in done.stderr) == (2, True)
    done = run("check", "--swas.server", SERVER, ALIYUN_TASK_EXPORTER_CONFIG_FILE="")
    assert (done.returncode, SERVER.split("/")[1] in done.stdout) == (0, True)


def test_every_problem_of_a_bad_configuration_is_told(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("poll:\n  intervall: 30s\n  timeout: soon\nswas:\n  servers:\n    - {region: cn-hangzhou}\n")
    for command in ([], ["serve"], ["check"]):
        done = run(*command, "--config.file", str(file))
        assert done.returncode == 2
        told = [f"bad.yaml:{line}: {path}" for line, path in ((2, "poll.intervall"), (3, "poll.timeout"), (6, "swas"))]
        assert [problem for problem in told if problem not in done.stderr] == []


def test_a_missing_file_and_an_unknown_flag_are_the_users_mistakes(tmp_path: Path) -> None:
    missing = run("--config.file", str(tmp_path / "none.yaml"))
    assert (missing.returncode, "none.yaml" in missing.stderr) == (2, True)
    unknown = run("--nonsense")
    assert (unknown.returncode, "--nonsense" in unknown.stderr) == (2, True)


def test_check_shows_what_the_example_would_poll() -> None:
    done = run("check", "--config.file", str(ROOT / "config.example.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    polled = [line.split()[:3] for line in done.stdout.splitlines() if "cn-hangzhou" in line]
    assert polled == [
        ["ehpc_tasks", *CLUSTER.split("/")],
        ["ehpc_invocations", *CLUSTER.split("/")],
        ["swas_invocations", *SERVER.split("/")],
    ]


def test_an_estimate_says_first_whether_the_plan_fits(tmp_path: Path) -> None:
    done = run("check", "--estimate", "--config.file", str(ROOT / "config.example.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The plan fits: 3 targets every 30s ")
    servers = [{"id": f"s{number}", "region": "cn-hangzhou"} for number in range(100)]
    config = {"accounts": [{"name": "main", "quotas": {"SWAS": 6}}], "swas": {"servers": servers}}
    done = run("check", "--estimate", "--config.file", write(tmp_path, config))
    assert (done.returncode, done.stderr) == (1, "the plan exceeds its limits\n")
    assert done.stdout.startswith("The plan cannot be kept: SWAS.DescribeInvocations in cn-hangzhou ")
    assert run("check", "--estimate").returncode == 2


def discovering(url: str, **more: Any) -> Config:
    """A configuration that lists nothing and discovers everything."""
    entry = {"regions": ["all"], **more}
    return {"accounts": [account(url)], "ehpc": {"discovery": [entry]}, "swas": {"discovery": [entry]}}


def test_a_live_estimate_is_one_of_what_discovery_finds(simulate: Simulate, tmp_path: Path) -> None:
    cloud = simulate(clusters=5, servers=9).cloud
    file = write(tmp_path, discovering(cloud.url, exclude="web-1"))
    blind = run("check", "--estimate", "--config.file", file)
    assert (blind.returncode, "check --estimate --live asks the cloud" in blind.stdout) == (0, True)
    live = run("check", "--estimate", "--live", "--config.file", file)
    assert (live.returncode, live.stderr) == (0, "")
    assert "that makes 5 clusters and 8 servers" in live.stdout
    assert "  swas/main/cn-hangzhou: servers: 5 found, 4 taken\n" in live.stdout
    assert "The plan fits: 18 targets every 30s, and discovery in 10 places," in live.stdout
    assert "--live" not in live.stdout
    asked = {(call["action"], call["region"]) for call in cloud.calls()}
    assert {action for action, _ in asked} == {"ListRegions", "ListClusters", "ListInstances"}


def test_a_live_estimate_says_what_could_not_be_asked(simulate: Simulate, tmp_path: Path) -> None:
    cloud = simulate(servers=9).cloud
    match = {"action": "ListInstances", "region": "cn-shanghai"}
    cloud.add_fault(match, kind="error", status=403, code="Forbidden.RAM")
    done = run("check", "--estimate", "--live", "--config.file", write(tmp_path, discovering(cloud.url)))
    assert done.returncode == 1
    assert "discovery has not shown all there is" in done.stderr
    assert "failed in 1 of 10 places" in done.stdout
    assert "! swas/main/cn-shanghai failed: ListInstances: Forbidden.RAM" in done.stdout
    assert "What to do: " in done.stdout
    assert "What it has shown would fit" in done.stdout
    assert "The plan fits" not in done.stdout


def test_a_live_estimate_without_discovery_says_so(tmp_path: Path) -> None:
    done = run("check", "--estimate", "--live", "--swas.server", SERVER)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("There is nothing to discover")
    assert "The plan fits: 1 target" in done.stdout
    assert run("check", "--live", "--swas.server", SERVER).returncode == 2


def test_doctor_says_how_long_it_has_waited_where_nobody_answers(tmp_path: Path) -> None:
    """A listener with a full queue leaves connections pending forever, like a network that drops packets."""
    with ExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        for _ in range(8):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(hole.getsockname())
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        done = run("doctor", "--config.file", write(tmp_path, discovering(url)))
    rows = [line.split() for line in done.stdout.splitlines() if "unreachable (" in line]
    assert (done.returncode, [row[2] for row in rows]) == (1, ["EHPC.ListRegions", "SWAS.ListRegions"]), done.stdout
    assert "no answer within 5s" in done.stdout


def test_a_demo_of_nothing_and_one_in_which_time_stands_still_are_refused() -> None:
    nothing = run("demo", "--clusters", "0", "--servers", "0")
    assert (nothing.returncode, "nothing to poll" in nothing.stderr) == (2, True)
    still = run("demo", "--time-scale", "0")
    assert (still.returncode, "time stands still" in still.stderr) == (2, True)


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for command in (["--ehpc.cluster", CLUSTER, "--web.listen-address"], ["simulate", "--listen"]):
            done = run(*command, address)
            assert (done.returncode, address in done.stderr) == (1, True), done.stderr


def test_flags_and_environment_are_enough_to_start(start: Start) -> None:
    """The cloud cannot be reached from here, and the exporter says so for each target."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    flags = ["--ehpc.cluster", CLUSTER, "--swas.server", SERVER, "--web.listen-address", ANY_PORT]
    credentials = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI5tSomeKeyId", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "SomeKeySecret"}
    exporter = Exporter(start(*flags, HTTPS_PROXY=nowhere, https_proxy=nowhere, **credentials))
    failing = wait_for("three targets to fail", lambda: failures(exporter.url, 3), 40)
    assert failing == {(kind, "proxy") for kind in ("ehpc_tasks", "ehpc_invocations", "swas_invocations")}
    for target in (CLUSTER, SERVER):
        assert f"target={target.split('/')[1]} reason=proxy" in exporter.program.err


def failures(url: str, count: int) -> set[tuple[str, str]] | None:
    """The kinds and reasons of the failing targets, once there are that many."""
    found = map(dict, family(samples(scrape(url)), "aliyun_task_exporter_target_failing"))
    pairs = {(labels["kind"], labels["reason"]) for labels in found}
    return pairs if len(pairs) == count else None


def test_it_ends_at_once_in_the_middle_of_a_poll(simulate: Simulate, serve: Serve) -> None:
    cloud = simulate(clusters=1, servers=1).cloud
    cloud.add_fault(kind="latency", ms=5000)
    exporter = serve(everything(cloud, timeout="10s"))
    wait_for("a call that waits for its answer", cloud.calls)
    assert ended_within_patience(exporter) == 0


def test_it_ends_at_once_while_a_scraper_keeps_its_connection(simulate: Simulate, serve: Serve) -> None:
    exporter = serve(everything(simulate(clusters=1, servers=1).cloud))
    connection = http.client.HTTPConnection(exporter.url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/metrics")
    connection.getresponse().read()
    assert ended_within_patience(exporter) == 0
    connection.close()


def test_a_hangup_reloads_and_ends_nothing(simulate: Simulate, serve: Serve) -> None:
    exporter = serve(everything(simulate(clusters=1, servers=1).cloud))
    exporter.program.signal(signal.SIGHUP)
    exporter.program.said('msg="configuration reloaded" cause=SIGHUP')
    assert get_text(f"{exporter.url}/-/healthy") == "healthy\n"
    assert ended_within_patience(exporter) == 0


def ended_within_patience(exporter: Exporter) -> int:
    exporter.program.signal(signal.SIGTERM)
    asked = time.monotonic()
    status = exporter.program.process.wait(timeout=15)
    assert time.monotonic() - asked < PATIENCE
    return status


def test_the_demo_tells_where_to_look_and_ends_well(start: Start) -> None:
    program = start("demo", "--web.listen-address", ANY_PORT, "--sim.listen-address", ANY_PORT)
    for path in ("/", "/metrics", "/_sim/world"):
        assert get_text(program.said(rf"(http://[\d.:]+{path})\s")[1])
    program.signal(signal.SIGINT)
    assert program.process.wait(timeout=PATIENCE) == 0


def test_it_sets_its_allocator_under_its_own_name_and_process_id(start: Start) -> None:
    simulator = start("simulate", "--listen", ANY_PORT)
    simulator.said("listens on")
    process = Path(f"/proc/{simulator.process.pid}")
    variables = (process / "environ").read_bytes().split(b"\0")
    assert {b"MALLOC_ARENA_MAX=1", b"MALLOC_MMAP_THRESHOLD_=524288"} <= set(variables)
    assert (process / "comm").read_text() == "aliyun-task-exp\n"
    assert (process / "cmdline").read_bytes().split(b"\0")[1:] == [b"simulate", b"--listen", ANY_PORT.encode(), b""]
