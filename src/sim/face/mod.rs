//! The faces of the world: the answer of each operation, in the format that the vendor documents.

mod clusters;
mod command_invocations;
mod ehpc;
mod instances;
mod page;
mod swas;
mod view;

use serde_json::Value;

use super::Operation;
use super::failure::Failure;
pub(crate) use view::{View, stamp};

/// The answer of an operation, without its `RequestId`.
pub(crate) fn answer(operation: Operation, view: &View<'_>) -> Result<Value, Failure> {
    match operation {
        Operation::ListTasks => ehpc::list_tasks(view),
        Operation::ListInvocationStatus => ehpc::list_invocation_status(view),
        Operation::ListInvocationResults => ehpc::list_invocation_results(view),
        Operation::ListCommands => ehpc::list_commands(view),
        Operation::ListClusters => clusters::list_clusters(view),
        Operation::EhpcListRegions => Ok(clusters::list_regions()),
        Operation::DescribeInvocations => swas::describe_invocations(view),
        Operation::DescribeInvocationResult => swas::describe_invocation_result(view),
        Operation::DescribeCommandInvocations => {
            command_invocations::describe_command_invocations(view)
        }
        Operation::ListInstances => instances::list_instances(view),
        Operation::SwasListRegions => Ok(instances::list_regions(view)),
        // These issue credentials and are answered elsewhere.
        Operation::AssumeRole
        | Operation::AssumeRoleWithOidc
        | Operation::GetCallerIdentity
        | Operation::MetadataToken
        | Operation::MetadataRole
        | Operation::MetadataCredentials
        | Operation::CredentialsUri => Err(Failure::no_such_api()),
    }
}
