//! The kinds of faults and their parameters.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::paging::Paging;
use super::{Effects, Harm, Instead, Late, Shown};
use crate::sim::coat::Coat;
use crate::sim::distort::{Distortion, ListFate};
use crate::sim::failure::Failure;
use crate::sim::gateway::Gateway;
use crate::sim::odd::Odd;
use crate::sim::quota::Others;

/// Maximum calls per minute of another program; each is simulated one by one.
const MAX_OTHERS: u32 = 100_000;

/// Kinds of faults. Variants without fields are structs because only structs reject unknown fields.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Fault {
    /// The answer is delayed.
    Latency { ms: u64 },
    /// The call is rejected as over quota.
    Throttle {
        #[serde(default = "throttle_code")]
        code: String,
        #[serde(default = "bad_request")]
        status: u16,
        /// Sent in `x-ratelimit-user-api`, if set.
        #[serde(default)]
        time_left_ms: Option<u64>,
        /// Sent in `x-acs-retry-after`, if set.
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    /// Maximum calls per minute of each operation in each region; overrides the settings.
    Quota { per_minute: u32 },
    /// Another program calls each operation in each region and uses up part of our quota.
    OtherCalls(Others),
    /// The call fails with this status and code.
    Error {
        status: u16,
        code: String,
        #[serde(default)]
        message: Option<String>,
    },
    /// A proxy in front answers with an HTML page.
    Html {
        #[serde(default = "bad_gateway")]
        status: u16,
    },
    /// The connection is closed after this many bytes of the body; by default, after half of them.
    Truncated {
        #[serde(default)]
        keep: Option<usize>,
    },
    /// The connection is closed without an answer.
    Reset {},
    /// The body comes in small pieces.
    Drip {
        #[serde(default = "drip_bytes")]
        bytes: usize,
        #[serde(default = "drip_pause")]
        pause_ms: u64,
    },
    /// Numbers become strings, numeric strings become numbers, empty strings null.
    WrongTypes {},
    /// Statuses have an unknown value.
    UnknownWords {
        #[serde(default = "unknown_word")]
        word: String,
    },
    /// Lists have odd entries.
    OddEntries { odd: Odd },
    /// Every text about a failure, ErrorInfo and the messages in Errors, is this one.
    ErrorTexts { text: String },
    /// Statuses are null.
    NullWords {},
    /// Lists and their TotalCount are null.
    NullLists {},
    /// Results become available this many seconds after the end, or never.
    LateResults {
        #[serde(default)]
        seconds: Option<u32>,
        #[serde(default)]
        shown: Shown,
    },
    /// The security token has expired.
    ExpiredToken {},
    /// Every page is the first page.
    RepeatedPage {},
    /// Lists are not paged as documented.
    Paging(Paging),
    /// The service is down for every caller.
    Outage {},
    /// Something in front answers instead of the API, with any status and one of several bodies.
    Gateway(Gateway),
    /// A successful answer has this `Code`; `list` says what happens to its list or object.
    CodeInAnswer {
        code: Value,
        #[serde(default)]
        list: ListFate,
    },
    /// This field of the answer has another id than the requested one, wherever it occurs.
    WrongIds {
        field: String,
        /// Only where it occurs first.
        #[serde(default)]
        once: bool,
    },
    /// The body starts with a byte order mark.
    Bom {},
    /// The body is compressed, whatever the request accepts.
    Gzip {
        /// `Content-Encoding` does not report it.
        #[serde(default)]
        untold: bool,
    },
}

fn throttle_code() -> String {
    "Throttling.User".to_owned()
}

fn bad_request() -> u16 {
    400
}

fn bad_gateway() -> u16 {
    502
}

fn drip_bytes() -> usize {
    16
}

fn drip_pause() -> u64 {
    500
}

fn unknown_word() -> String {
    "Hibernating".to_owned()
}

