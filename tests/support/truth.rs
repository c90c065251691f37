//! Compares what is shown with what is true.

use std::collections::{BTreeMap, BTreeSet};

use aliyun_task_exporter::config::SwasStrategy;
use aliyun_task_exporter::model::{
    InvocationResult, Reading, SeenEhpcInvocation, SeenEhpcTask, SeenSwasInvocation,
};
use aliyun_task_exporter::target::{Kind, TargetId};
use jiff::Timestamp;
use serde_json::Value;

use super::harness::Harness;

/// The items of a JSON list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Ends that were seen: ids and final statuses.
pub type Ends = BTreeSet<(String, String)>;

/// Each thing in a target's part of the truth: its id and status.
pub fn things<'a>(truth: &'a Value, target: &TargetId) -> impl Iterator<Item = (&'a str, &'a str)> {
    let (owners, things) = match target.kind {
        Kind::EhpcTasks => ("clusters", "tasks"),
        Kind::EhpcInvocations => ("clusters", "commands"),
        Kind::SwasInvocations | Kind::SwasRegion => ("servers", "invocations"),
        Kind::Discovery => panic!("{target:?} is no thing's owner"),
    };
    let owner =
        list(&truth[owners]).iter().find(|owner| *target.id == *text(&owner["id"])).unwrap();
    list(&owner[things]).iter().map(|thing| (text(&thing["id"]), text(&thing["status"])))
}

/// Whether a status is an open one.
pub fn is_open(status: &str) -> bool {
    ["Processing", "Running", "Pending", "Stopping"].contains(&status)
}

/// What has ended, in a target's part of the truth.
pub fn ended(truth: &Value, target: &TargetId) -> Ends {
    let ended = things(truth, target).filter(|(_, status)| !is_open(status));
    ended.map(|(id, status)| (id.to_owned(), status.to_owned())).collect()
}

/// Number of things with each final status.
pub fn by_word<'a>(ends: impl IntoIterator<Item = &'a (String, String)>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (_, word) in ends {
        *counts.entry(word.clone()).or_default() += 1;
    }
    counts
}

/// How many things of a target ended between its first and its last poll, by status.
pub fn truly_finished(harness: &Harness, target: &TargetId) -> BTreeMap<String, u64> {
    let polls: Vec<Timestamp> = harness
        .polled
        .iter()
        .filter(|poll| poll.target == *target)
        .map(|poll| poll.ended)
        .collect();
    let mut all = Ends::new();
    for time in &polls {
        all.extend(ended(&harness.sim.truth(*time), target));
    }
    by_word(all.difference(&ended(&harness.sim.truth(polls[0]), target)))
}

/// How many ends a reading has counted, by status.
pub fn finished(reading: &Reading) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut add = |word: &str, count: u64| *counts.entry(word.to_owned()).or_default() += count;
    match reading {
        Reading::EhpcTasks(tasks) => {
            for ((_, status), count) in &tasks.finished {
                add(status.word(), *count);
            }
        }
        Reading::EhpcInvocations(commands) => {
            for (status, count) in &commands.finished {
                add(status.word(), *count);
            }
        }
        Reading::SwasInvocations(invocations) => {
            invocations.finished.iter().for_each(|(status, count)| add(status.word(), *count))
        }
        Reading::Discovery(_) => {}
    }
    counts
}

/// The ids of everything that a reading shows.
pub fn shown(reading: &Reading) -> BTreeSet<String> {
    match reading {
        Reading::EhpcTasks(tasks) => {
            tasks.tasks.iter().map(|seen| seen.task.id.to_string()).collect()
        }
        Reading::EhpcInvocations(commands) => {
            commands.commands.iter().map(|seen| seen.id.to_string()).collect()
        }
        Reading::SwasInvocations(invocations) => {
            invocations.invocations.iter().map(|seen| seen.invocation.id.to_string()).collect()
        }
        Reading::Discovery(_) => BTreeSet::new(),
    }
}

/// The ids of what a reading shows as open.
pub fn open(reading: &Reading) -> BTreeSet<String> {
    match reading {
        Reading::EhpcTasks(tasks) => {
            let open = tasks.tasks.iter().filter(|seen| seen.task.status.is_open());
            open.map(|seen| seen.task.id.to_string()).collect()
        }
        Reading::EhpcInvocations(commands) => {
            let open = commands.commands.iter().filter(|seen| seen.invocation.is_open());
            open.map(|seen| seen.id.to_string()).collect()
        }
        Reading::SwasInvocations(invocations) => invocations
            .invocations
            .iter()
            .filter(|seen| seen.invocation.is_open())
            .map(|seen| seen.invocation.id.to_string())
            .collect(),
        Reading::Discovery(_) => BTreeSet::new(),
    }
}

