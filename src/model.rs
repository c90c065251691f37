//! What the exporter knows: tasks, command invocations, results, and why something is unknown.
//! Plain types, no I/O.
//!
//! Facts of the cloud behind each type: `docs/alibaba-cloud-api.md`.

mod account;
mod error_text;
mod listing;
mod timing;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use account::{
    AccountState, LARGEST_SKEW, Lasts, Login, NOTABLE_SKEW, Permission, PermissionChange,
};

pub use error_text::{ERROR_TEXT_CHARS, ERROR_TEXTS, ErrorText, TaskError, keep_newest_texts};
pub use listing::{
    BusinessStatus, ClusterListing, ClusterStatus, DirectoryEntry, DiscoveredResource, Listed,
    Listings, NodeCounts, ResourceListing, ServerListing, ServerStatus,
};
pub use timing::{Command, Timing};

use crate::action::Action;
use crate::wire_enum::wire_enum;

wire_enum! {
    /// `Status` of an E-HPC task. The Chinese documents say `Fail` where the English ones say
    /// `Failed`.
    TaskStatus {
        Processing = "Processing",
        Success = "Success",
        Failed = "Failed" | "Fail",
        PartialFail = "PartialFail",
    }
}

wire_enum! {
    /// `TaskType` of an E-HPC task. The Chinese documents say `ResetComputes`.
    TaskType {
        CreateCluster = "CreateCluster",
        StartCluster = "StartCluster",
        StopCluster = "StopCluster",
        DeleteCluster = "DeleteCluster",
        AddComputes = "AddComputes",
        StartComputes = "StartComputes",
        ResetCompute = "ResetCompute" | "ResetComputes",
        StopComputes = "StopComputes",
        DeleteComputes = "DeleteComputes",
    }
}

wire_enum! {
    /// `InvokeStatus`, `InstanceInvokeStatus` and `InvokeRecordStatus`: the record of a command on
    /// its nodes. The first four words are documented; the others are those of Cloud Assistant,
    /// which in all likelihood runs these commands.
    InvokeStatus {
        Running = "Running",
        Finished = "Finished",
        Failed = "Failed",
        Stopped = "Stopped",
        Pending = "Pending",
        Scheduled = "Scheduled",
        Stopping = "Stopping",
        Success = "Success",
        PartialFailed = "PartialFailed",
        Invalid = "Invalid",
        Aborted = "Aborted",
        Error = "Error",
        Timeout = "Timeout",
        Cancelled = "Cancelled",
        Terminated = "Terminated",
    }
}

wire_enum! {
    /// `InvocationStatus`: one invocation of a command on one Simple Application Server. The last
    /// two words are documented only for an invocation on several servers as a whole
    /// (DescribeCommandInvocations).
    InvocationStatus {
        Pending = "Pending",
        Invalid = "Invalid",
        Aborted = "Aborted",
        Running = "Running",
        Success = "Success",
        Failed = "Failed",
        Error = "Error",
        Timeout = "Timeout",
        Cancelled = "Cancelled",
        Stopping = "Stopping",
        Terminated = "Terminated",
        Stopped = "Stopped",
        PartialFailed = "PartialFailed",
    }
}

wire_enum! {
    /// `CommandType` of a Simple Application Server command.
    CommandType {
        RunShellScript = "RunShellScript",
        RunPowerShellScript = "RunPowerShellScript",
        RunBatScript = "RunBatScript",
    }
}

