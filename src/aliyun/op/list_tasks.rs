//! E-HPC ListTasks: the tasks of a cluster. Source: "ListTasks" in `docs/alibaba-cloud-api.md`.

use std::sync::Arc;

use smol_str::SmolStr;

use super::field::{embedded, length, objects};
use super::texts::{code, error_text};
use super::wire::{Entry, Oddities, page};
use super::{Decoded, PAGE_SIZE, Parameters, Undecoded};
use crate::aliyun::json::{Json, Object};
use crate::model::{Page, Task, TaskError, TaskStatus, TaskType};

/// Maximum number of different errors of a task that are kept.
const MAX_ERRORS: usize = 3;

/// Requests a page of a cluster's tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct ListTasks {
    /// ClusterId.
    pub cluster_id: Arc<str>,
    /// Which tasks.
    pub filter: TaskFilter,
    /// PageNumber, from 1.
    pub page: u32,
}

/// Which tasks to request.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskFilter {
    /// Running ones: `Archived=false`.
    Running,
    /// Ended ones as well: `Archived=true`.
    Archived,
    /// One, by its id.
    Id(SmolStr),
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
    pub fn by_id(cluster_id: impl Into<Arc<str>>, task_id: SmolStr) -> Self {
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

    pub(super) fn decode(&self, body: &[u8]) -> Result<Decoded<Page<Task>>, Undecoded> {
        page(body, ("Tasks", "TaskId"), &[("ClusterId", &self.cluster_id)], task)
    }
}

fn task(entry: &Object<'_>, oddities: &mut Oddities) -> Entry<Task> {
    let id = entry.id("TaskId")?;
    let task_type = TaskType::parse(&entry.word("TaskType"));
    let status = TaskStatus::parse(&entry.word("Status"));
    oddities.note("TaskType", task_type.unknown_word());
    oddities.note("Status", status.unknown_word());
    let adds_nodes = matches!(task_type, TaskType::CreateCluster | TaskType::AddComputes);
    let result = entry.get("Result").filter(|_| adds_nodes);
    let instances = |result: Json<'_>| {
        let result = result.object()?;
        embedded(result.get("Instances").or_else(|| result.get("instances"))?, &length)
    };
    let errors = entry.get("Errors");
    Ok(Task {
        id: (*id).into(),
        status,
        current_step: entry.integer("CurrentStep"),
        steps: entry.integer("TotalSteps"),
        errors: errors.and_then(|errors| embedded(errors, &length)),
        error_details: errors.and_then(|errors| embedded(errors, &details)).unwrap_or_default(),
        nodes: result.and_then(|result| embedded(result, &instances)),
        task_type,
    })
}

/// Code and Message of the errors, each pair once.
fn details(errors: Json<'_>) -> Option<Arc<[TaskError]>> {
    let mut details: Vec<TaskError> = Vec::new();
    for error in objects(errors) {
        let code = code(&error, &["Code", "code"]);
        let text = error_text(&error, &["Message", "message"]);
        if code.is_none() && text.is_none() {
            continue;
        }
        let is_same = |known: &&mut TaskError| known.code == code && known.text == text;
        if let Some(known) = details.iter_mut().find(is_same) {
            known.count += 1;
        } else if details.len() < MAX_ERRORS {
            details.push(TaskError { code, text, count: 1 });
        }
    }
    Some(details.into())
}

#[cfg(test)]
mod tests {
    use super::ListTasks;
    use crate::aliyun::op::samples::CLUSTER;
    use crate::model::{Page, Task, TaskStatus, TaskType};

    impl ListTasks {
        /// A sample, and the smallest body that answers it, without the outer braces.
        pub(in crate::aliyun::op) fn sample() -> (Self, &'static str) {
            (
                Self::archived(CLUSTER, 1),
                r#""Tasks": [{"TaskId": "t", "Status": "Processing", "TaskType": "AddComputes"}]"#,
            )
        }
    }

