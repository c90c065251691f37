//! What a directory says about a cluster or a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::wire_enum::wire_enum;

wire_enum! {
    /// `Status` of an E-HPC cluster.
    ClusterStatus {
        Uninit = "uninit",
        Creating = "creating",
        Init = "init",
        Running = "running",
        Exception = "exception",
        Releasing = "releasing",
    }
}

wire_enum! {
    /// `Status` of a Simple Application Server.
    ServerStatus {
        Pending = "Pending",
        Starting = "Starting",
        Running = "Running",
        Stopping = "Stopping",
        Stopped = "Stopped",
        Resetting = "Resetting",
        Upgrading = "Upgrading",
        Disabled = "Disabled",
    }
}

wire_enum! {
    /// `BusinessStatus` of a Simple Application Server: whether it is paid for.
    BusinessStatus {
        Normal = "Normal",
        Expired = "Expired",
        Overdue = "Overdue",
    }
}

/// A cluster or server that the cloud lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DiscoveredResource {
    /// Its id.
    pub id: Arc<str>,
    /// Its name; may be empty.
    pub name: Arc<str>,
    /// RegionId, if it was sent.
    pub region: Option<Arc<str>>,
}

/// An entry of a directory: a cluster, a server or a region, and what is said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryEntry {
    /// The cluster, server or region.
    pub resource: DiscoveredResource,
    /// What is said about it; nothing about regions.
    pub listing: Option<ResourceListing>,
}

/// What a directory says about a cluster or a server. What was not sent is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ResourceListing {
    /// From ListClusters.
    Cluster(ClusterListing),
    /// From ListInstances.
    Server(ServerListing),
}

/// What ListClusters says about a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterListing {
    /// Status.
    pub status: Option<ClusterStatus>,
    /// Managers.
    pub managers: NodeCounts,
    /// Computes.
    pub computes: NodeCounts,
}

/// Number of a cluster's nodes in one role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCounts {
    /// Total.
    pub total: Option<u64>,
    /// NormalCount.
    pub normal: Option<u64>,
    /// OperatingCount.
    pub operating: Option<u64>,
    /// StoppedCount.
    pub stopped: Option<u64>,
    /// ExceptionCount.
    pub exception: Option<u64>,
}

impl NodeCounts {
    /// The number of nodes in each state, if it was sent.
    pub fn by_state(&self) -> [(&'static str, Option<u64>); 4] {
        [
            ("normal", self.normal),
            ("operating", self.operating),
            ("stopped", self.stopped),
            ("exception", self.exception),
        ]
    }
}

/// What ListInstances says about a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerListing {
    /// Status.
    pub status: Option<ServerStatus>,
    /// BusinessStatus.
    pub business_status: Option<BusinessStatus>,
    /// ExpiredTime.
    pub expires: Option<Timestamp>,
}

/// A listing, and when the page with it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// What was said.
    pub listing: Arc<ResourceListing>,
    /// When it was said.
    pub at: Timestamp,
}

/// Listings by the id of the cluster or server.
pub type Listings = BTreeMap<Arc<str>, Listed>;