wire_enum! {
    /// `ErrorCode` of an invocation that could not be executed, or ended with a code other than 0.
    /// The first sixteen are documented for Simple Application Server, the others for Cloud
    /// Assistant, which executes its invocations.
    ErrorCode {
        InstanceNotExists = "InstanceNotExists",
        InstanceReleased = "InstanceReleased",
        InstanceNotRunning = "InstanceNotRunning",
        CommandNotApplicable = "CommandNotApplicable",
        AccountNotExists = "AccountNotExists",
        DirectoryNotExists = "DirectoryNotExists",
        BadCronExpression = "BadCronExpression",
        ClientNotRunning = "ClientNotRunning",
        ClientNotResponse = "ClientNotResponse",
        ClientIsUpgrading = "ClientIsUpgrading",
        ClientNeedUpgrade = "ClientNeedUpgrade",
        DeliveryTimeout = "DeliveryTimeout",
        ExecutionTimeout = "ExecutionTimeout",
        ExecutionException = "ExecutionException",
        ExecutionInterrupted = "ExecutionInterrupted",
        ExitCodeNonzero = "ExitCodeNonzero",
        SecurityGroupRuleDenied = "SecurityGroupRuleDenied",
        TaskConcurrencyLimit = "TaskConcurrencyLimit",
        InstanceRestarted = "InstanceRestarted",
        ClientRestarted = "ClientRestarted",
        ClientNotOnline = "ClientNotOnline",
        ClientNetworkBlocked = "ClientNetworkBlocked",
        InstanceDeregistered = "InstanceDeregistered",
        InvalidSystemBuiltInParameter = "InvalidSystemBuiltInParameter",
        DefaultWorkingDirectoryNotAvailable = "DefaultWorkingDirectoryNotAvailable",
        InvalidCommandText = "InvalidCommandText",
        CommandContentDecodeError = "CommandContentDecodeError",
        CronExpressionExpired = "CronExpressionExpired",
        InvalidGMTOffsetForTimezone = "InvalidGMTOffsetForTimezone",
        InvalidGMTOffsetHourForTimezone = "InvalidGMTOffsetHourForTimezone",
        InvalidGMTOffsetMinuteForTimezone = "InvalidGMTOffsetMinuteForTimezone",
        TimezoneInformationCorrupt = "TimezoneInformationCorrupt",
        InvalidRateExpression = "InvalidRateExpression",
        RateFrequencyTooLarge = "RateFrequencyTooLarge",
        InvalidAtExpression = "InvalidAtExpression",
        AtExpressionExpired = "AtExpressionExpired",
        InvalidContainerName = "InvalidContainerName",
        UnsupportedContainerRuntime = "UnsupportedContainerRuntime",
        InvalidContainerId = "InvalidContainerId",
        ContainerConnectFailed = "ContainerConnectFailed",
        ContainerStateAbnormal = "ContainerStateAbnormal",
        ContainerNotFound = "ContainerNotFound",
        ContainerNameDuplicated = "ContainerNameDuplicated",
        ContainerNameAndIdNotMatch = "ContainerNameAndIdNotMatch",
        UserOrPasswordInvalid = "UserOrPasswordInvalid",
        QueryParameterStoreFailed = "QueryParameterStoreFailed",
        InstanceRoleInvalid = "InstanceRoleInvalid",
        TerminationException = "TerminationException",
        FileAlreadyExists = "FileAlreadyExists",
        FileNameInvalid = "FileNameInvalid",
        FilePathInvalid = "FilePathInvalid",
        FileAuthorityInvalid = "FileAuthorityInvalid",
        UserGroupNotExists = "UserGroupNotExists",
    }
}

impl TaskStatus {
    /// Whether the task may still change.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Processing | Self::Unknown(_))
    }

    /// Whether it is a failure.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed | Self::PartialFail)
    }
}

impl InvokeStatus {
    /// Whether the record may still change.
    pub fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Running | Self::Pending | Self::Scheduled | Self::Stopping | Self::Unknown(_)
        )
    }

    /// Whether it is a failure; being stopped on request is not.
    pub fn is_failure(&self) -> bool {
        FAILURES.contains(&self.label())
    }

    /// The exit code, if the one `sent` with this word means anything: see `counts`.
    pub fn exit_code(&self, sent: Option<i64>) -> Option<i64> {
        let may_be_zero = matches!(self, Self::Finished | Self::Success | Self::Failed);
        sent.filter(|code| counts(*code, may_be_zero, !self.is_open() && *self != Self::Stopped))
    }
}

impl InvocationStatus {
    /// Whether the word alone says that the invocation may still change.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Stopping | Self::Unknown(_))
    }

    /// Whether it is a failure; being stopped on request is not.
    pub fn is_failure(&self) -> bool {
        FAILURES.contains(&self.label())
    }

    /// The exit code, if the one `sent` with this word means anything: see `counts`.
    pub fn exit_code(&self, sent: Option<i64>) -> Option<i64> {
        let may_be_zero = matches!(self, Self::Success | Self::Failed);
        sent.filter(|code| counts(*code, may_be_zero, !self.is_open() && *self != Self::Stopped))
    }
}

/// Cloud Assistant's words for a failure.
const FAILURES: [&str; 6] = ["Failed", "PartialFailed", "Invalid", "Aborted", "Error", "Timeout"];

