//! The commands of a generated cluster.

use jiff::SignedDuration;

use super::timing::{born, cadence, part, scaled};
use crate::sim::Settings;
use crate::sim::world::ids::Numbering;
use crate::sim::world::lineage::{Cadence, Generator};
use crate::sim::world::noise::Noise;
use crate::sim::world::{CommandSpec, CommandWords, NodeEnd, NodeSpec};

/// How long a command stays listed, in seconds at normal speed.
const LISTED_FOR: f64 = 100.0;

/// Maximum time from the first node's start to the last one's end, in seconds.
const LONGEST: f64 = 60.0;

/// Commands: content, working directory, timeout.
const SCRIPTS: [(&str, &str, u32); 6] = [
    ("echo \"hello world\"", "/home", 60),
    ("sinfo -N | awk '{print $1}'", "/home/admin", 3600),
    ("yum install -y openmpi", "/root", 1800),
    ("systemctl restart slurmd", "/root", 120),
    ("df -h /scratch", "/scratch", 60),
    ("/opt/bin/node-check --all", "/opt", 600),
];

/// How a command turns out on its nodes.
#[derive(Clone, Copy)]
enum Mood {
    Fine,
    SomeFail,
    SomeExitNonzero,
    Interrupted,
}

/// An endless stream of commands.
#[derive(Debug)]
pub(crate) struct CommandStream {
    noise: Noise,
    numbering: Numbering,
    cadence: Cadence,
    listed: usize,
    prefix: String,
    nodes: Vec<String>,
    longest: SignedDuration,
}

impl CommandStream {
    /// A stream that keeps the settings' number of commands listed.
    pub(crate) fn new(
        settings: &Settings,
        noise: Noise,
        prefix: String,
        nodes: Vec<String>,
    ) -> Self {
        Self {
            noise,
            numbering: Numbering::new(noise.with(0)),
            cadence: cadence(settings, noise, LISTED_FOR / settings.commands as f64),
            listed: settings.commands,
            prefix,
            nodes,
            longest: scaled(settings, LONGEST),
        }
    }

    /// One node of a command; `command` is the command's noise.
    fn node(&self, index: usize, mood: Mood, command: Noise) -> NodeSpec {
        let noise = command.with(index as u64);
        let count = self.nodes.len();
        // The command reaches its nodes in the first sixth of its time, and ends node by node in
        // the last four fifths. Each node has its own slot in both, so that something changes all
        // the time.
        let place = |turn: usize, noise: Noise| (turn as f64 + 0.3 * noise.unit()) / count as f64;
        let rotation = (command.bits() % count as u64) as usize;
        let starts = if index == 0 {
            SignedDuration::ZERO
        } else {
            part(self.longest, place(index, noise.with(1)) / 6.0)
        };
        let end = part(self.longest, 0.2 + 0.8 * place((index + rotation) % count, noise.with(2)));
        let (outcome, exit_code, message) = outcome(mood, noise.with(3));
        NodeSpec {
            instance_id: self.nodes[index].clone(),
            starts,
            duration: end - starts,
            end: outcome,
            exit_code,
            message: message.to_owned(),
        }
    }
}

impl Generator for CommandStream {
    type Thing = CommandSpec;

    fn cadence(&self) -> &Cadence {
        &self.cadence
    }

    fn listed(&self) -> usize {
        self.listed
    }

    fn longest_life(&self) -> SignedDuration {
        self.longest
    }

    fn make(&self, number: i64) -> CommandSpec {
        let noise = self.noise.with(3).with(number as u64);
        let (content, working_dir, timeout) = noise.with(1).pick(SCRIPTS);
        let mood = noise.with(2).pick([
            Mood::Fine,
            Mood::Fine,
            Mood::SomeFail,
            Mood::SomeExitNonzero,
            Mood::Interrupted,
        ]);
        let node = |index| self.node(index, mood, noise.with(3));
        CommandSpec {
            id: self.numbering.word(&self.prefix, number),
            content: content.to_owned(),
            working_dir: working_dir.to_owned(),
            timeout,
            born: born(self, number),
            nodes: (0..self.nodes.len()).map(node).collect(),
            words: CommandWords::Documented,
        }
    }

    fn number(&self, id: &str) -> Option<i64> {
        self.numbering.number_of_word(&self.prefix, id)
    }
}

fn outcome(mood: Mood, noise: Noise) -> (NodeEnd, i32, &'static str) {
    let hit = noise.with(1).between(0, 2) == 0;
    match mood {
        Mood::SomeFail if hit => noise.with(2).pick([
            (NodeEnd::Failed, 127, "bash: node-check: command not found"),
            (NodeEnd::Failed, 1, "df: /scratch: No such file or directory"),
            (NodeEnd::Failed, 137, "Killed"),
        ]),
        Mood::SomeExitNonzero if hit => {
            (NodeEnd::Finished, noise.with(2).pick([1, 2, 3]), "some checks did not pass")
        }
        Mood::Interrupted if hit => (NodeEnd::Stopped, noise.with(2).pick([130, 143]), ""),
        _ => (NodeEnd::Finished, 0, "done"),
    }
}
