//! THE table of metric families: name, help, type and labels are defined here and nowhere else.
//!
//! Exposition, the exporter's own Registry, docs/metrics.md and the contract tests derive from it.

/// Type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only goes up.
    Counter,
    /// Observations counted in buckets.
    Histogram,
}

/// Where the samples of a family come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A target's last good reading. Gauges are withdrawn when it is stale; what was counted stays.
    Cloud,
    /// What a directory says about a target's cluster or server. Withdrawn when that is stale.
    Directory,
    /// The exporter's own view of a target; always present.
    Target,
    /// The exporter's own work.
    Process,
}

/// A metric family.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its index in [`CATALOG`], which is its position on `/metrics`.
    pub position: usize,
    /// Full name, with `_total` for counters.
    pub name: &'static str,
    /// HELP text.
    pub help: &'static str,
    /// Metric type.
    pub kind: Kind,
    /// Label names, in the order they are written.
    pub labels: &'static [&'static str],
    /// Text before the value of each label: the quote after the value before, the label's name, `=`
    /// and a quote.
    pub(crate) separators: &'static [&'static str],
    /// Where its samples come from.
    pub source: Source,
}

impl Family {
    /// The name in OpenMetrics, where a counter's family has no `_total`.
    pub fn openmetrics_name(&self) -> &'static str {
        match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            _ => self.name,
        }
    }

    /// The unit that the name ends in, if any.
    pub fn unit(&self) -> Option<&'static str> {
        self.openmetrics_name().ends_with("_seconds").then_some("seconds")
    }
}

