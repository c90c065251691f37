//! The operations that are asked of the cloud: one file each, with its parameters, its wire structs and its decoding.
//!
//! To add one: a file here, a line in `operations!`, and what CONTRIBUTING.md lists.

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
#[cfg(test)]
mod mutated;
mod name;
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

use super::Error;
use super::json::Malformed;
use crate::model::{
    CommandInvocation, DiscoveredResource, Invocation, InvocationResult, NodeResult, NodeStatuses, Page, Task,
};

/// Largest PageSize of all lists that are read here but ListInstances (docs/alibaba-cloud-api.md, "Limits").
pub const PAGE_SIZE: u32 = 50;

/// A product of Alibaba Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// E-HPC, API version 2018-04-12.
    Ehpc,
    /// Simple Application Server, API version 2020-06-01.
    Swas,
}

impl Product {
    /// The `product` label, and the name in `quotas`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ehpc => "EHPC",
            Self::Swas => "SWAS",
        }
    }

    /// What its RAM actions begin with.
    pub fn ram_prefix(self) -> &'static str {
        match self {
            Self::Ehpc => "ehpc",
            Self::Swas => "swas-open",
        }
    }

    /// `Version` of a request.
    pub fn version(self) -> &'static str {
        match self {
            Self::Ehpc => "2018-04-12",
            Self::Swas => "2020-06-01",
        }
    }

    /// HTTP method: E-HPC's metadata allow only GET, the vendor's SDKs ask SWAS by POST.
    pub fn method(self) -> &'static str {
        match self {
            Self::Ehpc => "GET",
            Self::Swas => "POST",
        }
    }

    /// Default budget of an operation in calls per minute: 60 % of the published 1000 for SWAS; for E-HPC, which publishes
    /// none, a guess far below the gateway's default.
    pub fn default_quota(self) -> u32 {
        match self {
            Self::Ehpc => 300,
            Self::Swas => 600,
        }
    }
}

/// Names and values of a request's parameters.
pub type Parameters<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// What an answer holds, and what in it is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<T> {
    /// The answer.
    pub value: T,
    /// Field and word of every word that this version does not know.
    pub unknown: Vec<(&'static str, String)>,
    /// Entries that could not be read and are left out.
    pub unreadable: u64,
    /// What the cloud says has gone wrong, beside what it shows all the same.
    pub error: Option<Error>,
}

/// Why a body is not the answer that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecoded {
    /// It is no JSON.
    #[error("not the documented JSON at line {line} column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Byte of the line, from 1.
        column: usize,
    },
    /// The list or object that was asked for is not there.
    #[error("the answer has no {0}")]
    Missing(&'static str),
    /// It names another thing in this field.
    #[error("the answer is about another {0} than was asked for")]
    Other(&'static str),
}

impl From<Malformed> for Undecoded {
    fn from(Malformed { line, column }: Malformed) -> Self {
        Self::Malformed { line, column }
    }
}

/// Declares [`Operation`] and [`Answer`] from one list, in which each operation stands once: as the cloud names it, and its
/// type here.
macro_rules! operations {
    ($($product:ident.$action:ident($name:ident) -> $answer:ty),+ $(,)?) => {
        /// An operation with its parameters.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($action), "`.")] $name($name),)+
        }

        /// What an operation answers.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Answer {
            $(#[doc = concat!("Of [`", stringify!($name), "`].")] $name($answer),)+
        }

        impl Operation {
            /// Product and name of every operation.
            pub const ALL: &'static [(Product, &'static str)] = &[$((Product::$product, stringify!($action))),+];

            /// The product it belongs to.
            pub fn product(&self) -> Product {
                match self { $(Self::$name(_) => Product::$product,)+ }
            }

            /// Its name, `Action` of a request.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($action),)+ }
            }

            /// Its own parameters.
            pub fn parameters(&self) -> Parameters<'_> {
                match self { $(Self::$name(operation) => operation.parameters(),)+ }
            }

            /// Reads the body of its answer.
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

        $(impl From<$name> for Operation {
            fn from(operation: $name) -> Self {
                Self::$name(operation)
            }
        })+
    };
}

operations! {
    Ehpc.ListTasks(ListTasks) -> Page<Task>,
    Ehpc.ListCommands(ListCommands) -> Page<Arc<str>>,
    Ehpc.ListInvocationStatus(ListInvocationStatus) -> NodeStatuses,
    Ehpc.ListInvocationResults(ListInvocationResults) -> Page<NodeResult>,
    Ehpc.ListClusters(ListClusters) -> Page<DiscoveredResource>,
    Ehpc.ListRegions(EhpcListRegions) -> Page<Arc<str>>,
    Swas.DescribeInvocations(DescribeInvocations) -> Page<Invocation>,
    Swas.DescribeInvocationResult(DescribeInvocationResult) -> InvocationResult,
    Swas.DescribeCommandInvocations(DescribeCommandInvocations) -> Page<CommandInvocation>,
    Swas.ListInstances(ListInstances) -> Page<DiscoveredResource>,
    Swas.ListRegions(SwasListRegions) -> Page<Arc<str>>,
}
