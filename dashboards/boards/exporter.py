"""The exporter itself: whether it is well, fresh, and within its quota."""

from boards import common
from grafana import variables
from grafana.board import Board
from grafana.model import BAD_FROM_ONE, LOOK_FROM_ONE, NEUTRAL, Json, Panel, Query, over_time, steps
from grafana.panels import lines, stat
from grafana.table import TOP, bar, counted, duration, label, moment, table, value
from promql import JOB, joined, limited, newest

_ACCOUNT = 'account=~"$account"'
_INSTANCE = 'instance=~"$instance"'
_TARGET = "account, kind, target"
_OPERATION = "account, region_id, product, operation"
# Grafana's own choice by name has some in colours that look alike.
_OPERATIONS = {
    "ListTasks": "blue",
    "ListCommands": "purple",
    "ListInvocationStatus": "light-purple",
    "ListInvocationResults": "super-light-purple",
    "DescribeInvocations": "orange",
    "DescribeInvocationResult": "light-orange",
    "DescribeCommandInvocations": "dark-orange",
    "ListClusters": "green",
    "ListInstances": "light-green",
    "ListRegions": "dark-green",
}
_FULL = steps((None, "green"), (0.8, "orange"), (1, "red"))


def board() -> Board:
    instances = f"aliyun_task_exporter_build_info{{{JOB}}}"
    made = Board(
        common.EXPORTER,
        "Alibaba Cloud tasks / Exporter",
        "Whether aliyun-task-exporter is well, how fresh its values are, and what it uses of the quota.",
        [
            *common.base(),
            variables.label_values("instance", "Instance", instances, "instance"),
            common.status_page(),
        ],
        [common.restarts()],
    )
    made.add(4, *_health())
    made.add(4, *_login())
    made.row("Quota")
    made.add(11, _budgets())
    made.add(8, _requests(), _use(), _waiting())
    made.row("Targets")
    made.add(11, _targets())
    made.add(8, _ages(), _reasons(), _polls())
    made.row("What was lost, or came late")
    made.add(8, _losses(), _outstanding(), _discovered())
    made.row("Process")
    made.add(8, _latency(), _series(), _connections())
    made.add(8, _memory(), _processor(), _releases(), widths=(6, 6, 12))
    return made


def _own(metric: str, matchers: str = "") -> str:
    """A metric of the processes that are chosen."""
    return f"{metric}{{{joined(JOB, _INSTANCE, matchers)}}}"


def _calls(name: str) -> str:
    """Calls per minute of each operation: planned, or of the quota."""
    return newest(f"aliyun_task_exporter_api_{name}_calls_per_minute", _OPERATION)


def _yes_no(yes: str, no: str) -> Json:
    shown = {"1": {"text": yes, "color": "green", "index": 0}, "0": {"text": no, "color": "red", "index": 1}}
    return {"type": "value", "options": shown}