impl Kind {
    /// The word after `# TYPE`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// Declares the families; the doc comment of each is its HELP.
macro_rules! families {
    ($($(#[doc = $help:literal])+ $id:ident = $source:ident $kind:ident $name:literal [$($label:literal),* $(,)?];)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Position { $($id),+ }

        $($(#[doc = $help])+ pub static $id: Family = Family {
            position: Position::$id as usize,
            name: $name,
            help: concat!($($help),+).trim_ascii(),
            kind: Kind::$kind,
            labels: &[$($label),*],
            separators: &[$(concat!("\",", $label, "=\"")),*],
            source: Source::$source,
        };)+

        /// Every family, in the order of `/metrics`.
        pub static CATALOG: &[&Family] = &[$(&$id),+];
    };
}

families! {
    /// An E-HPC cluster that is configured or was discovered, with its name. Always 1.
    EHPC_CLUSTER_INFO = Target Gauge "aliyun_ehpc_cluster_info" ["account", "region_id", "cluster_id", "cluster_name"];
    /// Status of an E-HPC cluster (ListClusters): 1 for the status it has. Only if discovery lists the cluster; as old as discovery's reading.
    EHPC_CLUSTER_STATUS = Directory Gauge "aliyun_ehpc_cluster_status" ["cluster_id", "status"];
    /// Nodes of an E-HPC cluster by role (manager or compute) and state (normal, operating, stopped or exception). Only if discovery lists the cluster; as old as discovery's reading.
    EHPC_CLUSTER_NODES = Directory Gauge "aliyun_ehpc_cluster_nodes" ["cluster_id", "role", "state"];
    /// Nodes that an E-HPC cluster has in all by role (manager or compute), Total. Only if discovery lists the cluster; as old as discovery's reading.
    EHPC_CLUSTER_TOTAL_NODES = Directory Gauge "aliyun_ehpc_cluster_total_nodes" ["cluster_id", "role"];
    /// Status of an E-HPC task (ListTasks): 1 for the status it has. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_STATUS = Cloud Gauge "aliyun_ehpc_task_status" ["cluster_id", "task_id", "task_type", "status"];
    /// Step that an E-HPC task has reached, CurrentStep. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_CURRENT_STEP = Cloud Gauge "aliyun_ehpc_task_current_step" ["cluster_id", "task_id", "task_type"];
    /// Steps that an E-HPC task has in all, TotalSteps. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_STEPS = Cloud Gauge "aliyun_ehpc_task_steps" ["cluster_id", "task_id", "task_type"];
    /// Entries in the Errors of an E-HPC task. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_ERRORS = Cloud Gauge "aliyun_ehpc_task_errors" ["cluster_id", "task_id", "task_type"];
    /// Nodes in the Result of an E-HPC task that adds nodes (CreateCluster, AddComputes). Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_NODES = Cloud Gauge "aliyun_ehpc_task_nodes" ["cluster_id", "task_id", "task_type"];
    /// When the exporter first saw an E-HPC task; the API itself gives no times. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_FIRST_SEEN = Cloud Gauge "aliyun_ehpc_task_first_seen_timestamp_seconds" ["cluster_id", "task_id", "task_type"];
    /// When the exporter last saw the step or the status of an E-HPC task change. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_LAST_PROGRESS = Cloud Gauge "aliyun_ehpc_task_last_progress_timestamp_seconds" ["cluster_id", "task_id", "task_type"];
    /// When the exporter first saw an E-HPC task ended; absent if it never saw it open. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASK_FINISHED = Cloud Gauge "aliyun_ehpc_task_finished_timestamp_seconds" ["cluster_id", "task_id", "task_type"];
    /// E-HPC tasks that are known now, by status; those that the limits of series leave out are counted, too. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_TASKS = Cloud Gauge "aliyun_ehpc_tasks" ["cluster_id", "task_type", "status"];
    /// E-HPC tasks that ended while watched. Counted as polls find them; never withdrawn.
    EHPC_TASKS_FINISHED = Cloud Counter "aliyun_ehpc_tasks_finished_total" ["cluster_id", "task_type", "status"];
    /// How long E-HPC tasks took that were seen from their beginning to their end. Counted as polls find them; never withdrawn.
    EHPC_TASK_DURATION = Cloud Histogram "aliyun_ehpc_task_duration_seconds" ["cluster_id", "task_type"];
    /// Status of an E-HPC command over all its nodes (ListInvocationStatus): 1 for the status it has. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_STATUS = Cloud Gauge "aliyun_ehpc_invocation_status" ["cluster_id", "command_id", "status"];
    /// Nodes of an E-HPC command by status. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_NODES = Cloud Gauge "aliyun_ehpc_invocation_nodes" ["cluster_id", "command_id", "status"];
    /// Nodes on which an ended E-HPC command ended with an exit code other than 0 (ListInvocationResults); absent while no exit code is known. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_NONZERO_EXIT_NODES = Cloud Gauge "aliyun_ehpc_invocation_nonzero_exit_nodes" ["cluster_id", "command_id"];
    /// Nodes of an ended E-HPC command whose exit code is not known, those on which it was stopped among them. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_UNKNOWN_EXIT_NODES = Cloud Gauge "aliyun_ehpc_invocation_unknown_exit_nodes" ["cluster_id", "command_id"];
    /// Nodes on which an E-HPC command ended with an exit code that has Cloud Assistant stop (193) or restart (194) the node; absent if there are none. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_POWER_EXIT_NODES = Cloud Gauge "aliyun_ehpc_invocation_power_exit_nodes" ["cluster_id", "command_id"];
    /// Nodes on which an E-HPC command failed, by its exit code or its status; exit codes that stop or restart the node are no failure. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_FAILED_NODES = Cloud Gauge "aliyun_ehpc_invocation_failed_nodes" ["cluster_id", "command_id"];
    /// When the exporter first saw an E-HPC command ended; absent if it did not watch the end. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_END_SEEN = Cloud Gauge "aliyun_ehpc_invocation_end_seen_timestamp_seconds" ["cluster_id", "command_id"];
    /// When the exporter first saw an open E-HPC command open; it started no later. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_OPEN_SINCE = Cloud Gauge "aliyun_ehpc_invocation_first_seen_timestamp_seconds" ["cluster_id", "command_id"];
    /// After how long an open E-HPC command is to be stopped, Timeout (ListCommands); absent for commands that the configuration names. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_TIMEOUT = Cloud Gauge "aliyun_ehpc_invocation_timeout_seconds" ["cluster_id", "command_id"];
    /// Ended E-HPC commands whose results are asked for and not yet there, or not yet of all nodes. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_RESULTS_OUTSTANDING = Cloud Gauge "aliyun_ehpc_invocation_results_outstanding" ["cluster_id"];
    /// When an E-HPC command ended on the last of its nodes. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_FINISHED = Cloud Gauge "aliyun_ehpc_invocation_finished_timestamp_seconds" ["cluster_id", "command_id"];
    /// Status of an E-HPC command on one node, where per_node is set: 1 for the status it has. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_NODE_STATUS = Cloud Gauge "aliyun_ehpc_invocation_node_status" ["cluster_id", "command_id", "instance_id", "status"];
    /// Exit code of an E-HPC command on one node, where per_node is set; only where it is known. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    EHPC_INVOCATION_NODE_EXIT_CODE = Cloud Gauge "aliyun_ehpc_invocation_node_exit_code" ["cluster_id", "command_id", "instance_id"];
    /// E-HPC commands that ended while watched. Counted as polls find them; never withdrawn.
    EHPC_INVOCATIONS_FINISHED = Cloud Counter "aliyun_ehpc_invocations_finished_total" ["cluster_id", "status"];
    /// A Simple Application Server that is configured or was discovered, with its name. Always 1.
    SWAS_SERVER_INFO = Target Gauge "aliyun_swas_server_info" ["account", "region_id", "instance_id", "instance_name"];
    /// Status of a Simple Application Server (ListInstances): 1 for the status it has. Only if discovery lists the server; as old as discovery's reading.
    SWAS_SERVER_STATUS = Directory Gauge "aliyun_swas_server_status" ["instance_id", "status"];
    /// Whether a Simple Application Server is paid for, BusinessStatus: 1 for the status it has. Only if discovery lists the server; as old as discovery's reading.
    SWAS_SERVER_BUSINESS_STATUS = Directory Gauge "aliyun_swas_server_business_status" ["instance_id", "status"];
    /// When a Simple Application Server expires, ExpiredTime, unless it is renewed by then. Only if discovery lists the server; as old as discovery's reading.
    SWAS_SERVER_EXPIRY = Directory Gauge "aliyun_swas_server_expiry_timestamp_seconds" ["instance_id"];
    /// A command invocation on a Simple Application Server, with what was run. Always 1. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_INFO = Cloud Gauge "aliyun_swas_invocation_info" ["instance_id", "invoke_id", "command_name", "command_type"];
    /// InvocationStatus of a command invocation (DescribeInvocations): 1 for the status it has. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_STATUS = Cloud Gauge "aliyun_swas_invocation_status" ["instance_id", "invoke_id", "status"];
    /// Exit code of a command invocation that has ended (DescribeInvocationResult); absent where the cloud's 0 stands for none. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_EXIT_CODE = Cloud Gauge "aliyun_swas_invocation_exit_code" ["instance_id", "invoke_id"];
    /// When a command invocation was created. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_CREATED = Cloud Gauge "aliyun_swas_invocation_created_timestamp_seconds" ["instance_id", "invoke_id"];
    /// When a command invocation started on the server; of an open one only with per_region. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_STARTED = Cloud Gauge "aliyun_swas_invocation_started_timestamp_seconds" ["instance_id", "invoke_id"];
    /// After how long an open command invocation is to be stopped, Timeout (DescribeCommandInvocations); only with per_region. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_TIMEOUT = Cloud Gauge "aliyun_swas_invocation_timeout_seconds" ["instance_id", "invoke_id"];
    /// When a command invocation ended on the server. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_FINISHED = Cloud Gauge "aliyun_swas_invocation_finished_timestamp_seconds" ["instance_id", "invoke_id"];
    /// ErrorCode of a command invocation that has one. Always 1. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_ERROR = Cloud Gauge "aliyun_swas_invocation_error" ["instance_id", "invoke_id", "error_code"];
    /// Command invocations that are known now, by InvocationStatus; those that the limits of series leave out are counted, too. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATIONS = Cloud Gauge "aliyun_swas_invocations" ["instance_id", "status"];
    /// Command invocations that are known now, by InvokeStatus; absent with swas.strategy per_region, whose list does not send it. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_INVOCATION_RECORDS = Cloud Gauge "aliyun_swas_invocation_records" ["instance_id", "status"];
    /// Command invocations that ended while watched. Counted as polls find them; never withdrawn.
    SWAS_INVOCATIONS_FINISHED = Cloud Counter "aliyun_swas_invocations_finished_total" ["instance_id", "status"];
    /// Status of the newest ended invocation of a command name, as the list says, by CreationTime: 1 for the status it has. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_COMMAND_LAST_STATUS = Cloud Gauge "aliyun_swas_command_last_status" ["instance_id", "command_name", "status"];
    /// Ended command runs whose result is asked for and not yet there. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_RESULTS_OUTSTANDING = Cloud Gauge "aliyun_swas_invocation_results_outstanding" ["instance_id"];
    /// Exit code of the newest ended invocation of a command name; absent until its result was read, and if it has none. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_COMMAND_LAST_EXIT_CODE = Cloud Gauge "aliyun_swas_command_last_exit_code" ["instance_id", "command_name"];
    /// When the newest ended invocation of a command name ended; absent until its result was read. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_COMMAND_LAST_FINISHED = Cloud Gauge "aliyun_swas_command_last_finished_timestamp_seconds" ["instance_id", "command_name"];
    /// When the newest successful run of a command name ended. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_COMMAND_LAST_SUCCESS = Cloud Gauge "aliyun_swas_command_last_success_timestamp_seconds" ["instance_id", "command_name"];
    /// When the newest invocation of a command name was created, an open one included. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_COMMAND_LAST_CREATED = Cloud Gauge "aliyun_swas_command_last_created_timestamp_seconds" ["instance_id", "command_name"];
    /// Median time between the newest 8 runs of a command name; absent with fewer than 4, and where the longest gap is more than 1.5 times as long. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    SWAS_COMMAND_INTERVAL = Cloud Gauge "aliyun_swas_command_interval_seconds" ["instance_id", "command_name"];
    /// Clusters, servers or regions that a discovery target has found and include and exclude let through. Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds.
    DISCOVERED = Cloud Gauge "aliyun_task_exporter_discovered" ["account", "kind", "target"];
    /// Whether the last poll of a target succeeded (1) or not (0). Also 0, until a poll ends, once the next poll is overdue by more than its period, at least a minute, because the cloud throttles an operation that it needs. Absent before the first of these.
    TARGET_UP = Target Gauge "aliyun_task_exporter_target_up" ["account", "kind", "target"];
    /// Why aliyun_task_exporter_target_up is 0: 1 while it is. The reason throttled stands for a refused poll and for one that is overdue because the cloud throttles.
    TARGET_FAILING = Target Gauge "aliyun_task_exporter_target_failing" ["account", "kind", "target", "reason"];
    /// Entries that a target's lists must show and have not shown in two readings in a row: clusters, servers, regions, running tasks, followed commands and their nodes, and what the windows of ended things have room for. 0 if the lists are whole.
    TARGET_MISSING_ENTRIES = Target Gauge "aliyun_task_exporter_target_missing_entries" ["account", "kind", "target"];
    /// Entries by which TotalCount of a target's lists exceeds what they have shown in 8 whole readings in a row. The total is taken for wrong; absent if it is right.
    TARGET_TOTAL_EXCESS = Target Gauge "aliyun_task_exporter_target_total_excess_entries" ["account", "kind", "target"];
    /// When the last successful poll of a target ended.
    TARGET_LAST_SUCCESS = Target Gauge "aliyun_task_exporter_target_last_success_timestamp_seconds" ["account", "kind", "target"];
    /// When the values of a target that are shown were read; a poll that fails only in part reads values too.
    TARGET_LAST_READ = Target Gauge "aliyun_task_exporter_target_last_read_timestamp_seconds" ["account", "kind", "target"];
    /// When the next poll of a target is planned.
    TARGET_NEXT_POLL = Target Gauge "aliyun_task_exporter_target_next_poll_timestamp_seconds" ["account", "kind", "target"];
    /// How long the last poll of a target took, waiting for quota included.
    TARGET_POLL_DURATION = Target Gauge "aliyun_task_exporter_target_poll_duration_seconds" ["account", "kind", "target"];
    /// Age at which the values of a target are withdrawn.
    TARGET_STALE_AFTER = Target Gauge "aliyun_task_exporter_target_stale_after_seconds" ["account", "kind", "target"];
    /// Polled series that a target's last good reading fills.
    TARGET_SERIES = Target Gauge "aliyun_task_exporter_target_series" ["account", "kind", "target"];
    /// Series of a target that are left out to stay within metrics.max_series_per_target and metrics.max_series: per_node (they go first), those of the oldest ended tasks, commands or runs, and last those of open ones.
    TARGET_SERIES_DROPPED = Target Gauge "aliyun_task_exporter_target_series_dropped" ["account", "kind", "target", "reason"];
    /// The version of the exporter. Always 1.
    BUILD_INFO = Process Gauge "aliyun_task_exporter_build_info" ["version", "revision", "rustc"];
    /// Whether this instance polls (1), or stands by because another one holds the state file (0, with state.wait) or the Lease (0, with state.lease). What polls has all other metrics; what stands by has none of the cloud.
    LEADER = Process Gauge "aliyun_task_exporter_leader" [];
    /// Number of this process among those that share the targets: --shard.index.
    SHARD = Process Gauge "aliyun_task_exporter_shard" [];
    /// Number of processes that share the targets: --shard.count.
    SHARDS = Process Gauge "aliyun_task_exporter_shards" [];
    /// Units, pairs of quota group and region, that the configuration names and this process polls: with `all` regions, those that this version knows. 0 without shards.
    SHARD_UNITS = Process Gauge "aliyun_task_exporter_shard_units" [];
    /// Whether what is known could be written to the state file when that was last tried (1) or not (0): the disk is full, or another file stands at state.path. Absent without state.path, and while standing by.
    STATE_SAVED = Process Gauge "aliyun_task_exporter_state_saved" [];
    /// When the copy of the state that a standby keeps was last as the state of the instance that polls; until there is one, when it began to stand by. Only with state.lease, while standing by.
    STATE_COPIED = Process Gauge "aliyun_task_exporter_state_copied_timestamp_seconds" [];
    /// Polls that have ended, by kind of target and outcome: ok or the reason of the failure.
    POLLS = Process Counter "aliyun_task_exporter_polls_total" ["kind", "outcome"];
    /// Requests sent to the cloud, retries included, by outcome: ok or a reason.
    API_REQUESTS = Process Counter "aliyun_task_exporter_api_requests_total" ["account", "region_id", "product", "operation", "outcome"];
    /// How long requests to the cloud took.
    API_REQUEST_DURATION = Process Histogram "aliyun_task_exporter_api_request_duration_seconds" ["product", "operation"];
    /// Calls per minute that quotas in the configuration allows, whatever the cloud does; account is the quota group.
    API_QUOTA = Process Gauge "aliyun_task_exporter_api_quota_calls_per_minute" ["account", "region_id", "product", "operation"];
    /// Calls per minute that the exporter allows itself now: less than aliyun_task_exporter_api_quota_calls_per_minute once the cloud has refused more; account is the quota group.
    API_BUDGET = Process Gauge "aliyun_task_exporter_api_budget_calls_per_minute" ["account", "region_id", "product", "operation"];
    /// Calls per minute that the targets need at their present cadence; account is the quota group.
    API_PLANNED = Process Gauge "aliyun_task_exporter_api_planned_calls_per_minute" ["account", "region_id", "product", "operation"];
    /// When the cloud began to refuse an operation of which it has answered no call since; absent while it answers; account is the quota group.
    API_RESTING = Process Gauge "aliyun_task_exporter_api_resting_since_timestamp_seconds" ["account", "region_id", "product", "operation"];
    /// When the budget of an operation was lowered below its quota because the cloud had refused calls; absent while it is not; account is the quota group.
    API_LOWERED = Process Gauge "aliyun_task_exporter_api_lowered_since_timestamp_seconds" ["account", "region_id", "product", "operation"];
    /// When one call is tried of an operation that rests, or more calls of one whose budget is lowered; absent while neither is so; account is the quota group.
    API_NEXT_TRY = Process Gauge "aliyun_task_exporter_api_next_try_timestamp_seconds" ["account", "region_id", "product", "operation"];
    /// Time that requests have waited for quota; account is the quota group.
    API_QUOTA_WAIT = Process Counter "aliyun_task_exporter_api_quota_wait_seconds_total" ["account", "region_id", "product", "operation"];
    /// Whether RAM allows an operation (1) or refused it to some target when last asked (0).
    OPERATION_AUTHORIZED = Process Gauge "aliyun_task_exporter_operation_authorized" ["account", "product", "operation"];
    /// Open tasks, commands and runs whose end could not be learned.
    LOST = Process Counter "aliyun_task_exporter_lost_total" ["kind"];
    /// Invocations and commands that were seen to end and whose result is no longer asked for: never_answered, or pushed_out of the window before it was asked for.
    RESULTS_GIVEN_UP = Process Counter "aliyun_task_exporter_results_given_up_total" ["kind", "cause"];
    /// Readings of a list that stopped at poll.history_max_pages with more to come.
    HISTORY_TRUNCATED = Process Counter "aliyun_task_exporter_history_truncated_total" ["kind"];
    /// Words in the cloud's answers that this version does not know, by field; the word itself is on the status page and in the log.
    UNKNOWN_VALUES = Process Counter "aliyun_task_exporter_unknown_values_total" ["product", "operation", "field"];
    /// Entries of the cloud's answers that could not be read and are left out, each time that they are sent.
    UNREADABLE = Process Counter "aliyun_task_exporter_unreadable_entries_total" ["product", "operation"];
    /// How far the cloud's clock is ahead of this machine's (below 0: behind), as far as the Date of its last answer proves.
    CLOCK_SKEW = Process Gauge "aliyun_task_exporter_clock_skew_seconds" ["account"];
    /// When the credentials that an account uses now end; absent for those that do not. They are renewed well before.
    CREDENTIALS_EXPIRY = Process Gauge "aliyun_task_exporter_credentials_expiry_timestamp_seconds" ["account"];
    /// Polled series on this page.
    SERIES = Process Gauge "aliyun_task_exporter_series" [];
    /// Polled series that metrics.max_series allows.
    SERIES_LIMIT = Process Gauge "aliyun_task_exporter_series_limit" [];
    /// Polled series on this page that are never left out: counters, counts by status, last invocations of commands, what discovery's lists say. Where this is more than aliyun_task_exporter_series_limit, so is aliyun_task_exporter_series.
    SERIES_FLOOR = Process Gauge "aliyun_task_exporter_series_floor" [];
    /// Targets whose series that are never left out are more than metrics.max_series_per_target allows.
    TARGETS_ABOVE_LIMIT = Process Gauge "aliyun_task_exporter_targets_above_series_limit" [];
    /// Whether the last loading of the configuration, and of the web configuration file, succeeded (1) or not (0); then what was in force before still is.
    CONFIG_LAST_RELOAD_SUCCESSFUL = Process Gauge "aliyun_task_exporter_config_last_reload_successful" [];
    /// Connections of clients that are open.
    HTTP_CONNECTIONS = Process Gauge "aliyun_task_exporter_http_connections" [];
    /// Connections of clients that were cut: first_head (no request in 10 seconds), idle (none for 75), slow (a response was not read, or its address has a quarter of all), short (a new one needed its place), flood (it sent more than its requests can need).
    HTTP_CONNECTIONS_CUT = Process Counter "aliyun_task_exporter_http_connections_cut_total" ["reason"];
    /// When a configuration was last loaded.
    CONFIG_LAST_RELOAD_SUCCESS = Process Gauge "aliyun_task_exporter_config_last_reload_success_timestamp_seconds" [];
}

/// docs/metrics.md, whole.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for (source, title) in [
        (Source::Cloud, "What the cloud says"),
        (Source::Directory, "What the lists of discovery say"),
        (Source::Target, "The exporter's view of each target"),
        (Source::Process, "The exporter itself"),
    ] {
        page.push_str(&format!(
            "\n## {title}\n\n| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"
        ));
        for family in CATALOG.iter().filter(|family| family.source == source) {
            page.push_str(&row(family));
        }
    }
    page
}

fn row(family: &Family) -> String {
    let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
    format!(
        "| `{}` | {} | {} | {} |\n",
        family.name,
        family.kind.word(),
        labels.join(", "),
        family.help
    )
}

const INTRODUCTION: &str = "# Metrics

Made by `aliyun-task-exporter catalog` from the table that the program itself uses.

Values are polled on the exporter's own interval, because the cloud limits how often it may be asked; a scrape never
calls the cloud. A failed poll keeps the last good values and sets `aliyun_task_exporter_target_up` to 0; values older than
`aliyun_task_exporter_target_stale_after_seconds` are withdrawn, all but what was counted. Absent is absent: nothing is ever shown as 0 or NaN because it
could not be read. A word of the API that this version does not know has the label value `unknown`.

What the lists of discovery say is shown for polled targets in accounts and regions that discovery covers, configured
targets included. It is as old as the page that showed it. That is mostly the last reading of the target of kind
`discovery`; what a reading did not show keeps its age, and is withdrawn by it.
";

#[cfg(test)]
mod tests {
    use super::{CATALOG, Kind, Source};

