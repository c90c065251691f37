//! What the exporter knows: tasks, command invocations, results, and why something could not be
//! known. Plain types, no I/O.
//!
//! Facts of the cloud behind each type: `docs/alibaba-cloud-api.md`.

mod account;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use account::{
    AccountState, LARGEST_SKEW, Lasts, Login, NOTABLE_SKEW, Permission, PermissionChange,
};

use crate::action::Action;
use crate::wire_enum::wire_enum;

wire_enum! {
    /// `Status` of an E-HPC task. The Chinese documents say `Fail` where the English ones say `Failed`.
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
    /// `InvokeStatus`, `InstanceInvokeStatus` and `InvokeRecordStatus`: the record of a command on its nodes. The first four
    /// words are documented; the others are those of Cloud Assistant, which runs these commands in all likelihood.
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
    /// `InvocationStatus`: one invocation of a command on one Simple Application Server. The last two words are documented only for
    /// the whole of an invocation on several servers (DescribeCommandInvocations).
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
    /// `ErrorCode` of an invocation that could not be carried out, or ended with a code other than 0. The first sixteen are documented
    /// for Simple Application Server, the others for Cloud Assistant, which carries its invocations out.
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

    /// Whether it is a way to fail.
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

    /// Whether it is a way to fail; being stopped on request is not.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Failed
                | Self::PartialFailed
                | Self::Invalid
                | Self::Aborted
                | Self::Error
                | Self::Timeout
        )
    }

    /// The exit code, if the one that was `sent` beside this word means anything: see `counts`.
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

    /// Whether it is a way to fail; being stopped on request is not.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Failed
                | Self::PartialFailed
                | Self::Invalid
                | Self::Aborted
                | Self::Error
                | Self::Timeout
        )
    }

    /// The exit code, if the one that was `sent` beside this word means anything: see `counts`.
    pub fn exit_code(&self, sent: Option<i64>) -> Option<i64> {
        let may_be_zero = matches!(self, Self::Success | Self::Failed);
        sent.filter(|code| counts(*code, may_be_zero, !self.is_open() && *self != Self::Stopped))
    }
}

/// Whether an exit code counts. The cloud sends a 0 that means nothing for what never exited, so 0
/// counts only beside words of what did; any other code counts once it cannot change, unless it is
/// that of a command which was stopped.
fn counts(code: i64, may_be_zero: bool, may_be_other: bool) -> bool {
    if code == 0 { may_be_zero } else { may_be_other }
}

/// Exit codes of a shell script by which it has Cloud Assistant stop or restart its instance: no
/// failure.
pub const POWER_EXIT_CODES: [i64; 2] = [193, 194];

/// One page of a list, as every list of the cloud has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The entries that could be read, in the cloud's order, which no document states.
    pub items: Vec<T>,
    /// How many entries the page has, those that could not be read included.
    pub entries: usize,
    /// `TotalCount`, if it was sent. Never trusted for the end of the list.
    pub total: Option<u64>,
    /// `PageSize` as the answer repeats it, if it does.
    pub page_size: Option<u64>,
    /// Whether the page may leave out what is there: the list itself is missing, or an error came
    /// with it. What such a page does not show is not gone.
    pub is_partial: bool,
}

impl<T> Page<T> {
    /// A page whose entries could all be read.
    pub fn new(items: Vec<T>, total: Option<u64>) -> Self {
        Self { entries: items.len(), items, total, page_size: None, is_partial: false }
    }
}

/// Whether a target's lists have shown all that they must.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListState {
    /// Entries that must be known and were not shown in two readings in a row; 0 if the lists are
    /// whole.
    pub missing: u64,
    /// The same of the last reading alone.
    pub missing_once: u64,
    /// Entries by which a `TotalCount` exceeds what its list has shown in 8 whole readings in a
    /// row: it is taken for wrong.
    pub total_excess: u64,
}

impl ListState {
    /// Of several lists together.
    pub fn and(self, other: Self) -> Self {
        Self {
            missing: self.missing.saturating_add(other.missing),
            missing_once: self.missing_once.saturating_add(other.missing_once),
            total_excess: self.total_excess.saturating_add(other.total_excess),
        }
    }
}