/// Asserts that everything shown of a target that still exists has its result, however late that
/// came.
pub fn assert_results(truth: &Value, target: &TargetId, reading: &Reading) {
    let (owners, things) = if target.kind == Kind::EhpcInvocations {
        ("clusters", "commands")
    } else {
        ("servers", "invocations")
    };
    let owner = list(&truth[owners]).iter().find(|owner| *target.id == *text(&owner["id"]));
    let true_things: BTreeMap<&str, &Value> = owner
        .map_or(&[][..], |owner| list(&owner[things]))
        .iter()
        .map(|thing| (text(&thing["id"]), thing))
        .collect();
    match reading {
        Reading::EhpcInvocations(reading) => {
            for seen in &reading.commands {
                if let Some(truth) = true_things.get(&*seen.id) {
                    assert_command(truth, Some(&seen), "a result");
                }
            }
        }
        Reading::SwasInvocations(reading) => {
            for seen in &reading.invocations {
                true_things
                    .get(&*seen.invocation.id)
                    .into_iter()
                    .for_each(|truth| assert_run(truth, Some(&seen), false, "a result"));
            }
        }
        Reading::EhpcTasks(_) | Reading::Discovery(_) => {}
    }
}

/// Asserts that everything listed now is shown as it is. The world should be frozen.
pub fn assert_shown(harness: &Harness, context: &str) {
    let truth = harness.sim.truth(harness.now);
    for cluster in list(&truth["clusters"]) {
        let id = text(&cluster["id"]);
        let tasks = harness.tasks(id);
        let commands = harness.commands(id);
        let tasks: BTreeMap<&str, &SeenEhpcTask> =
            tasks.tasks.iter().map(|seen| (&*seen.task.id, seen)).collect();
        for task in list(&cluster["tasks"]).iter() {
            assert_task(task, tasks.get(text(&task["id"])), context);
        }
        let commands: BTreeMap<&str, &SeenEhpcInvocation> =
            commands.commands.iter().map(|seen| (&*seen.id, seen)).collect();
        for command in list(&cluster["commands"]) {
            assert_command(command, commands.get(text(&command["id"])), context);
        }
    }
    for server in list(&truth["servers"]) {
        let invocations = harness.invocations(text(&server["id"]));
        let invocations: BTreeMap<&str, &SeenSwasInvocation> =
            invocations.invocations.iter().map(|seen| (&*seen.invocation.id, seen)).collect();
        let regional = harness.config.swas_strategy == SwasStrategy::PerRegion;
        for invocation in list(&server["invocations"]) {
            let seen = invocations.get(text(&invocation["id"]));
            assert_run(invocation, seen, regional, context);
        }
    }
}

/// The truth about the invocations of a command name.
#[derive(Debug, Default, PartialEq)]
pub struct Job {
    /// The status of the newest that has ended.
    pub last_status: Option<String>,
    /// When the newest was created.
    pub last_created: Option<Timestamp>,
    /// The median of the gaps between the newest eight, if they are regular.
    pub interval: Option<f64>,
}

/// The truth about each command name of a server, as far as its list shows it. That is the list of
/// the server or, if `regional`, of the region, which shows no creation time for invocations that
/// never started.
pub fn jobs(truth: &Value, server: &str, regional: bool) -> BTreeMap<String, Job> {
    let server = list(&truth["servers"]).iter().find(|other| text(&other["id"]) == server).unwrap();
    let mut names: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for invocation in list(&server["invocations"]) {
        names.entry(text(&invocation["command_name"]).to_owned()).or_default().push(invocation);
    }
    names.into_iter().map(|(name, invocations)| (name, job(&invocations, regional))).collect()
}

fn job(invocations: &[&Value], regional: bool) -> Job {
    let created = |invocation: &Value| {
        time(&invocation["created_time"])
            .filter(|_| !regional || time(&invocation["start_time"]).is_some())
    };
    let ended = invocations.iter().filter(|invocation| !is_open(text(&invocation["status"])));
    let place = |invocation: &&&Value| {
        (
            created(invocation).or(time(&invocation["finished_time"])),
            text(&invocation["id"]).to_owned(),
        )
    };
    let last_status =
        ended.max_by_key(place).map(|invocation| text(&invocation["status"]).to_owned());
    let mut times: Vec<Timestamp> =
        invocations.iter().filter_map(|invocation| created(invocation)).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.truncate(8);
    Job { last_status, last_created: times.first().copied(), interval: interval(&times) }
}

/// The median gap between times, newest first.
fn interval(times: &[Timestamp]) -> Option<f64> {
    let mut gaps: Vec<f64> =
        times.windows(2).map(|pair| pair[0].duration_since(pair[1]).as_secs_f64()).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let count = gaps.len();
    if count < 3 {
        return None;
    }
    let median = if count % 2 == 1 {
        gaps[count / 2]
    } else {
        (gaps[count / 2 - 1] + gaps[count / 2]) / 2.0
    };
    (median > 0.0 && gaps[count - 1] <= 1.5 * median).then_some(median)
}

