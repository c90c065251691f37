//! Fleets of targets for benchmarks, with ids and readings that look like the cloud's.

// Each benchmark uses only a part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{Commands, InvocationWindow, Metrics, TaskWindow};
use aliyun_task_exporter::exposition::Exposition;
use aliyun_task_exporter::model::*;
use aliyun_task_exporter::store::{PollEnd, Store, View};
use aliyun_task_exporter::target::{Kind, Scope, Target, TargetId};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use smol_str::SmolStr;

/// When the fleet is first read, in seconds since 1970.
const START: i64 = 1_790_000_000;
/// Things per target: about a hundred series.
pub const THINGS: usize = 7;

const INVOCATION_NAMES: [&str; 8] = [
    "backup-database",
    "rotate-logs",
    "renew-certificates",
    "sync-assets",
    "health-check",
    "clean-docker",
    "update-packages",
    "report-usage",
];

/// Targets, and what was read of each.
pub struct Fleet {
    pub targets: Vec<Arc<Target>>,
    readings: Vec<Reading>,
    random: SmallRng,
}

/// The store of a fleet, and its `/metrics`.
pub struct Exporter {
    pub store: Arc<Store>,
    pub exposition: Arc<Exposition>,
}

impl Exporter {
    /// An exporter without any readings.
    pub fn new() -> Self {
        let store = Arc::new(Store::default());
        Self { exposition: Arc::new(Exposition::new(Arc::clone(&store), metrics())), store }
    }

    /// Records a successful poll with this reading, and renders it at once like the polling thread.
    fn polled(&self, id: &TargetId, reading: Option<Reading>, seconds: i64) {
        if let Some(reading) = reading {
            self.store.record(id, reading, moment(seconds));
        }
        self.store.poll_ended(id, end(seconds));
        self.exposition.update(moment(seconds));
    }
}

/// Settings under which nothing is left out.
pub fn metrics() -> Metrics {
    Metrics { max_series: usize::MAX, max_series_per_target: usize::MAX, ..Metrics::default() }
}

/// Seconds after the fleet was first read.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// The same by both clocks.
pub fn moment(seconds: i64) -> Moment {
    Moment { wall: at(seconds), boot: SignedDuration::from_secs(seconds) }
}

/// A successful poll.
fn end(seconds: i64) -> PollEnd {
    PollEnd {
        lists: ListState::default(),
        failure: None,
        ended: moment(seconds),
        took: Duration::from_micros(123_456 + 7 * seconds as u64),
        next: at(seconds + 30),
        stale_after: Duration::from_secs(1_000_000_000),
    }
}

/// Polls a target that only the store knows; nothing has changed.
pub fn poll_again(exporter: &Exporter, view: &View, seconds: i64) {
    let reading = view.reading.as_ref().map(|reading| (**reading).clone());
    exporter.polled(&view.target.id, reading, seconds);
}

impl Fleet {
    /// A number of targets, two thirds of them servers and one third clusters, with `things`
    /// invocations, tasks or commands each.
    pub fn new(targets: usize, things: usize) -> Self {
        let mut fleet =
            Self { targets: Vec::new(), readings: Vec::new(), random: SmallRng::seed_from_u64(7) };
        for index in 0..targets {
            let (target, reading) = match index % 6 {
                0 => fleet.tasks(things),
                3 => fleet.commands(things),
                _ => fleet.server(things),
            };
            fleet.targets.push(Arc::new(target));
            fleet.readings.push(reading);
        }
        fleet
    }

    /// An exporter that has read all of it once.
    pub fn exporter(&self) -> Exporter {
        let exporter = Exporter::new();
        exporter.store.retarget(self.targets.clone());
        for index in 0..self.targets.len() {
            self.poll(&exporter, index, 0);
        }
        exporter
    }

    /// Moves all readings into an exporter.
    pub fn give(self, exporter: &Exporter) {
        exporter.store.retarget(self.targets.clone());
        for (target, reading) in self.targets.iter().zip(self.readings) {
            exporter.polled(&target.id, Some(reading), 0);
        }
    }

