//! The faces of the world: the answer of each operation, in the format that the vendor documents.

mod clusters;
mod command_invocations;
mod ehpc;
mod instances;
mod swas;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::failure::Failure;
use super::fault::Late;
use super::parameters::{self, Parameters};
use super::world::World;
use super::{ListOrder, Operation};

/// The world at one moment, for one request.
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    /// Wall-clock time of the world's start.
    pub(crate) started: Timestamp,
    /// The moment, as time since the world's start.
    pub(crate) at: SignedDuration,
    pub(crate) order: ListOrder,
    pub(crate) parameters: &'a Parameters,
    /// What delays results, if anything.
    pub(crate) late: Option<Late>,
}

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

impl View<'_> {
    fn required(&self, name: &str) -> Result<&str, Failure> {
        parameters::required(self.parameters, name)
    }

    fn optional(&self, name: &str) -> Option<&str> {
        parameters::optional(self.parameters, name)
    }

    /// What still delays the result of something that ended at `ended`.
    fn late(&self, ended: SignedDuration) -> Option<Late> {
        self.late.filter(|late| late.holds(ended, self.at))
    }

    /// A time of the world as the API writes it.
    pub(crate) fn stamp(&self, since_start: SignedDuration) -> String {
        stamp(self.started, since_start)
    }

    /// A time, or the empty string that the API sends while there is none.
    fn stamp_or_empty(&self, since_start: Option<SignedDuration>) -> String {
        since_start.map_or_else(String::new, |time| self.stamp(time))
    }
}

/// A time of the world, in whole seconds.
pub(crate) fn stamp(started: Timestamp, since_start: SignedDuration) -> String {
    let time = started.saturating_add(since_start).unwrap_or(started);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A page of a list.
struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// E-HPC: at most 50 items and 999 pages.
    fn ehpc(view: &View<'_>) -> Result<Self, Failure> {
        Self::read(view, 50, 999)
    }

    /// SWAS: the sizes differ, the number of pages is not limited.
    fn swas(view: &View<'_>, largest: usize) -> Result<Self, Failure> {
        Self::read(view, largest, usize::MAX)
    }

    fn read(view: &View<'_>, largest: usize, last: usize) -> Result<Self, Failure> {
        let number = parameters::integer(view.parameters, "PageNumber", 1, 1..=last)?;
        let size = parameters::integer(view.parameters, "PageSize", 10, 1..=largest)?;
        Ok(Self { number, size })
    }

    /// The body of a page, with only the paging fields.
    fn body(&self, total: usize) -> Value {
        json!({"PageNumber": self.number, "PageSize": self.size, "TotalCount": total})
    }

    /// The items of this page.
    fn slice<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        let start = (self.number - 1).saturating_mul(self.size).min(items.len());
        let end = start.saturating_add(self.size).min(items.len());
        &items[start..end]
    }
}
