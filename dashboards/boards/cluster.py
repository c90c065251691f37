"""E-HPC clusters: how far each task is, which are stuck, how long they take, how they ended."""

from boards import common
from boards.common import TASK_FAILED, TASK_IDS, TASKS_1H, TASKS_5M
from grafana import variables
from grafana.board import Board
from grafana.model import BAD_FROM_ONE, GOOD_SHARE, Json, Panel, Query, over_time, steps
from grafana.panels import lines, stat
from grafana.table import TOP, Column, bar, counted, duration, label, moment, status, table, value
from promql import JOB, REPLICA, clusters, joined, limited, or_zero, share
from statuses import RESOURCES, TASK, Meaning, by_word, colors, words

_OWNERS = clusters()
_TYPE = 'task_type=~"$task_type"'
_PROCESSING = 'status="Processing"'
_FAILED = f'status=~"{TASK_FAILED}"'
_STATUS = 'status=~"$status"'
_IS_ENDED = 'status!="Processing"'
_ENDED = words(TASK, Meaning.DONE, Meaning.FAILED)
_DURATION = "aliyun_ehpc_task_duration_seconds"
# Upper bounds of the histogram that are shown, in seconds.
_BOUNDS = {"120": "≤ 2 min", "600": "≤ 10 min", "3600": "≤ 1 h"}
# All of its buckets, each by its upper bound and in words: where in a bucket a quantile lies, it does not know.
BUCKETS: dict[int, str] = {
    15: "≤ 15 s",
    30: "15 to 30 s",
    60: "30 to 60 s",
    120: "1 to 2 min",
    300: "2 to 5 min",
    600: "5 to 10 min",
    1800: "10 to 30 min",
    3600: "30 to 60 min",
    7200: "1 to 2 h",
}
_BEYOND = "> 2 h"


def board() -> Board:
    made = Board(
        common.CLUSTER,
        "Alibaba Cloud tasks / E-HPC clusters",
        "How far the tasks of E-HPC clusters are, which are stuck, how they ended and how long they took.",
        [
            *common.base(),
            common.owner_variable(_OWNERS, "Cluster"),
            variables.label_values("task_type", "Task type", f"aliyun_ehpc_tasks{{{JOB}}}", "task_type"),
            variables.words("status", "Status of ended tasks", TASK[1:], [*TASK_FAILED.split("|"), "unknown"]),
            common.status_page(),
        ],
        [common.failed_tasks(_OWNERS), common.restarts()],
    )
    made.add(4, *_figures())
    made.row("Tasks")
    made.add(11, _running())
    made.add(11, _ended())
    made.row("Over time")
    made.add(9, _by_status(), _ends(), _durations_over_time())
    made.add(8, _nodes(), _statuses())
    made.add(10, _durations(), _by_cluster(), widths=(14, 10))
    return made


def _figures() -> list[Panel]:
    clusters_seen = f"count ({_OWNERS.names()})"
    failed_now = _OWNERS.total(_count(_FAILED))
    failed, ended = (_OWNERS.total(_recorded(TASKS_5M, "24h", found)) for found in (TASK_FAILED, _ENDED))
    stuck = f"count ({_OWNERS.ours(common.stuck_tasks(_OWNERS))})"
    return [
        stat("Clusters", "E-HPC clusters that are selected.", Query(clusters_seen)),
        stat("Tasks running", "Tasks in Processing.", Query(_OWNERS.total(_count(_PROCESSING)))),
        stat(
            "Stuck tasks",
            "Tasks in Processing that have not reached another step for an hour, as in AliyunTaskEhpcTaskStuck.",
            Query(or_zero(stuck, clusters_seen)),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Failed, known now",
            "Tasks in Failed or PartialFail that are still known: tasks.max_age, 24 hours by default.",
            Query(failed_now),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Tasks failed, 24 h",
            f"Tasks that ended as Failed or PartialFail in the last 24 hours. {common.RULES}",
            Query(or_zero(failed, ended)),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Succeeded, 30 d",
            f"Of the tasks that ended in the last 30 days, the share with Success. {common.RULES}",
            Query(success_rate()),
            unit="percentunit",
            decimals=1,
            thresholds=GOOD_SHARE,
        ),
    ]


def success_rate(by: str = "") -> str:
    """Of the tasks that ended in 30 days, the share with Success."""
    good, every = (_OWNERS.total(_recorded(TASKS_1H, "30d", found), by) for found in ("Success", _ENDED))
    return share(or_zero(good, every), every)


def _count(matchers: str, labels: str = "") -> str:
    return _OWNERS.summed("aliyun_ehpc_tasks", labels, joined(_TYPE, matchers))