def _health() -> list[Panel]:
    up = newest("aliyun_task_exporter_target_up", _TARGET, _ACCOUNT)
    planned, quota = _calls("planned"), _calls("quota")
    return [
        stat(
            "Instances up",
            "Exporters that answer their scrape.",
            Query(f"sum ({_own('up')} and on (job) aliyun_task_exporter_leader{{{JOB}}})"),
        ),
        stat(
            "Polls",
            "Whether an instance polls. With state.wait or state.lease, the others stand by.",
            Query(f"max ({_own('aliyun_task_exporter_leader')})"),
            mappings=[_yes_no("yes", "none")],
            thresholds=NEUTRAL,
        ),
        stat(
            "Targets polled",
            "Clusters and servers that are polled, and places where discovery looks.",
            Query(f"count ({up})"),
        ),
        stat(
            "Targets failing",
            "Targets whose last poll failed. What is shown of them is the last good reading, until it is too old.",
            Query(f"sum (1 - {up})"),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Oldest values",
            "Age of the oldest values, as a share of the age at which they are withdrawn.",
            Query(f"max ({common.age_share(_ACCOUNT)})"),
            unit="percentunit",
            decimals=0,
            thresholds=_FULL,
        ),
        stat(
            "Quota needed",
            "Calls per minute that the targets need, as a share of what quotas in the configuration allows: the "
            "fullest operation. Above 100 % polls come late: AliyunTaskQuotaExceeded.",
            Query(f"max ({planned} / {quota})"),
            unit="percentunit",
            decimals=0,
            thresholds=_FULL,
        ),
        stat(
            "Throttled",
            "Operations that the cloud refuses, or whose budget was lowered because it did.",
            Query(
                f"count ({newest('aliyun_task_exporter_api_next_try_timestamp_seconds', _OPERATION)})"
                f" or 0 * count ({newest('aliyun_task_exporter_api_quota_calls_per_minute', _OPERATION)})"
            ),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Series of limit",
            "Polled series on the page, as a share of metrics.max_series, on the fullest instance.",
            Query(f"max ({_own('aliyun_task_exporter_series')} / {_own('aliyun_task_exporter_series_limit')})"),
            unit="percentunit",
            decimals=0,
            thresholds=steps((None, "green"), (0.9, "orange"), (1, "red")),
        ),
    ]


def _login() -> list[Panel]:
    return [
        stat(
            "Configuration",
            "Whether the last loading of the configuration succeeded on every instance.",
            Query(f"min ({_own('aliyun_task_exporter_config_last_reload_successful')})"),
            mappings=[_yes_no("in force", "refused")],
            thresholds=NEUTRAL,
        ),
        stat(
            "Last loaded",
            "When a configuration was last loaded.",
            Query(f"1000 * max ({_own('aliyun_task_exporter_config_last_reload_success_timestamp_seconds')})"),
            unit="dateTimeFromNow",
        ),
        stat(
            "State saved",
            "Whether the state file could be written when that was last tried; n/a without state.path.",
            Query(f"min ({_own('aliyun_task_exporter_state_saved')})"),
            mappings=[_yes_no("yes", "no")],
            thresholds=NEUTRAL,
        ),
        stat(
            "RAM refusals",
            "Operations that RAM refuses: AliyunTaskPermissionRefused.",
            Query(
                "sum (1 - "
                f"{_lowest('aliyun_task_exporter_operation_authorized', 'account, product, operation', _ACCOUNT)})"
            ),
            thresholds=BAD_FROM_ONE,
        ),
        stat(
            "Credentials",
            "Time until the first temporary credentials expire; they are renewed minutes before. n/a if none expire.",
            Query(f"min ({_own('aliyun_task_exporter_credentials_expiry_timestamp_seconds', _ACCOUNT)}) - time()"),
            unit="s",
            decimals=0,
            mappings=[{"type": "range", "options": {"to": 120, "result": {"color": "red", "index": 0}}}],
            thresholds=steps((None, "green")),
        ),
        stat(
            "Clock skew",
            "The largest difference between an instance's clock and the cloud's. Requests are refused from 15 "
            "minutes on.",
            Query(f"max (abs({_own('aliyun_task_exporter_clock_skew_seconds')}))"),
            unit="s",
            thresholds=steps((None, "green"), (300, "red")),
        ),
        stat(
            "Series left out",
            "Series that are left out to stay within metrics.max_series_per_target and metrics.max_series: per node "
            "first, then ended ones, open ones last.",
            Query(f"sum ({newest('aliyun_task_exporter_target_series_dropped', f'{_TARGET}, reason')})"),
            thresholds=LOOK_FROM_ONE,
        ),
        stat(
            "Short lists",
            "Targets whose lists count more entries than their pages show: AliyunTaskListIncomplete.",
            Query(f"sum ({newest('aliyun_task_exporter_target_missing_entries', _TARGET)} > bool 0)"),
            thresholds=BAD_FROM_ONE,
        ),
    ]


