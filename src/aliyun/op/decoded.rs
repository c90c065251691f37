//! What an operation makes of the body of its answer.

use crate::aliyun::Error;

/// A decoded answer, and what in it is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<T> {
    /// The answer.
    pub value: T,
    /// Field and word of each word that this version does not know.
    pub unknown: Vec<(&'static str, String)>,
    /// Number of entries that could not be read and are left out.
    pub unreadable: u64,
    /// Whether a `Code` stands beside the data, in any letter case.
    pub has_code: bool,
    /// An error that the cloud reported beside the data.
    pub error: Option<Error>,
}
