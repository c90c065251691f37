//! What has a page of its own.

use super::status::encoded;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// `/`: everything.
    Overview,
    /// `/region/ID`: everything in a region.
    Region(String),
    /// `/cluster/ID`: an E-HPC cluster.
    Cluster(String),
    /// `/server/ID`: a Simple Application Server.
    Server(String),
    /// `/command?name=NAME`: a command by name, on all servers.
    Command(String),
    /// `/command/CLUSTER/ID`: a command on the nodes of a cluster.
    Nodes(String, String),
}

impl Place {
    /// Its path, without the leading `/`.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Overview => String::new(),
            Self::Region(id) => format!("region/{}", encoded(id)),
            Self::Cluster(id) => format!("cluster/{}", encoded(id)),
            Self::Server(id) => format!("server/{}", encoded(id)),
            Self::Command(_) => "command".to_owned(),
            Self::Nodes(cluster, id) => format!("command/{}/{}", encoded(cluster), encoded(id)),
        }
    }

    /// How many folders it lies below `/`.
    pub(super) fn depth(&self) -> usize {
        self.path().matches('/').count()
    }
}