/// Whether an exit code counts. The cloud sends a meaningless 0 for what never exited, so 0 counts
/// only with words for what did. Any other code counts once it cannot change, unless the command
/// was stopped.
fn counts(code: i64, may_be_zero: bool, may_be_other: bool) -> bool {
    if code == 0 { may_be_zero } else { may_be_other }
}

/// Exit codes by which a shell script makes Cloud Assistant stop or restart its instance; not
/// failures.
pub const POWER_EXIT_CODES: [i64; 2] = [193, 194];

/// One page of a list, in the form that all lists of the cloud have.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The readable entries, in the cloud's order, which no document defines.
    pub items: Vec<T>,
    /// Number of entries on the page, including unreadable ones.
    pub entries: usize,
    /// `TotalCount`, if sent. Never trusted for the end of the list.
    pub total: Option<u64>,
    /// `PageSize` as the answer repeats it, if it does.
    pub page_size: Option<u64>,
    /// Whether the page may leave out entries that exist: the list itself is missing, or an error
    /// came with it. An entry missing from such a page is not considered gone.
    pub is_partial: bool,
}

impl<T> Page<T> {
    /// A page of readable entries only.
    pub fn new(items: Vec<T>, total: Option<u64>) -> Self {
        Self { entries: items.len(), items, total, page_size: None, is_partial: false }
    }
}

/// Whether a target's lists have shown all that they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListState {
    /// Entries that must exist and were not shown in two readings in a row; 0 if the lists are
    /// whole.
    pub missing: u64,
    /// Entries that must exist and that the last reading did not show.
    pub missing_once: u64,
    /// Entries by which a `TotalCount` exceeds what its list has shown in 8 whole readings in a
    /// row: the total is considered wrong.
    pub total_excess: u64,
}

impl ListState {
    /// The state of both lists together.
    pub fn and(self, other: Self) -> Self {
        Self {
            missing: self.missing.saturating_add(other.missing),
            missing_once: self.missing_once.saturating_add(other.missing_once),
            total_excess: self.total_excess.saturating_add(other.total_excess),
        }
    }
}

/// An E-HPC task from ListTasks, which sends no times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// TaskId.
    pub id: SmolStr,
    /// TaskType.
    pub task_type: TaskType,
    /// Status.
    pub status: TaskStatus,
    /// CurrentStep, if it was sent.
    pub current_step: Option<i64>,
    /// TotalSteps, if it was sent.
    pub steps: Option<i64>,
    /// Entries of Errors, if it was sent and could be read.
    pub errors: Option<u64>,
    /// Code and Message of those errors; not saved.
    #[serde(skip)]
    pub error_details: Arc<[TaskError]>,
    /// Entries of Result.Instances, for the task types that add nodes.
    pub nodes: Option<u64>,
}

/// A command of an E-HPC cluster on its nodes, from ListInvocationStatus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatuses {
    /// InvokeStatus of the whole command.
    pub status: InvokeStatus,
    /// InstanceId and InstanceInvokeStatus of each node.
    pub nodes: BTreeMap<SmolStr, InvokeStatus>,
}

impl NodeStatuses {
    /// Whether any part may still change. An unknown word for a node does not keep open what the
    /// record says has ended. If the overall word is unknown, the nodes decide, and it is open
    /// while none is listed.
    pub fn is_open(&self) -> bool {
        match self.status.unknown_word() {
            Some(_) => self.nodes.is_empty() || self.nodes.values().any(InvokeStatus::is_open),
            None => self.is_known_open(),
        }
    }

    /// Whether a known word says that a part may still change.
    pub fn is_known_open(&self) -> bool {
        let is_open = |status: &InvokeStatus| status.is_open() && status.unknown_word().is_none();
        is_open(&self.status) || self.nodes.values().any(is_open)
    }
}

/// A node's entry in ListInvocationResults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeResult {
    /// InstanceId.
    pub instance_id: SmolStr,
    /// InvokeRecordStatus.
    pub status: InvokeStatus,
    /// ExitCode, if [`InvokeStatus::exit_code`] lets it count.
    pub exit_code: Option<i64>,
    /// FinishedTime.
    pub finished: Option<Timestamp>,
}

/// An invocation of a command on a Simple Application Server, from DescribeInvocations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// InvokeId; together with the server's id it identifies the invocation.
    pub id: SmolStr,
    /// CommandName, cut at [`COMMAND_NAME_BYTES`].
    pub command_name: SmolStr,
    /// CommandType.
    pub command_type: CommandType,
    /// InvocationStatus.
    pub status: InvocationStatus,
    /// InvokeStatus, if it was sent.
    pub record: Option<InvokeStatus>,
    /// CreationTime.
    pub created: Option<Timestamp>,
}

