//! E-HPC commands: one script that runs on many nodes.

use jiff::SignedDuration;

use super::lineage::Life;

/// How a command ends on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEnd {
    /// `Finished`, whatever its exit code.
    Finished,
    /// `Failed`
    Failed,
    /// `Stopped`
    Stopped,
}

/// What a command does on one node. Times are since the command's birth.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// `InstanceId`
    pub instance_id: String,
    /// When the command reaches the node; before, the node is not listed.
    pub starts: SignedDuration,
    /// How long it runs there.
    pub duration: SignedDuration,
    /// How it ends.
    pub end: NodeEnd,
    /// `ExitCode` at the end.
    pub exit_code: i32,
    /// `Message` at the end: what the script printed.
    pub message: String,
}

/// The life of a command. Times are since the world's start.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// `CommandId`; unique in its cluster.
    pub id: String,
    /// `CommandContent`
    pub content: String,
    /// `WorkingDir`
    pub working_dir: String,
    /// `Timeout`, in seconds.
    pub timeout: u32,
    /// When it is sent.
    pub born: SignedDuration,
    /// What it does on each node.
    pub nodes: Vec<NodeSpec>,
}

impl Default for NodeSpec {
    /// A node reached at once, where the command succeeds after half a minute.
    fn default() -> Self {
        Self {
            instance_id: "i-uf65bh2113hlqvyr0001".to_owned(),
            starts: SignedDuration::ZERO,
            duration: SignedDuration::from_secs(30),
            end: NodeEnd::Finished,
            exit_code: 0,
            message: "hello world".to_owned(),
        }
    }
}

impl Default for CommandSpec {
    /// A command sent at the start to one node.
    fn default() -> Self {
        Self {
            id: "c-hz01v8x80o30001".to_owned(),
            content: "echo \"hello world\"".to_owned(),
            working_dir: "/home/admin".to_owned(),
            timeout: 60,
            born: SignedDuration::ZERO,
            nodes: vec![NodeSpec::default()],
        }
    }
}

/// A node of a command at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeState<'a> {
    pub(crate) instance_id: &'a str,
    pub(crate) status: &'static str,
    pub(crate) exit_code: i32,
    pub(crate) message: &'a str,
    /// Since the world's start.
    pub(crate) finished: Option<SignedDuration>,
    pub(crate) success: bool,
}

impl NodeEnd {
    /// The word of `InstanceInvokeStatus` and `InvokeRecordStatus`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Finished => "Finished",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }
}

impl CommandSpec {
    /// The nodes the command has reached.
    pub(crate) fn nodes_at(&self, at: SignedDuration) -> Vec<NodeState<'_>> {
        let reached = self.nodes.iter().filter(|node| self.born + node.starts <= at);
        reached.map(|node| node.at(self.born, at)).collect()
    }

    /// `InvokeStatus`: running while any node is to come or runs, then the worst of its nodes.
    pub(crate) fn status(&self, at: SignedDuration) -> &'static str {
        let any = |end| self.nodes.iter().any(|node| node.end == end);
        let end = if any(NodeEnd::Failed) {
            NodeEnd::Failed
        } else if any(NodeEnd::Stopped) {
            NodeEnd::Stopped
        } else {
            NodeEnd::Finished
        };
        if at < self.ended() { "Running" } else { end.word() }
    }
}

impl NodeSpec {
    fn at(&self, born: SignedDuration, at: SignedDuration) -> NodeState<'_> {
        let end = born + self.starts + self.duration;
        let ended = end <= at;
        NodeState {
            instance_id: &self.instance_id,
            status: if ended { self.end.word() } else { "Running" },
            // Before the end the API sends 0 as well; it means nothing then.
            exit_code: if ended { self.exit_code } else { 0 },
            message: if ended { &self.message } else { "" },
            finished: ended.then_some(end),
            success: !ended || self.end != NodeEnd::Failed,
        }
    }
}

impl Life for CommandSpec {
    fn id(&self) -> &str {
        &self.id
    }

    fn born(&self) -> SignedDuration {
        self.born
    }

    fn ended(&self) -> SignedDuration {
        let last = self.nodes.iter().map(|node| node.starts + node.duration).max();
        self.born + last.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_spreads_runs_and_ends_as_its_worst_node() {
        let late = NodeSpec {
            instance_id: "i-2".to_owned(),
            starts: SignedDuration::from_secs(5),
            end: NodeEnd::Failed,
            exit_code: 127,
            ..NodeSpec::default()
        };
        let command = CommandSpec { nodes: vec![NodeSpec::default(), late], ..CommandSpec::default() };
        let seen = |second| {
            let at = SignedDuration::from_secs(second);
            let nodes: Vec<_> = command.nodes_at(at).iter().map(|node| (node.status, node.exit_code)).collect();
            (command.status(at), nodes)
        };
        assert_eq!(seen(4), ("Running", vec![("Running", 0)]));
        assert_eq!(seen(30), ("Running", vec![("Finished", 0), ("Running", 0)]));
        assert_eq!(seen(35), ("Failed", vec![("Finished", 0), ("Failed", 127)]));
    }
}
