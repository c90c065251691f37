//! Result of a trial, as text for people.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;

use crate::action::Action;
use crate::aliyun::Error;
use crate::model::Reason;
use crate::poll::CallResult;

/// Result of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The operation can be used.
    Works,
    /// RAM does not allow it.
    NotAuthorized,
    /// The credentials are missing, wrong or expired.
    WrongKey,
    /// No answer came.
    Unreachable,
    /// Something on the way to the cloud blocks the request.
    Blocked,
    /// The clock of this machine is too far off.
    ClockOff,
    /// The quota is used up.
    Throttled,
    /// The cluster or server does not exist.
    TargetNotFound,
    /// The account owes money or has not enabled the service.
    Account,
    /// The operation answers, but its list is incomplete.
    Incomplete,
    /// Anything else; see the message.
    Trouble,
}

impl State {
    /// The state in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::NotAuthorized => "not authorized",
            Self::WrongKey => "wrong key",
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
            Self::ClockOff => "clock off",
            Self::Throttled => "throttled",
            Self::TargetNotFound => "target not found",
            Self::Account => "account not in order",
            Self::Incomplete => "list not whole",
            Self::Trouble => "trouble",
        }
    }

    fn of(error: &Error) -> Self {
        match error.reason() {
            Reason::Permission => Self::NotAuthorized,
            Reason::Credentials => Self::WrongKey,
            Reason::Timeout | Reason::Transport => Self::Unreachable,
            Reason::Dns | Reason::Connect | Reason::Tls | Reason::Proxy => Self::Unreachable,
            Reason::Blocked => Self::Blocked,
            Reason::Clock => Self::ClockOff,
            Reason::Throttled => Self::Throttled,
            Reason::NotFound => Self::TargetNotFound,
            Reason::Account => Self::Account,
            Reason::InvalidRequest
            | Reason::Conflict
            | Reason::Service
            | Reason::Decode
            | Reason::TooLarge => Self::Trouble,
        }
    }
}

/// Result of trying one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Account it was tried with.
    pub account: String,
    /// Region it was tried in.
    pub region: String,
    /// The operation.
    pub action: Action,
    /// Cluster or server it was tried on.
    pub target: String,
    /// The result.
    pub state: State,
    /// The cloud's message, or why there is none; empty if it works.
    pub message: String,
    /// What the user can do; empty if nothing is to be done.
    pub advice: Cow<'static, str>,
    /// How far the cloud's clock is ahead of this machine's, if the answer shows it.
    pub clock_skew: Option<SignedDuration>,
    /// How long the answer took.
    pub took: Duration,
}

impl Finding {
    /// The finding from a call.
    pub(super) fn new(result: CallResult) -> Self {
        let error = result.error.as_ref();
        Self {
            state: error.map_or(State::Works, State::of),
            message: error.map_or_else(String::new, Error::to_string),
            advice: error.map_or(Cow::Borrowed(""), Error::advice),
            account: result.account.to_string(),
            region: result.region.to_string(),
            action: result.action,
            target: result.target.to_string(),
            clock_skew: result.clock_skew,
            took: result.took,
        }
    }

    /// This finding, for a list that counts `missing` more entries than its pages have shown.
    pub(super) fn lacking(self, missing: u64) -> Self {
        Self {
            state: State::Incomplete,
            message: format!(
                "{}: the list counts {missing} more entries than its pages have shown",
                self.action.name()
            ),
            advice: "try again in a minute; if it stays so, see AliyunTaskListIncomplete in docs/alerts.md".into(),
            ..self
        }
    }

    /// The state in words, with figures where there are some.
    pub fn result(&self) -> String {
        match (self.state, self.clock_skew) {
            (State::ClockOff, Some(skew)) => format!("clock off by {} s", skew.abs().as_secs()),
            (state, _) => state.label().to_owned(),
        }
    }
}
