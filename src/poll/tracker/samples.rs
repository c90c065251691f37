//! Samples for the tests of several trackers.

#![cfg(test)]

use jiff::Timestamp;

use crate::model::{CommandType, Invocation, InvocationStatus};

/// A moment of the tests.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// An invocation of `backup` created at that time.
pub(super) fn invocation(id: &str, status: InvocationStatus, created: i64) -> Invocation {
    Invocation {
        id: id.into(),
        command_name: "backup".into(),
        command_type: CommandType::RunShellScript,
        status,
        record: None,
        created: Some(at(created)),
    }
}