def _recorded(name: str, window: str, statuses: str) -> str:
    """What ended in a window, by a recording rule."""
    return f'sum_over_time({name}{{{joined(JOB, _OWNERS.selected, _TYPE)}, status=~"{statuses}"}}[{window}])'


def _task(metric: str) -> str:
    return _OWNERS.raw(metric, _TYPE)


def _shown(expr: str, rows: str) -> str:
    """An expression of raw series for the tasks of a table."""
    return f"max by ({_OWNERS.id}, task_id, task_type) (({expr}) and on ({TASK_IDS}) {rows})"


def _running() -> Panel:
    progress = _OWNERS.raw("aliyun_ehpc_task_last_progress_timestamp_seconds", _TYPE)
    is_open = _OWNERS.raw("aliyun_ehpc_task_status", joined(_TYPE, _PROCESSING))
    rows = _OWNERS.top(f"time() - {progress} and on ({REPLICA}, {TASK_IDS}) {is_open}", "task_id, task_type")
    seen = f"time() - {_task('aliyun_ehpc_task_first_seen_timestamp_seconds')}"
    columns = [
        *_identity(),
        _progress(rows, steps((None, "blue"))),
        *_counts(rows),
        duration(
            "No step for",
            width=110,
            custom__cellOptions={"type": "color-text"},
            thresholds=steps((None, "text"), (1800, "orange"), (3600, "red")),
        ),
        duration("Seen for", _shown(seen, rows)),
    ]
    return table(
        "Running tasks",
        f"Tasks in Processing, longest without another step first; at most {TOP}. Red: not for an hour, "
        "as in AliyunTaskEhpcTaskStuck. The API gives no times; these are what the exporter saw.",
        rows,
        columns,
        hidden=["cluster_id"],
    )


def _ended() -> Panel:
    found = _OWNERS.raw("aliyun_ehpc_task_status", joined(_TYPE, _STATUS, _IS_ENDED))
    changed = _OWNERS.raw("aliyun_ehpc_task_last_progress_timestamp_seconds", _TYPE)
    ended = f"{found} * on ({REPLICA}, {TASK_IDS}) group_left () {changed}"
    rows = _OWNERS.top(ended, "task_id, task_type, status")
    first, last = (_task(f"aliyun_ehpc_task_{name}_timestamp_seconds") for name in ("first_seen", "finished"))
    columns = [
        *_identity(),
        status(by_word()),
        _progress(rows, steps((None, "orange"), (1, "green"))),
        *_counts(rows),
        moment("Ended", _shown(last, rows)),
        duration("Took", _shown(f"{last} - {first}", rows), 90),
    ]
    return table(
        "Ended tasks",
        f"Tasks that failed, or whatever the variable Status selects; the newest first, at most {TOP} of those that "
        "are known now. A bar that stops short shows where a task failed. Ended and Took are as the exporter saw "
        "them, and empty for tasks that it never saw running.",
        rows,
        columns,
        hidden=["cluster_id"],
    )


def _identity() -> list[Column]:
    return [
        label("cluster", "Cluster", 190, common.cluster_links()),
        label("task_type", "Type", 130),
        label("task_id", "Task", 345),
    ]


def _progress(rows: str, thresholds: Json) -> Column:
    done = share(_task("aliyun_ehpc_task_current_step"), _task("aliyun_ehpc_task_steps"))
    return bar("Progress", _shown(done, rows), thresholds=thresholds)


def _counts(rows: str) -> list[Column]:
    return [
        value("Step", _shown(_task("aliyun_ehpc_task_current_step"), rows), 55),
        value("of", _shown(_task("aliyun_ehpc_task_steps"), rows), 50),
        value("Nodes", _shown(_task("aliyun_ehpc_task_nodes"), rows), 65),
        counted("Errors", _shown(_task("aliyun_ehpc_task_errors"), rows), 65),
    ]


def _by_status() -> Panel:
    return lines(
        "Tasks by status",
        "Tasks that are known now. Ended ones leave with tasks.max_age and tasks.max_tasks of the configuration.",
        over_time(_OWNERS.total(_count("", "status"), "status") + " > 0", "{{status}}"),
        unit="locale",
        colors=colors(TASK),
        stacked=True,
        decimals=0,
    )


def _ends() -> Panel:
    grown = _OWNERS.grown("aliyun_ehpc_tasks_finished_total", "status", _TYPE)
    return lines(
        "Tasks ended",
        "Tasks that ended in each interval, by how they ended.",
        over_time(_OWNERS.total(grown, "status") + " > 0", "{{status}}"),
        unit="locale",
        colors=colors(TASK),
        bars=True,
        decimals=0,
    )


