"""Each alert fires once and resolves once in a real Prometheus that scrapes real exporters of a simulated cloud.

Durations of the rules are cut to seconds; their thresholds are not touched."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from cloud import Cloud
from configuration import NOTHING, Config, account, places
from conftest import Exporter, Simulate
from program import BINARY, ROOT, Program, free_port
from prometheus_server import Prometheus
from waiting import wait_for
from web import request

# What cannot be driven here, with its reason; the promtool tests hold these.
NOT_DRIVEN = {
    "AliyunTaskEhpcTaskStuck": "its threshold is an hour without progress",
    "AliyunTaskSwasCommandMissing": "its threshold is at least ten minutes without an invocation",
    "AliyunTaskLostTrack": "an end is given up after ten minutes of questions",
    "AliyunTaskStandbyStale": "it needs two pods with a Lease, and its threshold is a minute",
    "AliyunTaskSwasServerExpiring": "a simulated server is never renewed, so that it would not resolve",
    "AliyunTaskEhpcCommandOverTimeout": "nothing outlives its timeout by a minute here",
    "AliyunTaskSwasInvocationOverTimeout": "nothing outlives its timeout by a minute here",
}

# Windows and durations of the rules, in seconds. What is a week stays: it only says what an exporter is.
CUT = {"3m": 4, "10m": 5, "30m": 10, "1h": 10, "1m": 1, "2m": 1, "5m": 1, "15m": 1}

POLL = {"interval": "1s", "idle_interval": "1s", "history_interval": "2s", "timeout": "2s", "stale_after": "4s"}

Labels = frozenset[tuple[str, str]]


def shortened(rules: str) -> str:
    def cut(found: re.Match[str]) -> str:
        return f"{found[1]}{CUT[found[2]]}s{found[3]}"

    return re.sub(r"(\[|offset |for: )(\d+m|1h)(\]|\)|\s)", cut, rules)


class Watch:
    """Which alerts have fired, and which of these are over, by their labels."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.prometheus = prometheus
        self.fired: set[Labels] = set()
        self.resolved: set[Labels] = set()

    def look(self) -> None:
        alerts = self.prometheus.get("alerts")["alerts"]
        firing = {frozenset(alert["labels"].items()) for alert in alerts if alert["state"] == "firing"}
        self.resolved |= self.fired - firing
        self.fired |= firing

    def lacks(self, alerts: set[str], of: set[Labels]) -> set[str]:
        self.look()
        return alerts - {dict(labels)["alertname"] for labels in of}


class Front:
    """Relays to a simulated cloud, as one whose clock is ten minutes ahead and whose credentials end in a minute."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.is_wrong = cloud, True
        handler = type("Handler", (FrontHandler,), {"front": self})
        self.server = FrontServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Front":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class FrontServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """An exporter that is killed resets its connections."""


class FrontHandler(BaseHTTPRequestHandler):
    front: Front
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = self.relayed()
        now, wrong = datetime.now(UTC), self.front.is_wrong
        if self.path.startswith("/credentials"):
            ends = now + timedelta(minutes=1 if wrong else 60)
            body = json.dumps(json.loads(body) | {"Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()
        self.send_response_only(status)
        self.send_header("Date", format_datetime(now + timedelta(minutes=10 if wrong else 0), usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def relayed(self) -> tuple[int, bytes]:
        sent = self.rfile.read(int(self.headers.get("Content-Length", "0"))) or None
        kind = self.headers.get("Content-Type", "text/plain")
        try:
            got = request(self.front.cloud.url + self.path, self.command, sent, Content_Type=kind)
        except HTTPError as error:
            return error.code, error.read()
        return got.status, got.body

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class Fleet:
    """Exporters, each in a folder of its own, that are started, stopped and reloaded by name."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.programs: dict[str, Program] = {}
        self.ports: dict[str, int] = {}

    def start(self, name: str, config: Config | None = None, *arguments: str) -> str:
        """Its address, which stays the same when it is started again."""
        if config:
            self.write(name, json.dumps(config))
        port = self.ports.setdefault(name, free_port())
        command = [str(BINARY), "--config.file", str(self.file(name)), "--web.listen-address", f"127.0.0.1:{port}"]
        command += arguments
        program = self.programs[name] = self.stack.enter_context(Program(command, self.folder / name, "serve"))
        return Exporter(program).url

    def file(self, name: str) -> Path:
        return self.folder / name / "config.yaml"

    def write(self, name: str, text: str) -> None:
        self.file(name).parent.mkdir(exist_ok=True)
        self.file(name).write_text(text)

    def reload(self, name: str, text: str) -> None:
        self.write(name, text)
        self.programs[name].signal(signal.SIGHUP)

    def kill(self, name: str) -> None:
        self.programs[name].signal(signal.SIGKILL)
        self.programs[name].process.wait()


