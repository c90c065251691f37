"""Simple Application Servers: how the jobs on them fare, which did not run, and single invocations."""

from boards import common
from boards.common import INVOCATION_FAILED, INVOCATION_IDS, INVOCATION_OPEN, JOB_IDS, SERVERS_1H, SERVERS_5M
from grafana import variables
from grafana.board import Board
from grafana.model import BAD_FROM_ONE, GOOD_SHARE, LOOK_FROM_ONE, Panel, Query, over_time, steps
from grafana.panels import lines, stat, state_timeline
from grafana.table import TOP, bar, counted, duration, exit_code, label, moment, status, table, value
from promql import JOB, REPLICA, joined, limited, or_zero, servers, share
from statuses import INVOCATION, RESOURCES, Meaning, by_number, by_word, colors, number, words

_OWNERS = servers()
_RAW_IDS = f"{REPLICA}, {INVOCATION_IDS}"
_NAME = 'command_name=~"$command_name"'
_STATUS = 'status=~"$status"'
_TIMELINES = 30
_OPEN = INVOCATION_OPEN.split("|")
_INVOCATION_IS_OPEN = f'status=~"{INVOCATION_OPEN}"'
_INVOCATION_IS_ENDED = f'status!~"{INVOCATION_OPEN}"'
_CHOICES = tuple(word for word in INVOCATION if word not in _OPEN)
_ENDED_WORDS = words(INVOCATION, Meaning.DONE, Meaning.FAILED)


def board() -> Board:
    made = Board(
        common.SERVERS,
        "Alibaba Cloud tasks / Servers and jobs",
        "How the commands that run on Simple Application Servers fare: which failed, with which exit codes, and "
        "which did not run.",
        [
            *common.base(),
            common.owner_variable(_OWNERS, "Server"),
            variables.label_values(
                "command_name",
                "Command name",
                f"aliyun_swas_command_last_created_timestamp_seconds{{{joined(JOB, _OWNERS.selected)}}}",
                "command_name",
            ),
            variables.words(
                "status", "Status of ended invocations", _CHOICES, [word for word in _CHOICES if word != "Success"]
            ),
            common.status_page(),
        ],
        [common.failed_jobs(_OWNERS), common.restarts()],
    )
    made.add(4, *_figures())
    made.row("Jobs: command names on servers")
    made.add(12, _jobs())
    made.add(10, _overdue(), _by_name(), widths=(13, 11))
    made.add(14, _timeline())
    made.add(8, _statuses(), _expiry())
    made.row("Invocations")
    made.add(12, _ended_invocations())
    made.add(10, _open_invocations(), _by_status(), _ends(), widths=(12, 6, 6))
    return made


def _recorded(name: str, window: str, statuses: str) -> str:
    return f'sum_over_time({name}{{{joined(JOB, _OWNERS.selected)}, status=~"{statuses}"}}[{window}])'


def success_rate(by: str = "") -> str:
    """Of the invocations that ended in 30 days and were not stopped, the share that succeeded."""
    good, every = (_OWNERS.total(_recorded(SERVERS_1H, "30d", found), by) for found in ("Success", _ENDED_WORDS))
    return share(or_zero(good, every), every)


def _figures() -> list[Panel]:
    seen = f"count ({_OWNERS.names()})"
    running = _OWNERS.of("aliyun_swas_invocations", "status", f'status=~"{INVOCATION_OPEN}"')
    failed, ended = (_OWNERS.total(_recorded(SERVERS_5M, "24h", found)) for found in (INVOCATION_FAILED, _ENDED_WORDS))
    return [
        stat("Servers", "Servers that are selected.", Query(seen)),
        stat("Invocations open", "Invocations in Pending, Running or Stopping.", Query(_OWNERS.total(running))),
        stat(
            "Jobs failing",
            "Command names whose newest ended invocation on a server did not succeed, however long ago.",
            Query(or_zero(f"count ({_OWNERS.ours(common.failing_jobs(_OWNERS, _NAME))})", seen)),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Jobs overdue",
            "Command names that ran regularly on a server and have not for twice their interval, as in "
            "AliyunTaskSwasCommandMissing.",
            Query(or_zero(f"count ({_OWNERS.ours(common.overdue_jobs(_OWNERS, _NAME))})", seen)),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Invocations failed, 24 h",
            "Invocations that ended in the last 24 hours as Failed, PartialFailed, Error, Timeout, Aborted or Invalid. "
            f"{common.RULES}",
            Query(or_zero(failed, ended)),
            thresholds=LOOK_FROM_ONE,
        ),
        stat(
            "Succeeded, 30 d",
            "Of the invocations that ended in the last 30 days and were not stopped by a user, the share with "
            f"Success. {common.RULES}",
            Query(success_rate()),
            unit="percentunit",
            decimals=1,
            thresholds=GOOD_SHARE,
        ),
    ]