impl Fault {
    /// Checks what serde cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Throttle { status, .. } | Self::Error { status, .. } | Self::Html { status }
                if !(200..600).contains(status) =>
            {
                Err(format!("status {status} is not between 200 and 599"))
            }
            Self::Paging(Paging { page_size: Some(0), .. }) => {
                Err("a page of 0 entries shows nothing".to_owned())
            }
            Self::Gateway(Gateway { status, .. }) if !(200..600).contains(status) => {
                Err(format!("status {status} is not between 200 and 599"))
            }
            Self::OtherCalls(Others { per_minute, .. }) if *per_minute > MAX_OTHERS => {
                Err(format!("per_minute {per_minute} is more than {MAX_OTHERS}"))
            }
            Self::Drip { bytes: 0, .. } => Err("a drip of 0 bytes would never end".to_owned()),
            _ => Ok(()),
        }
    }

    /// If two faults exclude each other, the rule posted first wins; delays add up.
    pub(super) fn apply(&self, effects: &mut Effects) {
        match self {
            Self::Latency { ms } => effects.delay += Duration::from_millis(*ms),
            Self::Quota { per_minute } => _ = effects.strain.limit.get_or_insert(*per_minute),
            Self::OtherCalls(others) => effects.strain.others.push(*others),
            Self::Truncated { keep } => effects.set_harm(Harm::Truncated(*keep)),
            Self::Reset {} => effects.set_harm(Harm::Reset),
            Self::Drip { bytes, pause_ms } => {
                effects.set_harm(Harm::Drip(*bytes, Duration::from_millis(*pause_ms)))
            }
            Self::WrongTypes {} => effects.distortions.push(Distortion::WrongTypes),
            Self::UnknownWords { word } => {
                effects.distortions.push(Distortion::UnknownWords(word.clone()))
            }
            Self::OddEntries { odd } => effects.distortions.push(Distortion::OddEntries(*odd)),
            Self::ErrorTexts { text } => {
                effects.distortions.push(Distortion::ErrorTexts(text.clone()))
            }
            Self::NullWords {} => effects.distortions.push(Distortion::NullWords),
            Self::NullLists {} => effects.distortions.push(Distortion::NullLists),
            Self::LateResults { seconds, shown } => {
                let by = seconds.map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
                effects.late.get_or_insert(Late { by, shown: *shown });
            }
            Self::RepeatedPage {} => effects.only_first_page = true,
            Self::Paging(paging) => effects.paging = effects.paging.or(Some(*paging)),
            Self::Outage {} => effects.outage = true,
            Self::CodeInAnswer { code, list } => {
                effects.distortions.push(Distortion::Code { code: code.clone(), list: *list });
            }
            Self::WrongIds { field, once } => {
                effects
                    .distortions
                    .push(Distortion::WrongIds { field: field.clone(), once: *once });
            }
            Self::Bom {} => effects.coat = effects.coat.or(Some(Coat::Bom)),
            Self::Gzip { untold } => {
                effects.coat = effects.coat.or(Some(Coat::Gzip { is_told: !untold }))
            }
            Self::Throttle { .. }
            | Self::Error { .. }
            | Self::ExpiredToken {}
            | Self::Html { .. }
            | Self::Gateway(_) => {
                effects.instead = effects.instead.take().or_else(|| self.instead());
            }
        }
    }

    fn instead(&self) -> Option<Instead> {
        match self {
            Self::Throttle { code, status, time_left_ms, retry_after_ms } => {
                Some(Instead::Failure(throttled(code, *status, *time_left_ms, *retry_after_ms)))
            }
            Self::Error { status, code, message } => {
                let message =
                    message.clone().unwrap_or_else(|| format!("The request failed with {code}."));
                Some(Instead::Failure(Failure::new(*status, code.clone(), message)))
            }
            Self::ExpiredToken {} => Some(Instead::Failure(Failure::new(
                400,
                "InvalidSecurityToken.Expired",
                "Specified SecurityToken is expired.",
            ))),
            Self::Html { status } => Some(Instead::Html(*status)),
            Self::Gateway(gateway) => Some(Instead::Gateway(gateway.clone())),
            _ => None,
        }
    }
}

fn throttled(
    code: &str,
    status: u16,
    time_left_ms: Option<u64>,
    retry_after_ms: Option<u64>,
) -> Failure {
    let mut failure =
        Failure::new(status, code.to_owned(), "Request was denied due to user flow control.");
    if let Some(ms) = time_left_ms {
        failure
            .headers
            .push(("x-ratelimit-user-api", format!("Limit:1,Remain:0,TimeLeft:{ms},Reset:0")));
    }
    if let Some(ms) = retry_after_ms {
        failure.headers.push(("x-acs-retry-after", ms.to_string()));
    }
    failure
}
