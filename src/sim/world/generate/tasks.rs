//! The tasks of a generated cluster.

use jiff::SignedDuration;

use super::timing::{born, cadence, part, scaled};
use crate::sim::Settings;
use crate::sim::world::ids::Numbering;
use crate::sim::world::lineage::{Cadence, Generator};
use crate::sim::world::noise::Noise;
use crate::sim::world::{TaskEnd, TaskSpec};

/// A task takes 15 to 65 seconds at normal speed, 40 on average.
const SHORTEST: f64 = 15.0;
const LONGEST: f64 = 65.0;

/// Each task type and its number of steps.
const TYPES: [(&str, u32); 9] = [
    ("AddComputes", 12),
    ("CreateCluster", 42),
    ("StartComputes", 15),
    ("DeleteComputes", 18),
    ("ResetCompute", 21),
    ("StopComputes", 15),
    ("StartCluster", 16),
    ("StopCluster", 35),
    ("DeleteCluster", 27),
];

/// An endless stream of tasks.
#[derive(Debug)]
pub(crate) struct TaskStream {
    noise: Noise,
    numbering: Numbering,
    cadence: Cadence,
    listed: usize,
    shortest: SignedDuration,
    longest: SignedDuration,
}

impl TaskStream {
    /// A stream that keeps the settings' number of tasks running.
    pub(crate) fn new(settings: &Settings, noise: Noise) -> Self {
        let every = (SHORTEST + LONGEST) / 2.0 / settings.tasks as f64;
        Self {
            noise,
            numbering: Numbering::new(noise.with(0)),
            cadence: cadence(settings, noise, every),
            listed: settings.tasks + settings.task_history,
            shortest: scaled(settings, SHORTEST),
            longest: scaled(settings, LONGEST),
        }
    }
}

impl Generator for TaskStream {
    type Thing = TaskSpec;

    fn cadence(&self) -> &Cadence {
        &self.cadence
    }

    fn listed(&self) -> usize {
        self.listed
    }

    fn longest_life(&self) -> SignedDuration {
        self.longest
    }

    fn make(&self, number: i64) -> TaskSpec {
        let noise = self.noise.with(3).with(number as u64);
        let (task_type, usual_steps) = noise.with(1).pick(TYPES);
        let steps = usual_steps + noise.with(2).between(0, 3) as u32;
        let end = end(noise.with(3), task_type);
        let failed_at = 1 + (noise.with(4).unit() * f64::from(steps - 1)) as u32;
        TaskSpec {
            id: self.numbering.uuid(number),
            task_type: task_type.to_owned(),
            born: born(self, number),
            duration: self.shortest + part(self.longest - self.shortest, noise.with(5).unit()),
            steps,
            last_step: if end == TaskEnd::Failed { failed_at } else { steps },
            end,
            nodes: noise.with(6).between(1, 4) as u32,
            errors: if end == TaskEnd::Success { 0 } else { noise.with(7).between(1, 2) as u32 },
        }
    }

    fn number(&self, id: &str) -> Option<i64> {
        self.numbering.number_of_uuid(id)
    }
}

/// Two of three succeed; only task types that touch many nodes can fail in part.
fn end(noise: Noise, task_type: &str) -> TaskEnd {
    match noise.between(0, 11) {
        0..=7 => TaskEnd::Success,
        8 | 9 if task_type.ends_with("Computes") => TaskEnd::PartialFail,
        _ => TaskEnd::Failed,
    }
}
