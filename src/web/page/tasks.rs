//! Progress of tasks.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::context::Context;
use super::parts::{Tone, id, marked, nothing, status};
use crate::model::{SeenEhpcTask, Task, TaskStatus};
use crate::web::status::{Thing, encoded, shown_text};

/// Steps that must have been seen before an end is guessed.
const STEPS_SEEN: i64 = 3;

/// A table of a cluster's tasks.
pub(super) fn table(cx: &Context<'_>, rows: &[&SeenEhpcTask]) -> Markup {
    let t = cx.t;
    html! {
        table.tasks {
            caption.sr { (t.tasks) }
            thead {
                tr {
                    th scope="col" { (t.task) }
                    th scope="col" { (t.status) }
                    th scope="col" { (t.progress) }
                    th scope="col" { (t.last_step) }
                    th scope="col" { (t.seen_for) }
                    th.number scope="col" { (t.errors) }
                }
            }
            tbody data-keyed { @for seen in rows { (row(cx, seen)) } }
        }
    }
}

fn row(cx: &Context<'_>, seen: &SeenEhpcTask) -> Markup {
    let t = cx.t;
    html! {
        tr #{ "task-" (encoded(&seen.task.id)) } {
            th scope="row" { (name(cx, &seen.task)) }
            td data-label=(t.status) { (status(t, tone(&seen.task.status), seen.task.status.word())) }
            td.progress data-label=(t.progress) { (progress(cx, seen)) }
            td data-label=(t.last_step) { (last_step(cx, seen)) }
            td data-label=(t.seen_for) { (seen_for(cx, seen)) }
            td.number data-label=(t.errors) { (errors(cx, &seen.task)) }
        }
    }
}

/// Type and id of a task.
pub(super) fn name(cx: &Context<'_>, task: &Task) -> Markup {
    let word = task.task_type.word();
    html! {
        span.main title=(word) { (marked(cx.t, word, task.task_type.unknown_word().is_none())) }
        span.sub { (id(&task.id)) }
    }
}

/// The number of a task's errors, and what they say.
fn errors(cx: &Context<'_>, task: &Task) -> Markup {
    html! {
        @match task.errors { None => (nothing(cx.t)), Some(0) => "0", Some(errors) => strong.loud { (errors) } }
        (error_details(cx, task))
    }
}

/// What a task's errors say, each once.
pub(super) fn error_details(cx: &Context<'_>, task: &Task) -> Markup {
    html! {
        @for error in task.error_details.iter() {
            span.sub lang="en" {
                (error.code.as_deref().unwrap_or("-"))
                @if error.count > 1 { " × " (error.count) }
                @if let Some(text) = shown_text(error.text.as_deref(), cx.facts.error_texts) { ": " (text) }
            }
        }
    }
}

/// The tone of a task's status.
pub(super) fn tone(status: &TaskStatus) -> Tone {
    match status {
        TaskStatus::Processing => Tone::Active,
        TaskStatus::Success => Tone::Good,
        TaskStatus::Failed | TaskStatus::PartialFail => Tone::Bad,
        TaskStatus::Unknown(_) => Tone::Unknown,
    }
}

/// A bar if both numbers make sense, the numbers as they were sent, and a guess of the end.
pub(super) fn progress(cx: &Context<'_>, seen: &SeenEhpcTask) -> Markup {
    let t = cx.t;
    let task = &seen.task;
    let class = tone(&task.status).class();
    html! {
        @match (task.current_step, task.steps) {
            (Some(current), Some(steps)) if steps > 0 => {
                progress.(class) value=(current.clamp(0, steps)) max=(steps) aria-label=(t.progress) { (current) "/" (steps) }
                span.steps { (current) "/" (steps) }
            }
            (current, steps) => span.steps { (word(current)) "/" (word(steps)) },
        }
        @if Thing::Task(seen).is_stuck(cx.now) { span.sub.loud { (t.no_step) (cx.since(seen.last_progress)) } }
        @else if let Some(end) = guess(seen, cx.now) { span.sub.guess title=(t.guess_is) { (t.guess) (cx.ago(end)) } }
        @else if let Some(nodes) = task.nodes { span.sub { ((t.count_nodes)(nodes)) } }
    }
}

