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
    /// `Success`, a value of Cloud Assistant.
    Success,
    /// `Timeout`, a value of Cloud Assistant.
    Timeout,
}

/// Which status values a command as a whole has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommandWords {
    /// The four documented ones.
    #[default]
    Documented,
    /// Those of Cloud Assistant, which distinguish a failure on some nodes from one on all.
    CloudAssistant,
    /// None: the status is null.
    Missing,
}

/// What a command does on one node. Times are since the command was sent.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// `InstanceId`
    pub instance_id: String,
    /// When the command reaches the node, which is not listed before that.
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
    /// Which values its `InvokeStatus` has.
    pub words: CommandWords,
}

impl Default for NodeSpec {
    /// A node that is reached at once, where the command succeeds after half a minute.
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
    /// A command sent to one node at the start.
    fn default() -> Self {
        Self {
            id: "c-hz01v8x80o30001".to_owned(),
            content: "echo \"hello world\"".to_owned(),
            working_dir: "/home/admin".to_owned(),
            timeout: 60,
            born: SignedDuration::ZERO,
            nodes: vec![NodeSpec::default()],
            words: CommandWords::Documented,
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
    /// The value of `InstanceInvokeStatus` and `InvokeRecordStatus`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Finished => "Finished",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Success => "Success",
            Self::Timeout => "Timeout",
        }
    }

    fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout)
    }
}

impl NodeState<'_> {
    /// The same node as if it had not ended yet.
    pub(crate) fn still_running(self) -> Self {
        Self { status: "Running", exit_code: 0, message: "", finished: None, success: true, ..self }
    }
}

impl CommandSpec {
    /// The nodes the command has reached.
    pub(crate) fn nodes_at(&self, at: SignedDuration) -> Vec<NodeState<'_>> {
        let reached = self.nodes.iter().filter(|node| self.born + node.starts <= at);
        reached.map(|node| node.at(self.born, at)).collect()
    }

    /// The status of the whole command: running while any node is running or not reached yet, then
    /// by how its nodes ended.
    pub(crate) fn status(&self, at: SignedDuration) -> &'static str {
        if at < self.ended() {
            return self.open_word(at);
        }
        let failed = self.nodes.iter().filter(|node| node.end.is_failure()).count();
        let stopped = self.nodes.iter().filter(|node| node.end == NodeEnd::Stopped).count();
        let went_well = self.nodes.len() - failed - stopped;
        match self.words {
            CommandWords::CloudAssistant if failed > 0 && went_well > 0 => "PartialFailed",
            _ if failed > 0 => "Failed",
            CommandWords::CloudAssistant if went_well > 0 => "Success",
            _ if stopped > 0 => "Stopped",
            _ => "Finished",
        }
    }

    /// `InvokeStatus`, if it is sent.
    pub(crate) fn overall(&self, at: SignedDuration) -> Option<&'static str> {
        (self.words != CommandWords::Missing).then(|| self.status(at))
    }

    fn open_word(&self, at: SignedDuration) -> &'static str {
        match self.words {
            CommandWords::CloudAssistant if self.nodes_at(at).is_empty() => "Pending",
            _ => "Running",
        }
    }
}

impl NodeSpec {
    fn at(&self, born: SignedDuration, at: SignedDuration) -> NodeState<'_> {
        let end = born + self.starts + self.duration;
        let ended = end <= at;
        NodeState {
            instance_id: &self.instance_id,
            status: if ended { self.end.word() } else { "Running" },
            // The API also sends 0 before the end, where it means nothing.
            exit_code: if ended { self.exit_code } else { 0 },
            message: if ended { &self.message } else { "" },
            finished: ended.then_some(end),
            success: !ended || !self.end.is_failure(),
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
        let command =
            CommandSpec { nodes: vec![NodeSpec::default(), late], ..CommandSpec::default() };
        let seen = |second| {
            let at = SignedDuration::from_secs(second);
            let nodes: Vec<_> =
                command.nodes_at(at).iter().map(|node| (node.status, node.exit_code)).collect();
            (command.status(at), nodes)
        };
        assert_eq!(seen(4), ("Running", vec![("Running", 0)]));
        assert_eq!(seen(30), ("Running", vec![("Finished", 0), ("Running", 0)]));
        assert_eq!(seen(35), ("Failed", vec![("Finished", 0), ("Failed", 127)]));
    }

    #[test]
    fn cloud_assistant_has_words_of_its_own_for_the_whole() {
        let whole = |words, ends: &[NodeEnd], second| {
            let starts = SignedDuration::from_secs(1);
            let node = |end: &NodeEnd| NodeSpec { end: *end, starts, ..NodeSpec::default() };
            let command = CommandSpec {
                words,
                nodes: ends.iter().map(node).collect(),
                ..CommandSpec::default()
            };
            command.overall(SignedDuration::from_secs(second))
        };
        let ended = |ends: &[NodeEnd]| whole(CommandWords::CloudAssistant, ends, 60).unwrap();
        assert_eq!(ended(&[NodeEnd::Success, NodeEnd::Timeout]), "PartialFailed");
        assert_eq!(ended(&[NodeEnd::Stopped, NodeEnd::Failed]), "Failed");
        assert_eq!(ended(&[NodeEnd::Stopped, NodeEnd::Finished]), "Success");
        assert_eq!(ended(&[NodeEnd::Stopped]), "Stopped");
        let open = |second| whole(CommandWords::CloudAssistant, &[NodeEnd::Success], second);
        assert_eq!((open(0), open(1)), (Some("Pending"), Some("Running")));
        assert_eq!(
            whole(CommandWords::Documented, &[NodeEnd::Stopped, NodeEnd::Finished], 60),
            Some("Stopped")
        );
        assert_eq!(whole(CommandWords::Missing, &[NodeEnd::Finished], 60), None);
    }
}
