//! Clusters and servers, to which everything else belongs.

use jiff::SignedDuration;

use super::generate::{CommandStream, InvocationStream, TaskStream};
use super::lineage::Lineage;

/// SWAS keeps results for two weeks.
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
        }
    }
}
