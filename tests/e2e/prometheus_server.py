"""A real Prometheus that scrapes an exporter."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from exposition import Samples, series
from program import ROOT, Program, free_port
from waiting import wait_for
from web import get_json

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
{exporters}
  - job_name: prometheus
    static_configs: [{{targets: [{itself}]}}]
"""

JOB = "aliyun-task-exporter"
ALERTS = ROOT / "deploy/alerts.yaml"


# The addresses of each job's exporters.
Jobs = Mapping[str, Sequence[str]]


class Prometheus(Program):
    """It stores in a temporary folder and loads the alerts that come with the exporter, or other rules."""

    def __init__(
        self, folder: Path, *exporter_urls: str, jobs: Jobs | None = None, rules: Path = ALERTS, **access: object
    ) -> None:
        """Scrapes these exporters, and further `jobs` by name; `access` is what they need, such as `basic_auth`."""
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        scraped = [_job(name, urls, access) for name, urls in {JOB: exporter_urls, **(jobs or {})}.items() if urls]
        exporters = "\n".join(f"  - {json.dumps(job)}" for job in scraped)
        config = folder / "prometheus.yml"
        config.write_text(CONFIG.format(itself=self.address, rules=json.dumps(str(rules)), exporters=exporters))
        super().__init__(_command(config, folder / "storage", self.address), folder, "prometheus")
        wait_for("Prometheus to be ready", lambda: get_json(f"{self.url}/api/v1/status/runtimeinfo"))

    def get(self, path: str, **parameters: str) -> Any:
        answer = get_json(f"{self.url}/api/v1/{path}?{urlencode(parameters)}")
        assert answer["status"] == "success", answer
        assert not answer.get("warnings"), answer
        return answer["data"]

    def query(self, expression: str) -> Samples:
        """An instant vector, without the labels of the scraped target."""
        found: Samples = {}
        for entry in self.get("query", query=expression)["result"]:
            labels = {key: value for key, value in entry["metric"].items() if key not in ("job", "instance")}
            found[series(labels.pop("__name__", ""), **labels)] = float(entry["value"][1])
        return found

    def value(self, expression: str) -> float | None:
        """The only value of an instant vector, or `None` if it is empty."""
        values = list(self.query(expression).values())
        assert len(values) < 2, f"{expression} has {len(values)} values"
        return values[0] if values else None

    def wait_for_scrape_after(self, moment: float) -> None:
        expression = f'timestamp(aliyun_task_exporter_build_info{{job="{JOB}"}})'
        wait_for("a scrape", lambda: (self.value(expression) or 0) > moment)


def _job(name: str, urls: Sequence[str], access: dict[str, object]) -> dict[str, object]:
    schemes, targets = zip(
        *((scheme, target) for scheme, _, target in (url.partition("://") for url in urls)), strict=True
    )
    return {"job_name": name, "scheme": schemes[0], "static_configs": [{"targets": targets}], **access}


def _command(config: Path, storage: Path, address: str) -> list[str]:
    program = shutil.which("prometheus")
    assert program, "there is no prometheus: make deps"
    flags = {"config.file": config, "storage.tsdb.path": storage, "web.listen-address": address, "log.level": "info"}
    return [program, *(f"--{name}={value}" for name, value in flags.items())]
