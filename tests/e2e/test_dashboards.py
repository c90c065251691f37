"""The dashboards are what their generator writes, keep the rules for dashboards, and have data in every panel."""

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import generate
import statuses
from boards import cluster
from configuration import Config, everything
from conftest import Serve, Simulate
from dashboards import FOLDER, Json, Query, Span, every, load, panels, queries, run
from program import ROOT
from prometheus_server import ALERTS, Prometheus
from waiting import wait_for

FILES = sorted(FOLDER.glob("*.json"))
BOARDS = [load(path) for path in FILES]
NAMES = [path.stem for path in FILES]
RULES = ROOT / "deploy/rules.yaml"

each_board = pytest.mark.parametrize("board", BOARDS, ids=NAMES)

UNITS = {"none", "locale", "s", "percentunit", "bytes", "dateTimeFromNow"}
# Windows other than $__rate_interval, each with its reason.
WINDOWS = {
    "$__rate_interval": "the rule",
    "$__range": "Task duration is about the time range of the dashboard",
    "30m": "Mean duration by type: tasks end too rarely for less",
    "24h": "sums of recorded samples over a day",
    "30d": "sums of recorded samples over 30 days",
    "1d": "sums of recorded samples over each day",
}
SELECTOR = re.compile(r"(?<![\w$])((?:\w+:)*(?:aliyun|process)_\w+(?::\w+)?|up)(?=[{\[\s)]|$)(\{[^}]*\})?")
RECORDED = re.compile(r"\w+:aliyun_\w+:\w+")


