//! The cloud's operations: one file each, with its parameters, its wire structs and its decoder.
//!
//! To add one: a file here, a row in `operations!` (`src/action.rs`), and what CONTRIBUTING.md
//! lists.

mod describe_command_invocations;
mod describe_invocation_result;
mod describe_invocations;
mod extent;
mod field;
mod list_clusters;
mod list_commands;
mod list_instances;
mod list_invocation_results;
mod list_invocation_status;
mod list_regions;
mod list_tasks;
mod name;
pub(super) mod samples;
mod wire;

use std::borrow::Cow;
use std::sync::Arc;

pub use describe_command_invocations::DescribeCommandInvocations;
pub use describe_invocation_result::DescribeInvocationResult;
pub use describe_invocations::DescribeInvocations;
pub use list_clusters::ListClusters;
pub use list_commands::ListCommands;
pub use list_instances::ListInstances;
pub use list_invocation_results::ListInvocationResults;
pub use list_invocation_status::ListInvocationStatus;
pub use list_regions::{EhpcListRegions, SwasListRegions};
pub use list_tasks::{ListTasks, TaskFilter};

use self::extent::Extent;
use super::Error;
use super::json::Malformed;
use crate::action::{Action, Product, operations};
use crate::model::{
    CommandInvocation, DiscoveredResource, Invocation, InvocationResult, NodeResult, NodeStatuses,
    Page, Task,
};

/// Maximum PageSize of all lists read here except ListInstances (docs/alibaba-cloud-api.md,
/// "Limits").
pub const PAGE_SIZE: u32 = 50;

/// Names and values of a request's parameters.
pub type Parameters<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// A decoded answer, and what in it is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<T> {
    /// The answer.
    pub value: T,
    /// Field and word of each word that this version does not know.
    pub unknown: Vec<(&'static str, String)>,
    /// Number of entries that could not be read and are left out.
    pub unreadable: u64,
    /// An error that the cloud reported beside the data.
    pub error: Option<Error>,
}

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

/// Declares [`Operation`] and [`Answer`] from the table of operations.
macro_rules! declare {
    ($($product:ident.$action:ident($name:ident) -> $answer:ty),+ $(,)?) => {
        /// An operation with its parameters.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($action), "`.")] $name($name),)+
        }

        /// The answer to an operation.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Answer {
            $(#[doc = concat!("Of [`", stringify!($name), "`].")] $name($answer),)+
        }

        impl Operation {
            /// Which operation it is.
            pub fn action(&self) -> Action {
                match self { $(Self::$name(_) => Action::$name,)+ }
            }

            /// Its own parameters.
            pub fn parameters(&self) -> Parameters<'_> {
                match self { $(Self::$name(operation) => operation.parameters(),)+ }
            }

            /// Decodes the body of its answer.
            ///
            /// # Errors
            /// If the body is not the documented JSON, or about something else.
            pub fn decode(&self, body: &[u8]) -> Result<Decoded<Answer>, Undecoded> {
                match self {
                    $(Self::$name(operation) => {
                        let Decoded { value, unknown, unreadable, error } = operation.decode(body)?;
                        Ok(Decoded { value: Answer::$name(value), unknown, unreadable, error })
                    })+
                }
            }
        }

        impl Answer {
            /// Whether the operation's own list or object is present and not empty.
            pub(super) fn holds_something(&self) -> bool {
                match self { $(Self::$name(answer) => answer.holds_something(),)+ }
            }

            /// Notes that the answer may leave out things that exist.
            pub(super) fn set_partial(&mut self) {
                match self { $(Self::$name(answer) => answer.set_partial(),)+ }
            }
        }

        $(impl From<$name> for Operation {
            fn from(operation: $name) -> Self {
                Self::$name(operation)
            }
        })+
    };
}

operations!(declare);

impl Operation {
    /// The product it belongs to.
    pub fn product(&self) -> Product {
        self.action().product()
    }

    /// Its name: the `Action` parameter of a request.
    pub fn name(&self) -> &'static str {
        self.action().name()
    }
}
