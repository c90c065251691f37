"""What the dashboards share: variables, links between them, annotations, recurring parts of queries."""

from grafana import variables
from grafana.board import annotation
from grafana.model import Json, Link
from promql import JOB, REPLICA, Owners, clusters, newest, servers
from statuses import COMMAND, INVOCATION, TASK, Meaning, words

FLEET, CLUSTER, COMMANDS, SERVERS, EXPORTER = (
    f"aliyun-task-{name}" for name in ("fleet", "cluster", "commands", "servers", "exporter")
)

# Whatever is chosen on one dashboard stays chosen on the next.
_KEPT = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "account", "region", "status_page"))

# Metrics of every process, where only exporters are meant.
OF_EXPORTERS = f" and on ({REPLICA}) aliyun_task_exporter_leader{{{JOB}}}"
RULES = "Needs the recording rules of deploy/rules.yaml; n/a: nothing ended, or they are not loaded."

TASK_FAILED = words(TASK, Meaning.FAILED)
COMMAND_OPEN = words(COMMAND, Meaning.OPEN)
COMMAND_FAILED = words(COMMAND, Meaning.FAILED)
COMMAND_STOPPED = words(COMMAND, Meaning.STOPPED)
INVOCATION_OPEN = words(INVOCATION, Meaning.OPEN)
INVOCATION_FAILED = words(INVOCATION, Meaning.FAILED)

TASKS_5M = "cluster_type_status:aliyun_ehpc_tasks_finished:increase5m"
TASKS_1H = "cluster_type_status:aliyun_ehpc_tasks_finished:increase1h"
COMMANDS_5M = "cluster_outcome:aliyun_ehpc_invocations_finished:increase5m"
COMMANDS_1H = "cluster_outcome:aliyun_ehpc_invocations_finished:increase1h"
SERVERS_5M = "server_status:aliyun_swas_invocations_finished:increase5m"
SERVERS_1H = "server_status:aliyun_swas_invocations_finished:increase1h"

# One colour for each kind of work, and for the targets that read it.
WORK_COLORS = {"tasks": "blue", "commands": "purple", "invocations": "orange"}
TARGET_COLORS = {"ehpc_tasks": "blue", "ehpc_invocations": "purple", "swas_invocations": "orange", "discovery": "green"}

JOB_IDS = "instance_id, command_name"
TASK_IDS = "cluster_id, task_id"
COMMAND_IDS = "cluster_id, command_id"
INVOCATION_IDS = "instance_id, invoke_id"


def base() -> list[Json]:
    """The variables of every dashboard about the cloud."""
    infos = '{__name__=~"aliyun_ehpc_cluster_info|aliyun_swas_server_info", job=~"$job"}'
    return [
        variables.datasource(),
        variables.label_values("job", "Job", "aliyun_task_exporter_build_info", "job"),
        variables.label_values("account", "Account", infos, "account"),
        variables.label_values("region", "Region", infos, "region_id"),
    ]


def status_page() -> Json:
    """The address of the status page: the target's label `exporter_url`, or else that of the scrape; the user may type
    another one."""
    leading = f"max by (instance, exporter_url) (aliyun_task_exporter_leader{{{JOB}}}) == 1"
    scraped = f'label_replace({leading}, "address", "http://$1", "instance", "(.+)")'
    address = f'label_replace({scraped}, "address", "$1", "exporter_url", "(.+)")'
    return variables.single("status_page", "Status page", address, "address")


def owner_variable(owners: Owners, title: str) -> Json:
    """The clusters or servers of the chosen accounts and regions, by name."""
    every = clusters("") if owners.id == "cluster_id" else servers("")
    return variables.named(owners.variable, title, every.names(), owners.id, owners.title)


def address(uid: str) -> str:
    """The address of another dashboard, with what is chosen on this one."""
    return f"/d/{uid}?{_KEPT}&${{__url_time_range}}"


def to_cluster(uid: str = CLUSTER, title: str = "Cluster") -> Link:
    return Link(title, f"/d/{uid}?var-cluster=${{__data.fields.cluster_id}}&{_KEPT}&${{__url_time_range}}")