class World:
    """What goes wrong, all at once, and how it is mended."""

    def __init__(self, cloud: Cloud, front: Front, fleet: Fleet) -> None:
        self.cloud, self.front, self.fleet = cloud, front, fleet
        world = cloud.world()
        self.clusters, self.servers = places(world, "clusters"), places(world, "servers")
        self.state = fleet.folder / "main.state"
        self.standby = {"state": {"path": str(fleet.folder / "pair.state"), "wait": True}}

    def start(self) -> dict[str, list[str]]:
        """The exporters by job."""
        jobs = {
            "main": [self.fleet.start("main", self.main())],
            "small": [self.fleet.start("small", self.small(max_series=1))],
            "holder": [self.fleet.start("holder", NOTHING | self.standby)],
        }
        jobs["standby"] = [self.fleet.start("standby", NOTHING | self.standby)]
        jobs["small"].append(self.fleet.start("spare", NOTHING))
        jobs["shards"] = [self.fleet.start(name, NOTHING, *shard(0)) for name in ("first", "second")]
        return jobs

    def main(self, **quotas: int) -> Config:
        """One account for each trouble of an account, with a server of its own; all are the same in the cloud."""
        accounts: list[dict[str, Any]] = [
            account(self.cloud.url, name) for name in ("main", "refused", "throttled", "busy", "late", "short")
        ]
        accounts[3]["quotas"] = quotas or {"SWAS.DescribeInvocations": 1}
        accounts[4]["endpoints"] = accounts[5]["endpoints"] = {"ehpc": self.front.url, "swas": self.front.url}
        accounts[5]["credentials"] = {"provider": "credentials_uri", "uri": f"{self.front.url}/credentials"}
        owners = ["refused", "throttled", "busy", "late", "short"] + ["main"] * len(self.servers)
        servers = [server | {"account": owner} for server, owner in zip(self.servers, owners, strict=False)]
        clusters = {"clusters": self.clusters, "commands": {"discover": 2}}
        state = {"path": str(self.state)}
        return {"poll": POLL, "accounts": accounts, "ehpc": clusters, "swas": {"servers": servers}, "state": state}

    def small(self, **metrics: int) -> Config:
        servers = {"servers": [self.servers[-1]]}
        return {"poll": POLL, "accounts": [account(self.cloud.url)], "swas": servers, "metrics": metrics}

    def harm(self) -> None:
        refused, throttled, *_, failing, strange, unreadable, _ = [server["id"] for server in self.servers]
        add = self.cloud.add_fault
        add({"instance_id": refused}, kind="error", status=403, code="Forbidden.RAM")
        add({"instance_id": throttled}, kind="throttle", retry_after_ms=1000)
        add({"instance_id": failing}, kind="error", status=500, code="InternalError")
        add({"instance_id": strange, "action": "DescribeInvocations"}, kind="unknown_words")
        add({"instance_id": unreadable, "action": "DescribeInvocations"}, kind="odd_entries", odd="without_id")
        add({"cluster_id": self.clusters[0]["id"], "action": "ListTasks"}, kind="paging", total_off=5)
        # At once: an empty file would be written again.
        foreign = self.state.with_suffix(".foreign")
        foreign.write_text("a file of another program")
        foreign.replace(self.state)
        self.fleet.reload("spare", "no: configuration")

    def stop(self) -> None:
        """Takes exporters away."""
        for name in ("spare", "holder", "second"):
            self.fleet.kill(name)

    def mend(self) -> None:
        self.cloud.clear_faults()
        self.state.unlink()
        self.front.is_wrong = False
        self.fleet.reload("main", json.dumps(self.main(SWAS=900)))
        self.fleet.reload("small", json.dumps(self.small(max_series=200_000)))
        self.fleet.start("spare", NOTHING)
        self.fleet.start("holder", NOTHING)
        self.fleet.start("second", NOTHING, *shard(1))


def shard(index: int) -> list[str]:
    """Arguments of one of two."""
    return ["--shard.count", "2", "--shard.index", str(index)]


@pytest.fixture
def world(simulate: Simulate, tmp_path: Path) -> Iterator[World]:
    cloud = simulate(**{"clusters": 2, "servers": 12, "time-scale": 60, "latency": "5ms", "quota": 100_000}).cloud
    with ExitStack() as stack:
        front = stack.enter_context(Front(cloud))
        yield World(cloud, front, Fleet(tmp_path, stack))


# What needs an exporter that is gone.
GONE = {"AliyunTaskExporterDown", "AliyunTaskInstanceDown"}

# What lasts as long as something ends badly.
ENDS = {"AliyunTaskEhpcTaskFailed", "AliyunTaskSwasInvocationFailed"}


def test_each_alert_fires_and_resolves(world: World, tmp_path: Path) -> None:
    text = (ROOT / "deploy/alerts.yaml").read_text()
    alerts = set(re.findall(r"- alert: (\w+)", text))
    assert NOT_DRIVEN.keys() < alerts
    driven = alerts - NOT_DRIVEN.keys()
    rules = tmp_path / "rules.yaml"
    rules.write_text(shortened(text))
    assert not re.findall(r"(?:offset |for: |\[)\d+[mh]", rules.read_text())
    with Prometheus(tmp_path, jobs=world.start(), rules=rules) as prometheus:
        watch = Watch(prometheus)
        wait_for("a scrape of each", lambda: prometheus.value("sum(up)") == 1 + len(world.fleet.programs))
        world.harm()
        until("to fire", watch, driven - GONE, watch.fired)
        world.stop()
        until("to fire", watch, driven, watch.fired)
        world.mend()
        wait_for("a poll of the mended world", lambda: prometheus.query("aliyun_task_exporter_leader == 1"))
        until("to resolve", watch, driven - ENDS, watch.resolved)
        world.cloud.freeze()
        until("to resolve", watch, driven, watch.resolved)
    assert prometheus.err.count("level=error") == 0


def until(what: str, watch: Watch, alerts: set[str], seen: set[Labels]) -> None:
    missing = alerts

    def probe() -> bool:
        nonlocal missing
        missing = watch.lacks(alerts, seen)
        return not missing

    try:
        wait_for(what, probe, 120)
    except AssertionError as error:
        raise AssertionError(f"{error}: {sorted(missing)}") from None
