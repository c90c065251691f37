"""What the cloud says about failures is in the status page's data, as far as it is allowed, and nowhere else."""

import signal
from pathlib import Path
from typing import Any

from configuration import Config, everything, write
from conftest import Exporter, Serve, Simulate
from sinks import pages
from waiting import wait_for
from web import get_json, request

ODD = "no stock of Canary4f6b"
DOCUMENTED = "The agent service request failed."


def texts(exporter: Exporter) -> set[str]:
    """All texts that are shown, of tasks and invocations."""
    found: set[str] = set()
    for target in get_json(f"{exporter.url}/api/v1/status")["targets"]:
        details = [detail for task in target["tasks"] for detail in task["error_details"]]
        found |= {detail["text"] for detail in details if detail["text"]}
        found |= {run["error_text"] for run in target["invocations"] if run["error_text"]}
    return found


def codes(exporter: Exporter) -> set[str]:
    targets: list[dict[str, Any]] = get_json(f"{exporter.url}/api/v1/status")["targets"]
    return {detail["code"] for target in targets for task in target["tasks"] for detail in task["error_details"]}


def test_texts_are_shown_as_far_as_the_configuration_allows(simulate: Simulate, serve: Serve, tmp_path: Path) -> None:
    cloud = simulate(clusters=1, servers=2, latency="0ms").cloud
    state = tmp_path / "state.redb"
    config: Config = everything(cloud) | {"state": {"path": str(state)}}
    exporter = serve(config, "--web.enable-lifecycle", "--log.level", "trace")
    wait_for("a documented text", lambda: DOCUMENTED in texts(exporter))
    assert codes(exporter) == {"AgentError"}

    cloud.add_fault(kind="error_texts", text=ODD)
    wait_for("only codes of new failures", lambda: DOCUMENTED not in texts(exporter))
    assert ODD not in texts(exporter)
    assert codes(exporter) == {"AgentError"}

    write(tmp_path, config | {"web": {"error_texts": True}})
    assert request(f"{exporter.url}/-/reload", "POST").status == 200
    wait_for("every text", lambda: ODD in texts(exporter))
    sinks = pages(exporter.url)
    assert [place for place, text in sinks.items() if b"Canary4f6b" in text] == ["/api/v1/status"]

    write(tmp_path, config)
    assert request(f"{exporter.url}/-/reload", "POST").status == 200
    wait_for("no text that is not documented", lambda: ODD not in texts(exporter), 2)
    exporter.program.signal(signal.SIGTERM)
    assert exporter.program.process.wait(timeout=10) == 0
    assert b"Canary4f6b" not in state.read_bytes()
    assert b"Canary4f6b" not in exporter.program.err_path.read_bytes() + exporter.program.out_path.read_bytes()