def _lowest(metric: str, ids: str, matchers: str = "") -> str:
    return f"min by ({ids}) ({metric}{{{joined(JOB, matchers)}}})"


def _budgets() -> Panel:
    quota, planned = _calls("quota"), _calls("planned")
    budget = _lowest("aliyun_task_exporter_api_budget_calls_per_minute", _OPERATION)
    used = f"60 * sum by ({_OPERATION}) (rate(aliyun_task_exporter_api_requests_total{{{JOB}}}[$__rate_interval]))"
    rows = f"topk({TOP}, {planned} / {quota})"
    resting, lowered, retry = (
        _lowest(f"aliyun_task_exporter_api_{name}_timestamp_seconds", _OPERATION)
        for name in ("resting_since", "lowered_since", "next_try")
    )
    columns = [
        label("account", "Quota group", 120),
        label("region_id", "Region", 115),
        label("product", "Product", 90),
        label("operation", "Operation"),
        value("Quota", limited(quota, _OPERATION, rows), 70),
        value("In force", limited(budget, _OPERATION, rows), 75),
        value("Needed", limited(planned, _OPERATION, rows), 75, decimals=1),
        value("Used", limited(used, _OPERATION, rows), 65, decimals=1),
        bar("Needed of quota", width=130, thresholds=_FULL),
        moment("Refused since", limited(resting, _OPERATION, rows), 115),
        moment("Lowered since", limited(lowered, _OPERATION, rows), 120),
        moment("Next try", limited(retry, _OPERATION, rows), 140),
    ]
    return table(
        "Budgets, calls per minute",
        "Quota: what the configuration allows. In force: what the exporter allows itself now, less after the cloud "
        "has refused more. Needed: by the targets at their present cadence. Used: sent, by all instances together; "
        "empty where the quota group is not named like an account. The fullest first.",
        rows,
        columns,
    )


def _requests() -> Panel:
    sent = f"60 * sum by (operation) (rate({_own('aliyun_task_exporter_api_requests_total')}[$__rate_interval]))"
    return lines(
        "Calls per minute by operation",
        "Requests sent to Alibaba Cloud, retries included. All instances together: each of them asks for itself.",
        over_time(sent, "{{operation}}"),
        unit="locale",
        stacked=True,
        colors=_OPERATIONS,
    )


def _use() -> Panel:
    planned, quota, budget = (
        f"aliyun_task_exporter_api_{name}_calls_per_minute{{{JOB}}}" for name in ("planned", "quota", "budget")
    )
    return lines(
        "Quota needed and in force",
        "What the targets need and, dashed, what is in force where that is less than the quota: as a share of the "
        "quota in the configuration, of the fullest account and region.",
        over_time(f"max by (operation) ({planned} / {quota})", "{{operation}}"),
        over_time(f"min by (operation) ({budget} / {quota}) < 1", "{{operation}}, in force"),
        unit="percentunit",
        dashed=[".*in force"],
        colors=_OPERATIONS,
    )


def _waiting() -> Panel:
    waited = _own("aliyun_task_exporter_api_quota_wait_seconds_total")
    return lines(
        "Requests waiting for the budget",
        "How many requests wait for their budget, on average.",
        over_time(f"sum by (operation) (rate({waited}[$__rate_interval]))", "{{operation}}"),
        unit="locale",
        colors=_OPERATIONS,
    )