impl Invocation {
    /// Whether the invocation may still change. With an unknown word, it has ended when the record
    /// has.
    pub fn is_open(&self) -> bool {
        match self.status {
            InvocationStatus::Unknown(_) => self.record.as_ref().is_none_or(InvokeStatus::is_open),
            _ => self.status.is_open(),
        }
    }
}

/// A command invocation from DescribeCommandInvocations: on several servers at once.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandInvocation {
    /// InvokeId.
    pub id: SmolStr,
    /// Its part on each server.
    pub servers: Vec<ServerInvocation>,
}

/// One server's part of a command invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerInvocation {
    /// InstanceId.
    pub instance_id: Arc<str>,
    /// The invocation on this server; its `record` is not sent.
    pub invocation: Invocation,
    /// Timeout of the command in seconds, if it was sent.
    pub timeout: Option<u64>,
    /// Its result so far.
    pub result: InvocationResult,
}

/// Maximum length of a command name, in bytes; longer ones are cut at a character boundary.
pub const COMMAND_NAME_BYTES: usize = 128;

/// The result of an invocation on a Simple Application Server, from DescribeInvocationResult.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvocationResult {
    /// InvocationStatus.
    pub status: InvocationStatus,
    /// InvokeRecordStatus, if it was sent.
    pub record: Option<InvokeStatus>,
    /// ExitCode, if [`InvocationStatus::exit_code`] lets it count.
    pub exit_code: Option<i64>,
    /// ErrorCode, if set.
    pub error: Option<ErrorCode>,
    /// ErrorInfo, as far as it may be kept; not saved.
    #[serde(skip)]
    pub error_text: Option<Arc<ErrorText>>,
    /// StartTime.
    pub started: Option<Timestamp>,
    /// FinishedTime.
    pub finished: Option<Timestamp>,
}

/// Why something is unknown: a closed set, so it can be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The cloud's rate limit.
    Throttled,
    /// The key, secret or token is missing, wrong or expired.
    Credentials,
    /// RAM does not allow the operation.
    Permission,
    /// Something between this machine and the cloud refuses requests, or redirects them.
    Blocked,
    /// The cluster, server or command does not exist.
    NotFound,
    /// The cloud rejects the request as invalid.
    InvalidRequest,
    /// The account owes money or has not enabled the service.
    Account,
    /// The cluster is in a state that forbids the operation for now.
    Conflict,
    /// The clock of this machine is wrong.
    Clock,
    /// The cloud has an internal error.
    Service,
    /// No answer within the timeout.
    Timeout,
    /// The name of the endpoint cannot be resolved.
    Dns,
    /// No connection can be made.
    Connect,
    /// There is a connection, but no trustworthy TLS on it.
    Tls,
    /// The proxy cannot be reached, or does not connect to the cloud.
    Proxy,
    /// The connection broke, or something else failed in transit.
    Transport,
    /// The answer is not as documented.
    Decode,
    /// The answer is larger than `max_response_bytes`.
    TooLarge,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 18] = [
        Self::Throttled,
        Self::Credentials,
        Self::Permission,
        Self::Blocked,
        Self::NotFound,
        Self::InvalidRequest,
        Self::Account,
        Self::Conflict,
        Self::Clock,
        Self::Service,
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Proxy,
        Self::Transport,
        Self::Decode,
        Self::TooLarge,
    ];

    /// The reason as a label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::Blocked => "blocked",
            Self::NotFound => "not_found",
            Self::InvalidRequest => "invalid_request",
            Self::Account => "account",
            Self::Conflict => "conflict",
            Self::Clock => "clock",
            Self::Service => "service",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::Transport => "transport",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether it may resolve by itself, so that an early retry makes sense.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Throttled | Self::Blocked | Self::Clock | Self::Service | Self::Timeout => true,
            Self::Dns | Self::Connect | Self::Tls | Self::Proxy | Self::Transport => true,
            Self::Credentials | Self::Permission | Self::NotFound | Self::InvalidRequest => false,
            Self::Account | Self::Conflict | Self::Decode | Self::TooLarge => false,
        }
    }
}