/// When a task might end: as if each step took as long as those that were seen. None before that
/// many were seen, and none for a task that is later than it should be.
fn guess(seen: &SeenEhpcTask, now: Timestamp) -> Option<Timestamp> {
    let Task { current_step, steps, status, .. } = &*seen.task;
    let current = current_step.as_ref()?;
    let steps = steps.as_ref()?;
    let first = seen.first_step?;
    let passed = current.checked_sub(first).filter(|passed| *passed >= STEPS_SEEN)?;
    let left = steps.checked_sub(*current).filter(|left| *left > 0)?;
    if *status != TaskStatus::Processing {
        return None;
    }
    let took = seen.last_progress.duration_since(seen.first_seen).as_secs_f64();
    let rest = SignedDuration::try_from_secs_f64(took / passed as f64 * left as f64).ok()?;
    let end = seen.last_progress.checked_add(rest).ok()?;
    (end > now).then_some(end)
}

fn word(step: Option<i64>) -> String {
    step.map_or_else(|| "?".to_owned(), |step| step.to_string())
}

fn seen_for(cx: &Context<'_>, seen: &SeenEhpcTask) -> Markup {
    html! {
        @if seen.task.status.is_open() {
            (cx.since(seen.first_seen))
        } @else if let Some(finished) = seen.finished {
            (cx.exact(finished.duration_since(seen.first_seen)))
            span.sub { (cx.t.ended) " " (cx.ago(finished)) }
        } @else {
            span.sub { (cx.t.ended_unwatched) }
        }
    }
}

/// When a task last moved; unknown for a task that was never seen open.
fn last_step(cx: &Context<'_>, seen: &SeenEhpcTask) -> Markup {
    let watched = seen.task.status.is_open() || seen.finished.is_some();
    if watched { cx.ago(seen.last_progress) } else { nothing(cx.t) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{errors, guess, progress};
    use crate::model::{ErrorText, SeenEhpcTask, Task, TaskError, TaskStatus, TaskType};
    use crate::web::fixture::{at, facts};
    use crate::web::page::fixture::context;
    use crate::web::status::Facts;

    /// A task that was first seen at step 2, and last moved a minute later.
    fn seen(current_step: Option<i64>, steps: Option<i64>) -> SeenEhpcTask {
        let task = Task {
            id: "t".into(),
            task_type: TaskType::AddComputes,
            status: TaskStatus::Processing,
            current_step,
            steps,
            errors: None,
            error_details: Default::default(),
            nodes: None,
        };
        SeenEhpcTask {
            task: Arc::new(task),
            first_seen: at(0),
            last_progress: at(60),
            finished: None,
            first_step: Some(2),
        }
    }

    fn drawn(current_step: Option<i64>, steps: Option<i64>) -> String {
        progress(&context(&facts(vec![])), &seen(current_step, steps)).into_string()
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

    #[test]
    fn an_end_is_guessed_once_three_steps_were_seen_and_called_a_guess() {
        assert_eq!(guess(&seen(Some(4), Some(8)), at(61)), None, "two steps");
        assert_eq!(guess(&seen(Some(5), Some(8)), at(61)), Some(at(120)), "20 s each");
        assert_eq!(guess(&seen(Some(5), Some(8)), at(121)), None, "it is late");
        assert_eq!(guess(&seen(Some(8), Some(8)), at(61)), None);
        assert_eq!(guess(&seen(Some(i64::MAX), Some(i64::MIN)), at(61)), None);
        let mut ended = seen(Some(5), Some(8));
        Arc::make_mut(&mut ended.task).status = TaskStatus::Failed;
        assert_eq!(guess(&ended, at(61)), None);
        let unknown = SeenEhpcTask { first_step: None, ..seen(Some(7), Some(8)) };
        assert_eq!(guess(&unknown, at(61)), None);
        assert!(drawn(Some(5), Some(8)).contains("guessed end: <time"));
    }

    #[test]
    fn errors_have_their_codes_and_undocumented_texts_only_on_request() {
        let error = |code: &str, text: &str, documented, count| TaskError {
            code: Some(code.into()),
            text: Some(Arc::new(ErrorText::new(text, documented))),
            count,
        };
        let mut task = Arc::unwrap_or_clone(seen(None, None).task);
        task.errors = Some(3);
        task.error_details =
            vec![error("NoStock", "The <zone> is out", true, 2), error("Own", "rm -rf", false, 1)]
                .into();
        let drawn = |error_texts| {
            let facts = Facts { error_texts, ..facts(vec![]) };
            errors(&context(&facts), &task).into_string()
        };
        let html = drawn(false);
        assert!(html.contains("NoStock × 2: The &lt;zone&gt; is out"), "{html}");
        assert!(html.contains(">Own<") && !html.contains("rm -rf"), "{html}");
        assert!(drawn(true).contains("Own: rm -rf"));
    }
}
