"""E-HPC commands: on how many nodes each runs, has finished or failed, on which, with which exit codes."""

from boards import common
from boards.common import COMMAND_FAILED, COMMAND_IDS, COMMAND_OPEN, COMMAND_STOPPED, COMMANDS_1H, COMMANDS_5M
from grafana import variables
from grafana.board import Board
from grafana.model import BAD_FROM_ONE, GOOD_SHARE, LOOK_FROM_ONE, Panel, Query, over_time
from grafana.panels import lines, stat
from grafana.table import TOP, Column, counted, exit_code, label, moment, status, table, value
from promql import JOB, REPLICA, clusters, joined, limited, or_zero, share
from statuses import COMMAND, FINISHED_FAILED, OUTCOMES, by_word, colors

_OWNERS = clusters()
_ID = 'command_id=~"$command"'
_STATUS = 'status=~"$status"'
_NODE_IDS = f"{COMMAND_IDS}, instance_id"
_BAD = [word for word in COMMAND if word in f"{COMMAND_FAILED}|unknown".split("|")]
_PER_NODE = "Needs `commands: {per_node: true}` in the exporter's configuration; without it this panel is empty."


def board() -> Board:
    every = _OWNERS.of("aliyun_ehpc_invocation_status", "command_id")
    made = Board(
        common.COMMANDS,
        "Alibaba Cloud tasks / E-HPC commands",
        "On how many nodes each E-HPC command runs, has finished or failed, on which nodes, with which exit codes.",
        [
            *common.base(),
            common.owner_variable(_OWNERS, "Cluster"),
            variables.label_values(
                "command", "Command", f"aliyun_ehpc_invocation_status{{{joined(JOB, _OWNERS.selected)}}}", "command_id"
            ),
            variables.words("status", "Status of nodes", COMMAND, _BAD),
            common.status_page(),
        ],
        [common.failed_commands(_OWNERS), common.restarts()],
    )
    made.add(4, *_figures(every))
    made.row("Commands")
    made.add(12, _commands())
    made.row("Nodes")
    made.add(12, _nodes(), _exit_codes(), widths=(18, 6))
    made.row("Over time")
    made.add(8, _nodes_at_work(), _outcomes(), _ends())
    return made


def _recorded(name: str, window: str, outcomes: str = "") -> str:
    return f"sum_over_time({name}{{{joined(JOB, _OWNERS.selected, outcomes)}}}[{window}])"


def success_rate(by: str = "") -> str:
    """Of the commands that ended in 30 days and were not stopped, the share that failed on no node."""
    good = _OWNERS.total(_recorded(COMMANDS_1H, "30d", 'outcome="succeeded"'), by)
    every = _OWNERS.total(_recorded(COMMANDS_1H, "30d", 'outcome!="stopped"'), by)
    return share(or_zero(good, every), every)


def _figures(every: str) -> list[Panel]:
    clusters_seen = f"count ({_OWNERS.names()})"
    running = _nodes_of(f'status=~"{COMMAND_OPEN}"')
    failed, ended = (_OWNERS.total(_recorded(COMMANDS_5M, "24h", found)) for found in ('outcome="failed"', ""))
    outstanding = _OWNERS.of("aliyun_ehpc_invocation_results_outstanding")
    return [
        stat(
            "Commands running",
            "Commands in Running, Pending, Scheduled or Stopping.",
            Query(or_zero(f"count ({_OWNERS.ours(common.open_command(_OWNERS))})", clusters_seen)),
        ),
        stat(
            "Nodes at work",
            "Nodes on which a command runs or is about to.",
            Query(or_zero(_OWNERS.total(running), clusters_seen)),
        ),
        stat(
            "Failed, known now",
            "Commands that are still known and failed on some node, by status or exit code, as in "
            "AliyunTaskEhpcCommandFailed.",
            Query(or_zero(f"count ({_OWNERS.ours(common.failed_command(_OWNERS))})", clusters_seen)),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Commands failed, 24 h",
            "Commands that ended in the last 24 hours and failed on some node, 10 minutes after their end. "
            f"{common.RULES}",
            Query(or_zero(failed, ended)),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Succeeded, 30 d",
            "Of the commands that ended in the last 30 days and were not stopped by a user, the share that failed "
            f"on no node. {common.RULES}",
            Query(success_rate()),
            unit="percentunit",
            decimals=1,
            thresholds=GOOD_SHARE,
        ),
        stat(
            "Results outstanding",
            "Ended commands whose exit codes are being fetched. Until then they count as neither failed nor fine.",
            Query(_OWNERS.total(outstanding)),
            thresholds=LOOK_FROM_ONE,
        ),
    ]


def _command(metric: str, matchers: str = "") -> str:
    return _OWNERS.of(metric, "command_id", joined(_ID, matchers))


def _nodes_of(matchers: str = "") -> str:
    """Nodes of each command."""
    nodes = _OWNERS.of("aliyun_ehpc_invocation_nodes", "command_id, status", joined(_ID, matchers))
    return f"sum by ({COMMAND_IDS}) ({nodes})"


