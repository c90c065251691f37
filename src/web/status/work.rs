//! What runs on the targets, and what has failed lately.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use smol_str::SmolStr;

use super::rows::finished;
use crate::model::{
    InvocationStatus, Job, POWER_EXIT_CODES, Reading, SeenEhpcInvocation, SeenEhpcTask,
    SeenSwasInvocation, TaskStatus,
};
use crate::store::View;

/// How long ago something may have failed to have failed lately.
const LATELY: SignedDuration = SignedDuration::from_hours(24);
/// How long a task that is stuck has not reached another step, as in AliyunTaskEhpcTaskStuck.
const STUCK: SignedDuration = SignedDuration::from_hours(1);

/// A task, a command on its nodes, or an invocation.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) enum Thing<'a> {
    /// A task of an E-HPC cluster.
    Task(&'a SeenEhpcTask),
    /// A command of an E-HPC cluster.
    Command(&'a SeenEhpcInvocation),
    /// An invocation on a Simple Application Server.
    Invocation(&'a SeenSwasInvocation),
}

impl<'a> Thing<'a> {
    /// TaskId, CommandId or InvokeId.
    pub(in crate::web) fn id(self) -> &'a str {
        match self {
            Self::Task(seen) => &seen.task.id,
            Self::Command(seen) => &seen.id,
            Self::Invocation(seen) => &seen.invocation.id,
        }
    }

    /// What it is called: TaskType, CommandId or CommandName.
    pub(in crate::web) fn name(self) -> &'a str {
        match self {
            Self::Task(seen) => seen.task.task_type.word(),
            Self::Command(seen) => &seen.id,
            Self::Invocation(seen) => &seen.invocation.command_name,
        }
    }

    /// Whether it may still change.
    pub(in crate::web) fn is_open(self) -> bool {
        match self {
            Self::Task(seen) => seen.task.status.is_open(),
            Self::Command(seen) => seen.invocation.is_open(),
            Self::Invocation(seen) => seen.invocation.is_open(),
        }
    }

    /// Whether it is a task that goes on without reaching another step.
    pub(in crate::web) fn is_stuck(self, now: Timestamp) -> bool {
        matches!(self, Self::Task(seen) if seen.task.status == TaskStatus::Processing
            && now.duration_since(seen.last_progress) > STUCK)
    }

    /// Whether its status is a word that this version does not know.
    pub(in crate::web) fn is_unknown(self) -> bool {
        match self {
            Self::Task(seen) => seen.task.status.unknown_word().is_some(),
            Self::Command(seen) => seen.invocation.status.unknown_word().is_some(),
            Self::Invocation(seen) => seen.invocation.status.unknown_word().is_some(),
        }
    }

    /// Whether it has ended in failure, a command if it did so on any node; being stopped on
    /// request is no failure.
    pub(in crate::web) fn has_failed(self) -> bool {
        match self {
            Self::Task(seen) => seen.task.status.is_failure(),
            Self::Command(seen) => {
                !seen.invocation.is_open()
                    && (seen.invocation.status.is_failure() || seen.failed_nodes() > 0)
            }
            Self::Invocation(seen) => {
                seen.invocation.status.is_failure() || exited_in_failure(seen)
            }
        }
    }

    /// When it began, as far as that is known.
    pub(in crate::web) fn began(self) -> Option<Timestamp> {
        match self {
            Self::Task(seen) => Some(seen.first_seen),
            Self::Command(_) => None,
            Self::Invocation(seen) => {
                let started = seen.result.as_ref().and_then(|result| result.started);
                started.or(seen.invocation.created)
            }
        }
    }

    /// When it ended; for an invocation of which no end is known, when it was created.
    pub(in crate::web) fn ended(self) -> Option<Timestamp> {
        match self {
            Self::Task(seen) => seen.finished,
            Self::Command(seen) => finished(seen).or(seen.end_seen),
            Self::Invocation(seen) => {
                let finished = seen.result.as_ref().and_then(|result| result.finished);
                finished.or(seen.invocation.created)
            }
        }
    }
}

/// A success with an exit code other than 0.
fn exited_in_failure(seen: &SeenSwasInvocation) -> bool {
    let code = seen.result.as_ref().and_then(|result| result.exit_code);
    seen.invocation.status == InvocationStatus::Success
        && code.is_some_and(|code| code != 0 && !POWER_EXIT_CODES.contains(&code))
}