/// An E-HPC task as ListTasks shows it. It carries no time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// TaskId.
    pub id: Arc<str>,
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
    /// Entries of Result.Instances, for the task types that add nodes.
    pub nodes: Option<u64>,
}

/// A command of an E-HPC cluster on its nodes, as ListInvocationStatus shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatuses {
    /// InvokeStatus of the whole.
    pub status: InvokeStatus,
    /// InstanceId and InstanceInvokeStatus of each node.
    pub nodes: BTreeMap<Arc<str>, InvokeStatus>,
}

impl NodeStatuses {
    /// Whether any part may still change. An unknown node word does not hold open what the record
    /// says has ended; under an unknown overall word the nodes decide, and it is open while
    /// none is listed yet.
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

/// A node's part of ListInvocationResults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeResult {
    /// InstanceId.
    pub instance_id: Arc<str>,
    /// InvokeRecordStatus.
    pub status: InvokeStatus,
    /// ExitCode, as far as [`InvokeStatus::exit_code`] lets it count.
    pub exit_code: Option<i64>,
    /// FinishedTime.
    pub finished: Option<Timestamp>,
}

/// An invocation of a command on a Simple Application Server, as DescribeInvocations shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// InvokeId; together with the server's id it names the invocation.
    pub id: Arc<str>,
    /// CommandName, cut at [`COMMAND_NAME_BYTES`].
    pub command_name: Arc<str>,
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
    /// Whether the invocation may still change. An unknown word ends when the record's status is
    /// terminal.
    pub fn is_open(&self) -> bool {
        match self.status {
            InvocationStatus::Unknown(_) => self.record.as_ref().is_none_or(InvokeStatus::is_open),
            _ => self.status.is_open(),
        }
    }
}

/// A command invocation as DescribeCommandInvocations shows it: on several servers at once.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandInvocation {
    /// InvokeId.
    pub id: Arc<str>,
    /// Its part on each server.
    pub servers: Vec<ServerInvocation>,
}

/// The part of a command invocation that one server has.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerInvocation {
    /// InstanceId.
    pub instance_id: Arc<str>,
    /// The invocation on this server; its `record` is not sent.
    pub invocation: Invocation,
    /// How it went, as far as it has.
    pub result: InvocationResult,
}

/// A cluster or server that the cloud lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DiscoveredResource {
    /// Its id.
    pub id: Arc<str>,
    /// Its name; may be empty.
    pub name: Arc<str>,
    /// RegionId, if it was sent.
    pub region: Option<Arc<str>>,
}

/// Command names longer than this are cut, on a character.
pub const COMMAND_NAME_BYTES: usize = 128;

/// How an invocation on a Simple Application Server went, as DescribeInvocationResult shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvocationResult {
    /// InvocationStatus.
    pub status: InvocationStatus,
    /// InvokeRecordStatus, if it was sent.
    pub record: Option<InvokeStatus>,
    /// ExitCode, as far as [`InvocationStatus::exit_code`] lets it count.
    pub exit_code: Option<i64>,
    /// ErrorCode, if it is set.
    pub error: Option<ErrorCode>,
    /// StartTime.
    pub started: Option<Timestamp>,
    /// FinishedTime.
    pub finished: Option<Timestamp>,
}

/// Why something could not be known: a closed set, so it can be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The cloud's rate limit.
    Throttled,
    /// The key, secret or token is missing, wrong or expired.
    Credentials,
    /// RAM does not allow the operation.
    Permission,
    /// Something between this machine and the cloud refuses, or sends elsewhere.
    Blocked,
    /// The cluster, server or command does not exist.
    NotFound,
    /// The cloud calls the request wrong.
    InvalidRequest,
    /// The account owes money or has not enabled the service.
    Account,
    /// The cluster is in a state that forbids the operation for now.
    Conflict,
    /// The clock of this machine is off.
    Clock,
    /// The cloud has trouble of its own.
    Service,
    /// No answer in time.
    Timeout,
    /// The name of the endpoint cannot be resolved.
    Dns,
    /// No connection can be made.
    Connect,
    /// There is a connection, but no TLS on it that can be trusted.
    Tls,
    /// The proxy cannot be reached, or does not let us through.
    Proxy,
    /// A connection broke, or anything else on the way.
    Transport,
    /// The answer is not what the documents say.
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

    /// Whether it may well pass by itself, so that it is worth asking again before long.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Throttled | Self::Blocked | Self::Clock | Self::Service | Self::Timeout => true,
            Self::Dns | Self::Connect | Self::Tls | Self::Proxy | Self::Transport => true,
            Self::Credentials | Self::Permission | Self::NotFound | Self::InvalidRequest => false,
            Self::Account | Self::Conflict | Self::Decode | Self::TooLarge => false,
        }
    }
}

