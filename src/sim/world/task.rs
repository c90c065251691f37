//! E-HPC tasks: what is fixed at creation, and the state at a time that follows from it.

use jiff::SignedDuration;

use super::lineage::Life;

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// `Success`
    Success,
    /// `Failed`
    Failed,
    /// `PartialFail`
    PartialFail,
}

/// The life of a task. Times are since the world's start.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// `TaskId`; unique in its cluster.
    pub id: String,
    /// `TaskType`, one of nine values.
    pub task_type: String,
    /// When it is created.
    pub born: SignedDuration,
    /// How long it is `Processing`.
    pub duration: SignedDuration,
    /// `TotalSteps`.
    pub steps: u32,
    /// The `CurrentStep` it ends at; steps progress evenly until then.
    pub last_step: u32,
    /// How it ends.
    pub end: TaskEnd,
    /// Entries of `Result.Instances` at the end; shown only for `CreateCluster` and `AddComputes`.
    pub nodes: u32,
    /// Entries of `Errors` at the end.
    pub errors: u32,
}

impl Default for TaskSpec {
    /// An `AddComputes` of ten steps that is created at the start and succeeds after a minute.
    fn default() -> Self {
        Self {
            id: "B745C159-3155-4B94-95D0-4B73D4D20000".to_owned(),
            task_type: "AddComputes".to_owned(),
            born: SignedDuration::ZERO,
            duration: SignedDuration::from_secs(60),
            steps: 10,
            last_step: 10,
            end: TaskEnd::Success,
            nodes: 1,
            errors: 0,
        }
    }
}

/// A task at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskState {
    pub(crate) status: &'static str,
    pub(crate) current_step: u32,
    pub(crate) nodes: u32,
    pub(crate) errors: u32,
    pub(crate) open: bool,
}

impl TaskEnd {
    /// The value of `Status`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::PartialFail => "PartialFail",
        }
    }
}

impl TaskSpec {
    /// The state of the task at a moment.
    pub(crate) fn at(&self, at: SignedDuration) -> TaskState {
        let open = at < self.ended();
        let progress =
            if open { (at - self.born).as_secs_f64() / self.duration.as_secs_f64() } else { 1.0 };
        let nodes = if matches!(self.task_type.as_str(), "CreateCluster" | "AddComputes") {
            self.nodes
        } else {
            0
        };
        TaskState {
            status: if open { "Processing" } else { self.end.word() },
            current_step: share(self.last_step, progress),
            nodes: share(nodes, progress),
            errors: if open { 0 } else { self.errors },
            open,
        }
    }
}

fn share(whole: u32, progress: f64) -> u32 {
    (f64::from(whole) * progress.clamp(0.0, 1.0)) as u32
}

impl Life for TaskSpec {
    fn id(&self) -> &str {
        &self.id
    }

    fn born(&self) -> SignedDuration {
        self.born
    }

    fn ended(&self) -> SignedDuration {
        self.born + self.duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_by_and_the_end_comes() {
        let task =
            TaskSpec { end: TaskEnd::Failed, last_step: 4, errors: 1, ..TaskSpec::default() };
        let state = |second| task.at(SignedDuration::from_secs(second));
        assert_eq!((state(0).status, state(0).current_step), ("Processing", 0));
        assert_eq!((state(30).current_step, state(30).errors), (2, 0));
        assert_eq!(
            state(60),
            TaskState { status: "Failed", current_step: 4, nodes: 1, errors: 1, open: false }
        );
    }

    #[test]
    fn only_tasks_that_make_nodes_show_nodes() {
        let task = TaskSpec { task_type: "StopCluster".to_owned(), ..TaskSpec::default() };
        assert_eq!(task.at(SignedDuration::from_secs(60)).nodes, 0);
    }
}