/// Everything on a target.
pub(in crate::web) fn things(view: &View) -> impl Iterator<Item = Thing<'_>> {
    let tasks = view.each(Reading::tasks).map(Thing::Task);
    let commands = view.each(Reading::commands).map(Thing::Command);
    let invocations = view.each(Reading::invocations).map(Thing::Invocation);
    tasks.chain(commands).chain(invocations)
}

/// Number of things by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Counts {
    /// Still open.
    pub(in crate::web) running: usize,
    /// Ended, successfully or not.
    pub(in crate::web) ended: usize,
    /// Ended in failure.
    pub(in crate::web) failed: usize,
    /// In a state that this version does not know.
    pub(in crate::web) unknown: usize,
}

impl Counts {
    fn count(&mut self, thing: Thing<'_>, is_open: bool, has_failed: bool) {
        match (thing.is_unknown(), is_open) {
            (true, _) => self.unknown += 1,
            (false, true) => self.running += 1,
            (false, false) => self.ended += 1,
        }
        self.failed += usize::from(has_failed);
    }
}

/// Where something is: a target's place in `Facts::views`, and its own among the target's things.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Found {
    /// The target's place.
    pub(in crate::web) view: usize,
    thing: usize,
    /// When it began if it is open, or ended.
    pub(in crate::web) at: Option<Timestamp>,
    /// Whether its command has succeeded on the same server since.
    pub(in crate::web) is_mended: bool,
}

/// What a target is working on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Counted {
    /// Open things.
    pub(in crate::web) running: usize,
    /// What has failed lately and has not succeeded since.
    pub(in crate::web) failed: usize,
}

/// What runs on all targets, and what has failed lately.
#[derive(Debug, Default)]
pub(in crate::web) struct Work {
    /// What is open, the longest first.
    pub(in crate::web) running: Vec<Found>,
    /// What has failed lately, the newest first.
    pub(in crate::web) failed: Vec<Found>,
    /// Number of tasks that are stuck.
    pub(in crate::web) stuck: usize,
    /// Jobs that ran regularly and no longer do, each with its target's place.
    pub(in crate::web) overdue: Vec<(usize, SmolStr)>,
    /// Tasks, commands and invocations that are listed.
    pub(in crate::web) counts: [Counts; 3],
    by_target: Vec<Counted>,
}

impl Work {
    /// The work of all targets at `now`.
    pub(in crate::web) fn of_all(views: &[View], now: Timestamp) -> Self {
        let mut work = Self { by_target: Vec::with_capacity(views.len()), ..Self::default() };
        for (place, view) in views.iter().enumerate() {
            work.by_target.push(Counted::default());
            for (number, thing) in things(view).enumerate() {
                work.add(place, view, number, thing, now);
            }
            let overdue = overdue(view, now).map(|job| (place, job.name.clone()));
            work.overdue.extend(overdue);
        }
        work.running.sort_by_key(|found| (found.at.is_none(), found.at));
        work.failed.sort_by_key(|found| Reverse(found.at));
        work
    }

    fn add(&mut self, view: usize, of: &View, thing: usize, it: Thing<'_>, now: Timestamp) {
        let is_open = it.is_open();
        let has_failed = it.has_failed();
        let kind = match it {
            Thing::Task(_) => 0,
            Thing::Command(_) => 1,
            Thing::Invocation(_) => 2,
        };
        self.counts[kind].count(it, is_open, has_failed);
        if is_open {
            self.by_target[view].running += 1;
            self.stuck += usize::from(it.is_stuck(now));
            self.running.push(Found { view, thing, at: it.began(), is_mended: false });
        } else if let Some(at) =
            it.ended().filter(|at| has_failed && now.duration_since(*at) < LATELY)
        {
            let is_mended = is_mended(of, it, at);
            self.by_target[view].failed += usize::from(!is_mended);
            self.failed.push(Found { view, thing, at: Some(at), is_mended });
        }
    }

    /// What the target at `place` is working on.
    pub(in crate::web) fn of(&self, place: usize) -> Counted {
        self.by_target.get(place).copied().unwrap_or_default()
    }

    /// Number of things that have failed lately and have not succeeded since.
    pub(in crate::web) fn unmended(&self) -> usize {
        self.failed.iter().filter(|found| !found.is_mended).count()
    }
}