/// Polled series on the page, and what bounds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesUse {
    /// How many are shown.
    pub shown: usize,
    /// How many `metrics.max_series` allows.
    pub limit: usize,
    /// Those of them that are never left out.
    pub floor: usize,
    /// Targets of which these alone are more than `metrics.max_series_per_target` allows.
    pub targets_above: usize,
}

/// An operation in a region, as the metrics about requests and budgets name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiLabels {
    /// The account's name; of a budget, the quota group that shares it.
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
    /// How it stands.
    pub state: BudgetState,
    /// Calls per minute that the targets need now.
    pub per_minute: f64,
}

/// How a budget of calls per minute stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// Calls per minute that `quotas` allows.
    pub configured: u32,
    /// Calls per minute that are allowed now.
    pub in_force: u32,
    /// The cloud has refused a call, and no later one was answered.
    pub resting: Option<Resting>,
    /// What was learned from refusals, while it holds.
    pub lowered: Option<Lowered>,
}

impl BudgetState {
    /// When one call is tried of an operation that rests, or more calls of one whose budget is
    /// lowered.
    pub fn next_try(&self) -> Option<Timestamp> {
        let resting = self.resting.as_ref().map(|resting| resting.until);
        resting.or(self.lowered.as_ref().map(|lowered| lowered.retry_at))
    }

    /// The cloud's `Code`, or the HTTP status, for which calls rest or fewer are asked for.
    pub fn code(&self) -> Option<&Arc<str>> {
        let resting = self.resting.as_ref().map(|resting| &resting.code);
        resting.or(self.lowered.as_ref().map(|lowered| &lowered.code))
    }
}

/// An operation that the cloud has refused rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resting {
    /// When the first call was refused.
    pub since: Timestamp,
    /// When the next call is tried.
    pub until: Timestamp,
    /// The cloud's `Code`, or the HTTP status.
    pub code: Arc<str>,
}

/// A budget that is lower than configured, because the cloud has refused more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowered {
    /// When it was lowered first.
    pub since: Timestamp,
    /// The cloud's `Code`, or the HTTP status, at the last refusal.
    pub code: Arc<str>,
    /// Calls that got through in the minute in which more were refused.
    pub refused_at: u32,
    /// When more than that is tried.
    pub retry_at: Timestamp,
}

/// Why a poll failed, in words for a person. Holds no secret, no URL and no text of a user's
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

/// What one target's polls have shown so far: all that is exported of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The tasks of an E-HPC cluster.
    EhpcTasks(EhpcTasksReading),
    /// The commands of an E-HPC cluster.
    EhpcInvocations(EhpcInvocationsReading),
    /// The command invocations of a Simple Application Server.
    SwasInvocations(SwasInvocationsReading),
    /// What there is in a region, or which regions there are.
    Discovery(DiscoveryReading),
}

/// The tasks of an E-HPC cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EhpcTasksReading {
    /// Open tasks and the newest ended ones, newest first.
    pub tasks: Vec<SeenEhpcTask>,
    /// Tasks that ended while watched, by type and status.
    pub finished: BTreeMap<(TaskType, TaskStatus), u64>,
    /// How long tasks took that were seen open to their end, by type.
    pub durations: BTreeMap<TaskType, Histogram>,
}

/// A task, and what only watching it can tell: the cloud sends no times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenEhpcTask {
    /// The task as it was last listed.
    pub task: Task,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When its step or status last changed.
    pub last_progress: Timestamp,
    /// When it was first seen ended; absent if it was never seen open.
    pub finished: Option<Timestamp>,
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
    pub id: Arc<str>,
    /// Its nodes' statuses.
    pub invocation: NodeStatuses,
    /// Its nodes' results; present once all pages were read after the end. Those of some nodes may
    /// still be late.
    pub results: Option<Vec<NodeResult>>,
    /// Whether results are still asked for.
    pub is_outstanding: bool,
    /// When the exporter first saw it ended, if it watched the end.
    pub end_seen: Option<Timestamp>,
}

