"""Everything at a glance: what runs, what failed, the worst clusters, jobs and servers, how fresh it is."""

from boards import common
from boards.common import (
    COMMANDS_1H,
    COMMANDS_5M,
    INVOCATION_FAILED,
    INVOCATION_OPEN,
    SERVERS_1H,
    SERVERS_5M,
    TASK_FAILED,
    TASKS_1H,
    TASKS_5M,
)
from grafana.board import Board
from grafana.model import BAD_FROM_ONE, GOOD_SHARE, LOOK_FROM_ONE, Link, Panel, Query, over_time, steps
from grafana.panels import lines, stat
from grafana.table import bar, counted, duration, label, table, value
from promql import JOB, Owners, clusters, joined, limited, newest, or_zero, servers, share
from statuses import INVOCATION, TASK, Meaning, words

_CLUSTERS, _SERVERS = clusters(""), servers("")
_HAS_CLUSTERS, _HAS_SERVERS = (f"count ({owners.names()})" for owners in (_CLUSTERS, _SERVERS))
_ACCOUNT = 'account=~"$account"'
_TARGET = "account, kind, target"
_ROWS = 20
_TASK_ENDED = words(TASK, Meaning.DONE, Meaning.FAILED)
_INVOCATION_ENDED = words(INVOCATION, Meaning.DONE, Meaning.FAILED)


def board() -> Board:
    made = Board(
        common.FLEET,
        "Alibaba Cloud tasks / Fleet",
        "E-HPC tasks and commands and Simple Application Server invocations: what runs, what failed, where it is "
        "worst.",
        [*common.base(), common.status_page()],
        [common.failed_tasks(_CLUSTERS), common.failed_commands(_CLUSTERS), common.restarts()],
    )
    made.add(4, *_figures())
    made.add(4, *_troubles())
    made.row("Where it is worst")
    made.add(10, _jobs(), _servers())
    made.add(10, _clusters(), _targets())
    made.row("Over time")
    made.add(8, _running(), _ends())
    made.add(8, _daily(), _freshness())
    return made


def _recorded(name: str, window: str, matchers: str = "") -> str:
    return f"sum_over_time({name}{{{joined(JOB, matchers)}}}[{window}])"


def _running_now() -> dict[str, str]:
    """How many of each kind have not ended."""
    commands = f"count ({_CLUSTERS.ours(common.open_command(_CLUSTERS))})"
    return {
        "tasks": _CLUSTERS.total(_CLUSTERS.summed("aliyun_ehpc_tasks", "", 'status="Processing"')),
        "commands": or_zero(commands, _HAS_CLUSTERS),
        "invocations": _SERVERS.total(_SERVERS.summed("aliyun_swas_invocations", "", f'status=~"{INVOCATION_OPEN}"')),
    }


def _figures() -> list[Panel]:
    """What runs, what failed in a day, what succeeded in a month."""
    failed = {
        name: or_zero(owners.total(_recorded(rule, "24h", found)), owners.total(_recorded(rule, "24h")))
        for name, (owners, rule, found) in {
            "tasks": (_CLUSTERS, TASKS_5M, f'status=~"{TASK_FAILED}"'),
            "commands": (_CLUSTERS, COMMANDS_5M, 'outcome="failed"'),
            "invocations": (_SERVERS, SERVERS_5M, f'status=~"{INVOCATION_FAILED}"'),
        }.items()
    }
    rates = dict(zip(common.WORK_COLORS, _success_rates("30d"), strict=True))
    return [
        stat(
            "Running",
            "E-HPC tasks in Processing; E-HPC commands, and invocations on Simple Application Servers, that have "
            "not ended.",
            *_each(_running_now()),
        ),
        stat(
            "Failed, 24 h",
            "What failed in the last 24 hours: commands by exit code or status on any node. What a user stopped is not "
            f"counted. {common.RULES}",
            *_each(failed),
            thresholds=LOOK_FROM_ONE,
        ),
        stat(
            "Succeeded, 30 d",
            f"Share of what ended in the last 30 days. What a user stopped is left out. {common.RULES}",
            *_each(rates),
            unit="percentunit",
            decimals=1,
            thresholds=GOOD_SHARE,
        ),
    ]


def _each(exprs: dict[str, str]) -> list[Query]:
    return [Query(expr, name) for name, expr in exprs.items()]