def to_command() -> Link:
    chosen = "var-cluster=${__data.fields.cluster_id}&var-command=${__data.fields.command_id}"
    return Link("Nodes of the command", f"/d/{COMMANDS}?{chosen}&{_KEPT}&${{__url_time_range}}")


def to_server() -> Link:
    return Link("Server", f"/d/{SERVERS}?var-server=${{__data.fields.instance_id}}&{_KEPT}&${{__url_time_range}}")


def to_job() -> Link:
    chosen = "var-server=${__data.fields.instance_id}&var-command_name=${__data.fields.command_name:percentencode}"
    return Link("Invocations of the command", f"/d/{SERVERS}?{chosen}&{_KEPT}&${{__url_time_range}}")


def to_name_of_command() -> Link:
    chosen = "var-command_name=${__data.fields.command_name:percentencode}"
    return Link("The command on all servers", f"/d/{SERVERS}?{chosen}&{_KEPT}&${{__url_time_range}}")


def to_page(kind: str, label: str) -> Link:
    """The permalink of a cluster or server on the status page."""
    return Link("Status page", f"${{status_page:raw}}/{kind}/${{__data.fields.{label}}}", new_tab=True)


def cluster_links() -> list[Link]:
    return [to_cluster(), to_cluster(COMMANDS, "Commands"), to_page("cluster", "cluster_id")]


def server_links() -> list[Link]:
    return [to_server(), to_page("server", "instance_id")]


def restarts() -> Json:
    starts = f"1000 * max by (instance) (process_start_time_seconds{{{JOB}}}{OF_EXPORTERS})"
    return annotation("Exporter started", starts, "purple", "Exporter {{instance}} started", "instance")


def failed_tasks(owners: Owners) -> Json:
    moments = owners.of("aliyun_ehpc_task_finished_timestamp_seconds", "task_id, task_type", at_end=True)
    failed = owners.of("aliyun_ehpc_task_status", "task_id", f'status=~"{TASK_FAILED}"', at_end=True)
    expr = _newest_failures(moments, TASK_IDS, failed)
    return annotation("Failed tasks", expr, "red", "{{task_type}} failed", "cluster_id,task_id")


def failed_commands(owners: Owners) -> Json:
    moments = owners.of("aliyun_ehpc_invocation_finished_timestamp_seconds", "command_id", at_end=True)
    failed = owners.of("aliyun_ehpc_invocation_failed_nodes", "command_id", at_end=True)
    expr = _newest_failures(moments, COMMAND_IDS, f"{failed} > 0")
    return annotation("Failed commands", expr, "orange", "Command {{command_id}} failed", "cluster_id")


def failed_jobs(owners: Owners) -> Json:
    moments = owners.of("aliyun_swas_command_last_finished_timestamp_seconds", "command_name", at_end=True)
    failed = owners.of("aliyun_swas_command_last_status", "command_name", f'status=~"{INVOCATION_FAILED}"', at_end=True)
    expr = _newest_failures(moments, JOB_IDS, failed)
    return annotation("Failed jobs", expr, "red", "{{command_name}} failed", "instance_id")


def _newest_failures(moments: str, ids: str, failed: str) -> str:
    """The moments, in milliseconds, of the newest that failed."""
    return f"1000 * topk(50, {moments} and on ({ids}) {failed})"


def open_tasks(owners: Owners, matchers: str = "") -> str:
    """1 for each task that is Processing."""
    found = 'status="Processing"' + (f", {matchers}" if matchers else "")
    return f"{owners.of('aliyun_ehpc_task_status', 'task_id, task_type', found)} == 1"


def stuck_tasks(owners: Owners) -> str:
    """How long tasks that are Processing have not reached another step, if for an hour: AliyunTaskEhpcTaskStuck."""
    progress = owners.of("aliyun_ehpc_task_last_progress_timestamp_seconds", "task_id, task_type")
    return f"time() - {progress} > 3600 and on ({TASK_IDS}) {open_tasks(owners)}"


