//! Command invocations on Simple Application Servers.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::lineage::Life;

/// How an invocation ends: the eight final values of `InvocationStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationEnd {
    /// `Success`
    Success,
    /// `Failed`: it exited with a code other than 0.
    Failed,
    /// `Invalid`
    Invalid,
    /// `Aborted`
    Aborted,
    /// `Error`
    Error,
    /// `Timeout`
    Timeout,
    /// `Cancelled`: it never started.
    Cancelled,
    /// `Terminated`
    Terminated,
}

/// The life of an invocation. Times are since the world's start.
#[derive(Clone, Debug)]
pub struct InvocationSpec {
    /// `InvokeId`; unique on its server.
    pub id: String,
    /// `CommandName`
    pub command_name: String,
    /// `CommandType`
    pub command_type: String,
    /// The command in plain text; the API sends it in base64.
    pub content: String,
    /// `Parameters`
    pub parameters: BTreeMap<String, String>,
    /// When it is created.
    pub born: SignedDuration,
    /// How long it is `Pending`.
    pub pending: SignedDuration,
    /// How long it is `Running`; zero if it is cancelled or never reaches the server.
    pub running: SignedDuration,
    /// How long it is `Stopping`.
    pub stopping: SignedDuration,
    /// How it ends.
    pub end: InvocationEnd,
    /// `ErrorCode` at the end: one of sixteen values, or empty.
    pub error_code: String,
    /// `ExitCode` at the end. The API sends 0 for invocations that never exited.
    pub exit_code: i64,
    /// What it prints; the API sends it in base64.
    pub output: Vec<u8>,
    /// `Timeout` in seconds; `None` for one that is long enough.
    pub timeout: Option<u32>,
}

impl Default for InvocationSpec {
    /// A shell script created at the start that succeeds after ten seconds.
    fn default() -> Self {
        Self {
            id: "t-hz02p9545t60000".to_owned(),
            command_name: "cmd-0".to_owned(),
            command_type: "RunShellScript".to_owned(),
            content: "ls -l".to_owned(),
            parameters: BTreeMap::new(),
            born: SignedDuration::ZERO,
            pending: SignedDuration::from_secs(1),
            running: SignedDuration::from_secs(9),
            stopping: SignedDuration::ZERO,
            end: InvocationEnd::Success,
            error_code: String::new(),
            exit_code: 0,
            output: b"admin\n".to_vec(),
            timeout: None,
        }
    }
}

/// An invocation at a moment; times are since the world's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvocationState<'a> {
    /// `InvocationStatus`
    pub(crate) status: &'static str,
    /// `InvokeStatus` and `InvokeRecordStatus`
    pub(crate) record_status: &'static str,
    pub(crate) started: Option<SignedDuration>,
    pub(crate) finished: Option<SignedDuration>,
    pub(crate) exit_code: i64,
    pub(crate) error_code: &'a str,
    pub(crate) output: &'a [u8],
}

impl InvocationEnd {
    /// Both statuses: that of the invocation, and that of its record.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Success => ("Success", "Finished"),
            // It ran to its end, so its record is finished.
            Self::Failed => ("Failed", "Finished"),
            Self::Invalid => ("Invalid", "Failed"),
            Self::Aborted => ("Aborted", "Failed"),
            Self::Error => ("Error", "Failed"),
            Self::Timeout => ("Timeout", "Failed"),
            Self::Cancelled => ("Cancelled", "Stopped"),
            Self::Terminated => ("Terminated", "Stopped"),
        }
    }
}

/// `Timeout` of most commands, in seconds.
const USUAL_TIMEOUT: i64 = 60;

impl InvocationSpec {
    /// `Timeout` in seconds.
    pub(crate) fn timeout_seconds(&self) -> i64 {
        self.timeout.map_or_else(|| self.running.as_secs().max(USUAL_TIMEOUT), i64::from)
    }

    /// The state of the invocation at a moment.
    pub(crate) fn at(&self, at: SignedDuration) -> InvocationState<'_> {
        let ended = at >= self.ended();
        let started = self.started().filter(|start| *start <= at);
        let (status, record_status) =
            if ended { self.end.words() } else { (self.open_status(at), "Running") };
        InvocationState {
            status,
            record_status,
            started,
            finished: ended.then(|| self.ended()),
            exit_code: if ended { self.exit_code } else { 0 },
            error_code: if ended { &self.error_code } else { "" },
            output: if started.is_some() { &self.output } else { b"" },
        }
    }

    fn open_status(&self, at: SignedDuration) -> &'static str {
        if at < self.born + self.pending {
            "Pending"
        } else if at < self.born + self.pending + self.running {
            "Running"
        } else {
            "Stopping"
        }
    }

    /// A cancelled invocation never starts; one that fails before it reaches the server still has a
    /// start.
    fn started(&self) -> Option<SignedDuration> {
        (self.end != InvocationEnd::Cancelled).then(|| self.born + self.pending)
    }
}

impl Life for InvocationSpec {
    fn id(&self) -> &str {
        &self.id
    }

    fn born(&self) -> SignedDuration {
        self.born
    }

    fn ended(&self) -> SignedDuration {
        self.born + self.pending + self.running + self.stopping
    }
}

/// `ErrorInfo` of each `ErrorCode`.
pub(crate) fn error_info(error_code: &str) -> &'static str {
    match error_code {
        "InstanceNotExists" => "the specified instance does not exists",
        "InstanceReleased" => "the instance has released when create task",
        "InstanceNotRunning" => "the instance is not running when create task",
        "CommandNotApplicable" => "the command is not applicable",
        "AccountNotExists" => "the specified account does not exists",
        "DirectoryNotExists" => "the specified directory does not exists",
        "BadCronExpression" => "the cron job expression is invalid",
        "ClientNotRunning" => "the aliyun service is not running on the instance",
        "ClientNotResponse" => "the aliyun service in the instance does not response",
        "ClientIsUpgrading" => "the aliyun service in the instance is upgrading now",
        "ClientNeedUpgrade" => "the aliyun service in the instance need upgrade",
        "DeliveryTimeout" => "the command delivery has been timeout",
        "ExecutionTimeout" => "the command execution has been timeout",
        "ExecutionException" => "the command execution got an exception",
        "ExecutionInterrupted" => "the command execution has been interrupted",
        "ExitCodeNonzero" => "the command execution exit code is not zero",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_through_its_states() {
        let invocation = InvocationSpec {
            stopping: SignedDuration::from_secs(5),
            end: InvocationEnd::Terminated,
            ..InvocationSpec::default()
        };
        let seen = |second| {
            let state = invocation.at(SignedDuration::from_secs(second));
            (state.status, state.record_status, state.started.is_some(), state.finished.is_some())
        };
        assert_eq!(seen(0), ("Pending", "Running", false, false));
        assert_eq!(seen(1), ("Running", "Running", true, false));
        assert_eq!(seen(10), ("Stopping", "Running", true, false));
        assert_eq!(seen(15), ("Terminated", "Stopped", true, true));
    }

    #[test]
    fn exit_code_and_error_are_told_only_at_the_end() {
        let invocation = InvocationSpec {
            end: InvocationEnd::Failed,
            exit_code: 2,
            error_code: "ExitCodeNonzero".to_owned(),
            ..InvocationSpec::default()
        };
        let open = invocation.at(SignedDuration::from_secs(5));
        assert_eq!((open.exit_code, open.error_code), (0, ""));
        let ended = invocation.at(SignedDuration::from_secs(10));
        assert_eq!(
            (ended.record_status, ended.exit_code, ended.error_code),
            ("Finished", 2, "ExitCodeNonzero")
        );
    }
}