def _nodes() -> Panel:
    states = _OWNERS.summed("aliyun_ehpc_cluster_nodes", "state")
    total = _OWNERS.summed("aliyun_ehpc_cluster_total_nodes", "")
    return lines(
        "Nodes by state",
        "Nodes of clusters, managers included, by state and, dashed, in all. Only of clusters that discovery lists.",
        over_time(_OWNERS.total(states, "state") + " > 0", "{{state}}"),
        over_time(_OWNERS.total(total), "all"),
        unit="locale",
        colors={"normal": "green", "operating": "blue", "stopped": "yellow", "exception": "red", "all": "text"},
        stacked=True,
        dashed=["all"],
        decimals=0,
    )


def _statuses() -> Panel:
    return lines(
        "Clusters by status",
        "Clusters by their own status. Only of clusters that discovery lists.",
        over_time(_OWNERS.total(_OWNERS.summed("aliyun_ehpc_cluster_status", "status"), "status"), "{{status}}"),
        unit="locale",
        colors=RESOURCES,
        stacked=True,
        decimals=0,
    )


def _observed(suffix: str, by: str, window: str, matchers: str = "") -> str:
    """What the histogram of durations has counted in a window."""
    labels = "task_type, le" if suffix == "bucket" else "task_type"
    selector = f"{_DURATION}_{suffix}{{{joined(JOB, _OWNERS.selected, _TYPE, matchers)}}}"
    return _OWNERS.total(f"max by (cluster_id, {labels}) (increase({selector}[{window}]))", by)


def _durations_over_time() -> Panel:
    total, count = (_observed(suffix, "task_type", "30m") for suffix in ("sum", "count"))
    return lines(
        "Mean duration by type",
        "Mean of the tasks that ended in the 30 minutes before each point and were watched from beginning to end.",
        over_time(share(total, count), "{{task_type}}"),
        unit="s",
    )


def _durations() -> Panel:
    window = "$__range"
    total, count = (_observed(suffix, "task_type", window) for suffix in ("sum", "count"))
    rows = f"{count} > 0.5"
    columns = [
        label("task_type", "Type"),
        value("Ended", f"round({rows})", 80),
        duration("Mean", share(total, rows), 85),
        _quantile("Median", 0.5, rows),
        _quantile("9 in 10", 0.9, rows),
        *(
            bar(
                title,
                share(_observed("bucket", "task_type", window, f'le=~"{bound}([.]0)?"'), rows),
                90,
                thresholds=steps((None, "blue")),
            )
            for bound, title in _BOUNDS.items()
        ),
    ]
    return table(
        "Task duration",
        "Tasks that were watched from beginning to end within the time range of the dashboard: the mean, the buckets "
        "in which the median and the 90th percentile lie, and the share that took no longer than each bound.",
        rows,
        columns,
        sort="Mean",
    )


def _quantile(title: str, share_of_tasks: float, rows: str) -> Column:
    """The bucket in which a quantile lies: its number is one inside the bucket, or the last bound if it is beyond."""
    buckets = _observed("bucket", "task_type, le", "$__range")
    last = max(BUCKETS)
    named = zip([0, *BUCKETS], BUCKETS, BUCKETS.values(), strict=False)
    words = [_range(last, None, _BEYOND), *(_range(low, high, text) for low, high, text in named)]
    return duration(title, f"histogram_quantile({share_of_tasks}, {buckets}) and {rows}", 105, mappings=words)


def _range(low: int, high: int | None, text: str) -> Json:
    return {"type": "range", "options": {"from": low, "to": high, "result": {"text": text, "index": 0}}}


def _by_cluster() -> Panel:
    ids = "cluster_id"
    rows = f"topk({TOP}, {_OWNERS.with_names(_count(_FAILED))})"
    running = f"{_count(_PROCESSING)}"
    columns = [
        label("cluster", "Cluster", None, common.cluster_links()),
        value("Running", limited(running, ids, rows), 80),
        counted("Stuck", limited(f"count by ({ids}) ({common.stuck_tasks(_OWNERS)})", ids, rows), 70),
        counted("Failed", width=80),
        bar("Succeeded, 30 d", limited(success_rate(ids), ids, rows), 150, thresholds=GOOD_SHARE),
    ]
    return table(
        "Clusters by failed tasks",
        f"Most failed tasks (of those known now) first; at most {TOP}. {common.RULES}",
        rows,
        columns,
        hidden=[ids],
    )