def _job(metric: str, matchers: str = "") -> str:
    return _OWNERS.of(metric, "command_name", joined(_NAME, matchers))


def _jobs() -> Panel:
    created, ended = common.job_created(_OWNERS, _NAME), _job("aliyun_swas_command_last_finished_timestamp_seconds")
    state = _OWNERS.of("aliyun_swas_command_last_status", "command_name, status", _NAME)
    bad = _job("aliyun_swas_command_last_status", 'status!="Success"')
    top = f"topk({TOP}, {_OWNERS.with_names(f'1e10 * {bad} + {created} or {created} or {bad}')})"
    rows = f"{state} * on ({JOB_IDS}) group_left (server) {top}"
    columns = [
        label("server", "Server", 210, common.server_links()),
        label("command_name", "Command", None, [common.to_job(), common.to_name_of_command()]),
        status(by_word(), title="Last status"),
        exit_code(limited(_job("aliyun_swas_command_last_exit_code"), JOB_IDS, top)),
        moment("Started", limited(created, JOB_IDS, top)),
        moment("Ended", limited(ended, JOB_IDS, top)),
        moment("Last success", limited(_job("aliyun_swas_command_last_success_timestamp_seconds"), JOB_IDS, top)),
        duration("Runs every", limited(_job("aliyun_swas_command_interval_seconds"), JOB_IDS, top), 100),
    ]
    return table(
        "Last status of each job",
        "How the newest ended invocation of each command name ended on each server: those that did not succeed "
        f"first, newest to oldest; at most {TOP}. No exit code: it never exited, or its result is not there yet.",
        rows,
        columns,
        hidden=["instance_id"],
    )


def _late(overdue: str) -> str:
    """For how long overdue jobs are late: since their interval has passed."""
    return f"{overdue} - on ({JOB_IDS}) {_job('aliyun_swas_command_interval_seconds')}"


def _overdue() -> Panel:
    rows = f"topk({TOP}, {_OWNERS.with_names(_late(common.overdue_jobs(_OWNERS, _NAME)))})"
    created, interval = common.job_created(_OWNERS, _NAME), _job("aliyun_swas_command_interval_seconds")
    columns = [
        label("server", "Server", 200, common.server_links()),
        label("command_name", "Command", None, [common.to_job(), common.to_name_of_command()]),
        duration("Runs every", limited(interval, JOB_IDS, rows), 100),
        moment("Last started", limited(created, JOB_IDS, rows)),
        duration(
            "Overdue for", width=110, thresholds=steps((None, "orange")), custom__cellOptions={"type": "color-text"}
        ),
    ]
    return table(
        "Jobs that did not run",
        "Commands that ran regularly and have not been started for twice their interval, as in "
        f"AliyunTaskSwasCommandMissing; the latest first, at most {TOP}. Empty is good.",
        rows,
        columns,
        hidden=["instance_id"],
        nothing="All jobs ran in time",
    )


def _by_name() -> Panel:
    by = "command_name"
    every, failing, overdue = (
        f"count by ({by}) ({_OWNERS.ours(jobs(_OWNERS, _NAME))})"
        for jobs in (common.job_created, common.failing_jobs, common.overdue_jobs)
    )
    columns = [
        label("command_name", "Command", None, [common.to_name_of_command()]),
        value("Servers", every, 75),
        counted("Failing", width=75),
        counted("Overdue", overdue, 80, "orange"),
        bar("Share failing", f"{failing} / {every}", 130, thresholds=steps((None, "red"))),
    ]
    rows = f"topk({TOP}, {failing} or 0 * {every})"
    return table(
        "Commands by servers on which they fail",
        "On how many servers the newest ended invocation of a command did not succeed, and on how many it is "
        f"overdue; at most {TOP}.",
        rows,
        columns,
    )


def _timeline() -> Panel:
    def last(matchers: str, at_end: bool = False) -> str:
        return _OWNERS.of("aliyun_swas_command_last_status", "command_name", joined(_NAME, matchers), at_end)

    created = _OWNERS.of("aliyun_swas_command_last_created_timestamp_seconds", "command_name", _NAME, True)
    bad = last('status!="Success"', True)
    top = f"topk({_TIMELINES}, 1e10 * {bad} + {created} or {created})"
    states = " or ".join(
        f'{number(word)} * {last(f"""status="{word}" """.strip())}' for word in INVOCATION if word not in _OPEN
    )
    return state_timeline(
        "Last status of jobs over time",
        f"How the newest ended invocation of a command on a server ended, over time. {_TIMELINES} jobs: those that "
        "did not succeed first, of these the newest. Choose a server or a command to see others.",
        over_time(_OWNERS.with_names(f"({states}) and on ({JOB_IDS}) {top}"), "{{server}} · {{command_name}}"),
        mappings=[by_number()],
        maxDataPoints=80,
    )


