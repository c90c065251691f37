//! The world behind the API: clusters with tasks and commands, servers with invocations. Nothing
//! here knows of requests.

mod command;
mod generate;
pub(crate) mod ids;
mod invocation;
mod job;
mod lineage;
pub(crate) mod noise;
mod owner;
pub(crate) mod region;
mod task;

use std::fmt;

use jiff::SignedDuration;

use super::Settings;
pub(crate) use command::NodeState;
pub use command::{CommandSpec, CommandWords, NodeEnd, NodeSpec};
pub(crate) use invocation::error_info;
pub use invocation::{InvocationEnd, InvocationSpec};
pub use job::JobSpec;
pub(crate) use lineage::{Life, Lineage};
use owner::RUN_RETENTION;
pub(crate) use owner::{Cluster, NodeStates, Server};
pub use owner::{ClusterSpec, ServerSpec};
pub use task::{TaskEnd, TaskSpec};

/// A thing is still open this long before its end.
pub(crate) const BEFORE: SignedDuration = SignedDuration::from_millis(1);

/// All clusters and servers. A generated world goes on forever; a scripted one follows its script.
#[derive(Debug, Default)]
pub struct World {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) servers: Vec<Server>,
}

/// A script named a cluster or server that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOwner(String);

impl fmt::Display for UnknownOwner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "there is no cluster or server {:?}", self.0)
    }
}

impl std::error::Error for UnknownOwner {}

impl World {
    /// An empty world, for scripts.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A living world.
    pub fn generated(settings: &Settings) -> Self {
        let clusters =
            (0..settings.clusters).map(|index| generate::cluster(settings, index)).collect();
        let servers =
            (0..settings.servers).map(|index| generate::server(settings, index)).collect();
        Self { clusters, servers }
    }

    /// Adds a cluster without tasks and commands, replacing the one with its id if there is one.
    pub fn add_cluster(&mut self, spec: ClusterSpec) {
        self.clusters.retain(|cluster| cluster.spec.id != spec.id);
        self.clusters.push(Cluster {
            spec,
            tasks: Lineage::new(None, None),
            commands: Lineage::new(None, None),
        });
    }

    /// Adds a server without invocations, replacing the one with its id if there is one.
    pub fn add_server(&mut self, spec: ServerSpec) {
        self.servers.retain(|server| server.spec.id != spec.id);
        self.servers.push(Server { spec, invocations: Lineage::new(None, Some(RUN_RETENTION)) });
    }

    /// Changes a server's own data, if there is such a server.
    pub fn change_server(&mut self, id: &str, change: impl FnOnce(&mut ServerSpec)) {
        if let Some(server) = self.servers.iter_mut().find(|server| server.spec.id == id) {
            change(&mut server.spec);
        }
    }

    /// Adds a task to a cluster, replacing the one with its id if there is one.
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn add_task(&mut self, cluster_id: &str, task: TaskSpec) -> Result<(), UnknownOwner> {
        self.cluster_mut(cluster_id)?.tasks.add(task);
        Ok(())
    }

    /// Adds a command to a cluster, replacing the one with its id if there is one.
    ///
    /// # Errors
    /// There is no such cluster.
    pub fn add_command(
        &mut self,
        cluster_id: &str,
        command: CommandSpec,
    ) -> Result<(), UnknownOwner> {
        self.cluster_mut(cluster_id)?.commands.add(command);
        Ok(())
    }

    /// Adds an invocation to a server, replacing the one with its id if there is one.
    ///
    /// # Errors
    /// There is no such server.
    pub fn add_invocation(
        &mut self,
        instance_id: &str,
        invocation: InvocationSpec,
    ) -> Result<(), UnknownOwner> {
        let server = self.servers.iter_mut().find(|server| server.spec.id == instance_id);
        server.ok_or_else(|| UnknownOwner(instance_id.to_owned()))?.invocations.add(invocation);
        Ok(())
    }

    /// Adds all invocations of a job to a server.
    ///
    /// # Errors
    /// There is no such server.
    pub fn add_job(&mut self, instance_id: &str, job: &JobSpec) -> Result<(), UnknownOwner> {
        job.runs().try_for_each(|invocation| self.add_invocation(instance_id, invocation))
    }

    /// Removes what has this id: a cluster, a server, a task, a command or an invocation.
    pub fn remove(&mut self, id: &str) {
        self.clusters.retain(|cluster| cluster.spec.id != id);
        self.servers.retain(|server| server.spec.id != id);
        for cluster in &mut self.clusters {
            cluster.tasks.remove(id);
            cluster.commands.remove(id);
        }
        for server in &mut self.servers {
            server.invocations.remove(id);
        }
    }

    /// The cluster with an id.
    pub(crate) fn cluster(&self, id: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.spec.id == id)
    }

    /// The server with an id, in its region.
    pub(crate) fn server(&self, region: &str, id: &str) -> Option<&Server> {
        self.servers.iter().find(|server| server.spec.id == id && server.spec.region == region)
    }

    fn cluster_mut(&mut self, id: &str) -> Result<&mut Cluster, UnknownOwner> {
        let cluster = self.clusters.iter_mut().find(|cluster| cluster.spec.id == id);
        cluster.ok_or_else(|| UnknownOwner(id.to_owned()))
    }
}
