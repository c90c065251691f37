//! The cloud's operations: one file each, with its parameters, its wire structs and its decoder.
//!
//! To add one: a file here, a row in `operations!` (`src/action.rs`), and what CONTRIBUTING.md
//! lists.

mod clean;
mod decoded;
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
mod operation;
mod parameters;
pub(super) mod samples;
mod texts;
mod undecoded;
mod wire;

pub use decoded::Decoded;
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
pub use operation::{Answer, Operation};
pub use parameters::{PAGE_SIZE, Parameters};
use texts::Texts;
pub use undecoded::Undecoded;