def _targets() -> Panel:
    up = _lowest("aliyun_task_exporter_target_up", _TARGET, _ACCOUNT)
    rows = common.named_targets(f"topk({TOP}, 1000 * (1 - {up}) + {common.age_share(_ACCOUNT)})")

    def of(metric: str) -> str:
        return limited(newest(f"aliyun_task_exporter_target_{metric}", _TARGET, _ACCOUNT), _TARGET, rows)

    reason = limited(
        newest("aliyun_task_exporter_target_failing", f"{_TARGET}, reason", _ACCOUNT) + " == 1", _TARGET, rows
    )
    dropped = (
        f"sum by ({_TARGET}) ({newest('aliyun_task_exporter_target_series_dropped', f'{_TARGET}, reason', _ACCOUNT)})"
    )
    read = newest("aliyun_task_exporter_target_last_read_timestamp_seconds", _TARGET, _ACCOUNT)
    columns = [
        label("name", "Target"),
        label("kind", "Kind", 135),
        label("account", "Account", 85),
        label("reason", "Reason", 105, expr=reason, mappings=[], custom__cellOptions={"type": "auto"}),
        duration("Age", limited(f"time() - {read}", _TARGET, rows), 75),
        bar(
            "Age of limit", limited(f"clamp_max({common.age_share(_ACCOUNT)}, 1)", _TARGET, rows), 105, thresholds=_FULL
        ),
        duration("Too old at", of("stale_after_seconds"), 90),
        moment("Last success", of("last_success_timestamp_seconds"), 145),
        moment("Next poll", of("next_poll_timestamp_seconds"), 145),
        duration("Poll took", of("poll_duration_seconds"), 85, decimals=2),
        value("Series", of("series"), 65),
        counted("Left out", limited(dropped, _TARGET, rows), 75, "orange"),
        counted("Missing", of("missing_entries"), 75, "orange"),
    ]
    return table(
        "Targets",
        f"What is polled: failing ones first, then those with the oldest values; at most {TOP}. A next poll in the "
        "past means that the target waits for its budget. Missing: entries that a list counts and does not show.",
        rows,
        columns,
        hidden=["target"],
    )


def _ages() -> Panel:
    return lines(
        "Age of the values",
        "Age of the oldest values of each kind, as a share of the age at which they are withdrawn. Cut at 150 %.",
        over_time(f"clamp_max(max by (kind) ({common.age_share(_ACCOUNT)}), 1.5)", "{{kind}}"),
        unit="percentunit",
        thresholds=steps((None, "transparent"), (1, "red")),
        colors=common.TARGET_COLORS,
    )


def _reasons() -> Panel:
    failed = _own("aliyun_task_exporter_api_requests_total", 'outcome!="ok"')
    return lines(
        "Failed calls by reason",
        "Requests that failed, per minute, by reason: the table in the runbook of AliyunTaskTargetFailing says what "
        "to do.",
        over_time(f"60 * sum by (outcome) (rate({failed}[$__rate_interval])) > 0", "{{outcome}}"),
        unit="locale",
        bars=True,
    )


def _polls() -> Panel:
    polls = _own("aliyun_task_exporter_polls_total")
    return lines(
        "Polls by outcome",
        "Polls that ended, per minute.",
        over_time(f"60 * sum by (outcome) (rate({polls}[$__rate_interval])) > 0", "{{outcome}}"),
        unit="locale",
        stacked=True,
        colors={"ok": "green", "throttled": "orange"},
    )


def _losses() -> Panel:
    def grown(counter: str, ids: str) -> str:
        return f"sum (round(max by ({ids}) (increase(aliyun_task_exporter_{counter}{{{JOB}}}[$__rate_interval]))))"

    return lines(
        "Lost, given up, cut short, unknown, unreadable",
        "Open things whose end could not be learned; ended ones whose result never came; readings that stopped at "
        "poll.history_max_pages; words that this version does not know; entries that could not be read. 0 is right.",
        over_time(grown("lost_total", "kind"), "lost"),
        over_time(grown("results_given_up_total", "kind, cause"), "results given up"),
        over_time(grown("history_truncated_total", "kind"), "histories cut short"),
        over_time(grown("unknown_values_total", "product, operation, field"), "unknown words"),
        over_time(grown("unreadable_entries_total", "product, operation"), "unreadable entries"),
        unit="locale",
        decimals=0,
    )