/// Polled series on the page, and their limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesUse {
    /// How many are shown.
    pub shown: usize,
    /// How many `metrics.max_series` allows.
    pub limit: usize,
    /// How many are never left out.
    pub floor: usize,
    /// Number of targets for which these alone exceed `metrics.max_series_per_target`.
    pub targets_above: usize,
}

/// An operation in a region, as named in the metrics of requests and budgets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiLabels {
    /// The account's name; for a budget, the quota group that shares it.
    pub account: Arc<str>,
    /// Region id.
    pub region: Arc<str>,
    /// Product.
    pub product: &'static str,
    /// Operation.
    pub operation: &'static str,
}

impl ApiLabels {
    /// An operation in a region.
    pub fn of(account: &Arc<str>, region: &Arc<str>, action: Action) -> Self {
        Self {
            account: Arc::clone(account),
            region: Arc::clone(region),
            product: action.product().label(),
            operation: action.name(),
        }
    }

    /// The label values, in the order of the catalog.
    pub fn values(&self) -> [&str; 4] {
        [&self.account, &self.region, self.product, self.operation]
    }
}

/// A budget that targets need.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedBudget {
    /// What it is for.
    pub labels: ApiLabels,
    /// Its state.
    pub state: BudgetState,
    /// Calls per minute that the targets need now.
    pub per_minute: f64,
}

/// State of a budget of calls per minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// Calls per minute that `quotas` allows.
    pub configured: u32,
    /// Calls per minute that are allowed now.
    pub in_force: u32,
    /// Set while the cloud has refused a call and answered none since.
    pub resting: Option<Resting>,
    /// What was learned from refusals, while it applies.
    pub lowered: Option<Lowered>,
}

impl BudgetState {
    /// When a call of a resting operation is tried, or more calls of one whose budget is lowered.
    pub fn next_try(&self) -> Option<Timestamp> {
        let resting = self.resting.as_ref().map(|resting| resting.until);
        resting.or(self.lowered.as_ref().map(|lowered| lowered.retry_at))
    }

    /// The cloud's `Code`, or the HTTP status, because of which calls rest or the budget is
    /// lowered.
    pub fn code(&self) -> Option<&Arc<str>> {
        let resting = self.resting.as_ref().map(|resting| &resting.code);
        resting.or(self.lowered.as_ref().map(|lowered| &lowered.code))
    }
}

/// An operation that rests because the cloud refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// When the first call was refused.
    pub since: Timestamp,
    /// When the next call is tried.
    pub until: Timestamp,
    /// The cloud's `Code`, or the HTTP status.
    pub code: Arc<str>,
}

/// A budget that is lower than configured, because the cloud refused more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowered {
    /// When it was first lowered.
    pub since: Timestamp,
    /// The cloud's `Code`, or the HTTP status, at the last refusal.
    pub code: Arc<str>,
    /// Number of calls that got through in the minute in which more were refused.
    pub refused_at: u32,
    /// When more calls than that are tried.
    pub retry_at: Timestamp,
}

/// Why a poll failed, in words for people. Contains no secret, no URL and no text of a user's
/// commands.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The reason, for the label.
    pub reason: Reason,
    /// What was being done, and what went wrong.
    pub message: String,
    /// What the user can do about it.
    pub advice: Cow<'static, str>,
}

/// What a target's polls have shown so far: all that is exported of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The tasks of an E-HPC cluster.
    EhpcTasks(EhpcTasksReading),
    /// The commands of an E-HPC cluster.
    EhpcInvocations(EhpcInvocationsReading),
    /// The command invocations of a Simple Application Server.
    SwasInvocations(SwasInvocationsReading),
    /// The resources of a region, or the regions.
    Discovery(DiscoveryReading),
}

impl Reading {
    /// The tasks in it, if it has any.
    pub fn tasks(&self) -> &[SeenEhpcTask] {
        if let Self::EhpcTasks(reading) = self { &reading.tasks } else { &[] }
    }

    /// The commands in it, if it has any.
    pub fn commands(&self) -> &[SeenEhpcInvocation] {
        if let Self::EhpcInvocations(reading) = self { &reading.commands } else { &[] }
    }

    /// The invocations on a server, if it has any.
    pub fn invocations(&self) -> &[SeenSwasInvocation] {
        if let Self::SwasInvocations(reading) = self { &reading.invocations } else { &[] }
    }

    /// What is known about the invocations of each command name on a server, by name.
    pub fn jobs(&self) -> &[Job] {
        if let Self::SwasInvocations(reading) = self { &reading.jobs } else { &[] }
    }