impl SeenEhpcInvocation {
    /// The exit codes that are known.
    fn exit_codes(&self) -> impl Iterator<Item = i64> {
        self.results.iter().flatten().filter_map(|node| node.exit_code)
    }

    /// Nodes with an exit code other than 0; `None` if no code is known.
    pub fn nonzero_exit_nodes(&self) -> Option<u64> {
        self.exit_codes().next()?;
        Some(self.exit_codes().filter(|code| *code != 0).count() as u64)
    }

    /// Nodes on which it ended with a code that has the instance stopped or restarted.
    pub fn power_exit_nodes(&self) -> u64 {
        self.exit_codes().filter(|code| POWER_EXIT_CODES.contains(code)).count() as u64
    }

    /// Nodes whose exit code is not known, stopped ones among them; `None` while it is open.
    pub fn unknown_exit_nodes(&self) -> Option<u64> {
        let results = self.results.iter().flatten();
        let nodes: BTreeSet<&Arc<str>> =
            self.invocation.nodes.keys().chain(results.map(|node| &node.instance_id)).collect();
        (!self.invocation.is_open())
            .then(|| nodes.len().saturating_sub(self.exit_codes().count()) as u64)
    }

    /// Nodes on which it failed: by the exit code, or where that says nothing by the status.
    pub fn failed_nodes(&self) -> u64 {
        let results: BTreeMap<&str, &NodeResult> =
            self.results.iter().flatten().map(|node| (&*node.instance_id, node)).collect();
        let by_status = |(id, status): &(&Arc<str>, &InvokeStatus)| {
            !results.contains_key(&***id) && status.is_failure()
        };
        let unread = self.invocation.nodes.iter().filter(by_status).count();
        (unread + results.values().filter(|node| node.has_failed()).count()) as u64
    }
}

impl NodeResult {
    fn has_failed(&self) -> bool {
        match self.exit_code {
            None | Some(0) => self.status.is_failure(),
            Some(code) => !POWER_EXIT_CODES.contains(&code),
        }
    }
}

/// Why the result of something that was seen to end is no longer asked for: a closed set, so it can
/// be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It was asked for, and never there while its invocation or command was in the window.
    NeverAnswered,
    /// Its invocation or command left the window before it was asked for.
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

/// What there is in a region, or which regions there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoveryReading {
    /// All of it, whether wanted or not, by id.
    pub found: Vec<DiscoveredResource>,
}

/// The command invocations of a Simple Application Server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SwasInvocationsReading {
    /// Open invocations and the newest ended ones, newest first.
    pub invocations: Vec<SeenSwasInvocation>,
    /// Invocations that ended while watched, by status.
    pub finished: BTreeMap<InvocationStatus, u64>,
    /// What is known of each command name, whether its invocations are shown or not.
    pub jobs: BTreeMap<Arc<str>, Job>,
}

/// An invocation, and its result once it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenSwasInvocation {
    /// The invocation as it was last listed.
    pub invocation: Invocation,
    /// Its result; read once, when it has ended.
    pub result: Option<InvocationResult>,
}

/// What is known of the invocations of a command name on a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    /// The newest ended invocation.
    pub last: Option<LastInvocation>,
    /// When the newest successful run ended.
    pub succeeded: Option<Timestamp>,
    /// When the newest invocation was created, an open one included.
    pub created: Option<Timestamp>,
    /// From one invocation to the next, if they come regularly.
    pub interval: Option<Duration>,
}

/// The newest ended invocation of a command name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastInvocation {
    /// How it ended, as the list says.
    pub status: InvocationStatus,
    /// Its exit code, once its result was read and if it has one.
    pub exit_code: Option<i64>,
    /// When it ended, once its result was read.
    pub finished: Option<Timestamp>,
}

/// A histogram of seconds over [`Histogram::BOUNDS`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Observations at or below each bound, not cumulated.
    pub buckets: [u64; Histogram::BOUNDS.len()],
    /// All observations.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Upper bounds in seconds: a task takes from seconds (stop a node) to hours (create a large
    /// cluster).
    pub const BOUNDS: [f64; 9] = [30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0];

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