def test_the_files_are_what_the_generator_writes() -> None:
    texts = generate.texts()
    stale = [path.name for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert stale == [], "run make dashboards"
    assert set(FILES) == texts.keys()


def expressions(board: Json) -> Iterator[tuple[str, str]]:
    """Every query as it is written, with its place."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for entry in board["annotations"]["list"]:
        if "expr" in entry:
            yield entry["name"], entry["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


@each_board
def test_the_datasource_is_a_variable_everywhere(board: Json) -> None:
    variables = board["templating"]["list"]
    assert [(v["name"], v["label"]) for v in variables if v["type"] == "datasource"] == [("datasource", "Data Source")]
    users = [v for v in variables if v["type"] == "query"] + [a for a in board["annotations"]["list"] if "expr" in a]
    users += [user for panel in panels(board) for user in (panel, *panel["targets"])]
    assert all(user["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for user in users)
    assert board["__inputs"] == []
    needed = {entry["id"] for entry in board["__requires"]}
    assert needed >= {"grafana", "prometheus"} | {panel["type"] for panel in panels(board)}


@each_board
def test_every_selector_is_of_the_job(board: Json) -> None:
    job = next(variable for variable in board["templating"]["list"] if variable["name"] == "job")
    assert (job["multi"], job["includeAll"], job["allValue"]) == (True, True, ".+")
    seen = 0
    for place, expr in expressions(board):
        for found in SELECTOR.finditer(expr):
            if place == "job":
                continue
            seen += 1
            assert 'job=~"$job"' in (found[2] or ""), f"{place}: {found[0]}"
    assert seen > 50


@each_board
def test_every_variable_is_known_and_used(board: Json) -> None:
    text = str([panels_of["targets"] for panels_of in panels(board)]) + str(board["templating"]) + str(board["links"])
    known = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", text + str(list(expressions(board)))))
    assert used - known == set()
    assert known - used == set()


@each_board
def test_every_panel_says_what_it_shows(board: Json) -> None:
    titles = Counter(panel["title"] for panel in panels(board))
    assert all(count == 1 for count in titles.values()), titles
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"]
        units = [panel["fieldConfig"]["defaults"]["unit"]]
        units += [p["value"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "unit"]
        assert set(units) <= UNITS, panel["title"]


@each_board
def test_counters_are_read_over_a_window(board: Json) -> None:
    for place, expr in expressions(board):
        windows = set(re.findall(r"\[([^\]]+)\]", expr)) - {".", r"^\""}
        assert windows - WINDOWS.keys() - {'^"'} == set(), place
        for found in re.finditer(r"(\w+\()?aliyun_\w+(?:_total|_seconds_(?:sum|count|bucket))\b", expr):
            assert found[1] in ("rate(", "increase("), f"{place}: {found[0]}"


@each_board
def test_panels_fit_the_grid(board: Json) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert not board["editable"]


@each_board
def test_options_are_for_columns_that_are_there(board: Json) -> None:
    for table in (panel for panel in panels(board) if panel["type"] == "table"):
        organize = next(t["options"] for t in table["transformations"] if t["id"] == "organize")
        columns = set(organize["renameByName"].values()) | set(organize["indexByName"])
        named = {entry["matcher"]["options"] for entry in table["fieldConfig"]["overrides"]}
        assert named <= columns, table["title"]
        linked = set(re.findall(r"__data\.fields\.(\w+)", str(table)))
        assert linked <= set(organize["indexByName"]), table["title"]


def test_links_lead_to_dashboards_that_are_there() -> None:
    linked = {uid for board in BOARDS for uid in re.findall(r"/d/([\w-]+)", str(board))}
    assert linked == {board["uid"] for board in BOARDS} - {"aliyun-task-fleet"}


def test_every_recorded_series_is_recorded_and_used() -> None:
    used = {name for board in BOARDS for _, expr in expressions(board) for name in RECORDED.findall(expr)}
    text = RULES.read_text(encoding="utf-8")
    recorded = set(re.findall(r"- record: (\S+)", text))
    assert used <= recorded
    assert recorded <= used | set(RECORDED.findall(re.sub(r"- record: \S+", "", text)))


def test_a_status_has_the_same_colour_everywhere() -> None:
    colors: dict[str, set[str]] = {}
    for board in BOARDS:
        for panel in panels(board):
            for word, color in _colored(panel["fieldConfig"]):
                colors.setdefault(word, set()).add(color)
    assert {word: next(iter(found)) for word, found in colors.items()} == statuses.COLORS
    assert all(len(found) == 1 for found in colors.values()), colors


def _colored(config: Json) -> Iterator[tuple[str, str]]:
    """Words that are statuses, each with the colour it gets."""
    for entry in config["overrides"]:
        properties = {found["id"]: found["value"] for found in entry["properties"]}
        if entry["matcher"]["options"] in statuses.COLORS and "color" in properties:
            yield entry["matcher"]["options"], properties["color"]["fixedColor"]
        for mapping in properties.get("mappings", []):
            yield from _mapped(mapping)
    for mapping in config["defaults"].get("mappings", []):
        yield from _mapped(mapping)


def _mapped(mapping: Json) -> Iterator[tuple[str, str]]:
    if mapping["type"] == "value":
        shown = mapping["options"].values()
        yield from ((entry["text"], entry["color"]) for entry in shown if entry["text"] in statuses.COLORS)


def test_failed_means_what_it_means_in_the_alerts() -> None:
    compared = re.findall(r'status=~"([^"]+)"', ALERTS.read_text(encoding="utf-8"))
    alerts = {frozenset(found.split("|")) for found in compared}
    for kind in (statuses.TASK, statuses.COMMAND, statuses.INVOCATION):
        failed = statuses.words(kind, statuses.Meaning.FAILED)
        assert frozenset(failed.split("|")) in alerts, failed
    assert frozenset(statuses.words(statuses.COMMAND, statuses.Meaning.OPEN).split("|")) in alerts


def test_quantiles_of_durations_are_told_by_the_buckets_that_there_are() -> None:
    golden = (ROOT / "tests/golden/metrics.prom").read_text(encoding="utf-8")
    told = re.findall(r'aliyun_ehpc_task_duration_seconds_bucket\{[^}]*le="([\d.]+)"', golden)
    assert {float(bound) for bound in told} == set(cluster.BUCKETS)


# Panels that a healthy world leaves empty, and that this test does not drive.
QUIET = {
    "Lost, given up, cut short, unknown, unreadable D": "no word is unknown until the cloud says one",
}


@pytest.fixture
def busy(simulate: Simulate, serve: Serve, tmp_path: Path) -> Iterator[Prometheus]:
    """A world with everything that panels show: failures, throttling, jobs that no longer run."""
    cloud = simulate(**{"clusters": 2, "servers": 3, "time-scale": 4}).cloud
    exporter = serve(_watched(everything(cloud), cloud.url, tmp_path))
    address = exporter.url.removeprefix("http://")
    # The same exporter twice, as two replicas.
    replicas = [{"targets": [address]}, {"targets": [address], "labels": {"instance": "other"}}]
    rules = _quickened_rules(tmp_path)
    with (
        Prometheus(tmp_path, exporter.url, rules=rules, static_configs=replicas) as prometheus,
        socket.socket() as idle,
    ):
        # A connection that never asks is cut after ten seconds.
        host, _, port = address.partition(":")
        idle.connect((host, int(port)))
        done = "sum(aliyun_task_exporter_results_given_up_total) + count(aliyun_task_exporter_target_up)"
        wait_for("the first scrapes", lambda: prometheus.query(done))
        time.sleep(8)
        cloud.add_fault({"action": "ListCommands"}, kind="throttle")
        cloud.add_fault({"action": "DescribeInvocations"}, kind="quota", per_minute=30)
        cloud.add_fault({"action": "ListTasks"}, kind="unknown_words")
        time.sleep(8)
        cloud.clear_faults()
        cloud.add_fault({"action": "ListCommands"}, kind="throttle")
        cloud.freeze()
        yield prometheus


def _watched(config: Config, url: str, folder: Path) -> Config:
    config["accounts"][0]["credentials"] = {"provider": "credentials_uri", "uri": f"{url}/credentials"}
    config["ehpc"]["commands"] = {"per_node": True}
    for section in ("ehpc", "swas"):
        config[section]["discovery"] = [{"regions": ["cn-hangzhou"]}]
    config["state"] = {"path": str(folder / "state.redb")}
    return config


def _quickened_rules(folder: Path) -> Path:
    """The recording rules with seconds for minutes."""
    text = RULES.read_text(encoding="utf-8")
    for slow, fast in ((": 5m", ": 2s"), (": 1h", ": 2s"), ("offset 5m", "offset 2s"), ("600 < 900", "2 < 60")):
        assert slow in text
        text = text.replace(slow, fast)
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _quickened(query: Query) -> Query:
    """A query for whose findings no test has to wait for minutes."""
    expr = query.expr.replace("> 3600 ", "> 1 ").replace(", 600)", ", 1)")
    return Query(query.place, expr, query.is_instant, min(query.step, max(2, query.seconds / 1000)), query.seconds)


def test_every_query_finds_something(busy: Prometheus) -> None:
    span = Span(60, 1)
    asked = [_quickened(query) for board in BOARDS for query in queries(board, every(board), span)]
    assert len(asked) > 200
    empty = asked

    def all_found() -> bool:
        nonlocal empty
        empty = [query for query in empty if not run(busy.url, query, time.time())[0] and query.place not in QUIET]
        return not empty

    try:
        wait_for("every query to find something", all_found, 40)
    except AssertionError as error:
        pytest.fail(f"{error}\nempty:\n" + "\n".join(f"{query.place}: {query.expr}" for query in empty))