    /// Polls an unchanged target, some seconds after the start.
    pub fn poll(&self, exporter: &Exporter, index: usize, seconds: i64) {
        exporter.polled(&self.targets[index].id, Some(self.readings[index].clone()), seconds);
    }

    /// Randomly chosen targets, a percentage of all.
    pub fn some(&mut self, percent: usize) -> Vec<usize> {
        let count = (self.targets.len() * percent / 100).max(1);
        rand::seq::index::sample(&mut self.random, self.targets.len(), count).into_vec()
    }

    /// Changes something of a target.
    pub fn change(&mut self, index: usize, seconds: i64) {
        match &mut self.readings[index] {
            Reading::EhpcTasks(reading) => {
                let seen = &mut reading.tasks[0];
                let task = Arc::make_mut(&mut seen.task);
                task.current_step = Some(task.current_step.unwrap_or(0) + 1);
                seen.last_progress = at(seconds);
            }
            Reading::EhpcInvocations(reading) => {
                let invocation = Arc::make_mut(&mut reading.commands[0].invocation);
                for status in invocation.nodes.values_mut() {
                    let running = *status == InvokeStatus::Running;
                    *status = if running { InvokeStatus::Finished } else { InvokeStatus::Running };
                }
            }
            Reading::SwasInvocations(reading) => end_a_run(reading, seconds),
            Reading::Discovery(_) => {}
        }
    }

    fn server(&mut self, things: usize) -> (Target, Reading) {
        let id: String = format!("{:032x}", self.random.random::<u128>());
        let mut reading = SwasInvocationsReading::default();
        for index in 0..things as i64 {
            let name: SmolStr = INVOCATION_NAMES[self.random.random_range(0..3)].into();
            let began = at(-60 - index * 600 - self.random.random_range(0..300));
            let open = index == 0;
            let invocation = Invocation {
                id: self.word("t-hz0").into(),
                command_name: name.clone(),
                command_type: CommandType::RunShellScript,
                status: if open { InvocationStatus::Running } else { InvocationStatus::Success },
                record: Some(if open { InvokeStatus::Running } else { InvokeStatus::Finished }),
                created: Some(began),
            };
            let result = (!open).then(|| result(began));
            if let Some(ended) = result.as_ref().and_then(|result| result.finished)
                && reading.job(&name).is_none()
            {
                set_job(&mut reading, job(name, began, ended));
            }
            reading.invocations.push(SeenSwasInvocation {
                invocation: Arc::new(invocation),
                result: result.map(Arc::new),
                timing: None,
            });
        }
        (
            self.target(
                Kind::SwasInvocations,
                id,
                Scope::SwasInvocations(InvocationWindow::default()),
            ),
            Reading::SwasInvocations(reading),
        )
    }

    fn tasks(&mut self, things: usize) -> (Target, Reading) {
        let id = format!("ehpc-hz-{}", &self.word("")[..10]);
        let mut reading = EhpcTasksReading::default();
        for index in 0..things as i64 {
            let began = at(-60 - index * 3600 - self.random.random_range(0..3000));
            let open = index == 0;
            let task = Task {
                id: self.uuid().into(),
                task_type: TaskType::KNOWN[self.random.random_range(0..9)].clone(),
                status: if open { TaskStatus::Processing } else { TaskStatus::Success },
                current_step: Some(if open { 2 } else { 7 }),
                steps: Some(7),
                errors: Some(0),
                error_details: Arc::default(),
                nodes: Some(4),
            };
            let ended = began + Duration::from_secs(self.random.random_range(30..900));
            let finished = (!open).then_some(ended);
            reading.tasks.push(SeenEhpcTask {
                task: Arc::new(task),
                first_seen: began,
                last_progress: ended,
                finished,
                first_step: Some(1),
            });
        }
        (
            self.target(Kind::EhpcTasks, id, Scope::EhpcTasks(TaskWindow::default())),
            Reading::EhpcTasks(reading),
        )
    }