    #[test]
    fn names_are_unique_and_end_as_their_type_demands() {
        let mut names: Vec<_> = CATALOG.iter().map(|family| family.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOG.len());
        for family in CATALOG {
            assert_eq!(
                family.name.ends_with("_total"),
                family.kind == Kind::Counter,
                "{}",
                family.name
            );
            assert_eq!(
                family.name.contains("timestamp"),
                family.name.ends_with("_timestamp_seconds"),
                "{}",
                family.name
            );
            assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{}", family.name);
        }
    }

    #[test]
    fn every_polled_family_says_where_its_age_is_or_that_it_is_never_withdrawn() {
        for family in CATALOG.iter().filter(|family| family.source == Source::Cloud) {
            let wanted = match family.kind {
                Kind::Gauge => {
                    "Polled; see aliyun_task_exporter_target_last_read_timestamp_seconds."
                }
                Kind::Counter | Kind::Histogram => "never withdrawn.",
            };
            assert!(family.help.ends_with(wanted), "{}: {}", family.name, family.help);
        }
        for family in CATALOG.iter().filter(|family| family.source == Source::Directory) {
            let wanted = "; as old as discovery's reading.";
            assert!(family.help.ends_with(wanted), "{}: {}", family.name, family.help);
            assert_eq!(family.kind, Kind::Gauge, "{} would be withdrawn", family.name);
        }
    }

    #[test]
    fn each_family_knows_its_place() {
        assert!(CATALOG.iter().enumerate().all(|(place, family)| family.position == place));
    }
}
