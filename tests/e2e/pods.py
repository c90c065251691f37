"""Exporters that share a Lease of Kubernetes, and when each called the cloud, by the simulator's log of calls."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from api_server import ApiServer, Relay, service_account
from certificates import Certificate
from cloud import Call, Cloud, seconds
from configuration import Config, everything, write
from conftest import ANY_PORT, Exporter
from exposition import Samples, samples, scrape, series
from network import Network
from program import BINARY, Program
from waiting import wait_for

NAME = "aliyun-task-exporter"
SECRET = "a-secret-of-the-two-exporters"
DURATION = 5
# What a Lease is renewed for, and what a standby waits at most after its end: a third of it, and a round.
DEADLINE = DURATION * 2 / 3
TAKEN_WITHIN = DURATION + 2

# Where one listens that is alone in its namespace.
PORT = 10977


@dataclass
class Pod:
    """An exporter, the cloud, and the address from which it calls it."""

    exporter: Exporter
    cloud: Cloud
    address: str

    def page(self) -> Samples:
        return samples(scrape(self.exporter.url))

    def leads(self) -> bool:
        return self.page().get(series("aliyun_task_exporter_leader")) == 1

    def copied(self) -> float | None:
        return self.page().get(series("aliyun_task_exporter_state_copied_timestamp_seconds"))

    def counted(self) -> float:
        return sum(finished(self.page()).values())

    def kill(self) -> None:
        self.exporter.program.process.kill()
        self.exporter.program.process.wait()

    def calls(self) -> list[Call]:
        """Those that have reached the cloud."""
        return [call for call in self.cloud.calls() if call["source"] == self.address]

    def asked(self, since: float = 0) -> list[float]:
        """When they reached it."""
        return [at for call in self.calls() if (at := seconds(call["time"])) > since]


@dataclass
class NearPod(Pod):
    """One on this machine."""

    way_to_api: Relay


Begin = Callable[..., NearPod]


class Pods:
    """Starts exporters, each with a volume of its own; they are stopped with the block."""

    def __init__(self, folder: Path, cloud: Cloud, api: ApiServer, authority: Certificate) -> None:
        self.folder, self.cloud, self.api, self.authority = folder, cloud, api, authority
        # Where others reach those on this machine.
        self.host = "127.0.0.1"
        self._begun = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, name: str, /, *arguments: str, variables: dict[str, str] | None = None, **lease: object) -> NearPod:
        """On this machine, with relays to the cloud, to the API server and to itself."""
        self._begun += 1
        address = f"127.0.1.{self._begun}"
        cloud = self._stack.enter_context(Relay(port_of(self.cloud.url), source=address))
        api = self._stack.enter_context(Relay(self.api.port))
        door = self._stack.enter_context(Relay(0, host=self.host))
        file = self._write(name, cloud.url, {"url": door.url} | lease)
        flags = ("--config.file", file, "--web.listen-address", ANY_PORT, *arguments)
        environment = pod_environment(name, "127.0.0.1", api.port) | (variables or {})
        exporter = self._start(name, [str(BINARY), *flags], environment)
        door.target = port_of(exporter.url)
        return NearPod(exporter, self.cloud, address, api)

    def begin_in(self, network: Network, name: str, api: str) -> Pod:
        """In a namespace, with the API server at an address of its own."""
        cloud = f"http://{network.here}:{port_of(self.cloud.url)}"
        listen = f"{network.there}:{PORT}"
        flags = ("--config.file", self._write(name, cloud, {"url": f"http://{listen}"}), "--web.listen-address", listen)
        environment = pod_environment(name, api, self.api.port)
        exporter = self._start(name, [*network.inside, str(BINARY), *flags], environment)
        return Pod(exporter, self.cloud, network.there)

    def _write(self, name: str, cloud: str, lease: dict[str, object]) -> str:
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            service_account(folder, self.authority)
        config = configuration(self.cloud, folder, **lease)
        config["accounts"][0] |= {"endpoints": {"ehpc": cloud, "swas": cloud}, "insecure_http": True}
        return write(folder, config)

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Exporter:
        return Exporter(self._stack.enter_context(Program(command, self.folder / name, "serve", **environment)))


def configuration(cloud: Cloud, folder: Path, **lease: object) -> Config:
    settings = {
        "name": NAME,
        "url": "http://127.0.0.1:1",
        "secret": SECRET,
        "duration": f"{DURATION}s",
        "service_account": str(folder / "serviceaccount"),
    }
    state = {"path": str(folder / "state.redb"), "lease": settings | lease}
    return everything(cloud) | {"state": state}


def pod_environment(name: str, host: str, port: int) -> dict[str, str]:
    return {"POD_NAME": name, "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def finished(page: Samples) -> Samples:
    return {key: value for key, value in page.items() if key[0].endswith("_finished_total")}


def wait_for_copy(standby: Pod) -> None:
    """Until it has copied the state once more."""
    before = wait_for("it to stand by", standby.copied)
    wait_for("a copy", lambda: (standby.copied() or 0) > before)


def begin_two(begin: Begin, *variables: dict[str, str]) -> tuple[NearPod, NearPod]:
    """One that polls and has counted something, and one that has a copy of its state.

    What they take from their environment may be given for each of them."""
    of_leader, of_standby = variables or ({}, {})
    leader = begin("first", variables=of_leader)
    wait_for("the first polls", leader.leads)
    wait_for("ends", lambda: leader.counted() > 0)
    standby = begin("second", variables=of_standby)
    standby.exporter.program.said("standing by")
    wait_for_copy(standby)
    return leader, standby


def assert_started_none(pod: Pod, since: float) -> None:
    """At most those calls have reached the cloud that it had signed, and was about to send, when it was stopped."""
    before = [call for call in pod.calls() if seconds(call["time"]) <= since]
    late = [call for call in pod.calls() if seconds(call["time"]) > since]
    # It signs several each second, and was stopped for a lease.
    last = max(seconds(call["signed"]) for call in before) + DURATION / 2
    assert [call for call in late if seconds(call["signed"]) > last] == []


def assert_not_at_once(before: Pod, after: Pod) -> None:
    """One asked the cloud for the last time before the other did for the first time."""
    assert max(before.asked()) < min(after.asked())