    fn commands(&mut self, things: usize) -> (Target, Reading) {
        let id = format!("ehpc-hz-{}", &self.word("")[..10]);
        let mut reading = EhpcInvocationsReading::default();
        for index in 0..things {
            let status = if index == 0 { InvokeStatus::Running } else { InvokeStatus::Finished };
            let nodes: BTreeMap<SmolStr, InvokeStatus> =
                (0..4).map(|_| (self.word("i-uf6").into(), status.clone())).collect();
            reading.commands.push(SeenEhpcInvocation {
                timing: None,
                id: self.word("c-hz0").into(),
                invocation: Arc::new(NodeStatuses { status, nodes }),
                results: (index > 0).then(Arc::default),
                is_outstanding: false,
                end_seen: None,
            });
        }
        let scope =
            Scope::EhpcInvocations(Commands { ids: Vec::new(), discover: things, per_node: false });
        (self.target(Kind::EhpcInvocations, id, scope), Reading::EhpcInvocations(reading))
    }

    fn target(&mut self, kind: Kind, id: String, scope: Scope) -> Target {
        let name = format!(
            "{}-{}",
            ["web", "batch", "render"][self.random.random_range(0..3)],
            &id[id.len() - 4..]
        );
        let regions = ["cn-hangzhou", "cn-shanghai", "cn-beijing", "ap-southeast-1"];
        Target {
            id: TargetId { kind, id: id.into() },
            account: "production".into(),
            quota_group: "production".into(),
            region: regions[self.random.random_range(0..4)].into(),
            name: name.into(),
            scope,
        }
    }

    /// A prefix and twelve letters or digits.
    fn word(&mut self, prefix: &str) -> String {
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let word = (0..12).map(|_| char::from(digits[self.random.random_range(0..36)]));
        prefix.chars().chain(word).collect()
    }

    /// A UUID in capitals.
    fn uuid(&mut self) -> String {
        let digits = format!("{:032X}", self.random.random::<u128>());
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }
}

/// The result of an invocation that started at `began`.
fn result(began: Timestamp) -> InvocationResult {
    InvocationResult {
        status: InvocationStatus::Success,
        record: Some(InvokeStatus::Finished),
        exit_code: Some(0),
        error: None,
        error_text: None,
        started: Some(began + Duration::from_secs(1)),
        finished: Some(began + Duration::from_secs(42)),
    }
}

/// A job whose newest invocation succeeded.
fn job(name: SmolStr, created: Timestamp, finished: Timestamp) -> Job {
    let last = LastInvocation {
        status: InvocationStatus::Success,
        exit_code: Some(0),
        finished: Some(finished),
    };
    Job {
        name,
        last: Some(last),
        succeeded: Some(finished),
        created: Some(created),
        interval: Some(Duration::from_mins(10)),
    }
}

/// Replaces what is known about a command name.
fn set_job(reading: &mut SwasInvocationsReading, job: Job) {
    let jobs = Arc::make_mut(&mut reading.jobs);
    match jobs.binary_search_by(|known| known.name.cmp(&job.name)) {
        Ok(place) => jobs[place] = job,
        Err(place) => jobs.insert(place, job),
    }
}

/// Ends the newest invocation, or starts it again if it has ended.
fn end_a_run(reading: &mut SwasInvocationsReading, seconds: i64) {
    let seen = &mut reading.invocations[0];
    let invocation = Arc::make_mut(&mut seen.invocation);
    if seen.result.take().is_some() {
        invocation.status = InvocationStatus::Running;
        invocation.record = Some(InvokeStatus::Running);
        return;
    }
    invocation.status = InvocationStatus::Success;
    invocation.record = Some(InvokeStatus::Finished);
    let ended = result(at(seconds));
    if let (Some(created), Some(finished)) = (invocation.created, ended.finished) {
        let job = job(invocation.command_name.clone(), created, finished);
        seen.result = Some(Arc::new(ended));
        set_job(reading, job);
    }
    *reading.finished.entry(InvocationStatus::Success).or_default() += 1;
}