def _open_invocations() -> Panel:
    created = _OWNERS.raw("aliyun_swas_invocation_created_timestamp_seconds")
    rows = _named(_INVOCATION_IS_OPEN, _greatest(_INVOCATION_IS_OPEN, f"time() - {created}"))
    columns = [
        label("server", "Server", 210, common.server_links()),
        label("command_name", "Command", None, [common.to_job(), common.to_name_of_command()]),
        status(by_word()),
        duration("Open for", width=100),
    ]
    return table(
        "Open invocations",
        f"Invocations in Pending, Running or Stopping, the oldest first; at most {TOP}.",
        rows,
        columns,
        hidden=["instance_id", "invoke_id"],
    )


def _statuses() -> Panel:
    return lines(
        "Servers by status",
        "Servers by their own status. Only of servers that discovery lists.",
        over_time(_OWNERS.total(_OWNERS.summed("aliyun_swas_server_status", "status"), "status"), "{{status}}"),
        unit="locale",
        colors=RESOURCES,
        stacked=True,
        decimals=0,
    )


def _expiry() -> Panel:
    expiry = _OWNERS.of("aliyun_swas_server_expiry_timestamp_seconds")
    rows = f"bottomk({TOP}, {_OWNERS.with_names(f'{expiry} - time()')})"
    return table(
        "Servers that expire next",
        f"Time until servers expire unless they are renewed; at most {TOP}. Only of servers that discovery lists.",
        rows,
        [label("server", "Server", None, common.server_links()), duration("Expires in", width=140)],
        hidden=["instance_id"],
        ascending=True,
    )


def _greatest(statuses: str, by_id: str) -> str:
    """The greatest values of invocations with these statuses, replicas apart, before anything is joined to them."""
    state, info = _state(statuses), _info()
    return f"topk({TOP}, {_OWNERS.ours(f'{by_id} and on ({_RAW_IDS}) ({state} and on ({_RAW_IDS}) {info})')})"


def _named(statuses: str, greatest: str) -> str:
    """The same with their statuses and the names of their servers and commands."""
    valued = f"{_state(statuses)} * on ({_RAW_IDS}) group_left () {greatest}"
    named = f"{_info()} * on ({_RAW_IDS}) group_left (status) ({valued})"
    return _OWNERS.with_names(f"max by ({INVOCATION_IDS}, command_name, status) ({named})")


def _state(statuses: str) -> str:
    return _OWNERS.raw("aliyun_swas_invocation_status", statuses)


def _info() -> str:
    return _OWNERS.raw("aliyun_swas_invocation_info", _NAME)


def _shown(expr: str, greatest: str, labels: str = "invoke_id") -> str:
    """An expression of raw series for the invocations of a table."""
    return f"max by (instance_id, {labels}) ({expr} and on ({_RAW_IDS}) {greatest})"


def _ended_invocations() -> Panel:
    created, started, finished = (
        _OWNERS.raw(f"aliyun_swas_invocation_{name}_timestamp_seconds") for name in ("created", "started", "finished")
    )
    statuses = joined(_STATUS, _INVOCATION_IS_ENDED)
    newest = _greatest(statuses, created)
    rows = f"1000 * ({_named(statuses, newest)})"
    error, code = _OWNERS.raw("aliyun_swas_invocation_error"), _OWNERS.raw("aliyun_swas_invocation_exit_code")
    columns = [
        label("server", "Server", 210, common.server_links()),
        label("command_name", "Command", None, [common.to_job(), common.to_name_of_command()]),
        label("invoke_id", "Invocation", 165),
        status(by_word()),
        exit_code(_shown(code, newest)),
        label("error_code", "Error", 185, expr=_shown(error, newest, "invoke_id, error_code")),
        value("Created", "", 140, "dateTimeFromNow"),
        duration(
            "Took",
            f"max by ({INVOCATION_IDS}) ({finished} - on ({_RAW_IDS}) ({started} and on ({_RAW_IDS}) {newest}))",
            90,
        ),
    ]
    return table(
        "Ended invocations",
        f"Invocations that failed, or whatever the variable Status selects; the newest first, at most {TOP} of those "
        "that are known now (max_age and max_invocations of the configuration).",
        rows,
        columns,
        hidden=["instance_id"],
    )


def _by_status() -> Panel:
    known = _OWNERS.summed("aliyun_swas_invocations", "status")
    return lines(
        "Invocations by status",
        "Invocations that are known now. Ended ones leave with max_age and max_invocations of the configuration.",
        over_time(_OWNERS.total(known, "status") + " > 0", "{{status}}"),
        unit="locale",
        colors=colors(INVOCATION),
        stacked=True,
        decimals=0,
    )


def _ends() -> Panel:
    grown = _OWNERS.grown("aliyun_swas_invocations_finished_total", "status")
    return lines(
        "Invocations ended",
        "Invocations that ended in each interval, by how they ended.",
        over_time(_OWNERS.total(grown, "status") + " > 0", "{{status}}"),
        unit="locale",
        colors=colors(INVOCATION),
        bars=True,
        decimals=0,
    )