def _outstanding() -> Panel:
    commands = newest("aliyun_ehpc_invocation_results_outstanding", "cluster_id")
    invocations = newest("aliyun_swas_invocation_results_outstanding", "instance_id")
    return lines(
        "Results outstanding",
        "What has ended and whose result is not there yet. Normal for a while.",
        over_time(f"sum ({commands})", "commands"),
        over_time(f"sum ({invocations})", "invocations"),
        unit="locale",
        decimals=0,
    )


def _discovered() -> Panel:
    found = newest("aliyun_task_exporter_discovered", _TARGET, _ACCOUNT)
    return lines(
        "Discovered",
        "Clusters, servers or regions that each place has found and that its filters let through. Empty without "
        "discovery.",
        over_time(found, "{{target}}"),
        unit="locale",
        decimals=0,
    )


def _latency() -> Panel:
    seconds = _own("aliyun_task_exporter_api_request_duration_seconds_bucket")
    return lines(
        "Latency of calls, p95",
        "95 % of the requests to Alibaba Cloud took no longer.",
        over_time(
            f"histogram_quantile(0.95, sum by (le, operation) (rate({seconds}[$__rate_interval])))", "{{operation}}"
        ),
        unit="s",
        colors=_OPERATIONS,
    )


def _series() -> Panel:
    series, limit, floor = (_own(f"aliyun_task_exporter_series{name}") for name in ("", "_limit", "_floor"))
    return lines(
        "Series",
        "Polled series on the page of the fullest instance, those of them that are never left out, and "
        "metrics.max_series.",
        over_time(f"max ({series})", "on the page"),
        over_time(f"max ({floor})", "never left out"),
        over_time(f"min ({limit})", "limit"),
        unit="locale",
        dashed=["limit"],
        decimals=0,
    )


def _connections() -> Panel:
    cut = _own("aliyun_task_exporter_http_connections_cut_total")
    return lines(
        "Connections",
        "Open connections of clients, and those that were cut in each interval, by reason.",
        over_time(f"max by (instance) ({_own('aliyun_task_exporter_http_connections')})", "open, {{instance}}"),
        over_time(f"sum by (reason) (round(increase({cut}[$__rate_interval]))) > 0", "cut, {{reason}}"),
        unit="locale",
        decimals=0,
    )


def _memory() -> Panel:
    return lines(
        "Memory",
        "Resident memory of each instance.",
        over_time(f"max by (instance) ({_own('process_resident_memory_bytes')}{common.OF_EXPORTERS})", "{{instance}}"),
        unit="bytes",
    )


def _processor() -> Panel:
    used = f"rate({_own('process_cpu_seconds_total')}[$__rate_interval]){common.OF_EXPORTERS}"
    return lines(
        "CPU",
        "CPU time that each instance uses, of one core.",
        over_time(f"max by (instance) ({used})", "{{instance}}"),
        unit="percentunit",
    )


def _releases() -> Panel:
    info = _own("aliyun_task_exporter_build_info")
    rows = f"max by (instance, version, revision, rustc) ({info})"
    started = f"max by (instance) ({_own('process_start_time_seconds')}{common.OF_EXPORTERS})"
    columns = [
        label("instance", "Instance"),
        label("version", "Version", 90),
        label("revision", "Revision", 110),
        label("rustc", "Rust", 80),
        value("Shard", limited(_share_of_targets("shard"), "instance", rows), 70),
        value("of", limited(_share_of_targets("shards"), "instance", rows), 50),
        moment("Started", limited(started, "instance", rows), 120),
    ]
    return table(
        "Instances",
        "The exporters and their versions; two versions while a roll-out is under way. Shard: "
        "which of the processes that share the targets, with --shard.count.",
        rows,
        columns,
        sort="Instance",
        ascending=True,
    )


def _share_of_targets(name: str) -> str:
    """Which of the processes that share the targets an instance is, or how many there are."""
    return f"max by (instance) ({_own(f'aliyun_task_exporter_{name}')})"