def _troubles() -> list[Panel]:
    """What needs a look now; each leads to its dashboard."""
    failed_tasks = _CLUSTERS.total(_CLUSTERS.summed("aliyun_ehpc_tasks", "", f'status=~"{TASK_FAILED}"'))
    up = newest("aliyun_task_exporter_target_up", _TARGET, _ACCOUNT)

    def trouble(title: str, description: str, expr: str, uid: str) -> Panel:
        links = [Link("Details", common.address(uid))]
        return stat(title, description, Query(expr), thresholds=BAD_FROM_ONE, links=links)

    return [
        trouble(
            "Stuck tasks",
            "Tasks in Processing that have not reached another step for an hour, as in AliyunTaskEhpcTaskStuck.",
            or_zero(f"count ({_CLUSTERS.ours(common.stuck_tasks(_CLUSTERS))})", _HAS_CLUSTERS),
            common.CLUSTER,
        ),
        trouble(
            "Failed tasks",
            "Tasks in Failed or PartialFail that are still known: tasks.max_age, 24 hours by default.",
            failed_tasks,
            common.CLUSTER,
        ),
        trouble(
            "Failed commands",
            "E-HPC commands that are still known and failed on some node, by status or exit code.",
            or_zero(f"count ({_CLUSTERS.ours(common.failed_command(_CLUSTERS))})", _HAS_CLUSTERS),
            common.COMMANDS,
        ),
        trouble(
            "Jobs failing",
            "Command names whose newest ended invocation on a server did not succeed, however long ago.",
            or_zero(f"count ({_SERVERS.ours(common.failing_jobs(_SERVERS))})", _HAS_SERVERS),
            common.SERVERS,
        ),
        trouble(
            "Jobs overdue",
            "Command names that ran regularly on a server and have not for twice their interval, as in "
            "AliyunTaskSwasCommandMissing.",
            or_zero(f"count ({_SERVERS.ours(common.overdue_jobs(_SERVERS))})", _HAS_SERVERS),
            common.SERVERS,
        ),
        trouble(
            "Targets failing",
            "Targets whose last poll failed: what is shown of them is their last good reading, until that is too old.",
            f"sum (1 - {up})",
            common.EXPORTER,
        ),
    ]


def _success_rates(window: str) -> list[str]:
    """Of tasks, commands and invocations."""
    return [
        _success(_CLUSTERS, TASKS_1H, window, 'status="Success"', f'status=~"{_TASK_ENDED}"'),
        _success(_CLUSTERS, COMMANDS_1H, window, 'outcome="succeeded"', 'outcome!="stopped"'),
        _success(_SERVERS, SERVERS_1H, window, 'status="Success"', f'status=~"{_INVOCATION_ENDED}"'),
    ]


def _success(owners: Owners, name: str, window: str, good: str, every: str, by: str = "") -> str:
    part, whole = (owners.total(_recorded(name, window, found), by, at_end=True) for found in (good, every))
    return share(or_zero(part, whole), whole)


def _jobs() -> Panel:
    by = "command_name"
    every, failing, overdue = (
        f"count by ({by}) ({_SERVERS.ours(jobs(_SERVERS))})"
        for jobs in (common.job_created, common.failing_jobs, common.overdue_jobs)
    )
    rows = f"topk({_ROWS}, {failing} or 0 * {every})"
    columns = [
        label(by, "Command", None, [common.to_name_of_command()]),
        value("Servers", every, 80),
        counted("Failing", width=80),
        counted("Overdue", overdue, 85, "orange"),
        bar("Share failing", f"{failing} / {every}", 150, thresholds=steps((None, "red"))),
    ]
    return table(
        "Worst commands on servers",
        "Command names by the number of servers on which their newest ended invocation did not succeed, and on "
        f"which they are overdue; the {_ROWS} worst.",
        rows,
        columns,
        limit=_ROWS,
    )


def _servers() -> Panel:
    ids = "instance_id"
    failing, overdue = (
        f"count by ({ids}) ({jobs})" for jobs in (common.failing_jobs(_SERVERS), common.overdue_jobs(_SERVERS))
    )
    last = _SERVERS.of("aliyun_swas_command_last_status", "command_name", 'status!="Success"')
    rows = f"topk({_ROWS}, {_SERVERS.with_names(f'count by ({ids}) ({last})', 'region_id')})"
    rate = _success(_SERVERS, SERVERS_1H, "30d", 'status="Success"', f'status=~"{_INVOCATION_ENDED}"', ids)
    columns = [
        label("server", "Server", None, common.server_links()),
        label("region_id", "Region", 130),
        counted("Failing", limited(failing, ids, rows), 80),
        counted("Overdue", limited(overdue, ids, rows), 85, "orange"),
        bar("Succeeded, 30 d", limited(rate, ids, rows), 150, thresholds=GOOD_SHARE),
    ]
    return table(
        "Worst servers",
        f"Servers by the number of their commands that are failing or overdue; the {_ROWS} worst. {common.RULES}",
        rows,
        columns,
        hidden=[ids],
    )