def failed_command(owners: Owners) -> str:
    """Commands that failed, as AliyunTaskEhpcCommandFailed has it."""
    nodes = owners.of("aliyun_ehpc_invocation_failed_nodes", "command_id")
    status = owners.of("aliyun_ehpc_invocation_status", "command_id", f'status=~"{COMMAND_FAILED}"')
    power = owners.of("aliyun_ehpc_invocation_power_exit_nodes", "command_id")
    return f"({nodes} > 0 or {status} == 1 unless on ({COMMAND_IDS}) {power} > 0)"


def open_command(owners: Owners) -> str:
    status = owners.of("aliyun_ehpc_invocation_status", "command_id", f'status=~"{COMMAND_OPEN}"')
    return f"{status} == 1"


def command_end(owners: Owners) -> str:
    """When a command ended, by the cloud or as seen."""
    told = owners.of("aliyun_ehpc_invocation_finished_timestamp_seconds", "command_id")
    seen = owners.of("aliyun_ehpc_invocation_end_seen_timestamp_seconds", "command_id")
    return f"({told} or {seen})"


def failing_jobs(owners: Owners, matchers: str = "") -> str:
    """Jobs whose newest ended invocation did not succeed, as AliyunTaskSwasCommandFailing has it, however long ago."""
    found = 'status!="Success"' + (f", {matchers}" if matchers else "")
    status = owners.of("aliyun_swas_command_last_status", "command_name", found)
    return f"({status} == 1 unless on ({JOB_IDS}) {_power(owners, (193, 194), 'RunBatScript|RunPowerShellScript')}" + (
        f" unless on ({JOB_IDS}) {_power(owners, (3009, 3010), 'RunShellScript')})"
    )


def _power(owners: Owners, codes: tuple[int, int], other_types: str) -> str:
    """Jobs whose exit code has Cloud Assistant stop or restart the server; of other types of scripts it does not."""
    code = owners.of("aliyun_swas_command_last_exit_code", "command_name")
    info = owners.of("aliyun_swas_invocation_info", "command_name", f'command_type=~"{other_types}"')
    return f"(({code} == {codes[0]} or {code} == {codes[1]}) unless on ({JOB_IDS}) {info})"


def job_created(owners: Owners, matchers: str = "") -> str:
    return owners.of("aliyun_swas_command_last_created_timestamp_seconds", "command_name", matchers)


def overdue_jobs(owners: Owners, matchers: str = "") -> str:
    """How long jobs that ran regularly have not, as of the last reading: AliyunTaskSwasCommandMissing."""
    read = newest("aliyun_task_exporter_target_last_read_timestamp_seconds", "target", 'kind="swas_invocations"')
    by_server = f'label_replace({read}, "instance_id", "$1", "target", "(.+)")'
    created = job_created(owners, matchers)
    interval = owners.of("aliyun_swas_command_interval_seconds", "command_name", matchers)
    longest = f"(clamp_min(clamp_max(10 * {interval}, 1209600), 1200) > 3 * {interval} or 3 * {interval})"
    return (
        f"({by_server} - on (instance_id) group_right {created} > on ({JOB_IDS}) clamp_min(2 * {interval}, 600)"
        f" and on ({JOB_IDS}) time() - {created} < on ({JOB_IDS}) {longest})"
    )


def age_share(matchers: str = "") -> str:
    """Age of the values of each target, as a share of the age at which they are withdrawn."""
    ids = "account, kind, target"
    read = newest("aliyun_task_exporter_target_last_read_timestamp_seconds", ids, matchers)
    limit = newest("aliyun_task_exporter_target_stale_after_seconds", ids, matchers)
    return f"(time() - {read}) / {limit}"


def named_targets(expr: str) -> str:
    """An expression by `target` with the name of its cluster or server, or what `target` says if there is none."""
    names = " or ".join(map(_by_target, (clusters(""), servers(""))))
    known = f"max by (target, name) ({names})"
    unnamed = f'label_replace({expr}, "name", "$1", "target", "(.+)")'
    return f"(({expr}) * on (target) group_left (name) {known} or on (account, kind, target) {unnamed})"


def _by_target(owners: Owners) -> str:
    target = f'label_replace({owners.names()}, "target", "$1", "{owners.id}", "(.+)")'
    return f'label_replace({target}, "name", "$1", "{owners.title}", "(.+)")'
