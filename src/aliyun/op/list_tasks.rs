//! E-HPC ListTasks: the tasks of a cluster. Source: "ListTasks" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::wire::{Embedded, List, Scalar, UnknownWords};
use super::{Decoded, PAGE_SIZE, Parameters};
use crate::model::{Page, Task, TaskStatus, TaskType};

/// Asks for a page of a cluster's tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct ListTasks {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// Which tasks.
    pub filter: TaskFilter,
    /// PageNumber, from 1.
    pub page: u32,
}

/// Which tasks are asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskFilter {
    /// Those that run now: `Archived=false`.
    Running,
    /// Those that have ended too: `Archived=true`.
    Archived,
    /// One, by its id.
    Id(Arc<str>),
}

impl ListTasks {
    /// A page of the running tasks.
    pub fn running(cluster_id: impl Into<Arc<str>>, page: u32) -> Self {
        Self { cluster_id: cluster_id.into(), filter: TaskFilter::Running, page }
    }

    /// A page of all tasks.
    pub fn archived(cluster_id: impl Into<Arc<str>>, page: u32) -> Self {
        Self { cluster_id: cluster_id.into(), filter: TaskFilter::Archived, page }
    }

    /// One task.
    pub fn by_id(cluster_id: impl Into<Arc<str>>, task_id: Arc<str>) -> Self {
        Self { cluster_id: cluster_id.into(), filter: TaskFilter::Id(task_id), page: 1 }
    }

    pub(super) fn parameters(&self) -> Parameters<'_> {
        let filter = match &self.filter {
            TaskFilter::Running => ("Archived", "false".into()),
            TaskFilter::Archived => ("Archived", "true".into()),
            TaskFilter::Id(id) => ("TaskId", (&**id).into()),
        };
        vec![
            ("ClusterId", (&*self.cluster_id).into()),
            ("PageNumber", self.page.to_string().into()),
            ("PageSize", PAGE_SIZE.to_string().into()),
            filter,
        ]
    }

    pub(super) fn decode(&self, body: &[u8]) -> serde_json::Result<Decoded<Page<Task>>> {
        let wire: Body = serde_json::from_slice(body)?;
        let mut unknown = UnknownWords::default();
        let total = wire.total.count();
        let items = wire.tasks.0.into_iter().filter_map(|task| task.into_model(&mut unknown)).collect();
        Ok(unknown.with(Page::new(items, total)))
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "Tasks")]
    tasks: List<WireTask<'a>>,
    #[serde(borrow, rename = "TotalCount", default)]
    total: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireTask<'a> {
    #[serde(borrow, default)]
    task_id: Scalar<'a>,
    #[serde(borrow, default)]
    task_type: Scalar<'a>,
    #[serde(borrow, default)]
    status: Scalar<'a>,
    #[serde(borrow, default)]
    current_step: Scalar<'a>,
    #[serde(borrow, default)]
    total_steps: Scalar<'a>,
    #[serde(default)]
    errors: Embedded<List<IgnoredAny>>,
    #[serde(default)]
    result: Embedded<TaskResult>,
}

#[derive(Deserialize)]
struct TaskResult {
    #[serde(rename = "Instances", alias = "instances", default)]
    instances: Option<List<IgnoredAny>>,
}

impl WireTask<'_> {
    /// A task without an id cannot be told from another: it is noted and left out.
    fn into_model(self, unknown: &mut UnknownWords) -> Option<Task> {
        let Some(id) = self.task_id.text() else {
            unknown.note("TaskId", Some(""));
            return None;
        };
        let task_type = TaskType::parse(self.task_type.text().unwrap_or_default());
        let status = TaskStatus::parse(self.status.text().unwrap_or_default());
        unknown.note("TaskType", task_type.unknown_word());
        unknown.note("Status", status.unknown_word());
        let adds_nodes = matches!(task_type, TaskType::CreateCluster | TaskType::AddComputes);
        let instances = self.result.0.and_then(|result| result.instances);
        Some(Task {
            id: id.into(),
            status,
            current_step: self.current_step.integer(),
            steps: self.total_steps.integer(),
            errors: self.errors.0.map(|errors| errors.0.len() as u64),
            nodes: instances.filter(|_| adds_nodes).map(|instances| instances.0.len() as u64),
            task_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ListTasks;
    use crate::model::{Page, Task, TaskStatus, TaskType};

    fn decode(body: &str) -> super::Decoded<Page<Task>> {
        ListTasks::running("ehpc-hz-1", 1).decode(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let page = decode(include_str!("../../../tests/fixtures/api/ehpc_ListTasks.json")).value;
        assert_eq!((page.items.len(), page.total), (9, Some(9)));
        let create = &page.items[0];
        assert_eq!((&create.task_type, &create.status), (&TaskType::CreateCluster, &TaskStatus::Success));
        assert_eq!((create.current_step, create.steps), (Some(42), Some(42)));
        assert_eq!((create.errors, create.nodes), (Some(0), Some(1)));
        let delete = &page.items[3];
        assert_eq!((&delete.status, delete.errors, delete.nodes), (&TaskStatus::Failed, Some(1), None));
        assert_eq!(page.items[4].status, TaskStatus::PartialFail);
    }

    #[test]
    fn the_chinese_documents_words_fold_into_the_english_ones() {
        let page = decode(include_str!("../../../tests/fixtures/api/ehpc_ListTasks.zh_enum_variants.json"));
        assert_eq!(page.value.items[0].status, TaskStatus::Failed);
        assert_eq!(page.value.items[1].task_type, TaskType::ResetCompute);
        assert_eq!(page.unknown, []);
    }

    #[test]
    fn an_empty_list_is_empty_and_a_missing_one_is_an_error() {
        assert_eq!(decode(include_str!("../../../tests/fixtures/api/ehpc_ListTasks.empty.json")).value.items, []);
        assert_eq!(decode(r#"{"Tasks": null}"#).value.items, []);
        assert!(ListTasks::running("c", 1).decode(b"{}").is_err());
        assert!(ListTasks::running("c", 1).decode(b"<html></html>").is_err());
    }

    #[test]
    fn drift_is_read_and_an_unknown_word_is_kept() {
        let page = decode(
            r#"{"Tasks": {"TaskInfo": [{"TaskId": "t", "TaskType": "MoveCluster", "Status": "PAUSED", "TotalSteps": "16",
                "CurrentStep": null, "Result": {"Instances": [1]}, "Errors": 0, "New": {}}, {"Status": "Success"}, null]}}"#,
        );
        let task = &page.value.items[0];
        assert_eq!((task.steps, task.current_step, task.errors, task.nodes), (Some(16), None, None, None));
        assert_eq!((task.status.word(), task.status.label()), ("PAUSED", "unknown"));
        let expected = [("TaskType", "MoveCluster"), ("Status", "PAUSED"), ("TaskId", "")];
        assert_eq!(page.unknown, expected.map(|(field, word)| (field, word.to_owned())));
    }
}
