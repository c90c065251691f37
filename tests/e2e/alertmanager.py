"""A real Alertmanager with the configuration that comes with the exporter."""

import json
import shutil
from pathlib import Path

from program import ROOT, Program, free_port
from waiting import wait_for
from web import get_json, request

CONFIG = ROOT / "deploy/alertmanager.yaml"

Labels = dict[str, str]


def binary() -> str:
    """Debian names it otherwise."""
    program = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    assert program, "there is no alertmanager: make deps"
    return program


class Alertmanager(Program):
    def __init__(self, folder: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}/api/v2"
        flags = {
            "config.file": CONFIG,
            "storage.path": folder / "alertmanager",
            "web.listen-address": self.address,
            "cluster.listen-address": "",
        }
        super().__init__([binary(), *(f"--{name}={value}" for name, value in flags.items())], folder, "alertmanager")
        wait_for("Alertmanager to be ready", lambda: get_json(f"{self.url}/status"))

    def post(self, alerts: list[Labels]) -> None:
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        request(f"{self.url}/alerts", "POST", body, Content_Type="application/json")

    def inhibited(self) -> dict[str, bool]:
        """Whether each alert is, by its labels without the severity."""
        return {
            label(entry["labels"]): bool(entry["status"]["inhibitedBy"]) for entry in get_json(f"{self.url}/alerts")
        }


def label(labels: Labels) -> str:
    """An alert in one line."""
    rest = ", ".join(f"{name}={labels[name]}" for name in sorted(labels.keys() - {"alertname", "severity"}))
    return f"{labels['alertname']} {rest}".strip()
