//! Progress of the clusters' tasks.

use jiff::Timestamp;
use maud::{Markup, html};

use super::clusters::{self, Cluster, Words};
use super::parts::{Tone, marked, nothing, status};
use super::time::{ago, exact, since};
use crate::model::{Reading, SeenEhpcTask, Task, TaskStatus};
use crate::store::View;

const WORDS: Words = Words { id: "tasks", title: "E-HPC tasks", singular: "task", plural: "tasks" };

/// The section for `views`, which are all of this kind.
pub(super) fn section(views: &[&View], now: Timestamp) -> Markup {
    let clusters = views.iter().filter_map(|view| match view.reading.as_deref() {
        Some(Reading::EhpcTasks(reading)) => Some(Cluster::new(view, &reading.tasks, judge)),
        _ => None,
    });
    clusters::section(WORDS, views, clusters.collect(), now, |caption, rows| {
        table(caption, rows, now)
    })
}

fn table(caption: &str, rows: &[&SeenEhpcTask], now: Timestamp) -> Markup {
    html! {
        table.tasks {
            caption.sr { (caption) }
            thead {
                tr {
                    th scope="col" { "Task" }
                    th scope="col" { "Status" }
                    th scope="col" { "Progress" }
                    th scope="col" { "Last step" }
                    th scope="col" { "Seen for" }
                    th.number scope="col" { "Errors" }
                }
            }
            tbody { @for seen in rows { (row(seen, now)) } }
        }
    }
}

fn row(seen: &SeenEhpcTask, now: Timestamp) -> Markup {
    let task = &seen.task;
    html! {
        tr {
            th scope="row" {
                span.main { (marked(task.task_type.word(), task.task_type.unknown_word().is_none())) }
                span.sub { code { (task.id) } }
            }
            td data-label="Status" { (status(tone(&task.status), task.status.word())) }
            td.progress data-label="Progress" { (progress(task)) }
            td data-label="Last step" { (last_step(seen, now)) }
            td data-label="Seen for" { (seen_for(seen, now)) }
            td.number data-label="Errors" {
                @match task.errors { None => (nothing()), Some(0) => "0", Some(errors) => strong.loud { (errors) } }
            }
        }
    }
}

/// Whether it is open, and its tone.
pub(super) fn judge(seen: &SeenEhpcTask) -> (bool, Tone) {
    (seen.task.status.is_open(), tone(&seen.task.status))
}

/// The tone of a task's status.
fn tone(status: &TaskStatus) -> Tone {
    match status {
        TaskStatus::Processing => Tone::Active,
        TaskStatus::Success => Tone::Good,
        TaskStatus::Failed => Tone::Bad,
        TaskStatus::PartialFail => Tone::Warn,
        TaskStatus::Unknown(_) => Tone::Unknown,
    }
}

/// A bar if both numbers make sense, and the numbers as they were sent.
fn progress(task: &Task) -> Markup {
    let class = tone(&task.status).class();
    html! {
        @match (task.current_step, task.steps) {
            (Some(current), Some(steps)) if steps > 0 => {
                progress.(class) value=(current.clamp(0, steps)) max=(steps) { (current) " of " (steps) }
                span.steps { (current) "/" (steps) }
            }
            (current, steps) => span.steps { (word(current)) "/" (word(steps)) },
        }
        @if let Some(nodes) = task.nodes { span.sub { (nodes) @if nodes == 1 { " node" } @else { " nodes" } } }
    }
}

fn word(step: Option<i64>) -> String {
    step.map_or_else(|| "?".to_owned(), |step| step.to_string())
}

fn seen_for(seen: &SeenEhpcTask, now: Timestamp) -> Markup {
    html! {
        @if seen.task.status.is_open() {
            (since(seen.first_seen, now))
        } @else if let Some(finished) = seen.finished {
            (exact(finished.duration_since(seen.first_seen)))
            span.sub { "ended " (ago(finished, now)) }
        } @else {
            span.sub { "ended unwatched" }
        }
    }
}

/// When a task last moved; unknown for a task that was never seen open.
fn last_step(seen: &SeenEhpcTask, now: Timestamp) -> Markup {
    let watched = seen.task.status.is_open() || seen.finished.is_some();
    if watched { ago(seen.last_progress, now) } else { nothing() }
}

#[cfg(test)]
mod tests {
    use super::progress;
    use crate::model::{Task, TaskStatus, TaskType};

    fn drawn(current_step: Option<i64>, steps: Option<i64>) -> String {
        let task_type = TaskType::AddComputes;
        let status = TaskStatus::Processing;
        let task = Task {
            id: "t".into(),
            task_type,
            status,
            current_step,
            steps,
            errors: None,
            error_details: Default::default(),
            nodes: None,
        };
        progress(&task).into_string()
    }

    #[test]
    fn a_bar_is_drawn_only_where_the_numbers_make_one() {
        assert!(drawn(Some(5), Some(17)).contains(r#"value="5" max="17""#));
        for (current, steps) in
            [(Some(0), Some(0)), (None, Some(3)), (Some(1), None), (Some(1), Some(-1))]
        {
            assert!(!drawn(current, steps).contains("<progress"), "{current:?} of {steps:?}");
        }
        assert!(drawn(None, Some(3)).contains("?/3"));
        assert!(drawn(Some(0), Some(0)).contains("0/0"));
    }

    #[test]
    fn a_step_beyond_the_last_fills_the_bar_and_is_told_as_sent() {
        let html = drawn(Some(18), Some(17));
        assert!(html.contains(r#"value="17" max="17""#) && html.contains("18/17"), "{html}");
        let html = drawn(Some(-1), Some(17));
        assert!(html.contains(r#"value="0" max="17""#) && html.contains("-1/17"), "{html}");
    }
}