    fn decode(body: &str) -> super::Decoded<Page<Task>> {
        ListTasks::running("ehpc-hz-FYUr320001", 1).decode(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_sample_decodes_to_what_it_says() {
        let page = decode(include_str!("../../../tests/fixtures/api/ehpc_ListTasks.json")).value;
        assert_eq!((page.items.len(), page.total), (9, Some(9)));
        let create = &page.items[0];
        assert_eq!(
            (&create.task_type, &create.status),
            (&TaskType::CreateCluster, &TaskStatus::Success)
        );
        assert_eq!((create.current_step, create.steps), (Some(42), Some(42)));
        assert_eq!((create.errors, create.nodes), (Some(0), Some(1)));
        let delete = &page.items[3];
        assert_eq!(
            (&delete.status, delete.errors, delete.nodes),
            (&TaskStatus::Failed, Some(1), None)
        );
        assert_eq!(page.items[4].status, TaskStatus::PartialFail);
    }

    #[test]
    fn the_chinese_documents_words_fold_into_the_english_ones() {
        let page = decode(include_str!(
            "../../../tests/fixtures/api/ehpc_ListTasks.zh_enum_variants.json"
        ));
        assert_eq!(page.value.items[0].status, TaskStatus::Failed);
        assert_eq!(page.value.items[1].task_type, TaskType::ResetCompute);
        assert_eq!(page.unknown, []);
    }

    #[test]
    fn an_empty_list_is_empty_and_a_missing_one_is_an_error() {
        assert_eq!(
            decode(include_str!("../../../tests/fixtures/api/ehpc_ListTasks.empty.json"))
                .value
                .items,
            []
        );
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
        assert_eq!(
            (task.steps, task.current_step, task.errors, task.nodes),
            (Some(16), None, None, None)
        );
        assert_eq!((task.status.word(), task.status.label()), ("PAUSED", "unknown"));
        let expected = [("TaskType", "MoveCluster"), ("Status", "PAUSED")];
        assert_eq!(page.unknown, expected.map(|(field, word)| (field, word.to_owned())));
        assert_eq!((page.value.items.len(), page.value.entries, page.unreadable), (1, 3, 2));
    }

    #[test]
    fn errors_are_told_by_code_and_text_each_once_and_only_a_few() {
        let told = |errors: &str| {
            let page = decode(&format!(r#"{{"Tasks": [{{"TaskId": "t", "Errors": {errors}}}]}}"#));
            let told = page.value.items[0].error_details.iter().map(|error| {
                let text = error.text.as_ref().map_or("-", |text| text.text());
                let is_documented = error.text.as_ref().is_some_and(|text| text.is_documented());
                let mark = if is_documented { "!" } else { "" };
                format!("{} {text}{mark} {}", error.code.as_deref().unwrap_or("-"), error.count)
            });
            told.collect::<Vec<_>>()
        };
        let agent = r#"{"Code": "AgentError", "Message": "The agent service request failed."}"#;
        let text =
            format!(r#""[{0}, {0}, {{\"Code\": \"X\"}}, 7, {{}}]""#, agent.replace('"', "\\\""));
        assert_eq!(told(&text), ["AgentError The agent service request failed.! 2", "X - 1"]);
        assert_eq!(told(&format!(r#"{{"Error": [{agent}]}}"#)).len(), 1);
        assert_eq!(told(r#"{"code": "A b", "message": "y"}"#), ["- y 1"], "that is no code");
        assert_eq!(told(r#"[{"Message": "null"}]"#), [""; 0]);
        let many: Vec<String> = (0..9).map(|code| format!(r#"{{"Code": "C{code}"}}"#)).collect();
        assert_eq!(told(&format!("[{}]", many.join(","))), ["C0 - 1", "C1 - 1", "C2 - 1"]);
        for none in ["null", "7", "[]", "\"soon\"", "{}"] {
            assert_eq!(told(none), [""; 0], "{none}");
        }
    }

    fn errors_and_nodes(errors: &str, result: &str) -> (Option<u64>, Option<u64>) {
        let task = format!(
            r#"{{"TaskId": "t", "TaskType": "AddComputes", "Errors": {errors}, "Result": {result}}}"#
        );
        let page = decode(&format!(r#"{{"Tasks": [{task}, {{"TaskId": "next"}}]}}"#));
        assert_eq!((page.value.items.len(), page.unreadable), (2, 0), "{errors} {result}");
        (page.value.items[0].errors, page.value.items[0].nodes)
    }

    #[test]
    fn what_is_not_understood_of_errors_and_nodes_is_absent_and_a_bare_object_is_one() {
        for (errors, count) in [
            ("\"[]\"", Some(0)),
            ("[]", Some(0)),
            (r#"{"Code": "X", "Message": "y"}"#, Some(1)),
            (r#""{\"Code\": \"X\"}""#, Some(1)),
            (r#"[{"Code": "X"}, "y", null]"#, Some(2)),
            (r#"{"Error": [{}, {}]}"#, Some(2)),
            (r#""disk \ud83d""#, None),
            (r#""[{\"Code\": \"\ud83d\"}]""#, Some(1)),
            ("[oops]", None),
            ("1e999", None),
            ("true", None),
            ("null", None),
            ("{}", None),
        ] {
            assert_eq!(errors_and_nodes(errors, "null").0, count, "{errors}");
        }
        for (result, count) in [
            (r#"{"Instances": [1, 2]}"#, Some(2)),
            (r#""{\"Instances\": [1]}""#, Some(1)),
            (r#""{\\\"Instances\\\": [1]}""#, Some(1)),
            (r#"{"Instances": {"Id": "i-1"}}"#, Some(1)),
            (r#"{"instances": "[1, 2, 3]"}"#, Some(3)),
            (r#"{"Instances": 7}"#, None),
            (r#"[{"Id": "i-1"}]"#, None),
            ("{}", None),
        ] {
            assert_eq!(errors_and_nodes("null", result).1, count, "{result}");
        }
    }
}
