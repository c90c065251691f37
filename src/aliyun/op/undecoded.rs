//! Why a body is not the expected answer.

use crate::aliyun::json::Malformed;

/// Why a body is not the expected answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecoded {
    /// It is not JSON.
    #[error("not the documented JSON at line {line} column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Byte of the line, from 1.
        column: usize,
    },
    /// The expected list or object is missing.
    #[error("the answer has no {0}")]
    Missing(&'static str),
    /// This field names something other than requested.
    #[error("the answer is about another {0} than was asked for")]
    Other(&'static str),
}

impl From<Malformed> for Undecoded {
    fn from(Malformed { line, column }: Malformed) -> Self {
        Self::Malformed { line, column }
    }
}