def _clusters() -> Panel:
    ids = "cluster_id"
    stuck = f"count by ({ids}) ({common.stuck_tasks(_CLUSTERS)})"
    commands = f"count by ({ids}) ({common.failed_command(_CLUSTERS)})"
    tasks = _CLUSTERS.summed("aliyun_ehpc_tasks", "", f'status=~"{TASK_FAILED}"')
    ranks = f"1e6 * {stuck} + on ({ids}) {tasks} or {tasks}"
    rows = f"topk({_ROWS}, {_CLUSTERS.with_names(ranks)})"
    rate = _success(_CLUSTERS, TASKS_1H, "30d", 'status="Success"', f'status=~"{_TASK_ENDED}"', ids)
    columns = [
        label("cluster", "Cluster", None, common.cluster_links()),
        counted("Stuck", limited(stuck, ids, rows), 65),
        counted("Failed tasks", limited(tasks, ids, rows), 100),
        counted("Failed commands", limited(commands, ids, rows), 130),
        bar("Succeeded, 30 d", limited(rate, ids, rows), 150, thresholds=GOOD_SHARE),
    ]
    return table(
        "Worst clusters",
        "Clusters with stuck tasks first, then by the number of failed tasks among those that are known now; the "
        f"{_ROWS} worst. {common.RULES}",
        rows,
        columns,
        hidden=[ids],
    )


def _targets() -> Panel:
    rows = common.named_targets(f"topk({_ROWS}, {common.age_share(_ACCOUNT)} > 1 or 100 * ({_down()} == 1))")
    age = f"time() - {newest('aliyun_task_exporter_target_last_read_timestamp_seconds', _TARGET, _ACCOUNT)}"
    reason = f"{newest('aliyun_task_exporter_target_failing', f'{_TARGET}, reason', _ACCOUNT)} == 1"
    columns = [
        label("name", "Target"),
        label("kind", "Kind", 150),
        label("reason", "Reason", 130, expr=limited(reason, _TARGET, rows), noValue=""),
        duration("Age of values", limited(age, _TARGET, rows), 120),
    ]
    return table(
        "Targets that are not fresh",
        f"Targets whose last poll failed or whose values are too old to be shown; {_ROWS} of them. Empty is good.",
        rows,
        columns,
        hidden=["account", "target"],
        limit=_ROWS,
        nothing="All targets are fresh",
    )


def _down() -> str:
    return f"1 - {newest('aliyun_task_exporter_target_up', _TARGET, _ACCOUNT)}"


def _running() -> Panel:
    return lines(
        "Running over time",
        "E-HPC tasks in Processing, and commands and invocations that have not ended.",
        *(over_time(expr, name) for name, expr in _running_now().items()),
        unit="locale",
        decimals=0,
        colors=common.WORK_COLORS,
    )


def _ends() -> Panel:
    tasks = _CLUSTERS.total(newest(TASKS_5M, "cluster_id, task_type, status", f'status=~"{TASK_FAILED}"'))
    commands = _CLUSTERS.total(newest(COMMANDS_5M, "cluster_id, outcome", 'outcome="failed"'))
    invocations = _SERVERS.total(newest(SERVERS_5M, "instance_id, status", f'status=~"{INVOCATION_FAILED}"'))
    return lines(
        "Failed over time",
        f"What failed in the five minutes before each point. {common.RULES}",
        over_time(tasks, "tasks"),
        over_time(commands, "commands"),
        over_time(invocations, "invocations"),
        unit="locale",
        decimals=0,
        bars=True,
        colors=common.WORK_COLORS,
        more={"interval": "5m"},
    )


def _daily() -> Panel:
    rates = _success_rates("1d")
    return lines(
        "Success rate by day, 30 days",
        "Of what ended in the day before each point, the share that succeeded, whatever the dashboard's time range. "
        f"{common.RULES}",
        *(over_time(rate, name) for rate, name in zip(rates, common.WORK_COLORS, strict=True)),
        unit="percentunit",
        most=1,
        least=None,
        colors=common.WORK_COLORS,
        more={"interval": "12h", "timeFrom": "30d"},
    )


def _freshness() -> Panel:
    return lines(
        "Age of the values",
        "Age of the oldest values of each kind of target, as a share of the age at which they are withdrawn. Cut at "
        "150 %.",
        over_time(f"clamp_max(max by (kind) ({common.age_share(_ACCOUNT)}), 1.5)", "{{kind}}"),
        unit="percentunit",
        thresholds=steps((None, "transparent"), (1, "red")),
        colors=common.TARGET_COLORS,
    )