    /// What is known about the invocations of the command `name` on a server.
    pub fn job(&self, name: &str) -> Option<&Job> {
        if let Self::SwasInvocations(reading) = self { reading.job(name) } else { None }
    }
}

/// The tasks of an E-HPC cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EhpcTasksReading {
    /// Open tasks and the newest ended ones, newest first.
    pub tasks: Vec<SeenEhpcTask>,
    /// Tasks that ended while watched, by type and status.
    pub finished: BTreeMap<(TaskType, TaskStatus), u64>,
    /// How long tasks took that were seen from beginning to end, by type.
    pub durations: BTreeMap<TaskType, Histogram>,
}

/// A task, and what only watching it can show: the cloud sends no times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenEhpcTask {
    /// The task as last listed.
    pub task: Arc<Task>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When its step or status last changed.
    pub last_progress: Timestamp,
    /// When it was first seen ended; absent if it was never seen open.
    pub finished: Option<Timestamp>,
    /// CurrentStep when it was first seen, if it was sent.
    #[serde(default)]
    pub first_step: Option<i64>,
}

/// The commands of an E-HPC cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EhpcInvocationsReading {
    /// The followed commands, newest first.
    pub commands: Vec<SeenEhpcInvocation>,
    /// Commands that ended while watched, by status.
    pub finished: BTreeMap<InvokeStatus, u64>,
}

/// A command on its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenEhpcInvocation {
    /// CommandId.
    pub id: SmolStr,
    /// The statuses on its nodes.
    pub invocation: Arc<NodeStatuses>,
    /// The results on its nodes; set once all pages were read after the end. Those of some nodes
    /// may still be missing.
    pub results: Option<Arc<Vec<NodeResult>>>,
    /// Whether results are still requested.
    pub is_outstanding: bool,
    /// When the exporter first saw it ended, if it watched the end.
    pub end_seen: Option<Timestamp>,
    /// Since when it runs and for how long it may, while it is open.
    pub timing: Option<Box<Timing>>,
}

impl SeenEhpcInvocation {
    /// The results on its nodes, as far as known.
    pub fn node_results(&self) -> std::slice::Iter<'_, NodeResult> {
        self.results.as_deref().map_or(&[][..], Vec::as_slice).iter()
    }

    /// The known exit codes.
    fn exit_codes(&self) -> impl Iterator<Item = i64> {
        self.node_results().filter_map(|node| node.exit_code)
    }

    /// Nodes with an exit code other than 0; `None` if no code is known.
    pub fn nonzero_exit_nodes(&self) -> Option<u64> {
        self.exit_codes().next()?;
        Some(self.exit_codes().filter(|code| *code != 0).count() as u64)
    }

    /// Nodes on which it ended with a code that stops or restarts the instance.
    pub fn power_exit_nodes(&self) -> u64 {
        self.exit_codes().filter(|code| POWER_EXIT_CODES.contains(code)).count() as u64
    }

    /// Nodes whose exit code is unknown, including those where it was stopped; `None` while it is
    /// open.
    pub fn unknown_exit_nodes(&self) -> Option<u64> {
        let results = self.node_results();
        let nodes: BTreeSet<&SmolStr> =
            self.invocation.nodes.keys().chain(results.map(|node| &node.instance_id)).collect();
        (!self.invocation.is_open())
            .then(|| nodes.len().saturating_sub(self.exit_codes().count()) as u64)
    }

    /// Nodes on which it failed, by exit code or, if that says nothing, by status.
    pub fn failed_nodes(&self) -> u64 {
        let results: BTreeMap<&str, &NodeResult> =
            self.node_results().map(|node| (&*node.instance_id, node)).collect();
        let by_status = |(id, status): &(&SmolStr, &InvokeStatus)| {
            !results.contains_key(&***id) && status.is_failure()
        };
        let unread = self.invocation.nodes.iter().filter(by_status).count();
        (unread + results.values().filter(|node| node.has_failed()).count()) as u64
    }
}

impl NodeResult {
    /// Whether the command failed on it, by exit code or, if that says nothing, by status.
    pub fn has_failed(&self) -> bool {
        match self.exit_code {
            None | Some(0) => self.status.is_failure(),
            Some(code) => !POWER_EXIT_CODES.contains(&code),
        }
    }
}