/// The jobs of a target that did not run.
fn overdue(view: &View, now: Timestamp) -> impl Iterator<Item = &Job> {
    let read = view.read_at;
    view.each(Reading::jobs).filter(move |job| read.is_some_and(|read| job.is_overdue(read, now)))
}

/// Whether the command of something that failed at `at` has succeeded since.
fn is_mended(view: &View, thing: Thing<'_>, at: Timestamp) -> bool {
    let Thing::Invocation(seen) = thing else { return false };
    let reading = view.reading.as_deref();
    let job = reading.and_then(|reading| reading.job(&seen.invocation.command_name));
    job.and_then(|job| job.succeeded).is_some_and(|succeeded| succeeded > at)
}

impl Found {
    /// The thing itself.
    pub(in crate::web) fn thing<'a>(&self, views: &'a [View]) -> Option<(&'a View, Thing<'a>)> {
        let view = views.get(self.view)?;
        Some((view, things(view).nth(self.thing)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Counted, Counts, Work};
    use crate::model::{Job, Reading};
    use crate::store::View;
    use crate::web::fixture::{at, cluster, server};

    fn with_success(view: View, name: &str, second: i64) -> View {
        let Some(Reading::SwasInvocations(reading)) = view.reading.as_deref() else { panic!() };
        let mut reading = reading.clone();
        let job = Job { name: name.into(), succeeded: Some(at(second)), ..Job::default() };
        reading.jobs = vec![job].into();
        View { reading: Some(Reading::SwasInvocations(reading).into()), ..view }
    }

    #[test]
    fn what_runs_and_what_failed_lately_is_found_and_what_was_stopped_is_no_failure() {
        let words = ["Running", "Failed", "Terminated", "Cancelled", "Timeout", "Dozing"];
        let invocations = words.map(|word| ("job", word));
        let views = [cluster("c", &["Processing", "Failed"]), server("s", &invocations)];
        let work = Work::of_all(&views, at(0));
        let names = |found: &[super::Found]| {
            let thing = |found: &super::Found| found.thing(&views).unwrap().1.id().to_owned();
            found.iter().map(thing).collect::<Vec<_>>()
        };
        assert_eq!(names(&work.running), ["task-0", "t-5", "t-0"], "the longest first");
        assert_eq!(names(&work.failed), ["t-1", "t-4"], "a task that ended unwatched has no time");
        assert_eq!(work.of(0), Counted { running: 1, failed: 0 });
        assert_eq!(work.of(1), Counted { running: 2, failed: 2 });
        let invocations = Counts { running: 1, ended: 4, failed: 2, unknown: 1 };
        assert_eq!(work.counts[2], invocations);
        assert!(Work::of_all(&views, at(90_000)).failed.is_empty(), "a day later");
    }

    #[test]
    fn a_task_without_a_step_for_an_hour_is_stuck_and_a_regular_job_that_stopped_is_overdue() {
        let Some(Reading::SwasInvocations(mut reading)) =
            server("s", &[]).reading.as_deref().cloned()
        else {
            panic!()
        };
        let job = |(name, created): (&str, i64)| Job {
            name: name.into(),
            created: Some(at(created)),
            interval: Some(std::time::Duration::from_secs(600)),
            ..Job::default()
        };
        let jobs = [("in time", 3600), ("late", 0), ("retired", -90_000)];
        reading.jobs = Arc::new(jobs.map(job).into());
        let view = View {
            reading: Some(Reading::SwasInvocations(reading).into()),
            read_at: Some(at(3601)),
            ..server("s", &[])
        };
        let views = [cluster("c", &["Processing", "Failed"]), view];
        let work = Work::of_all(&views, at(3601));
        assert_eq!((work.stuck, work.overdue), (1, vec![(1, "late".into())]));
        let early = Work::of_all(&views, at(3590));
        assert_eq!(early.stuck, 0);
    }

    #[test]
    fn what_has_succeeded_since_is_mended() {
        let failed = server("s", &[("a", "Failed"), ("b", "Failed")]);
        let work = Work::of_all(&[with_success(failed, "a", 1)], at(2));
        assert_eq!((work.failed.len(), work.unmended()), (2, 1));
        assert!(work.failed[0].is_mended && !work.failed[1].is_mended);
    }
}