def _commands() -> Panel:
    end, every = common.command_end(_OWNERS), _command("aliyun_ehpc_invocation_status")
    is_open = _command("aliyun_ehpc_invocation_status", f'status=~"{COMMAND_OPEN}"')
    failed = common.failed_command(_OWNERS)
    time = f"({end} or 2e9 * {is_open})"
    ranks = f"2e10 + {time} and on ({COMMAND_IDS}) {failed} or 1e10 * {is_open} or {end} or 0 * {every}"
    chosen = f"({ranks}) and on ({COMMAND_IDS}) {every}"
    top = f"topk({TOP}, {_OWNERS.with_names(chosen)})"
    word = _OWNERS.of("aliyun_ehpc_invocation_status", "command_id, status", _ID)
    judged = f"({_judged(f'{word} and on ({COMMAND_IDS}) {failed}')} or on ({COMMAND_IDS}) {word})"
    rows = f"{judged} * on ({COMMAND_IDS}) group_left (cluster) {top}"

    def count(title: str, expr: str, width: int, color: str = "text") -> Column:
        return counted(title, limited(expr, COMMAND_IDS, top), width, color)

    columns = [
        label("cluster", "Cluster", None, [common.to_cluster(), common.to_page("cluster", "cluster_id")]),
        label("command_id", "Command", 170, [common.to_command()]),
        status(by_word(), width=125),
        count("Nodes", _nodes_of(), 75),
        count("Running", _nodes_of(f'status=~"{COMMAND_OPEN}"'), 85, "blue"),
        count("Finished", _nodes_of('status=~"Finished|Success"'), 85, "green"),
        count("Failed", _command("aliyun_ehpc_invocation_failed_nodes"), 75, "red"),
        count("Stopped", _nodes_of(f'status=~"{COMMAND_STOPPED}"'), 80, "yellow"),
        count("Exit code ≠ 0", _command("aliyun_ehpc_invocation_nonzero_exit_nodes"), 115, "red"),
        count("Exit code unknown", _command("aliyun_ehpc_invocation_unknown_exit_nodes"), 140, "orange"),
        moment(
            "First seen", limited(_command("aliyun_ehpc_invocation_first_seen_timestamp_seconds"), COMMAND_IDS, top)
        ),
        moment("Ended", limited(end, COMMAND_IDS, top)),
    ]
    return table(
        "Commands",
        f"Failed ones first, then running ones, then the newest; at most {TOP}. The figures are nodes. Failed is by "
        "exit code or status, as in AliyunTaskEhpcCommandFailed: a command can be Finished and have failed on a "
        "node. Exit codes are known after the end.",
        rows,
        columns,
        hidden=["cluster_id"],
    )


def _judged(expr: str) -> str:
    """Failures, shown as such even where the cloud says Finished."""
    return f'label_replace({expr}, "status", "{FINISHED_FAILED}", "status", "Finished|Success")'


def _nodes() -> Panel:
    metric, done = "aliyun_ehpc_invocation_node_status", 'status=~"Finished|Success"'
    chosen, fine = (_OWNERS.raw(metric, joined(_ID, found)) for found in (_STATUS, done))
    code = _OWNERS.raw("aliyun_ehpc_invocation_node_exit_code", _ID)
    node = f"{REPLICA}, {_NODE_IDS}"
    times = f"({common.command_end(_OWNERS)} or 2e9 * {common.open_command(_OWNERS)})"
    failed = _judged(f"{fine} and on ({node}) {code} != 0 != 193 != 194")
    nodes = f"({failed} or on ({node}) {chosen})"
    rows = _OWNERS.top(f"{nodes} * on ({COMMAND_IDS}) group_left () {times}", "command_id, instance_id, status")
    columns = [
        label("cluster", "Cluster", None, [common.to_cluster(), common.to_page("cluster", "cluster_id")]),
        label("command_id", "Command", 170, [common.to_command()]),
        label("instance_id", "Node", 200),
        status(by_word(), width=125),
        exit_code(f"max by ({_NODE_IDS}) ({code} and on ({_NODE_IDS}) {rows})", 130),
    ]
    return table(
        "Nodes on which commands failed",
        "Nodes with an exit code other than 0 or a status that the variable Status selects, those of the newest "
        f"commands first; at most {TOP}. {_PER_NODE}",
        rows,
        columns,
        hidden=["cluster_id"],
    )


def _exit_codes() -> Panel:
    code = _OWNERS.of("aliyun_ehpc_invocation_node_exit_code", "command_id, instance_id", _ID)
    rows = f'count_values("exit_code", ({_OWNERS.ours(code)}) != 0)'
    columns = [label("exit_code", "Exit code", 120, custom__align="right"), value("Nodes")]
    return table(
        "Exit codes other than 0",
        f"On how many nodes commands ended with which exit code, of those that are known now. {_PER_NODE}",
        rows,
        columns,
    )


def _nodes_at_work() -> Panel:
    nodes = _OWNERS.summed("aliyun_ehpc_invocation_nodes", "status", joined(_ID, f'status=~"{COMMAND_OPEN}"'))
    return lines(
        "Nodes at work over time",
        "Nodes on which a command runs or is about to, by status.",
        over_time(_OWNERS.total(nodes, "status") + " > 0", "{{status}}"),
        unit="locale",
        colors=colors(COMMAND),
        stacked=True,
        decimals=0,
    )


def _outcomes() -> Panel:
    ends = f"max by (cluster_id, outcome) ({COMMANDS_5M}{{{joined(JOB, _OWNERS.selected)}}})"
    return lines(
        "Commands ended, by outcome",
        "Commands that ended 10 to 15 minutes before each point: failed on some node, stopped by a user, or "
        f"neither. {common.RULES}",
        over_time(_OWNERS.total(ends, "outcome"), "{{outcome}}"),
        unit="locale",
        colors=OUTCOMES,
        bars=True,
        decimals=0,
        more={"interval": "5m"},
    )


def _ends() -> Panel:
    grown = _OWNERS.grown("aliyun_ehpc_invocations_finished_total", "status")
    return lines(
        "Commands ended, by status",
        "Commands that ended in each interval, by their own status, which ignores exit codes.",
        over_time(_OWNERS.total(grown, "status") + " > 0", "{{status}}"),
        unit="locale",
        colors=colors(COMMAND),
        bars=True,
        decimals=0,
    )