/// Why the result of something that was seen to end is no longer requested: a closed set, so it can
/// be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It was requested, but never available while its invocation or command was in the window.
    NeverAnswered,
    /// Its invocation or command left the window before it was requested.
    PushedOut,
}

impl GivenUp {
    /// Every cause.
    pub const ALL: [Self; 2] = [Self::NeverAnswered, Self::PushedOut];

    /// The cause as a label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::NeverAnswered => "never_answered",
            Self::PushedOut => "pushed_out",
        }
    }
}

/// The resources of a region, or the regions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoveryReading {
    /// All of them by id, whether the filter takes them or not.
    pub found: Vec<DiscoveredResource>,
    /// What was last said about each of them.
    pub listings: Listings,
}

/// The command invocations of a Simple Application Server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SwasInvocationsReading {
    /// Open invocations and the newest ended ones, newest first.
    pub invocations: Vec<SeenSwasInvocation>,
    /// Invocations that ended while watched, by status.
    pub finished: BTreeMap<InvocationStatus, u64>,
    /// What is known of each command name, whether its invocations are shown or not, by name.
    pub jobs: Arc<Vec<Job>>,
}

impl SwasInvocationsReading {
    /// What is known about the invocations of the command `name`.
    pub fn job(&self, name: &str) -> Option<&Job> {
        let place = self.jobs.binary_search_by(|job| (*job.name).cmp(name));
        place.ok().map(|place| &self.jobs[place])
    }
}

/// An invocation, and its result once that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenSwasInvocation {
    /// The invocation as last listed.
    pub invocation: Arc<Invocation>,
    /// Its result, read once, after the end.
    pub result: Option<Arc<InvocationResult>>,
    /// Since when it runs and for how long it may, while it is open; only a region's list says.
    pub timing: Option<Box<Timing>>,
}

/// What is known of the invocations of a command name on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// CommandName, cut at [`COMMAND_NAME_BYTES`].
    pub name: SmolStr,
    /// The newest ended invocation.
    pub last: Option<LastInvocation>,
    /// When the newest successful run ended.
    pub succeeded: Option<Timestamp>,
    /// When the newest invocation was created, an open one included.
    pub created: Option<Timestamp>,
    /// Time from one invocation to the next, if they are regular.
    pub interval: Option<Duration>,
}

impl Job {
    /// Whether it ran regularly and no longer does, by what was known at `read`: the condition of
    /// the alert AliyunTaskSwasCommandMissing, without its delay. A job that has not run for long
    /// is taken for retired.
    pub fn is_overdue(&self, read: Timestamp, now: Timestamp) -> bool {
        let (Some(created), Some(interval)) = (self.created, self.interval) else { return false };
        let interval = interval.as_secs_f64();
        let since = |at: Timestamp| at.duration_since(created).as_secs_f64();
        let retired = (10.0 * interval).clamp(1200.0, 1_209_600.0).max(3.0 * interval);
        since(read) > (2.0 * interval).max(600.0) && since(now) < retired
    }
}

/// The newest ended invocation of a command name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastInvocation {
    /// How it ended, according to the list.
    pub status: InvocationStatus,
    /// Its exit code, if there is one, once its result was read.
    pub exit_code: Option<i64>,
    /// When it ended, once its result was read.
    pub finished: Option<Timestamp>,
}

/// A histogram of seconds over [`Histogram::BOUNDS`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Observations of each bucket alone, not cumulative.
    pub buckets: [u64; Histogram::BOUNDS.len()],
    /// Number of all observations.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Upper bounds in seconds: a task takes from seconds (stopping a node) to hours (creating a
    /// large cluster). The first holds what had ended at the next poll of open work, 10 seconds by
    /// default: the API gives no times, so a finer one would show differences of polls, not tasks.
    pub const BOUNDS: [f64; 9] = [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];

    /// Counts one observation.
    pub fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// Adds the observations of `other`.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
    }
}
/// Why a connection of a client was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its first request head did not arrive in time.
    FirstHead,
    /// It sent no request for too long.
    Idle,
    /// It did not read its response, or too slowly.
    Slow,
    /// Its place was needed for a new connection.
    Short,
    /// It sent more than its requests can need.
    Flood,
}

impl Cut {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::FirstHead, Self::Idle, Self::Slow, Self::Short, Self::Flood];

    /// Label value.
    pub fn label(self) -> &'static str {
        match self {
            Self::FirstHead => "first_head",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Short => "short",
            Self::Flood => "flood",
        }
    }
}
