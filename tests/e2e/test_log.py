"""The log: repeated lines are folded, each line says what it is about, and requests are logged."""

import json
import resource
import signal
import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from configuration import everything, write
from conftest import ANY_PORT, ANY_PORTS, Demo, Serve, Simulate, Start
from exposition import samples, scrape, series
from program import BINARY, Program
from waiting import wait_for

ENDED = {
    "ehpc_tasks": "aliyun_ehpc_tasks_finished_total",
    "ehpc_invocations": "aliyun_ehpc_invocations_finished_total",
}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def end(program: Program) -> list[dict[str, Any]]:
    """Stops it with SIGTERM and returns its log."""
    program.signal(signal.SIGTERM)
    assert program.process.wait(timeout=20) == 0
    return lines(program.err)


def test_what_repeats_is_told_ten_times_and_then_summed_up(start: Start) -> None:
    flags = ("--clusters=10", "--servers=10", "--time-scale=100", "--quota=100000")
    demo = Demo(start("demo", *ANY_PORTS, *flags, "--log.format=JSON", "--log.level=Debug"))

    def counted() -> dict[str, float]:
        page = samples(scrape(demo.url))
        return {
            kind: sum(value for (name, _), value in page.items() if name == family) for kind, family in ENDED.items()
        }

    before = wait_for("many ends", lambda: next((now for now in [counted()] if min(now.values()) > 40), None))
    log = end(demo.program)
    for kind, at_least in before.items():
        of_kind = [line for line in log if line.get("kind") == kind]
        told = [line for line in of_kind if line["msg"] == "ended"]
        summaries = [line for line in of_kind if line["msg"] == "ended (folded)"]
        levels = Counter(line["level"] for line in told)
        folded = sum(line["folded"] for line in summaries)
        assert summaries
        # A slow machine may need more than a minute.
        assert levels["info"] <= 10 * len(summaries)
        assert levels["debug"] == folded, "each is there at level debug"
        assert len(told) >= at_least
        for summary in summaries:
            assert summary["account"] == "demo"
            by_status = [count.rsplit(" ", 1) for count in summary["by_status"].split(", ")]
            assert sum(int(count) for _, count in by_status) == summary["folded"]
            assert summary["named"].count(", ") <= 2


def test_the_start_the_file_the_signal_and_the_end_are_told(simulate: Simulate, serve: Serve, tmp_path: Path) -> None:
    config = everything(simulate().cloud)
    exporter = serve(config, "--log.format", "json")
    wait_for("polls", lambda: "polling" in exporter.program.err)
    log = [line for line in end(exporter.program) if line["level"] == "info"]
    said = [line["msg"] for line in log]
    wanted = ["starting", "configuration read", "listening", "polling", "stopping", "stopped"]
    assert [word for word in said if word in wanted] == wanted
    by_word = {line["msg"]: line for line in log}
    assert by_word["starting"]["version"] == "0.1.0"
    assert Path(by_word["configuration read"]["file"]).is_relative_to(tmp_path)
    assert by_word["stopping"]["signal"] == "SIGTERM"


def test_debug_shows_each_request_and_what_it_is_about(simulate: Simulate, serve: Serve) -> None:
    cloud = simulate(clusters=1, servers=1).cloud
    exporter = serve(everything(cloud), "--log.format", "json", "--log.level", "DEBUG")
    wait_for("requests", lambda: exporter.program.err.count("DescribeInvocations") > 1)
    cloud.add_fault({"action": "DescribeInvocations"}, kind="error", status=400, code="Throttling.User")
    wait_for("a refusal", lambda: "Throttling.User" in exporter.program.err)
    log = end(exporter.program)
    requests = [line for line in log if line["msg"] == "request" and line["operation"] == "DescribeInvocations"]
    asked = [call for call in cloud.calls() if call["action"] == "DescribeInvocations"]
    assert len({line["request_id"] for line in requests}) == len(requests)
    assert len(asked) - len(requests) in (0, 1), "one may have been under way at the end"
    about = {"kind", "target", "region", "account", "product"}
    for line in requests:
        assert about | {"status", "ms", "bytes"} <= line.keys()
    refused = next(line for line in requests if line["status"] == 400)
    assert (refused["code"], refused["reason"]) == ("Throttling.User", "throttled")
    assert "testsecret" not in exporter.program.err


def test_without_file_descriptors_one_line_a_minute_says_so(start: Start) -> None:
    demo = Demo(start("demo", *ANY_PORTS, "--log.format=json", "--log.level=debug"))
    wait_for("it serves", lambda: scrape(demo.url))
    process = demo.program.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (3, limits[1]))
    address = urlsplit(demo.url)

    def refused() -> list[dict[str, Any]]:
        return [line for line in lines(demo.program.err) if line["msg"] == "could not accept a connection"]

    with socket.create_connection((address.hostname or "", address.port or 0)):
        wait_for("many attempts", lambda: len(refused()) > 15)
    resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
    log = end(demo.program)
    at_warn = [line for line in refused() if line["level"] == "warn"]
    assert 1 <= len(at_warn) <= 10
    summary = next(line for line in log if line["msg"] == "could not accept a connection (folded)")
    assert "too many open files" in summary["error"].lower()
    assert summary["folded"] + len(at_warn) == len(refused())


def test_connections_leave_file_descriptors_to_polling(simulate: Simulate, tmp_path: Path) -> None:
    file = write(tmp_path, everything(simulate().cloud))
    flags = f"--config.file {file} --web.listen-address {ANY_PORT} --log.level debug"
    command = f"ulimit -n 64; exec {BINARY} {flags}"
    with ExitStack() as stack:
        program = stack.enter_context(Program(["sh", "-c", command], tmp_path, "bounded"))
        host, port = program.said(r"address=([\d.]+):(\d+)").groups()
        for _ in range(100):
            stack.enter_context(socket.create_connection((host, int(port))))
        before = program.err.count("msg=request")
        wait_for("it polls", lambda: program.err.count("msg=request") > before + 20)
        assert "poll failed" not in program.err
        assert "could not accept" not in program.err


def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(simulate: Simulate, tmp_path: Path) -> None:
    file = write(tmp_path, everything(simulate().cloud))
    command = f"ulimit -Sn 64; ulimit -Hn 300; exec {BINARY} --config.file {file} --web.listen-address {ANY_PORT}"
    with ExitStack() as stack:
        program = stack.enter_context(Program(["sh", "-c", command], tmp_path, "raised"))
        host, port = program.said(r"address=([\d.]+):(\d+)").groups()
        url = f"http://{host}:{port}"
        assert samples(scrape(url))[series("process_max_fds")] == 300
        # With 64 there would be 16 places, and 4 for an address.
        for _ in range(30):
            stack.enter_context(socket.create_connection((host, int(port))))
        count = series("aliyun_task_exporter_http_connections")
        wait_for("the connections to be counted", lambda: samples(scrape(url))[count] > 16)


def test_a_request_that_does_not_finish_holds_up_a_stop_for_five_seconds(start: Start) -> None:
    demo = Demo(start("demo", *ANY_PORTS, "--log.format=json"))
    wait_for("it serves", lambda: scrape(demo.url))
    address = urlsplit(demo.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as half:
        half.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
        log = end(demo.program)
    cut = next(line for line in log if "cut off" in line["msg"])
    assert (cut["level"], cut["seconds"]) == ("warn", 5)
    assert log[-1]["msg"] == "stopped" or "(folded)" in log[-1]["msg"]
