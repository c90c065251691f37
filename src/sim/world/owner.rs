//! Clusters and servers, to which everything else belongs.

use jiff::SignedDuration;

use super::generate::{CommandStream, InvocationStream, TaskStream};
use super::lineage::{Life, Lineage};
use super::{TaskEnd, TaskSpec};
use crate::sim::ListOrder;

/// How long SWAS keeps results. Source: "Limits" in `docs/alibaba-cloud-api.md`.
pub(super) const RUN_RETENTION: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A cluster's own data.
#[derive(Clone, Debug)]
pub struct ClusterSpec {
    /// `Id`
    pub id: String,
    /// `Name`
    pub name: String,
    /// `RegionId`
    pub region: String,
    /// `Status`, in lower case as the API writes it.
    pub status: String,
    /// Number of compute nodes.
    pub nodes: usize,
    /// Number of management nodes.
    pub managers: usize,
}

/// A server's own data.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// `InstanceId`
    pub id: String,
    /// `InstanceName`
    pub name: String,
    /// `RegionId`
    pub region: String,
    /// `Status`
    pub status: String,
    /// When it expires, since the world's start; its `ExpiredTime` is null if that is unknown.
    pub expires: Option<SignedDuration>,
}

/// Number of nodes in one role, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeStates {
    pub(crate) total: usize,
    pub(crate) operating: usize,
    pub(crate) stopped: usize,
    pub(crate) exception: usize,
}

/// A cluster and what belongs to it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) spec: ClusterSpec,
    pub(crate) tasks: Lineage<TaskStream>,
    pub(crate) commands: Lineage<CommandStream>,
}

/// A server and what belongs to it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) spec: ServerSpec,
    pub(crate) invocations: Lineage<InvocationStream>,
}

impl Default for ClusterSpec {
    /// A running cluster in Hangzhou.
    fn default() -> Self {
        Self {
            id: "ehpc-hz-FYUr320001".to_owned(),
            name: "cluster-1".to_owned(),
            region: "cn-hangzhou".to_owned(),
            status: "running".to_owned(),
            nodes: 8,
            managers: 2,
        }
    }
}

impl Default for ServerSpec {
    /// A running server in Hangzhou.
    fn default() -> Self {
        Self {
            id: "ace0706b2ac4454d984295a942130001".to_owned(),
            name: "web-1".to_owned(),
            region: "cn-hangzhou".to_owned(),
            status: "Running".to_owned(),
            expires: Some(SignedDuration::from_hours(365 * 24)),
        }
    }
}

/// How long the nodes show what a task has done to them.
const TRACES: SignedDuration = SignedDuration::from_secs(30);
/// Number of running tasks for each node that is operated on.
const TASKS_PER_NODE: usize = 3;

impl NodeStates {
    /// All others.
    pub(crate) fn normal(self) -> usize {
        self.total - self.operating - self.stopped - self.exception
    }
}

impl Cluster {
    /// The management nodes: nothing ever happens to them.
    pub(crate) fn managers(&self) -> NodeStates {
        NodeStates { total: self.spec.managers, operating: 0, stopped: 0, exception: 0 }
    }

    /// The compute nodes. Running tasks operate on some; for a while one that has failed leaves a
    /// node in trouble, and one that stops nodes leaves one stopped.
    pub(crate) fn computes(&self, at: SignedDuration) -> NodeStates {
        let total = self.spec.nodes;
        let (open, ended): (Vec<_>, Vec<_>) =
            self.tasks.all(at, ListOrder::NewestFirst).partition(|task| task.at(at).open);
        let recent = |is_meant: fn(&TaskSpec) -> bool| {
            ended.iter().filter(|task| at - task.ended() < TRACES && is_meant(task)).count()
        };
        let failed = recent(|task| task.end != TaskEnd::Success);
        let stops = recent(|task| task.end == TaskEnd::Success && task.task_type == "StopComputes");
        let operating = open.len().div_ceil(TASKS_PER_NODE).min(total);
        let exception = failed.min(total - operating);
        let stopped = stops.min(total - operating - exception);
        NodeStates { total, operating, stopped, exception }
    }
}

impl Server {
    /// `BusinessStatus` at a moment.
    pub(crate) fn business_status(&self, at: SignedDuration) -> &'static str {
        match self.spec.expires {
            Some(expires) if expires <= at => "Expired",
            _ => "Normal",
        }
    }
}