/// The same as a reading shows it.
pub fn shown_jobs(reading: &Reading) -> BTreeMap<String, Job> {
    let Reading::SwasInvocations(invocations) = reading else { return BTreeMap::new() };
    let jobs = invocations.jobs.iter().map(|job| {
        let last_status = job.last.as_ref().map(|last| last.status.word().to_owned());
        let interval = job.interval.map(|interval| interval.as_secs_f64());
        (job.name.to_string(), Job { last_status, last_created: job.created, interval })
    });
    jobs.collect()
}

fn assert_task(truth: &Value, seen: Option<&&SeenEhpcTask>, context: &str) {
    let task = &seen.unwrap_or_else(|| panic!("{context}: {truth} is not shown")).task;
    let shown =
        (task.task_type.word(), task.status.word(), task.current_step, task.steps, task.errors);
    let steps = truth["total_steps"].as_i64();
    let errors = truth["errors"].as_u64();
    let wanted = (
        text(&truth["type"]),
        text(&truth["status"]),
        truth["current_step"].as_i64(),
        steps,
        errors,
    );
    assert_eq!(shown, wanted, "{context}: {truth}");
    let makes_nodes = ["CreateCluster", "AddComputes"].contains(&task.task_type.label());
    assert_eq!(task.nodes, truth["nodes"].as_u64().filter(|_| makes_nodes), "{context}: {truth}");
}

fn assert_command(truth: &Value, seen: Option<&&SeenEhpcInvocation>, context: &str) {
    let seen = seen.unwrap_or_else(|| panic!("{context}: {truth} is not shown"));
    assert_eq!(seen.invocation.status.word(), text(&truth["status"]), "{context}: {truth}");
    let nodes: Vec<_> =
        seen.invocation.nodes.iter().map(|(id, status)| (&**id, status.word())).collect();
    let mut wanted: Vec<_> = list(&truth["nodes"])
        .iter()
        .map(|node| (text(&node["instance_id"]), text(&node["status"])))
        .collect();
    wanted.sort_unstable();
    assert_eq!(nodes, wanted, "{context}: {truth}");
    let ended = !is_open(text(&truth["status"]));
    assert_eq!(seen.results.is_some(), ended, "{context}: {truth}");
    for node in list(&truth["nodes"]).iter().filter(|_| ended) {
        let id = text(&node["instance_id"]);
        let result = seen.node_results().find(|result| *result.instance_id == *id).unwrap();
        let code = exit_code(text(&node["status"]), node);
        assert_eq!(result.exit_code, code, "{context}: {node}");
        assert_eq!(result.finished, time(&node["finished_time"]), "{context}: {node}");
    }
}

/// A region's list has no record, and a creation time only together with a start.
fn assert_run(truth: &Value, seen: Option<&&SeenSwasInvocation>, regional: bool, context: &str) {
    let SeenSwasInvocation { invocation, result, .. } =
        seen.unwrap_or_else(|| panic!("{context}: {truth} is not shown"));
    let record = invocation.record.as_ref().map(|record| record.word());
    let shown = (
        &*invocation.command_name,
        invocation.command_type.word(),
        invocation.status.word(),
        record,
        invocation.created,
    );
    let name = text(&truth["command_name"]);
    let kind = text(&truth["command_type"]);
    let status = text(&truth["status"]);
    let record = truth["record_status"].as_str();
    let created =
        time(&truth["created_time"]).filter(|_| !regional || time(&truth["start_time"]).is_some());
    let wanted = (name, kind, status, record.filter(|_| !regional), created);
    assert_eq!(shown, wanted, "{context}: {truth}");
    let ended = !["Pending", "Running", "Stopping"].contains(&status);
    assert_eq!(result.is_some(), ended, "{context}: {truth}");
    let Some(InvocationResult { exit_code, error, started, finished, .. }) = result.as_deref()
    else {
        return;
    };
    assert_eq!(*exit_code, self::exit_code(status, truth), "{context}: {truth}");
    assert_eq!(
        error.as_ref().map_or("", |error| error.word()),
        text(&truth["error_code"]),
        "{context}: {truth}"
    );
    assert_eq!(
        (*started, *finished),
        (time(&truth["start_time"]), time(&truth["finished_time"])),
        "{context}"
    );
}

/// The exit code that counts: 0 only with statuses of what exited, and none for what was stopped.
fn exit_code(status: &str, truth: &Value) -> Option<i64> {
    let code = truth["exit_code"].as_i64()?;
    let counts = if code == 0 {
        ["Finished", "Success", "Failed"].contains(&status)
    } else {
        status != "Stopped"
    };
    counts.then_some(code)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().map(|text| text.parse().unwrap())
}
