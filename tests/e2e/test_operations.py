"""Every query of docs/operations.md has an answer in a real Prometheus."""

import re
from pathlib import Path

from configuration import everything
from conftest import Serve, Simulate
from program import ROOT
from prometheus_server import Prometheus
from waiting import wait_for

QUERY = re.compile(r"<!-- query -->\n\s*```promql\n(.*?)```", re.DOTALL)


def queries() -> list[str]:
    return QUERY.findall((ROOT / "docs/operations.md").read_text())


def test_there_is_a_query_under_each_of_twenty_questions() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    assert text.count("```promql") == len(queries())
    questions = re.split(r"^### ", text[text.index("## Cookbook") :], flags=re.MULTILINE)[1:]
    assert len(questions) >= 20
    assert [question.splitlines()[0] for question in questions if len(QUERY.findall(question)) != 1] == []


def test_every_query_has_an_answer(simulate: Simulate, serve: Serve, tmp_path: Path) -> None:
    """In a world that runs sixty times as fast, with a server that RAM refuses, and that stands still in the end."""
    cloud = simulate(clusters=2, servers=3, **{"time-scale": 60}).cloud
    config = everything(cloud)
    config["ehpc"]["commands"] = {"per_node": True}
    with Prometheus(tmp_path, serve(config).url) as prometheus:
        open_questions = queries()

        def ask() -> bool:
            open_questions[:] = [query for query in open_questions if not prometheus.query(shortened(query))]
            return not open_questions

        wait_for("invocations that fail", lambda: prometheus.query(FAILED), 60)
        cloud.add_fault({"instance_id": cloud.world()["servers"][0]["id"]}, **REFUSED)
        wait_for("a refused target", lambda: prometheus.query("aliyun_task_exporter_target_failing"))
        ask()
        cloud.freeze()
        wait_for(f"answers to {open_questions}", ask)


REFUSED = {"kind": "error", "status": 403, "code": "Forbidden.RAM"}
FAILED = 'increase(aliyun_swas_invocations_finished_total{status="Failed"}[1m]) > 0'


def shortened(query: str) -> str:
    """The test cannot wait for an hour; the windows of a day only see less."""
    return query.replace("offset 1h", "offset 5s")
